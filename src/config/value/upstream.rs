//! Values about what stands behind the web workers: peers, where requests go, what goes with them.

use std::sync::Arc;
use std::time::Duration;

use super::address::Target;
use super::basic::{Resolution, number};
use super::{Address, Complaint, MANY, Scope, Text, Value, duration};
use crate::diagnostic::{nearest, shown};
use crate::model::{Upstream, UpstreamKind};
use crate::syntax::{Line, Word};

/// A server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its addresses: a host name may have several, each is a peer of its own with this weight.
    pub addresses: Vec<Address>,
    /// How often it is chosen, compared with the others.
    pub weight: u32,
    /// The most connections to it at a time from one worker; 0 for no limit.
    pub max_conns: u32,
    /// After so many failures within `fail_timeout` it is left alone; 0 for never.
    pub max_fails: u32,
    /// For so long.
    pub fail_timeout: Duration,
    /// Whether it is asked only when all others are out.
    pub backup: bool,
    /// Whether it is never asked.
    pub down: bool,
}

/// Where `uwsgi_pass` sends requests.
#[derive(Debug, Clone, PartialEq)]
pub enum UwsgiPass {
    /// An upstream block, an app, or an address in place.
    To(Arc<Upstream>),
    /// The name of an upstream or app, or an address, known when the request is there.
    Text(Text),
}

/// A parameter of uwsgi requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UwsgiParam {
    /// Its name.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Text,
    /// Whether it is sent only when its value is not empty.
    pub if_not_empty: bool,
}

/// When the next peer is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NextUpstream {
    /// A connection failed.
    pub error: bool,
    /// A peer took too long.
    pub timeout: bool,
    /// An answer could not be read.
    pub invalid_header: bool,
    /// Also for POST, LOCK and PATCH that were sent already.
    pub non_idempotent: bool,
    /// An answer with this status.
    pub http_500: bool,
    /// An answer with this status.
    pub http_503: bool,
    /// An answer with this status.
    pub http_403: bool,
    /// An answer with this status.
    pub http_404: bool,
    /// An answer with this status.
    pub http_429: bool,
    off: bool,
}

impl Value for Peer {
    const SYNTAX: &'static str = "address [weight=number] [max_conns=number] [max_fails=number] \
        [fail_timeout=time] [backup] [down]";
    const ARITY: (usize, usize) = (1, MANY);

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let mut peer = Peer {
            addresses: vec![],
            weight: 1,
            max_conns: 0,
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
            backup: false,
            down: false,
        };
        for (index, word) in line.words.iter().enumerate().skip(2) {
            peer.option(word).map_err(|complaint| complaint.at(index))?;
        }
        let text = line.argument(0);
        let complain =
            |what: &str| Complaint::new(format!("{what} in upstream \"{}\"", shown(text))).at(1);
        let target = Target::parse(text).map_err(complain)?;
        peer.addresses = target.addresses(Some(80), scope).map_err(complain)?;
        Ok(peer)
    }
}

impl Peer {
    fn option(&mut self, word: &Word) -> Result<(), Complaint> {
        let invalid = || Complaint::new(format!("invalid parameter \"{}\"", shown(&word.bytes)));
        let bytes = &word.bytes[..];
        let count = |value: &[u8], least: u64| {
            number(value)
                .filter(|&n| n >= least)
                .and_then(|n| u32::try_from(n).ok())
                .ok_or_else(invalid)
        };
        if let Some(value) = bytes.strip_prefix(b"weight=") {
            self.weight = count(value, 1)?;
        } else if let Some(value) = bytes.strip_prefix(b"max_conns=") {
            self.max_conns = count(value, 0)?;
        } else if let Some(value) = bytes.strip_prefix(b"max_fails=") {
            self.max_fails = count(value, 0)?;
        } else if let Some(value) = bytes.strip_prefix(b"fail_timeout=") {
            self.fail_timeout = duration(value, Resolution::Seconds).ok_or_else(invalid)?;
        } else if bytes == b"backup" {
            self.backup = true;
        } else if bytes == b"down" {
            self.down = true;
        } else {
            let name = bytes.split(|&byte| byte == b'=').next().unwrap_or_default();
            if [&b"resolve"[..], b"service", b"route", b"drain", b"slow_start"].contains(&name) {
                let name = shown(name);
                return Err(Complaint::new(format!(
                    "liege does not implement server ... {name} yet"
                )));
            }
            return Err(invalid());
        }
        Ok(())
    }
}

impl Value for UwsgiPass {
    const SYNTAX: &'static str = "app | upstream | address:port | unix:path";

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let whole = line.argument(0);
        if whole.contains(&b'$') {
            return Text::argument(line, 0, scope).map(UwsgiPass::Text);
        }
        if whole.starts_with(b"suwsgi://") {
            return Err(Complaint::new("liege does not implement uwsgi_pass suwsgi:// yet").at(1));
        }
        let text = whole.strip_prefix(b"uwsgi://").unwrap_or(whole);
        let name = String::from_utf8_lossy(text);
        if let Some(known) = named(&name, scope) {
            return Ok(UwsgiPass::To(known));
        }
        let complain =
            |what: &str| Complaint::new(format!("{what} in upstream \"{}\"", shown(text))).at(1);
        let target = Target::parse(text).map_err(complain)?;
        if let Target::Host { name: host, port: Some(port) } = &target
            && named(host, scope).is_some_and(|known| known.kind != UpstreamKind::Literal)
        {
            let message = format!("upstream \"{host}\" may not have port {port}");
            return Err(Complaint::new(message).at(1).hint(format!("write {host} alone")));
        }
        match target.addresses(None, scope) {
            Ok(addresses) => Ok(UwsgiPass::To(literal(&name, addresses, scope))),
            Err(what) => {
                let host = name.split(':').next().unwrap_or_default();
                let complaint = Complaint::new(format!("{what} in upstream \"{host}\"")).at(1);
                Err(unreachable_name(&name, complaint, scope))
            }
        }
    }
}

/// The upstream or app with this name. nginx compares their names without case.
fn named(name: &str, scope: &Scope<'_>) -> Option<Arc<Upstream>> {
    scope.registry.upstreams.find(name.to_ascii_lowercase().as_bytes()).cloned()
}

fn literal(name: &str, addresses: Vec<Address>, scope: &mut Scope<'_>) -> Arc<Upstream> {
    let peer = Peer {
        addresses,
        weight: 1,
        max_conns: 0,
        max_fails: 1,
        fail_timeout: Duration::from_secs(10),
        backup: false,
        down: false,
    };
    let index = scope.registry.upstreams.all().len();
    let upstream =
        Upstream { index, name: name.into(), kind: UpstreamKind::Literal, peers: vec![peer] };
    let upstream = Arc::new(upstream);
    scope.registry.upstreams.add(name.to_ascii_lowercase().as_bytes(), upstream.clone());
    upstream
}

fn unreachable_name(name: &str, complaint: Complaint, scope: &Scope<'_>) -> Complaint {
    if name.contains(':') {
        return complaint;
    }
    let known = scope.registry.upstreams.all().iter().map(|upstream| &*upstream.name);
    match nearest(name, known) {
        Some(near) => complaint.hint(format!("did you mean \"{near}\"?")),
        None => complaint.hint(format!("there is no app and no upstream named \"{name}\"")),
    }
}

impl Value for UwsgiParam {
    const SYNTAX: &'static str = "parameter value [if_not_empty]";
    const ARITY: (usize, usize) = (2, 3);

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let if_not_empty = match line.words.get(3) {
            None => false,
            Some(word) if word.bytes == b"if_not_empty" => true,
            Some(word) => {
                let message = format!("invalid parameter \"{}\"", shown(&word.bytes));
                return Err(Complaint::new(message).at(3).hint("\"if_not_empty\", or nothing"));
            }
        };
        let name = line.argument(0).to_vec();
        Ok(UwsgiParam { name, value: Text::argument(line, 1, scope)?, if_not_empty })
    }
}

impl Value for NextUpstream {
    const SYNTAX: &'static str = "error | timeout | invalid_header | http_500 | http_503 | http_403 | \
        http_404 | http_429 | non_idempotent | off ...";
    const ARITY: (usize, usize) = (1, MANY);
    const ADDS: bool = true;

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let mut next = NextUpstream::default();
        next.again(line, scope)?;
        Ok(next)
    }

    fn again(&mut self, line: &Line, scope: &mut Scope<'_>) -> Result<(), Complaint> {
        for (index, word) in line.words.iter().enumerate().skip(1) {
            let lower = word.bytes.to_ascii_lowercase();
            let name = String::from_utf8_lossy(&lower);
            let Some(flag) = self.flag(&name) else {
                if name == "updating" {
                    let message = "liege does not implement uwsgi_next_upstream updating yet";
                    return Err(Complaint::new(message).at(index));
                }
                let message = format!("invalid value \"{}\"", shown(&word.bytes));
                return Err(Complaint::new(message).at(index));
            };
            if std::mem::replace(flag, true) {
                let message = format!("duplicate value \"{}\"", shown(&word.bytes));
                scope.warn(Complaint::new(message).at(index));
            }
        }
        if self.off {
            *self = NextUpstream { off: true, ..NextUpstream::default() };
        }
        Ok(())
    }
}

impl NextUpstream {
    fn flag(&mut self, name: &str) -> Option<&mut bool> {
        Some(match name {
            "error" => &mut self.error,
            "timeout" => &mut self.timeout,
            "invalid_header" => &mut self.invalid_header,
            "non_idempotent" => &mut self.non_idempotent,
            "http_500" => &mut self.http_500,
            "http_503" => &mut self.http_503,
            "http_403" => &mut self.http_403,
            "http_404" => &mut self.http_404,
            "http_429" => &mut self.http_429,
            "off" => &mut self.off,
            _ => return None,
        })
    }
}

/// A setting of which only `off` is there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Off;

impl Value for Off {
    const SYNTAX: &'static str = "off";
    const ARITY: (usize, usize) = (1, 2);

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        match line.argument(0) {
            b"off" => Ok(Off),
            _ => {
                let name = line.name_text();
                Err(Complaint::new(format!("liege does not implement {name} yet")).at(1))
            }
        }
    }
}
