//! The log files: opened here (as root), passed to the web workers by descriptor, opened anew on
//! USR1.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use config::Deployment;

use crate::Failed;

/// The open log files by path.
#[derive(Default)]
pub struct Logs {
    files: BTreeMap<PathBuf, File>,
}

impl Logs {
    /// Opens all log files of a reading: the web workers' and our own.
    ///
    /// PREFIX/logs, where the defaults lead, is made when it is missing: a new site has one file less to think of. Any other
    /// directory that is missing is somebody's slip.
    pub fn open(deployment: &Deployment, prefix: &Path) -> Result<Logs, Failed> {
        let home = prefix.join("logs");
        let own = deployment.error_log.iter().map(|(path, _)| path);
        let paths: Vec<&PathBuf> = deployment.logs.iter().chain(own).collect();
        if prefix.is_dir() && paths.iter().any(|path| path.parent() == Some(&home)) {
            std::fs::create_dir_all(&home).map_err(|e| Failed::new("make", home.display(), e))?;
        }
        let opened = paths.into_iter().map(|path| Ok((path.clone(), open(path)?)));
        Ok(Logs { files: opened.collect::<Result<_, Failed>>()? })
    }

    /// Opens every file anew. One that cannot be opened stays the old one and is told.
    pub fn reopen(&mut self) -> Vec<Failed> {
        let mut failures = Vec::new();
        for (path, file) in &mut self.files {
            match open(path) {
                Ok(new) => *file = new,
                Err(failed) => failures.push(failed),
            }
        }
        failures
    }

    /// The descriptors in the order of these paths.
    pub fn descriptors<'a>(&'a self, paths: &[PathBuf]) -> Vec<BorrowedFd<'a>> {
        paths.iter().filter_map(|path| self.files.get(path)).map(AsFd::as_fd).collect()
    }

    /// One file, for the master's own lines.
    pub fn file(&self, path: &Path) -> Option<File> {
        self.files.get(path)?.try_clone().ok()
    }
}

/// Opens one log file for appending, as whom the master is, following links as nginx does
/// (`access.log -> /dev/stdout` in containers): whoever may write the directory is trusted.
pub(crate) fn open(path: &Path) -> Result<File, Failed> {
    let failed = |e| Failed::new("open", path.display(), e);
    if path == Path::new("stderr") {
        return standard_error().ok_or_else(|| Failed::because("open", "stderr", "it is closed"));
    }
    sys::file::open_append(path, 0o644).map(File::from).map_err(failed)
}

/// Standard error without ever waiting for its reader. A pipe or a terminal is opened anew, so that
/// O_NONBLOCK does not reach other programs which share the inherited description. A file is
/// shared, because its position is: one opened anew would be written over by the shell that
/// redirected us.
pub fn standard_error() -> Option<File> {
    let shared = || std::io::stderr().as_fd().try_clone_to_owned().ok().map(File::from);
    let kind = shared()?.metadata().ok()?.file_type();
    if kind.is_fifo() || kind.is_char_device() {
        let own = sys::file::open_append(Path::new("/proc/self/fd/2"), 0o600);
        return own.ok().map(File::from).or_else(shared);
    }
    shared()
}
