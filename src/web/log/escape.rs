//! How bytes of a request become bytes of a log line: `escape=default | json | none` of
//! `log_format`.

/// How the values of variables are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Escape {
    /// `"`, `\` and bytes outside 0x20 to 0x7e as `\xHH`.
    #[default]
    Default,
    /// The escapes of a JSON string.
    Json,
    /// As they are.
    None,
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

impl Escape {
    /// Writes a value.
    pub fn write(self, to: &mut Vec<u8>, value: &[u8]) {
        match self {
            Escape::Default => default(to, value),
            Escape::Json => json(to, value),
            Escape::None => to.extend_from_slice(value),
        }
    }

    /// What stands for a value that does not exist (nginx-semantics 18.2).
    pub fn absent(self) -> &'static [u8] {
        match self {
            Escape::Default => b"-",
            Escape::Json | Escape::None => b"",
        }
    }
}

/// `"`, `\` and what is not printable ASCII as `\xHH`. Also for values in the error log.
pub fn default(to: &mut Vec<u8>, value: &[u8]) {
    for part in value.split_inclusive(|byte| needs_hex(*byte)) {
        match part {
            [plain @ .., last] if needs_hex(*last) => {
                to.extend_from_slice(plain);
                to.extend_from_slice(b"\\x");
                hex(to, *last);
            }
            plain => to.extend_from_slice(plain),
        }
    }
}

fn needs_hex(byte: u8) -> bool {
    !(0x20..0x7f).contains(&byte) || byte == b'"' || byte == b'\\'
}

/// The inside of a JSON string. Bytes from 0x80 stay: they are part of UTF-8, or the reader's to
/// judge.
fn json(to: &mut Vec<u8>, value: &[u8]) {
    for byte in value {
        match byte {
            b'"' | b'\\' => to.extend_from_slice(&[b'\\', *byte]),
            b'\n' => to.extend_from_slice(b"\\n"),
            b'\r' => to.extend_from_slice(b"\\r"),
            b'\t' => to.extend_from_slice(b"\\t"),
            0x08 => to.extend_from_slice(b"\\b"),
            0x0c => to.extend_from_slice(b"\\f"),
            0..=0x1f => {
                to.extend_from_slice(b"\\u00");
                hex(to, *byte);
            }
            other => to.push(*other),
        }
    }
}

fn hex(to: &mut Vec<u8>, byte: u8) {
    to.push(HEX[usize::from(byte >> 4)]);
    to.push(HEX[usize::from(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_escape_writes_its_own_form() {
        let value = b"a\"b\\c\x01\n\t\x7f\xc3\xa4";
        let cases: [(Escape, &[u8]); 3] = [
            (Escape::Default, br"a\x22b\x5Cc\x01\x0A\x09\x7F\xC3\xA4"),
            (Escape::Json, b"a\\\"b\\\\c\\u0001\\n\\t\x7f\xc3\xa4"),
            (Escape::None, value),
        ];
        for (escape, wanted) in cases {
            let mut to = Vec::new();
            escape.write(&mut to, value);
            assert_eq!(to, wanted, "{escape:?}: {}", to.escape_ascii());
        }
    }
}
