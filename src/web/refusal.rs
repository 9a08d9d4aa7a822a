//! Why a request is not answered as asked: a closed list. One table here maps each to its status,
//! its level in the error log, and the line that names cause, evidence and remedy.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use wire::http1::Bad;

use crate::log::Level;

/// Why a request is refused.
#[derive(Debug)]
pub enum Refusal {
    /// The configuration says so (`return 403;`, `try_files … =404;`). Nothing is logged.
    Asked(u16),
    /// The request cannot be read.
    Bad(Bad),
    /// The path of the request cannot be read, or leads above the root.
    BadPath,
    /// The head did not arrive in time.
    HeadTimeout,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body's chunks cannot be read.
    BadBody(&'static str),
    /// The body is longer than `client_max_body_size`.
    TooLarge {
        /// What the client declared, or what had arrived when it was too much.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// The client left.
    ClientGone,
    /// This method has no meaning here.
    Method,
    /// The location is `internal`, and the request came from outside.
    Internal,
    /// A file cannot be opened or read.
    File {
        /// `open()`, `read()`…
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// What the path names is neither a file nor a directory.
    NotRegular(PathBuf),
    /// A directory has no index file.
    NoIndex(PathBuf),
    /// No part that was asked for exists.
    Range {
        /// How long the file is.
        length: u64,
    },
    /// A condition of the request does not hold.
    Precondition,
    /// The request's body cannot be kept.
    Spool {
        /// Where it was to be kept.
        place: PathBuf,
        /// Why it could not be.
        error: io::Error,
    },
    /// No such named location.
    NoLocation(Vec<u8>),
    /// A cycle of rewrites, error pages, index files or the like.
    TooManyTurns,
    /// The app gave no answer.
    Upstream {
        /// 431, 500, 502, 503 or 504.
        status: u16,
        /// Cause, evidence and remedy.
        cause: String,
        /// Sent as Retry-After.
        retry_after: Option<Duration>,
    },
    /// An app answered with this status, and `uwsgi_intercept_errors` is on.
    Intercepted(u16),
    /// Something that should work did not.
    Failed {
        /// What.
        doing: &'static str,
        /// Why.
        cause: String,
    },
}

impl Refusal {
    /// The status that the phases see. 494 is shown to the client as 400.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::Asked(status)
            | Refusal::Upstream { status, .. }
            | Refusal::Intercepted(status) => *status,
            Refusal::Bad(bad) => bad.status(),
            Refusal::BadPath | Refusal::BadBody(_) => 400,
            Refusal::HeadTimeout | Refusal::BodyTimeout => 408,
            Refusal::TooLarge { .. } => 413,
            Refusal::ClientGone => 499,
            Refusal::Method => 405,
            Refusal::Internal | Refusal::NotRegular(_) => 404,
            Refusal::File { error, .. } => file_status(error),
            Refusal::NoIndex(_) => 403,
            Refusal::Range { .. } => 416,
            Refusal::Precondition => 412,
            Refusal::NoLocation(_) | Refusal::TooManyTurns | Refusal::Failed { .. } => 500,
            Refusal::Spool { error, .. } => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => 507,
                _ => 500,
            },
        }
    }

    /// How the error log takes it. `None`: it is nobody's fault and is not logged.
    pub fn level(&self) -> Option<Level> {
        Some(match self {
            Refusal::Asked(_)
            | Refusal::Method
            | Refusal::Precondition
            | Refusal::Range { .. }
            | Refusal::Intercepted(_)
            | Refusal::Internal => return None,
            Refusal::Bad(_)
            | Refusal::BadPath
            | Refusal::BadBody(_)
            | Refusal::HeadTimeout
            | Refusal::BodyTimeout
            | Refusal::ClientGone => Level::Info,
            Refusal::File { .. } if self.status() == 500 => Level::Crit,
            Refusal::Spool { .. } => Level::Crit,
            Refusal::TooLarge { .. }
            | Refusal::File { .. }
            | Refusal::NotRegular(_)
            | Refusal::NoIndex(_)
            | Refusal::NoLocation(_)
            | Refusal::TooManyTurns
            | Refusal::Upstream { .. }
            | Refusal::Failed { .. } => Level::Error,
        })
    }

    /// Whether it is the 404 of a file, which `log_not_found off` keeps out of the log.
    pub fn is_missing_file(&self) -> bool {
        matches!(self, Refusal::File { .. } | Refusal::NotRegular(_)) && self.status() == 404
    }

    /// Whether the connection can be kept: not when the end of the request is in doubt.
    pub fn ends_connection(&self) -> bool {
        match self {
            Refusal::Bad(_)
            | Refusal::BadPath
            | Refusal::BadBody(_)
            | Refusal::HeadTimeout
            | Refusal::BodyTimeout
            | Refusal::ClientGone => true,
            _ => matches!(self.status(), 400 | 413 | 414 | 494..=497 | 500 | 501),
        }
    }
}

/// The status of a file that cannot be opened, as nginx has it.
pub fn file_status(error: &io::Error) -> u16 {
    match error.raw_os_error() {
        Some(ENOENT | ENOTDIR | ENAMETOOLONG) => 404,
        Some(EACCES) => 403,
        _ => match error.kind() {
            io::ErrorKind::NotFound => 404,
            io::ErrorKind::PermissionDenied => 403,
            _ => 500,
        },
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Asked(status) | Refusal::Intercepted(status) => write!(to, "status {status}"),
            Refusal::Bad(Bad::LineTooLong) => to.write_str(
                "client sent too long URI; large_client_header_buffers sets the longest request line",
            ),
            Refusal::Bad(bad @ Bad::FieldsTooLarge(_)) => {
                write!(to, "{}; large_client_header_buffers sets the limit", bad.text())
            }
            Refusal::Bad(bad) => to.write_str(bad.text()),
            Refusal::BadPath => to.write_str("client sent a path that cannot be read"),
            Refusal::HeadTimeout => to.write_str("client timed out while it sent the head"),
            Refusal::BodyTimeout => to.write_str("client timed out while it sent the body"),
            Refusal::BadBody(text) => to.write_str(text),
            Refusal::TooLarge { length, limit } => write!(
                to,
                "client intended to send too large body: {length} bytes; client_max_body_size \
                 is {limit} here"
            ),
            Refusal::ClientGone => to.write_str("client closed the connection too early"),
            Refusal::Method => to.write_str("method is not allowed here"),
            Refusal::Internal => to.write_str("location is internal"),
            Refusal::File { doing, path, error } => file_line(to, doing, path, error),
            Refusal::NotRegular(path) => write!(to, "\"{}\" is not a regular file", path.display()),
            Refusal::NoIndex(path) => write!(
                to,
                "directory index of \"{}\" is forbidden: no index file is there; the index \
                 directive names them",
                path.display()
            ),
            Refusal::Range { length } => write!(to, "range not satisfiable in {length} bytes"),
            Refusal::Precondition => to.write_str("precondition failed"),
            Refusal::Spool { place, error } => write!(
                to,
                "request body cannot be kept in \"{}\" ({}); client_body_temp_path names the \
                 directory",
                place.display(),
                Errno(error)
            ),
            Refusal::NoLocation(name) => {
                write!(to, "could not find named location \"@{}\"", String::from_utf8_lossy(name))
            }
            Refusal::TooManyTurns => to.write_str("rewrite or internal redirection cycle"),
            Refusal::Upstream { cause, .. } => to.write_str(cause),
            Refusal::Failed { doing, cause } => write!(to, "{doing}: {cause}"),
        }
    }
}

fn file_line(
    to: &mut fmt::Formatter<'_>,
    doing: &str,
    path: &std::path::Path,
    error: &io::Error,
) -> fmt::Result {
    write!(to, "{doing} \"{}\" failed ({})", path.display(), Errno(error))?;
    if file_status(error) == 403 {
        to.write_str(
            "; the user of web workers (`user`) needs read permission on the file and search \
             permission on every directory above it",
        )?;
    }
    Ok(())
}

/// An error as nginx writes it: `13: Permission denied`.
pub struct Errno<'a>(pub &'a io::Error);

impl fmt::Display for Errno<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match self.0.raw_os_error() {
            Some(number) => {
                let end = text.find(" (os error").unwrap_or(text.len());
                write!(to, "{number}: {}", &text[..end])
            }
            None => to.write_str(&text),
        }
    }
}

const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;
const ENAMETOOLONG: i32 = 36;
