//! What tests of this crate share: configurations from texts, and a file system that is a list.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::{Config, Origin, Reading, Source, Typed, read, typed};

/// Files by path, and one host that has an address.
#[derive(Default)]
pub struct Files(pub BTreeMap<PathBuf, Vec<u8>>);

impl Source for Files {
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::from_raw_os_error(2))
    }

    /// Only `*`, which is all that the tests use.
    fn glob(&mut self, pattern: &Path) -> Vec<PathBuf> {
        let pattern = pattern.to_string_lossy().into_owned();
        let (before, after) = pattern.split_once('*').unwrap_or((&pattern, ""));
        let matches = |path: &&PathBuf| {
            let path = path.to_string_lossy();
            path.starts_with(before) && path.ends_with(after)
        };
        self.0.keys().filter(matches).cloned().collect()
    }

    fn resolve(&mut self, host: &str) -> io::Result<Vec<IpAddr>> {
        match host {
            "localhost" => Ok(vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]),
            _ => Err(io::Error::other("no such host")),
        }
    }

    fn hostname(&mut self) -> String {
        "Machine".into()
    }
}

/// The main file of all tests.
pub const MAIN: &str = "/etc/liege/liege.conf";

/// Reads a main file among others.
pub fn reading(main: &[u8], others: &[(&str, &str)]) -> Reading {
    let mut files = Files::default();
    files.0.insert(MAIN.into(), main.to_vec());
    for (path, text) in others {
        files.0.insert(path.into(), text.as_bytes().to_vec());
    }
    read(&mut files, &origin(MAIN))
}

/// Where the tests' configurations come from.
pub fn origin(file: &str) -> Origin {
    Origin { prefix: "/var/lib/liege".into(), file: file.into(), ..Origin::default() }
}

/// What a text means.
pub fn meaning(text: &str) -> Typed {
    typed(&reading(text.as_bytes(), &[]).tree)
}

/// The configuration in a text that has no errors.
pub fn config(text: &str) -> Config {
    let typed = meaning(text);
    let page: String = typed.diagnostics.iter().map(|told| told.render(false)).collect();
    typed.config.unwrap_or_else(|| panic!("{page}"))
}

/// The lines of all diagnostics, with their severities.
pub fn said(text: &str) -> Vec<String> {
    let line = |told: &crate::Diagnostic| format!("[{}] {}", told.severity.word(), told.line());
    meaning(text).diagnostics.iter().map(line).collect()
}
