//! The manual holds together: nothing is missing, no reference leads nowhere, the page is the one
//! that is shipped.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::markup::{Piece, paragraphs};
use super::*;
use crate::section::ALL;
use crate::value::VARIABLES;

#[test]
fn every_directive_has_a_text_of_sentences_without_loose_marks() {
    for row in crate::table() {
        let text: Vec<_> = paragraphs(row.doc).into_iter().flatten().flatten().collect();
        assert!(!text.is_empty(), "{} has no text", row.name);
        let doc = row.doc.join(" ");
        assert!(
            doc.trim_end_matches([' ', ')']).ends_with('.'),
            "{} ends without a full stop",
            row.name
        );
        for piece in text {
            if let Piece::Plain(text) = piece {
                assert!(!text.contains(['`', '{', '}']), "{}: a loose mark in {text}", row.name);
            }
        }
    }
}

#[test]
fn every_reference_names_a_directive_or_a_section() {
    let mut known: BTreeSet<&str> = crate::table().map(|row| row.name).collect();
    known.extend(ALL.iter().map(|(title, _)| title.trim()));
    for row in crate::table() {
        for piece in paragraphs(row.doc).into_iter().flatten().flatten() {
            if let Piece::Reference(name) = piece {
                assert!(known.contains(&name[..]), "{} refers to {name}", row.name);
            }
        }
    }
}

#[test]
fn the_page_has_every_directive_and_every_variable() {
    let page = liege_conf_5();
    for (title, _) in ALL {
        assert!(page.contains(&format!("\n.Ss {}\n", title.trim())), "{title}");
    }
    for row in crate::table() {
        let head = format!("\n.It Ic {}", row.name);
        let short = format!("\n.It Ic \\&{}", row.name);
        assert!(page.contains(&head) || page.contains(&short), "{}", row.name);
        assert!(directive(row.name).is_some(), "{}", row.name);
    }
    for row in VARIABLES {
        assert!(page.contains(&format!("Va ${}", row.name.trim_end_matches('_'))), "{}", row.name);
    }
    assert!(!page.contains("\n@"), "a hole of the template is not filled");
    assert!(page.is_ascii());
}

#[test]
fn an_entry_tells_syntax_default_contexts_and_text() {
    let entry = directive("client_max_body_size").unwrap_or_default();
    let wanted = "REQUEST BODIES\n    client_max_body_size size;\n        \
        default: client_max_body_size 1m;\n        context: http, server, location\n\n    \
        The longest body; longer ones get 413. 0 is no limit.\n";
    assert_eq!(entry, wanted);
}

#[test]
fn a_directive_of_several_sections_shows_all() {
    let entry = directive("error_log").unwrap_or_default();
    assert!(entry.starts_with("MAIN\n") && entry.contains("\n\nLOGS\n"), "{entry}");
    assert!(directive("try_files").is_some_and(|entry| entry.contains("Not inherited")));
    assert!(directive("max-requests").is_some(), "uWSGI's spelling");
    assert!(directive("alias").is_some_and(|entry| entry.contains("Excludes root in the same")));
    assert!(directive("gzip").is_none());
    assert_eq!(nearest("etagg"), Some("etag"));
    assert!(entry.lines().all(|line| line.len() <= 78), "{entry}");
}

#[test]
fn mandoc_finds_nothing_wrong_with_the_page() {
    let mandoc = Command::new("mandoc")
        .args(["-T", "lint", "-W", "warning"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut mandoc) = mandoc else {
        eprintln!("mandoc is not installed: the page was not looked at");
        return;
    };
    let mut input = mandoc.stdin.take().expect("its input is a pipe");
    input.write_all(liege_conf_5().as_bytes()).expect("mandoc reads its input");
    drop(input);
    let output = mandoc.wait_with_output().expect("mandoc ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert!(output.status.success(), "{}", output.status);
}

#[test]
fn the_page_in_man_is_the_one_that_is_printed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../man/liege.conf.5");
    let page = liege_conf_5();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).expect("man/liege.conf.5 is written");
    }
    let shipped = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(shipped == page, "man/liege.conf.5 is not current: run this test with UPDATE=1");
}

#[test]
fn the_example_is_accepted_without_a_word() {
    let beside = |name: &str| {
        let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf");
        std::fs::read_to_string(conf.join(name)).expect("conf/ has it")
    };
    let others = [
        ("/etc/liege/mime.types", &beside("mime.types")[..]),
        ("/etc/liege/uwsgi_params", &beside("uwsgi_params")[..]),
    ];
    let typed = crate::typed(&crate::testing::reading(EXAMPLE.as_bytes(), &others).tree);
    let said: String = typed.diagnostics.iter().map(|said| said.render(false)).collect();
    assert_eq!(said, "");
    let servers = typed.config.and_then(|config| config.http).map(|http| http.servers.len());
    assert_eq!(servers, Some(3));
}
