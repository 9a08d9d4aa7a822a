//! What tests share: servers that run, clients that ask, waiting for facts.

pub mod backend;
pub mod client;
pub mod daemon;
pub mod process;
pub mod theirs;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use client::{Connection, Response};
pub use daemon::{Daemon, Setup, liege};

/// Waits until `fact` has an answer. The limit is for machines that are busy; a fact that is there
/// costs no time.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut fact: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = fact() {
            return answer;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until `claim` is true.
#[track_caller]
pub fn until(what: &str, mut claim: impl FnMut() -> bool) {
    within(PATIENCE, what, || claim().then_some(()));
}

/// The project's folder.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether the tests run against nginx.
pub fn theirs() -> bool {
    std::env::var_os("LIEGE_UNDER_TEST").is_some_and(|word| word == "theirs")
}

/// The virtual environment that holds Flask; None, said aloud, where there is none.
pub fn venv() -> Option<PathBuf> {
    let given = std::env::var_os("LIEGE_TEST_VENV").map(PathBuf::from);
    let venv = given.unwrap_or_else(|| project().join("target/venv"));
    if venv.join("bin/python").exists() {
        return Some(venv);
    }
    eprintln!("passed over: {} is missing (tests/needs.sh makes it)", venv.display());
    None
}

/// How long a fact may take to become true on a machine with other things to do.
pub const PATIENCE: Duration = Duration::from_secs(30);
