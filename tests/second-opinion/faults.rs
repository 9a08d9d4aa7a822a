//! What nginx-config makes of texts that are good nginx configurations. docs/decisions.md shows these; when a later version
//! mends one, its test fails here and the page is to be changed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{ours, theirs};

#[test]
fn it_refuses_directives_that_every_site_has() {
    for (text, name) in [
        ("user a;", "user"),
        ("events {}", "events"),
        ("pid a;", "pid"),
        ("http { sendfile on; }", "sendfile"),
        ("http { upstream u { server 127.0.0.1; } }", "upstream"),
        ("http { server { location / { uwsgi_pass u; } } }", "uwsgi_pass"),
        ("http { types { text/html html; } }", "types"),
        ("http { log_format a '$b'; }", "log_format"),
        ("app x { }", "app"),
    ] {
        let said = theirs(text).expect_err(text);
        assert!(said.contains(&format!("Unexpected `{name}`")), "{text}: {said}");
        assert!(ours(text).is_ok(), "{text}");
    }
}

#[test]
fn it_panics_on_a_variable_in_braces() {
    let text = "http { server { return 200 \"${host}a\"; } }";
    assert!(catch_unwind(AssertUnwindSafe(|| theirs(text))).is_err());
    assert!(ours(text).is_ok());
}

#[test]
fn it_panics_on_a_word_that_begins_beyond_ascii() {
    let text = "http { server { server_name é; } }";
    assert!(catch_unwind(AssertUnwindSafe(|| theirs(text))).is_err());
    assert!(ours(text).is_ok());
}

#[test]
fn it_loses_the_slash_of_a_socket_path() {
    let text = "http { server { listen unix:/a; } }";
    let (_, written) = theirs(text).expect("it accepts this");
    assert!(written.contains("listen unix:a;"), "{written}");
    let (_, words) = ours(text).expect("so does liege");
    assert_eq!(words.last().expect("three directives"), &["listen", "unix:/a"]);
}
