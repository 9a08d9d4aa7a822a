//! The request packet: `modifier1, size (16 bit, little-endian), modifier2`, then pairs of
//! length-prefixed names and values.
//!
//! Reading is strict where uWSGI is not: a name or value that runs past the end of its block is an
//! error, never read further.

use std::fmt;

/// The most bytes that a block of pairs can have: its size is told in 16 bits.
pub const LARGEST: usize = u16::MAX as usize;

/// The four bytes in front of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What kind of request follows: 0 is a request for a WSGI application, the only kind that
    /// liege serves.
    pub modifier1: u8,
    /// How many bytes the block of pairs has.
    pub size: u16,
    /// A detail of `modifier1`.
    pub modifier2: u8,
}

impl Head {
    /// How many bytes a head has.
    pub const LENGTH: usize = 4;

    /// Reads a head. `None` while there are fewer than [`Head::LENGTH`] bytes.
    pub fn parse(bytes: &[u8]) -> Option<Head> {
        match *bytes {
            [modifier1, low, high, modifier2, ..] => {
                Some(Head { modifier1, size: u16::from_le_bytes([low, high]), modifier2 })
            }
            _ => None,
        }
    }

    /// What someone most likely speaks instead of uwsgi, where the bytes of the head betray it.
    pub fn mistaken_for(&self) -> Option<&'static str> {
        let [low, high] = self.size.to_le_bytes();
        let start = [self.modifier1, low, high, self.modifier2];
        const METHODS: [&[u8; 4]; 7] =
            [b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC"];
        if METHODS.contains(&&start) {
            return Some("HTTP");
        }
        (start[..2] == [0x16, 0x03]).then_some("TLS")
    }
}

/// Why a block of pairs cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A length or what it announces runs past the end of the block.
    Truncated {
        /// Where in the block the pair begins.
        at: usize,
    },
    /// A pair without a name.
    NoName {
        /// Where in the block the pair begins.
        at: usize,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Truncated { at } => write!(f, "pair at byte {at} runs past the end"),
            Malformed::NoName { at } => write!(f, "pair at byte {at} has no name"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Reads the pairs of a block, whose length the head told. After an error nothing more comes.
pub fn pairs(block: &[u8]) -> Pairs<'_> {
    Pairs { block, at: 0 }
}

/// The pairs of a block, in order, repeated names included.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Pairs<'a> {
    fn pair(&mut self) -> Result<(&'a [u8], &'a [u8]), Malformed> {
        let at = self.at;
        let (name, after) = text(self.block, at).ok_or(Malformed::Truncated { at })?;
        if name.is_empty() {
            return Err(Malformed::NoName { at });
        }
        let (value, after) = text(self.block, after).ok_or(Malformed::Truncated { at })?;
        self.at = after;
        Ok((name, value))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.block.len() {
            return None;
        }
        let pair = self.pair();
        if pair.is_err() {
            self.at = self.block.len();
        }
        Some(pair)
    }
}

/// The length-prefixed text at a place, and the place behind it.
fn text(block: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let start = at.checked_add(2)?;
    let length = block.get(at..start)?;
    let end = start + usize::from(u16::from_le_bytes([length[0], length[1]]));
    Some((block.get(start..end)?, end))
}

/// A packet that is being written. Nothing is refused before [`Packet::finish`], which knows the
/// whole size.
#[derive(Debug, Clone, Default)]
pub struct Packet {
    bytes: Vec<u8>,
    biggest: Option<Biggest>,
}

/// Where the longest pair is.
#[derive(Debug, Clone, Copy)]
struct Biggest {
    name: (usize, usize),
    value: usize,
}

/// A packet whose pairs need more bytes than the protocol can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooBig {
    /// The bytes that the pairs need.
    pub size: usize,
    /// The name of the pair with the longest value.
    pub biggest: Vec<u8>,
    /// The length of that value.
    pub biggest_size: usize,
}

impl fmt::Display for TooBig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "uwsgi request is too big: {} (at most {LARGEST}; {} alone has {})",
            self.size,
            self.biggest.escape_ascii(),
            self.biggest_size
        )
    }
}

impl std::error::Error for TooBig {}

impl Packet {
    /// Begins a packet.
    pub fn new(modifier1: u8, modifier2: u8) -> Packet {
        Packet::within(Vec::with_capacity(2048), modifier1, modifier2)
    }

    /// Begins a packet in a buffer that is used again.
    pub fn within(mut buffer: Vec<u8>, modifier1: u8, modifier2: u8) -> Packet {
        buffer.clear();
        buffer.extend_from_slice(&[modifier1, 0, 0, modifier2]);
        Packet { bytes: buffer, biggest: None }
    }

    /// Adds a pair. A name that is there already is sent twice, and the last one wins at the other
    /// end.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.pair(|to| to.extend_from_slice(name), |to| to.extend_from_slice(value));
    }

    /// Adds a pair whose value is written by the caller at the end of what is given to it.
    pub fn add_written(&mut self, name: &[u8], value: impl FnOnce(&mut Vec<u8>)) {
        self.pair(|to| to.extend_from_slice(name), value);
    }

    /// Adds a request field as CGI names it, its repetitions joined.
    ///
    /// RFC 3875 4.1.18: `HTTP_`, upper case, `-` as `_`. Joined by `", "`, Cookie by `"; "` (nginx
    /// since 1.23.0).
    pub fn add_field<'v>(&mut self, field: &[u8], values: impl Iterator<Item = &'v [u8]>) {
        let between: &[u8] = if field.eq_ignore_ascii_case(b"cookie") { b"; " } else { b", " };
        self.pair(
            |to| {
                to.extend_from_slice(b"HTTP_");
                to.extend(field.iter().map(|byte| as_variable(*byte)));
            },
            |to| {
                for (index, value) in values.enumerate() {
                    if index > 0 {
                        to.extend_from_slice(between);
                    }
                    to.extend_from_slice(value);
                }
            },
        );
    }

    /// The bytes of the pairs so far.
    pub fn size(&self) -> usize {
        self.bytes.len() - Head::LENGTH
    }

    /// The packet, ready to be sent.
    pub fn finish(mut self) -> Result<Vec<u8>, TooBig> {
        let Ok(size) = u16::try_from(self.size()) else {
            return Err(self.too_big());
        };
        self.bytes[1..3].copy_from_slice(&size.to_le_bytes());
        Ok(self.bytes)
    }

    fn too_big(&self) -> TooBig {
        let (name, value) = match self.biggest {
            Some(Biggest { name: (start, end), value }) => (&self.bytes[start..end], value),
            None => (&b"uwsgi_string"[..], self.size()),
        };
        // Bounded: the name goes into a log line.
        let name = name[..name.len().min(100)].to_vec();
        TooBig { size: self.size(), biggest: name, biggest_size: value }
    }

    fn pair(&mut self, name: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>)) {
        let name = self.text(name);
        let (start, end) = self.text(value);
        if self.biggest.is_none_or(|biggest| biggest.value < end - start) {
            self.biggest = Some(Biggest { name, value: end - start });
        }
    }

    /// Writes a text behind its length. A length that 16 bits do not hold makes `finish` fail,
    /// whatever is told here.
    fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> (usize, usize) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        write(&mut self.bytes);
        let length = (self.bytes.len() - at - 2) as u16;
        self.bytes[at..at + 2].copy_from_slice(&length.to_le_bytes());
        (at + 2, self.bytes.len())
    }
}

/// A byte of a field name as it stands in a CGI variable.
pub fn as_variable(byte: u8) -> u8 {
    match byte {
        b'-' => b'_',
        other => other.to_ascii_uppercase(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn packet(given: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let mut packet = Packet::new(0, 0);
        for (name, value) in given {
            packet.add(name, value);
        }
        packet.finish().expect("small")
    }

    #[test]
    fn a_packet_has_the_bytes_that_the_protocol_wants() {
        let mut packet = Packet::new(0, 0);
        packet.add(b"A", b"bc");
        assert_eq!(packet.finish().unwrap(), b"\0\x07\0\0\x01\0A\x02\0bc");
    }

    #[test]
    fn a_field_becomes_a_cgi_variable_and_its_repetitions_are_joined() {
        let mut packet = Packet::new(0, 0);
        packet.add_field(b"X-Forwarded-For", [&b"1"[..], b"2"].into_iter());
        packet.add_field(b"Cookie", [&b"a=1"[..], b"b=2"].into_iter());
        let bytes = packet.finish().unwrap();
        let read: Vec<_> = pairs(&bytes[Head::LENGTH..]).map(Result::unwrap).collect();
        let wanted: [(&[u8], &[u8]); 2] =
            [(b"HTTP_X_FORWARDED_FOR", b"1, 2"), (b"HTTP_COOKIE", b"a=1; b=2")];
        assert_eq!(read, wanted);
    }

    #[test]
    fn a_packet_may_have_65535_bytes_and_not_one_more() {
        let mut packet = Packet::new(0, 0);
        packet.add(b"A", &vec![b'x'; LARGEST - 5]);
        let bytes = packet.clone().finish().unwrap();
        assert_eq!(Head::parse(&bytes).unwrap().size, 65_535);
        packet.add(b"B", b"");
        let refused = packet.finish().unwrap_err();
        assert_eq!((refused.size, refused.biggest), (LARGEST + 5, b"A".to_vec()));
    }

    #[test]
    fn a_single_value_past_the_limit_is_named() {
        let mut packet = Packet::new(0, 0);
        packet.add(b"QUERY_STRING", b"");
        packet.add_field(b"Cookie", [&[b'c'; 70_000][..]].into_iter());
        let refused = packet.finish().unwrap_err();
        assert_eq!((&refused.biggest[..], refused.biggest_size), (&b"HTTP_COOKIE"[..], 70_000));
    }

    #[test]
    fn a_pair_that_runs_past_the_end_is_an_error_and_ends_the_reading() {
        let cases: [&[u8]; 6] =
            [b"\x01", b"\x05\0A", b"\x01\0A", b"\x01\0A\x01", b"\x01\0A\x02\0b", b"\xff\xffAAAA"];
        for case in cases {
            let read: Vec<_> = pairs(case).collect();
            assert_eq!(read, [Err(Malformed::Truncated { at: 0 })], "{case:?}");
        }
    }

    #[test]
    fn a_pair_without_a_name_is_an_error() {
        assert_eq!(pairs(b"\0\0\0\0").next(), Some(Err(Malformed::NoName { at: 0 })));
    }

    #[test]
    fn http_on_a_uwsgi_socket_is_recognised() {
        assert_eq!(Head::parse(b"GET / HTTP").unwrap().mistaken_for(), Some("HTTP"));
        assert_eq!(Head::parse(b"\0\x07\0\0").unwrap().mistaken_for(), None);
    }

    type Given = Vec<(Vec<u8>, Vec<u8>)>;

    fn some_pairs() -> impl Strategy<Value = Given> {
        vec((vec(any::<u8>(), 1..40), vec(any::<u8>(), 0..90)), 1..20)
    }

    /// The bytes that pairs take in a block.
    fn size_of<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> usize {
        pairs.map(|(name, value)| name.len() + value.len() + 4).sum()
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(given in some_pairs()) {
            let bytes = packet(&given);
            let head = Head::parse(&bytes).unwrap();
            prop_assert_eq!(usize::from(head.size), bytes.len() - Head::LENGTH);
            let read: Given = pairs(&bytes[Head::LENGTH..])
                .map(|pair| pair.map(|(name, value)| (name.to_vec(), value.to_vec())).unwrap())
                .collect();
            prop_assert_eq!(read, given);
        }

        #[test]
        fn a_truncated_block_never_reads_as_more_than_it_holds(
            given in some_pairs(), cut in any::<prop::sample::Index>(),
        ) {
            let bytes = packet(&given);
            let block = &bytes[Head::LENGTH..];
            let block = &block[..cut.index(block.len())];
            let read = size_of(pairs(block).take_while(Result::is_ok).flatten());
            prop_assert!(read <= block.len());
            prop_assert_eq!(pairs(block).all(|pair| pair.is_ok()), read == block.len());
        }

        #[test]
        fn flipped_bits_never_panic(
            given in some_pairs(), flips in vec((any::<prop::sample::Index>(), 0u8..8), 1..8),
        ) {
            let mut bytes = packet(&given);
            for (place, bit) in flips {
                let place = place.index(bytes.len());
                bytes[place] ^= 1 << bit;
            }
            let block = &bytes[Head::LENGTH..];
            prop_assert!(size_of(pairs(block).flatten()) <= block.len());
        }
    }
}
