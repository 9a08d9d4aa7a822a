//! Values that decide what answers a request: files to try, answers in place, error pages, types of
//! files.

use std::collections::HashMap;
use std::sync::Arc;

use super::basic::{free_words, number};
use super::{Complaint, List, MANY, Scope, Text, Value};
use crate::diagnostic::shown;
use crate::syntax::Line;

/// What `try_files` looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TryFiles {
    /// In this order.
    pub candidates: Vec<Candidate>,
    /// When none is there.
    pub last: TryLast,
}

/// A file or directory that may be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its path under root or alias, without the slash of a directory.
    pub path: Text,
    /// Whether it must be a directory.
    pub directory: bool,
}

/// What happens when no file of `try_files` is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TryLast {
    /// An internal redirect; arguments may be in it.
    Uri(Text),
    /// The named location, with its `@`.
    Named(Vec<u8>),
    /// An answer with this status.
    Status(u16),
}

/// What `return` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Return {
    /// Nothing: the connection is closed (444).
    Close,
    /// The status alone; from 400 on `error_page` may answer.
    Status(u16),
    /// The status with a text as body.
    Text {
        /// The status.
        status: u16,
        /// The body.
        text: Text,
    },
    /// A redirect: 301, 302, 303, 307 or 308.
    Redirect {
        /// The status.
        status: u16,
        /// The Location field.
        to: Text,
    },
}

/// What `error_page` puts in the place of errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    /// For these statuses.
    pub statuses: Vec<u16>,
    /// The status that the client sees.
    pub answer: PageStatus,
    /// The page.
    pub to: ErrorTarget,
}

/// Which status goes with an error page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageStatus {
    /// The error's own.
    Kept,
    /// This one.
    Fixed(u16),
    /// That of whatever makes the page.
    OfPage,
}

/// Where an error page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorTarget {
    /// An internal redirect with GET.
    Uri(Text),
    /// The named location, with its `@`; the method stays.
    Named(Vec<u8>),
    /// A redirect of the client.
    Url(Text),
}

/// A name that `index` tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFile {
    /// The name. One with a leading slash is an internal redirect without a look at the disk; only
    /// the last may have one.
    pub name: Text,
}

/// File name extensions and their types.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TypeTable {
    /// By extension, lower case, without the dot.
    by_extension: Arc<HashMap<Vec<u8>, Arc<[u8]>>>,
}

impl TypeTable {
    /// The type of an extension, compared without case.
    pub fn of(&self, extension: &[u8]) -> Option<&Arc<[u8]>> {
        if extension.iter().any(u8::is_ascii_uppercase) {
            return self.by_extension.get(&extension.to_ascii_lowercase());
        }
        self.by_extension.get(extension)
    }

    fn add(&mut self, line: &Line, scope: &mut Scope<'_>) -> Result<(), Complaint> {
        for inner in free_words(line) {
            if inner.block.is_some() {
                return Err(Complaint::new("unexpected \"{\"").hint("a type has no block"));
            }
            let mime: Arc<[u8]> = inner.name().into();
            for word in inner.arguments() {
                let extension = word.bytes.to_ascii_lowercase();
                let table = Arc::make_mut(&mut self.by_extension);
                let before = table.insert(extension, mime.clone());
                let Some(before) = before.filter(|before| *before != mime) else { continue };
                scope.warn(Complaint::new(format!(
                    "duplicate extension \"{}\", content type: \"{}\", previous content type: \
                     \"{}\"",
                    shown(&word.bytes),
                    shown(&mime),
                    shown(&before)
                )));
            }
        }
        Ok(())
    }
}

impl Value for TypeTable {
    const SYNTAX: &'static str = "{ type extension ...; ... }";
    const ARITY: (usize, usize) = (0, 0);
    const BLOCK: bool = true;
    const ADDS: bool = true;

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let mut table = TypeTable::default();
        table.add(line, scope)?;
        Ok(table)
    }

    fn again(&mut self, line: &Line, scope: &mut Scope<'_>) -> Result<(), Complaint> {
        self.add(line, scope)
    }

    /// nginx's three types for those who have no table.
    fn absent() -> Option<Self> {
        let pairs = [("html", "text/html"), ("gif", "image/gif"), ("jpg", "image/jpeg")];
        let pairs = pairs.map(|(extension, mime)| (extension.into(), mime.as_bytes().into()));
        Some(TypeTable { by_extension: Arc::new(pairs.into()) })
    }
}

impl Value for List<IndexFile> {
    const SYNTAX: &'static str = "file ...";
    const ARITY: (usize, usize) = (1, MANY);
    const ADDS: bool = true;

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let mut files = List::default();
        files.again(line, scope)?;
        Ok(files)
    }

    fn again(&mut self, line: &Line, scope: &mut Scope<'_>) -> Result<(), Complaint> {
        for (index, word) in line.arguments().iter().enumerate() {
            if word.bytes.is_empty() {
                let message = "index \"\" in \"index\" directive is invalid";
                return Err(Complaint::new(message).at(index + 1));
            }
            if word.bytes.starts_with(b"/") && index + 1 != line.arguments().len() {
                scope.warn(
                    Complaint::new("only the last index in \"index\" directive should be absolute")
                        .at(index + 1),
                );
            }
            self.push(IndexFile { name: Text::argument(line, index, scope)? });
        }
        Ok(())
    }
}

impl Value for TryFiles {
    const SYNTAX: &'static str = "file ... uri | @name | =code";
    const ARITY: (usize, usize) = (2, MANY);

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let count = line.arguments().len();
        let mut candidates = vec![];
        for index in 0..count - 1 {
            let word = line.argument(index);
            // A path of one slash is the directory that the location names itself.
            let directory = word.len() > 1 && word.ends_with(b"/");
            let cut = if directory { &word[..word.len() - 1] } else { word };
            let path = Text::compile(cut, scope).map_err(|complaint| complaint.at(index + 1))?;
            candidates.push(Candidate { path, directory });
        }
        let last = line.argument(count - 1);
        let last = match last.first() {
            Some(b'=') => match number(&last[1..]) {
                Some(status @ 0..=999) => TryLast::Status(status as u16),
                _ => {
                    let message = format!("invalid code \"{}\"", shown(last));
                    return Err(Complaint::new(message).at(count).hint("=404"));
                }
            },
            Some(b'@') => TryLast::Named(last.to_vec()),
            _ => TryLast::Uri(Text::argument(line, count - 1, scope)?),
        };
        Ok(TryFiles { candidates, last })
    }
}

impl Value for Return {
    const SYNTAX: &'static str = "code [text] | code url | url";
    const ARITY: (usize, usize) = (1, 2);

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let first = line.argument(0);
        let Some(status) = number(first) else {
            let is_url = [&b"http://"[..], b"https://", b"$scheme"];
            if line.arguments().len() == 1 && is_url.iter().any(|start| first.starts_with(start)) {
                return Ok(Return::Redirect { status: 302, to: Text::argument(line, 0, scope)? });
            }
            let message = format!("invalid return code \"{}\"", shown(first));
            return Err(Complaint::new(message)
                .at(1)
                .hint("a status, or a URL that begins with http://, https:// or $scheme"));
        };
        let Some(status) = u16::try_from(status).ok().filter(|&status| status <= 999) else {
            let message = format!("invalid return code \"{}\"", shown(first));
            return Err(Complaint::new(message).at(1));
        };
        let text = match line.arguments().len() {
            1 => None,
            _ => Some(Text::argument(line, 1, scope)?),
        };
        Ok(match (status, text) {
            (444, None) => Return::Close,
            (_, None) => Return::Status(status),
            (301 | 302 | 303 | 307 | 308, Some(to)) => Return::Redirect { status, to },
            (_, Some(text)) => Return::Text { status, text },
        })
    }
}

impl Value for ErrorPage {
    const SYNTAX: &'static str = "code ... [=[response]] uri";
    const ARITY: (usize, usize) = (2, MANY);

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let count = line.arguments().len();
        let mut last_status = count - 1;
        let mut answer = PageStatus::Kept;
        if line.argument(count - 2).starts_with(b"=") {
            last_status = count - 2;
            answer = page_status(line, count - 2)?;
        }
        let to = match line.argument(count - 1) {
            word if word.starts_with(b"@") => ErrorTarget::Named(word.to_vec()),
            word if word.starts_with(b"/") => {
                ErrorTarget::Uri(Text::argument(line, count - 1, scope)?)
            }
            word if word.starts_with(b"=") => {
                let message = format!("invalid value \"{}\"", shown(word));
                return Err(Complaint::new(message).at(count).hint("the page itself is missing"));
            }
            _ => ErrorTarget::Url(Text::argument(line, count - 1, scope)?),
        };
        let mut statuses = vec![];
        for index in 0..last_status {
            statuses.push(error_status(line, index)?);
        }
        if statuses.is_empty() {
            return Err(Complaint::of(line, "invalid number of arguments"));
        }
        Ok(ErrorPage { statuses, answer, to })
    }
}

fn page_status(line: &Line, index: usize) -> Result<PageStatus, Complaint> {
    match &line.argument(index)[1..] {
        b"" => Ok(PageStatus::OfPage),
        digits => match number(digits) {
            Some(status @ 0..=999) => Ok(PageStatus::Fixed(status as u16)),
            _ => {
                let word = shown(line.argument(index));
                Err(Complaint::new(format!("invalid value \"{word}\"")).at(index + 1))
            }
        },
    }
}

fn error_status(line: &Line, index: usize) -> Result<u16, Complaint> {
    let word = line.argument(index);
    match number(word) {
        Some(499) => {
            let message = format!("invalid value \"{}\"", shown(word));
            Err(Complaint::new(message).at(index + 1).hint("a client that left sees no page"))
        }
        Some(status @ 300..=599) => Ok(status as u16),
        Some(_) => {
            let message = format!("value \"{}\" must be between 300 and 599", shown(word));
            Err(Complaint::new(message).at(index + 1))
        }
        None => {
            let message = format!("invalid value \"{}\"", shown(word));
            Err(Complaint::new(message).at(index + 1).hint("a status from 300 to 599"))
        }
    }
}
