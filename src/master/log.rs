//! The master's own lines in the error log, in nginx's shape.

use std::fmt::Display;
use std::fs::File;
use std::io::Write;

pub use config::Level;

/// The level with this number, 0 for the gravest.
pub fn numbered(number: u8) -> Level {
    const ALL: [Level; 8] = [
        Level::Emerg,
        Level::Alert,
        Level::Crit,
        Level::Error,
        Level::Warn,
        Level::Notice,
        Level::Info,
        Level::Debug,
    ];
    ALL[usize::from(number.min(7))]
}

/// One place where lines go, and from which level on.
struct Sink {
    file: File,
    level: Level,
    /// The journal stamps lines itself and reads the level from a prefix.
    journal: bool,
}

/// All places of the main level's error log.
pub struct Log {
    sinks: Vec<Sink>,
    pid: u32,
    dropped: u64,
}

impl Log {
    /// A log without any place yet.
    pub fn new() -> Self {
        Log { sinks: Vec::new(), pid: std::process::id(), dropped: 0 }
    }

    /// Standard error from this level on.
    pub fn to_stderr(level: Level) -> Self {
        let mut log = Log::new();
        log.add_stderr(level);
        log
    }

    /// Adds standard error. It is opened anew where that can be, so that O_NONBLOCK never touches a description that
    /// other programs share.
    pub fn add_stderr(&mut self, level: Level) {
        if let Some(file) = crate::logs::standard_error() {
            let journal = sys::notify::journal_stream();
            self.sinks.push(Sink { file, level, journal });
        }
    }

    /// Adds a file.
    pub fn add(&mut self, file: File, level: Level) {
        self.sinks.push(Sink { file, level, journal: false });
    }

    /// Whether a line of this level goes anywhere.
    pub fn wants(&self, level: Level) -> bool {
        self.sinks.iter().any(|sink| level <= sink.level)
    }

    /// Writes one line (an inner newline becomes lines of their own, each with its stamp).
    pub fn line(&mut self, level: Level, text: impl Display) {
        if !self.wants(level) {
            return;
        }
        let stamp = sys::clock::log_stamp();
        for line in text.to_string().lines() {
            let pid = self.pid;
            let plain = format!("{stamp} [{}] {pid}#{pid}: {line}\n", level.word());
            for sink in self.sinks.iter_mut().filter(|sink| level <= sink.level) {
                let written = if sink.journal {
                    writeln!(sink.file, "<{}>{line}", level as u8)
                } else {
                    sink.file.write_all(plain.as_bytes())
                };
                if written.is_err() {
                    self.dropped += 1;
                }
            }
        }
    }

    /// What an app wrote goes to every place whatever its level: it may be the traceback that explains everything.
    pub fn output(&mut self, label: &str, text: &str) {
        let stamp = sys::clock::log_stamp();
        for line in text.lines() {
            for sink in &mut self.sinks {
                let written = if sink.journal {
                    writeln!(sink.file, "<5>[{label}] {line}")
                } else {
                    writeln!(sink.file, "{stamp} [{label}] {line}")
                };
                if written.is_err() {
                    self.dropped += 1;
                }
            }
        }
    }

    pub fn emerg(&mut self, text: impl Display) {
        self.line(Level::Emerg, text);
    }
    pub fn alert(&mut self, text: impl Display) {
        self.line(Level::Alert, text);
    }
    pub fn error(&mut self, text: impl Display) {
        self.line(Level::Error, text);
    }
    pub fn warn(&mut self, text: impl Display) {
        self.line(Level::Warn, text);
    }
    pub fn notice(&mut self, text: impl Display) {
        self.line(Level::Notice, text);
    }
    pub fn info(&mut self, text: impl Display) {
        self.line(Level::Info, text);
    }
}
