//! How a phase ends the pass through the phases early: `Err(Exit)`, so that `?` is the pipeline.

use crate::refusal::Refusal;
use crate::reply::Reply;

/// Why the phases that follow are not run.
#[derive(Debug)]
pub enum Exit {
    /// Here is the answer.
    Reply(Box<Reply>),
    /// The request goes on elsewhere.
    Reroute(Reroute),
    /// The request cannot be answered as asked. It goes through error_page.
    Refuse(Refusal),
}

/// Where a request goes on. At most ten times for one request.
#[derive(Debug)]
pub struct Reroute {
    /// Where to.
    pub to: To,
    /// The status that the final answer gets instead of its own (error_page).
    pub status: Option<Status>,
    /// Whether the method becomes GET, unless it is HEAD (error_page, X-Accel-Redirect).
    pub as_get: bool,
}

/// The place where the phases begin again.
#[derive(Debug)]
pub enum To {
    /// An internal redirect: from the server's rewrite on. The uri is decoded and normalised.
    Uri {
        /// The new uri.
        uri: Vec<u8>,
        /// The new arguments.
        args: Vec<u8>,
    },
    /// After `rewrite … last`: locations are searched again for the uri as it is now.
    Search,
    /// A named location, without its `@`: from the location's rewrite on.
    Named(Vec<u8>),
}

/// The status of an answer that an error_page led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// This one.
    Fixed(u16),
    /// The one that the handler gives (`error_page 404 = /x`).
    Handler,
}

impl Reroute {
    /// An internal redirect that keeps method and status.
    pub fn uri(uri: Vec<u8>, args: Vec<u8>) -> Reroute {
        Reroute { to: To::Uri { uri, args }, status: None, as_get: false }
    }

    /// A named location; method and status stay.
    pub fn named(name: &[u8]) -> Reroute {
        Reroute { to: To::Named(name.to_vec()), status: None, as_get: false }
    }
}

impl From<Refusal> for Exit {
    fn from(refusal: Refusal) -> Exit {
        Exit::Refuse(refusal)
    }
}

impl From<Reply> for Exit {
    fn from(reply: Reply) -> Exit {
        Exit::Reply(Box::new(reply))
    }
}

impl From<Reroute> for Exit {
    fn from(reroute: Reroute) -> Exit {
        Exit::Reroute(reroute)
    }
}
