//! Sizes, times and counts have bounds.

use std::time::{Duration, Instant};

use crate::support::{Connection, Daemon, liege, until};

fn site(lines: &str) -> Daemon {
    let config = "
        events { worker_connections 64; }
        http { LINES server { listen 127.0.0.1:PORT; root html; location /take { return 200 taken; } } }";
    liege(&config.replace("LINES", lines)).file("html/a", "a").start()
}

const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn a_body_that_is_too_large_is_413() {
    let daemon = site("client_max_body_size 1k;");
    assert_eq!(daemon.post("/take", &[0; 1024]).status, 200);
    assert_eq!(daemon.post("/take", &[0; 1025]).status, 413);
    let chunk = format!("800\r\n{}\r\n0\r\n\r\n", "x".repeat(0x800));
    let head = "POST /take HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = daemon.connect().send(head).send(chunk).response();
    assert!(
        answer.status == 413 || answer.status == 200,
        "a body that nobody reads may be passed over"
    );
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let daemon = site("client_header_buffer_size 1k; large_client_header_buffers 2 2k;");
    let long = "a".repeat(3000);
    assert_eq!(daemon.ask(format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n")).status, 414);
    let field = daemon.ask(format!("GET /a HTTP/1.1\r\nHost: localhost\r\nX-A: {long}\r\n\r\n"));
    assert!([400, 431, 494].contains(&field.status), "{}", field.status);
    let fine = "a".repeat(1500);
    assert_eq!(
        daemon.ask(format!("GET /a HTTP/1.1\r\nHost: localhost\r\nX-A: {fine}\r\n\r\n")).status,
        200
    );
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let daemon = site("client_header_timeout 300ms;");
    let mut connection = daemon.connect();
    let start = Instant::now();
    connection.send("GET /a HTTP/1.1\r\nHost: loc");
    let rest = String::from_utf8_lossy(&connection.rest()).into_owned();
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408"), "{rest}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let config = "
        events { }
        http { client_body_timeout 300ms;
            server { listen 127.0.0.1:PORT; location / { include uwsgi_params; uwsgi_pass unix:DIR/none.sock; } } }";
    let daemon = liege(config).start();
    let mut connection = daemon.connect();
    connection.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
    let rest = String::from_utf8_lossy(&connection.rest()).into_owned();
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408"), "{rest}");
}

#[test]
fn an_idle_connection_is_closed() {
    let daemon = site("keepalive_timeout 300ms;");
    let mut connection = daemon.connect();
    assert_eq!(connection.send(REQUEST).response().status, 200);
    assert!(connection.is_closed());
}

#[test]
fn a_connection_serves_so_many_requests_and_no_more() {
    let daemon = site("keepalive_requests 3;");
    let mut connection = daemon.connect();
    let kept: Vec<_> = (0..3)
        .map(|_| connection.send(REQUEST).response().field("Connection").map(str::to_owned))
        .collect();
    assert_eq!(kept, [Some("keep-alive".into()), Some("keep-alive".into()), Some("close".into())]);
    assert!(connection.is_closed());
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let daemon = site("send_timeout 300ms;");
    daemon.write("html/big", vec![b'x'; 20_000_000]);
    let mut connection = daemon.connect();
    connection.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::thread::sleep(Duration::from_secs(2)); // the client's own slowness is what is tested
    assert!(connection.rest().len() < 20_000_000);
}

#[test]
fn a_crowd_past_the_limit_of_connections_is_survived() {
    let daemon = site("keepalive_timeout 30s;");
    let mut served = daemon.connect();
    assert_eq!(served.send(REQUEST).response().status, 200);
    served.send("GET /a HTTP/1.1\r\nHost: loc"); // busy with a head, so not idle
    let crowd: Vec<_> = (0..200).map(|_| Connection::try_open(daemon.port)).collect();
    assert_eq!(served.send("alhost\r\n\r\n").response().status, 200);
    drop(crowd);
    until("new connections are served again", || {
        daemon.try_get("/a").is_some_and(|answer| answer.status == 200)
    });
}

#[test]
fn a_slow_head_sent_byte_by_byte_is_the_same_request() {
    let daemon = site("");
    let mut connection = daemon.connect();
    for byte in REQUEST.bytes() {
        connection.send([byte]);
    }
    assert_eq!(connection.response().status, 200);
}

#[test]
fn a_request_that_takes_too_long_is_ended_and_answered() {
    let config = "
        app blog { chdir DIR; module blog; processes 1; harakiri 1s; }
        events { }
        http { server { listen 127.0.0.1:PORT; location / { uwsgi_pass blog; } } }";
    let code = "
import time
def application(environ, start_response):
    if environ['PATH_INFO'] == '/slow': time.sleep(60)
    start_response('200 OK', [])
    return [b'x']
";
    let daemon = liege(config).file("blog.py", code).start();
    let start = Instant::now();
    assert_eq!(daemon.get("/slow").status, 504);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    daemon.logged("harakiri");
    until("the next request is served", || daemon.get("/").status == 200);
}

#[test]
fn a_worker_is_replaced_after_so_many_requests() {
    let config = "
        app blog { chdir DIR; module blog; processes 1; max_requests 5; }
        events { }
        http { server { listen 127.0.0.1:PORT; location / { uwsgi_pass blog; } } }";
    let code = "
import os
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'%d' % os.getpid()]
";
    let daemon = liege(config).file("blog.py", code).start();
    let mut pids = std::collections::BTreeSet::new();
    until("a third worker answers", || {
        let answer = daemon.get("/");
        assert_eq!(answer.status, 200);
        pids.insert(answer.text());
        pids.len() >= 3
    });
    assert_eq!(daemon.log().matches("[alert]").count(), 0, "that is no crash");
}

#[test]
fn harakiri_in_one_thread_lets_the_others_finish() {
    let config = "
        app blog { chdir DIR; module blog; processes 1; threads 2; harakiri 1s; worker_reload_mercy 5s; }
        events { }
        http { server { listen 127.0.0.1:PORT; location / { uwsgi_pass blog; } } }";
    let code = "
import time
def application(environ, start_response):
    path = environ['PATH_INFO']
    if path == '/slow': time.sleep(60)
    if path == '/fair': time.sleep(0.9)
    start_response('200 OK', [])
    return [path.encode()]
";
    let daemon = liege(config).file("blog.py", code).start();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| daemon.get("/slow").status);
        let fair = scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(600)); // so that it runs when the other one's time is over
            daemon.get("/fair").status
        });
        assert_eq!((slow.join().unwrap(), fair.join().unwrap()), (504, 200));
    });
    until("the app serves on", || daemon.get("/").status == 200);
}

#[test]
fn a_burst_past_the_app_s_backlog_waits_in_order() {
    let config = "
        app blog { chdir DIR; module blog; processes 1; listen 2; }
        events { }
        http { server { listen 127.0.0.1:PORT; location / { uwsgi_pass blog; } } }";
    let code = "import time\ndef application(e, s):\n    time.sleep(0.02)\n    s('200 OK', [])\n    return [b'x']\n";
    let daemon = liege(config).file("blog.py", code).start();
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..60).map(|_| scope.spawn(|| daemon.get("/").status)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}
