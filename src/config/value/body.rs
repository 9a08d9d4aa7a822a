//! Values about bodies, buffers and the life of connections.

use std::path::PathBuf;
use std::time::Duration;

use super::basic::{Resolution, choose, number};
use super::{Complaint, FilePath, Scope, Value, duration, size};
use crate::syntax::Line;

/// Several buffers of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffers {
    /// How many.
    pub count: u64,
    /// The size of each, in bytes.
    pub size: u64,
}

/// A directory for temporary files. Its levels are read and without effect: such files have no
/// names here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TempPath {
    /// The directory.
    pub path: PathBuf,
}

/// How long an idle connection is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepaliveTimeout {
    /// The time; zero closes at once.
    pub idle: Duration,
    /// What the Keep-Alive field says, in seconds; none sends no such field.
    pub announced: Option<Duration>,
}

/// How If-Modified-Since is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfModifiedSince {
    /// Not at all: always modified.
    Off,
    /// Equal times are not modified.
    Exact,
    /// Equal or older ones are not modified.
    Before,
}

/// When what a client still sends is read and thrown away before the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LingeringClose {
    /// Never.
    Off,
    /// When more data may come.
    On,
    /// Always.
    Always,
}

impl Value for Buffers {
    const SYNTAX: &'static str = "number size";
    const ARITY: (usize, usize) = (2, 2);

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let count = number(line.argument(0)).filter(|&count| count > 0);
        let size = size(line.argument(1)).filter(|&size| size > 0);
        match (count, size) {
            (Some(count), Some(size)) if count.checked_mul(size).is_some() => {
                Ok(Buffers { count, size })
            }
            (None, _) => Err(Complaint::invalid(line).hint("how many, then the size of one: 4 8k")),
            _ => Err(Complaint::invalid(line).at(2).hint("how many, then the size of one: 4 8k")),
        }
    }
}

impl Value for TempPath {
    const SYNTAX: &'static str = "path [level1 [level2 [level3]]]";
    const ARITY: (usize, usize) = (1, 4);

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        for index in 1..line.arguments().len() {
            if !matches!(number(line.argument(index)), Some(1..)) {
                return Err(Complaint::invalid(line).at(index + 1).hint("a level is 1, 2 or 3"));
            }
        }
        FilePath::argument(line, 0, scope).map(|path| TempPath { path: path.0 })
    }
}

impl Value for KeepaliveTimeout {
    const SYNTAX: &'static str = "time [header_time]";
    const ARITY: (usize, usize) = (1, 2);

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let idle = duration(line.argument(0), Resolution::Milliseconds)
            .ok_or_else(|| Complaint::invalid(line))?;
        let announced = match line.words.get(2) {
            None => None,
            Some(word) => Some(
                duration(&word.bytes, Resolution::Seconds)
                    .ok_or_else(|| Complaint::invalid(line).at(2))?,
            ),
        };
        Ok(KeepaliveTimeout { idle, announced })
    }
}

impl Value for IfModifiedSince {
    const SYNTAX: &'static str = "off | exact | before";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        choose(line, 0, &[("off", Self::Off), ("exact", Self::Exact), ("before", Self::Before)])
    }
}

impl Value for LingeringClose {
    const SYNTAX: &'static str = "off | on | always";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        choose(line, 0, &[("off", Self::Off), ("on", Self::On), ("always", Self::Always)])
    }
}
