//! Threads that wait in a system call, and the way to call them out of it.
//!
//! A worker's threads wait in accept4(2) on a shared socket. To have one look up from it, another
//! thread sends it a signal whose handler does nothing and whose calls are not restarted: accept4
//! then answers EINTR. A signal that comes before the thread is inside the call is lost, so whoever
//! interrupts must do so again until the thread has answered.

use std::io;

use nix::sys::signal::Signal;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet};

/// A thread of this process, for as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id {
    process: libc::pid_t,
    thread: libc::pid_t,
}

impl Id {
    /// The calling thread.
    pub fn current() -> Id {
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        Id { process: rustix::process::getpid().as_raw_nonzero().get(), thread }
    }

    /// Interrupts the system call that the thread waits in. [`allow_interrupts`] must have been
    /// called in this process.
    pub fn interrupt(self) -> io::Result<()> {
        // SAFETY: tgkill takes three numbers and touches no memory; naming the process guards
        // against a reused thread id of another one.
        let done =
            unsafe { libc::syscall(libc::SYS_tgkill, self.process, self.thread, interrupter()) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// Installs the handler that does nothing, for this process and those that it forks.
pub fn allow_interrupts() -> io::Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: an all-zero sigaction is a valid one.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the set lives in the struct above.
    unsafe { libc::sigemptyset(&raw mut action.sa_mask) };
    // Without SA_RESTART: the point is that the call ends.
    action.sa_flags = 0;
    // SAFETY: the handler does nothing, so it is safe at any moment; the struct is complete.
    let done = unsafe { libc::sigaction(interrupter(), &raw const action, std::ptr::null_mut()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Blocks all signals in the calling thread but those that mean a fault of its own: a thread of
/// ours inside somebody else's interpreter must never be the one that runs its handlers.
pub fn block_signals() -> io::Result<()> {
    let mut set = SigSet::all();
    for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGABRT]
    {
        set.remove(fault);
    }
    Ok(set.thread_block()?)
}

/// Ignores a signal in this process.
pub fn ignore(signal: Signal) -> io::Result<()> {
    let action = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: to ignore a signal runs no handler.
    unsafe { nix::sys::signal::sigaction(signal, &action) }?;
    Ok(())
}

/// Sends a signal to the process as a whole, for a handler that somebody else installed.
pub fn raise(signal: i32) -> io::Result<()> {
    // SAFETY: kill takes two numbers and touches no memory.
    let done = unsafe { libc::kill(libc::getpid(), signal) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A signal that nobody uses, for somebody else's handler that writes tracebacks.
pub fn dumper() -> i32 {
    libc::SIGRTMAX() - 4
}

/// A real-time signal near the top, where neither libc (the bottom) nor applications by habit
/// (SIGRTMIN + small) are.
fn interrupter() -> libc::c_int {
    libc::SIGRTMAX() - 3
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::socket::{self, Address, ListenOptions};

    #[test]
    fn a_thread_in_accept_is_called_out_of_it() {
        allow_interrupts().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let address = Address::Unix(dir.path().join("s"));
        let listener = socket::listen(&address, &ListenOptions::default()).unwrap();
        let (tell, told) = mpsc::channel();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                tell.send(Id::current()).unwrap();
                let end = socket::accept(listener.as_fd());
                done.store(true, Ordering::Release);
                end.unwrap_err().kind()
            });
            let id = told.recv().unwrap();
            while !done.load(Ordering::Acquire) {
                let _ = id.interrupt();
                std::thread::sleep(Duration::from_micros(200));
            }
            assert_eq!(waiting.join().unwrap(), std::io::ErrorKind::Interrupted);
        });
    }
}
