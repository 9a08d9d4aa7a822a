//! One log file, as this process writes it: lines are kept together and written in blocks; nobody
//! ever waits for a log.
//!
//! A regular file takes everything at once. A pipe, a socket or a terminal may take nothing for a
//! while: past [`MOST`] bytes unwritten, lines are dropped and counted. The flags of what was
//! inherited are never changed, since others share them.

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::refusal::Errno;

/// A log.
#[derive(Debug)]
pub struct Sink {
    name: String,
    target: RefCell<Target>,
    pending: RefCell<Vec<u8>>,
    dropped: Cell<u64>,
    /// Why, unless its reader was too slow.
    refused: RefCell<Option<String>>,
    /// Lines came, or the buffer is full.
    due: Notify,
    running: Cell<bool>,
}

/// What takes the lines.
#[derive(Debug)]
enum Target {
    /// It takes everything at once.
    File(File),
    /// Opened anew for this process, so that it does not block.
    Pipe(File),
    /// It could not be opened anew: asked before each write, and written a page at a time, which
    /// then does not block.
    Shared(File),
    /// A socket.
    Socket(OwnedFd),
    /// Nothing: lines are dropped.
    Nowhere,
}

/// When lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// So many bytes are written at once (`buffer=`).
    pub block: usize,
    /// Lines are written when they are so old (`flush=`); never only for their age when there is a
    /// block and no time.
    pub age: Option<Duration>,
}

impl Sink {
    /// The log behind a descriptor.
    pub fn new(name: String, fd: OwnedFd) -> Sink {
        Sink::to(name, Target::of(fd))
    }

    /// A log that is lost.
    pub fn nowhere(name: String) -> Sink {
        Sink::to(name, Target::Nowhere)
    }

    fn to(name: String, target: Target) -> Sink {
        Sink {
            name,
            target: RefCell::new(target),
            pending: RefCell::default(),
            dropped: Cell::new(0),
            refused: RefCell::default(),
            due: Notify::new(),
            running: Cell::new(false),
        }
    }

    /// Adds a line, which is written soon: when the loop has nothing better to do, in blocks when
    /// there is much to do.
    pub fn line(self: &Rc<Self>, pace: Option<Pace>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut pending = self.pending.borrow_mut();
        if pending.len() >= MOST {
            self.dropped.set(self.dropped.get() + 1);
            return;
        }
        let first = pending.is_empty();
        write(&mut pending);
        let full = pending.len() >= pace.map_or(BLOCK, |pace| pace.block);
        drop(pending);
        match pace {
            _ if full => self.due.notify_one(),
            None if first => self.due.notify_one(),
            Some(Pace { age: Some(age), .. }) if first => self.due_after(age),
            _ => {}
        }
        if !self.running.replace(true) {
            tokio::task::spawn_local(run(Rc::clone(self)));
        }
    }

    /// Writes what is there, as far as it goes at once.
    pub fn flush(&self) -> io::Result<()> {
        let mut pending = self.pending.borrow_mut();
        let mut written = 0;
        let result = loop {
            match &pending[written..] {
                [] => break Ok(()),
                rest => match self.target.borrow_mut().write(rest) {
                    Ok(count) => written += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => break Err(error),
                },
            }
        };
        pending.drain(..written);
        result
    }

    /// Another descriptor for the same log (it was rotated). What is unwritten goes to the old one
    /// if it takes it.
    pub fn reopen(&self, fd: OwnedFd) {
        // Whatever the old one refuses the new one gets.
        let _ = self.flush();
        self.target.replace(Target::of(fd));
        self.due.notify_one();
    }

    /// How many lines were dropped since this was asked last.
    pub fn take_dropped(&self) -> u64 {
        self.dropped.take()
    }

    /// The bytes that wait.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.pending.borrow().len()
    }

    fn due_after(self: &Rc<Self>, age: Duration) {
        let sink = Rc::downgrade(self);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(age).await;
            if let Some(sink) = sink.upgrade() {
                sink.due.notify_one();
            }
        });
    }

    /// Lines that nobody will take, and why.
    fn give_up(&self, error: &io::Error) {
        self.refused.replace(Some(Errno(error).to_string()));
        let mut pending = self.pending.borrow_mut();
        let lines = memchr::memchr_iter(b'\n', &pending).count() as u64;
        self.dropped.set(self.dropped.get() + lines);
        pending.clear();
    }
}

/// Writes lines for as long as the process lives. When there was something to write a moment ago,
/// it waits that moment, so that many lines go in one block.
async fn run(sink: Rc<Sink>) {
    let mut last: Option<Instant> = None;
    loop {
        sink.due.notified().await;
        match last.map(|last| last.elapsed()) {
            Some(since) if since < MOMENT => tokio::time::sleep(MOMENT - since).await,
            _ => tokio::task::yield_now().await,
        }
        if write_all(&sink).await {
            report(&sink);
        }
        last = Some(Instant::now());
    }
}

/// Writes what waits, however long that takes. False when the log takes nothing at all (a full
/// disk): the lines are given up, and told of when it takes some again.
async fn write_all(sink: &Sink) -> bool {
    let mut pause = MOMENT;
    while let Err(error) = sink.flush() {
        if error.kind() != io::ErrorKind::WouldBlock {
            sink.give_up(&error);
            return false;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    true
}

/// Tells into the log itself that lines are missing: whoever reads it must know.
fn report(sink: &Sink) {
    let dropped = sink.take_dropped();
    if dropped > 0 {
        let name = &sink.name;
        let why = sink.refused.take().unwrap_or_else(|| "its reader is too slow".into());
        let text = format!("liege: {dropped} lines of {name} were dropped: {why}\n");
        sink.pending.borrow_mut().extend_from_slice(text.as_bytes());
        sink.due.notify_one();
    }
}

impl Target {
    fn of(fd: OwnedFd) -> Target {
        let file = File::from(fd);
        let Ok(kind) = file.metadata().map(|meta| meta.file_type()) else {
            return Target::Nowhere;
        };
        if kind.is_socket() {
            return Target::Socket(file.into());
        }
        if !kind.is_fifo() && !kind.is_char_device() {
            return Target::File(file);
        }
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let anew = OpenOptions::new().append(true).custom_flags(NONBLOCK | NOCTTY).open(path);
        match anew {
            Ok(own) => Target::Pipe(own),
            Err(_) => Target::Shared(file),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::File(file) | Target::Pipe(file) => file.write(bytes),
            Target::Shared(file) => {
                if !sys::poll::writable(file.as_fd(), Some(Duration::ZERO))? {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                file.write(&bytes[..bytes.len().min(PAGE)])
            }
            Target::Socket(socket) => sys::socket::send_now(&*socket, bytes),
            Target::Nowhere => Ok(bytes.len()),
        }
    }
}

/// Past so many unwritten bytes, lines are dropped.
pub const MOST: usize = 1 << 20;
/// So many bytes are written without waiting for more.
const BLOCK: usize = 64 * 1024;
/// How long lines are collected when there are many.
const MOMENT: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// What a pipe that poll calls writable takes without blocking.
const PAGE: usize = 4096;
const NONBLOCK: i32 = 0o4000;
const NOCTTY: i32 = 0o400;

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn run_local<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, test)
    }

    fn say(sink: &Rc<Sink>, pace: Option<Pace>, text: &str) {
        sink.line(pace, |to| to.extend_from_slice(text.as_bytes()));
    }

    async fn until(condition: impl Fn() -> bool) {
        let wait = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("in time");
    }

    #[test]
    fn a_line_is_in_the_file_soon_and_after_a_rotation_in_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        let open = |path| sys::file::open_append(path, 0o644).unwrap();
        run_local(async {
            let sink = Rc::new(Sink::new("old".into(), open(&old)));
            say(&sink, None, "one\n");
            until(|| std::fs::read(&old).unwrap() == b"one\n").await;
            sink.reopen(open(&new));
            say(&sink, None, "two\n");
            until(|| std::fs::read(&new).unwrap() == b"two\n").await;
        });
    }

    #[test]
    fn a_buffer_is_written_when_it_is_full_or_old() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        run_local(async {
            let sink =
                Rc::new(Sink::new("log".into(), sys::file::open_append(&path, 0o644).unwrap()));
            let pace = Some(Pace { block: 8, age: None });
            say(&sink, pace, "one\n");
            tokio::time::sleep(MOMENT * 3).await;
            assert_eq!(std::fs::read(&path).unwrap(), b"");
            say(&sink, pace, "two\n");
            until(|| std::fs::read(&path).unwrap() == b"one\ntwo\n").await;
            say(&sink, Some(Pace { block: 8, age: Some(MOMENT) }), "old");
            until(|| std::fs::read(&path).unwrap().ends_with(b"old")).await;
        });
    }

    #[test]
    fn a_pipe_that_nobody_reads_costs_lines_and_never_waits() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        run_local(async {
            let sink = Rc::new(Sink::new("pipe".into(), writer.into()));
            let line = "x".repeat(1023) + "\n";
            for _ in 0..2000 {
                say(&sink, None, &line);
            }
            let _ = sink.flush();
            say(&sink, None, "more\n");
            // The pipe is full, a mebibyte waits, and what came past it is counted.
            assert!(sink.waiting() <= MOST + 1024);
            assert!(sink.dropped.get() > 500, "{}", sink.dropped.get());
            let read = tokio::task::spawn_blocking(move || {
                let (mut all, mut piece) = (vec![], [0; 65536]);
                while !all.ends_with(b"too slow\n") {
                    let count = reader.read(&mut piece).unwrap();
                    all.extend_from_slice(&piece[..count]);
                }
                all
            });
            let all = tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().unwrap();
            assert!(all.starts_with(line.as_bytes()));
            assert!(String::from_utf8_lossy(&all).contains("lines of pipe were dropped"));
        });
    }

    #[test]
    fn a_full_disk_costs_lines_and_is_told_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let open = |path| sys::file::open_append(path, 0o644).unwrap();
        run_local(async {
            let full = open(std::path::Path::new("/dev/full"));
            let sink = Rc::new(Sink::new("log".into(), full));
            for _ in 0..3 {
                say(&sink, None, "lost\n");
            }
            until(|| sink.dropped.get() == 3).await;
            // It does not tell of it where nothing can be written, again and again.
            tokio::time::sleep(MOMENT * 3).await;
            assert_eq!((sink.dropped.get(), sink.waiting()), (3, 0));
            sink.reopen(open(&path));
            say(&sink, None, "line\n");
            until(|| {
                let text = std::fs::read_to_string(&path).unwrap();
                text.starts_with("line\nliege: 3 lines of log were dropped: 28: No space left")
            })
            .await;
        });
    }

    #[test]
    fn a_socket_is_written_without_waiting() {
        let (mut reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        run_local(async {
            let sink = Rc::new(Sink::new("socket".into(), writer.into()));
            say(&sink, None, "line\n");
            until(|| sink.waiting() == 0).await;
        });
        let mut read = [0; 5];
        reader.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"line\n");
    }
}
