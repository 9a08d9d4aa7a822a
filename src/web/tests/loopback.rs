//! A whole web worker on a loopback socket: bytes in, bytes out.
//!
//! Each test holds its configuration, its requests and the answers. The master is played by a
//! thread with the other end of the control channel.

mod support;

use support::Site;

#[test]
fn a_file_is_served_with_nginx_s_fields_in_nginx_s_order() {
    let site = Site::with("location / { root ROOT; }").file("a.txt", b"hello\n");
    let answer = site.ask("GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n");
    let names: Vec<&str> = answer.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Server",
            "Date",
            "Content-Type",
            "Content-Length",
            "Last-Modified",
            "Connection",
            "ETag",
            "Accept-Ranges"
        ]
    );
    assert_eq!((answer.status, &answer.body[..]), (200, &b"hello\n"[..]));
    assert_eq!(answer.field("Content-Type"), Some("text/plain"));
}

#[test]
fn statuses_of_the_static_handler_are_nginx_s() {
    let site =
        Site::with("location / { root ROOT; }").file("d/index.html", b"index").file("a", b"a");
    std::fs::create_dir(site.root().join("empty")).unwrap();
    for (request, status) in [
        ("GET /d/", 200),
        ("GET /d?x=y", 301),
        ("GET /empty/", 403),
        ("GET /missing", 404),
        ("GET /missing/", 404),
        ("GET /a/b", 404),
        ("POST /a", 405),
        ("PUT /a", 405),
        ("TRACE /a", 405),
        ("HEAD /a", 200),
        ("GET /../a", 400),
        ("GET /%2e%2e/a", 400),
        ("GET /%00", 400),
    ] {
        let answer =
            site.ask(&format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        assert_eq!(answer.status, status, "{request}");
    }
    let answer = site.ask("GET /d?x=y HTTP/1.1\r\nHost: name:1\r\n\r\n");
    let wanted = format!("http://name:{}/d/?x=y", site.port());
    assert_eq!(answer.field("Location"), Some(&wanted[..]));
}

#[test]
fn a_large_file_arrives_whole_and_in_parts() {
    let bytes: Vec<u8> = (0..3_000_000u32).map(|at| (at * 7 % 251) as u8).collect();
    let site = Site::with("location / { root ROOT; }").file("big", &bytes);
    let answer = site.ask("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.body == bytes);
    let answer = site.ask("GET /big HTTP/1.1\r\nHost: x\r\nRange: bytes=100-2099999\r\n\r\n");
    assert_eq!(answer.status, 206);
    assert_eq!(answer.field("Content-Range"), Some("bytes 100-2099999/3000000"));
    assert!(answer.body == bytes[100..2_100_000]);
    let answer = site.ask("GET /big HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1,-2\r\n\r\n");
    let kind = answer.field("Content-Type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |range: &str, bytes: &[u8]| {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/3000000\r\n\r\n"
        );
        [head.as_bytes(), bytes].concat()
    };
    let end = format!("\r\n--{boundary}--\r\n");
    let wanted =
        [part("0-1", &bytes[..2]), part("2999998-2999999", &bytes[2_999_998..]), end.into_bytes()];
    assert_eq!(answer.body, wanted.concat());
}

#[test]
fn conditions_and_ranges_that_fail_say_so() {
    let site = Site::with("location / { root ROOT; }").file("a", b"0123456789");
    let first = site.ask("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    let (etag, date) = (first.field("ETag").unwrap(), first.field("Last-Modified").unwrap());
    for (field, status) in [
        (format!("If-None-Match: {etag}"), 304),
        (format!("If-Modified-Since: {date}"), 304),
        ("If-None-Match: \"x\"".to_owned(), 200),
        ("If-Match: \"x\"".to_owned(), 412),
        ("Range: bytes=20-".to_owned(), 416),
        (format!("If-Range: {etag}\r\nRange: bytes=0-0"), 206),
        ("If-Range: \"x\"\r\nRange: bytes=0-0".to_owned(), 200),
    ] {
        let answer = site.ask(&format!("GET /a HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n"));
        assert_eq!(answer.status, status, "{field}");
        if status == 304 {
            assert_eq!(answer.field("ETag"), Some(etag));
            assert_eq!(answer.field("Content-Length"), None);
        }
        if status == 416 {
            assert_eq!(answer.field("Content-Range"), Some("bytes */10"));
        }
    }
}

#[test]
fn requests_in_a_row_are_answered_in_order_however_they_are_cut() {
    let site = Site::with("location / { root ROOT; }").file("a", b"A").file("b", b"B");
    let requests = "GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.1\r\nHost: x\r\n\r\n\
        POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: x\r\n\
        Connection: close\r\n\r\n";
    for size in [1, 7, 1000] {
        let bytes = site.talk(requests.as_bytes(), size);
        let text = String::from_utf8_lossy(&bytes);
        let statuses: Vec<&str> =
            text.match_indices("HTTP/1.1 ").map(|(at, _)| &text[at + 9..at + 12]).collect();
        assert_eq!(statuses, ["200", "200", "405", "200"], "pieces of {size}");
        assert!(text.ends_with("\r\n\r\nB"));
    }
}

#[test]
fn heads_that_cannot_be_read_are_refused_and_the_connection_ends() {
    let site = Site::with("location / { root ROOT; }");
    for (head, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("get / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n", 501),
        (&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(9000)), 414),
        (&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(9000)), 400),
    ] {
        let answer = site.ask(head);
        assert_eq!(answer.status, status, "{head:.40}");
        assert_eq!(answer.field("Connection"), Some("close"));
    }
    assert_eq!(
        site.talk(b"GET /missing\r\n", 100).windows(6).filter(|w| w == b"<html>").count(),
        1
    );
}

#[test]
fn a_directory_that_try_files_found_is_redirected_to_its_slash() {
    let site = Site::with(
        "root ROOT; location / { try_files $uri $uri/ =404; }
         location /alias/ { alias ROOT/; try_files $uri /alias/a.txt =404; }",
    )
    .file("d/index.html", b"index")
    .file("a.txt", b"a");
    let answer = site.ask("GET /d HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(answer.status, 301);
    assert!(answer.field("Location").is_some_and(|to| to.ends_with("/d/")));
    assert_eq!(site.ask("GET /d/ HTTP/1.1\r\nHost: x\r\n\r\n").body, b"index");
    // Only what variables brought loses the part that an alias replaces.
    assert_eq!(site.ask("GET /alias/a.txt HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    assert_eq!(site.ask("GET /alias/none HTTP/1.1\r\nHost: x\r\n\r\n").status, 404);
}

#[test]
fn an_error_page_that_fails_answers_with_its_own_status() {
    let site = Site::with(
        "root ROOT; location /a { error_page 404 =200 /none; }
         location /b { error_page 404 =503 @b; } location @b { return 403; }",
    );
    assert_eq!(site.ask("GET /a HTTP/1.1\r\nHost: x\r\n\r\n").status, 404);
    assert_eq!(site.ask("GET /b HTTP/1.1\r\nHost: x\r\n\r\n").status, 403);
}

#[test]
fn an_error_page_may_begin_with_a_variable() {
    let site = Site::with(
        "root ROOT; error_page 405 =200 $uri; error_page 404 $arg_to;
         location @named { return 200 named; }",
    )
    .file("a.txt", b"a");
    let answer = site.ask("POST /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((answer.status, &answer.body[..]), (200, &b"a"[..]));
    let answer = site.ask("GET /none?to=@named HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((answer.status, &answer.body[..]), (404, &b"named"[..]));
    let answer = site.ask("GET /none?to=http://y/ HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((answer.status, answer.field("Location")), (302, Some("http://y/")));
}

#[test]
fn a_file_has_the_type_of_the_name_that_it_was_asked_by() {
    let site = Site::with(
        "root ROOT; types { text/plain txt; text/html html; } default_type x/y;
         location = /plain { alias ROOT/a.txt; } location = /a.html { alias ROOT/a.txt; }",
    )
    .file("a.txt", b"a")
    .file(".txt", b"b");
    for (name, wanted) in
        [("/a.txt", "text/plain"), ("/plain", "x/y"), ("/a.html", "text/html"), ("/.txt", "x/y")]
    {
        let answer = site.ask(&format!("GET {name} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(answer.field("Content-Type"), Some(wanted), "{name}");
    }
}

#[test]
fn return_error_page_and_try_files_lead_where_nginx_leads() {
    let site = Site::with(
        "root ROOT; error_page 404 /sorry; error_page 403 = @named; error_page 410 =200 /sorry;
         location = /sorry { internal; return 200 \"sorry\"; }
         location @named { return 201 \"named\"; }
         location /text { return 418 \"tea\"; }
         location /go { return 302 /there; }
         location /gone { return 410; }
         location /forbidden { return 403; }
         location /closed { return 444; }
         location /try { try_files $uri /found?x=1 ; }
         location /code { try_files $uri =418; }
         location /found { add_header X-Args $args always; return 200 found; }",
    );
    for (path, status, body) in [
        ("/missing", 404, "sorry"),
        ("/sorry", 404, "sorry"),
        ("/text", 418, "tea"),
        ("/gone", 200, "sorry"),
        ("/forbidden", 201, "named"),
        ("/try", 200, "found"),
        ("/code", 418, ""),
    ] {
        let answer = site.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(
            (answer.status, &*String::from_utf8_lossy(&answer.body)),
            (status, body),
            "{path}"
        );
    }
    let answer = site.ask("GET /go HTTP/1.1\r\nHost: x\r\n\r\n");
    let wanted = format!("http://x:{}/there", site.port());
    assert_eq!((answer.status, answer.field("Location")), (302, Some(&wanted[..])));
    assert_eq!(site.ask("GET /try HTTP/1.1\r\nHost: x\r\n\r\n").field("X-Args"), Some("x=1"));
    assert_eq!(site.talk(b"GET /closed HTTP/1.1\r\nHost: x\r\n\r\n", 1000), b"");
}

#[test]
fn an_alias_that_lacks_its_slash_leads_nowhere_above_it() {
    let site = Site::with("location /s { alias ROOT/; }").file("a", b"a");
    std::fs::write(site.root().parent().unwrap().join("secret"), b"secret").unwrap();
    for path in ["/s../secret", "/s%2e%2e/secret", "/s..%2fsecret"] {
        let answer = site.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_ne!(answer.status, 200, "{path}");
    }
    assert_eq!(site.ask("GET /sa HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

#[test]
fn servers_are_chosen_by_host() {
    let site = Site::with("server_name a.example; return 200 a;")
        .server("server_name *.example; return 200 $host;");
    for (host, body) in [("a.example", "a"), ("B.example.", "b.example"), ("other", "a")] {
        let answer = site.ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(String::from_utf8_lossy(&answer.body), body, "{host}");
    }
}

#[test]
fn a_draining_worker_answers_the_next_request_and_closes() {
    let mut site = Site::with("location / { root ROOT; }").file("a", b"A");
    let mut kept = site.connect();
    let request = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(kept.ask(request).field("Connection"), Some("keep-alive"));
    site.drain();
    let answer = kept.ask(request);
    assert_eq!((answer.status, answer.field("Connection")), (200, Some("close")));
    site.ended();
}

#[test]
fn a_worker_whose_master_is_gone_ends() {
    let mut site = Site::with("location / { root ROOT; }").file("a", b"A");
    let mut kept = site.connect();
    kept.ask(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    site.abandon();
    site.ended();
}

#[test]
fn trace_and_connect_are_refused_wherever_they_go() {
    let site = Site::with("return 200 ok;");
    for request in ["TRACE / HTTP/1.1\nHost: x\n\n", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"] {
        assert_eq!(site.ask(request).status, 405, "{request}");
    }
    for request in ["CONNECT / HTTP/1.1\nHost: x\n\n", "CONNECT x HTTP/1.1\r\nHost: x\r\n\r\n"] {
        assert_eq!(site.ask(request).status, 400, "{request}");
    }
}

#[test]
fn a_field_that_the_location_adds_counts_for_if_range() {
    let date = "Mon, 28 Sep 1970 06:00:00 GMT";
    let text = format!(
        "root ROOT; location = /a {{ add_header Last-Modified \"{date}\"; add_header X $uri; }}
         location = /b {{ add_header Last-Modified \"\"; }}"
    );
    let site = Site::with(&text).file("a", b"0123456789").file("b", b"0123456789");
    let ask = |path: &str| {
        site.ask(&format!(
            "GET /{path} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\nIf-Range: {date}\r\n\r\n"
        ))
    };
    let (first, second) = (ask("a"), ask("b"));
    assert_eq!((first.status, first.field("Last-Modified")), (206, Some(date)));
    assert_eq!(first.field("X"), Some("/a"));
    assert_eq!((second.status, second.field("Last-Modified")), (200, None));
}

#[test]
fn a_body_that_nobody_wants_is_read_away_and_the_connection_goes_on() {
    let site = Site::with("location / { root ROOT; }").file("a", b"A");
    let chunked = "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
        3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n";
    let last = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for size in [1, 5, 1000] {
        let bytes = site.talk(format!("{chunked}{chunked}{last}").as_bytes(), size);
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(text.matches("HTTP/1.1 405").count(), 2, "pieces of {size}");
        assert!(text.ends_with("\r\n\r\nA"), "{text}");
    }
    let broken = chunked.replace("abc\r\n", "abcd\r\n");
    let text = site.talk(format!("{broken}{last}").as_bytes(), 1000);
    assert_eq!(String::from_utf8_lossy(&text).matches("HTTP/1.1").count(), 1);
}

#[test]
fn a_refused_body_is_neither_asked_for_nor_waited_for() {
    let site = Site::with(
        "location / { root ROOT; } location /small { client_max_body_size 10; root ROOT; }",
    );
    let head = "Host: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n";
    for (path, status) in [("/small", "413"), ("/missing", "404")] {
        let bytes = site.talk(format!("POST {path} HTTP/1.1\r\n{head}").as_bytes(), 1000);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
        assert!(text.contains("Connection: close") && !text.contains("100 Continue"), "{text}");
    }
}
