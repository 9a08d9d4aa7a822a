//! From the command line to a running master: where the configuration is, whether to go to the
//! background, what to say.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wire::message::ReadOrder;

use crate::daemon;
use crate::master::Master;
use crate::reader;

/// The prefix without `-p`.
pub const PREFIX: &str = "/var/lib/liege";
/// The configuration file without `-c` and `-p`.
pub const FILE: &str = "/etc/liege/liege.conf";

/// sysexits.h EX_CONFIG: the configuration is bad (systemd: RestartPreventExitStatus=78).
pub(crate) const EX_CONFIG: u8 = 78;

/// What the command line said.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// `-p`.
    pub prefix: Option<PathBuf>,
    /// `-c`; relative to the prefix.
    pub file: Option<PathBuf>,
    /// `-e`: where errors go before the configuration says so; `stderr` means standard error.
    pub error_log: Option<PathBuf>,
    /// `-g`.
    pub globals: Vec<u8>,
    /// The configuration itself (`liege run`), instead of a file.
    pub text: Option<Vec<u8>>,
    /// Apps stay the caller's user, whoever owns their files (`liege run`).
    pub keep_caller: bool,
}

impl Start {
    /// The prefix, absolute.
    pub fn prefix(&self) -> PathBuf {
        let prefix = self.prefix.as_deref().unwrap_or(Path::new(PREFIX));
        std::path::absolute(prefix).unwrap_or_else(|_| prefix.to_owned())
    }

    /// The configuration file, absolute (nginx: `-c` is relative to the prefix).
    pub fn file(&self) -> PathBuf {
        match (&self.file, &self.prefix) {
            (Some(file), _) => self.prefix().join(file),
            (None, Some(_)) => self.prefix().join("conf/liege.conf"),
            (None, None) => PathBuf::from(FILE),
        }
    }

    pub(crate) fn order(&self) -> ReadOrder {
        ReadOrder {
            prefix: self.prefix(),
            file: self.file(),
            globals: self.globals.clone(),
            error_log: self.error_log.clone(),
            text: self.text.clone(),
        }
    }
}

/// Serves until it is told to stop. `extension` is the Python extension that app masters load.
pub fn serve(start: Start, extension: &'static [u8]) -> ExitCode {
    // The working directory may go away, and a daemon leaves it.
    let start = Start { prefix: start.prefix.as_ref().map(|_| start.prefix()), ..start };
    let first = match reader::read_and_wait(&start) {
        Ok(reading) => reading,
        Err(failed) => {
            eprintln!("liege: [emerg] {failed}");
            return ExitCode::FAILURE;
        }
    };
    // In the background everything but an error was said by the first liege.
    if first.deployment.is_none() || !daemon::in_background() {
        first.print();
    }
    if first.deployment.is_none() {
        return ExitCode::from(EX_CONFIG);
    }
    match daemon::background(&start, &first) {
        Ok(None) => {}
        Ok(Some(code)) => return code,
        Err(failed) => {
            eprintln!("liege: [emerg] {failed}");
            return ExitCode::FAILURE;
        }
    }
    match Master::new(start, extension, first) {
        Ok(master) => master.run(),
        Err(failed) => {
            eprintln!("liege: [emerg] {failed}");
            ExitCode::FAILURE
        }
    }
}
