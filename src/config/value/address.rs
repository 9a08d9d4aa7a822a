//! Addresses: what `listen` binds, and what upstreams are reached at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::basic::{Resolution, number};
use super::{Complaint, MANY, Scope, Value, duration, size};
use crate::diagnostic::{nearest, shown};
use crate::syntax::{Line, Word};

/// The address of a socket. It prints as `127.0.0.1:80`, `[::1]:80`, `unix:/path`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Address {
    /// TCP.
    Inet(SocketAddr),
    /// A path in the file system.
    Unix(PathBuf),
}

/// What a `listen` line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Its addresses: several for a range of ports or a name with several addresses.
    pub addresses: Vec<Address>,
    /// Whether it makes its server the default of these addresses.
    pub is_default: bool,
    /// Whether the socket is bound by itself even beside a wildcard of the same port.
    pub bind: bool,
    /// Whether any socket option was given; only one line of an address may.
    pub sets_options: bool,
    /// The options.
    pub options: ListenOptions,
}

/// The options of a listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenOptions {
    /// The length of the queue of connections that nobody accepted yet.
    pub backlog: u32,
    /// SO_RCVBUF.
    pub rcvbuf: Option<u64>,
    /// SO_SNDBUF.
    pub sndbuf: Option<u64>,
    /// SO_KEEPALIVE; none leaves the system's setting.
    pub so_keepalive: Option<bool>,
    /// TCP_KEEPIDLE.
    pub keep_idle: Option<Duration>,
    /// TCP_KEEPINTVL.
    pub keep_interval: Option<Duration>,
    /// TCP_KEEPCNT.
    pub keep_count: Option<u32>,
    /// One socket for each web worker.
    pub reuseport: bool,
    /// TCP_DEFER_ACCEPT.
    pub deferred: bool,
    /// TCP_FASTOPEN with this queue.
    pub fastopen: Option<u32>,
    /// IPV6_V6ONLY.
    pub ipv6only: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions {
            // nginx's NGX_LISTEN_BACKLOG on Linux.
            backlog: 511,
            rcvbuf: None,
            sndbuf: None,
            so_keepalive: None,
            keep_idle: None,
            keep_interval: None,
            keep_count: None,
            reuseport: false,
            deferred: false,
            fastopen: None,
            ipv6only: true,
        }
    }
}

impl Address {
    /// Whether it is 0.0.0.0 or [::].
    pub fn is_wildcard(&self) -> bool {
        matches!(self, Address::Inet(address) if address.ip().is_unspecified())
    }

    /// The port, where there is one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Address::Inet(address) => Some(address.port()),
            Address::Unix(_) => None,
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Inet(address) => write!(f, "{address}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An address as it is written, before its host's name is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Unix(PathBuf),
    Ip { ip: IpAddr, port: Option<u16> },
    Host { name: String, port: Option<u16> },
}

impl Target {
    /// Reads `host[:port]`, `[v6]:port` or `unix:path`; the error is nginx's.
    pub(crate) fn parse(text: &[u8]) -> Result<Target, &'static str> {
        if let Some(path) = unix_path(text) {
            if path.is_empty() {
                return Err("no path in the unix domain socket");
            }
            return Ok(Target::Unix(path_of(path)));
        }
        let (host, port) = split_port(text)?;
        if host.is_empty() {
            return Err("no host");
        }
        match ip_of(host)? {
            Some(ip) => Ok(Target::Ip { ip, port }),
            None => Ok(Target::Host { name: String::from_utf8_lossy(host).to_lowercase(), port }),
        }
    }

    /// The addresses that it stands for.
    pub(crate) fn addresses(
        &self,
        default_port: Option<u16>,
        scope: &Scope<'_>,
    ) -> Result<Vec<Address>, &'static str> {
        let (ips, port) = match self {
            Target::Unix(path) => return Ok(vec![Address::Unix(scope.under_prefix(path))]),
            Target::Ip { ip, port } => (std::slice::from_ref(ip), port),
            Target::Host { name, port } => (scope.addresses_of(name), port),
        };
        let port = port.or(default_port).ok_or("no port")?;
        if ips.is_empty() {
            return Err("host not found");
        }
        Ok(ips.iter().map(|ip| Address::Inet(SocketAddr::new(*ip, port))).collect())
    }
}

/// The most ports of a range.
const MOST_PORTS: u16 = 1024;

/// The address part of a `listen` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListenForm {
    pub target: Target,
    pub last_port: Option<u16>,
}

impl ListenForm {
    pub(crate) fn parse(text: &[u8]) -> Result<ListenForm, &'static str> {
        if unix_path(text).is_some() {
            return Ok(ListenForm { target: Target::parse(text)?, last_port: None });
        }
        // A range stands behind the last colon, or is the whole word.
        let tail = text.iter().rposition(|&byte| byte == b':').map_or(0, |colon| colon + 1);
        if let Some(dash) = text[tail..].iter().position(|&byte| byte == b'-')
            && text[tail..tail + dash].iter().all(u8::is_ascii_digit)
            && !text.ends_with(b"]")
        {
            let last = port_of(&text[tail + dash + 1..]).ok_or("invalid port")?;
            let form = ListenForm::single(&text[..tail + dash])?;
            let first = match form.target {
                Target::Ip { port, .. } | Target::Host { port, .. } => port.unwrap_or(80),
                Target::Unix(_) => 0,
            };
            // Wider ones than nginx ever meets are slips of the finger.
            if last < first || last - first >= MOST_PORTS {
                return Err("invalid port range");
            }
            return Ok(ListenForm { last_port: Some(last), ..form });
        }
        ListenForm::single(text)
    }

    fn single(text: &[u8]) -> Result<ListenForm, &'static str> {
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let form = |target| Ok(ListenForm { target, last_port: None });
        if text.iter().all(u8::is_ascii_digit) && !text.is_empty() {
            let port = port_of(text).ok_or("invalid port")?;
            return form(Target::Ip { ip: any, port: Some(port) });
        }
        if text == b"*" {
            return form(Target::Ip { ip: any, port: None });
        }
        if let Some(port) = text.strip_prefix(b"*:") {
            let port = port_of(port).ok_or("invalid port")?;
            return form(Target::Ip { ip: any, port: Some(port) });
        }
        form(Target::parse(text)?)
    }
}

impl Value for Listen {
    const SYNTAX: &'static str = "address[:port] | port | unix:path [default_server] \
        [backlog=number] [rcvbuf=size] [sndbuf=size] [so_keepalive=on | off | idle:interval:count] \
        [reuseport] [deferred] [fastopen=number] [ipv6only=on | off] [bind]";
    const ARITY: (usize, usize) = (1, MANY);

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let text = line.argument(0);
        let complain = |what: &str| {
            let message = format!("{what} in \"{}\" of the \"listen\" directive", shown(text));
            Complaint::new(message).at(1)
        };
        let form = ListenForm::parse(text).map_err(complain)?;
        let first = form.target.addresses(Some(80), scope).map_err(complain)?;
        let mut listen = Listen {
            addresses: ranged(first, form.last_port),
            is_default: false,
            bind: false,
            sets_options: false,
            options: ListenOptions::default(),
        };
        for (index, word) in line.words.iter().enumerate().skip(2) {
            listen.option(word).map_err(|complaint| complaint.at(index))?;
        }
        Ok(listen)
    }
}

/// Options of nginx that liege cannot obey yet.
const NOT_YET: [&str; 7] =
    ["ssl", "http2", "quic", "proxy_protocol", "setfib", "accept_filter", "multipath"];

/// Options of nginx that liege obeys, for hints.
const OPTIONS: [&str; 11] = [
    "default_server",
    "backlog",
    "rcvbuf",
    "sndbuf",
    "so_keepalive",
    "reuseport",
    "deferred",
    "fastopen",
    "ipv6only",
    "bind",
    "default",
];

impl Listen {
    fn option(&mut self, word: &Word) -> Result<(), Complaint> {
        let (name, value) = match word.bytes.iter().position(|&byte| byte == b'=') {
            Some(equals) => (&word.bytes[..equals], Some(&word.bytes[equals + 1..])),
            None => (&word.bytes[..], None),
        };
        if let (b"default_server" | b"default", None) = (name, value) {
            self.is_default = true;
            return Ok(());
        }
        let options = &mut self.options;
        let understood = match (name, value) {
            (b"bind", None) => Some(()),
            (b"deferred", None) => {
                options.deferred = true;
                Some(())
            }
            (b"reuseport", None) => {
                options.reuseport = true;
                Some(())
            }
            (b"backlog", Some(value)) => positive(value).map(|queue| options.backlog = queue),
            (b"fastopen", Some(value)) => number(value)
                .and_then(|queue| u32::try_from(queue).ok())
                .map(|queue| options.fastopen = Some(queue)),
            (b"rcvbuf", Some(value)) => size(value).map(|bytes| options.rcvbuf = Some(bytes)),
            (b"sndbuf", Some(value)) => size(value).map(|bytes| options.sndbuf = Some(bytes)),
            (b"ipv6only", Some(value)) => on_off(value).map(|only| options.ipv6only = only),
            (b"so_keepalive", Some(value)) => options.keep_alive(value),
            _ => return Err(stranger(name, &word.bytes)),
        };
        let Some(()) = understood else { return Err(malformed(name, value.unwrap_or_default())) };
        self.sets_options = true;
        self.bind = true;
        Ok(())
    }
}

impl ListenOptions {
    /// `on`, `off`, or idle time, interval and count with a colon between; each may be left out,
    /// not all.
    fn keep_alive(&mut self, value: &[u8]) -> Option<()> {
        if let Some(on) = on_off(value) {
            self.so_keepalive = Some(on);
            return Some(());
        }
        let parts: Vec<&[u8]> = value.split(|&byte| byte == b':').collect();
        let [idle, interval, count] = parts[..] else { return None };
        if idle.is_empty() && interval.is_empty() && count.is_empty() {
            return None;
        }
        let time = |word: &[u8]| match word {
            b"" => Some(None),
            word => duration(word, Resolution::Seconds).map(Some),
        };
        self.keep_idle = time(idle)?;
        self.keep_interval = time(interval)?;
        self.keep_count = if count.is_empty() { None } else { Some(positive(count)?) };
        self.so_keepalive = Some(true);
        Some(())
    }
}

fn stranger(name: &[u8], word: &[u8]) -> Complaint {
    let text = String::from_utf8_lossy(name);
    if NOT_YET.contains(&&*text) {
        return Complaint::new(format!("liege does not implement listen ... {text} yet"));
    }
    let complaint = Complaint::new(format!("invalid parameter \"{}\"", shown(word)));
    match nearest(&text, OPTIONS.into_iter()) {
        Some(near) => complaint.hint(format!("did you mean \"{near}\"?")),
        None => complaint,
    }
}

/// nginx's words for an option with a value that it cannot read.
fn malformed(name: &[u8], value: &[u8]) -> Complaint {
    let (name, value) = (shown(name), shown(value));
    Complaint::new(match name.as_str() {
        "ipv6only" if value.starts_with('o') => format!("invalid ipv6only flags \"{value}\""),
        "ipv6only" => format!("invalid parameter \"ipv6only={value}\""),
        "so_keepalive" => format!("invalid so_keepalive value: \"{value}\""),
        _ => format!("invalid {name} \"{name}={value}\""),
    })
}

fn on_off(value: &[u8]) -> Option<bool> {
    match value {
        b"on" => Some(true),
        b"off" => Some(false),
        _ => None,
    }
}

fn positive(value: &[u8]) -> Option<u32> {
    number(value).filter(|&count| count > 0).and_then(|count| u32::try_from(count).ok())
}

fn ranged(first: Vec<Address>, last_port: Option<u16>) -> Vec<Address> {
    let Some(last) = last_port else { return first };
    let ports = |address: &Address| address.port().unwrap_or(last)..=last;
    first
        .iter()
        .flat_map(|address| ports(address).map(move |port| (address, port)))
        .map(|(address, port)| match address {
            Address::Inet(inet) => Address::Inet(SocketAddr::new(inet.ip(), port)),
            Address::Unix(path) => Address::Unix(path.clone()),
        })
        .collect()
}

pub(crate) fn unix_path(text: &[u8]) -> Option<&[u8]> {
    let (scheme, path) = text.split_at_checked(5)?;
    scheme.eq_ignore_ascii_case(b"unix:").then_some(path)
}

fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

fn split_port(text: &[u8]) -> Result<(&[u8], Option<u16>), &'static str> {
    let colon = if text.first() == Some(&b'[') {
        let end = text.iter().position(|&byte| byte == b']').ok_or("invalid host")?;
        match text.get(end + 1) {
            None => None,
            Some(b':') => Some(end + 1),
            Some(_) => return Err("invalid host"),
        }
    } else {
        text.iter().position(|&byte| byte == b':')
    };
    match colon {
        None => Ok((text, None)),
        Some(colon) => {
            let port = port_of(&text[colon + 1..]).ok_or("invalid port")?;
            Ok((&text[..colon], Some(port)))
        }
    }
}

fn port_of(text: &[u8]) -> Option<u16> {
    number(text).and_then(|port| u16::try_from(port).ok()).filter(|&port| port > 0)
}

fn ip_of(host: &[u8]) -> Result<Option<IpAddr>, &'static str> {
    let text = std::str::from_utf8(host).map_err(|_| "invalid host")?;
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or("invalid host")?;
        let ip: Ipv6Addr = inner.parse().map_err(|_| "invalid IPv6 address")?;
        return Ok(Some(IpAddr::V6(ip)));
    }
    if text.bytes().any(|byte| byte == b'/' || byte <= b' ') {
        return Err("invalid host");
    }
    Ok(text.parse::<Ipv4Addr>().ok().map(IpAddr::V4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Result<ListenForm, &'static str> {
        ListenForm::parse(text.as_bytes())
    }

    fn ip(text: &str, port: Option<u16>) -> Target {
        Target::Ip { ip: text.parse().unwrap(), port }
    }

    #[test]
    fn every_form_of_listen_is_understood() {
        let table = [
            ("80", ip("0.0.0.0", Some(80)), None),
            ("*:8080", ip("0.0.0.0", Some(8080)), None),
            ("127.0.0.1", ip("127.0.0.1", None), None),
            ("127.0.0.1:81", ip("127.0.0.1", Some(81)), None),
            ("[::]:80", ip("::", Some(80)), None),
            ("[::1]", ip("::1", None), None),
            ("8000-8010", ip("0.0.0.0", Some(8000)), Some(8010)),
            ("127.0.0.1:8000-8001", ip("127.0.0.1", Some(8000)), Some(8001)),
            ("unix:/run/x.sock", Target::Unix("/run/x.sock".into()), None),
            ("my-host:80", Target::Host { name: "my-host".into(), port: Some(80) }, None),
            ("my-host", Target::Host { name: "my-host".into(), port: None }, None),
        ];
        for (text, target, last_port) in table {
            assert_eq!(form(text), Ok(ListenForm { target, last_port }), "{text}");
        }
    }

    #[test]
    fn a_listen_that_names_nothing_is_refused_in_nginx_s_words() {
        let table = [
            ("127.0.0.1:99999", "invalid port"),
            ("0", "invalid port"),
            ("70000", "invalid port"),
            (":80", "no host"),
            ("[::1", "invalid host"),
            ("[zz]:80", "invalid IPv6 address"),
            ("unix:", "no path in the unix domain socket"),
            ("8010-8000", "invalid port range"),
        ];
        for (text, message) in table {
            assert_eq!(form(text), Err(message), "{text}");
        }
    }
}
