//! What stands in `server { }` alone: addresses and names. And `return`, which is run, not
//! inherited.

use crate::directive::Check;
use crate::value::{List, Listen, Return, ServerNames};

directives! {
    /// SERVERS
    pub struct Server in [Server] {
        /// An address that the server answers on; several lines add up. Without any, port 80 for
        /// root and port 8000 for others, on all IPv4 addresses. The first server of an address, or
        /// the one with `default_server`, answers for hosts that no server names. Options of the
        /// socket may be given by one line of an address. With `reuseport` each web worker has a
        /// socket of its own.
        listen: List<Listen> = none;

        /// The hosts that the server answers for. `*.example.com` and `www.*` are all hosts that
        /// end or begin so, `.example.com` is the host and all below it, `~expression` a regular
        /// expression, "" a request without a host, `$hostname` the machine's name. An exact name
        /// goes before the longest with a star in front, that before the longest with a star
        /// behind, that before the first expression that matches. The first name is $server_name.
        server_name: List<ServerNames> = none;
    }
}

directives! {
    /// REWRITING
    pub struct Rewrite in [Server, Location] {
        /// Ends the request with this status, or with a redirect (301, 302, 303, 307, 308), or with
        /// a text as body. In a server it goes before every location. 444 closes the connection
        /// without an answer. The first one counts.
        r#return: List<Return> = none, inherits never;
    }
}

impl Check for Server {}

impl Check for Rewrite {}
