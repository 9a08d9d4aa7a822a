//! The types of files, by the extensions of their names.

use crate::directive::Check;
use crate::value::{Bytes, Ignored, TypeTable};

directives! {
    /// TYPES
    pub struct Types in [Http, Server, Location] {
        /// A table of types: a type, then extensions. A table replaces that of the level further
        /// out. Extensions compare without case. Without a table: html, gif and jpg.
        types: TypeTable = none;

        /// The type of files whose extension has none. An empty one sends no Content-Type.
        default_type: Bytes = "text/plain";

        /// Accepted for nginx's sake: tables here size themselves.
        types_hash_bucket_size: Ignored<1, false> = none;

        /// Accepted for nginx's sake: tables here size themselves.
        types_hash_max_size: Ignored<1, false> = none;
    }
}

impl Check for Types {}
