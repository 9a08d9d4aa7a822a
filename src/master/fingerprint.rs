//! Fingerprints: two readings whose parts have the same one mean the same.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use serde::Serialize;

/// The fingerprint of a value: of its bytes on the wire, which hold every field.
pub fn of(value: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    wire::message::encode(value).hash(&mut hasher);
    hasher.finish()
}
