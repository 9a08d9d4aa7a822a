//! The tests of the whole program: each starts the real binary with a configuration of its own and
//! asks it something.
//!
//! One binary: `cargo test --test liege reload::` runs a chapter. README.md says which question is
//! answered where.

mod cli;
mod directives;
mod docs;
mod leaks;
mod limits;
mod logs;
mod mistakes;
mod reload;
mod requests;
mod signals;
mod static_files;
mod supervision;
mod support;
mod tidy;
mod uwsgi;
mod wsgi;
