//! `listen` lines of all servers put together: which sockets are bound, and who answers on each.

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

impl<'a> Typist<'a> {
    /// The sockets, in the order in which their addresses are first named.
    pub fn listeners(
        &mut self,
        servers: &[Arc<Server>],
        blocks: &[(&'a Line, section::Server)],
    ) -> Vec<Listener> {
        let mut spots = vec![];
        for (server, (block, own)) in servers.iter().zip(blocks) {
            // Lines that could not be read were told by themselves; they are no reason for a default.
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
        for spot in spots {
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

    fn listen(
        &mut self,
        spots: &mut Vec<Spot>,
        listen: &Listen,
        server: &Arc<Server>,
        line: &Line,
    ) {
        for address in &listen.addresses {
            let index = spots.iter().position(|spot| spot.address == *address);
            let Some(index) = index else {
                spots.push(Spot {
                    address: address.clone(),
                    options: listen.options.clone(),
                    bind: listen.bind,
                    has_options: listen.sets_options,
                    default: listen.is_default.then(|| server.clone()),
                    servers: vec![server.clone()],
                });
                continue;
            };
            if let Some(complaint) = spots[index].also(listen, server) {
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
    let wildcards: Vec<Address> =
        spots.iter().map(|(spot, _)| spot.address.clone()).filter(Address::is_wildcard).collect();
    let covering = |spot: &Spot| {
        let alone = spot.bind || spot.address.is_wildcard();
        let covers = |wildcard: &&Address| covers(wildcard, &spot.address);
        if alone { None } else { wildcards.iter().find(covers).cloned() }
    };
    let mut listeners: Vec<Listener> = vec![];
    let mut covered = vec![];
    for (spot, hosts) in spots {
        match (covering(&spot), &spot.address) {
            (Some(wildcard), Address::Inet(address)) => {
                covered.push((wildcard, Bound { ip: address.ip(), hosts }));
            }
            _ => listeners.push(Listener {
                address: spot.address,
                options: spot.options,
                hosts,
                specific: vec![],
            }),
        }
    }
    for (wildcard, bound) in covered {
        if let Some(listener) = listeners.iter_mut().find(|own| own.address == wildcard) {
            listener.specific.push(bound);
        }
    }
    listeners
}

fn covers(wildcard: &Address, address: &Address) -> bool {
    match (wildcard, address) {
        (Address::Inet(any), Address::Inet(one)) => {
            any.port() == one.port() && any.is_ipv4() == one.is_ipv4()
        }
        _ => false,
    }
}
