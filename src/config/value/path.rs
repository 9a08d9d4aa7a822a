//! Paths: of files that liege opens by itself, and of documents, which may have variables in them.

use std::path::PathBuf;

use super::{Complaint, Part, Scope, Text, Value, Variable};
use crate::syntax::Line;

/// The path of a file or directory; a relative one starts at the prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(pub PathBuf);

/// Where documents are: `root` and `alias` are two ways to fill one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRoot {
    /// The directory (or, for an alias in a regex location, the file). A relative value was
    /// completed with the prefix, except when it begins with a variable: then the web worker
    /// completes what comes out.
    pub path: Text,
    /// For an alias: the literal of the location that it replaces in the path, empty in a location
    /// with a regular expression. A nested location inherits it with the outer location's length.
    pub alias: Option<Vec<u8>>,
    name: &'static str,
}

impl Value for FilePath {
    const SYNTAX: &'static str = "path";

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        FilePath::argument(line, 0, scope)
    }
}

impl FilePath {
    /// The path in an argument of a line.
    pub(crate) fn argument(
        line: &Line,
        index: usize,
        scope: &Scope<'_>,
    ) -> Result<Self, Complaint> {
        let word = line.words.get(index + 1).ok_or_else(|| Complaint::invalid(line))?;
        if word.bytes.is_empty() || word.bytes.contains(&0) {
            return Err(Complaint::invalid(line).at(index + 1).hint("a path cannot be empty"));
        }
        Ok(FilePath(scope.under_prefix(&word.path())))
    }
}

impl Value for DocumentRoot {
    const SYNTAX: &'static str = "path";

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let path = under_prefix(line, 0, scope)?;
        let refused = path.parts().iter().find_map(|part| match part {
            Part::Variable(Variable::DocumentRoot) => Some("$document_root"),
            Part::Variable(Variable::RealpathRoot) => Some("$realpath_root"),
            _ => None,
        });
        if let Some(name) = refused {
            let message = format!(
                "the {name} variable cannot be used in the \"{}\" directive",
                line.name_text()
            );
            return Err(Complaint::new(message).at(1));
        }
        if line.name() != b"alias" {
            return Ok(DocumentRoot { path: without_slash(path), alias: None, name: "root" });
        }
        let Some(matcher) = &scope.location else { return Err(Complaint::invalid(line)) };
        let Some(literal) = matcher.alias_length() else {
            let message = "the \"alias\" directive cannot be used inside the named location";
            return Err(Complaint::new(message).hint("use \"root\" here"));
        };
        Ok(DocumentRoot { path, alias: Some(literal.to_vec()), name: "alias" })
    }

    fn again(&mut self, line: &Line, _scope: &mut Scope<'_>) -> Result<(), Complaint> {
        if line.name() == self.name.as_bytes() {
            return Err(Complaint::of(line, "is duplicate"));
        }
        let (now, before) = (line.name_text(), self.name);
        let what = format!(
            "\"{now}\" directive is duplicate, \"{before}\" directive was specified earlier"
        );
        Err(Complaint::new(what).hint("a location has either a root or an alias"))
    }
}

/// A text that is a path: the prefix goes in front unless it begins with a slash or a variable.
pub(crate) fn under_prefix(
    line: &Line,
    index: usize,
    scope: &Scope<'_>,
) -> Result<Text, Complaint> {
    use std::os::unix::ffi::OsStrExt;
    let word = line.argument(index);
    if matches!(word.first(), Some(b'/' | b'$')) {
        return Text::argument(line, index, scope);
    }
    // The prefix is a path, not a text: a `$` in it is a letter.
    let relative = Text::argument(line, index, scope)?;
    let mut whole = scope.tree.prefix.as_os_str().as_bytes().to_vec();
    if !whole.ends_with(b"/") {
        whole.push(b'/');
    }
    Ok(relative.behind(&whole))
}

/// nginx cuts one slash from the end of a root.
fn without_slash(path: Text) -> Text {
    match path.literal() {
        Some(bytes) if bytes.ends_with(b"/") => Text::of(&bytes[..bytes.len() - 1]),
        _ => path,
    }
}
