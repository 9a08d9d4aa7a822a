//! What was used is given back: descriptors, processes, temporary files, sockets, across reloads,
//! aborts and restarts.

use std::fs;
use std::time::Duration;

use sys::child::Signal;

use crate::support::{Connection, Daemon, liege, process, until};

const SITE: &str = "
    app blog { chdir DIR; module blog; processes 2; }
    events { }
    http {
        client_max_body_size 20m;
        server { listen 127.0.0.1:PORT; root html; location /app { uwsgi_pass blog; } location = /v { return 200 one; } }
    }";

const ECHO: &str = "
def application(environ, start_response):
    body = environ['wsgi.input'].read()
    start_response('200 OK', [])
    return [b'%d' % len(body)]
";

fn site() -> Daemon {
    let daemon = liege(SITE).file("blog.py", ECHO).file("html/big", vec![b'x'; 5_000_000]).start();
    daemon.crew("app blog worker", 2);
    daemon
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Waits until a process holds no more descriptors than it did; shows them if that does not come.
#[track_caller]
fn gives_back(pid: u32, before: usize) {
    let what = || {
        let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut links: Vec<_> =
            links.filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
        links.sort();
        links
    };
    let start = std::time::Instant::now();
    while descriptors(pid) > before {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "more than {before} descriptors: {:?}",
            what()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn zombies(daemon: &Daemon) -> Vec<u32> {
    process::below(daemon.pid()).into_iter().filter(|pid| !process::lives(*pid)).collect()
}

#[test]
fn reloads_leave_no_descriptor_and_no_process_behind() {
    let daemon = site();
    daemon.reload();
    until("one generation", || process::below(daemon.pid()).len() == 4);
    let before = descriptors(daemon.pid());
    for _ in 0..15 {
        daemon.reload();
    }
    until("one generation again", || process::below(daemon.pid()).len() == 4);
    gives_back(daemon.pid(), before + 2);
    until("no zombie", || zombies(&daemon).is_empty());
}

#[test]
fn deaths_leave_no_descriptor_and_no_zombie_behind() {
    let daemon = site();
    let before = descriptors(daemon.pid());
    for title in
        ["web worker", "app blog worker 1", "app blog master", "app blog worker 2", "web worker"]
    {
        for pid in daemon.processes(title) {
            process::signal(pid, Signal::SIGKILL);
        }
        until("the tree is whole", || {
            process::below(daemon.pid()).len() == 4
                && daemon.try_get("/v").is_some_and(|answer| answer.status == 200)
        });
    }
    until("no zombie", || zombies(&daemon).is_empty());
    // One that was not yet known to be ready may have come to the count.
    gives_back(daemon.pid(), before + 2);
}

#[test]
fn clients_that_leave_leave_nothing_behind() {
    let daemon = site();
    daemon.get("/big");
    daemon.post("/app", &[0; 100_000]);
    let worker = daemon.crew("web worker", 1)[0];
    let before = descriptors(worker);
    for turn in 0..60 {
        let mut connection = daemon.connect();
        match turn % 4 {
            0 => connection.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n"),
            1 => connection
                .send("POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n")
                .send(vec![0; 200_000]),
            2 => connection.send("GET /big HTT"),
            _ => connection.send(
                "POST /app HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            ),
        };
    }
    gives_back(worker, before + 1);
    assert_eq!(daemon.crew("web worker", 1), [worker]);
    assert_eq!(daemon.post("/app", b"four").text(), "4");
}

#[test]
fn bodies_leave_no_temporary_file_behind() {
    let daemon = site();
    for _ in 0..3 {
        assert_eq!(daemon.post("/app", &vec![1; 3_000_000]).text(), "3000000");
    }
    let mut connection = daemon.connect();
    connection
        .send("POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n")
        .send(vec![0; 3_000_000]);
    drop(connection);
    for name in ["client_body_temp", "uwsgi_temp"] {
        let left = fs::read_dir(daemon.path(name)).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{name}");
    }
}

#[test]
fn a_stop_takes_pid_and_sockets_away() {
    let mut daemon = site();
    daemon.signal(Signal::SIGTERM);
    daemon.ended();
    let sockets: Vec<_> = fs::read_dir(daemon.path("run"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "sock" || kind == "pid"))
        .collect();
    assert!(sockets.is_empty(), "{sockets:?}");
    assert!(!daemon.path("logs/liege.pid").exists());
}

#[test]
fn after_a_killed_master_another_starts_without_help() {
    let mut daemon = site();
    let tree = process::below(daemon.pid());
    daemon.signal(Signal::SIGKILL);
    daemon.ended();
    until("nobody is left", || !tree.iter().any(|pid| process::lives(*pid)));
    let mut second = std::process::Command::new(env!("CARGO_BIN_EXE_liege"))
        .arg("-p")
        .arg(daemon.path(""))
        .args(["-g", "daemon off;"])
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env_remove("NOTIFY_SOCKET")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("it serves", || daemon.try_get("/app").is_some_and(|answer| answer.status == 200));
    process::signal(second.id(), Signal::SIGTERM);
    until("it ends", || second.try_wait().unwrap().is_some());
}

#[test]
fn a_slow_download_outlives_a_reload() {
    let daemon = site();
    let mut connection = daemon.connect();
    connection.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    daemon.signal(Signal::SIGHUP);
    daemon.configure(&SITE.replace("one", "two"));
    daemon.signal(Signal::SIGHUP);
    until("the new configuration counts", || daemon.get("/v").text() == "two");
    let answer = connection.response();
    assert!(answer.complete && answer.body.len() == 5_000_000);
}

#[test]
fn a_slow_upload_outlives_a_reload() {
    let daemon = site();
    let mut connection = daemon.connect();
    connection
        .send("POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n")
        .send([7; 1000]);
    daemon.configure(&SITE.replace("one", "two"));
    daemon.signal(Signal::SIGHUP);
    until("the new configuration counts", || daemon.get("/v").text() == "two");
    assert_eq!(connection.send([7; 1000]).response().text(), "2000");
}

#[test]
fn an_old_generation_that_streams_for_long_is_cut_after_three_more() {
    let config = SITE.replace("processes 2;", "processes 1; threads 2;");
    let code = "
import time
def application(environ, start_response):
    start_response('200 OK', [])
    if environ['PATH_INFO'] != '/app/stream':
        return [b'short']
    return (time.sleep(0.05) or b'tick ' for _ in range(10000))
";
    let daemon = liege(&config).file("blog.py", code).start();
    let mut streams: Vec<Connection> = vec![];
    for _ in 0..6 {
        let mut stream = daemon.connect();
        stream.send("GET /app/stream HTTP/1.1\r\nHost: x\r\n\r\n").until(b"tick");
        streams.push(stream);
        let before = daemon.processes("web worker");
        daemon.signal(Signal::SIGHUP);
        until("another web generation", || {
            daemon.processes("web worker").iter().any(|pid| !before.contains(pid))
        });
        std::thread::sleep(Duration::from_millis(300)); // the pace of the reloads
    }
    until("few generations live", || daemon.processes("web worker").len() <= 4);
    assert_eq!(daemon.get("/app").text(), "short");
    // The youngest stream goes on.
    let mut youngest = streams.pop().unwrap();
    (0..3).for_each(|_| drop(youngest.until(b"tick")));
}
