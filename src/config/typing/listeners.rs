//! `listen` lines of all servers put together: which sockets are bound, and who answers on each.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::Typist;
use crate::model::{Bound, HostTable, Hosts, Listener, Server};
use crate::section;
use crate::syntax::Line;
use crate::value::{Address, Complaint, Listen, ListenOptions};

/// What is known of one address.
struct Spot {
    address: Address,
    options: ListenOptions,
    bind: bool,
    /// Whether a line gave options; another may not.
    has_options: bool,
    default: Option<Arc<Server>>,
    servers: Vec<Arc<Server>>,
}

/// All addresses, in the order in which they are first named.
#[derive(Default)]
struct Spots {
    all: Vec<Spot>,
    places: HashMap<Address, usize>,
    /// How many pairs of an address and a server there are.
    answers: usize,
}

/// Ranges of ports in thousands of servers would fill any memory.
const MOST_ANSWERS: usize = 100_000;

impl<'a> Typist<'a> {
    /// The sockets, in the order in which their addresses are first named.
    pub fn listeners(
        &mut self,
        servers: &[Arc<Server>],
        blocks: &[(&'a Line, section::Server)],
    ) -> Vec<Listener> {
        let mut spots = Spots::default();
        for (server, (block, own)) in servers.iter().zip(blocks) {
            // Lines that could not be read were told by themselves; they are no reason for a
            // default.
            let lines: Vec<&Line> =
                super::lines_of(block).iter().filter(|line| line.name() == b"listen").collect();
            if lines.is_empty() {
                self.listen(&mut spots, &self.default_listen(), server, block);
            }
            if lines.len() != own.listen.len() {
                continue;
            }
            for (line, listen) in lines.into_iter().zip(&own.listen) {
                self.listen(&mut spots, listen, server, line);
            }
        }
        let mut bound = vec![];
        for spot in spots.all {
            let hosts = self.hosts(&spot);
            bound.push((spot, hosts));
        }
        group(bound)
    }

    /// nginx's address of a server that names none.
    fn default_listen(&self) -> Listen {
        let port = if self.tree.root { 80 } else { 8000 };
        Listen {
            addresses: vec![Address::Inet(([0, 0, 0, 0], port).into())],
            is_default: false,
            bind: false,
            sets_options: false,
            options: ListenOptions::default(),
        }
    }

    fn listen(&mut self, spots: &mut Spots, listen: &Listen, server: &Arc<Server>, line: &Line) {
        for address in &listen.addresses {
            spots.answers += 1;
            if spots.answers > MOST_ANSWERS {
                if spots.answers == MOST_ANSWERS + 1 {
                    let message = format!("more than {MOST_ANSWERS} addresses are listened on");
                    let hint = "every address counts for every server that listens on it";
                    self.complain(Complaint::new(message).at(1).hint(hint), line);
                }
                return;
            }
            let Some(&index) = spots.places.get(address) else {
                spots.places.insert(address.clone(), spots.all.len());
                spots.all.push(Spot {
                    address: address.clone(),
                    options: listen.options.clone(),
                    bind: listen.bind,
                    has_options: listen.sets_options,
                    default: listen.is_default.then(|| server.clone()),
                    servers: vec![server.clone()],
                });
                continue;
            };
            if let Some(complaint) = spots.all[index].also(listen, server) {
                self.complain(complaint.at(1), line);
            }
        }
    }

    fn hosts(&mut self, spot: &Spot) -> Hosts {
        let mut table = HostTable::default();
        for server in &spot.servers {
            for name in &server.names {
                // nginx makes no table for a single server, and so finds nothing in it.
                if table.add(name, server).is_ok() || spot.servers.len() == 1 {
                    continue;
                }
                let name = super::http::quoted(&name.text);
                let message =
                    format!("conflicting server name {name} on {}, ignored", spot.address);
                let line = Line { file: Some(0), order: u32::MAX, ..Line::default() };
                let hint = format!("in the server of {}", server.place);
                self.warn(Complaint::new(message).hint(hint).late().nowhere(), &line);
            }
        }
        let default = spot.default.clone().unwrap_or_else(|| spot.servers[0].clone());
        Hosts::of(default, spot.servers.clone(), table)
    }
}

impl Spot {
    /// A further line for the same address.
    fn also(&mut self, listen: &Listen, server: &Arc<Server>) -> Option<Complaint> {
        let address = &self.address;
        if self.servers.last().is_some_and(|last| last.index == server.index) {
            return Some(Complaint::new(format!("a duplicate listen {address}")));
        }
        if listen.is_default && self.default.is_some() {
            return Some(Complaint::new(format!("a duplicate default server for {address}")));
        }
        if listen.sets_options && self.has_options {
            let message = format!("duplicate listen options for {address}");
            return Some(Complaint::new(message).hint("one line of an address may have options"));
        }
        if listen.sets_options {
            self.options = listen.options.clone();
            self.has_options = true;
        }
        self.bind |= listen.bind;
        if listen.is_default {
            self.default = Some(server.clone());
        }
        self.servers.push(server.clone());
        None
    }
}

/// A wildcard's socket takes the connections of addresses with its port, unless they are bound by
/// themselves.
fn group(spots: Vec<(Spot, Hosts)>) -> Vec<Listener> {
    let wildcards = spots.iter().filter(|(spot, _)| spot.address.is_wildcard());
    let wildcards: HashSet<(u16, bool)> =
        wildcards.filter_map(|(spot, _)| inet(&spot.address)).map(family).collect();
    let mut listeners: Vec<Listener> = vec![];
    let mut places = HashMap::new();
    let mut covered = vec![];
    for (spot, hosts) in spots {
        let alone = spot.bind || spot.address.is_wildcard();
        match inet(&spot.address) {
            Some(address) if !alone && wildcards.contains(&family(address)) => {
                covered.push((family(address), Bound { ip: address.ip(), hosts }));
                continue;
            }
            Some(address) if spot.address.is_wildcard() => {
                places.insert(family(address), listeners.len());
            }
            _ => {}
        }
        let (address, options) = (spot.address, spot.options);
        listeners.push(Listener { address, options, hosts, specific: vec![] });
    }
    for (family, bound) in covered {
        if let Some(&place) = places.get(&family) {
            listeners[place].specific.push(bound);
        }
    }
    listeners
}

fn inet(address: &Address) -> Option<SocketAddr> {
    match address {
        Address::Inet(address) => Some(*address),
        Address::Unix(_) => None,
    }
}

/// What a wildcard has in common with the addresses that it covers.
fn family(address: SocketAddr) -> (u16, bool) {
    (address.port(), address.is_ipv4())
}

#[cfg(test)]
mod tests {
    use crate::testing::said;

    #[test]
    fn ranges_of_ports_in_many_servers_are_refused_before_they_fill_the_memory() {
        let servers: String = (0..120)
            .map(|each| format!("server {{ listen 20000-21023; server_name s{each}; }}\n"))
            .collect();
        let told = said(&format!("http {{\n{servers}}}"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("more than 100000 addresses are listened on"), "{told:?}");
    }
}
