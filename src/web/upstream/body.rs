//! The body of an app's answer, as the client's connection takes it: whole, as it comes, or through
//! a spool that a task of its own fills as fast as the app sends.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use tokio::task::AbortHandle;

use super::reader::Reader;
use super::spool::{Chunk, End, Limits, Room, Spool};
use super::upload::Upload;

/// A body.
#[derive(Debug)]
pub struct Body {
    source: Source,
    length: Option<u64>,
    upload: Option<Upload>,
}

#[derive(Debug)]
enum Source {
    /// All of it came already, or there is none.
    Whole(Option<Bytes>),
    /// It is read when the client takes it (`uwsgi_buffering off`).
    Direct { reader: Box<Reader>, size: usize },
    /// A task reads it into a spool (`uwsgi_buffering on`).
    Spooled(Spooled),
}

/// How a body is buffered.
#[derive(Debug, Clone)]
pub struct Buffering {
    /// What the spool may hold.
    pub limits: Limits,
    /// Where its file is made.
    pub place: Rc<Path>,
    /// Whether the app's answer is read to its end although the client left.
    pub outlives_client: bool,
}

/// What fills a spool.
type Pump = Pin<Box<dyn Future<Output = ()>>>;

/// A spool that a pump fills, in a task or in the hands of who made it.
#[derive(Debug)]
struct Spooled {
    spool: Rc<Spool>,
    task: Option<AbortHandle>,
    outlives_client: bool,
}

impl Body {
    /// A body that is not sent: the answer to a HEAD request tells its length all the same.
    pub fn none(length: Option<u64>) -> Body {
        Body { source: Source::Whole(None), length, upload: None }
    }

    /// A body that is read when the client takes it.
    pub fn direct(reader: Reader, length: Option<u64>, size: usize) -> Body {
        let source = Source::Direct { reader: Box::new(reader), size };
        Body { source, length, upload: None }
    }

    /// A body that is read as fast as it comes. What is there already is taken at once: for most
    /// answers that is all.
    pub async fn buffered(mut reader: Reader, length: Option<u64>, how: &Buffering) -> Body {
        let spool = Spool::new(how.limits);
        let mut first: Option<Bytes> = None;
        while let Room::Memory(room) = spool.room() {
            match poll_fn(|cx| Poll::Ready(reader.poll_next(cx, room))).await {
                Poll::Pending => break,
                Poll::Ready(Ok(Some(bytes))) => {
                    if let Some(before) = first.replace(bytes) {
                        spool.push(before);
                    }
                }
                Poll::Ready(Ok(None)) => {
                    spool.end(End::Complete);
                    break;
                }
                Poll::Ready(Err(cause)) => {
                    spool.end(End::Cut(cause));
                    break;
                }
            }
            if spool.held() + first.as_ref().map_or(0, Bytes::len) >= how.limits.memory {
                break;
            }
        }
        let complete = spool.ended() == Some(End::Complete);
        if complete && spool.held() == 0 {
            return Body::whole(first.unwrap_or_default());
        }
        let total = (spool.held() + first.as_ref().map_or(0, Bytes::len)) as u64;
        if let Some(bytes) = first {
            spool.push(bytes);
        }
        let length = if complete { Some(total) } else { length };
        let ended = spool.ended().is_some();
        let spooled = Spooled::new(spool, how);
        let pump: Option<Pump> = (!ended).then(|| spooled.pump(reader, how));
        Body::spooled(spooled, pump, length)
    }

    /// A body from a spool; the pump goes on in a task.
    fn spooled(mut spooled: Spooled, pump: Option<Pump>, length: Option<u64>) -> Body {
        spooled.task = pump.map(|pump| tokio::task::spawn_local(pump).abort_handle());
        Body { source: Source::Spooled(spooled), length, upload: None }
    }

    fn whole(bytes: Bytes) -> Body {
        let length = Some(bytes.len() as u64);
        Body { source: Source::Whole(Some(bytes)), length, upload: None }
    }

    /// With what is left of the request's body. An answer that is complete already needs nothing of
    /// it.
    pub(super) fn with(mut self, upload: Option<Upload>) -> Body {
        self.upload = upload.filter(|_| !matches!(self.source, Source::Whole(_)));
        self
    }

    /// What is to be passed on while this body is sent.
    pub fn take_upload(&mut self) -> Option<Upload> {
        self.upload.take()
    }

    /// The length, where it is known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// All of it, when all of it came already.
    pub fn take_whole(&mut self) -> Option<Bytes> {
        match &mut self.source {
            Source::Whole(bytes) => bytes.take(),
            Source::Direct { .. } | Source::Spooled(_) => None,
        }
    }

    /// The next piece; `None` at the end. An error means that the body is cut: what was sent must
    /// not look whole. The cause is in the request's record.
    pub async fn next(&mut self) -> io::Result<Option<Chunk>> {
        let next = match &mut self.source {
            Source::Whole(bytes) => {
                let bytes = bytes.take().filter(|bytes| !bytes.is_empty());
                return Ok(bytes.map(Chunk::Bytes));
            }
            Source::Direct { reader, size } => {
                reader.resume();
                reader.next(*size).await.map(|bytes| bytes.map(Chunk::Bytes))
            }
            Source::Spooled(spooled) => spooled.spool.next().await,
        };
        next.map_err(io::Error::other)
    }
}

impl Spooled {
    /// A spool without its pump.
    fn new(spool: Spool, how: &Buffering) -> Spooled {
        let outlives_client = how.outlives_client;
        Spooled { spool: Rc::new(spool), task: None, outlives_client }
    }

    /// The pump of this spool.
    fn pump(&self, reader: Reader, how: &Buffering) -> Pump {
        Box::pin(pump(reader, Rc::clone(&self.spool), Rc::clone(&how.place)))
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        self.spool.leave();
        if let Some(task) = self.task.take().filter(|_| !self.outlives_client) {
            // The connection to the app is closed with it.
            task.abort();
        }
    }
}

/// Reads as fast as the app sends, for as long as there is room.
async fn pump(mut reader: Reader, spool: Rc<Spool>, place: Rc<Path>) {
    loop {
        let (room, to_file) = match spool.room() {
            Room::Memory(room) => (room, false),
            Room::File(room) => (room, true),
            Room::None => {
                wait_for_room(&mut reader, &spool).await;
                continue;
            }
        };
        match reader.next(room).await {
            Ok(Some(bytes)) if to_file => keep(&spool, bytes, &place).await,
            Ok(Some(bytes)) => spool.push(bytes),
            Ok(None) => return spool.end(End::Complete),
            Err(cause) => return spool.end(End::Cut(cause)),
        }
    }
}

/// Waits until the client has taken some, and goes on sending meanwhile.
async fn wait_for_room(reader: &mut Reader, spool: &Spool) {
    let mut drained = pin!(spool.drained());
    let broken = Cell::new(None);
    poll_fn(|cx| {
        if let Poll::Ready(Err(cause)) = reader.poll_sending(cx) {
            broken.set(Some(cause));
            return Poll::Ready(());
        }
        drained.as_mut().poll(cx)
    })
    .await;
    if let Some(cause) = broken.take() {
        spool.end(End::Cut(cause));
    }
    reader.resume();
}

/// Puts bytes into the temporary file. Where that fails (no space, no directory) they stay in
/// memory and the app has to wait for the client from then on.
async fn keep(spool: &Rc<Spool>, bytes: Bytes, place: &Path) {
    let length = bytes.len() as u64;
    let Some(file) = file_of(spool, place) else {
        return hold(spool, bytes).await;
    };
    let offset = spool.write_begins();
    let copy = bytes.clone();
    let written = tokio::task::spawn_blocking(move || file.write_all_at(&copy, offset)).await;
    match written {
        Ok(Ok(())) => spool.wrote(length),
        _ => hold(spool, bytes).await,
    }
}

fn file_of(spool: &Spool, place: &Path) -> Option<Arc<std::fs::File>> {
    if let Some(file) = spool.file() {
        return Some(file);
    }
    spool.use_file(sys::file::tmpfile(place).ok()?).ok()
}

async fn hold(spool: &Spool, bytes: Bytes) {
    spool.give_up_file();
    while spool.file_holds() {
        spool.drained().await;
    }
    spool.push(bytes);
}
