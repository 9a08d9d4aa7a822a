//! The lock that makes one instance the owner of a run directory.
//!
//! A fcntl record lock ends with its process whatever kills it, and F_GETLK names the holder. It
//! belongs to the process, not to the descriptor: children do not inherit it, and closing any
//! descriptor of the file in this process gives it up, so the file must not be opened elsewhere. It
//! survives an exec in place if the descriptor does.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// A lock that is held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or tells the pid of who holds it.
    pub fn take(path: &Path) -> io::Result<Result<Lock, u32>> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)?;
        // The holder may go away between the two questions: then the lock is free at the next try.
        for _ in 0..3 {
            match fcntl(&file, FcntlArg::F_SETLK(&whole())) {
                Ok(_) => {
                    file.set_len(0)?;
                    writeln!(file, "{}", std::process::id())?;
                    return Ok(Ok(Lock { _file: file }));
                }
                Err(Errno::EACCES | Errno::EAGAIN) => {}
                Err(e) => return Err(e.into()),
            }
            let mut other = whole();
            fcntl(&file, FcntlArg::F_GETLK(&mut other))?;
            if other.l_type != libc::F_UNLCK as libc::c_short {
                return Ok(Err(other.l_pid.unsigned_abs()));
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }
}

fn whole() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::{Command, Stdio};

    use super::*;

    const PATH: &str = "SYS_TEST_LOCK";

    /// Runs only as a child of the next test: takes the lock and says so, or says who holds it.
    #[test]
    fn takes_the_lock_of_its_parent() {
        let Some(path) = env::var_os(PATH) else { return };
        match Lock::take(Path::new(&path)).unwrap() {
            Ok(_) => println!("taken"),
            Err(pid) => println!("held by {pid}."),
        }
    }

    #[test]
    fn a_second_process_learns_who_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let ask = || {
            let mut command = Command::new(env::current_exe().unwrap());
            command.args(["takes_the_lock_of_its_parent", "--nocapture"]).env(PATH, &path);
            let output = command.stderr(Stdio::null()).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let lock = Lock::take(&path).unwrap().unwrap();
        let held = format!("held by {}.", std::process::id());
        assert!(ask().contains(&held));
        drop(lock);
        assert!(ask().contains("taken"));
    }
}
