//! One timer for the waits of one try: it is made when something first has to wait, and moved
//! instead of made anew.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::Sleep;

/// A timer that may not exist yet.
#[derive(Debug, Default)]
pub struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready when `deadline` has passed.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep =
            self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        loop {
            if deadline < sleep.deadline().into_std() {
                sleep.as_mut().reset(deadline.into());
            }
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline().into_std() >= deadline {
                return Poll::Ready(());
            }
            // It was set for an earlier wait: that one went well.
            sleep.as_mut().reset(deadline.into());
        }
    }
}
