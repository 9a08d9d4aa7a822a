//! Directives that change an answer in one way each, in nginx's words and with nginx's meaning.

use crate::support::{Daemon, liege};

/// A server with these lines in its `http` and in its `server`.
fn site(http: &str, server: &str) -> Daemon {
    let config = "
        events { }
        http { HTTP server { listen 127.0.0.1:PORT; server_name localhost named; root html; SERVER } }";
    liege(&config.replace("HTTP", http).replace("SERVER", server))
        .file("html/a.txt", "0123456789")
        .file("html/b.unknown", "b")
        .file("html/c.html", "<p>c")
        .file("html/dir/index.html", "index")
        .file("html/dir/main.htm", "main")
        .start()
}

#[test]
fn types_and_default_type_name_the_content() {
    let daemon = site(
        "types { text/x-own txt html; } default_type application/x-default;",
        "location /typed/ { types { } default_type image/x-none; alias DIR/html/; }",
    );
    assert_eq!(daemon.get("/a.txt").field("Content-Type"), Some("text/x-own"));
    assert_eq!(daemon.get("/b.unknown").field("Content-Type"), Some("application/x-default"));
    assert_eq!(daemon.get("/typed/a.txt").field("Content-Type"), Some("image/x-none"));
}

#[test]
fn without_a_default_type_it_is_plain_text_and_html_is_known() {
    let daemon = site("", "");
    assert_eq!(daemon.get("/b.unknown").field("Content-Type"), Some("text/plain"));
    assert_eq!(daemon.get("/c.html").field("Content-Type"), Some("text/html"));
}

#[test]
fn index_names_are_tried_in_order_and_may_be_absolute() {
    let daemon = site(
        "",
        "index none.html main.htm index.html; location /else/ { alias DIR/html/; index none /a.txt; }",
    );
    assert_eq!(daemon.get("/dir/").text(), "main");
    assert_eq!(daemon.get("/else/").text(), "0123456789");
}

#[test]
fn internal_is_only_for_ourselves() {
    let daemon = site(
        "",
        "location /inner { internal; return 200 inner; } location /outer { try_files /none /inner; }",
    );
    assert_eq!(daemon.get("/inner").status, 404);
    assert_eq!(daemon.get("/outer").text(), "inner");
}

#[test]
fn etag_and_if_modified_since_can_be_turned_off() {
    let daemon = site("", "etag off; if_modified_since off;");
    let answer = daemon.get("/a.txt");
    assert_eq!(answer.field("ETag"), None);
    let since = answer.field("Last-Modified").unwrap();
    let again = daemon.ask(format!(
        "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nIf-Modified-Since: {since}\r\n\r\n"
    ));
    assert_eq!(again.status, 200);
}

#[test]
fn if_modified_since_before_takes_later_times_too() {
    let daemon = site("", "if_modified_since before;");
    let request = "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nIf-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n\r\n";
    assert_eq!(daemon.ask(request).status, 304);
}

#[test]
fn max_ranges_bounds_and_forbids_ranges() {
    let daemon = site("", "max_ranges 1; location /none/ { alias DIR/html/; max_ranges 0; }");
    let ranged = |path: &str, range: &str| {
        daemon
            .ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nRange: bytes={range}\r\n\r\n"))
    };
    assert_eq!(ranged("/a.txt", "0-1").status, 206);
    assert_eq!(ranged("/a.txt", "0-1,3-4").status, 200);
    let never = ranged("/none/a.txt", "0-1");
    assert_eq!((never.status, never.field("Accept-Ranges")), (200, None));
}

#[test]
fn merge_slashes_can_be_turned_off() {
    let daemon = site(
        "merge_slashes off;",
        "location = //double { return 200 double; } location = /double { return 200 single; }",
    );
    assert_eq!(daemon.get("//double").text(), "double");
}

#[test]
fn redirects_name_host_and_port_as_they_are_told() {
    for (lines, wanted) in [
        ("", "http://asked:PORT/dir/"),
        ("absolute_redirect off;", "/dir/"),
        ("port_in_redirect off;", "http://asked/dir/"),
        ("server_name_in_redirect on;", "http://localhost:PORT/dir/"),
    ] {
        let daemon = site("", lines);
        let answer = daemon.ask("GET /dir HTTP/1.1\r\nHost: asked\r\n\r\n");
        let wanted = wanted.replace("PORT", &daemon.port.to_string());
        assert_eq!(answer.field("Location"), Some(wanted.as_str()), "{lines}");
    }
}

#[test]
fn server_tokens_hide_the_version() {
    let daemon = site("server_tokens off;", "");
    let answer = daemon.get("/none");
    let name = answer.field("Server").unwrap();
    assert!(!name.contains('/') && !answer.text().contains(&format!("{name}/")), "{name}");
}

#[test]
fn keepalive_timeout_may_be_told_to_the_client_and_zero_turns_it_off() {
    let daemon = site(
        "",
        "keepalive_timeout 30s 20s; location /not/ { alias DIR/html/; keepalive_timeout 0; }",
    );
    let ask = |path: &str| daemon.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_eq!(ask("/a.txt").field("Keep-Alive"), Some("timeout=20"));
    assert_eq!(ask("/not/a.txt").field("Connection"), Some("close"));
}

#[test]
fn sendfile_and_friends_change_no_byte() {
    let content: Vec<u8> = (0..700_000_u32).map(|at| (at % 241) as u8).collect();
    for lines in [
        "sendfile on;",
        "sendfile on; tcp_nopush on;",
        "sendfile off;",
        "sendfile on; sendfile_max_chunk 10k;",
        "tcp_nodelay off;",
    ] {
        let daemon = site("", lines);
        daemon.write("html/big", &content);
        let answer = daemon.get("/big");
        assert!(answer.complete && answer.body == content, "{lines}");
    }
}

#[test]
fn error_pages_recurse_only_when_they_are_told_to() {
    let lines = "
        location / { error_page 404 = /second; }
        location /second { error_page 404 = /third; root DIR/nowhere; }
        location /third { return 200 third; }";
    assert_eq!(site("", lines).get("/none").status, 404);
    assert_eq!(site("recursive_error_pages on;", lines).get("/none").text(), "third");
}

#[test]
fn a_named_location_and_a_nested_one_inherit_the_server_s_settings() {
    let daemon = site(
        "",
        "add_header X-Level server;
         location /outer/ { add_header X-Level outer; location /outer/inner/ { return 200 inner; } }
         location /named/ { error_page 404 = @named; }
         location @named { return 200 named; }",
    );
    assert_eq!(daemon.get("/outer/inner/").field("X-Level"), Some("outer"));
    assert_eq!(daemon.get("/named/none").field("X-Level"), Some("server"));
}

#[test]
fn variables_tell_what_was_asked() {
    let lines = "location /v { default_type text/plain; return 200 \
        '$request_method|$scheme|$host|$server_name|$server_port|$uri|$request_uri|$args|$arg_b|$is_args|$http_x_y|$cookie_c|$content_length|$remote_addr|$server_protocol|$document_root|$request_filename|$nothing_'; }";
    let lines = lines.replace("|$nothing_", "");
    let daemon = site("", &lines);
    let answer = daemon.ask(
        "GET /v%20x?a=1&b=2 HTTP/1.1\r\nHost: NAMED:81\r\nX-Y: xy\r\nCookie: a=1; c=see\r\nContent-Length: 0\r\n\r\n",
    );
    let (port, root) = (daemon.port, daemon.path("html").display().to_string());
    let wanted = format!(
        "GET|http|named|localhost|{port}|/v x|/v%20x?a=1&b=2|a=1&b=2|2|?|xy|see|0|127.0.0.1|HTTP/1.1|{root}|{root}/v x"
    );
    assert_eq!(answer.text(), wanted);
}

#[test]
fn log_format_escapes_as_it_is_told() {
    let daemon = site(
        "log_format plain '$http_x';
         log_format json escape=json '{\"x\":\"$http_x\"}';
         log_format none escape=none '$http_x';
         access_log logs/plain.log plain; access_log logs/json.log json; access_log logs/none.log none;",
        "",
    );
    daemon.ask(
        "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nX: a\"b\\c\td\r\nConnection: close\r\n\r\n",
    );
    daemon.get("/a.txt");
    for (name, wanted) in [
        ("plain", "a\\x22b\\x5Cc\\x09d\n-\n"),
        ("json", "{\"x\":\"a\\\"b\\\\c\\td\"}\n{\"x\":\"\"}\n"),
        ("none", "a\"b\\c\td\n\n"),
    ] {
        let path = daemon.path(&format!("logs/{name}.log"));
        let text = || std::fs::read_to_string(&path).unwrap_or_default();
        crate::support::until(&format!("{name}: {wanted:?}, not {:?}", text()), || {
            text() == wanted
        });
    }
}

#[test]
fn log_not_found_off_keeps_missing_files_out_of_the_error_log() {
    let daemon = site("error_log logs/error.log;", "location /quiet/ { log_not_found off; }");
    daemon.get("/quiet/none");
    daemon.get("/loud");
    let text = || std::fs::read_to_string(daemon.path("logs/error.log")).unwrap_or_default();
    crate::support::until("the loud one", || text().contains("/loud"));
    assert!(!text().contains("/quiet/none"));
}

#[test]
fn a_server_may_listen_on_several_addresses_and_know_several_names() {
    let config = "
        events { }
        http {
            server { listen 127.0.0.1:PORT; listen 127.0.0.1:PORT2; listen unix:DIR/http.sock; server_name a b; return 200 first; }
            server { listen 127.0.0.1:PORT2; server_name c; return 200 second; }
        }";
    let daemon = liege(config).start();
    let ask = |port, host| {
        let mut connection = crate::support::Connection::open(port);
        connection.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).response().text()
    };
    assert_eq!([ask(daemon.port, "b"), ask(daemon.port, "c")], ["first", "first"]);
    assert_eq!([ask(daemon.port2, "b"), ask(daemon.port2, "c")], ["first", "second"]);
    use std::io::{Read, Write};
    let mut unix = std::os::unix::net::UnixStream::connect(daemon.path("http.sock")).unwrap();
    unix.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    unix.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("first"), "{text}");
}

#[test]
fn a_request_body_that_nobody_wants_does_not_spoil_the_connection() {
    let daemon = site("", "location /done { return 200 done; }");
    let mut connection = daemon.connect();
    let body = "x".repeat(50_000);
    for _ in 0..3 {
        connection.send(format!(
            "POST /done HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert_eq!(connection.response().text(), "done");
    }
    assert_eq!(
        connection.send("GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n").response().text(),
        "0123456789"
    );
}
