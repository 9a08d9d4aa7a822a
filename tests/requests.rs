//! Bytes in, bytes out: every `requests/NAME.http` is sent as it is, and what comes back is
//! compared with `NAME.want`.
//!
//! In both files a line break is for the reader only; `\r`, `\n`, `\t`, `\\` and `\xHH` stand for
//! the bytes that count, `\*N.` repeats the byte before it. Dates of answers, ports and request ids
//! are written as `*`. Where nginx answers differently on purpose, the first line of the file says
//! `# ours`.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::support::{Daemon, liege, project, theirs};

const SITE: &str = "
    events { }
    http {
        include mime.types;
        server_tokens off;
        client_max_body_size 100;
        large_client_header_buffers 4 1k;
        server {
            listen 127.0.0.1:PORT;
            server_name localhost;
            root html;
            location /echo { default_type text/plain; return 200 \"$request_method $uri $args [$http_x_a]\"; }
            location /body { return 200 taken; }
            location /dir/ { }
            location /app { include uwsgi_params; uwsgi_pass unix:DIR/none.sock; }
        }
    }";

#[test]
fn every_request_gets_the_answer_that_is_written_beside_it() {
    let daemon =
        liege(SITE).file("html/a.txt", "0123456789").file("html/dir/index.html", "<p>").start();
    for name in ["html/a.txt", "html/dir/index.html"] {
        let file = fs::File::options().write(true).open(daemon.path(name)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
    }
    let mut names: Vec<_> = fs::read_dir(project().join("tests/requests"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "http"))
        .collect();
    names.sort();
    assert!(names.len() > 30, "the requests are there");
    let wrong: Vec<_> = names.iter().filter_map(|path| differs(&daemon, path)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn differs(daemon: &Daemon, path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).unwrap();
    if theirs() && text.starts_with("# ours") {
        return None;
    }
    let got = show(&daemon.connect().send(bytes(&text)).finish().rest());
    let want = path.with_extension("want");
    if std::env::var_os("UPDATE").is_some() && !theirs() {
        fs::write(&want, got).unwrap();
        return None;
    }
    let wanted = fs::read_to_string(&want).unwrap_or_default();
    let (got, wanted) = if theirs() { (heads(&got), heads(&wanted)) } else { (got, wanted) };
    (got != wanted).then(|| format!("--- {}\n+++ wanted\n{wanted}+++ got\n{got}", path.display()))
}

/// The bytes that a file means.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = vec![];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut rest = line.chars();
        while let Some(letter) = rest.next() {
            let escaped = if letter == '\\' { rest.next() } else { None };
            match escaped {
                Some('r') => bytes.push(b'\r'),
                Some('n') => bytes.push(b'\n'),
                Some('t') => bytes.push(b'\t'),
                Some('x') => {
                    let digits: String = rest.by_ref().take(2).collect();
                    bytes.push(u8::from_str_radix(&digits, 16).expect("\\x and two digits"));
                }
                // `\*N` repeats the byte before it N times in all, N ends with a dot.
                Some('*') => {
                    let count: String = rest.by_ref().take_while(|letter| *letter != '.').collect();
                    let last = *bytes.last().expect("a byte to repeat");
                    bytes.resize(bytes.len() + count.parse::<usize>().expect("a number") - 1, last);
                }
                Some(other) => bytes.push(other as u8),
                None => bytes.extend(letter.to_string().bytes()),
            }
        }
    }
    bytes
}

/// Bytes as a file shows them.
fn show(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'\r' => text += "\\r",
            b'\n' => text += "\\n\n",
            b'\t' => text += "\\t",
            b'\\' => text += "\\\\",
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text += &format!("\\x{byte:02x}"),
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.lines().map(|line| steady(line) + "\n").collect()
}

/// What differs from run to run is written as `*`.
fn steady(line: &str) -> String {
    let (start, end) = [
        ("Date: ", "\\r"),
        ("<small>request ", "<"),
        ("http://localhost:", "/"),
        ("http://127.0.0.1:", "/"),
    ]
    .into_iter()
    .find(|(start, _)| line.contains(start))
    .unwrap_or(("", ""));
    match line.split_once(start).filter(|_| !start.is_empty()) {
        Some((before, after)) => {
            let rest = after.find(end).map_or("", |at| &after[at..]);
            format!("{before}{start}*{rest}")
        }
        None => line.to_owned(),
    }
}

/// Status lines alone: what nginx and liege must agree about.
fn heads(text: &str) -> String {
    let lines = text.lines().filter_map(|line| Some(&line[line.find("HTTP/1.1 ")?..]));
    lines.map(|line| line.to_owned() + "\n").collect()
}
