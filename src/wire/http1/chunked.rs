//! The chunked transfer coding (RFC 9112, 7.1): decoded byte by byte as it arrives, encoded a chunk
//! at a time.
//!
//! Every line of the framing ends with CRLF, nothing else: a bare LF here is how requests are
//! smuggled. Extensions and trailers are checked, bounded and dropped.

use std::ops::Range;

use super::{Bad, Known, field};

/// Reads a chunked body.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    /// Bytes of the present chunk that are still to come, or the size that is being read.
    left: u64,
    /// Digits of the size, bytes of extensions, or bytes of trailers seen.
    seen: usize,
    /// The trailer line that is being read.
    line: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum State {
    #[default]
    Size,
    BeforeExtension,
    ExtensionStart,
    ExtensionName,
    ValueStart,
    Value,
    Quoted,
    QuotedPair,
    QuoteEnd,
    SizeEnd,
    Data,
    DataEnd,
    DataEndLf,
    Trailer,
    TrailerLf,
    Done,
}

/// What a call of [`Decoder::decode`] found.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// How many bytes of the input were used.
    pub consumed: usize,
    /// Which of them are the body's.
    pub data: Range<usize>,
    /// Whether the body has ended; bytes behind `consumed` are not its own.
    pub done: bool,
}

impl Decoder {
    /// Goes on with `input`. Stops behind the first piece of data; call again with what is behind
    /// `consumed`.
    pub fn decode(&mut self, input: &[u8]) -> Result<Step, Bad> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            if self.state == State::Data {
                let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len() - at);
                self.left -= count as u64;
                if self.left == 0 {
                    self.state = State::DataEnd;
                }
                return Ok(Step { consumed: at + count, data: at..at + count, done: false });
            }
            self.framing(input[at])?;
            at += 1;
        }
        Ok(Step { consumed: at, data: at..at, done: self.state == State::Done })
    }

    /// Whether the last chunk and the trailers were read.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn framing(&mut self, byte: u8) -> Result<(), Bad> {
        self.state = match (self.state, byte) {
            (State::Size, digit) if digit.is_ascii_hexdigit() => self.digit(digit)?,
            (State::Size, _) if self.seen == 0 => return Err(BAD),
            (State::Size, b'\r') => State::SizeEnd,
            (
                State::Size
                | State::BeforeExtension
                | State::ExtensionStart
                | State::ExtensionName
                | State::ValueStart
                | State::Value
                | State::Quoted
                | State::QuotedPair
                | State::QuoteEnd,
                byte,
            ) => self.extension(byte)?,
            (State::SizeEnd, b'\n') => {
                self.seen = 0;
                if self.left == 0 { State::Trailer } else { State::Data }
            }
            (State::DataEnd, b'\r') => State::DataEndLf,
            (State::DataEndLf, b'\n') => State::Size,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::Trailer, b'\n') => return Err(BAD),
            (State::Trailer, text) => self.trailer(text)?,
            (State::TrailerLf, b'\n') => self.end_trailer()?,
            _ => return Err(BAD),
        };
        Ok(())
    }

    fn digit(&mut self, digit: u8) -> Result<State, Bad> {
        let value = u64::from(char::from(digit).to_digit(16).unwrap_or(0));
        self.left = if self.seen == 0 { value } else { self.left << 4 | value };
        self.seen += 1;
        // 15 digits cannot overflow, and no body is longer.
        if self.seen > 15 { Err(BAD) } else { Ok(State::Size) }
    }

    /// `;name`, `;name=value`, `;name="value"`, with blanks where RFC 9112 (7.1.1) allows them.
    fn extension(&mut self, byte: u8) -> Result<State, Bad> {
        self.seen += 1;
        if self.seen > LONGEST_EXTENSION {
            return Err(BAD);
        }
        let token = field::is_token(&[byte]);
        Ok(match (self.state, byte) {
            (State::Size | State::BeforeExtension, b' ' | b'\t') => State::BeforeExtension,
            (State::Size | State::BeforeExtension, b';') => State::ExtensionStart,
            (State::ExtensionStart, b' ' | b'\t') => State::ExtensionStart,
            (State::ExtensionStart | State::ExtensionName, _) if token => State::ExtensionName,
            (State::ExtensionName, b'=') => State::ValueStart,
            (State::ExtensionName | State::Value | State::QuoteEnd, end) => match end {
                b';' => State::ExtensionStart,
                b'\r' => State::SizeEnd,
                b' ' | b'\t' => State::BeforeExtension,
                _ if token && self.state == State::Value => State::Value,
                _ => return Err(BAD),
            },
            (State::ValueStart, b'"') => State::Quoted,
            (State::ValueStart, _) if token => State::Value,
            (State::Quoted, b'"') => State::QuoteEnd,
            (State::Quoted, b'\\') => State::QuotedPair,
            (State::Quoted | State::QuotedPair, _) if field::is_value(&[byte]) => State::Quoted,
            _ => return Err(BAD),
        })
    }

    fn trailer(&mut self, byte: u8) -> Result<State, Bad> {
        self.seen += 1;
        self.line.push(byte);
        if self.seen > LONGEST_TRAILERS { Err(BAD) } else { Ok(State::Trailer) }
    }

    fn end_trailer(&mut self) -> Result<State, Bad> {
        if self.line.is_empty() {
            return Ok(State::Done);
        }
        let parts = field::split(&self.line).map_err(|_| BAD)?;
        // Nobody may change framing or host behind the body (RFC 9110, 6.5.1).
        match Known::find(&self.line[..parts.name]) {
            Some(Known::Host | Known::ContentLength | Known::TransferEncoding) => return Err(BAD),
            _ => self.line.clear(),
        }
        Ok(State::Trailer)
    }
}

/// Writes what goes before a chunk of this length. Behind it goes CRLF.
pub fn begin_chunk(length: u64, to: &mut Vec<u8>) {
    let digits = (64 - length.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let value = (length >> (4 * place)) & 15;
        to.push(b"0123456789abcdef"[value as usize]);
    }
    to.extend_from_slice(b"\r\n");
}

/// What ends a chunked body.
pub const END: &[u8] = b"0\r\n\r\n";

const BAD: Bad = Bad::Malformed("client sent invalid chunked body");
const LONGEST_EXTENSION: usize = 4096;
const LONGEST_TRAILERS: usize = 8192;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes `input` cut at `cuts`: the body and how much was used.
    fn read(input: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, usize, bool), Bad> {
        let mut decoder = Decoder::default();
        let (mut body, mut used, mut from) = (Vec::new(), 0, 0);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
        ends.push(input.len());
        ends.sort_unstable();
        for end in ends {
            while from < end {
                let step = decoder.decode(&input[from..end])?;
                body.extend_from_slice(&input[from..end][step.data.clone()]);
                from += step.consumed;
                used = from;
                if step.done {
                    return Ok((body, used, true));
                }
            }
        }
        Ok((body, used, decoder.is_done()))
    }

    #[test]
    fn a_body_ends_behind_its_trailers() {
        let input = b"5\r\nhello\r\n6 ;a=\"b\\\"\";c;d=e ;f\r\n world\r\n0\r\nX: y\r\n\r\nGET /";
        assert_eq!(read(input, &[]), Ok((b"hello world".to_vec(), input.len() - 5, true)));
    }

    #[test]
    fn framing_that_others_read_differently_is_refused() {
        let inputs: [&[u8]; 22] = [
            b"5;\r\nhello",
            b"5;a=\r\nhello",
            b"5;a=\"b\r\nhello",
            b"5;a=\"b\"c\r\nhello",
            b"0\r\nContent-Length: 1\r\n\r\n",
            b"0\r\nhost: a\r\n\r\n",
            b"5\nhello\r\n0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhello0\r\n\r\n",
            b"5\r\nhelloX\r\n",
            b"\r\n",
            b"0x5\r\nhello",
            b"-5\r\nhello",
            b"+5\r\nhello",
            b" 5\r\nhello",
            b"5 \r\nhello",
            b"5\rX",
            b"1000000000000000\r\n",
            b"5;a\nhello",
            b"5;a\x00\r\nhello",
            b"0\r\nX y\r\n\r\n",
            b"0\r\nX: y\n\r\n",
        ];
        for input in inputs {
            assert_eq!(read(input, &[]), Err(BAD), "{:?}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn chunk_heads_are_the_shortest_that_say_it() {
        for (length, text) in [(0, "0\r\n"), (15, "f\r\n"), (16, "10\r\n"), (65536, "10000\r\n")] {
            let mut out = Vec::new();
            begin_chunk(length, &mut out);
            assert_eq!(out, text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_however_it_is_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            cuts in prop::collection::vec(any::<usize>(), 0..12),
        ) {
            let mut input = Vec::new();
            for chunk in &chunks {
                begin_chunk(chunk.len() as u64, &mut input);
                input.extend_from_slice(chunk);
                input.extend_from_slice(b"\r\n");
            }
            input.extend_from_slice(END);
            prop_assert_eq!(read(&input, &cuts), Ok((chunks.concat(), input.len(), true)));
        }

        #[test]
        fn the_verdict_does_not_depend_on_the_cuts(
            input in prop::collection::vec(prop::sample::select(b"05a;\r\n x".to_vec()), 0..40),
            cuts in prop::collection::vec(any::<usize>(), 0..12),
        ) {
            prop_assert_eq!(read(&input, &cuts), read(&input, &[]));
        }
    }
}
