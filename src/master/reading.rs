//! What a reader hands back: the configuration as the master needs it, the web workers' part of it,
//! and what was said.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::PathBuf;

use config::{Deployment, Diagnostic};
use serde::{Deserialize, Serialize};

/// One reading of the configuration, good or bad.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reading {
    /// What to do; absent when there were errors.
    pub deployment: Option<Deployment>,
    /// The web workers' part of the word tree, as they get it.
    pub web: Vec<u8>,
    /// Errors and warnings in the order of the file.
    pub said: Vec<Diagnostic>,
    /// Every file that was read, with the hash of its content.
    pub files: BTreeMap<PathBuf, u64>,
    /// Every pattern that was expanded.
    pub globs: BTreeSet<PathBuf>,
}

impl Reading {
    /// Prints what was said to standard error.
    pub fn print(&self) {
        let colour = std::io::stderr().is_terminal();
        for said in &self.said {
            eprint!("{}", said.render(colour));
        }
    }
}
