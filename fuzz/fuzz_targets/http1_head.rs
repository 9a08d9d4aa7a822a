//! A request head: no panic, and the same verdict however the bytes are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::http1::head::{Head, Limits};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let mut whole = Head::default();
    let at_once = whole.advance(bytes, &limits);
    let mut head = Head::default();
    let mut in_pieces = Ok(None);
    for end in 1..=bytes.len() {
        in_pieces = head.advance(&bytes[..end], &limits);
        if !matches!(in_pieces, Ok(None)) {
            break;
        }
    }
    assert_eq!(at_once, in_pieces);
});
