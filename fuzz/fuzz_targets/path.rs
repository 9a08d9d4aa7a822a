//! A request path: whatever is accepted stays below the root, and its escaped form is the same
//! path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::path::{escape, normalise};

fuzz_target!(|bytes: &[u8]| {
    for merge_slashes in [true, false] {
        let mut path = Vec::new();
        if normalise(bytes, merge_slashes, &mut path).is_err() {
            continue;
        }
        assert_eq!(path[0], b'/');
        assert!(path.split(|&byte| byte == b'/').all(|part| part != b".." && part != b"."));
        assert!(!path.contains(&0));
        assert!(!merge_slashes || !path.windows(2).any(|two| two == b"//"));
        let (mut escaped, mut again) = (Vec::new(), Vec::new());
        escape(&path, &mut escaped);
        assert!(escaped.iter().all(u8::is_ascii_graphic));
        assert!(normalise(&escaped, merge_slashes, &mut again).is_ok());
        assert_eq!(path, again);
    }
});
