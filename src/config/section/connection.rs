//! The life of a connection: how long it is kept, how it is sent to, how it is closed.

use std::time::Duration;

use crate::directive::Check;
use crate::value::{KeepaliveTimeout, LingeringClose};

directives! {
    /// CONNECTIONS
    pub struct Connection in [Http, Server, Location] {
        /// How long an idle connection is kept; 0 closes it after the response. The second time is
        /// what the Keep-Alive field tells the client.
        keepalive_timeout: KeepaliveTimeout = "75s";

        /// The most requests of one connection.
        keepalive_requests: u64 = "1000";

        /// A connection that is older is closed after its request.
        keepalive_time: Duration = "1h";

        /// How long an idle connection is kept at least when its worker is to end. (nginx: 0, which
        /// loses requests that are on their way.)
        keepalive_min_timeout: Duration = "3s";

        /// How long a client may pause while it is sent a response.
        send_timeout: Duration = "60s";

        /// Whether what a client still sends is read and thrown away before the connection is
        /// closed, so that it can read the answer.
        lingering_close: LingeringClose = "on";

        /// For how long {lingering_close} reads at most.
        lingering_time: Duration = "30s";

        /// For how long {lingering_close} waits when nothing comes.
        lingering_timeout: Duration = "5s";

        /// Whether TCP_NODELAY is set.
        tcp_nodelay: bool = "on";

        /// Whether the head and the beginning of a file leave in one packet (TCP_CORK). They always
        /// do.
        tcp_nopush: bool = "off";
    }
}

impl Check for Connection {}
