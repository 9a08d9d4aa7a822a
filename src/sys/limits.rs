//! Limits that a process sets for itself.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, setrlimit};

/// Sets how many files may be open; raises the hard limit too where that is allowed.
pub fn open_files(count: u64) -> io::Result<()> {
    let old = getrlimit(Resource::Nofile);
    // Lowering the hard limit cannot be undone, so it is only ever raised.
    let maximum = old.maximum.map(|maximum| maximum.max(count));
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum })?)
}

/// How many files may be open now.
pub fn open_files_now() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Lets this process open as many files as it is allowed to; answers how many it could before.
pub fn most_open_files() -> io::Result<u64> {
    let old = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: old.maximum, maximum: old.maximum })?;
    Ok(old.current.unwrap_or(u64::MAX))
}

/// No core file is ever written: memory that holds keys stays in memory.
pub fn no_core() -> io::Result<()> {
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}

/// Nobody but root may trace this process or read its memory.
pub fn not_dumpable() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Sets the mask of permission bits that new files do not get; answers the old one.
pub fn umask(mask: u32) -> u32 {
    let old = rustix::process::umask(rustix::fs::Mode::from_bits_truncate(mask));
    old.bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_open_files_follows_what_was_asked() {
        let now = open_files_now();
        open_files(now - 1).unwrap();
        assert_eq!(open_files_now(), now - 1);
        open_files(now).unwrap();
    }
}
