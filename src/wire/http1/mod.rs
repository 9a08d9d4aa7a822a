//! HTTP/1 as RFC 9112 has it and nginx speaks it: request heads in, response heads out, chunked
//! bodies both ways.
//!
//! A verdict never depends on how the bytes were cut on their way: every line is judged when its
//! line feed is there, by rules that see nothing behind it. Where nginx is lax and others have read
//! the same bytes differently (smuggling), this reader refuses. What a request means (which file,
//! which app) is not known here.

pub mod chunked;
pub mod field;
pub mod head;
pub mod host;
pub mod response;
pub mod target;

pub use field::{Known, Name};
pub use head::{Framing, Head, Limits, Span, Version};

/// Why a request cannot be read. The connection ends after the answer: what follows cannot be
/// trusted to be a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// It breaks the grammar; the text says where, for the log.
    Malformed(&'static str),
    /// The request line is longer than a large buffer.
    LineTooLong,
    /// A field line, or the head as a whole, is longer than the buffers allow, or has too many
    /// fields.
    FieldsTooLarge(&'static str),
    /// A transfer coding other than `chunked`.
    Coding,
    /// A major version past 1.
    Version,
}

impl Bad {
    /// The status that answers it. 494 is nginx's own: selectable by error_page, shown to the
    /// client as 400.
    pub fn status(self) -> u16 {
        match self {
            Bad::Malformed(_) => 400,
            Bad::LineTooLong => 414,
            Bad::FieldsTooLarge(_) => 494,
            Bad::Coding => 501,
            Bad::Version => 505,
        }
    }

    /// What was wrong, for the log.
    pub fn text(self) -> &'static str {
        match self {
            Bad::Malformed(text) | Bad::FieldsTooLarge(text) => text,
            Bad::LineTooLong => "client sent too long URI",
            Bad::Coding => "client sent unknown \"Transfer-Encoding\"",
            Bad::Version => "client sent an unsupported HTTP version",
        }
    }
}
