//! The file system as `config` sees it: the reader's and the check's only way to the outside.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// A configuration file larger than this is refused: it is somebody's log, not a configuration.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Reads files, expands patterns, resolves names.
pub struct Disk;

impl config::Source for Disk {
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let meta = std::fs::metadata(path)?;
        if meta.is_dir() {
            return Err(io::Error::from_raw_os_error(21)); // EISDIR
        }
        if meta.len() > LARGEST {
            return Err(io::Error::other("the file is larger than 64 MiB"));
        }
        std::fs::read(path)
    }

    fn glob(&mut self, pattern: &Path) -> Vec<PathBuf> {
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let found = pattern.to_str().and_then(|text| glob::glob_with(text, options).ok());
        let mut paths: Vec<PathBuf> = found.into_iter().flatten().filter_map(Result::ok).collect();
        paths.sort();
        paths
    }

    fn resolve(&mut self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }

    fn hostname(&mut self) -> String {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        name.trim().to_owned()
    }
}
