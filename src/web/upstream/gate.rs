//! The line before the door of a Unix socket.
//!
//! A Unix socket with a full backlog refuses a connection at once (EAGAIN), where TCP would try
//! again. nginx answers 502; here requests wait in order, the first one tries until there is room,
//! and one deadline bounds the wait. Requests that end are a hint that there is room; other web
//! workers' requests are not seen, so the first in line also looks again by itself.

use std::cell::Cell;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify};
use tokio::time::timeout_at;

/// The line before one socket, in one web worker.
#[derive(Debug, Default)]
pub struct Gate {
    /// Its holder is the first in line. tokio's mutex is fair: who asked first gets it first.
    first: Mutex<()>,
    waiting: Cell<usize>,
    room: Notify,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Refused {
    /// The line did not move in time.
    Full,
    /// The socket refused for another reason.
    Error(io::Error),
}

impl Gate {
    /// Connects, standing in line for it if need be.
    pub async fn connect(&self, path: &Path, deadline: Instant) -> Result<UnixStream, Refused> {
        // Whoever comes while others wait stands behind them.
        if self.waiting.get() == 0 {
            match attempt(path) {
                Err(Refused::Full) => {}
                other => return other,
            }
        }
        let _place = Place::take(&self.waiting);
        let turn = async {
            let _first = self.first.lock().await;
            self.insist(path).await
        };
        timeout_at(deadline.into(), turn).await.unwrap_or(Err(Refused::Full))
    }

    /// A connection to this socket is over: its worker takes the next one soon.
    pub fn hint(&self) {
        if self.waiting.get() > 0 {
            self.room.notify_one();
        }
    }

    /// How many requests stand in line.
    /// How many requests stand in line.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.waiting.get()
    }

    async fn insist(&self, path: &Path) -> Result<UnixStream, Refused> {
        let mut pause = SHORTEST_PAUSE;
        loop {
            match attempt(path) {
                Err(Refused::Full) => {}
                other => return other,
            }
            match tokio::time::timeout(pause, self.room.notified()).await {
                Ok(()) => pause = SHORTEST_PAUSE,
                Err(_) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }
}

fn attempt(path: &Path) -> Result<UnixStream, Refused> {
    match sys::socket::connect_unix(path) {
        Ok(socket) => Ok(UnixStream::from(socket)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Refused::Full),
        Err(error) => Err(Refused::Error(error)),
    }
}

/// A place in line, given up when it is dropped: by who got through, and by who left.
struct Place<'a>(&'a Cell<usize>);

impl<'a> Place<'a> {
    fn take(waiting: &'a Cell<usize>) -> Place<'a> {
        waiting.set(waiting.get() + 1);
        Place(waiting)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(8);

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use sys::socket::{Address, ListenOptions};

    use super::*;

    fn listener(path: &Path, backlog: i32) -> std::os::unix::net::UnixListener {
        let options = ListenOptions { backlog, ..ListenOptions::default() };
        sys::socket::listen(&Address::Unix(path.into()), &options).unwrap().into()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_burst_past_the_backlog_waits_in_order_and_all_get_through() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        let listener = listener(&path, 1);
        listener.set_nonblocking(true).unwrap();
        let (gate, order) = (Rc::new(Gate::default()), Rc::new(RefCell::new(vec![])));
        let local = tokio::task::LocalSet::new();
        let mut all = vec![];
        for number in 0..20 {
            let (gate, order, path) = (Rc::clone(&gate), Rc::clone(&order), path.clone());
            all.push(local.spawn_local(async move {
                let stream = gate.connect(&path, soon()).await.unwrap();
                order.borrow_mut().push(number);
                stream
            }));
        }
        let mut accepted = vec![];
        let app = async {
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            while accepted.len() < 20 {
                accepted.push(listener.accept().await.unwrap());
                gate.hint();
            }
        };
        local.run_until(app).await;
        for each in all {
            local.run_until(each).await.unwrap();
        }
        assert_eq!(*order.borrow(), (0..20).collect::<Vec<_>>());
        assert_eq!(gate.waiting(), 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_line_that_does_not_move_ends_at_the_deadline() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        let _listener = listener(&path, 0);
        let gate = Gate::default();
        let mut held = vec![];
        let refused = loop {
            let deadline = Instant::now() + Duration::from_millis(20);
            match gate.connect(&path, deadline).await {
                Ok(stream) => held.push(stream),
                Err(refused) => break refused,
            }
        };
        assert!(matches!(refused, Refused::Full), "{refused:?}");
        assert_eq!(gate.waiting(), 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_missing_socket_is_told_at_once() {
        let gate = Gate::default();
        let refused = gate.connect(Path::new("/nonexistent/app.sock"), soon()).await;
        let Err(Refused::Error(error)) = refused else { panic!("{refused:?}") };
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
