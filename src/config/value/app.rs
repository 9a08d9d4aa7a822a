//! Values of the `app` block, under uWSGI's names and in its forms where it has them.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::address::{Address, Target};
use super::basic::{Resolution, choose};
use super::{Complaint, MANY, Scope, Value, duration};
use crate::syntax::Line;

/// A word that is a name: of a module, a callable, a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name(pub String);

/// A path of an app: a relative one starts at the app's working directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkPath(pub PathBuf);

/// A variable of an app's environment: `NAME=value`, or the name and the value as two words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppEnv {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The words of a command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command(pub Vec<String>);

/// File mode bits that new files do not get, in octal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Umask(pub u32);

/// A time, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit(pub Option<Duration>);

/// How a new generation of an app takes the place of the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reload {
    /// Beside the old one, which ends when the new one is ready.
    Overlap,
    /// After the old one, which comes back when the new one fails.
    Replace,
}

impl Value for Name {
    const SYNTAX: &'static str = "name";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let text = line.words[1].text();
        if text.is_empty() || text.contains('\0') {
            return Err(Complaint::invalid(line));
        }
        Ok(Name(text))
    }
}

impl Value for WorkPath {
    const SYNTAX: &'static str = "path";

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let word = &line.words[1];
        if word.bytes.is_empty() || word.bytes.contains(&0) {
            return Err(Complaint::invalid(line).hint("a path cannot be empty"));
        }
        Ok(WorkPath(scope.chdir.join(word.path())))
    }
}

impl Value for AppEnv {
    const SYNTAX: &'static str = "name=value | name value";
    const ARITY: (usize, usize) = (1, 2);

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let invalid = || {
            let hint =
                "NAME=value; the value that liege has itself comes by \"env NAME\" at main level";
            Complaint::invalid(line).hint(hint)
        };
        let first = line.words[1].text();
        let (name, value) = match line.words.get(2) {
            Some(second) => (first, second.text()),
            None => {
                let (name, value) = first.split_once('=').ok_or_else(invalid)?;
                (name.to_string(), value.to_string())
            }
        };
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(invalid());
        }
        Ok(AppEnv { name, value })
    }
}

impl Value for Command {
    const SYNTAX: &'static str = "program [argument ...]";
    const ARITY: (usize, usize) = (1, MANY);

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let words: Vec<String> = line.arguments().iter().map(|word| word.text()).collect();
        if words[0].is_empty() || words.iter().any(|word| word.contains('\0')) {
            return Err(Complaint::invalid(line));
        }
        Ok(Command(words))
    }
}

impl Value for Umask {
    const SYNTAX: &'static str = "octal";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let text = line.words[1].text();
        match u32::from_str_radix(&text, 8) {
            Ok(mask) if mask <= 0o777 && !text.starts_with('+') => Ok(Umask(mask)),
            _ => Err(Complaint::invalid(line).hint("three octal digits: 022")),
        }
    }
}

impl Value for Limit {
    const SYNTAX: &'static str = "time | off";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let word = line.argument(0);
        if word == b"off" {
            return Ok(Limit(None));
        }
        match duration(word, Resolution::Milliseconds) {
            // uWSGI's `harakiri = 0` is off too.
            Some(Duration::ZERO) => Ok(Limit(None)),
            Some(time) => Ok(Limit(Some(time))),
            None => Err(Complaint::invalid(line).hint("a time as 30s or 2m, or \"off\"")),
        }
    }
}

impl Value for wire::message::Preload {
    const SYNTAX: &'static str = "auto | on | off";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        choose(line, 0, &[("auto", Self::Auto), ("on", Self::On), ("off", Self::Off)])
    }
}

impl Value for Reload {
    const SYNTAX: &'static str = "overlap | replace";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        choose(line, 0, &[("overlap", Self::Overlap), ("replace", Self::Replace)])
    }
}

/// An app's socket.
impl Value for Address {
    const SYNTAX: &'static str = "path | address:port | :port";

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let bytes = line.argument(0);
        let complain = |what: &str| {
            Complaint::of(line, what)
                .at(1)
                .hint("a path, or an address with a port: 127.0.0.1:3031")
        };
        if bytes.is_empty() || bytes.contains(&0) {
            return Err(Complaint::invalid(line));
        }
        if bytes.starts_with(b"@") {
            return Err(Complaint::new("liege does not implement abstract sockets yet").at(1));
        }
        // uWSGI's rule: what has a colon is an address, everything else a path.
        if super::address::unix_path(bytes).is_none() && !bytes.contains(&b':') {
            return Ok(Address::Unix(scope.under_prefix(&line.words[1].path())));
        }
        let whole = match bytes.strip_prefix(b":") {
            Some(port) => [b"0.0.0.0:", port].concat(),
            None => bytes.to_vec(),
        };
        let target = Target::parse(&whole).map_err(complain)?;
        let addresses = target.addresses(None, scope).map_err(complain)?;
        addresses.into_iter().next().ok_or_else(|| complain("host not found"))
    }
}
