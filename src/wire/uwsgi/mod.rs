//! The uwsgi protocol: what an app is sent ([`packet`]) and how it answers ([`reply`]).
//!
//! One request per connection: a head of four bytes, a block of pairs, the request body as it is;
//! back comes an HTTP or CGI style head and a body that ends with the connection. No socket is
//! touched here, no limit but the protocol's own is known.

pub mod packet;
pub mod reply;

pub use packet::{Head, LARGEST, Malformed, Packet, Pairs, TooBig, pairs};
