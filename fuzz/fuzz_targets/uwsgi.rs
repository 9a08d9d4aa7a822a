//! A uwsgi packet and an app's reply: no panic, no overread, the same reply however the bytes are
//! cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::uwsgi::reply::{self, Progress};
use wire::uwsgi::{Head, pairs};

fuzz_target!(|bytes: &[u8]| {
    if let Some(head) = Head::parse(bytes) {
        let block = &bytes[Head::LENGTH..];
        let block = &block[..block.len().min(usize::from(head.size))];
        for pair in pairs(block) {
            let Ok((name, value)) = pair else { break };
            assert!(!name.is_empty() && name.len() + value.len() + 4 <= block.len());
        }
    }
    let at_once = reply::parse(bytes, 0);
    let mut in_pieces = Progress::NeedMore;
    for end in 1..=bytes.len() {
        in_pieces = reply::parse(&bytes[..end], end - 1);
        if in_pieces != Progress::NeedMore {
            break;
        }
    }
    assert_eq!(at_once, in_pieces);
    if let Progress::Done(head, end) = at_once {
        assert!(end <= bytes.len() && (200..=999).contains(&head.status));
        for (name, value) in head.fields {
            assert!(!name.is_empty());
            assert!(![name, value].concat().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        }
    }
});
