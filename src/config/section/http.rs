//! What stands in `http { }` alone.

use crate::directive::Check;
use crate::value::{Ignored, List, LogFormat};

directives! {
    /// HTTP
    pub struct Http in [Http] {
        /// The shape of an access log's lines, under a name; the words behind it are joined.
        /// Variables are written harmlessly: `escape=default` as \\xHH what could break a line,
        /// `json` as in a JSON string, `none` as they are. A variable without a value is "-" with
        /// the first and nothing with the others. It stands above each {access_log} that uses it;
        /// `combined` is always there.
        log_format: List<LogFormat> = none;

        /// Accepted for nginx's sake: tables here size themselves.
        server_names_hash_bucket_size: Ignored<1, false> = none;

        /// Accepted for nginx's sake: tables here size themselves.
        server_names_hash_max_size: Ignored<1, false> = none;

        /// Accepted for nginx's sake: tables here size themselves.
        variables_hash_bucket_size: Ignored<1, false> = none;

        /// Accepted for nginx's sake: tables here size themselves.
        variables_hash_max_size: Ignored<1, false> = none;
    }
}

impl Check for Http {}
