//! The web worker: it speaks HTTP to clients, serves files, passes requests to apps. The only crate
//! with tokio.
//!
//! One process, one thread that runs everything (a current-thread runtime; shared state is `Rc` and
//! `Cell`), and the blocking pool for disk reads that would hold that thread. Read [`phase`] for
//! the life of a request, [`client`] for the life of a connection, [`run`] for the life of the
//! process. Connections know nothing of content, phases nothing of HTTP/1. No process is started
//! here, no user changed, no configuration file read.

pub mod client;
pub mod clock;
pub mod content;
pub mod control;
pub mod exchange;
pub mod exit;
pub mod listen;
pub mod log;
pub mod page;
pub mod phase;
pub mod ready;
pub mod redirect;
pub mod refusal;
pub mod reply;
mod run;
pub mod upstream;
pub mod variable;
pub mod worker;

pub use run::{run, serve};
