//! The master: kernel facts become events, the supervisor's actions become system calls.
//!
//! It owns every listening socket, every log file and every child, and decides nothing:
//! `supervisor` says what to start, stop and kill, `config` says what a file means (in a child, the
//! reader). It never forks (children are spawned from /proc/self/exe), never speaks HTTP and never
//! runs an app's code. Start reading at [`serve`] and `master::Master::turn`.

mod app;
mod app_log;
pub mod check;
pub mod child;
mod children;
mod console;
mod daemon;
mod environment;
mod failed;
mod files;
mod fingerprint;
mod hear;
mod identity;
mod listeners;
mod log;
mod logs;
mod master;
mod obey;
mod post;
mod reader;
mod reading;
mod reload;
mod run_dir;
pub mod signal;
mod signals;
mod source;
mod start;
mod tell;
mod timers;
mod watch;

pub use failed::Failed;
pub use run_dir::private;
pub use start::{FILE, PREFIX, Start, serve};
