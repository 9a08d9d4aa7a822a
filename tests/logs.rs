//! What is written to the logs, and that reopening them loses no line.

use std::fs;

use sys::child::Signal;

use crate::support::{Daemon, liege, theirs, until};

fn site(lines: &str) -> Daemon {
    let config = "
        error_log logs/error.log info;
        events { }
        http {
            log_format short '$request_method $uri $status $body_bytes_sent';
            LINES
            server { listen 127.0.0.1:PORT; root html; location /empty { return 204; } }
        }";
    liege(&config.replace("LINES", lines)).file("html/a", "0123456789").start()
}

fn lines(daemon: &Daemon, name: &str) -> Vec<String> {
    let text = fs::read_to_string(daemon.path(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[track_caller]
fn await_lines(daemon: &Daemon, name: &str, wanted: &[&str]) {
    until(&format!("{wanted:?} in {name}"), || lines(daemon, name) == wanted);
}

#[test]
fn the_combined_format_is_nginx_s() {
    let daemon = site("access_log logs/access.log;");
    daemon.ask(
        "GET /a?q=1 HTTP/1.1\r\nHost: localhost\r\nReferer: http://r/\r\nUser-Agent: test \"1\"\r\nConnection: close\r\n\r\n",
    );
    until("a line", || lines(&daemon, "logs/access.log").len() == 1);
    let line = lines(&daemon, "logs/access.log").remove(0);
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    let wanted = "] \"GET /a?q=1 HTTP/1.1\" 200 10 \"http://r/\" \"test \\x221\\x22\"";
    assert!(line.ends_with(wanted), "{line}");
}

#[test]
fn a_format_of_ones_own_and_a_condition() {
    let daemon = site("access_log logs/own.log short; access_log logs/some.log short if=$arg_log;");
    for path in ["/a", "/a?log=1", "/none", "/empty"] {
        daemon.get(path);
    }
    until("four lines", || lines(&daemon, "logs/own.log").len() == 4);
    let own = lines(&daemon, "logs/own.log");
    assert_eq!([&own[0], &own[1], &own[3]], ["GET /a 200 10", "GET /a 200 10", "GET /empty 204 0"]);
    assert!(own[2].starts_with("GET /none 404 "), "{own:?}");
    await_lines(&daemon, "logs/some.log", &["GET /a 200 10"]);
}

#[test]
fn what_a_client_sends_cannot_break_a_line() {
    let daemon =
        site("log_format told '$http_user_agent|$http_x'; access_log logs/access.log told;");
    daemon.ask(b"GET /a HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a\"b\\c\tt\xff\r\nConnection: close\r\n\r\n");
    await_lines(&daemon, "logs/access.log", &["a\\x22b\\x5Cc\\x09t\\xFF|-"]);
}

#[test]
fn off_writes_nothing() {
    let daemon = site("access_log off;");
    daemon.get("/a");
    assert!(!daemon.path("logs/access.log").exists());
}

#[test]
fn a_file_that_is_missing_is_named_in_the_error_log() {
    let daemon = site("access_log off;");
    daemon.get("/none");
    until("a line", || !lines(&daemon, "logs/error.log").is_empty());
    let line = lines(&daemon, "logs/error.log").join("\n");
    let file = daemon.path("html/none");
    let wanted = format!("open() \"{}\" failed (2: No such file or directory)", file.display());
    assert!(line.contains(&wanted), "{line}");
    assert!(
        line.contains("client: 127.0.0.1") && line.contains("request: \"GET /none HTTP/1.1\""),
        "{line}"
    );
}

#[test]
fn reopening_loses_no_line() {
    let daemon = site("access_log logs/access.log short;");
    let mut sent = 0;
    for round in 0..5 {
        for _ in 0..40 {
            daemon.get("/a");
            sent += 1;
        }
        fs::rename(daemon.path("logs/access.log"), daemon.path(&format!("logs/access.{round}")))
            .unwrap();
        daemon.signal(Signal::SIGUSR1);
        until("the new file", || daemon.path("logs/access.log").exists());
    }
    let count = || {
        let names =
            (0..5).map(|round| format!("logs/access.{round}")).chain(["logs/access.log".into()]);
        names.map(|name| lines(&daemon, &name).len()).sum::<usize>()
    };
    until("every line, once", || count() == sent);
}

#[test]
fn a_buffered_log_is_written_at_the_end() {
    let mut daemon = site("access_log logs/access.log short buffer=64k flush=1h;");
    daemon.get("/a");
    daemon.signal(Signal::SIGTERM);
    daemon.ended();
    assert_eq!(lines(&daemon, "logs/access.log"), ["GET /a 200 10"]);
}

#[test]
fn the_request_id_of_an_error_page_is_in_the_log() {
    if theirs() {
        return;
    }
    let daemon = liege(
        "error_log logs/error.log;
         events { }
         http { server { listen 127.0.0.1:PORT; location / { uwsgi_pass unix:DIR/none.sock; } } }",
    )
    .start();
    let page = daemon.get("/").text();
    let log = || fs::read_to_string(daemon.path("logs/error.log")).unwrap_or_default();
    until("an id that both have", || {
        let words = page.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        let mut ids = words
            .filter(|word| word.len() >= 16 && word.chars().any(|letter| letter.is_ascii_digit()));
        ids.any(|id| log().contains(id))
    });
}

#[test]
fn what_an_app_did_can_be_logged() {
    if theirs() {
        return;
    }
    let daemon = liege(
        "events { }
         app blog { chdir DIR; module blog; }
         http {
             log_format app '$status $upstream_status $upstream_addr $upstream_response_time $request_time';
             access_log logs/access.log app;
             server { listen 127.0.0.1:PORT; location / { uwsgi_pass blog; } }
         }",
    )
    .file("blog.py", "def application(e, s):\n    s('201 Created', [])\n    return [b'x']\n")
    .start();
    daemon.get("/");
    until("a line", || lines(&daemon, "logs/access.log").len() == 1);
    let line = lines(&daemon, "logs/access.log").remove(0);
    let words: Vec<_> = line.split(' ').collect();
    assert_eq!(words[..2], ["201", "201"], "{line}");
    assert!(words[2].starts_with("unix:") && words[2].contains("blog.sock"), "{line}");
    assert!(words[3].parse::<f64>().is_ok() && words[4].parse::<f64>().is_ok(), "{line}");
}

#[test]
fn a_log_that_cannot_be_written_does_not_hold_up_the_site() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let daemon = site("access_log /dev/full short;");
    for _ in 0..50 {
        assert_eq!(daemon.get("/a").status, 200);
    }
}

#[test]
fn the_level_of_the_error_log_is_kept_to() {
    let config = "
        error_log logs/error.log crit;
        events { }
        http { server { listen 127.0.0.1:PORT; root html; } }";
    let daemon = liege(config).start();
    assert_eq!(daemon.get("/none").status, 404);
    assert_eq!(
        lines(&daemon, "logs/error.log").iter().filter(|line| line.contains("[error]")).count(),
        0
    );
}
