//! Why an app gave no answer: the cause, the evidence, and the directive or command that changes
//! it.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::refusal::{Errno, Refusal};

/// A try that failed, or all of them.
#[derive(Debug)]
pub struct Failure {
    /// What kind, for `uwsgi_next_upstream` and the status.
    pub kind: Kind,
    /// The text for the log.
    pub cause: String,
    /// For Retry-After.
    pub retry_after: Option<Duration>,
}

/// Kinds of failures, as `uwsgi_next_upstream` tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The connection failed or was closed.
    Error,
    /// Something took too long.
    Timeout,
    /// What came is no answer.
    InvalidHeader,
    /// The line before the app's door did not move in time.
    Full,
    /// The app does not run and is not expected to at once.
    Down,
    /// No server is left to try.
    NoneLeft,
}

/// What was being done when it failed, in nginx's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// connecting to upstream
    Connecting,
    /// sending request to upstream
    Sending,
    /// reading response header from upstream
    ReadingHead,
    /// reading upstream
    ReadingBody,
}

impl Doing {
    /// The words.
    pub fn words(self) -> &'static str {
        match self {
            Doing::Connecting => "connecting to upstream",
            Doing::Sending => "sending request to upstream",
            Doing::ReadingHead => "reading response header from upstream",
            Doing::ReadingBody => "reading upstream",
        }
    }

    /// The directive that says how long it may take.
    pub fn limit(self) -> &'static str {
        match self {
            Doing::Connecting => "uwsgi_connect_timeout",
            Doing::Sending => "uwsgi_send_timeout",
            Doing::ReadingHead | Doing::ReadingBody => "uwsgi_read_timeout",
        }
    }
}

/// A failure of the other end: what it was, to be told with its place and its app.
#[derive(Debug)]
pub enum Cause {
    /// A system call failed.
    System(Doing, io::Error),
    /// Nothing moved for so long.
    Timeout(Doing, Duration),
    /// The connection was closed before the head was complete.
    Closed,
    /// The head is larger than `uwsgi_buffer_size`.
    BigHead(u64),
    /// What came is no head.
    BadHead(wire::uwsgi::reply::Fault),
    /// The line before the app's door did not move.
    Full(Duration),
}

/// Whom a failure is about.
#[derive(Debug, Clone, Copy)]
pub struct Whom<'a> {
    /// The address, as nginx writes it.
    pub peer: &'a str,
    /// The path of its socket, where it is a Unix socket.
    pub path: Option<&'a Path>,
    /// The app of ours behind it.
    pub app: Option<&'a str>,
}

impl Cause {
    /// The failure, with everything that helps.
    pub fn about(self, whom: Whom<'_>) -> Failure {
        let mut cause = String::new();
        // Writing into a string cannot fail.
        let _ = self.tell(&mut cause, whom);
        Failure { kind: self.kind(), cause, retry_after: self.retry_after() }
    }

    fn kind(&self) -> Kind {
        match self {
            Cause::System(..) | Cause::Closed => Kind::Error,
            Cause::Timeout(..) => Kind::Timeout,
            Cause::BigHead(_) | Cause::BadHead(_) => Kind::InvalidHeader,
            Cause::Full(_) => Kind::Full,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        matches!(self, Cause::Full(_)).then_some(Duration::from_secs(1))
    }

    fn tell(&self, to: &mut String, whom: Whom<'_>) -> std::fmt::Result {
        match self {
            Cause::System(Doing::Connecting, error) => {
                write!(to, "connect() to {} failed ({})", whom.peer, Errno(error))?;
                write!(to, " while connecting to upstream")?;
                connect_advice(to, error, whom)
            }
            Cause::System(doing, error) => {
                let call = if *doing == Doing::Sending { "send" } else { "recv" };
                write!(to, "{call}() failed ({}) while {}", Errno(error), doing.words())?;
                app_advice(to, whom)
            }
            Cause::Timeout(doing, limit) => {
                write!(to, "upstream timed out (110: Connection timed out)")?;
                write!(to, " while {}: nothing moved for ", doing.words())?;
                write!(to, "{limit:?}, the {}", doing.limit())
            }
            Cause::Closed => {
                write!(to, "upstream prematurely closed connection while ")?;
                write!(to, "{}", Doing::ReadingHead.words())?;
                app_advice(to, whom)
            }
            Cause::BigHead(size) => {
                write!(to, "upstream sent too big header while reading response header from ")?;
                write!(to, "upstream: uwsgi_buffer_size is {size}")
            }
            Cause::BadHead(fault) => {
                write!(to, "upstream {fault} while reading response header from upstream")
            }
            Cause::Full(limit) => full(to, *limit, whom),
        }
    }
}

fn full(to: &mut String, limit: Duration, whom: Whom<'_>) -> std::fmt::Result {
    match whom.app {
        Some(app) => write!(
            to,
            "app \"{app}\" is overloaded: the queue of {} stayed full for {limit:?}, the \
             uwsgi_connect_timeout; more processes or threads serve more at once, listen makes \
             the queue longer",
            whom.peer
        ),
        None => write!(
            to,
            "connect() to {} failed (11: Resource temporarily unavailable) while connecting to \
             upstream: its queue stayed full for {limit:?}, the uwsgi_connect_timeout",
            whom.peer
        ),
    }
}

fn app_advice(to: &mut String, whom: Whom<'_>) -> std::fmt::Result {
    match whom.app {
        Some(app) => write!(
            to,
            ": a worker of app \"{app}\" ended or closed the connection without an answer; the \
             lines of app \"{app}\" in the log say why"
        ),
        None => Ok(()),
    }
}

fn connect_advice(to: &mut String, error: &io::Error, whom: Whom<'_>) -> std::fmt::Result {
    let Some(path) = whom.path else {
        return match error.kind() {
            io::ErrorKind::ConnectionRefused => write!(to, ": nothing listens there"),
            _ => Ok(()),
        };
    };
    match error.kind() {
        io::ErrorKind::NotFound => not_found(to, path),
        io::ErrorKind::ConnectionRefused => {
            write!(to, ": the socket is there, but no process listens on it any more")
        }
        io::ErrorKind::PermissionDenied => denied(to, path),
        _ => Ok(()),
    }
}

fn not_found(to: &mut String, path: &Path) -> std::fmt::Result {
    let missing = parents(path).into_iter().find(|dir| !dir.exists());
    match missing {
        Some(dir) => write!(to, ": directory {} does not exist", dir.display()),
        None => write!(to, ": nothing has made the socket yet; start its server"),
    }
}

/// Names the directory that may not be passed, or the socket that may not be written.
fn denied(to: &mut String, path: &Path) -> std::fmt::Result {
    for dir in parents(path) {
        if sys::file::access(&dir, sys::file::Want::Execute).is_err() {
            write!(to, ": directory {} may not be searched by this user", dir.display())?;
            owner(to, &dir)?;
            return write!(to, "; chmod o+x on it, or another place for the socket, helps");
        }
    }
    write!(to, ": this user may not write to the socket")?;
    owner(to, path)?;
    write!(to, "; its server's umask or chmod option, or the user directive here, changes that")
}

fn owner(to: &mut String, path: &Path) -> std::fmt::Result {
    match sys::file::statx(path) {
        Ok(meta) => {
            let mode = meta.mode & 0o7777;
            write!(to, " (mode {mode:04o}, uid {}, gid {})", meta.uid, meta.gid)
        }
        Err(_) => Ok(()),
    }
}

/// The directories above a path, the root first.
fn parents(path: &Path) -> Vec<PathBuf> {
    let mut parents: Vec<_> = path.ancestors().skip(1).map(Path::to_path_buf).collect();
    parents.retain(|dir| !dir.as_os_str().is_empty());
    parents.reverse();
    parents
}

impl Failure {
    /// An app that its master has given up for the moment.
    pub fn down(app: &str, cause: &str, retry: Duration) -> Failure {
        let seconds = retry.as_secs().max(1);
        Failure {
            kind: Kind::Down,
            cause: format!(
                "app \"{app}\" is down: {cause}; it is started again within {seconds}s, or at \
                 once when its code or the configuration changes"
            ),
            retry_after: Some(Duration::from_secs(seconds)),
        }
    }

    /// A group without a server that could be asked.
    pub fn none_left(group: &str) -> Failure {
        Failure {
            kind: Kind::NoneLeft,
            cause: format!(
                "no live upstreams while connecting to upstream: all servers of \"{group}\" are \
                 down, full, or failed max_fails times within their fail_timeout"
            ),
            retry_after: None,
        }
    }

    /// The status that the client gets (nginx-semantics 16.4).
    pub fn status(&self) -> u16 {
        match self.kind {
            Kind::Error | Kind::InvalidHeader | Kind::NoneLeft => 502,
            Kind::Timeout => 504,
            Kind::Full | Kind::Down => 503,
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        let status = failure.status();
        Refusal::Upstream { status, cause: failure.cause, retry_after: failure.retry_after }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn about(path: &Path, error: i32, app: Option<&str>) -> Failure {
        let peer = format!("unix:{}", path.display());
        let cause = Cause::System(Doing::Connecting, io::Error::from_raw_os_error(error));
        cause.about(Whom { peer: &peer, path: Some(path), app })
    }

    #[test]
    fn a_missing_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let failure = about(&dir.path().join("none/deep/app.sock"), 2, None);
        let wanted = format!("directory {} does not exist", dir.path().join("none").display());
        assert!(failure.cause.ends_with(&wanted), "{}", failure.cause);
        assert!(failure.cause.contains("(2: No such file or directory)"), "{}", failure.cause);
        assert_eq!(failure.status(), 502);
    }

    #[test]
    fn a_socket_that_may_not_be_written_is_shown_with_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let failure = about(&path, 13, None);
        assert!(failure.cause.contains("may not write to the socket (mode 0600"), "{failure:?}");
    }

    #[test]
    fn each_cause_has_its_status_and_names_its_directive() {
        let whom = Whom { peer: "unix:/s", path: None, app: Some("blog") };
        let second = Duration::from_secs(1);
        let cases = [
            (Cause::Timeout(Doing::ReadingHead, second), 504, "uwsgi_read_timeout"),
            (Cause::Timeout(Doing::Connecting, second), 504, "uwsgi_connect_timeout"),
            (Cause::Closed, 502, "app \"blog\" in the log"),
            (Cause::BigHead(4096), 502, "uwsgi_buffer_size"),
            (Cause::Full(second), 503, "more processes"),
        ];
        for (cause, status, word) in cases {
            let failure = cause.about(whom);
            assert_eq!(failure.status(), status, "{failure:?}");
            assert!(failure.cause.contains(word), "{failure:?}");
        }
    }
}
