//! What is wrong with a configuration, and how it is shown.
//!
//! The first line is nginx's, word for word, because operators and tools know it; below come the
//! source line, a caret and a remedy. A diagnostic carries the source line with it, so it can
//! travel between processes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// The configuration cannot be used.
    Emerg,
    /// It can be used, but not as the operator may think.
    Warn,
}

/// One thing that is wrong, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// nginx's message without its place.
    pub message: String,
    /// Where nginx says it is: the line on which the directive ended. Absent where nginx names
    /// none.
    pub named: Named,
    /// The word that is meant, for the caret.
    pub spot: Option<Spot>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The place as the first line tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Named {
    /// `in FILE:LINE`
    File(PathBuf, u32),
    /// `in command line`, for `-g`.
    CommandLine,
    /// Not at all: found after the whole file was read.
    Nowhere,
}

/// A stretch of one line of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// The column of the first byte, from 1.
    pub column: u32,
    /// How many bytes.
    pub width: u32,
    /// The line itself.
    pub text: Vec<u8>,
}

impl Severity {
    /// nginx's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Emerg => "emerg",
            Severity::Warn => "warn",
        }
    }
}

/// How colours begin and end on a terminal; all empty elsewhere.
struct Colours {
    severity: &'static str,
    margin: &'static str,
    end: &'static str,
}

/// The longest source line that is shown whole; longer ones are cut around the word.
const WIDEST: usize = 120;

impl Diagnostic {
    /// Whether the configuration cannot be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Emerg
    }

    /// nginx's line behind `liege: [emerg] `: the message and its place.
    pub fn line(&self) -> String {
        match &self.named {
            Named::File(file, line) => format!("{} in {}:{line}", self.message, file.display()),
            Named::CommandLine => format!("{} in command line", self.message),
            Named::Nowhere => self.message.clone(),
        }
    }

    /// nginx's whole line, then the source line with a caret and the remedy. Ends with a line feed.
    pub fn render(&self, colour: bool) -> String {
        let severity = match self.severity {
            Severity::Emerg => "\x1b[1;31m",
            Severity::Warn => "\x1b[1;33m",
        };
        let colours = match colour {
            true => Colours { severity, margin: "\x1b[1;34m", end: "\x1b[0m" },
            false => Colours { severity: "", margin: "", end: "" },
        };
        let Colours { severity, margin, end } = colours;
        let word = self.severity.word();
        let mut page = format!("liege: {severity}[{word}]{end} {}\n", self.line());
        match (&self.spot, &self.hint) {
            (Some(spot), hint) => picture(&mut page, spot, hint.as_deref(), &colours),
            (None, Some(hint)) => page.push_str(&format!(" {margin}={end} {hint}\n")),
            (None, None) => {}
        }
        page
    }
}

fn picture(page: &mut String, spot: &Spot, hint: Option<&str>, colours: &Colours) {
    let Colours { severity, margin, end } = colours;
    let source = &spot.text[..];
    let column = (spot.column as usize).saturating_sub(1).min(source.len());
    let width = (spot.width as usize).clamp(1, (source.len() - column).max(1));
    let from = if source.len() > WIDEST { column.saturating_sub(WIDEST / 2) } else { 0 };
    let shown = printable(&source[from..source.len().min(from + WIDEST)]);
    let before = printable(&source[from..column]).chars().count();
    let under = printable(&source[column..(column + width).min(source.len())]).chars().count();
    let number = spot.line.to_string();
    let blank = " ".repeat(number.len());
    let place = format!("{}:{}:{}", spot.file.display(), spot.line, spot.column);
    page.push_str(&format!("{blank}{margin}-->{end} {place}\n"));
    page.push_str(&format!("{margin}{number} |{end} {}\n", shown.trim_end()));
    let carets = format!("{}{severity}{}", " ".repeat(before), "^".repeat(under.clamp(1, WIDEST)));
    let hint = hint.map(|hint| format!(" {hint}")).unwrap_or_default();
    page.push_str(&format!("{blank} {margin}|{end} {carets}{hint}{end}\n"));
}

/// Bytes as one line of text: nothing in a configuration may move the operator's cursor.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// A name in a message: bytes, made printable.
pub(crate) fn shown(bytes: &[u8]) -> String {
    printable(bytes)
}

/// The name of `known` that is nearest to `name`, if one is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody misspells a name by so much, and the comparison takes its time.
    if name.len() > 64 {
        return None;
    }
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|&(likeness, _)| likeness > 0.88)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(column: u32, width: u32, text: &[u8]) -> Diagnostic {
        let (file, text) = ("/l.conf".into(), text.to_vec());
        Diagnostic {
            severity: Severity::Emerg,
            message: "unknown directive \"foo\"".into(),
            named: Named::File("/l.conf".into(), 2),
            spot: Some(Spot { file, line: 2, column, width, text }),
            hint: Some("did you mean \"root\"?".into()),
        }
    }

    #[test]
    fn the_first_line_is_nginx_s_and_the_caret_stands_under_the_word() {
        assert_eq!(
            diagnostic(3, 3, b"  foo bar;").render(false),
            "liege: [emerg] unknown directive \"foo\" in /l.conf:2\n --> /l.conf:2:3\n2 |   foo bar;\n  |   ^^^ \
             did you mean \"root\"?\n"
        );
    }

    #[test]
    fn a_spot_outside_of_its_line_is_no_panic() {
        for (column, width) in [(0, 0), (1, 0), (400, 2), (u32::MAX, u32::MAX)] {
            for text in [&b"b"[..], b"", b"\x1b[31m\xff", &[b'x'; 5000]] {
                diagnostic(column, width, text).render(true);
            }
        }
    }

    #[test]
    fn what_a_file_holds_cannot_move_the_cursor() {
        assert!(!diagnostic(1, 1, b"\x1b[2J\x07").render(false).contains('\x1b'));
    }

    #[test]
    fn a_misspelt_name_finds_its_neighbour_and_a_strange_one_finds_none() {
        let known = ["processes", "threads", "root", "proxy_pass"];
        assert_eq!(nearest("procesess", known.into_iter()), Some("processes"));
        assert_eq!(nearest("qqq", known.into_iter()), None);
    }
}
