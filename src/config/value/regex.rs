//! A compiled regular expression: PCRE2 on bytes, as nginx has it, with a limit on the steps of one
//! match.

use std::sync::Arc;

use super::{Catalogue, Complaint, Scope};
use crate::diagnostic::shown;
use crate::model::{Captures, TooHard};

/// The number of a named capture: one name has one number in the whole configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaptureId(pub u32);

/// A compiled regular expression with what it was made from. Cheap to clone.
#[derive(Clone)]
pub struct Regex {
    code: Arc<pcre2::bytes::Regex>,
    text: Arc<[u8]>,
    caseless: bool,
    names: Arc<[(usize, CaptureId)]>,
}

/// The most steps of one match. nginx leaves PCRE2's own ten million, which is a second of a
/// worker's time; an expression that needs more than this on one path or host name is a mistake or
/// an attack.
const MOST_STEPS: u32 = 1_000_000;

impl Regex {
    /// Compiles an expression and gives its named captures their numbers.
    pub(crate) fn compile(
        text: &[u8],
        caseless: bool,
        scope: &mut Scope<'_>,
    ) -> Result<Regex, Complaint> {
        let key = (text.to_vec(), caseless);
        if let Some(regex) = scope.registry.regexes.get(&key) {
            return Ok(regex.clone());
        }
        let regex = Regex::fresh(text, caseless, &mut scope.registry.captures)?;
        scope.registry.regexes.insert(key, regex.clone());
        Ok(regex)
    }

    fn fresh(
        text: &[u8],
        caseless: bool,
        captures: &mut Catalogue<Arc<str>>,
    ) -> Result<Regex, Complaint> {
        let pattern = format!("(*LIMIT_MATCH={MOST_STEPS}){}", escaped(text));
        let code = pcre2::bytes::RegexBuilder::new()
            .caseless(caseless)
            .jit_if_available(true)
            .build(&pattern)
            .map_err(|error| refused(&error, pattern.len() - text.len(), text))?;
        let mut names = vec![];
        for (group, name) in code.capture_names().iter().enumerate() {
            let Some(name) = name else { continue };
            names.push((group, capture_id(&name.to_ascii_lowercase(), captures)));
        }
        let (code, text) = (Arc::new(code), text.into());
        Ok(Regex { code, text, caseless, names: names.into() })
    }

    /// The expression as it was written.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether letters match without case.
    pub fn caseless(&self) -> bool {
        self.caseless
    }

    /// The named captures: the group's number and the name's.
    pub fn names(&self) -> &Arc<[(usize, CaptureId)]> {
        &self.names
    }

    /// Whether the expression matches somewhere in `subject`.
    pub fn matches(&self, subject: &[u8]) -> Result<bool, TooHard> {
        self.code.is_match(subject).map_err(|_| TooHard)
    }

    /// The first match with its captures.
    pub fn captures(&self, subject: &[u8]) -> Result<Option<Captures>, TooHard> {
        let mut spans = self.code.capture_locations();
        if self.code.captures_read(&mut spans, subject).map_err(|_| TooHard)?.is_none() {
            return Ok(None);
        }
        let spans = (0..spans.len()).map(|group| spans.get(group)).collect();
        Ok(Some(Captures { subject: subject.to_vec(), spans, names: self.names.clone() }))
    }
}

impl std::fmt::Debug for Regex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Regex({}{})", if self.caseless { "~*" } else { "~" }, shown(&self.text))
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Regex) -> bool {
        self.text == other.text && self.caseless == other.caseless
    }
}

/// nginx's message for an expression that does not compile.
fn refused(error: &pcre2::Error, before: usize, text: &[u8]) -> Complaint {
    let whole = error.to_string();
    let what = whole.rsplit_once("offset ").and_then(|(_, rest)| rest.split_once(": "));
    let what = what.map_or(whole.as_str(), |(_, what)| what);
    let rest =
        error.offset().and_then(|at| text.get(at.checked_sub(before)?..)).unwrap_or_default();
    let mut message = format!("pcre2_compile() failed: {what} in \"{}\"", shown(text));
    if !rest.is_empty() {
        message.push_str(&format!(" at \"{}\"", shown(rest)));
    }
    Complaint::new(message).hint("in quotes, an expression may hold {, } and ;")
}

fn capture_id(name: &str, captures: &mut Catalogue<Arc<str>>) -> CaptureId {
    let known = captures.place(name.as_bytes());
    CaptureId(known.unwrap_or_else(|| captures.add(name.as_bytes(), name.into())) as u32)
}

/// The pattern as UTF-8, which the builder wants: bytes that are none are written as escapes and
/// mean themselves.
fn escaped(text: &[u8]) -> String {
    let mut pattern = String::new();
    for chunk in text.utf8_chunks() {
        pattern.push_str(chunk.valid());
        for byte in chunk.invalid() {
            pattern.push_str(&format!("\\x{byte:02x}"));
        }
    }
    pattern
}
