//! A system call that did not work: what was being done, to what, and what the kernel said.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// Shown as `bind 0.0.0.0:80: Permission denied; ports below 1024 need root…`.
#[derive(Debug, thiserror::Error)]
pub struct Failed {
    /// The deed, as the operator would say it: `open`, `bind`, `start`.
    pub doing: Cow<'static, str>,
    /// What it was done to: a path, an address, an app's name.
    pub what: String,
    /// The kernel's answer, or ours.
    pub source: io::Error,
}

impl Failed {
    /// Names the deed and the object of an error.
    pub fn new(
        doing: impl Into<Cow<'static, str>>,
        what: impl fmt::Display,
        source: io::Error,
    ) -> Self {
        Failed { doing: doing.into(), what: what.to_string(), source }
    }

    /// A failure that no system call reported.
    pub fn because(
        doing: impl Into<Cow<'static, str>>,
        what: impl fmt::Display,
        why: impl Into<String>,
    ) -> Self {
        Failed::new(doing, what, io::Error::other(why.into()))
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.doing, self.what, reason(&self.source))?;
        match remedy(&self.doing, self.source.kind(), sys::identity::is_root()) {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// What an operator can do about it, where one thing is the likely cause.
fn remedy(doing: &str, kind: io::ErrorKind, root: bool) -> Option<&'static str> {
    match (doing, kind) {
        ("bind", io::ErrorKind::AddrInUse) => {
            Some("another process listens there (ss -lntpx shows which)")
        }
        ("bind", io::ErrorKind::PermissionDenied) => {
            Some("ports below 1024 need root or CAP_NET_BIND_SERVICE")
        }
        ("bind", io::ErrorKind::AddrNotAvailable) => {
            Some("this machine has no such address (ip address shows those it has)")
        }
        ("open" | "make" | "write" | "lock", io::ErrorKind::PermissionDenied) if !root => {
            Some("start liege as root, or give -p PREFIX with a directory of your own")
        }
        _ => None,
    }
}

/// The error's text without Rust's ` (os error N)`, which tells an operator nothing that the words
/// do not.
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
        assert!(failed.to_string().starts_with("bind 0.0.0.0:80: Permission denied; ports"));
        let failed = Failed::because("use", "/run/x", "it is not a directory");
        assert_eq!(failed.to_string(), "use /run/x: it is not a directory");
    }

    #[test]
    fn a_remedy_is_named_only_where_it_helps() {
        let denied = io::ErrorKind::PermissionDenied;
        assert!(remedy("make", denied, false).unwrap().contains("-p PREFIX"));
        assert_eq!(remedy("make", denied, true), None);
        assert!(remedy("bind", io::ErrorKind::AddrInUse, true).is_some());
        assert_eq!(remedy("execute", denied, false), None);
    }
}
