//! A system call that did not work: what was being done, to what, and what the kernel said.

use std::fmt;
use std::io;

/// Shown as `bind 0.0.0.0:80: Permission denied`.
#[derive(Debug, thiserror::Error)]
pub struct Failed {
    /// The deed, as the operator would say it: `open`, `bind`, `start`.
    pub doing: &'static str,
    /// What it was done to: a path, an address, an app's name.
    pub what: String,
    /// The kernel's answer, or ours.
    pub source: io::Error,
}

impl Failed {
    /// Names the deed and the object of an error.
    pub fn new(doing: &'static str, what: impl fmt::Display, source: io::Error) -> Self {
        Failed { doing, what: what.to_string(), source }
    }

    /// A failure that no system call reported.
    pub fn because(doing: &'static str, what: impl fmt::Display, why: impl Into<String>) -> Self {
        Failed::new(doing, what, io::Error::other(why.into()))
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.doing, self.what, reason(&self.source))
    }
}

/// The error's text without Rust's ` (os error N)`, which tells an operator nothing that the words do not.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_deed_object_and_reason() {
        let failed = Failed::new("bind", "0.0.0.0:80", io::Error::from_raw_os_error(13));
        assert_eq!(failed.to_string(), "bind 0.0.0.0:80: Permission denied");
    }
}
