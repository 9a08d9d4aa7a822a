//! Bytes to values and back, without I/O: what clients, apps and our own processes say to each
//! other.
//!
//! Nothing here touches a socket, a file or the clock. Whoever reads bytes from the kernel hands
//! them in and gets a value or an error; whoever has a value gets bytes. Read `http1` for what
//! clients send, `uwsgi` for what apps are sent, `message` for what the processes of one liege tell
//! each other.

pub mod conditional;
pub mod date;
pub mod http1;
pub mod message;
pub mod path;
pub mod range;
pub mod uwsgi;
