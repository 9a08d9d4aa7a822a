//! The master's own lines in the error log, in nginx's shape.

use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

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
    way: Way,
    level: Level,
    /// The journal stamps lines itself and reads the level from a prefix.
    journal: bool,
    /// Lines that did not go in, until one does again.
    lost: u64,
}

/// How a place is written without ever waiting for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A file never makes its writer wait for a reader.
    File,
    /// A pipe or a terminal, that may be another program's too and blocking.
    Pipe,
    /// The journal's stream.
    Socket,
}

impl Sink {
    fn new(file: File, level: Level, journal: bool) -> Sink {
        let kind = file.metadata().map(|meta| meta.file_type());
        let way = match kind {
            Ok(kind) if kind.is_socket() => Way::Socket,
            Ok(kind) if kind.is_fifo() || kind.is_char_device() => Way::Pipe,
            _ => Way::File,
        };
        Sink { file, way, level, journal, lost: 0 }
    }

    /// Writes a line, and before it how many could not be written.
    fn put(&mut self, level: Level, stamped: &str, plain: &str) {
        if self.lost > 0 {
            let lost = format!("{} lines of this log are lost: it took no more", self.lost);
            let stamp = stamped.get(..STAMP).unwrap_or_default();
            let line = format!("{stamp} [alert] {lost}\n");
            if !self.write(&self.shaped(Level::Alert, &line, &lost)) {
                self.lost += 1;
                return;
            }
            self.lost = 0;
        }
        if !self.write(&self.shaped(level, stamped, plain)) {
            self.lost += 1;
        }
    }

    fn shaped(&self, level: Level, stamped: &str, plain: &str) -> String {
        if self.journal { format!("<{}>{plain}\n", level as u8) } else { stamped.to_owned() }
    }

    fn write(&self, line: &str) -> bool {
        let mut file = &self.file;
        match self.way {
            Way::File => file.write_all(line.as_bytes()).is_ok(),
            Way::Socket => {
                sys::socket::send_now(file, line.as_bytes()).is_ok_and(|sent| sent == line.len())
            }
            // What poll says of a pipe holds for so many bytes.
            Way::Pipe => line.as_bytes().chunks(PIPE_BUF).all(|part| {
                let room = sys::poll::writable(file.as_fd(), Some(Duration::ZERO));
                room.unwrap_or(false) && file.write_all(part).is_ok()
            }),
        }
    }
}

/// POSIX: a pipe takes so many bytes at once or none.
const PIPE_BUF: usize = 4096;

/// How many bytes of a line are its time.
const STAMP: usize = "2026/11/22 13:00:05".len();

/// All places of the main level's error log.
pub struct Log {
    sinks: Vec<Sink>,
    pid: u32,
}

impl Log {
    /// A log without any place yet.
    pub fn new() -> Self {
        Log { sinks: Vec::new(), pid: std::process::id() }
    }

    /// Standard error from this level on.
    pub fn to_stderr(level: Level) -> Self {
        let mut log = Log::new();
        log.add_stderr(level);
        log
    }

    /// Adds standard error. It is opened anew where that can be, so that O_NONBLOCK never touches a
    /// description that other programs share.
    pub fn add_stderr(&mut self, level: Level) {
        if let Some(file) = crate::logs::standard_error() {
            let journal = sys::notify::journal_stream();
            self.sinks.push(Sink::new(file, level, journal));
        }
    }

    /// Adds a file.
    pub fn add(&mut self, file: File, level: Level) {
        self.sinks.push(Sink::new(file, level, false));
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
                sink.put(level, &plain, line);
            }
        }
    }

    /// What an app wrote goes to every place whatever its level: it may be the traceback that
    /// explains everything.
    pub fn output(&mut self, label: &str, text: &str) {
        let stamp = sys::clock::log_stamp();
        for line in text.lines() {
            let labelled = format!("[{label}] {line}");
            for sink in &mut self.sinks {
                sink.put(Level::Notice, &format!("{stamp} {labelled}\n"), &labelled);
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

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_pipe_that_is_full_costs_lines_and_never_waits_and_says_so_afterwards() {
        let (reader, writer) = sys::pipe::pipe().unwrap();
        let (mut reader, mut log) = (File::from(reader), Log::new());
        log.add(File::from(writer), Level::Notice);
        for _ in 0..2000 {
            log.notice("x".repeat(100));
        }
        let mut room = [0; 65536];
        let taken = reader.read(&mut room).unwrap();
        log.notice("after");
        let mut text = room[..taken].to_vec();
        drop(log);
        reader.read_to_end(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let (before, after) = text.split_once(" lines of this log are lost").unwrap();
        let lost: usize = before.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(before.matches("[notice]").count() + lost, 2000);
        assert!(after.ends_with(": after\n"), "{after}");
    }

    #[test]
    fn levels_below_a_place_s_own_do_not_go_there() {
        let (reader, writer) = sys::pipe::pipe().unwrap();
        let mut log = Log::new();
        log.add(File::from(writer), Level::Warn);
        log.notice("quiet");
        log.error("loud");
        assert!(log.wants(Level::Error) && !log.wants(Level::Notice));
        drop(log);
        let mut text = String::new();
        File::from(reader).read_to_string(&mut text).unwrap();
        assert!(text.contains("[error]") && !text.contains("quiet"), "{text}");
    }
}
