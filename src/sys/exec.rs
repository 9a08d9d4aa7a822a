//! Becoming another program: an app's own Python with our extension in it, or any program with its
//! listening socket.
//!
//! The caller has already become the app's user and entered its directory. What the new program
//! gets is exact: 0 is /dev/null, 1 and 2 are the app's log, and the descriptors named here; every
//! other one is closed by the exec. After a failed exec the caller says what happened, by a copy of
//! its channel, and exits.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use rustix::io::{FdFlags, fcntl_setfd};

use crate::socket::null;

/// What an app's Python is given.
#[derive(Debug)]
pub struct Files {
    /// The control channel.
    pub channel: OwnedFd,
    /// The order, in a sealed memfd.
    pub order: OwnedFd,
    /// The app's listening socket.
    pub listener: OwnedFd,
    /// Where the app's output goes.
    pub log: OwnedFd,
    /// The extension, in a sealed memfd that may be executed or in a file.
    pub extension: OwnedFd,
}

/// Executes Python, which loads the extension and calls its `main`. Returns only if that cannot be
/// done.
pub fn python(python: &Path, env: &[(String, String)], files: Files) -> io::Error {
    let failed = try_python(python, env, &files);
    drop(files);
    explain(python, failed)
}

fn try_python(python: &Path, env: &[(String, String)], files: &Files) -> io::Error {
    let kept = [&files.channel, &files.order, &files.listener, &files.extension];
    if kept.iter().any(|fd| fd.as_raw_fd() <= 2) {
        return io::Error::new(io::ErrorKind::InvalidInput, "a descriptor is among 0 to 2");
    }
    let binary = fs::read_link("/proc/self/exe").unwrap_or_else(|_| PathBuf::from("liege"));
    let mut command = Command::new(python);
    // The script is long enough for any title to be written over it.
    command.args(["-c", BOOTSTRAP]).arg(binary);
    command.args(kept.map(|fd| fd.as_raw_fd().to_string()));
    replace(command, env, files.log.as_fd(), &kept.map(|fd| fd.as_fd()))
}

/// Says of an interpreter that is a link to nothing what that means: its virtual environment
/// outlived its Python.
fn explain(python: &Path, failed: io::Error) -> io::Error {
    let broken = failed.kind() == io::ErrorKind::NotFound;
    let Some(target) = broken.then(|| fs::read_link(python).ok()).flatten() else { return failed };
    let (python, target) = (python.display(), target.display());
    let text = format!(
        "{python} is a link to {target}, which is not installed; make the virtual environment anew"
    );
    io::Error::new(io::ErrorKind::NotFound, text)
}

/// Executes a program with its listening socket as descriptor 3 (sd_listen_fds(3)). Returns only if
/// that cannot be done.
///
/// What 3 was before is lost: a channel that the caller wants to keep must be above it, where
/// [`crate::channel::Channel::from_stdin`] puts it.
pub fn program(
    words: &[String],
    env: &[(String, String)],
    socket: OwnedFd,
    log: OwnedFd,
) -> io::Error {
    try_program(words, env, &socket, &log).unwrap_or_else(|e| e)
}

fn try_program(
    words: &[String],
    env: &[(String, String)],
    socket: &OwnedFd,
    log: &OwnedFd,
) -> io::Result<io::Error> {
    let (first, rest) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(first);
    command.args(rest);
    let mut env = env.to_vec();
    env.retain(|(name, _)| !name.starts_with("LISTEN_"));
    env.push(("LISTEN_FDS".into(), "1".into()));
    env.push(("LISTEN_PID".into(), std::process::id().to_string()));
    // Either may be 3 itself, so both are moved up before anything is moved down.
    let log = rustix::io::fcntl_dupfd_cloexec(log, ABOVE)?;
    let socket = rustix::io::fcntl_dupfd_cloexec(socket, ABOVE)?;
    put_at_three(socket.as_fd())?;
    // SAFETY: the line above put it there, and it stays until the exec or the caller's exit.
    let three = unsafe { BorrowedFd::borrow_raw(PASSED) };
    Ok(replace(command, &env, log.as_fd(), &[three]))
}

/// Owns a descriptor that an exec passed on by its number. Each number is given out once; it is
/// closed on exec from now on.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    static TAKEN: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if number <= 2 || taken.contains(&number) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the call only sets a flag, and fails where nothing is open.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    taken.push(number);
    // SAFETY: it is open, and whoever executed this program passed it for the caller alone; nobody
    // got it here before.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn put_at_three(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: dup2 takes two numbers; what 3 was is closed, as this module's text says.
    let done = unsafe { libc::dup2(fd.as_raw_fd(), PASSED) };
    if done == PASSED { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn replace(
    mut command: Command,
    env: &[(String, String)],
    log: BorrowedFd<'_>,
    kept: &[BorrowedFd<'_>],
) -> io::Error {
    let usable = |name: &str| !name.is_empty() && !name.contains(['=', '\0']);
    command.env_clear();
    for (name, value) in env.iter().filter(|(name, value)| usable(name) && !value.contains('\0')) {
        command.env(name, value);
    }
    match arrange(log, kept) {
        Ok(()) => command.exec(),
        Err(e) => e,
    }
}

fn arrange(log: BorrowedFd<'_>, kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    // Moved up first: the log may be 1 or 2 itself.
    let log = rustix::io::fcntl_dupfd_cloexec(log, ABOVE)?;
    null_stdin()?;
    rustix::stdio::dup2_stdout(&log)?;
    rustix::stdio::dup2_stderr(&log)?;
    close_others_on_exec()?;
    for fd in kept {
        fcntl_setfd(fd, FdFlags::empty())?;
    }
    Ok(())
}

/// Puts /dev/null at 0.
pub(crate) fn null_stdin() -> io::Result<()> {
    Ok(rustix::stdio::dup2_stdin(null()?)?)
}

/// Puts /dev/null at 0, 1 and 2 where nothing is, so that no file that is opened later gets their
/// numbers.
pub fn open_standard() -> io::Result<()> {
    loop {
        let null = null()?;
        if null.as_raw_fd() > 2 {
            return Ok(());
        }
        // It fills the hole and stays.
        std::mem::forget(null);
    }
}

/// Whatever the parent left open (a shell, a service manager), an exec closes it: no app inherits
/// it.
pub fn close_others_on_exec() -> io::Result<()> {
    let flag = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: the call only sets a flag on descriptors.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, flag) };
    if done == 0 {
        return Ok(());
    }
    // Kernels 5.9 and 5.10 have the call without the flag.
    for entry in fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let number: Option<RawFd> = name.to_str().and_then(|name| name.parse().ok());
        if let Some(number) = number.filter(|number| *number > 2) {
            // SAFETY: the call only sets a flag on a descriptor.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}

/// Finds a program as execvp(3) would, in the given PATH; one with a slash is itself.
pub fn find(program: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if Path::new(program).components().count() > 1 || Path::new(program).is_absolute() {
        return Some(PathBuf::from(program));
    }
    std::env::split_paths(path).map(|dir| dir.join(program)).find(|candidate| {
        let runs = crate::file::access(candidate, crate::file::Want::Execute).is_ok();
        runs && crate::file::statx(candidate).is_ok_and(|meta| meta.is_file())
    })
}

/// The first thing that runs in the app's interpreter.
const BOOTSTRAP: &str = include_str!("bootstrap.py");

/// Where a service manager's descriptors begin.
const PASSED: RawFd = 3;

/// Above everything that is moved to a fixed number.
const ABOVE: RawFd = 10;

#[cfg(test)]
#[path = "exec_tests.rs"]
mod tests;
