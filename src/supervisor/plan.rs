//! The plan: which slots should exist, and with what policy. It is the configuration as far as
//! supervision needs it.

use std::time::Duration;

use crate::slot::Name;

/// What one reading of the configuration wants to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The web workers.
    pub web: WebPlan,
    /// The apps, in the order of the file. A name comes once; a second of the same name is not
    /// looked at.
    pub apps: Vec<AppPlan>,
}

/// What the web workers should be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebPlan {
    /// `worker_processes`.
    pub workers: u32,
    /// A fingerprint of everything that a web worker's behaviour depends on.
    pub print: u64,
    /// The apps that requests are passed to.
    pub names: Vec<Name>,
    /// `worker_shutdown_timeout`: without one a stop waits 30 s and a reload does not hurry anyone.
    pub drain: Option<Duration>,
}

/// What one app should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppPlan {
    /// Its name.
    pub name: Name,
    /// What processes it has.
    pub kind: Kind,
    /// A fingerprint of everything that the app's processes depend on, `workers` and the policy
    /// included.
    pub print: u64,
    /// How a new generation takes over.
    pub reload: Reload,
    /// How long it may take from the start of its master (or program) until requests can be
    /// answered.
    pub start_timeout: Duration,
    /// How long requests in flight may take when their process is told to stop.
    pub mercy: Duration,
}

/// The processes of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An app master that forks workers.
    Forks {
        /// How many.
        workers: u32,
    },
    /// A program of its own.
    Program,
}

/// How a new generation takes over from the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The new one proves itself beside the old one.
    Overlap,
    /// The old one stops first, and comes back if the new one fails.
    Replace,
}

impl AppPlan {
    /// How many workers it has: none for a program, one at least otherwise.
    pub(crate) fn workers(&self) -> u32 {
        match self.kind {
            Kind::Forks { workers } => workers.max(1),
            Kind::Program => 0,
        }
    }
}
