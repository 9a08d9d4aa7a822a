//! Control channels: SOCK_SEQPACKET pairs that carry small messages and descriptors between the
//! processes of one liege.
//!
//! One packet is one message, so there is no framing to get wrong. A send never blocks: a peer that
//! does not read fills its queue and is the caller's to punish. What a peer sends is untrusted:
//! length and descriptors are bounded here, the meaning is judged above. A packet of no bytes
//! cannot be told from the end of the channel, so it is never sent.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair, sockopt,
};

use crate::memfd;
use crate::poll;

/// The longest message, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// One end of a channel.
#[derive(Debug)]
pub struct Channel {
    fd: OwnedFd,
}

/// What came out of a channel.
#[derive(Debug)]
pub enum Received {
    /// A message.
    Message {
        /// Its bytes.
        bytes: Vec<u8>,
        /// The descriptors that rode on it, closed on exec.
        fds: Vec<OwnedFd>,
        /// Who sent it, as the kernel attests, when [`Channel::attest`] was called.
        pid: Option<u32>,
    },
    /// The other end is closed.
    Closed,
}

impl Channel {
    /// Makes both ends of a channel, closed on exec.
    pub fn pair() -> io::Result<(Channel, Channel)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Channel { fd: ours }, Channel { fd: theirs }))
    }

    /// Takes the channel that the parent gave as standard input and puts /dev/null in its place.
    ///
    /// The channel moves to 10 or above, out of the way of what an exec puts at 3.
    pub fn from_stdin() -> io::Result<Channel> {
        let stdin = io::stdin();
        let fd = rustix::io::fcntl_dupfd_cloexec(&stdin, LOWEST)?;
        crate::exec::null_stdin()?;
        Ok(Channel { fd })
    }

    /// The same end of the channel, under another number.
    pub fn try_clone(&self) -> io::Result<Channel> {
        Ok(Channel { fd: rustix::io::fcntl_dupfd_cloexec(&self.fd, LOWEST)? })
    }

    /// Sends one message. `WouldBlock` when the peer's queue is full, `BrokenPipe` when it is gone.
    pub fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        if bytes.is_empty() || bytes.len() > LONGEST || fds.len() > MOST_FDS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            // The space above holds MOST_FDS, so the push has room.
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        sendmsg(&self.fd, &[IoSlice::new(bytes)], &mut control, flags)?;
        Ok(())
    }

    /// Takes the next message. `WouldBlock` when there is none, `InvalidData` for one that was too
    /// long.
    pub fn recv(&self) -> io::Result<Received> {
        let mut bytes = vec![0; LONGEST];
        let mut space =
            [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS), ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let got = recvmsg(&self.fd, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)?;
        let (mut fds, mut pid) = (Vec::new(), None);
        for message in control.drain() {
            match message {
                RecvAncillaryMessage::ScmRights(rights) => fds.extend(rights),
                RecvAncillaryMessage::ScmCredentials(who) => {
                    pid = u32::try_from(who.pid.as_raw_nonzero().get()).ok();
                }
                _ => {}
            }
        }
        if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "message too long"));
        }
        if got.bytes == 0 {
            return Ok(Received::Closed);
        }
        bytes.truncate(got.bytes);
        bytes.shrink_to_fit();
        Ok(Received::Message { bytes, fds, pid })
    }

    /// Waits for the next message; `TimedOut` after `limit`.
    pub fn recv_wait(&self, limit: Option<Duration>) -> io::Result<Received> {
        let end = limit.map(|limit| Instant::now() + limit);
        loop {
            match self.recv() {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if !poll::readable(self.fd.as_fd(), left)? && left.is_some_and(|left| left.is_zero()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// From now on each message carries the sender's pid, written by the kernel.
    pub fn attest(&self) -> io::Result<()> {
        Ok(sockopt::set_socket_passcred(&self.fd, true)?)
    }

    /// Sends an order of any length, as a sealed memfd, with any number of descriptors up to
    /// [`MOST_IN_ORDER`].
    ///
    /// The first packet says how many descriptors follow; they ride on it and on as many packets as
    /// are needed.
    pub fn send_order(&self, order: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        if fds.len() > MOST_IN_ORDER {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let memfd = memfd::sealed("liege-order", order, false)?;
        let mut all = vec![memfd.as_fd()];
        all.extend_from_slice(fds);
        let total = u32::try_from(all.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        for batch in all.chunks(MOST_FDS) {
            self.send(&total.to_le_bytes(), batch)?;
        }
        Ok(())
    }

    /// Waits for an order and its descriptors.
    pub fn recv_order(&self, limit: Duration) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        let end = Instant::now() + limit;
        let mut all = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Received::Message { bytes, fds, .. } = self.recv_wait(Some(left))? else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            let total = match <[u8; 4]>::try_from(bytes.as_slice()) {
                Ok(total) => u32::from_le_bytes(total) as usize,
                Err(_) => return Err(io::ErrorKind::InvalidData.into()),
            };
            all.extend(fds);
            if total > MOST_IN_ORDER + 1 || all.len() > total {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if all.len() == total && total > 0 {
                let fds = all.split_off(1);
                return Ok((memfd::read_sealed(all[0].as_fd())?, fds));
            }
        }
    }
}

impl From<OwnedFd> for Channel {
    fn from(fd: OwnedFd) -> Channel {
        Channel { fd }
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> OwnedFd {
        channel.fd
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// The most descriptors on one message; the kernel's own limit is 253.
pub const MOST_FDS: usize = 200;

/// The most descriptors that come with one order.
pub const MOST_IN_ORDER: usize = 4096;

/// The lowest number of a descriptor that must survive what an exec puts at 0 to 3.
const LOWEST: RawFd = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(received: Received) -> (Vec<u8>, Vec<OwnedFd>, Option<u32>) {
        match received {
            Received::Message { bytes, fds, pid } => (bytes, fds, pid),
            Received::Closed => panic!("the channel is closed"),
        }
    }

    #[test]
    fn a_message_arrives_whole_with_its_descriptors_closed_on_exec() {
        let (a, b) = Channel::pair().unwrap();
        let (reader, writer) = crate::pipe::pipe().unwrap();
        a.send(b"hello", &[writer.as_fd()]).unwrap();
        a.send(b"again", &[]).unwrap();
        let (bytes, fds, pid) = message(b.recv().unwrap());
        assert_eq!((bytes.as_slice(), fds.len(), pid), (&b"hello"[..], 1, None));
        let flags = rustix::io::fcntl_getfd(&fds[0]).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        drop(writer);
        rustix::io::write(&fds[0], b"x").unwrap();
        assert_eq!(rustix::io::read(&reader, &mut [0; 9]).unwrap(), 1);
        assert_eq!(message(b.recv().unwrap()).0, b"again");
    }

    #[test]
    fn an_empty_queue_would_block_and_a_closed_peer_is_seen() {
        let (a, b) = Channel::pair().unwrap();
        assert_eq!(b.recv().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(a);
        assert!(matches!(b.recv().unwrap(), Received::Closed));
        assert_eq!(b.send(b"x", &[]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_queue_that_nobody_reads_fills_up_without_blocking() {
        let (a, _b) = Channel::pair().unwrap();
        let full = (0..100_000).find_map(|_| a.send(&[1; 1000], &[]).err()).unwrap();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn the_kernel_attests_who_sent_a_message() {
        let (a, b) = Channel::pair().unwrap();
        b.attest().unwrap();
        a.send(b"it is me", &[]).unwrap();
        assert_eq!(message(b.recv().unwrap()).2, Some(std::process::id()));
    }

    #[test]
    fn an_order_of_any_length_arrives_with_more_descriptors_than_one_message_holds() {
        let (a, b) = Channel::pair().unwrap();
        let (reader, _writer) = crate::pipe::pipe().unwrap();
        let fds = vec![reader.as_fd(); 450];
        let order = vec![7; 3 * LONGEST];
        a.send_order(&order, &fds).unwrap();
        let (bytes, received) = b.recv_order(Duration::from_secs(5)).unwrap();
        assert_eq!((bytes, received.len()), (order, 450));
    }

    #[test]
    fn waiting_for_an_order_ends_at_its_limit() {
        let (_a, b) = Channel::pair().unwrap();
        let end = b.recv_order(Duration::from_millis(10)).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_message_past_the_limit_is_refused_by_the_sender() {
        let (a, _b) = Channel::pair().unwrap();
        assert!(a.send(&vec![0; LONGEST + 1], &[]).is_err());
        assert!(a.send(b"", &[]).is_err());
    }
}
