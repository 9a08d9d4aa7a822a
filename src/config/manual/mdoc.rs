//! The page in mdoc: text to lines that roff reads as text, tables to lists.

use super::markup::{Piece, Word, paragraphs, words};
use super::{contexts, default, remarks};
use crate::directive::Directive;
use crate::section;
use crate::value::{VARIABLES, VariableRow};

/// No line of the source gets longer, except those of macros.
const WIDTH: usize = 78;

/// More variables than these with one text are a list of names, not entries.
const MOST_IN_A_HEAD: usize = 3;

/// The words of syntaxes that stand for others; the rest is written as it is.
const PLACEHOLDERS: &str = "\
    address app argument code condition count extension file format group header_time idle \
    interval level1 level2 level3 name number octal parameter path pattern port program \
    response size string text time type upstream uri url user value";

/// The template with its holes filled.
pub(super) fn page(template: &str, example: &str) -> String {
    let mut out = String::from(".\\\" Printed by liege from its tables: change those.\n");
    for line in template.lines() {
        match line {
            "@DIRECTIVES@" => out.push_str(&directives()),
            "@VARIABLES@" => out.push_str(&variables()),
            "@INDEX@" => out.push_str(&index()),
            "@EXAMPLE@" => out.push_str(&literal_lines(example)),
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

fn directives() -> String {
    let mut roff = Roff::default();
    for (title, rows) in section::ALL {
        roff.line(&format!(".Ss {}", prose(title.trim())));
        roff.line(".Bl -tag -width Ds");
        for rows in rows.chunk_by(same_entry) {
            for row in rows {
                roff.line(&format!(".It Ic {}{}", argument(row.name), syntax(row.syntax)));
            }
            entry(&rows[0], &mut roff);
        }
        roff.line(".El");
    }
    roff.out
}

/// Whether two neighbours differ in their names only.
fn same_entry(one: &Directive, other: &Directive) -> bool {
    one.doc == other.doc && one.default == other.default && one.contexts == other.contexts
}

fn entry(row: &Directive, roff: &mut Roff) {
    if let Some(default) = default(row) {
        roff.text(&format!("Default: `{default}`."));
    }
    roff.text(&format!("Context: {}.", contexts(row)));
    for remark in remarks(row) {
        roff.text(&format!("{remark}."));
    }
    for words in paragraphs(row.doc) {
        roff.line(".Pp");
        roff.words(&words);
    }
}

/// Single variables in the table's order, then those that share a text with many.
fn variables() -> String {
    let mut roff = Roff::default();
    let groups: Vec<&[VariableRow]> =
        VARIABLES.chunk_by(|one, other| one.doc == other.doc).collect();
    roff.line(".Bl -tag -width Ds");
    for rows in groups.iter().filter(|rows| rows.len() <= MOST_IN_A_HEAD) {
        let names: Vec<String> = rows.iter().map(variable).collect();
        roff.line(&format!(".It {}", names.join(" , ")));
        roff.text(rows[0].doc);
    }
    roff.line(".El");
    for rows in groups.iter().filter(|rows| rows.len() > MOST_IN_A_HEAD) {
        roff.line(".Pp");
        roff.text(&format!("{}:", rows[0].doc.trim_end_matches('.')));
        for (index, row) in rows.iter().enumerate() {
            let end = if index + 1 == rows.len() { "." } else { "," };
            roff.line(&format!(".{} {end}", variable(row)));
        }
    }
    roff.out
}

/// A variable's name; that of a family ends with the part that the operator chooses.
fn variable(row: &VariableRow) -> String {
    let name = literal(row.name);
    let family = if row.name.ends_with('_') { " Ns Ar name" } else { "" };
    format!("Va ${name}{family}")
}

fn index() -> String {
    let mut rows: Vec<(&str, &str)> = section::ALL
        .iter()
        .flat_map(|(title, rows)| rows.iter().map(|row| (row.name, title.trim())))
        .collect();
    rows.sort_unstable();
    let widest = rows.iter().map(|(name, _)| *name).max_by_key(|name| name.len());
    let mut roff = Roff::default();
    roff.line(&format!(".Bl -column \"{}xx\" \"section\"", widest.unwrap_or_default()));
    for (name, title) in rows {
        roff.line(&format!(".It Ic {} Ta Sx {}", argument(name), prose(title)));
    }
    roff.line(".El");
    roff.out
}

/// What follows a directive's name, for the head of its entry: each word by its kind, signs as they
/// are.
fn syntax(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if word == "|" {
            out.push_str(" |");
            continue;
        }
        let mut space = " ";
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for piece in pieces(word, is_name) {
            let kind = match piece.starts_with(is_name) {
                true if PLACEHOLDERS.split(' ').any(|word| word == piece) => "Ar",
                true => "Cm",
                false => "No",
            };
            out.push_str(&format!("{space}{kind} {}", argument(piece)));
            space = " Ns ";
        }
    }
    out
}

/// A text cut wherever a name begins or ends.
fn pieces(text: &str, is_name: impl Fn(char) -> bool) -> Vec<&str> {
    let mut pieces = vec![];
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let kind = is_name(c);
        if last.is_some_and(|last| last != kind) {
            pieces.push(&text[start..at]);
            start = at;
        }
        last = Some(kind);
    }
    pieces.push(&text[start..]);
    pieces
}

/// Lines of roff, filled up to [`WIDTH`].
#[derive(Default)]
struct Roff {
    out: String,
    filling: bool,
}

impl Roff {
    /// A line of its own.
    fn line(&mut self, line: &str) {
        self.end_text();
        self.out.push_str(line);
        self.out.push('\n');
    }

    /// Running text with marks in it.
    fn text(&mut self, text: &str) {
        self.words(&words(text));
    }

    fn words(&mut self, words: &[Word]) {
        for word in words {
            match &word[..] {
                [Piece::Plain(text)] => self.plain(text),
                marked => self.line(&macros(marked)),
            }
        }
        self.end_text();
    }

    fn plain(&mut self, text: &str) {
        let word = prose(text);
        let column = self.out.len() - self.out.rfind('\n').map_or(0, |at| at + 1);
        if self.filling && column + 1 + word.len() > WIDTH {
            self.end_text();
        }
        if self.filling {
            self.out.push(' ');
        }
        self.out.push_str(&word);
        self.filling = true;
        // A new sentence begins a new line: roff makes the space between them.
        if text.trim_end_matches(')').ends_with(['.', '?', '!', ':']) && !text.ends_with("...") {
            self.end_text();
        }
    }

    fn end_text(&mut self) {
        if std::mem::take(&mut self.filling) {
            self.out.push('\n');
        }
    }
}

/// A word with marks in it as a line of macros. Its pieces touch each other.
fn macros(word: &[Piece]) -> String {
    let mut line = String::from(".");
    for (index, piece) in word.iter().enumerate() {
        let is_last = index + 1 == word.len();
        if let Piece::Plain(text) = piece
            && is_last
            && text.chars().all(closes)
        {
            // Signs that end a word are known to the macro before them.
            text.chars().for_each(|sign| line.push_str(&format!(" {sign}")));
            break;
        }
        if index > 0 {
            line.push_str(" Ns ");
        }
        let touched = word.get(index + 1).is_some_and(|next| match next {
            Piece::Plain(text) => !text.chars().all(closes) || index + 2 < word.len(),
            _ => true,
        });
        line.push_str(&match piece {
            Piece::Plain(text) => format!("No {}", argument(text)),
            // Ql goes to the end of its line; So ends where Sc is.
            Piece::Code(text) if touched => format!("So {} Sc", argument(text)),
            Piece::Code(text) => format!("Ql {}", argument(text)),
            Piece::Argument(text) => format!("Ar {}", argument(text)),
            Piece::Reference(text) => match text.chars().any(|c| c.is_ascii_lowercase()) {
                true => format!("Ic {}", argument(text)),
                false => format!("Sx {}", prose(text)),
            },
        });
    }
    line
}

/// The signs that a macro sets behind its words when they end its line.
fn closes(c: char) -> bool {
    matches!(c, '.' | ',' | ':' | ';' | ')' | ']' | '?' | '!')
}

/// Text as an argument of a macro: neither a macro's name nor a sign with a meaning, and one word.
fn argument(text: &str) -> String {
    let mut out = literal(text);
    if text.len() <= 3 || text.starts_with(['.', '\'']) {
        out.insert_str(0, "\\&");
    }
    if text.ends_with(closes) {
        out.push_str("\\&");
    }
    if text.contains(char::is_whitespace) { format!("\"{out}\"") } else { out }
}

/// Text for running lines.
fn prose(text: &str) -> String {
    let escaped = escaped(text, false);
    if text.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}

/// Text that is to be copied: each sign is what a keyboard writes.
fn literal(text: &str) -> String {
    escaped(text, true)
}

fn escaped(text: &str, exact: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '"' => out.push_str("\\(dq"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '`' => out.push_str("\\(ga"),
            '-' if exact => out.push_str("\\-"),
            '\'' if exact => out.push_str("\\(aq"),
            c if c.is_ascii() => out.push(c),
            c => out.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
    }
    out
}

/// A text that is shown line by line.
fn literal_lines(text: &str) -> String {
    let mut out = String::from(".Bd -literal\n");
    for line in text.lines() {
        let escaped = literal(line);
        if line.starts_with(['.', '\'']) {
            out.push_str("\\&");
        }
        out.push_str(&escaped);
        out.push('\n');
    }
    out.push_str(".Ed\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        let mut roff = Roff::default();
        roff.text(text);
        roff.out
    }

    #[test]
    fn marks_become_macros_with_the_signs_around_them() {
        let table = [
            ("See {root}, or {alias}.", "See\n.Ic root ,\nor\n.Ic alias .\n"),
            ("a (`b c`) d", "a\n.No \\&( Ns Ql \"\\&b c\" )\nd\n"),
            ("`on`s", ".So \\&on Sc Ns No \\&s\n"),
            ("_path_;", ".Ar path ;\n"),
            ("{STATIC FILES}", ".Sx STATIC FILES\n"),
        ];
        for (from, wanted) in table {
            assert_eq!(text(from), wanted, "{from}");
        }
    }

    #[test]
    fn nothing_in_a_text_is_taken_for_a_request() {
        assert_eq!(text(".example.com"), "\\&.example.com\n");
        assert_eq!(text("'a"), "\\&'a\n");
        assert_eq!(text(r"\\xHH"), "\\exHH\n");
        assert_eq!(argument("No"), "\\&No");
        assert_eq!(argument("~*"), "\\&\\(ti*");
        assert_eq!(literal_lines(".a\n-b\n"), ".Bd -literal\n\\&.a\n\\-b\n.Ed\n");
    }

    #[test]
    fn a_sentence_ends_its_line() {
        assert_eq!(
            text("One. Two (three.) X-Accel-... four"),
            "One.\nTwo (three.)\nX-Accel-... four\n"
        );
    }

    #[test]
    fn a_syntax_keeps_what_is_written_apart_from_what_stands_for_something() {
        let line = syntax("off | path [buffer=size] [text ...]");
        let wanted = " Cm \\&off | Ar path No \\&[ Ns Cm buffer Ns No \\&= Ns Ar size Ns \
            No \\&]\\& No \\&[ Ns Ar text No \\&...]\\&";
        assert_eq!(line, wanted);
    }

    #[test]
    fn every_placeholder_is_in_some_syntax() {
        let is_sign = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let used: Vec<&str> = crate::table().flat_map(|row| row.syntax.split(is_sign)).collect();
        for word in PLACEHOLDERS.split(' ') {
            assert!(used.contains(&word), "{word}");
        }
    }
}
