//! Both parsers see the same directives on the same lines, with the same words.

use proptest::prelude::*;

use crate::{ours, theirs};

/// Directives that nginx-config accepts, by the block that they stand in.
const IN_MAIN: &[&[&str]] =
    &[&["daemon", "off"], &["master_process", "on"], &["worker_processes", "2"]];
const IN_SERVER: &[&[&str]] = &[
    &["listen", "80"],
    &["listen", "127.0.0.1:8080", "default_server"],
    &["listen", "[::1]:80"],
    &["server_name", "example.org", "*.example.org", "~^www\\d+\\.example\\.org$"],
    &["root", "/srv/$host/html"],
    &["error_page", "500", "502", "/50x.html"],
    &["return", "301", "https://$host$request_uri"],
    &["access_log", "off"],
    &["keepalive_timeout", "65"],
    &["client_max_body_size", "10m"],
    &["set", "$kind", "plain"],
    &["rewrite", "^/old/(.*)$", "/new/$1", "permanent"],
    &["add_header", "X-Kind", "$kind", "always"],
    &["server_tokens", "off"],
];
const IN_LOCATION: &[&[&str]] = &[
    &["alias", "/srv/static/"],
    &["try_files", "$uri", "$uri/", "/index.html"],
    &["default_type", "text/plain"],
    &["internal"],
    &["etag", "off"],
    &["index", "index.html", "index.htm"],
    &["allow", "10.0.0.0/8"],
    &["deny", "all"],
    &["proxy_pass", "http://backend"],
];
const LOCATIONS: &[&[&str]] = &[
    &["location", "/static/"],
    &["location", "=", "/exact"],
    &["location", "^~", "/images/"],
    &["location", "~", "\\.png$"],
    &["location", "~*", "\\.(gif|jpg)$"],
    &["location", "@named"],
];

/// What may stand between two words.
fn gap() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => Just(" ".to_owned()),
        1 => Just("\t".to_owned()),
        1 => Just("\n    ".to_owned()),
        1 => Just("   ".to_owned()),
    ]
}

/// What may stand before a directive.
fn indent() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("\n".to_owned()),
        1 => Just(" ".to_owned()),
        1 => Just("\n\n\t".to_owned()),
        1 => Just("\n# a comment; with { signs }\n".to_owned()),
    ]
}

fn written(words: &'static [&'static str], end: &'static str) -> impl Strategy<Value = String> {
    (indent(), prop::collection::vec(gap(), words.len())).prop_map(move |(indent, gaps)| {
        let mut text = indent;
        for (at, word) in words.iter().enumerate() {
            if at > 0 {
                text += &gaps[at];
            }
            text += word;
        }
        text + end
    })
}

fn one_of(lines: &'static [&'static [&'static str]]) -> impl Strategy<Value = String> {
    prop::sample::select(lines).prop_flat_map(|words| written(words, ";"))
}

fn some_of(lines: &'static [&'static [&'static str]]) -> impl Strategy<Value = String> {
    prop::collection::vec(one_of(lines), 0..5).prop_map(|lines| lines.concat())
}

fn location() -> impl Strategy<Value = String> {
    let head = prop::sample::select(LOCATIONS).prop_flat_map(|words| written(words, " {"));
    (head, some_of(IN_LOCATION)).prop_map(|(head, lines)| format!("{head}{lines} }}"))
}

fn whole() -> impl Strategy<Value = String> {
    let server = (some_of(IN_SERVER), prop::collection::vec(location(), 0..3))
        .prop_map(|(lines, locations)| format!("\nserver {{{lines}{}\n}}", locations.concat()));
    (some_of(IN_MAIN), prop::collection::vec(server, 0..3))
        .prop_map(|(lines, servers)| format!("{lines}\nhttp {{{}\n}}\n", servers.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn both_see_the_same_directives_on_the_same_lines_with_the_same_words(text in whole()) {
        let (their_directives, their_text) = theirs(&text).expect("texts are made of what it accepts");
        let (directives, words) = ours(&text).expect("what it accepts is nginx's grammar");
        prop_assert_eq!(directives, their_directives, "{}", text);
        let (_, again) = ours(&their_text).expect("what it writes is nginx's grammar");
        prop_assert_eq!(words, again, "{}", text);
    }
}

#[test]
fn both_refuse_what_is_no_grammar() {
    for text in [
        "http {",
        "http { server { listen 80 } }",
        "http { } }",
        "http { server { listen 80; ",
        "worker_processes",
        "worker_processes 2",
        "http { server { root \"/srv; } }",
        ";",
        "http { server { root '/srv'x; } }",
    ] {
        assert!(theirs(text).is_err(), "nginx-config accepts {text}");
        assert!(ours(text).is_err(), "liege accepts {text}");
    }
}
