//! The processes in the slots: who sits where, by which channel it is reached, and how its end
//! becomes known.
//!
//! Children are held by pidfd. A worker of an app is a grandchild: its process is learnt from its
//! own first message, whose sender the kernel attests, never from what an app says. Its end is told
//! by its app master, or, once the app master is gone, by the kernel (the worker is adopted then).

use std::collections::{BTreeMap, HashMap};
use std::os::fd::AsFd;

use supervisor::{End, Seat, Slot};
use sys::channel::Channel;
use sys::child::Pidfd;
use sys::poll::Poll;

use crate::Failed;

/// What an event of the poll is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A signal arrived.
    Signal(i32),
    /// Files changed.
    Watch,
    /// The reader has a result, or died.
    Reader,
    /// The process in this slot says something.
    Channel(Slot),
    /// The process in this slot ended.
    Process(Slot),
    /// An app wrote something.
    Output(u64),
    /// A program wrote to its NOTIFY_SOCKET.
    Inbox(Slot),
}

/// The poll with names for its numbers.
pub struct Tokens {
    poll: Poll,
    names: HashMap<u64, Token>,
    next: u64,
}

impl Tokens {
    /// Nothing is watched yet.
    pub fn new() -> Result<Self, Failed> {
        let poll = Poll::new().map_err(|e| Failed::new("open", "epoll", e))?;
        Ok(Tokens { poll, names: HashMap::new(), next: 0 })
    }

    /// Watches a descriptor under a name; the number ends it.
    pub fn add(&mut self, fd: impl AsFd, token: Token) -> Result<u64, Failed> {
        let number = self.next;
        self.next += 1;
        self.poll.add(fd.as_fd(), number).map_err(|e| Failed::new("watch", "a descriptor", e))?;
        self.names.insert(number, token);
        Ok(number)
    }

    /// No longer watches it.
    pub fn remove(&mut self, fd: impl AsFd, number: u64) {
        if self.names.remove(&number).is_some() {
            let _ = self.poll.remove(fd.as_fd());
        }
    }

    /// What happened; waits as long as given, or for ever.
    pub fn wait(&mut self, limit: Option<std::time::Duration>) -> std::io::Result<Vec<Token>> {
        let ready = self.poll.wait(limit)?;
        Ok(ready.iter().filter_map(|ready| self.names.get(&ready.token).cloned()).collect())
    }
}

/// One process in its slot.
pub struct Post {
    /// The channel to it, while it is open.
    channel: Option<(Channel, u64)>,
    /// The process, once it is known.
    process: Option<(Pidfd, Option<u64>)>,
    /// It said that it is ready.
    pub ready: bool,
}

/// All of them.
#[derive(Default)]
pub struct Posts {
    posts: BTreeMap<Slot, Post>,
}

impl Posts {
    /// Seats a child of ours.
    pub fn seat(
        &mut self,
        tokens: &mut Tokens,
        slot: Slot,
        channel: Channel,
        process: Option<Pidfd>,
    ) -> Result<(), Failed> {
        let number = tokens.add(&channel, Token::Channel(slot.clone()))?;
        let mut post = Post { channel: Some((channel, number)), process: None, ready: false };
        if let Some(process) = process {
            let number = tokens.add(&process, Token::Process(slot.clone()))?;
            post.process = Some((process, Some(number)));
        }
        self.posts.insert(slot, post);
        Ok(())
    }

    /// The slots in use.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.posts.keys()
    }

    /// The process in a slot.
    pub fn at(&mut self, slot: &Slot) -> Option<&mut Post> {
        self.posts.get_mut(slot)
    }

    /// The channel to the process in a slot.
    pub fn channel(&self, slot: &Slot) -> Option<&Channel> {
        self.posts.get(slot)?.channel.as_ref().map(|(channel, _)| channel)
    }

    /// The process in a slot, if it is known.
    pub fn process(&self, slot: &Slot) -> Option<&Pidfd> {
        self.posts.get(slot)?.process.as_ref().map(|(process, _)| process)
    }

    /// The kernel attested the process behind a slot's channel. It may have ended since, and its
    /// number may mean a stranger now: only one in the app's own group is held.
    pub fn attest(&mut self, tokens: &mut Tokens, slot: &Slot, pid: u32, group: Option<u32>) {
        let Some(post) = self.posts.get_mut(slot).filter(|post| post.process.is_none()) else {
            return;
        };
        let Ok(process) = Pidfd::open(pid) else { return };
        if sys::child::group_of(pid).ok() != group {
            return;
        }
        if let Ok(number) = tokens.add(&process, Token::Process(slot.clone())) {
            post.process = Some((process, Some(number)));
        }
    }

    /// The channel to the process is no longer of use.
    pub fn close_channel(&mut self, tokens: &mut Tokens, slot: &Slot) {
        if let Some((channel, number)) =
            self.posts.get_mut(slot).and_then(|post| post.channel.take())
        {
            tokens.remove(&channel, number);
        }
    }

    /// Nobody sits there any more.
    pub fn vacate(&mut self, tokens: &mut Tokens, slot: &Slot) -> bool {
        self.close_channel(tokens, slot);
        self.ignore_process(tokens, slot);
        self.posts.remove(slot).is_some()
    }

    /// The end of the process in a slot when it is gone; an error when it is no child of ours.
    pub fn reap(&self, slot: &Slot) -> std::io::Result<Option<End>> {
        let Some(process) = self.process(slot) else { return Ok(None) };
        Ok(process.reap()?.map(end))
    }

    /// Its app master will tell how it ended; the readable pidfd would only wake us again and again
    /// until then.
    pub fn ignore_process(&mut self, tokens: &mut Tokens, slot: &Slot) {
        let Some((process, number)) =
            self.posts.get_mut(slot).and_then(|post| post.process.as_mut())
        else {
            return;
        };
        if let Some(number) = number.take() {
            tokens.remove(&*process, number);
        }
    }

    /// The app master of these workers died: what it would have told about them the kernel tells us
    /// now.
    pub fn adopt(&mut self, tokens: &mut Tokens, master: &Slot) -> Vec<Slot> {
        let mut lost = Vec::new();
        for (slot, post) in &mut self.posts {
            let orphan = slot.unit == master.unit
                && slot.generation == master.generation
                && matches!(slot.seat, Seat::Worker(_));
            if !orphan {
                continue;
            }
            match &mut post.process {
                Some((process, number @ None)) => {
                    *number = tokens.add(&*process, Token::Process(slot.clone())).ok();
                }
                Some(_) => {}
                // Its channel decides: end-of-file means that it never came to life.
                None if post.channel.is_none() => lost.push(slot.clone()),
                None => {}
            }
        }
        lost
    }

    /// Whether the app master of this worker's generation lives.
    pub fn has_master(&self, worker: &Slot) -> bool {
        let master = Slot { seat: Seat::Master, ..worker.clone() };
        self.posts.contains_key(&master)
    }

    /// Whether a worker of this app master's generation is there.
    pub fn has_workers(&self, master: &Slot) -> bool {
        let of_it = |slot: &&Slot| slot.unit == master.unit && slot.generation == master.generation;
        self.posts.keys().filter(of_it).any(|slot| matches!(slot.seat, Seat::Worker(_)))
    }

    /// The numbers of the processes that are ours to reap one by one.
    pub fn pids(&self) -> Vec<u32> {
        self.posts.values().filter_map(|post| post.process.as_ref()).map(|(p, _)| p.pid()).collect()
    }
}

/// The kernel's word for an end as the supervisor's.
pub fn end(ended: sys::child::Ended) -> End {
    match ended {
        sys::child::Ended::Status(status) => End::Status(status),
        sys::child::Ended::Signal(signal) => End::Signal(signal),
    }
}
