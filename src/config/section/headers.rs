//! The head of responses.

use crate::directive::Check;
use crate::value::{AddHeader, List, ServerTokens};

directives! {
    /// RESPONSE HEADS
    pub struct Headers in [Http, Server, Location] {
        /// Adds a field to responses with status 200, 201, 204, 206, 301, 302, 303, 304, 307 or
        /// 308, with `always` to all. Several lines add up; one line replaces all that was said
        /// further out. An empty value adds nothing.
        add_header: List<AddHeader> = none;

        /// Whether the Server field and error pages tell the version.
        server_tokens: ServerTokens = "on";

        /// Whether bodies of unknown length are sent in chunks to HTTP/1.1 clients; else the
        /// connection's end ends them.
        chunked_transfer_encoding: bool = "on";
    }
}

impl Check for Headers {}
