//! `upstream NAME { }`: groups of servers.

use crate::directive::Check;
use crate::value::{Complaint, List, Peer};

directives! {
    /// UPSTREAMS
    pub struct Upstream in [Upstream] {
        /// A server of the group: an address (port 80 when none is named) or unix:path. Servers are
        /// asked in turn, by `weight`. After `max_fails` failures within `fail_timeout` one is left
        /// alone for that long. `backup` ones are asked when no other is left, `down` ones never.
        /// At most `max_conns` connections of one web worker go to it at a time.
        server: List<Peer> = none;
    }
}

impl Check for Upstream {
    fn check(&self) -> Vec<Complaint> {
        if self.server.is_empty() {
            let hint = "add a line like: server unix:/run/app.sock;";
            return vec![Complaint::new("no servers are inside upstream").hint(hint)];
        }
        if self.server.iter().all(|peer| peer.backup) {
            let complaint = Complaint::new("no servers in upstream").late();
            return vec![complaint.hint("not all servers can be a backup")];
        }
        vec![]
    }
}
