//! The marks in the text of directives: `code`, _argument_, {directive}, and `\` before a sign that
//! is no mark.
//!
//! Whatever is not closed is no mark and stays as it is.

/// A piece of text of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text as it is.
    Plain(String),
    /// What an operator would write.
    Code(String),
    /// A word that stands for another.
    Argument(String),
    /// The name of a directive, or the heading of a section.
    Reference(String),
}

/// What stands between two spaces; spaces inside of code do not count.
pub(super) type Word = Vec<Piece>;

/// The words of each paragraph of a doc comment, which is a list of lines.
pub(super) fn paragraphs(doc: &[&str]) -> Vec<Vec<Word>> {
    doc.split(|line| line.trim().is_empty())
        .map(|lines| words(&lines.join(" ")))
        .filter(|words| !words.is_empty())
        .collect()
}

/// The words of a text.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut reader = Reader::default();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if next.is_whitespace() {
            reader.end_word();
            rest = &rest[next.len_utf8()..];
            continue;
        }
        if let Some((piece, length)) = mark(rest, reader.at_start()) {
            reader.add(piece);
            rest = &rest[length..];
            continue;
        }
        let escaped = rest[next.len_utf8()..].chars().next().filter(char::is_ascii_punctuation);
        let plain = match (next, escaped) {
            ('\\', Some(sign)) => {
                rest = &rest[next.len_utf8()..];
                sign
            }
            _ => next,
        };
        reader.plain.push(plain);
        rest = &rest[plain.len_utf8()..];
    }
    reader.end_word();
    reader.words
}

#[derive(Default)]
struct Reader {
    words: Vec<Word>,
    word: Word,
    plain: String,
}

impl Reader {
    /// Whether the word has nothing but signs yet: only there an underscore is a mark.
    fn at_start(&self) -> bool {
        self.word.is_empty() && !self.plain.contains(|c: char| c.is_alphanumeric() || c == '_')
    }

    fn add(&mut self, piece: Piece) {
        self.end_plain();
        self.word.push(piece);
    }

    fn end_plain(&mut self) {
        if !self.plain.is_empty() {
            self.word.push(Piece::Plain(std::mem::take(&mut self.plain)));
        }
    }

    fn end_word(&mut self) {
        self.end_plain();
        if !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
        }
    }
}

/// The piece that a mark begins, and how many bytes it takes with its marks.
fn mark(text: &str, at_start: bool) -> Option<(Piece, usize)> {
    let (close, make): (char, fn(String) -> Piece) = match text.as_bytes().first()? {
        b'`' => ('`', Piece::Code),
        b'{' => ('}', Piece::Reference),
        b'_' if at_start => ('_', Piece::Argument),
        _ => return None,
    };
    let end = 1 + text[1..].find(close)?;
    let inside = &text[1..end];
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ' ';
    let fits = match close {
        '`' => true,
        '}' => inside.chars().all(is_name),
        _ => inside.chars().all(|c| c.is_ascii_alphanumeric()),
    };
    (fits && !inside.trim().is_empty()).then(|| (make(inside.to_string()), end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Piece {
        Piece::Plain(text.into())
    }

    #[test]
    fn marks_are_found_with_what_touches_them() {
        let code = |text: &str| Piece::Code(text.into());
        let table = [
            ("a `b c`, d", vec![vec![plain("a")], vec![code("b c"), plain(",")], vec![plain("d")]]),
            ("({root}).", vec![vec![plain("("), Piece::Reference("root".into()), plain(").")]]),
            ("_path_ x", vec![vec![Piece::Argument("path".into())], vec![plain("x")]]),
        ];
        for (text, wanted) in table {
            assert_eq!(words(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_mark_stays() {
        for text in ["$server_name", "a_b_c", "{", "`", "_", "{a-b}", "LISTEN_FDS", "{}"] {
            assert_eq!(words(text), [[plain(text)]], "{text}");
        }
        assert_eq!(words(r"\\xHH"), [[plain(r"\xHH")]]);
        assert_eq!(words(r"\`a\`"), [[plain("`a`")]]);
        assert_eq!(words(r"a \b"), [[plain("a")], [plain(r"\b")]]);
    }

    #[test]
    fn an_empty_line_begins_a_paragraph() {
        assert_eq!(paragraphs(&[" a", " b", "", " c"]).len(), 2);
        assert_eq!(paragraphs(&["", " "]), Vec::<Vec<Word>>::new());
    }
}
