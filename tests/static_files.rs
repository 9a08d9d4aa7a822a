//! Files: what a browser gets, in nginx's words.

use std::fs::File;
use std::time::{Duration, UNIX_EPOCH};

use crate::support::{Daemon, Response, liege};

/// 2023-11-14 22:13:20 UTC, 0x6553f100.
const THEN: u64 = 1_700_000_000;

const SITE: &str = "
    events { }
    http {
        include mime.types;
        server { listen 127.0.0.1:PORT; root html; }
    }";

fn site() -> Daemon {
    let daemon =
        liege(SITE).file("html/a.txt", "0123456789").file("html/sub/index.html", "<p>sub").start();
    let file = File::options().write(true).open(daemon.path("html/a.txt")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(THEN)).unwrap();
    daemon
}

fn ask(daemon: &Daemon, fields: &str) -> Response {
    daemon.ask(format!("GET /a.txt HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"))
}

#[test]
fn a_file_comes_with_its_type_length_date_and_tag() {
    let daemon = site();
    let answer = ask(&daemon, "");
    assert_eq!((answer.status, answer.text().as_str()), (200, "0123456789"));
    assert_eq!(answer.field("Content-Type"), Some("text/plain"));
    assert_eq!(answer.field("Content-Length"), Some("10"));
    assert_eq!(answer.field("Last-Modified"), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
    assert_eq!(answer.field("ETag"), Some("\"6553f100-a\""));
    assert_eq!(answer.field("Accept-Ranges"), Some("bytes"));
    assert_eq!(answer.field("Connection"), Some("keep-alive"));
    assert!(answer.field("Date").is_some_and(|date| date.ends_with(" GMT")));
}

#[test]
fn head_says_the_same_without_a_body() {
    let daemon = site();
    let answer = daemon.connect().send("HEAD /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n").head();
    assert_eq!((answer.status, answer.field("Content-Length")), (200, Some("10")));
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    let daemon = site();
    for fields in [
        "If-None-Match: \"6553f100-a\"\r\n",
        "If-None-Match: \"x\", W/\"6553f100-a\"\r\n",
        "If-None-Match: *\r\n",
        "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n",
    ] {
        let answer = ask(&daemon, fields);
        assert_eq!(
            (answer.status, answer.field("ETag")),
            (304, Some("\"6553f100-a\"")),
            "{fields}"
        );
    }
    for fields in [
        "If-None-Match: \"x\"\r\n",
        "If-None-Match: \"x\"\r\nIf-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n",
        "If-Modified-Since: Tue, 14 Nov 2023 22:13:19 GMT\r\n",
        "If-Modified-Since: yesterday\r\n",
    ] {
        assert_eq!(ask(&daemon, fields).status, 200, "{fields}");
    }
}

#[test]
fn a_condition_that_does_not_hold_is_412() {
    let daemon = site();
    for (fields, status) in [
        ("If-Match: \"6553f100-a\"\r\n", 200),
        ("If-Match: \"other\"\r\n", 412),
        ("If-Unmodified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n", 200),
        ("If-Unmodified-Since: Tue, 14 Nov 2023 22:13:19 GMT\r\n", 412),
    ] {
        assert_eq!(ask(&daemon, fields).status, status, "{fields}");
    }
}

#[test]
fn a_part_of_a_file_can_be_asked_for() {
    let daemon = site();
    for (range, status, content_range, body) in [
        ("0-3", 206, "bytes 0-3/10", "0123"),
        ("7-", 206, "bytes 7-9/10", "789"),
        ("-2", 206, "bytes 8-9/10", "89"),
        ("8-100", 206, "bytes 8-9/10", "89"),
        ("-100", 206, "bytes 0-9/10", "0123456789"),
    ] {
        let answer = ask(&daemon, &format!("Range: bytes={range}\r\n"));
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{range}");
        assert_eq!(answer.field("Content-Range"), Some(content_range), "{range}");
    }
    let answer = ask(&daemon, "Range: bytes=10-\r\n");
    assert_eq!((answer.status, answer.field("Content-Range")), (416, Some("bytes */10")));
    assert_eq!(ask(&daemon, "Range: lines=1-2\r\n").status, 200);
}

#[test]
fn several_parts_come_as_multipart() {
    let daemon = site();
    let answer = ask(&daemon, "Range: bytes=0-1,-1\r\n");
    let kind = answer.field("Content-Type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect(kind);
    let part = |range, body| {
        format!(
            "\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{body}"
        )
    };
    let wanted = format!("{}{}\r\n--{boundary}--\r\n", part("0-1", "01"), part("9-9", "9"));
    assert_eq!((answer.status, answer.text()), (206, wanted));
}

#[test]
fn a_range_is_for_the_version_that_the_client_knows() {
    let daemon = site();
    for (field, status) in [
        ("If-Range: \"6553f100-a\"\r\n", 206),
        ("If-Range: \"other\"\r\n", 200),
        ("If-Range: Tue, 14 Nov 2023 22:13:20 GMT\r\n", 206),
        ("If-Range: Tue, 14 Nov 2023 22:13:21 GMT\r\n", 200),
    ] {
        assert_eq!(ask(&daemon, &format!("Range: bytes=0-1\r\n{field}")).status, status, "{field}");
    }
}

#[test]
fn a_directory_without_its_slash_is_redirected_and_with_it_shows_its_index() {
    let daemon = site();
    let answer = daemon.get("/sub?a=1");
    let wanted = format!("http://localhost:{}/sub/?a=1", daemon.port);
    assert_eq!((answer.status, answer.field("Location")), (301, Some(wanted.as_str())));
    assert_eq!(daemon.get("/sub/").text(), "<p>sub");
    assert_eq!(daemon.get("/sub/").field("Content-Type"), Some("text/html"));
}

#[test]
fn what_is_not_there_is_404_and_what_may_not_be_listed_403() {
    let daemon = site();
    assert_eq!(daemon.get("/none").status, 404);
    assert_eq!(daemon.get("/").status, 403);
    assert_eq!(daemon.get("/a.txt/").status, 404);
    assert_eq!(daemon.post("/a.txt", b"x").status, 405);
}

#[test]
fn the_default_page_of_an_error_is_nginx_s_with_our_name() {
    let daemon = site();
    let answer = daemon.get("/none");
    assert_eq!(answer.field("Content-Type"), Some("text/html"));
    let text = answer.text();
    assert!(text.contains("<head><title>404 Not Found</title></head>"), "{text}");
    assert!(text.contains(if crate::support::theirs() { "nginx/" } else { "liege/" }), "{text}");
}

#[test]
fn no_spelling_of_a_path_leads_out_of_the_root() {
    let daemon = liege(SITE).file("secret", "secret").file("html/a/b.txt", "inside").start();
    for path in [
        "/../secret",
        "/a/../../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/%2e%2e%2fsecret",
        "/a/%2e%2e/%2e%2e/secret",
        "/a/..%2f..%2fsecret",
        "/./../secret",
        "//../secret",
        "/a//../../secret",
        "/..\\secret",
        "/%2e%2e%5csecret",
        "/a/b.txt/../../../secret",
        "/%252e%252e/secret",
        "/..;/secret",
        "/.%00./secret",
    ] {
        let answer = daemon.get(path);
        assert!(
            answer.status >= 400 && !answer.text().contains("secret\n"),
            "{path}: {}",
            answer.status
        );
        assert_ne!(answer.text(), "secret", "{path}");
    }
    assert_eq!(daemon.get("/a/./x/../b%2etxt").text(), "inside");
}

#[test]
fn requests_sent_at_once_are_answered_in_their_order() {
    let daemon = liege(SITE).file("html/1", "one").file("html/2", "two").start();
    let mut connection = daemon.connect();
    let request = |path| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.send(request("/1").repeat(3) + &request("/2") + &request("/none") + &request("/1"));
    let texts: Vec<_> = (0..4).map(|_| connection.response().text()).collect();
    assert_eq!(texts, ["one", "one", "one", "two"]);
    assert_eq!(connection.response().status, 404);
    assert_eq!(connection.response().text(), "one");
}

#[test]
fn files_of_every_size_arrive_whole() {
    let sizes = [0, 1, 16_383, 16_384, 16_385, 100_000, 3_000_000];
    let content = |size: usize| (0..size).map(|at| (at * 31 % 251) as u8).collect::<Vec<_>>();
    let setup = sizes
        .iter()
        .fold(liege(SITE), |setup, size| setup.file(&format!("html/{size}"), content(*size)));
    let daemon = setup.start();
    let mut connection = daemon.connect();
    for size in sizes {
        let answer = connection.send(format!("GET /{size} HTTP/1.1\r\nHost: x\r\n\r\n")).response();
        assert_eq!((answer.status, answer.body.len()), (200, size));
        assert!(answer.body == content(size), "{size} bytes differ");
    }
}

#[test]
fn try_files_takes_the_first_that_is_there() {
    let daemon = liege(
        "events { }
         http { server {
             listen 127.0.0.1:PORT; root html;
             location / { try_files $uri $uri/ @fallback; }
             location /code/ { try_files $uri =410; }
             location /uri/ { try_files $uri /here; }
             location @fallback { return 200 \"fallback $uri\"; }
         } }",
    )
    .file("html/here", "here")
    .file("html/sub/index.html", "sub")
    .start();
    assert_eq!(daemon.get("/here").text(), "here");
    assert_eq!(daemon.get("/sub/").text(), "sub");
    assert_eq!(daemon.get("/none?x").text(), "fallback /none");
    assert_eq!(daemon.get("/code/none").status, 410);
    assert_eq!(daemon.get("/uri/none").text(), "here");
}

#[test]
fn an_alias_replaces_what_the_location_matched() {
    let daemon = liege(
        "events { }
         http { server {
             listen 127.0.0.1:PORT;
             location /static/ { alias DIR/files/; }
             location ~ ^/u/(?<who>[a-z]+)/(.*)$ { alias DIR/homes/$who/public/$2; }
         } }",
    )
    .file("files/style.css", "css")
    .file("homes/ann/public/me", "ann")
    .start();
    assert_eq!(daemon.get("/static/style.css").text(), "css");
    assert_eq!(daemon.get("/u/ann/me").text(), "ann");
    assert_eq!(daemon.get("/static/../homes/ann/public/me").status, 404);
}

#[test]
fn locations_are_chosen_as_nginx_chooses_them() {
    let daemon = liege(
        "events { }
         http { server {
             listen 127.0.0.1:PORT;
             location / { return 200 slash; }
             location = /exact { return 200 exact; }
             location /images/ { return 200 prefix;
                 location ~ \\.gif$ { return 200 nested; } }
             location ^~ /quiet/ { return 200 quiet; }
             location ~ \\.png$ { return 200 png; }
             location ~* \\.JPE?G$ { return 200 jpg; }
         } }",
    )
    .start();
    for (path, answer) in [
        ("/", "slash"),
        ("/exact", "exact"),
        ("/exact/", "slash"),
        ("/images/a", "prefix"),
        ("/images/a.gif", "nested"),
        ("/images/a.png", "png"),
        ("/quiet/a.png", "quiet"),
        ("/a.PNG", "slash"),
        ("/a.jpeg", "jpg"),
        ("/a%2Epng", "png"),
        ("//images//a", "prefix"),
    ] {
        assert_eq!(daemon.get(path).text(), answer, "{path}");
    }
}

#[test]
fn the_host_chooses_the_server() {
    let daemon = liege(
        "events { }
         http {
             server { listen 127.0.0.1:PORT; server_name first; return 200 first; }
             server { listen 127.0.0.1:PORT default_server; server_name _; return 200 default; }
             server { listen 127.0.0.1:PORT; server_name *.example.org; return 200 below; }
             server { listen 127.0.0.1:PORT; server_name www.example.*; return 200 after; }
             server { listen 127.0.0.1:PORT; server_name ~^(?<name>.+)\\.test$; return 200 $name; }
         }",
    )
    .start();
    for (host, answer) in [
        ("first", "first"),
        ("FIRST", "first"),
        ("first:99", "first"),
        ("other", "default"),
        ("a.example.org", "below"),
        ("www.example.org", "below"),
        ("www.example.net", "after"),
        ("blog.test", "blog"),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(daemon.ask(request).text(), answer, "{host}");
    }
}

#[test]
fn an_error_page_takes_the_place_of_an_error() {
    let daemon = liege(
        "events { }
         http { server {
             listen 127.0.0.1:PORT; root html;
             error_page 404 /404.html;
             location = /404.html { internal; }
             location /changed/ { error_page 404 =200 /here; }
             location /away/ { error_page 404 =302 http://example.org/; }
             location /named/ { error_page 404 = @other; }
             location @other { return 203 other; }
         } }",
    )
    .file("html/404.html", "nothing here")
    .file("html/here", "here")
    .start();
    let answer = daemon.get("/none");
    assert_eq!((answer.status, answer.text().as_str()), (404, "nothing here"));
    assert_eq!(daemon.get("/404.html").status, 404);
    let answer = daemon.get("/changed/none");
    assert_eq!((answer.status, answer.text().as_str()), (200, "here"));
    let answer = daemon.get("/away/none");
    assert_eq!((answer.status, answer.field("Location")), (302, Some("http://example.org/")));
    let answer = daemon.get("/named/none");
    assert_eq!((answer.status, answer.text().as_str()), (203, "other"));
}

#[test]
fn header_lines_are_inherited_until_a_level_has_its_own() {
    let daemon = liege(
        "events { }
         http { add_header X-From http; add_header X-Two two;
             server { listen 127.0.0.1:PORT; root html;
                 location /own { add_header X-From location; return 200 x; }
                 location /plain { return 200 x; }
                 location /always { add_header X-From always always; return 404; }
                 location /error { return 404; }
             } }",
    )
    .start();
    assert_eq!(daemon.get("/plain").all("X-From"), ["http"]);
    assert_eq!(daemon.get("/plain").field("X-Two"), Some("two"));
    assert_eq!(daemon.get("/own").all("X-From"), ["location"]);
    assert_eq!(daemon.get("/own").field("X-Two"), None);
    assert_eq!(daemon.get("/error").field("X-From"), None);
    assert_eq!(daemon.get("/always").field("X-From"), Some("always"));
}

#[test]
fn return_answers_by_itself() {
    let daemon = liege(
        "events { }
         http { server {
             listen 127.0.0.1:PORT;
             location /text { default_type text/plain; return 200 \"$request_method $args\"; }
             location /moved { return 301 /new$is_args$args; }
             location /short { return http://example.org$request_uri; }
             location /gone { return 410; }
             location /silent { return 444; }
         } }",
    )
    .start();
    let answer = daemon.get("/text?a=b");
    assert_eq!(
        (answer.text().as_str(), answer.field("Content-Type")),
        ("GET a=b", Some("text/plain"))
    );
    let wanted = format!("http://localhost:{}/new?x=1", daemon.port);
    let answer = daemon.get("/moved?x=1");
    assert_eq!((answer.status, answer.field("Location")), (301, Some(wanted.as_str())));
    let answer = daemon.get("/short?x");
    assert_eq!(
        (answer.status, answer.field("Location")),
        (302, Some("http://example.org/short?x"))
    );
    assert_eq!(daemon.get("/gone").status, 410);
    assert!(daemon.try_get("/silent").is_none());
}

#[test]
fn a_file_that_changes_is_served_as_it_is_now() {
    let daemon = liege(SITE).file("html/a.txt", "old").start();
    assert_eq!(daemon.get("/a.txt").text(), "old");
    daemon.write("html/a.txt", "newer");
    assert_eq!(daemon.get("/a.txt").text(), "newer");
    std::fs::remove_file(daemon.path("html/a.txt")).unwrap();
    assert_eq!(daemon.get("/a.txt").status, 404);
}

#[test]
fn a_file_that_the_worker_may_not_read_is_403() {
    use std::os::unix::fs::PermissionsExt;
    let daemon = liege(SITE).file("html/a.txt", "x").start();
    if !sys::identity::is_root() {
        return; // then the worker is who owns the file
    }
    std::fs::set_permissions(daemon.path("html/a.txt"), std::fs::Permissions::from_mode(0o600))
        .unwrap();
    assert_eq!(daemon.get("/a.txt").status, 403);
}
