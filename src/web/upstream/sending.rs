//! The way to the app: the packet and the request's body, while its answer may already come.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::sync::Notify;

use super::record::Try;
use super::upload::Lent;
use crate::client::body::Whole;
use crate::client::socket::Socket;
use crate::refusal::Refusal;

/// What is still being sent.
pub type Sending = Pin<Box<dyn Future<Output = Result<(), Stopped>>>>;

/// Why not everything was sent.
#[derive(Debug)]
pub enum Stopped {
    /// The app takes no more. It may have answered all the same.
    Broken,
    /// The app took nothing for so long.
    Late(Duration),
    /// The client's body did not come.
    Client(Refusal),
}

/// The way to one app.
#[derive(Clone)]
pub struct Way {
    /// The connection.
    pub socket: Rc<Socket>,
    /// Where bytes are counted.
    pub attempt: Rc<Try>,
    /// `uwsgi_send_timeout`.
    pub limit: Duration,
}

impl Way {
    /// Sends packet and body. What does not go at once is left to the future; `None` when nothing
    /// is left.
    pub fn send_whole(&self, packet: Bytes, body: Whole) -> Option<Sending> {
        let head_and_body = match &body {
            Whole::Memory(bytes) => [IoSlice::new(&packet), IoSlice::new(bytes)],
            Whole::Empty | Whole::File { .. } => [IoSlice::new(&packet), IoSlice::new(b"")],
        };
        let sent = match self.socket.write(&head_and_body) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            // The app closed already; it may have answered.
            Err(_) => return None,
        };
        self.attempt.sent(sent);
        let whole = packet.len() + head_and_body[1].len();
        if sent == whole && !matches!(body, Whole::File { .. }) {
            return None;
        }
        let way = self.clone();
        Some(Box::pin(async move { way.finish(packet, body, sent).await }))
    }

    /// Sends packet and body, the body as it comes from the client. `sent` is told when nothing
    /// more will come from there.
    pub fn send_streamed(&self, packet: Bytes, mut body: Lent, sent: Rc<Notify>) -> Sending {
        let way = self.clone();
        Box::pin(async move {
            way.bytes(packet).await?;
            while let Some(bytes) = body.next().await.map_err(Stopped::Client)? {
                way.bytes(bytes).await?;
            }
            sent.notify_one();
            Ok(())
        })
    }

    async fn finish(self, mut packet: Bytes, body: Whole, sent: usize) -> Result<(), Stopped> {
        let of_packet = sent.min(packet.len());
        packet.advance(of_packet);
        self.bytes(packet).await?;
        match body {
            Whole::Empty => Ok(()),
            Whole::Memory(mut bytes) => {
                bytes.advance(sent - of_packet);
                self.bytes(bytes).await
            }
            Whole::File { file, length } => self.file(&file, length).await,
        }
    }

    async fn bytes(&self, mut bytes: Bytes) -> Result<(), Stopped> {
        while !bytes.is_empty() {
            let sent = self.socket.write(&[IoSlice::new(&bytes)]);
            let count = self.count(sent).await?;
            bytes.advance(count);
        }
        Ok(())
    }

    async fn file(&self, file: &std::fs::File, length: u64) -> Result<(), Stopped> {
        let mut offset = 0;
        while offset < length {
            let window = usize::try_from(length - offset).unwrap_or(WINDOW).min(WINDOW);
            let sent = self
                .socket
                .attempt(|stream| sys::file::sendfile(stream, file, offset, window))
                // A temporary file that is shorter than what was written to it: nothing can be sent
                // in its place.
                .and_then(|count| {
                    if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(count) }
                });
            offset += self.count(sent).await? as u64;
        }
        Ok(())
    }

    /// How much went; waits when it was nothing.
    async fn count(&self, sent: io::Result<usize>) -> Result<usize, Stopped> {
        match sent {
            Ok(count) => {
                self.attempt.sent(count);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let writable = poll_fn(|cx| self.socket.poll_writable(cx));
                match tokio::time::timeout(self.limit, writable).await {
                    Ok(Ok(())) => Ok(0),
                    Ok(Err(_)) => Err(Stopped::Broken),
                    Err(_) => Err(Stopped::Late(self.limit)),
                }
            }
            Err(_) => Err(Stopped::Broken),
        }
    }
}

/// How much of a file is handed to the kernel at once.
const WINDOW: usize = 512 * 1024;
