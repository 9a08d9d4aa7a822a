//! Values about the fields of responses.

use super::basic::choose;
use super::{Complaint, Scope, Text, Value};
use crate::diagnostic::shown;
use crate::syntax::Line;

/// A field that is added to responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddHeader {
    /// The field's name as it was written.
    pub name: Vec<u8>,
    /// Its value; an empty one sends nothing.
    pub value: Text,
    /// Whether it is added whatever the status is.
    pub always: bool,
}

/// What the Server field and error pages tell of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerTokens {
    /// The name.
    Off,
    /// The name and the version.
    On,
}

impl Value for AddHeader {
    const SYNTAX: &'static str = "name value [always]";
    const ARITY: (usize, usize) = (2, 3);

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let name = line.argument(0);
        let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        // Without a value nothing is sent, whatever the name.
        let sends = !line.argument(1).is_empty();
        if sends && (name.is_empty() || !name.iter().all(token)) {
            // nginx sends such a field as it is; nobody can read it.
            return Err(
                Complaint::invalid(line).hint("a field's name is letters, digits and \"-\"")
            );
        }
        let value = Text::argument(line, 1, scope)?;
        let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
        if line.argument(1).iter().any(breaks) {
            return Err(Complaint::invalid(line).at(2).hint("a field's value is one line"));
        }
        let always = match line.words.get(3) {
            None => false,
            Some(word) if word.bytes == b"always" => true,
            Some(word) => {
                let message = format!("invalid parameter \"{}\"", shown(&word.bytes));
                return Err(Complaint::new(message).at(3).hint("\"always\", or nothing"));
            }
        };
        Ok(AddHeader { name: name.to_vec(), value, always })
    }
}

impl Value for ServerTokens {
    const SYNTAX: &'static str = "on | off | build";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        // nginx's `build` adds the name of a build, of which liege has none.
        choose(line, 0, &[("off", Self::Off), ("on", Self::On), ("build", Self::On)])
    }
}
