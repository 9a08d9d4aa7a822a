//! Names of servers: exact, with a star at an end, with a leading dot, or a regular expression.

use super::{Complaint, Regex, Scope, Value};
use crate::diagnostic::shown;
use crate::syntax::{Line, Word};

/// One name of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerName {
    /// The name as it was written (`$hostname` replaced), lower case: what `$server_name` is.
    pub text: Vec<u8>,
    /// What it matches.
    pub form: NameForm,
}

/// What a name of a server matches.
#[derive(Debug, Clone, PartialEq)]
pub enum NameForm {
    /// This host, also the empty one.
    Exact(Vec<u8>),
    /// Hosts that end so: `.example.com` for `*.example.com`. The dot is part of it.
    Ends(Vec<u8>),
    /// The host and all below it: `example.com` for `.example.com`.
    Below(Vec<u8>),
    /// Hosts that begin so: `www.` for `www.*`. The dot is part of it.
    Begins(Vec<u8>),
    /// Hosts that the expression matches.
    Regex(Regex),
    /// No host: a star where none may be.
    Nothing,
}

impl ServerName {
    /// The name of a server that has none.
    pub fn none() -> ServerName {
        ServerName { text: vec![], form: NameForm::Exact(vec![]) }
    }

    /// Reads all names of one line.
    pub(crate) fn read_all(line: &Line, scope: &mut Scope<'_>) -> Result<Vec<Self>, Complaint> {
        let mut names = vec![];
        for (index, word) in line.words.iter().enumerate().skip(1) {
            names.push(ServerName::read(word, scope).map_err(|c| c.at(index))?);
        }
        Ok(names)
    }

    fn read(word: &Word, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let bytes = &word.bytes[..];
        let invalid =
            || Complaint::new(format!("server name \"{}\" is invalid", shown(&word.bytes)));
        if bytes.contains(&b'/') && bytes.first() != Some(&b'~') {
            let name = shown(bytes);
            scope.warn(
                Complaint::new(format!("server name \"{name}\" has suspicious symbols"))
                    .hint("a server name is a host name, without scheme and path"),
            );
        }
        if let Some(pattern) = bytes.strip_prefix(b"~") {
            if pattern.is_empty() {
                return Err(Complaint::new(format!(
                    "empty regex in server name \"{}\"",
                    shown(bytes)
                )));
            }
            // Host names are lower case, so a pattern with capitals can only be meant without case.
            let caseless = pattern.iter().any(u8::is_ascii_uppercase);
            let regex = Regex::compile(pattern, caseless, scope)?;
            return Ok(ServerName { text: bytes.to_vec(), form: NameForm::Regex(regex) });
        }
        if bytes.eq_ignore_ascii_case(b"$hostname") {
            let host = scope.tree.hostname.to_ascii_lowercase().into_bytes();
            return Ok(ServerName { text: host.clone(), form: NameForm::Exact(host) });
        }
        let text = bytes.to_ascii_lowercase();
        let beginning = text.first() == Some(&b'*') && (text.len() < 3 || text[1] != b'.');
        if beginning || text == b"." {
            return Err(invalid().hint("a star stands for a whole label: *.example.com"));
        }
        // nginx refuses these when a second server shares the address, and never matches them when
        // none does.
        let form = form_of(&text).unwrap_or_else(|| {
            let name = shown(bytes);
            scope.warn(
                Complaint::new(format!("invalid server name or wildcard \"{name}\", ignored"))
                    .hint("a star stands at the beginning before a dot or at the end behind one"),
            );
            NameForm::Nothing
        });
        // nginx's $server_name is without the dot that stands for "and all below".
        let text = match &form {
            NameForm::Below(host) => host.clone(),
            _ => text,
        };
        Ok(ServerName { text, form })
    }
}

/// The forms with stars; a star elsewhere, or an empty label beside it, is no name.
fn form_of(text: &[u8]) -> Option<NameForm> {
    let plain = |rest: &[u8]| {
        !rest.is_empty() && !rest.contains(&b'*') && !rest.windows(2).any(|pair| pair == b"..")
    };
    if let Some(rest) = text.strip_prefix(b"*.") {
        return plain(rest).then(|| NameForm::Ends(text[1..].to_vec()));
    }
    if let Some(rest) = text.strip_suffix(b".*") {
        return plain(rest).then(|| NameForm::Begins(text[..text.len() - 1].to_vec()));
    }
    if let Some(rest) = text.strip_prefix(b".") {
        return plain(rest).then(|| NameForm::Below(rest.to_vec()));
    }
    let exact = !text.contains(&b'*') && !text.windows(2).any(|pair| pair == b"..");
    exact.then(|| NameForm::Exact(text.to_vec()))
}

/// The names of one line.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerNames(pub Vec<ServerName>);

impl Value for ServerNames {
    const SYNTAX: &'static str = "name ...";
    const ARITY: (usize, usize) = (1, super::MANY);

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        Ok(ServerNames(ServerName::read_all(line, scope)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_at_one_end_behind_or_before_a_dot() {
        assert_eq!(form_of(b"*.a.b"), Some(NameForm::Ends(b".a.b".to_vec())));
        assert_eq!(form_of(b"a.b.*"), Some(NameForm::Begins(b"a.b.".to_vec())));
        assert_eq!(form_of(b".a.b"), Some(NameForm::Below(b"a.b".to_vec())));
        assert_eq!(form_of(b"a.b"), Some(NameForm::Exact(b"a.b".to_vec())));
        assert_eq!(form_of(b""), Some(NameForm::Exact(vec![])));
        for name in ["*", "a*.b", "*.*", "*.", ".", "a..b", "*a.b", "a.*.b"] {
            assert_eq!(form_of(name.as_bytes()), None, "{name}");
        }
    }
}
