//! Children: watching them by pidfd, signalling and reaping them, and what a child does first.
//!
//! A pidfd names one process for ever, so a signal can never hit a stranger that got the same pid.
//! Nothing here starts a process: `std::process::Command` does that.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use rustix::process::PidfdFlags;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this status.
    Status(i32),
    /// This signal ended it.
    Signal(i32),
}

/// A descriptor that names one process; readable when the process has ended.
#[derive(Debug)]
pub struct Pidfd {
    fd: OwnedFd,
    pid: u32,
}

impl Pidfd {
    /// Names a child that was not reaped yet (any other pid may be reused before it is named).
    pub fn open(pid: u32) -> io::Result<Pidfd> {
        let raw = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        let fd = rustix::process::pidfd_open(
            raw.ok_or(io::ErrorKind::InvalidInput)?,
            PidfdFlags::empty(),
        )?;
        Ok(Pidfd { fd, pid })
    }

    /// The process's pid.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The descriptor, for polling.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Signals the process; an error when it has been reaped.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let signal = rustix::process::Signal::from_named_raw(signal as i32)
            .ok_or(io::ErrorKind::InvalidInput)?;
        Ok(rustix::process::pidfd_send_signal(&self.fd, signal)?)
    }

    /// Waits until the child has ended, and reaps it.
    pub fn wait(&self) -> io::Result<Ended> {
        loop {
            match waitid(Id::PIDFd(self.fd.as_fd()), WaitPidFlag::WEXITED) {
                Ok(status) => return ended(status).map(|(_, end)| end).ok_or(NOT_ENDED.into()),
                Err(nix::errno::Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Reaps the child if it has ended. Only a parent (or the subreaper that adopted it) can.
    pub fn reap(&self) -> io::Result<Option<Ended>> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
        Ok(ended(waitid(Id::PIDFd(self.fd.as_fd()), flags)?).map(|(_, end)| end))
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Reaps adopted children that nobody watches, as PID 1 and a subreaper must.
///
/// A child for which `ours` says yes is left to its [`Pidfd`]. The kernel shows only the first dead
/// child without reaping it, so the search ends at one of ours: reap those first, then call this.
pub fn reap_strangers(ours: impl Fn(u32) -> bool) -> Vec<(u32, Ended)> {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    let mut reaped = Vec::new();
    while let Ok(status) = waitid(Id::All, look | WaitPidFlag::WNOWAIT) {
        let Some((pid, _)) = ended(status) else { break };
        if ours(pid.as_raw().unsigned_abs()) {
            break;
        }
        let Ok(status) = waitid(Id::Pid(pid), look) else { break };
        reaped.extend(ended(status).map(|(pid, end)| (pid.as_raw().unsigned_abs(), end)));
    }
    reaped
}

/// Reaps any dead child of this process: for an app master, all of whose children are its own or
/// its app's.
pub fn reap_any() -> Option<(u32, Ended)> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    let status = waitid(Id::All, flags).ok()?;
    ended(status).map(|(pid, end)| (pid.as_raw().unsigned_abs(), end))
}

fn ended(status: WaitStatus) -> Option<(Pid, Ended)> {
    match status {
        WaitStatus::Exited(pid, code) => Some((pid, Ended::Status(code))),
        WaitStatus::Signaled(pid, signal, _) => Some((pid, Ended::Signal(signal as i32))),
        _ => None,
    }
}

/// Signals every process of a group; `Ok` when there is none left.
pub fn kill_group(pgid: u32, signal: Signal) -> io::Result<()> {
    let group = i32::try_from(pgid).map_err(|_| io::ErrorKind::InvalidInput)?;
    // Group 0 is the caller's own and 1 is everybody's: never what a caller means.
    if group <= 1 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    match nix::sys::signal::killpg(Pid::from_raw(group), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Whether a child of this process, adopted or its own, is in a group. While there is one, the
/// group's number can mean no other group.
pub fn has_child_in(pgid: u32) -> bool {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    i32::try_from(pgid)
        .is_ok_and(|group| group > 1 && waitid(Id::PGid(Pid::from_raw(group)), look).is_ok())
}

/// The process group of a process.
pub fn group_of(pid: u32) -> io::Result<u32> {
    let pid = i32::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(nix::unistd::getpgid(Some(Pid::from_raw(pid)))?.as_raw().unsigned_abs())
}

/// Signals a child by pid. Sound only for a child that the caller has not reaped.
pub fn kill_child(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    if pid <= 1 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(nix::sys::signal::kill(Pid::from_raw(pid), signal)?)
}

/// Signals the calling process itself. SIGKILL does not return.
pub fn kill_self(signal: Signal) {
    // A process may always signal itself; there is nobody to tell if it could not.
    let _ = nix::sys::signal::kill(Pid::this(), signal);
}

/// Orphaned grandchildren become children of this process.
pub fn set_subreaper() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Makes this process the leader of a session, and so of a process group, of its own.
pub fn new_session() -> io::Result<()> {
    match nix::unistd::setsid() {
        // Already a group leader: it leads its group all the same.
        Ok(_) | Err(nix::errno::Errno::EPERM) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Asks for SIGKILL when the parent's starting thread ends; an error when the parent is gone
/// already.
///
/// A change of uid clears the wish, so it is asked for after the drop of privileges. It survives an
/// exec.
pub fn die_with_parent(expected: u32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    if parent() == expected { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
}

/// The parent's pid; 0 when it lives outside this pid namespace.
pub fn parent() -> u32 {
    nix::unistd::getppid().as_raw().unsigned_abs()
}

/// Ignores SIGPIPE in this process: a write to a peer that is gone is an error, not the end.
pub fn ignore_sigpipe() -> io::Result<()> {
    crate::thread::ignore(Signal::SIGPIPE)
}

/// Unblocks all signals and gives each its default action, except that SIGPIPE stays ignored if
/// `ignore_pipe`.
///
/// A blocked or ignored signal survives an exec, and a child that inherited one would be deaf to
/// it.
pub fn reset_signals(ignore_pipe: bool) -> io::Result<()> {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, sigaction};
    for signal in Signal::iterator() {
        let handler = match signal {
            Signal::SIGKILL | Signal::SIGSTOP => continue,
            Signal::SIGPIPE if ignore_pipe => SigHandler::SigIgn,
            _ => SigHandler::SigDfl,
        };
        let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
        // SAFETY: the action is the default or to ignore, so no code of ours runs in a handler.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(SigSet::empty().thread_set_mask()?)
}

/// Ends the process now: no destructor, no exit handler of an interpreter, nothing is waited for.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit takes a number and does not return.
    unsafe { libc::_exit(status) }
}

const NOT_ENDED: io::ErrorKind = io::ErrorKind::InvalidData;

#[cfg(test)]
#[expect(clippy::zombie_processes, reason = "the pidfd reaps them")]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_pidfd_is_readable_when_its_child_has_ended_and_reaps_it() {
        let child = Command::new("sh").args(["-c", "exit 7"]).spawn().unwrap();
        let pidfd = Pidfd::open(child.id()).unwrap();
        assert!(crate::poll::readable(pidfd.fd(), Some(Duration::from_secs(10))).unwrap());
        assert_eq!(pidfd.reap().unwrap(), Some(Ended::Status(7)));
        assert!(pidfd.signal(Signal::SIGTERM).is_err());
    }

    #[test]
    fn a_living_child_is_not_reaped_and_a_signal_reaches_it() {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        let pidfd = Pidfd::open(child.id()).unwrap();
        assert_eq!(pidfd.reap().unwrap(), None);
        pidfd.signal(Signal::SIGTERM).unwrap();
        assert!(crate::poll::readable(pidfd.fd(), Some(Duration::from_secs(10))).unwrap());
        assert_eq!(pidfd.reap().unwrap(), Some(Ended::Signal(15)));
    }

    #[test]
    fn nobody_signals_group_zero_or_one_by_mistake() {
        for group in [0, 1] {
            assert!(kill_group(group, Signal::SIGTERM).is_err());
        }
    }

    const ROLE: &str = "SYS_TEST_CHILD";

    /// Starts this test binary again as one of the children below.
    fn role(name: &str, shell: &str) -> Command {
        let exe = std::env::current_exe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", shell]).env(ROLE, name).env("EXE", exe);
        command
    }

    /// Runs only as a child of the tests below.
    #[test]
    fn plays_its_role() {
        match std::env::var(ROLE).as_deref() {
            Ok("mortal") => {
                die_with_parent(parent()).unwrap();
                println!("\nmortal {}", std::process::id());
                std::thread::sleep(Duration::from_secs(600));
            }
            Ok("guardian") => {
                set_subreaper().unwrap();
                let own = Command::new("sh").args(["-c", "exit 5"]).spawn().unwrap();
                let own = Pidfd::open(own.id()).unwrap();
                let mut maker =
                    Command::new("sh").args(["-c", "(exit 3) & exit 0"]).spawn().unwrap();
                maker.wait().unwrap();
                let mut reaped = Vec::new();
                let mut ours = None;
                while reaped.is_empty() || ours.is_none() {
                    if ours.is_none() {
                        ours = own.reap().unwrap();
                    }
                    reaped.extend(reap_strangers(|pid| pid == own.pid()));
                    std::thread::sleep(Duration::from_millis(1));
                }
                println!("\nguardian {:?} {:?}", reaped[0].1, ours.unwrap());
            }
            _ => {}
        }
    }

    #[test]
    fn a_child_dies_with_its_parent() {
        use std::io::{BufRead, BufReader};
        let shell = "$EXE plays_its_role --nocapture; true";
        let mut parent =
            role("mortal", shell).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
        let line = lines.map_while(Result::ok).find(|line| line.starts_with("mortal ")).unwrap();
        let mortal = Pidfd::open(line["mortal ".len()..].parse().unwrap()).unwrap();
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert!(crate::poll::readable(mortal.fd(), Some(Duration::from_secs(10))).unwrap());
    }

    #[test]
    fn adopted_children_are_reaped_and_those_with_a_pidfd_are_left_to_it() {
        let output = role("guardian", "exec $EXE plays_its_role --nocapture").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("guardian Status(3) Status(5)"), "{said}");
    }
}
