//! Which server answers for a host: nginx's `ngx_http_find_virtual_server` as a pure function.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Captures, Listener, Server, TooHard};
use crate::value::{NameForm, Regex, ServerName};

/// The servers of one address.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Answers for hosts that nobody names.
    pub default: Arc<Server>,
    /// All of them, in the order of the file.
    pub servers: Vec<Arc<Server>>,
    table: HostTable,
}

/// The names of one address's servers.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostTable {
    exact: HashMap<Vec<u8>, Arc<Server>>,
    /// By the labels behind the star, with the dot in front.
    ends: HashMap<Vec<u8>, Arc<Server>>,
    /// By the labels before the star, with the dot behind.
    begins: HashMap<Vec<u8>, Arc<Server>>,
    regexes: Vec<(Regex, Arc<Server>)>,
}

/// An address that a wildcard socket takes connections for.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The address.
    pub ip: IpAddr,
    /// Who answers there.
    pub hosts: Hosts,
}

/// A server, and what the regular expression among its names matched.
#[derive(Debug, Clone)]
pub struct Chosen<'a> {
    /// The server.
    pub server: &'a Arc<Server>,
    /// The captures, when a regular expression chose it.
    pub captures: Option<Captures>,
}

impl Listener {
    /// Who answers on a connection that came in on this local address.
    pub fn hosts(&self, local: Option<IpAddr>) -> &Hosts {
        let bound = |ip: IpAddr| self.specific.iter().find(|bound| bound.ip == ip);
        local.and_then(bound).map_or(&self.hosts, |bound| &bound.hosts)
    }

    /// The server for a host on a connection that came in on this local address.
    pub fn server_for(&self, local: Option<IpAddr>, host: &[u8]) -> Result<Chosen<'_>, TooHard> {
        self.hosts(local).server_for(host)
    }
}

impl Hosts {
    pub(crate) fn of(default: Arc<Server>, servers: Vec<Arc<Server>>, table: HostTable) -> Hosts {
        Hosts { default, servers, table }
    }

    /// The server for a host: lower case, without port and without a dot behind; empty when the
    /// request names none.
    pub fn server_for(&self, host: &[u8]) -> Result<Chosen<'_>, TooHard> {
        if let Some(server) = self.table.literal(host) {
            return Ok(Chosen { server, captures: None });
        }
        // A request without a host has nothing that an expression could match.
        if !host.is_empty() {
            for (regex, server) in &self.table.regexes {
                if let Some(captures) = regex.captures(host)? {
                    return Ok(Chosen { server, captures: Some(captures) });
                }
            }
        }
        Ok(Chosen { server: &self.default, captures: None })
    }
}

impl HostTable {
    /// Adds a name. Gives it back when another server has it already.
    pub fn add(&mut self, name: &ServerName, server: &Arc<Server>) -> Result<(), ()> {
        let own = server.clone();
        let mut whole = Ok(());
        let mut insert = |map: &mut HashMap<Vec<u8>, Arc<Server>>, key: &[u8], own: Arc<Server>| {
            if map.contains_key(key) {
                whole = Err(());
            } else {
                map.insert(key.to_vec(), own);
            }
        };
        match &name.form {
            NameForm::Exact(host) => insert(&mut self.exact, host, own),
            NameForm::Ends(end) => insert(&mut self.ends, end, own),
            NameForm::Begins(begin) => insert(&mut self.begins, begin, own),
            NameForm::Below(host) => {
                insert(&mut self.exact, host, own.clone());
                insert(&mut self.ends, &[b".", &host[..]].concat(), own);
            }
            NameForm::Nothing => {}
            NameForm::Regex(regex) => self.regexes.push((regex.clone(), own)),
        }
        whole
    }

    fn literal(&self, host: &[u8]) -> Option<&Arc<Server>> {
        if let Some(server) = self.exact.get(host) {
            return Some(server);
        }
        let dots = || host.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(at, _)| at);
        // The longest end is the one at the first dot, the longest beginning the one at the last.
        dots().filter(|&at| at > 0).find_map(|at| self.ends.get(&host[at..])).or_else(|| {
            let mut at: Vec<usize> = dots().filter(|&at| at + 1 < host.len()).collect();
            at.reverse();
            at.into_iter().find_map(|at| self.begins.get(&host[..=at]))
        })
    }
}
