//! The Date field, formatted once a second.

use std::cell::{Cell, RefCell};
use std::time::{SystemTime, UNIX_EPOCH};

/// The date as HTTP writes it. It costs a look at the clock, which needs no system call.
#[derive(Debug, Default)]
pub struct Clock {
    second: Cell<i64>,
    text: RefCell<String>,
}

impl Clock {
    /// Writes the date to the end of `to`.
    pub fn write_date(&self, to: &mut Vec<u8>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        if self.second.replace(now) != now {
            *self.text.borrow_mut() = wire::date::format(now);
        }
        to.extend_from_slice(self.text.borrow().as_bytes());
    }
}
