//! A chunked body: no panic, always progress, the same body and the same verdict however the bytes
//! are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::http1::chunked::Decoder;

/// The body, and whether it is whole; none when it is refused.
fn decoded(bytes: &[u8], most: usize) -> Option<(Vec<u8>, bool)> {
    let mut decoder = Decoder::default();
    let mut body = Vec::new();
    for mut piece in bytes.chunks(most) {
        while !piece.is_empty() && !decoder.is_done() {
            let step = decoder.decode(piece).ok()?;
            assert!(step.consumed > 0 && step.data.end <= step.consumed);
            body.extend_from_slice(&piece[step.data]);
            piece = &piece[step.consumed..];
        }
    }
    Some((body, decoder.is_done()))
}

fuzz_target!(|bytes: &[u8]| {
    let whole = decoded(bytes, bytes.len().max(1));
    assert_eq!(whole, decoded(bytes, 1));
    assert_eq!(whole, decoded(bytes, 3));
});
