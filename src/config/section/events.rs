//! `events { }`: connections as such.

use crate::directive::Check;
use crate::value::{Bounded, EventMethod};

use std::time::Duration;

directives! {
    /// EVENTS
    pub struct Events in [Events] {
        /// The most connections of one web worker, those to apps included.
        worker_connections: Bounded<1, 1073741816> = "512";

        /// How the kernel is asked for events: always epoll.
        r#use: EventMethod = "epoll";

        /// Accepted for nginx's sake and without effect: a worker takes connections as they come.
        multi_accept: bool = "off";

        /// Accepted for nginx's sake and without effect: the kernel wakes one worker for one
        /// connection.
        accept_mutex: bool = "off";

        /// Accepted for nginx's sake and without effect.
        accept_mutex_delay: Duration = "500ms";
    }
}

impl Check for Events {}
