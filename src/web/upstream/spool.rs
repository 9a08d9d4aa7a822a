//! What an app has sent and its client has not taken yet: memory first, then a temporary file.
//!
//! It stands between the pump, which reads as fast as the app sends, and the client, which may be
//! slow: that way a slow client never holds an app worker (`uwsgi_buffering on`). Order is kept
//! because memory takes nothing while the file holds something.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

/// A piece of a body.
#[derive(Debug, Clone)]
pub enum Chunk {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A region of a temporary file, to be sent by sendfile.
    File {
        /// The file.
        file: Arc<OwnedFd>,
        /// Where the region begins.
        offset: u64,
        /// How long it is; never 0.
        length: u64,
    },
}

impl Chunk {
    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        match self {
            Chunk::Bytes(bytes) => bytes.len() as u64,
            Chunk::File { length, .. } => *length,
        }
    }
}

/// How much a spool may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes in memory (`uwsgi_buffers`).
    pub memory: usize,
    /// Bytes in the file (`uwsgi_max_temp_file_size`).
    pub file: u64,
}

/// Where the next bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// So many into memory.
    Memory(usize),
    /// So many into the file.
    File(usize),
    /// Nowhere, until the client has taken some.
    None,
}

/// The end of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All of it came.
    Complete,
    /// It was cut; the text says why.
    Cut(String),
}

/// The state that pump and client share.
#[derive(Debug)]
pub struct Spool {
    memory: usize,
    file: Cell<u64>,
    state: RefCell<State>,
    /// Something came, or it is over.
    filled: Notify,
    /// Something was taken, or the client left.
    drained: Notify,
}

#[derive(Debug, Default)]
struct State {
    memory: VecDeque<Bytes>,
    held: usize,
    /// The file twice: to write into, and to be sent from.
    file: Option<(Arc<File>, Arc<OwnedFd>)>,
    written: u64,
    taken: u64,
    writing: bool,
    /// Bytes of the last piece of memory that was given out: they count until the next one is asked
    /// for.
    given: usize,
    end: Option<End>,
    left: bool,
}

impl Spool {
    /// An empty spool.
    pub fn new(limits: Limits) -> Spool {
        let (state, filled, drained) = Default::default();
        Spool { memory: limits.memory, file: Cell::new(limits.file), state, filled, drained }
    }

    /// Where the next bytes go.
    pub fn room(&self) -> Room {
        let state = self.state.borrow();
        if state.left {
            return Room::Memory(WRITE_SIZE);
        }
        // Not for a few bytes at a time: a quarter must be free.
        let memory = self.memory.saturating_sub(state.held);
        if state.written == state.taken && memory > 0 && memory >= self.memory / 4 {
            return Room::Memory(memory);
        }
        match self.file.get().saturating_sub(state.written) {
            0 => Room::None,
            left => Room::File(usize::try_from(left).unwrap_or(WRITE_SIZE).min(WRITE_SIZE)),
        }
    }

    /// Takes bytes for which there was room in memory.
    pub fn push(&self, bytes: Bytes) {
        let mut state = self.state.borrow_mut();
        if !bytes.is_empty() && !state.left {
            state.held += bytes.len();
            state.memory.push_back(bytes);
            self.filled.notify_one();
        }
    }

    /// A write into the file begins, at the place that is answered. The place stays until
    /// [`Spool::wrote`].
    pub fn write_begins(&self) -> u64 {
        let mut state = self.state.borrow_mut();
        state.writing = true;
        state.written
    }

    /// The write is done: so many bytes more are in the file, behind those that were there.
    pub fn wrote(&self, length: u64) {
        let mut state = self.state.borrow_mut();
        state.writing = false;
        state.written += length;
        self.filled.notify_one();
    }

    /// The file, where one is in use.
    pub fn file(&self) -> Option<Arc<File>> {
        self.state.borrow().file.as_ref().map(|(file, _)| Arc::clone(file))
    }

    /// Puts a file into use.
    pub fn use_file(&self, file: File) -> io::Result<Arc<File>> {
        let twin = file.try_clone()?;
        let file = Arc::new(file);
        self.state.borrow_mut().file = Some((Arc::clone(&file), Arc::new(twin.into())));
        Ok(file)
    }

    /// The file cannot be used any more; what it holds stays.
    pub fn give_up_file(&self) {
        self.file.set(0);
        self.state.borrow_mut().writing = false;
    }

    /// The bytes in memory.
    pub fn held(&self) -> usize {
        self.state.borrow().held
    }

    /// Whether the file holds bytes that were not given out.
    pub fn file_holds(&self) -> bool {
        let state = self.state.borrow();
        state.written > state.taken
    }

    /// No more will come.
    pub fn end(&self, end: End) {
        self.state.borrow_mut().end.get_or_insert(end);
        self.filled.notify_one();
    }

    /// Whether the end is known already; what was taken so far may not be all.
    pub fn ended(&self) -> Option<End> {
        self.state.borrow().end.clone()
    }

    /// The client left: what comes from now on is dropped.
    pub fn leave(&self) {
        let mut state = self.state.borrow_mut();
        state.left = true;
        state.memory.clear();
        state.held = 0;
        state.taken = state.written;
        self.drained.notify_one();
    }

    /// Returns when there may be room again.
    pub async fn drained(&self) {
        self.drained.notified().await;
    }

    /// The next piece; `Err` when the body is cut there, `None` at its end.
    pub async fn next(&self) -> Result<Option<Chunk>, String> {
        loop {
            if let Some(ready) = self.take() {
                return ready;
            }
            self.filled.notified().await;
        }
    }

    /// The next piece, or the end, if either is there.
    pub fn take(&self) -> Option<Result<Option<Chunk>, String>> {
        let mut state = self.state.borrow_mut();
        let before = (state.held, state.written);
        state.settle(self.file.get());
        let chunk = state.chunk();
        let after = (state.held, state.written);
        if before != after || chunk.is_some() {
            self.drained.notify_one();
        }
        match (chunk, &state.end) {
            (Some(chunk), _) => Some(Ok(Some(chunk))),
            (None, Some(End::Complete)) => Some(Ok(None)),
            (None, Some(End::Cut(cause))) => Some(Err(cause.clone())),
            (None, None) => None,
        }
    }
}

impl State {
    /// The last piece is with the client: its memory is free. A file that was sent to its end and
    /// is nearly used up is left to the kernel, and the next bytes go into a new one. No place in a
    /// file is written twice: what sendfile has sent may still stand in the socket's queue as these
    /// very pages, and the client would read what was written over it.
    fn settle(&mut self, limit: u64) {
        self.held -= std::mem::take(&mut self.given).min(self.held);
        let used_up = self.written > 0 && self.written >= limit.min(RENEW);
        if used_up && self.taken == self.written && !self.writing {
            (self.taken, self.written) = (0, 0);
            self.file = None;
        }
    }

    fn chunk(&mut self) -> Option<Chunk> {
        if let Some(bytes) = self.memory.pop_front() {
            self.given = bytes.len();
            return Some(Chunk::Bytes(bytes));
        }
        let (offset, length) = (self.taken, self.written - self.taken);
        let (_, file) = self.file.as_ref().filter(|_| length > 0)?;
        let file = Arc::clone(file);
        self.taken = self.written;
        Some(Chunk::File { file, offset, length })
    }
}

/// A file of this size that was sent to its end is left for a new one.
const RENEW: u64 = 16 << 20;
/// The most that is written into the file at once.
pub const WRITE_SIZE: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn bytes(spool: &Spool) -> Option<Vec<u8>> {
        match spool.take()?.expect("not cut")? {
            Chunk::Bytes(bytes) => Some(bytes.to_vec()),
            Chunk::File { file, offset, length } => {
                let mut read = vec![0; length as usize];
                let file = File::from(file.try_clone().unwrap());
                file.read_exact_at(&mut read, offset).unwrap();
                Some(read)
            }
        }
    }

    fn write(spool: &Spool, text: &[u8]) {
        let Room::File(length) = spool.room() else {
            panic!("{:?}", spool.room());
        };
        let offset = spool.write_begins();
        let file =
            spool.file().unwrap_or_else(|| spool.use_file(tempfile::tempfile().unwrap()).unwrap());
        assert!(text.len() <= length);
        file.write_all_at(text, offset).unwrap();
        spool.wrote(text.len() as u64);
    }

    #[test]
    fn what_does_not_fit_into_memory_goes_to_the_file_and_comes_back_in_order() {
        let spool = Spool::new(Limits { memory: 4, file: 100 });
        assert_eq!(spool.room(), Room::Memory(4));
        spool.push(Bytes::from_static(b"abcd"));
        write(&spool, b"efgh");
        write(&spool, b"ij");
        assert_eq!(bytes(&spool).unwrap(), b"abcd");
        // Memory is free, but the file holds what comes first.
        assert!(matches!(spool.room(), Room::File(_)));
        assert_eq!(bytes(&spool).unwrap(), b"efghij");
        spool.push(Bytes::from_static(b"kl"));
        assert_eq!(bytes(&spool).unwrap(), b"kl");
        assert!(spool.take().is_none());
        assert_eq!(spool.room(), Room::Memory(4));
        spool.push(Bytes::from_static(b"m"));
        spool.end(End::Complete);
        assert_eq!(bytes(&spool).unwrap(), b"m");
        assert!(matches!(spool.take(), Some(Ok(None))));
    }

    #[test]
    fn a_region_that_the_client_still_sends_is_not_written_over() {
        let spool = Spool::new(Limits { memory: 0, file: 100 });
        write(&spool, b"abc");
        assert_eq!(bytes(&spool).unwrap(), b"abc");
        assert_eq!(spool.write_begins(), 3);
    }

    #[test]
    fn a_drained_file_goes_on_behind_what_was_sent_from_it() {
        let spool = Spool::new(Limits { memory: 0, file: 100 });
        write(&spool, b"abc");
        assert_eq!(bytes(&spool).unwrap(), b"abc");
        assert!(spool.take().is_none());
        assert_eq!(spool.write_begins(), 3);
    }

    #[test]
    fn a_write_that_is_under_way_keeps_its_place() {
        let spool = Spool::new(Limits { memory: 0, file: 100 });
        write(&spool, b"abc");
        assert_eq!(bytes(&spool).unwrap(), b"abc");
        assert_eq!(spool.write_begins(), 3);
        assert!(spool.take().is_none());
        spool.file().unwrap().write_all_at(b"de", 3).unwrap();
        spool.wrote(2);
        assert_eq!(bytes(&spool).unwrap(), b"de");
    }

    #[test]
    fn a_full_file_stops_the_app_until_it_is_drained() {
        let spool = Spool::new(Limits { memory: 0, file: 3 });
        write(&spool, b"abc");
        assert_eq!(spool.room(), Room::None);
        assert_eq!(bytes(&spool).unwrap(), b"abc");
        assert!(spool.take().is_none());
        // What was sent is not written over: the next bytes go into another file.
        assert!(spool.file().is_none());
        assert_eq!((spool.room(), spool.write_begins()), (Room::File(3), 0));
    }

    #[test]
    fn a_cut_body_ends_with_its_cause_after_what_came() {
        let spool = Spool::new(Limits { memory: 9, file: 0 });
        spool.push(Bytes::from_static(b"abc"));
        spool.end(End::Cut("gone".into()));
        assert_eq!(bytes(&spool).unwrap(), b"abc");
        assert!(matches!(spool.take(), Some(Err(cause)) if cause == "gone"));
    }

    #[test]
    fn without_a_client_everything_is_dropped() {
        let spool = Spool::new(Limits { memory: 1, file: 0 });
        spool.push(Bytes::from_static(b"a"));
        spool.leave();
        spool.push(Bytes::from_static(b"b"));
        assert!(matches!(spool.room(), Room::Memory(_)));
        assert!(spool.take().is_none());
    }
}
