//! What the master says, and what is done about it.

use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use sys::channel::{Channel, Received};
use tokio::io::unix::AsyncFd;
use wire::message::{FromWeb, ToWeb, decode, encode};

use crate::log::{self, Level};
use crate::ready;
use crate::worker::Worker;

/// How the worker ends.
pub enum End {
    /// The master asked for it.
    Drain {
        /// How long requests in flight may take.
        limit: Option<Duration>,
        /// The channel goes on: logs may be reopened meanwhile, and the master may die.
        control: Control,
    },
    /// The master is gone.
    Orphaned,
}

/// The control channel in the runtime's hands.
pub struct Control(AsyncFd<Channel>);

/// Obeys the master until it says that the end has come, or says nothing any more.
pub async fn obey(worker: &Rc<Worker>, channel: Channel) -> End {
    let control = match ready::watch_reading(channel) {
        Ok(fd) => Control(fd),
        Err(error) => {
            log::event(worker, Level::Emerg, &format!("epoll_ctl() failed: {error}"));
            return End::Orphaned;
        }
    };
    loop {
        match control.next(worker).await {
            Some(ToWeb::Drain { limit }) => return End::Drain { limit, control },
            Some(_) => {}
            None => return End::Orphaned,
        }
    }
}

/// A worker without anything to serve waits for its end.
pub async fn idle(channel: Channel) -> ExitCode {
    let sent = channel.send(&encode(&FromWeb::Ready), &[]);
    let Ok(fd) = ready::watch_reading(channel) else {
        return ExitCode::FAILURE;
    };
    if sent.is_err() {
        return ExitCode::FAILURE;
    }
    let control = Control(fd);
    while let Some((bytes, _)) = control.receive().await {
        if let Some(ToWeb::Drain { .. }) = decode(&bytes) {
            break;
        }
    }
    ExitCode::SUCCESS
}

impl Control {
    /// Resolves when the master is gone; obeys it until then.
    pub async fn gone(&self, worker: &Rc<Worker>) {
        while self.next(worker).await.is_some() {}
    }

    /// The next message, obeyed as far as it concerns the worker's inside. `None` when the master
    /// is gone.
    async fn next(&self, worker: &Rc<Worker>) -> Option<ToWeb> {
        let (bytes, fds) = self.receive().await?;
        let Some(message) = decode::<ToWeb>(&bytes) else {
            log::event(worker, Level::Alert, "message from the master cannot be decoded");
            return None;
        };
        match &message {
            ToWeb::Reopen { first } => worker.logs.reopen(*first, fds),
            ToWeb::App { name, state } => worker.upstreams.told(name, state.clone()),
            ToWeb::Drain { .. } => {}
        }
        Some(message)
    }

    async fn receive(&self) -> Option<(Vec<u8>, Vec<std::os::fd::OwnedFd>)> {
        loop {
            match self.0.get_ref().recv() {
                Ok(Received::Message { bytes, fds, .. }) => return Some((bytes, fds)),
                Ok(Received::Closed) => return None,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
            self.0.readable().await.ok()?.clear_ready();
        }
    }
}
