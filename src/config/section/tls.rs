//! TLS, of which liege reads some directives and obeys none yet.

use crate::directive::Check;
use crate::value::{Ignored, MANY};

directives! {
    /// ENCRYPTED CONNECTIONS
    pub struct Tls in [Http, Server] {
        /// Read and without effect: liege has no encrypted connections yet.
        ssl_protocols: Ignored<MANY, true> = none;

        /// Read and without effect: liege has no encrypted connections yet.
        ssl_ciphers: Ignored<1, true> = none;

        /// Read and without effect: liege has no encrypted connections yet.
        ssl_prefer_server_ciphers: Ignored<1, true> = none;

        /// Read and without effect: liege has no encrypted connections yet.
        ssl_session_cache: Ignored<2, true> = none;

        /// Read and without effect: liege has no encrypted connections yet.
        ssl_session_tickets: Ignored<1, true> = none;

        /// Read and without effect: liege has no encrypted connections yet.
        ssl_session_timeout: Ignored<1, true> = none;
    }
}

impl Check for Tls {}
