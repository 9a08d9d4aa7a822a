//! `-s`: tell the running master something, by the process number in its pid file, as nginx does.

use std::process::ExitCode;

use sys::child::{Pidfd, Signal as Kernel};

use crate::failed::reason;
use crate::{Start, reader};

/// What `-s` can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Fast shutdown.
    Stop,
    /// Graceful shutdown.
    Quit,
    /// New generations of everything.
    Reload,
    /// Open all log files anew.
    Reopen,
}

/// `-s`'s words, and the kernel's signals for them.
const NAMES: [(&str, Signal, Kernel); 4] = [
    ("stop", Signal::Stop, Kernel::SIGINT),
    ("quit", Signal::Quit, Kernel::SIGQUIT),
    ("reload", Signal::Reload, Kernel::SIGHUP),
    ("reopen", Signal::Reopen, Kernel::SIGUSR1),
];

impl Signal {
    /// The signal that `-s NAME` means.
    pub fn named(name: &str) -> Option<Signal> {
        NAMES.iter().find(|(word, ..)| *word == name).map(|(_, signal, _)| *signal)
    }

    fn number(self) -> Kernel {
        let found = NAMES.iter().find(|(_, signal, _)| *signal == self);
        // The table holds every variant; a test says so.
        found.map_or(Kernel::SIGHUP, |(.., number)| *number)
    }
}

/// Reads the configuration (a bad one is refused here, and nothing is signalled), finds the master,
/// signals it.
pub fn send(start: &Start, signal: Signal) -> ExitCode {
    let reading = reader::read(&start.order());
    reading.print();
    let Some(deployment) = reading.deployment else { return ExitCode::FAILURE };
    let path = deployment.pid;
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            let number = error.raw_os_error().unwrap_or(0);
            let why = reason(&error);
            eprintln!("liege: [error] open() \"{}\" failed ({number}: {why})", path.display());
            return ExitCode::FAILURE;
        }
    };
    let Some(pid) = text.trim().parse().ok().filter(|pid| *pid > 1) else {
        eprintln!(
            "liege: [error] invalid PID number \"{}\" in \"{}\"",
            text.trim(),
            path.display()
        );
        return ExitCode::FAILURE;
    };
    // Pinned before it is looked at: the number cannot come to mean another in between.
    let master = Pidfd::open(pid);
    if master.is_ok() && !is_liege(pid) {
        eprintln!(
            "liege: [error] process {pid} of \"{}\" is no liege master; remove the file, or stop \
             what runs by its own number",
            path.display()
        );
        return ExitCode::FAILURE;
    }
    match master.and_then(|master| master.signal(signal.number())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let number = error.raw_os_error().unwrap_or(0);
            eprintln!("liege: [alert] kill({pid}) failed ({number}: {})", reason(&error));
            ExitCode::FAILURE
        }
    }
}

/// Whether a process has a master's title. One whose title cannot be seen is believed.
fn is_liege(pid: u32) -> bool {
    let title = std::fs::read(format!("/proc/{pid}/cmdline"));
    title.map_or(true, |title| title.starts_with(b"liege: master"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_s_has_a_signal_of_its_own() {
        for (word, signal, number) in NAMES {
            assert_eq!(Signal::named(word), Some(signal));
            assert_eq!(signal.number(), number);
        }
        assert_eq!(Signal::named("dance"), None);
    }

    #[test]
    fn a_process_of_another_program_is_no_master() {
        assert!(!is_liege(std::process::id()));
    }
}
