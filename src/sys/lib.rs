//! The kernel made safe: every system call that needs care, behind a safe function.
//!
//! This is the one crate that may write `unsafe`. It knows descriptors, processes and files; it
//! never learns what a worker or a configuration is. Every descriptor is owned
//! ([`std::os::fd::OwnedFd`]) or borrowed, and is closed on exec.
//!
//! Start with `channel` (how processes talk), `child` and `exec` (how they begin and end),
//! `identity` (who they are), `socket` and `file` (what they serve).

pub mod channel;
pub mod child;
pub mod clock;
pub mod exec;
pub mod file;
pub mod identity;
pub mod limits;
pub mod lock;
pub mod memfd;
pub mod notify;
pub mod pipe;
pub mod poll;
pub mod socket;
pub mod stream;
pub mod thread;
pub mod title;
