//! The types of values: each knows its syntax, its reader and nginx's words for what is wrong with
//! it.

mod address;
mod app;
mod basic;
mod body;
mod headers;
mod list;
mod logs;
mod main;
mod names;
mod path;
mod regex;
mod routing;
mod scope;
mod text;
mod upstream;
mod variable;

pub use address::{Address, Listen, ListenOptions};
pub use app::{AppEnv, Command, Limit, Name, Reload, Umask, WorkPath};
pub use basic::{
    Bounded, Bytes, Ignored, Offset, Present, Seconds, Size, duration, free_words, offset, size,
};
pub use body::{Buffers, IfModifiedSince, KeepaliveTimeout, LingeringClose, TempPath};
pub use headers::{AddHeader, ServerTokens};
pub use list::List;
pub use logs::{AccessLog, AccessLogs, ErrorLog, ErrorLogTo, Escape, Level, LogFormat};
pub use main::{Env, EventMethod, Processes, User};
pub use names::{NameForm, ServerName, ServerNames};
pub use path::{DocumentRoot, FilePath};
pub use regex::{CaptureId, Regex};
pub use routing::{
    Candidate, ErrorPage, ErrorTarget, IndexFile, PageStatus, Return, TryFiles, TryLast, TypeTable,
};
pub use scope::{Complaint, Scope};
pub use text::{Part, Text};
pub use upstream::{NextUpstream, Off, Peer, UwsgiParam, UwsgiPass};
pub use variable::{VARIABLES, Variable, VariableRow};

pub(crate) use address::{ListenForm, Target};
pub(crate) use scope::{Catalogue, Registry};

use crate::syntax::Line;

/// A type that the words of a directive can be read into.
pub trait Value: Sized {
    /// What may follow the directive's name, for manuals and hints.
    const SYNTAX: &'static str;
    /// How many words may follow it.
    const ARITY: (usize, usize) = (1, 1);
    /// Whether it takes a block.
    const BLOCK: bool = false;
    /// Whether several lines of one level add up.
    const ADDS: bool = false;

    /// Reads the words. Their number and the block were checked before.
    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint>;

    /// Reads a further line of the same level.
    fn again(&mut self, line: &Line, _scope: &mut Scope<'_>) -> Result<(), Complaint> {
        Err(Complaint::of(line, "is duplicate"))
    }

    /// The value that stands for "nothing was written", where there is one.
    fn absent() -> Option<Self> {
        None
    }
}

/// What nginx takes as "any number of words".
pub const MANY: usize = usize::MAX;

/// Puts a line into a field: the first of a level replaces what was inherited, further ones add up
/// or are duplicates.
pub(crate) fn fill<T: Value>(
    field: &mut T,
    line: &Line,
    again: bool,
    scope: &mut Scope<'_>,
) -> Result<(), Complaint> {
    if again {
        field.again(line, scope)
    } else {
        *field = T::read(line, scope)?;
        Ok(())
    }
}

impl<T: Value> Value for Option<T> {
    const SYNTAX: &'static str = T::SYNTAX;
    const ARITY: (usize, usize) = T::ARITY;
    const BLOCK: bool = T::BLOCK;
    const ADDS: bool = T::ADDS;

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        T::read(line, scope).map(Some)
    }

    fn again(&mut self, line: &Line, scope: &mut Scope<'_>) -> Result<(), Complaint> {
        match self {
            Some(value) => value.again(line, scope),
            None => Err(Complaint::of(line, "is duplicate")),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}
