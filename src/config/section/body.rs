//! The bodies of requests.

use std::time::Duration;

use crate::directive::Check;
use crate::value::{Offset, Size, TempPath};

directives! {
    /// REQUEST BODIES
    pub struct Body in [Http, Server, Location] {
        /// The longest body; longer ones get 413. 0 is no limit.
        client_max_body_size: Offset = "1m";

        /// How much of a body is kept in memory; the rest goes to a temporary file.
        client_body_buffer_size: Size = "8k";

        /// The directory of temporary files for bodies. The files have no names, so the levels are
        /// without effect.
        client_body_temp_path: TempPath = "client_body_temp";

        /// How long a client may pause while it sends a body.
        client_body_timeout: Duration = "60s";
    }
}

impl Check for Body {}
