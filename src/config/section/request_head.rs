//! The head of requests: its limits and how strictly it is read. Known before a location is.

use std::time::Duration;

use crate::directive::Check;
use crate::value::{Bounded, Buffers, Size};

directives! {
    /// REQUEST HEADS
    pub struct RequestHead in [Http, Server] {
        /// How long a client may take to send the head of a request.
        client_header_timeout: Duration = "60s";

        /// The buffer that the head of a request is read into at first.
        client_header_buffer_size: Size = "1k";

        /// The buffers for larger heads. A line must fit into one: a longer request line gets 414,
        /// a longer field 400.
        large_client_header_buffers: Buffers = "4 8k";

        /// The most fields of a request; more get 400.
        max_headers: Bounded<1, 65535> = "1000";

        /// Whether fields with strange names are left out; else they are kept.
        ignore_invalid_headers: bool = "on";

        /// Whether an underscore may be in a field's name.
        underscores_in_headers: bool = "off";

        /// Whether several slashes in a row count as one.
        merge_slashes: bool = "on";

        /// Accepted for nginx's sake and without effect: memory is not taken from pools.
        request_pool_size: Size = "4k";

        /// Accepted for nginx's sake and without effect: memory is not taken from pools.
        connection_pool_size: Size = "512";
    }
}

impl Check for RequestHead {}
