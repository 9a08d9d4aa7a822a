//! nginx's lexer: bytes to the words of one directive after the other.
//!
//! A transcription of the rules in `ngx_conf_read_token`: quotes open only at the beginning of a
//! word, `{` behind a `$` is part of it, a backslash keeps the next byte from meaning anything.
//! Where nginx stops, this goes on behind the mistake.

use super::tree::Word;

/// The next thing in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Words and a semicolon.
    Line(Vec<Word>),
    /// Words and a brace that opens a block.
    Open(Vec<Word>),
    /// A brace that closes one.
    Close,
    /// A mistake; the next token is behind it.
    Fault(Fault),
    /// The end of the file.
    End,
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub message: String,
    pub hint: Option<String>,
    /// The line that nginx names.
    pub named: u32,
    /// Where: line and column from 1, and how many bytes.
    pub line: u32,
    pub column: u32,
    pub width: u32,
}

/// nginx reads through a buffer of so many bytes, and a word must fit in with what ends it.
const BUFFER: usize = 4096;

/// The lexer of one file.
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
    /// Where the current line begins.
    line_start: usize,
    /// Whether it is the text of `-g`, which ends otherwise.
    command_line: bool,
    ended: bool,
}

/// How a word ended.
enum After {
    Space,
    Semicolon,
    Brace,
    Quote,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8], command_line: bool) -> Self {
        Lexer { text, at: 0, line: 1, line_start: 0, command_line, ended: false }
    }

    /// The line that is being read: what nginx names in messages.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Whether reading ended with a mistake that says so itself.
    pub fn broke_off(&self) -> bool {
        self.ended
    }

    /// The place of the last byte that was read, for a mistake that is seen elsewhere.
    pub fn here(&self, back: u32) -> Fault {
        let mut fault = self.fault(String::new());
        fault.column = fault.column.saturating_sub(back).max(1);
        fault
    }

    /// Goes behind the brace that closes a block whose words follow other rules, Lua's for one:
    /// braces are counted, those in quotes and on lines that are comments are not.
    pub fn skip_foreign(&mut self) {
        let mut depth = 1;
        let mut line_begins = false;
        while let Some(byte) = self.peek() {
            self.step();
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                b'"' | b'\'' => self.skip_quoted(byte),
                b'#' if line_begins => self.skip_line(),
                _ => {}
            }
            line_begins = byte == b'\n' || (line_begins && byte.is_ascii_whitespace());
            if depth == 0 {
                return;
            }
        }
    }

    /// Goes behind the closing quote, if it is on this line.
    fn skip_quoted(&mut self, quote: u8) {
        let line = self.text[self.at..].split(|&byte| byte == b'\n').next().unwrap_or_default();
        let mut escaped = false;
        let end = line.iter().position(|&byte| {
            let ends = byte == quote && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        self.at += end.map_or(0, |end| end + 1);
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.step();
        }
    }

    /// The next token.
    pub fn next(&mut self) -> Token {
        let mut words: Vec<Word> = vec![];
        loop {
            self.skip_blank();
            let Some(byte) = self.peek() else { return self.end(&words) };
            match byte {
                b';' | b'{' => {
                    self.step();
                    return match (words.is_empty(), byte) {
                        (true, _) => self.unexpected(byte, None),
                        (false, b'{') => Token::Open(words),
                        (false, _) => Token::Line(words),
                    };
                }
                b'}' => return self.close(&words),
                _ => {}
            }
            match self.word() {
                Err(fault) => return Token::Fault(fault),
                Ok((word, After::Space)) => words.push(word),
                Ok((word, After::Semicolon)) => {
                    words.push(word);
                    return Token::Line(words);
                }
                Ok((word, After::Brace)) => {
                    words.push(word);
                    return Token::Open(words);
                }
                Ok((word, After::Quote)) => {
                    words.push(word);
                    if let Some(fault) = self.after_quote() {
                        return Token::Fault(fault);
                    }
                }
            }
        }
    }

    /// Spaces and comments.
    fn skip_blank(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.step(),
                b'#' => self.skip_line(),
                _ => return,
            }
        }
    }

    /// One word, from its first byte.
    fn word(&mut self) -> Result<(Word, After), Fault> {
        let (line, column) = (self.line, self.column());
        let quote = self.peek().filter(|byte| matches!(byte, b'"' | b'\''));
        if quote.is_some() {
            self.step();
        }
        let start = self.at;
        let mut variable = false;
        let mut first = quote.is_none();
        while let Some(byte) = self.peek() {
            if self.at - start >= BUFFER && !self.command_line {
                return Err(self.too_long(start, quote, line, column));
            }
            let is_first = std::mem::take(&mut first);
            if byte == b'{' && variable {
                self.step();
                continue;
            }
            variable = byte == b'$';
            let after = match (byte, quote) {
                (b'\\', _) => {
                    self.step();
                    self.step();
                    continue;
                }
                (byte, Some(quote)) if byte == quote => After::Quote,
                (b' ' | b'\t' | b'\r' | b'\n', None) => After::Space,
                (b';', None) if !is_first => After::Semicolon,
                (b'{', None) if !is_first => After::Brace,
                _ => {
                    self.step();
                    continue;
                }
            };
            let end = self.at;
            self.step();
            // What follows is read into the same buffer, unless the directive is at its end.
            let goes_on = matches!(after, After::Space | After::Quote);
            if goes_on && self.at - start >= BUFFER && !self.command_line {
                return Err(self.too_long(start, None, line, column));
            }
            let mut word = self.made(start, end, line, column);
            word.quoted = quote.is_some();
            return Ok((word, after));
        }
        self.ended = true;
        Err(self.unfinished(line, column))
    }

    fn made(&self, start: usize, end: usize, line: u32, column: u32) -> Word {
        let raw = &self.text[start..end];
        let first_line = raw.iter().position(|&byte| byte == b'\n').unwrap_or(raw.len());
        let width = first_line.max(1) as u32;
        Word { bytes: unescaped(raw), line, column, width, quoted: false }
    }

    /// Behind a closing quote: a space, `;`, `{` or `)`; anything else is a mistake, and begins a
    /// word all the same.
    fn after_quote(&mut self) -> Option<Fault> {
        let byte = self.peek()?;
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' | b')') {
            return None;
        }
        let mut fault = self.fault(format!("unexpected \"{}\"", shown(byte)));
        fault.hint = Some("a space or a \";\" is missing behind the quote".into());
        // The rest of the directive would only repeat the complaint.
        self.skip_directive();
        Some(fault)
    }

    /// Goes behind the next `;`, or before the next brace.
    fn skip_directive(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'{' | b'}' => return,
                b';' => return self.step(),
                b'\n' => return,
                _ => self.step(),
            }
        }
    }

    fn close(&mut self, words: &[Word]) -> Token {
        if words.is_empty() {
            self.step();
            return Token::Close;
        }
        // The words are given up; the brace stays and closes its block.
        let names: Vec<String> = words.iter().map(|word| word.text()).collect();
        let hint = format!("a \";\" is missing behind \"{}\"", clipped(&names.join(" ")));
        let mut fault = self.fault("unexpected \"}\"".into());
        fault.hint = Some(hint);
        Token::Fault(fault)
    }

    fn end(&mut self, words: &[Word]) -> Token {
        match words.first() {
            Some(word) if !self.ended => {
                self.ended = true;
                Token::Fault(self.unfinished(word.line, word.column))
            }
            _ => Token::End,
        }
    }

    fn unfinished(&self, line: u32, column: u32) -> Fault {
        let message = match self.command_line {
            true => "unexpected end of parameter, expecting \";\"",
            false => "unexpected end of file, expecting \";\" or \"}\"",
        };
        let hint = "the directive that begins here is not finished";
        let (message, hint) = (message.into(), Some(hint.into()));
        Fault { message, hint, named: self.line, line, column, width: 1 }
    }

    fn unexpected(&self, byte: u8, hint: Option<String>) -> Token {
        let mut fault = self.fault(format!("unexpected \"{}\"", shown(byte)));
        fault.column = fault.column.saturating_sub(1).max(1);
        fault.hint = hint;
        Token::Fault(fault)
    }

    /// A word that nginx's buffer does not hold. Nothing behind it can be trusted.
    fn too_long(&mut self, start: usize, quote: Option<u8>, line: u32, column: u32) -> Fault {
        let message = match quote {
            Some(quote) => format!(
                "too long parameter, probably missing terminating \"{}\" character",
                shown(quote)
            ),
            None => {
                let beginning: String =
                    self.text[start..start + 10].iter().map(|&byte| shown(byte)).collect();
                format!("too long parameter \"{beginning}...\" started")
            }
        };
        self.at = self.text.len();
        self.ended = true;
        let hint = Some("a word has at most 4095 bytes".into());
        Fault { message, hint, named: line, line, column, width: 10 }
    }

    fn fault(&self, message: String) -> Fault {
        let (line, column) = (self.line, self.column());
        Fault { message, hint: None, named: line, line, column, width: 1 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn step(&mut self) {
        let Some(byte) = self.peek() else { return };
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
            self.line_start = self.at;
        }
    }

    fn column(&self) -> u32 {
        (self.at - self.line_start + 1) as u32
    }
}

/// A word as it is stored: `\"`, `\'` and `\\` lose their backslash, `\t`, `\r` and `\n` are
/// control bytes, all else stays.
fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let meant = match (byte, rest.peek()) {
            (b'\\', Some(&next @ (b'"' | b'\'' | b'\\'))) => Some(next),
            (b'\\', Some(b't')) => Some(b'\t'),
            (b'\\', Some(b'r')) => Some(b'\r'),
            (b'\\', Some(b'n')) => Some(b'\n'),
            _ => None,
        };
        match meant {
            Some(meant) => {
                rest.next();
                bytes.push(meant);
            }
            None => bytes.push(byte),
        }
    }
    bytes
}

fn shown(byte: u8) -> String {
    crate::diagnostic::shown(&[byte])
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_string(),
    }
}

/// The words of a text that is part of the program.
pub(super) fn words(text: &[u8]) -> Vec<Word> {
    let line = [text, b" ;"].concat();
    match Lexer::new(&line, true).next() {
        Token::Line(words) => words,
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All tokens in one line of text: words in `<>`, faults in `!`.
    fn lexed(text: &str) -> String {
        lexed_bytes(text.as_bytes())
    }

    fn lexed_bytes(text: &[u8]) -> String {
        let mut lexer = Lexer::new(text, false);
        let mut page = String::new();
        let words = |words: &[Word]| -> String {
            words
                .iter()
                .map(|word| format!("<{}>", crate::diagnostic::shown(&word.bytes)))
                .collect()
        };
        loop {
            match lexer.next() {
                Token::Line(line) => page.push_str(&format!("{};", words(&line))),
                Token::Open(line) => page.push_str(&format!("{}{{", words(&line))),
                Token::Close => page.push('}'),
                Token::Fault(fault) => {
                    page.push_str(&format!("!{}@{}!", fault.message, fault.named))
                }
                Token::End => return page,
            }
        }
    }

    #[test]
    fn words_are_what_nginx_makes_of_them() {
        let table = [
            ("a b;c d;", "<a><b>;<c><d>;"),
            ("a\tb\r\nc;", "<a><b><c>;"),
            ("a#b c;#d;\ne;", "<a#b><c>;<e>;"),
            ("a \"b c\" 'd \"e';", "<a><b c><d \"e>;"),
            ("a\"b\"c;", "<a\"b\"c>;"),
            ("a \"\";", "<a><>;"),
            ("a ${b}c;", "<a><${b}c>;"),
            ("a \"${b}\";", "<a><${b}>;"),
            ("a $b{", "<a><$b>{"),
            ("a x}y;", "<a><x}y>;"),
            ("a \\.php\\d;", "<a><\\.php\\d>;"),
            ("a b\\;c\\ d;", "<a><b\\;c\\ d>;"),
            ("a \"\\\"\\'\\\\\";", "<a><\"'\\>;"),
            ("a {b;}", "<a>{<b>;}"),
            ("a{}", "<a>{}"),
            ("if ($a = \"x\") {", "<if><($a><=><x><)>{"),
            ("location ~ ^/a{2}$ {}", "<location><~><^/a>{<2}$>{}"),
            ("a \"b\"{c;}", "<a><b>{<c>;}"),
            ("\u{e9} b;", "<\u{e9}><b>;"),
        ];
        for (text, wanted) in table {
            assert_eq!(lexed(text), wanted, "{text}");
        }
    }

    #[test]
    fn newlines_are_allowed_in_quotes_and_tabs_are_written_with_a_backslash() {
        let mut lexer = Lexer::new(b"a \"b\nc\\td\\ne\";", false);
        let Token::Line(words) = lexer.next() else { panic!("a line") };
        assert_eq!(words[1].bytes, b"b\nc\td\ne");
        assert_eq!(lexer.line(), 2);
    }

    #[test]
    fn mistakes_are_told_in_nginx_s_words_and_reading_goes_on_behind_them() {
        let table = [
            ("a \"b\"c; d;", "!unexpected \"c\"@1!<d>;"),
            (";a;", "!unexpected \";\"@1!<a>;"),
            ("{a;}", "!unexpected \"{\"@1!<a>;}"),
            ("x {gzip on\n}y;", "<x>{!unexpected \"}\"@2!}<y>;"),
            ("a", "!unexpected end of file, expecting \";\" or \"}\"@1!"),
            ("a b\n", "!unexpected end of file, expecting \";\" or \"}\"@2!"),
            ("a \"b", "!unexpected end of file, expecting \";\" or \"}\"@1!"),
            ("a;\n#", "<a>;"),
            ("", ""),
        ];
        for (text, wanted) in table {
            assert_eq!(lexed(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_word_must_fit_into_nginx_s_buffer() {
        let with = |count: usize, quote: &str| format!("a\nb {quote}{}{quote};", "x".repeat(count));
        assert!(lexed(&with(4094, "")).ends_with(">;"), "4094 bytes");
        assert!(
            lexed(&with(4096, "")).contains("!too long parameter \"xxxxxxxxxx...\" started@2!")
        );
        assert!(
            lexed(&with(4096, "'"))
                .contains("!too long parameter, probably missing terminating \"'\" character@2!")
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_words_like_others() {
        let mut lexer = Lexer::new(b"\xff\xfe \x00;", false);
        let Token::Line(words) = lexer.next() else { panic!("a line") };
        assert_eq!(words[0].bytes, [0xff, 0xfe]);
        assert_eq!(words[1].bytes, [0]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes: Vec<u8>) {
            let mut lexer = Lexer::new(&bytes, false);
            let mut tokens = 0;
            while lexer.next() != Token::End {
                tokens += 1;
                proptest::prop_assert!(tokens <= 2 * bytes.len() + 2);
            }
        }
    }
}
