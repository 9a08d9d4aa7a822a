//! What each signal does.

use std::time::{Duration, Instant};

use sys::child::Signal;

use crate::support::{Daemon, liege, process, until};

const APP: &str = "
    app blog { chdir DIR; module blog; processes 1; }
    events { }
    http { server { listen 127.0.0.1:PORT; root html; location /app { uwsgi_pass blog; } } }";

const SLOW: &str = "
import time
def application(environ, start_response):
    open('/tmp/' + environ['QUERY_STRING'], 'w').close() if environ['QUERY_STRING'] else None
    if environ['PATH_INFO'] == '/app/slow': time.sleep(1)
    start_response('200 OK', [])
    return [b'done']
";

fn site() -> Daemon {
    let daemon = liege(APP).file("blog.py", SLOW).file("html/a", "a").start();
    assert_eq!(daemon.get("/app").status, 200);
    daemon
}

/// Starts a slow request, sends the signal while it runs, and gives what came of the request.
fn while_asking(daemon: &Daemon, signal: Signal) -> Option<u16> {
    let mut connection = daemon.connect();
    let mark = format!("liege-test-{}", daemon.port);
    connection.send(format!("GET /app/slow?{mark} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let file = std::path::Path::new("/tmp").join(mark);
    until("the request has arrived", || file.exists());
    let _ = std::fs::remove_file(file);
    daemon.signal(signal);
    connection.try_response(true).map(|answer| answer.status)
}

#[test]
fn term_and_quit_finish_what_is_in_flight() {
    for signal in [Signal::SIGTERM, Signal::SIGQUIT] {
        let mut daemon = site();
        let tree = process::below(daemon.pid());
        assert_eq!(while_asking(&daemon, signal), Some(200), "{signal}");
        assert_eq!(daemon.ended().code(), Some(0));
        until("nobody is left", || !tree.iter().any(|pid| process::lives(*pid)));
        assert!(!daemon.path("run/liege.pid").exists() && !daemon.path("logs/liege.pid").exists());
    }
}

#[test]
fn int_ends_at_once() {
    let mut daemon = site();
    let start = Instant::now();
    while_asking(&daemon, Signal::SIGINT);
    daemon.ended();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn an_idle_connection_does_not_hold_up_a_graceful_stop_for_long() {
    let mut daemon = site();
    let mut connection = daemon.connect();
    connection.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n").response();
    let start = Instant::now();
    daemon.signal(Signal::SIGTERM);
    daemon.ended();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn s_stop_and_s_quit_end_the_server() {
    for word in ["stop", "quit"] {
        let mut daemon = site();
        assert!(daemon.run(&["-s", word]).status.success());
        assert_eq!(daemon.ended().code(), Some(0));
    }
}

#[test]
fn hup_keeps_the_master() {
    let daemon = site();
    daemon.reload();
    assert_eq!(daemon.get("/app").status, 200);
    assert!(process::lives(daemon.pid()));
}

#[test]
fn urg_ends_the_wait_of_an_app_that_failed() {
    let daemon = liege(APP).file("blog.py", "raise RuntimeError('no')\n").start();
    daemon.logged("RuntimeError: no");
    // A few failures, so that the wait is long.
    until("several failures", || daemon.log().matches(" rejected: ").count() >= 3);
    daemon.write("blog.py", SLOW);
    let start = Instant::now();
    daemon.signal(Signal::SIGURG);
    until("it serves", || daemon.get("/app").status == 200);
    assert!(start.elapsed() < Duration::from_millis(2500), "{:?}", start.elapsed());
}

#[test]
fn signals_that_mean_nothing_do_nothing() {
    let daemon = site();
    for signal in [Signal::SIGPIPE, Signal::SIGCHLD, Signal::SIGWINCH] {
        daemon.signal(signal);
    }
    assert_eq!(daemon.get("/app").status, 200);
}

#[test]
fn in_the_background_the_first_process_leaves_when_the_server_is_ready() {
    let folder = tempfile::TempDir::with_prefix("liege-test-").unwrap();
    let prefix = folder.path();
    for name in ["conf", "html", "logs"] {
        std::fs::create_dir(prefix.join(name)).unwrap();
    }
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let config = format!(
        "daemon on; pid liege.pid; events {{ }} http {{ server {{ listen 127.0.0.1:{port}; return 200 x; }} }}"
    );
    std::fs::write(prefix.join("conf/liege.conf"), config).unwrap();
    let liege = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_liege"));
        command.arg("-p").arg(prefix).args(words).env_remove("NOTIFY_SOCKET");
        command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap()
    };
    assert!(liege(&[]).success());
    let pid: u32 =
        std::fs::read_to_string(prefix.join("liege.pid")).unwrap().trim().parse().unwrap();
    assert!(process::title(pid).starts_with("liege: master "));
    assert!(crate::support::Connection::try_open(port).is_ok(), "ready means that it listens");
    assert!(liege(&["-s", "quit"]).success());
    until("it is gone", || !process::lives(pid) && !prefix.join("liege.pid").exists());
}

#[test]
fn a_graceful_stop_is_bounded_by_worker_shutdown_timeout() {
    let mut daemon = liege(&format!(
        "worker_shutdown_timeout 1s;\n{}",
        APP.replace("processes 1;", "processes 1; worker_reload_mercy 1s;")
    ))
    .file("blog.py", "import time\ndef application(e, s):\n    time.sleep(1000)\n")
    .start();
    daemon.crew("app blog worker", 1);
    let mut connection = daemon.connect();
    connection.send("GET /app HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let start = Instant::now();
    daemon.signal(Signal::SIGTERM);
    daemon.ended();
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[test]
fn a_second_signal_hastens_a_graceful_stop() {
    let mut daemon = liege(APP)
        .file("blog.py", "import time\ndef application(e, s):\n    time.sleep(1000)\n")
        .start();
    daemon.crew("app blog worker", 1);
    let mut connection = daemon.connect();
    connection.send("GET /app HTTP/1.1\r\nHost: localhost\r\n\r\n");
    daemon.signal(Signal::SIGTERM);
    daemon.logged("stopping gracefully");
    let start = Instant::now();
    daemon.signal(Signal::SIGINT);
    daemon.ended();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn sockets_that_systemd_opened_are_taken_over() {
    // The pid in LISTEN_PID must be that of the server: a shell gives its own and becomes the
    // server.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let folder = tempfile::TempDir::with_prefix("liege-test-").unwrap();
    std::fs::create_dir_all(folder.path().join("conf")).unwrap();
    std::fs::create_dir_all(folder.path().join("logs")).unwrap();
    let config = format!(
        "daemon off; events {{ }} http {{ server {{ listen 127.0.0.1:{port}; return 200 taken; }} }}"
    );
    std::fs::write(folder.path().join("conf/liege.conf"), config).unwrap();
    let script = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" -p \"$1\"";
    let mut child = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_liege")])
        .arg(folder.path())
        .env_remove("NOTIFY_SOCKET")
        .stdin(std::os::fd::OwnedFd::from(socket.try_clone().unwrap()))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut connection = crate::support::Connection::open(port);
    connection.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answer = connection.try_response(true).map(|answer| answer.text());
    process::signal(child.id(), Signal::SIGTERM);
    until("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(answer.as_deref(), Some("taken"));
}
