//! Errors and redirects: what the client sees instead.

use crate::directive::Check;
use crate::value::{ErrorPage, List};

directives! {
    /// ERRORS AND REDIRECTS
    pub struct Errors in [Http, Server, Location] {
        /// A page for these statuses: a path (an internal redirect with GET), a named location, or
        /// a URL (a redirect of the client). `=code` changes the status, `=` alone takes that of
        /// whatever makes the page. Several lines add up; a level further in replaces what was said
        /// further out.
        error_page: List<ErrorPage> = none;

        /// Whether an error in an error page may have an error page.
        recursive_error_pages: bool = "off";

        /// Whether redirects to paths name scheme and host.
        absolute_redirect: bool = "on";

        /// Whether absolute redirects name the port, where it is not the scheme's own.
        port_in_redirect: bool = "on";

        /// Whether absolute redirects name the first {server_name}, not the host that was asked
        /// for.
        server_name_in_redirect: bool = "off";
    }
}

impl Check for Errors {}
