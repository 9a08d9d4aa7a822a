//! A value with variables in it, compiled: what nginx calls a complex value.

use std::sync::Arc;

use super::{Complaint, Scope, Value, Variable};
use crate::diagnostic::{nearest, shown};
use crate::syntax::Line;

/// A value with variables, in parts. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    parts: Arc<[Part]>,
}

/// A part of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Bytes as they are.
    Literal(Box<[u8]>),
    /// The value of a variable.
    Variable(Variable),
    /// A numbered capture of the regular expression that matched last, 1 to 9.
    Capture(u8),
}

impl Text {
    /// A text without variables.
    pub fn of(bytes: &[u8]) -> Text {
        let part = (!bytes.is_empty()).then(|| Part::Literal(bytes.into()));
        Text { parts: part.into_iter().collect() }
    }

    /// The parts in their order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The bytes, when there is no variable among them.
    pub fn literal(&self) -> Option<&[u8]> {
        match &*self.parts {
            [] => Some(b""),
            [Part::Literal(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// Compiles bytes. The complaint is without a word; the caller knows which one it was.
    pub fn compile(bytes: &[u8], scope: &Scope<'_>) -> Result<Text, Complaint> {
        let mut parts = vec![];
        let mut literal = vec![];
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if byte != b'$' {
                literal.push(byte);
                rest = after;
                continue;
            }
            let (name, after) = name(after)?;
            rest = after;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal).into()));
            }
            parts.push(part(name, scope)?);
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.into()));
        }
        Ok(Text { parts: parts.into() })
    }

    /// The text with bytes put in front.
    pub(crate) fn behind(&self, bytes: &[u8]) -> Text {
        let (first, rest) = match self.parts.split_first() {
            Some((Part::Literal(literal), rest)) => ([bytes, literal].concat(), rest),
            _ => (bytes.to_vec(), &self.parts[..]),
        };
        let first = Part::Literal(first.into());
        Text { parts: std::iter::once(first).chain(rest.iter().cloned()).collect() }
    }

    /// Compiles an argument of a line.
    pub fn argument(line: &Line, index: usize, scope: &Scope<'_>) -> Result<Text, Complaint> {
        Text::compile(line.argument(index), scope).map_err(|complaint| complaint.at(index + 1))
    }
}

impl Value for Text {
    const SYNTAX: &'static str = "text";

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        Text::argument(line, 0, scope)
    }
}

/// The name behind a `$`, and what follows it. One digit is a capture and ends there.
fn name(after: &[u8]) -> Result<(&[u8], &[u8]), Complaint> {
    let (braced, inner) = match after.strip_prefix(b"{") {
        Some(inner) => (true, inner),
        None => (false, after),
    };
    if !braced && matches!(inner.first(), Some(b'1'..=b'9')) {
        return Ok(inner.split_at(1));
    }
    let length =
        inner.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let (name, rest) = inner.split_at(length);
    if braced {
        let Some(rest) = rest.strip_prefix(b"}") else {
            let message = format!("the closing bracket in \"{}\" variable is missing", shown(name));
            return Err(Complaint::new(message).hint("write ${name}"));
        };
        return if name.is_empty() { Err(nameless()) } else { Ok((name, rest)) };
    }
    if name.is_empty() { Err(nameless()) } else { Ok((name, rest)) }
}

fn nameless() -> Complaint {
    Complaint::new("invalid variable name")
        .hint("a \"$\" must be followed by a name; it cannot be escaped")
}

fn part(name: &[u8], scope: &Scope<'_>) -> Result<Part, Complaint> {
    if let [digit @ b'1'..=b'9'] = name {
        return Ok(Part::Capture(digit - b'0'));
    }
    // Names are ASCII here, and compare without case.
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    if let Some(id) = scope.registry.captures.place(name.as_bytes()) {
        return Ok(Part::Variable(Variable::Captured(super::CaptureId(id as u32))));
    }
    if scope.registry.refused.contains(&name) {
        return Ok(Part::Variable(Variable::Unset));
    }
    if let Some(variable) = Variable::named(&name) {
        return Ok(Part::Variable(variable));
    }
    if Variable::only_nginx_has(&name) {
        return Err(Complaint::new(format!("liege does not implement ${name} yet")));
    }
    let complaint = Complaint::new(format!("unknown \"{name}\" variable")).late().nowhere();
    Err(match nearest(&name, super::VARIABLES.iter().map(|row| row.name)) {
        Some(near) => complaint.hint(format!("did you mean ${near}?")),
        None => complaint,
    })
}
