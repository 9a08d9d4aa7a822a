//! Access logs whose path has variables: this process opens them itself, with its own rights, and
//! keeps the last few open for a moment, so that a busy one costs no open for each line.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use lru::LruCache;

/// The files that were written last.
#[derive(Debug)]
pub struct Named(RefCell<LruCache<Vec<u8>, Open>>);

#[derive(Debug)]
struct Open {
    file: File,
    since: Instant,
}

impl Default for Named {
    fn default() -> Self {
        Named(RefCell::new(LruCache::new(MOST)))
    }
}

impl Named {
    /// Writes a line to the end of a file, which is made when there is none.
    pub fn write(&self, path: &[u8], line: &[u8]) -> io::Result<()> {
        let mut open = self.0.borrow_mut();
        if open.peek(path).is_some_and(|open| open.since.elapsed() > FRESH) {
            open.pop(path);
        }
        let written = open.try_get_or_insert_mut_ref(path, || Open::at(path))?.file.write_all(line);
        if written.is_err() {
            open.pop(path);
        }
        written
    }

    /// Closes all files: they were rotated.
    pub fn close(&self) {
        self.0.borrow_mut().clear();
    }
}

impl Open {
    fn at(path: &[u8]) -> io::Result<Open> {
        let file = sys::file::open_append(crate::content::path::of(path), 0o644)?;
        Ok(Open { file: file.into(), since: Instant::now() })
    }
}

/// How long a path is taken to lead to the same file: one that somebody moved away gets lines no
/// longer than that.
const FRESH: Duration = Duration::from_secs(1);
/// How many files are kept open: whoever chooses the values of variables chooses their number.
const MOST: NonZeroUsize = NonZeroUsize::new(64).unwrap();

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_file_that_was_rotated_gets_no_more_lines() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("old"));
        let named = Named::default();
        let say = |text: &str| named.write(path.as_os_str().as_bytes(), text.as_bytes()).unwrap();
        say("one\n");
        std::fs::rename(&path, &old).unwrap();
        say("two\n");
        named.close();
        say("three\n");
        assert_eq!(std::fs::read(&old).unwrap(), b"one\ntwo\n");
        assert_eq!(std::fs::read(&path).unwrap(), b"three\n");
    }

    #[test]
    fn only_so_many_files_are_open() {
        let dir = tempfile::tempdir().unwrap();
        let named = Named::default();
        for number in 0..MOST.get() * 2 {
            let path = dir.path().join(number.to_string());
            named.write(path.as_os_str().as_bytes(), b"line\n").unwrap();
            named.write(path.as_os_str().as_bytes(), b"line\n").unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"line\nline\n");
        }
        assert_eq!(named.0.borrow().len(), MOST.get());
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_is_not_kept() {
        let named = Named::default();
        assert!(named.write(b"/nowhere/at/all", b"line\n").is_err());
        let full = named.write(b"/dev/full", b"line\n").unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert!(named.0.borrow().is_empty());
    }
}
