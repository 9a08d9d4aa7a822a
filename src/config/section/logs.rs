//! Logs of requests and of errors, by level of the configuration.

use crate::directive::Check;
use crate::value::{AccessLogs, ErrorLog, List};

directives! {
    /// LOGS
    pub struct Logs in [Http, Server, Location] {
        /// A log of requests: a file, the name of a {log_format}, and options. `buffer` writes
        /// lines in blocks, `flush` writes them when they are so old, `if` leaves out requests for
        /// which its value is empty or "0". Several lines add up; `off` cancels all of its level.
        access_log: AccessLogs = "logs/access.log combined";

        /// Where errors are logged and from which level on, for requests that come here. Without
        /// it, as at the main level.
        error_log: List<ErrorLog> = none;
    }
}

impl Check for Logs {}
