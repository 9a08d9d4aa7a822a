//! What a reader hands back: the configuration as the master needs it, the web workers' part of it,
//! and what was said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use config::Deployment;
use serde::{Deserialize, Serialize};

/// One reading of the configuration, good or bad.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reading {
    /// What to do; absent when there were errors.
    pub deployment: Option<Deployment>,
    /// The web workers' part of the word tree, as they get it.
    pub web: Vec<u8>,
    /// Errors and warnings in the order of the file.
    pub said: Vec<Said>,
    /// Every file that was read, with the hash of its content.
    pub files: BTreeMap<PathBuf, u64>,
    /// Every pattern that was expanded.
    pub globs: BTreeSet<PathBuf>,
}

/// One diagnostic, ready to print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Whether it refuses the configuration.
    pub error: bool,
    /// nginx's one line, without level.
    pub line: String,
    /// The whole text: nginx's line with `liege: [emerg]`, the source line with a caret, the hint.
    pub text: String,
}

impl Said {
    /// The text for a log, whose lines have their own beginning.
    pub fn text_without_prefix(&self) -> &str {
        self.text.split_once("] ").map_or(self.text.as_str(), |(_, text)| text)
    }
}

impl Reading {
    /// Prints what was said to standard error.
    pub fn print(&self) {
        for said in &self.said {
            eprint!("{}", said.text);
            if !said.text.ends_with('\n') {
                eprintln!();
            }
        }
    }
}
