//! What the web worker says to an app over the uwsgi protocol, and what the client sees of the
//! answer.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::support::backend::Backend;
use crate::support::{Daemon, liege, theirs};

const HELLO: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

/// A server that passes everything to the backend, with these lines in the location.
fn passing(backend: &Backend, lines: &str) -> Daemon {
    let socket = backend.socket().display().to_string();
    let config = "
        events { }
        http {
            server {
                listen 127.0.0.1:PORT;
                server_name localhost;
                location / { include uwsgi_params; uwsgi_pass unix:SOCKET; LINES }
            }
        }";
    liege(&config.replace("SOCKET", &socket).replace("LINES", lines)).start()
}

#[test]
fn the_standard_parameters_say_what_was_asked() {
    let backend = Backend::says(HELLO);
    let daemon = passing(&backend, "uwsgi_param EXTRA $uri;");
    let answer = daemon.ask(
        "POST /a%20b/c?x=1&y HTTP/1.1\r\nHost: localhost:99\r\nX-Custom: one\r\nCookie: a=b\r\n\
         Content-Type: text/x\r\nContent-Length: 4\r\n\r\nbody",
    );
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!(answer.field("Content-Type"), Some("text/plain"));
    let packet = backend.request();
    let port = daemon.port.to_string();
    for (name, value) in [
        ("REQUEST_METHOD", "POST"),
        ("REQUEST_URI", "/a%20b/c?x=1&y"),
        ("PATH_INFO", "/a b/c"),
        ("QUERY_STRING", "x=1&y"),
        ("CONTENT_TYPE", "text/x"),
        ("CONTENT_LENGTH", "4"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("SERVER_PORT", port.as_str()),
        ("SERVER_NAME", "localhost"),
        ("HTTP_HOST", "localhost:99"),
        ("HTTP_X_CUSTOM", "one"),
        ("HTTP_COOKIE", "a=b"),
        ("EXTRA", "/a b/c"),
    ] {
        assert_eq!(packet.param(name), Some(value), "{name}");
    }
    assert_eq!(packet.body, b"body");
}

#[test]
fn a_client_cannot_forge_what_the_server_says() {
    let backend = Backend::says(HELLO);
    let daemon = passing(&backend, "");
    daemon.ask(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX_Custom: forged\r\nProxy: evil\r\nRemote-Addr: 1.2.3.4\r\n\r\n",
    );
    let packet = backend.request();
    assert_eq!(packet.param("HTTP_X_CUSTOM"), None);
    assert_eq!(packet.param("REMOTE_ADDR"), Some("127.0.0.1"));
}

#[test]
fn a_chunked_body_reaches_the_app_whole_with_its_length() {
    let backend = Backend::says(HELLO);
    let daemon = passing(&backend, "");
    daemon.ask(
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    );
    let packet = backend.request();
    assert_eq!(packet.param("CONTENT_LENGTH"), Some("11"));
    assert_eq!(packet.body, b"hello world");
}

#[test]
fn a_large_body_reaches_the_app_unchanged() {
    let backend = Backend::says(HELLO);
    let daemon = passing(&backend, "client_max_body_size 20m;");
    let body: Vec<u8> = (0..5_000_000_u32).map(|at| (at * 7 % 253) as u8).collect();
    assert_eq!(daemon.post("/", &body).status, 200);
    assert!(backend.request().body == body);
}

#[test]
fn status_and_fields_come_as_the_app_gave_them() {
    let backend = Backend::says(
        b"HTTP/1.1 207 Multi-Status\r\nX-One: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nServer: mine\r\n\
          Status: 200 OK\r\nX-Accel-Buffering: no\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n\r\nrest",
    );
    let daemon = passing(&backend, "");
    let answer = daemon.get("/");
    assert_eq!(answer.text(), "rest");
    assert_eq!(answer.all("Set-Cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.field("X-One"), Some("1"));
    assert_eq!(answer.field("X-Accel-Buffering"), None);
    assert_eq!(answer.field("Last-Modified"), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
}

#[test]
fn an_answer_without_a_length_is_framed_for_those_who_can_read_it() {
    let backend = Backend::says(b"HTTP/1.1 200 OK\r\n\r\nuntil the end");
    let daemon = passing(&backend, "");
    let answer = daemon.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // What has come whole before the head is sent gets a length.
    assert!(
        answer.field("Transfer-Encoding").is_some() || answer.field("Content-Length").is_some()
    );
    assert_eq!((answer.text().as_str(), answer.complete), ("until the end", true));
    let answer = daemon.ask("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(
        (answer.field("Transfer-Encoding"), answer.text().as_str()),
        (None, "until the end")
    );
}

#[test]
fn a_large_answer_arrives_whole_however_slowly_it_is_read() {
    let backend = Backend::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n");
        for block in 0..80_u32 {
            let _ = stream.write_all(&[block as u8; 100_000]);
        }
    });
    let daemon = passing(&backend, "");
    let answer = daemon.get("/");
    assert!(answer.complete && answer.body.len() == 8_000_000);
    assert!(
        answer.body.chunks(100_000).enumerate().all(|(at, block)| block == [at as u8; 100_000])
    );
}

#[test]
fn an_answer_that_breaks_off_is_not_passed_off_as_whole() {
    let backend = Backend::says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
    let daemon = passing(&backend, "");
    let answer = daemon.get("/");
    assert!(!answer.complete);
    daemon.logged("uwsgi");
}

#[test]
fn an_app_that_is_not_there_is_502_and_the_log_says_where_it_should_be() {
    let daemon = liege(
        "events { }
         http { server { listen 127.0.0.1:PORT; location / { uwsgi_pass unix:DIR/none.sock; } } }",
    )
    .start();
    assert_eq!(daemon.get("/").status, 502);
    daemon.logged("none.sock");
    daemon.logged("No such file or directory");
}

#[test]
fn an_app_that_closes_without_a_word_is_502() {
    let backend = Backend::start(|_, _| {});
    let daemon = passing(&backend, "");
    assert_eq!(daemon.get("/").status, 502);
    daemon.logged(&backend.socket().display().to_string());
}

#[test]
fn an_app_that_speaks_nonsense_is_502() {
    for nonsense in [&b"\x00\x01\x02\r\n\r\n"[..], b"HTTP/1.1 200 OK\r\nbad header\x00: x\r\n\r\n"]
    {
        let backend = Backend::start(move |_, stream| {
            let _ = stream.write_all(nonsense);
        });
        let daemon = passing(&backend, "");
        assert_eq!(daemon.get("/").status, 502);
    }
}

#[test]
fn an_app_that_does_not_answer_in_time_is_504() {
    let backend = Backend::start(|_, stream| {
        // Until the server gives up and closes.
        let _ = std::io::Read::read(stream, &mut [0; 1]);
    });
    let daemon = passing(&backend, "uwsgi_read_timeout 200ms;");
    let start = Instant::now();
    assert_eq!(daemon.get("/").status, 504);
    assert!(start.elapsed() < Duration::from_secs(5));
    if !theirs() {
        daemon.logged("uwsgi_read_timeout");
    }
}

#[test]
fn errors_of_the_app_can_be_replaced_by_pages_of_ours() {
    let backend = Backend::says(b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nmine");
    let daemon = passing(&backend, "");
    let answer = daemon.get("/");
    assert_eq!((answer.status, answer.text().as_str()), (500, "mine"));
    let daemon = passing(
        &backend,
        "uwsgi_intercept_errors on; error_page 500 =503 @sorry; } location @sorry { return 503 sorry;",
    );
    let answer = daemon.get("/");
    assert_eq!((answer.status, answer.text().as_str()), (503, "sorry"));
}

#[test]
fn an_intercepted_error_goes_before_a_redirect_that_comes_with_it() {
    let backend = Backend::says(b"HTTP/1.1 404 Not Found\r\nX-Accel-Redirect: /elsewhere\r\n\r\n");
    let daemon = passing(
        &backend,
        "uwsgi_intercept_errors on; error_page 404 @gone; } \
         location /elsewhere { return 200 elsewhere; } location @gone { return 404 gone;",
    );
    let answer = daemon.get("/");
    assert_eq!((answer.status, answer.text().as_str()), (404, "gone"));
}

#[test]
fn fields_of_the_app_can_be_hidden_and_passed() {
    let backend = Backend::says(
        b"HTTP/1.1 200 OK\r\nX-Secret: s\r\nX-Accel-Expires: 3\r\nContent-Length: 0\r\n\r\n",
    );
    let daemon =
        passing(&backend, "uwsgi_hide_header X-Secret; uwsgi_pass_header X-Accel-Expires;");
    let answer = daemon.get("/");
    assert_eq!((answer.field("X-Secret"), answer.field("X-Accel-Expires")), (None, Some("3")));
}

#[test]
fn without_buffering_the_client_gets_each_part_as_it_comes() {
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    let backend = Backend::start(move |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        let _ = wait.lock().unwrap().recv_timeout(Duration::from_secs(20));
        let _ = stream.write_all(b"later");
    });
    let daemon = passing(&backend, "uwsgi_buffering off;");
    let mut connection = daemon.connect();
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(connection.until(b"first"), b"first");
    go_on.send(()).unwrap();
    assert!(connection.rest().ends_with(b"later"));
}

#[test]
fn several_peers_share_the_work_and_one_that_fails_is_left_out() {
    let one = Backend::says(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
    let two = Backend::says(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo");
    let config = "
        events { }
        http {
            upstream app { server unix:ONE; server unix:TWO; server unix:DIR/none.sock max_fails=1; }
            server { listen 127.0.0.1:PORT; location / { include uwsgi_params; uwsgi_pass app; } }
        }";
    let config = config.replace("ONE", &one.socket().display().to_string());
    let daemon = liege(&config.replace("TWO", &two.socket().display().to_string())).start();
    let texts: Vec<_> = (0..12).map(|_| daemon.get("/").text()).collect();
    assert!(texts.iter().all(|text| text == "one" || text == "two"), "{texts:?}");
    assert!(texts.contains(&"one".into()) && texts.contains(&"two".into()), "{texts:?}");
}

#[test]
fn head_to_an_app_has_no_body() {
    let backend = Backend::says(HELLO);
    let daemon = passing(&backend, "");
    let mut connection = daemon.connect();
    let answer =
        connection.send("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").head();
    assert_eq!((answer.status, answer.field("Content-Length")), (200, Some("5")));
    assert_eq!(connection.rest(), b"");
}

#[test]
fn a_slow_client_does_not_hold_the_app() {
    let (done, finished) = std::sync::mpsc::channel();
    let backend = Backend::start(move |packet, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n");
        let _ = stream.write_all(&vec![b'x'; 2_000_000]);
        let _ = stream.shutdown(Shutdown::Both);
        let _ = done.send(packet.body.len());
    });
    let daemon = passing(&backend, "");
    let mut connection = daemon.connect();
    // The body comes in two halves: the app hears nothing before it is whole.
    connection.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhello");
    assert!(finished.recv_timeout(Duration::from_millis(100)).is_err());
    connection.send("world");
    // Nothing is read of the answer, and the app is free all the same.
    assert_eq!(finished.recv_timeout(Duration::from_secs(20)), Ok(10));
    assert_eq!(connection.response().body.len(), 2_000_000);
}
