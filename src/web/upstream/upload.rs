//! A request's body that is passed on as it comes from the client (`uwsgi_request_buffering off`),
//! also when the app answers already: both ways go on at once, and neither waits for the other.
//!
//! The client's own connection polls it, beside what goes out there: a client's socket and timer
//! know one task, and that one is woken for both ways.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;

use super::failure::Doing;
use super::reader::late;
use super::record::Try;
use super::sending::{Sending, Stopped};
use crate::client::Lost;
use crate::client::body::RequestBody;
use crate::log::Level;
use crate::refusal::Refusal;

/// The place of a body that is lent. It is empty while somebody reads the body.
#[derive(Debug, Clone)]
pub struct Loan(Rc<RefCell<Option<RequestBody>>>);

/// A lent body in the hands of who reads it. It goes back when this is dropped.
#[derive(Debug)]
pub struct Lent {
    body: Option<RequestBody>,
    home: Loan,
}

/// What is still to be passed on when the head of the answer has come.
pub struct Upload {
    sending: Sending,
    attempt: Rc<Try>,
}

impl Loan {
    /// Lends a body.
    pub fn of(body: RequestBody) -> Loan {
        Loan(Rc::new(RefCell::new(Some(body))))
    }

    /// The body, until what is answered is dropped.
    pub fn borrow(&self) -> Lent {
        Lent { body: self.take(), home: self.clone() }
    }

    /// The body, for good.
    pub fn take(&self) -> Option<RequestBody> {
        self.0.borrow_mut().take()
    }
}

impl Lent {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        match &mut self.body {
            Some(body) => body.next().await,
            None => Ok(None),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            self.home.0.replace(Some(body));
        }
    }
}

impl Upload {
    /// The rest of what is being sent.
    pub fn new(sending: Sending, attempt: Rc<Try>) -> Upload {
        attempt.uploading.set(true);
        Upload { sending, attempt }
    }

    /// Whose `uploading` says how long the client is still sending.
    pub fn attempt(&self) -> Rc<Try> {
        Rc::clone(&self.attempt)
    }

    /// Passes the body on while the answer is sent, until that is over. What stops the one cuts the
    /// other.
    pub async fn beside<T>(self, answer: impl Future<Output = Result<T, Lost>>) -> Result<T, Lost> {
        let mut answer = pin!(answer);
        let mut upload = Some(self);
        poll_fn(|cx| {
            // First: what follows an upload in the answer's way must see that it is over.
            let sent = upload.as_mut().map(|upload| upload.sending.as_mut().poll(cx));
            if let Some(Poll::Ready(sent)) = sent
                && let Some(Upload { attempt, .. }) = upload.take().as_ref()
                && let Err(lost) = judge(sent, attempt)
            {
                return Poll::Ready(Err(lost));
            }
            answer.as_mut().poll(cx)
        })
        .await
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.attempt.uploading.set(false);
        // The app's time for the rest of its answer begins.
        self.attempt.touch();
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Upload")
    }
}

fn judge(sent: Result<(), Stopped>, attempt: &Try) -> Result<(), Lost> {
    let (level, cause, lost) = match sent {
        // An app may answer without reading everything.
        Ok(()) | Err(Stopped::Broken) => return Ok(()),
        Err(Stopped::Late(limit)) => (Level::Error, late(Doing::Sending, limit), Lost::Late),
        Err(Stopped::Client(refusal)) => {
            (refusal.level().unwrap_or(Level::Info), refusal.to_string(), Lost::Closed)
        }
    };
    attempt.cut.replace(Some((level, cause)));
    Err(lost)
}
