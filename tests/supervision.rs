//! Who dies is replaced; who cannot live waits; nobody is left behind.

use std::time::{Duration, Instant};

use sys::child::Signal;

use crate::support::{Daemon, liege, process, until};

const APP: &str = "
    app blog { chdir DIR; module blog; processes 2; }
    events { }
    http { server { listen 127.0.0.1:PORT; root html; location /app { uwsgi_pass blog; } } }";

const CODE: &str = "
import os
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'%d' % os.getpid()]
";

fn site() -> Daemon {
    let daemon = liege(APP).file("blog.py", CODE).file("html/a", "a").start();
    daemon.crew("app blog worker", 2);
    daemon
}

#[test]
fn the_tree_is_master_web_workers_app_masters_and_app_workers() {
    let daemon = site();
    let conf = daemon.path("conf/liege.conf");
    assert_eq!(process::title(daemon.pid()), format!("liege: master {}", conf.display()));
    daemon.crew("web worker 0", 1);
    daemon.crew("app blog master", 1);
    daemon.crew("app blog worker 1", 1);
    daemon.crew("app blog worker 2", 1);
    daemon.crew("reader", 0);
    assert!(
        process::below(daemon.crew("app blog master", 1)[0]).len() == 2,
        "workers are the app master's children"
    );
}

#[test]
fn a_killed_web_worker_is_replaced() {
    let daemon = site();
    let killed = daemon.crew("web worker", 1)[0];
    process::signal(killed, Signal::SIGKILL);
    let start = Instant::now();
    until("a file is served again", || {
        daemon.try_get("/a").is_some_and(|answer| answer.status == 200)
    });
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_ne!(daemon.crew("web worker", 1)[0], killed);
    daemon.logged("SIGKILL");
}

#[test]
fn a_killed_app_worker_is_replaced_and_nobody_else() {
    let daemon = site();
    let master = daemon.crew("app blog master", 1);
    let killed = daemon.crew("app blog worker 1", 1);
    let other = daemon.crew("app blog worker 2", 1);
    process::signal(killed[0], Signal::SIGKILL);
    until("a new worker 1", || {
        let now = daemon.processes("app blog worker 1");
        now.len() == 1 && now != killed
    });
    assert_eq!(daemon.processes("app blog worker 2"), other);
    assert_eq!(daemon.processes("app blog master"), master);
    assert_eq!(daemon.get("/app").status, 200);
}

#[test]
fn workers_of_a_killed_app_master_serve_until_their_successors_do() {
    let daemon = site();
    assert_eq!(daemon.get("/app").status, 200);
    let workers = daemon.processes("app blog worker");
    let killed = daemon.crew("app blog master", 1);
    process::signal(killed[0], Signal::SIGKILL);
    until("a new generation", || {
        assert_eq!(daemon.get("/app").status, 200);
        let now = daemon.processes("app blog worker");
        now.len() == 2 && now.iter().all(|pid| !workers.contains(pid))
    });
    assert_ne!(daemon.crew("app blog master", 1), killed);
}

#[test]
fn a_request_in_a_killed_worker_fails_alone() {
    let daemon = liege(APP)
        .file(
            "blog.py",
            "import time\ndef application(e, s):\n    if e['PATH_INFO'].endswith('slow'): time.sleep(30)\n    s('200 OK', [])\n    return [b'x']\n",
        )
        .start();
    daemon.crew("app blog worker", 2);
    let mut slow = daemon.connect();
    slow.send("GET /app/slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let busy = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/wchan"))
            .is_ok_and(|at| at.contains("nanosleep"))
    };
    let mut found = None;
    until("a worker sleeps in the request", || {
        found = daemon.processes("app blog worker").into_iter().find(busy);
        found.is_some()
    });
    process::signal(found.unwrap(), Signal::SIGKILL);
    assert_eq!(slow.response().status, 502);
    assert_eq!(daemon.get("/app").status, 200);
}

#[test]
fn an_app_that_cannot_start_disturbs_nobody_and_says_why() {
    let config = format!("app shop {{ chdir DIR; module shop; }}\n{APP}")
        .replace("location /app", "location /shop { uwsgi_pass shop; } location /app");
    let daemon = liege(&config)
        .file("blog.py", CODE)
        .file("shop.py", "raise RuntimeError('no database')\n")
        .start();
    daemon.logged("RuntimeError: no database");
    assert_eq!(daemon.get("/app").status, 200);
    let answer = daemon.get("/shop");
    assert_eq!(answer.status, 503);
    assert!(answer.field("Retry-After").is_some(), "{answer:?}");
    daemon.logged("shop");
    // Mended, it comes up when it is tried next.
    daemon.write("shop.py", CODE);
    until("the shop serves", || daemon.get("/shop").status == 200);
}

#[test]
fn requests_wait_while_an_app_starts() {
    let daemon = liege(APP).file("blog.py", CODE).start();
    daemon.crew("app blog worker", 2);
    daemon.write("blog.py", format!("import time\ntime.sleep(1)\n{CODE}"));
    // All of the app at once: nothing of it serves until the import is over.
    let all = daemon.processes("app blog");
    all.iter().for_each(|pid| process::signal(*pid, Signal::SIGKILL));
    until("they are gone", || !all.iter().any(|pid| process::lives(*pid)));
    assert_eq!(daemon.get("/app").status, 200);
}

#[test]
fn when_the_master_is_killed_nobody_is_left() {
    let mut daemon = site();
    let tree = process::below(daemon.pid());
    assert!(tree.len() >= 4);
    daemon.signal(Signal::SIGKILL);
    daemon.ended();
    until("no orphan", || !tree.iter().any(|pid| process::lives(*pid)));
}

#[test]
fn a_second_master_is_refused_with_the_first_ones_pid() {
    let daemon = site();
    let output = daemon.run(&["-g", "daemon off;"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &daemon.log();
    assert!(said.contains(&daemon.pid().to_string()), "{said}");
    assert_eq!(daemon.get("/app").status, 200);
}

#[test]
fn children_have_no_powers_and_no_open_files_of_ours() {
    let daemon = site();
    for pid in [daemon.processes("web worker"), daemon.processes("app blog")].concat() {
        let title = process::title(pid);
        assert_eq!(process::status(pid, "NoNewPrivs").as_deref(), Some("1"), "{title}");
        if sys::identity::is_root() {
            for set in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"] {
                let value = process::status(pid, set).unwrap();
                assert_eq!(value.trim_start_matches('0'), "", "{set} of {title}");
            }
            let uids = process::status(pid, "Uid").unwrap();
            assert!(!uids.split_whitespace().any(|uid| uid == "0"), "{title}: {uids}");
        }
    }
    let worker = daemon.crew("app blog worker 1", 1)[0];
    let open = std::fs::read_dir(format!("/proc/{worker}/fd")).unwrap().count();
    assert!(open <= 16, "{open} descriptors in an app worker");
}

#[test]
fn a_program_gets_the_socket_and_is_restarted() {
    let config = "
        app hook { exec python3 DIR/hook.py; chdir DIR; }
        events { }
        http { server { listen 127.0.0.1:PORT; location / { include uwsgi_params; uwsgi_pass hook; } } }";
    let code = "
import os, socket
assert os.environ['LISTEN_FDS'] == '1' and os.environ['LISTEN_PID'] == str(os.getpid())
listener = socket.socket(fileno=3)
while True:
    client, _ = listener.accept()
    client.recv(65536)
    client.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%d' % (len(str(os.getpid())), os.getpid()))
    client.close()
";
    let daemon = liege(config).file("hook.py", code).start();
    let first = daemon.get("/").text();
    process::signal(first.parse().unwrap(), Signal::SIGKILL);
    until("another one answers", || {
        daemon.try_get("/").is_some_and(|answer| answer.status == 200 && answer.text() != first)
    });
}

#[test]
fn an_app_that_will_not_stop_is_ended_after_its_mercy_with_everything_it_started() {
    let config = "
        app blog { chdir DIR; module blog; processes 1; worker_reload_mercy 1s; }
        events { }
        http { server { listen 127.0.0.1:PORT; location / { uwsgi_pass blog; } } }";
    let code = "
import os, signal, subprocess, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
def application(environ, start_response):
    child = subprocess.Popen(['sleep', '60'])
    start_response('200 OK', [])
    yield b'%d' % child.pid
    time.sleep(1000)
";
    let mut daemon = liege(config).file("blog.py", code).start();
    let mut connection = daemon.connect();
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let sleeps = || {
        let below = process::below(daemon.pid()).into_iter();
        below.filter(|pid| process::title(*pid) == "sleep").collect::<Vec<_>>()
    };
    until("the app has started something", || !sleeps().is_empty());
    let tree = process::below(daemon.pid());
    let start = Instant::now();
    process::signal(daemon.pid(), Signal::SIGINT);
    daemon.ended();
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    until("nobody is left", || !tree.iter().any(|pid| process::lives(*pid)));
}

#[test]
fn a_stopped_worker_holds_up_nobody_else() {
    let daemon = site();
    let stopped = daemon.processes("app blog worker 1")[0];
    process::signal(stopped, Signal::SIGSTOP);
    until("it is stopped", || {
        process::status(stopped, "State").is_some_and(|state| state.starts_with('T'))
    });
    let answers: Vec<_> = (0..20).map(|_| daemon.get("/app").text()).collect();
    assert!(answers.iter().all(|pid| *pid != stopped.to_string()));
    process::signal(stopped, Signal::SIGCONT);
}

#[test]
fn an_app_that_dies_with_every_request_is_slowed_down_and_disturbs_nobody() {
    let daemon = liege(APP)
        .file("blog.py", "import os\ndef application(e, s):\n    os._exit(3)\n")
        .file("html/a", "a")
        .start();
    daemon.crew("app blog worker", 2);
    for _ in 0..10 {
        let answer = daemon.try_get("/app");
        assert!(answer.is_none_or(|answer| answer.status >= 500));
        assert_eq!(daemon.get("/a").status, 200);
    }
    daemon.logged("exited with status 3");
    daemon.logged("died young");
}

#[test]
fn a_worker_that_runs_out_of_memory_or_crashes_in_native_code_is_replaced() {
    let code = "
import os, signal
def application(environ, start_response):
    if environ['PATH_INFO'] == '/app/crash': os.kill(os.getpid(), signal.SIGSEGV)
    start_response('200 OK', [])
    return [b'fine']
";
    let daemon = liege(APP).file("blog.py", code).start();
    daemon.crew("app blog worker", 2);
    assert_eq!(daemon.get("/app/crash").status, 502);
    daemon.logged("SIGSEGV");
    daemon.crew("app blog worker", 2);
    assert_eq!(daemon.get("/app").text(), "fine");
}

#[test]
fn several_web_workers_are_each_replaced() {
    let config = format!("worker_processes 3;\n{APP}");
    let daemon = liege(&config).file("blog.py", CODE).file("html/a", "a").start();
    for _ in 0..3 {
        let before = daemon.crew("web worker", 3);
        process::signal(before[1], Signal::SIGKILL);
        until("three again, one of them new", || {
            let now = daemon.processes("web worker");
            now.len() == 3 && !now.contains(&before[1])
        });
        until("files are served", || {
            daemon.try_get("/a").is_some_and(|answer| answer.status == 200)
        });
    }
}

#[test]
fn a_reader_that_is_killed_changes_nothing() {
    let daemon = site();
    let web = daemon.processes("web worker");
    // A FIFO that nobody writes to: the reader hangs in it.
    let fifo = daemon.path("conf/fifo.conf");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    daemon.configure(&APP.replace("http {", "http { include fifo.conf;"));
    daemon.signal(Signal::SIGHUP);
    let reader = daemon.crew("reader", 1)[0];
    assert_eq!(daemon.get("/app").status, 200);
    process::signal(reader, Signal::SIGKILL);
    daemon.crew("reader", 0);
    daemon.logged("everything stays as it was");
    assert_eq!((daemon.get("/app").status, daemon.processes("web worker")), (200, web));
}

#[test]
fn whoever_dies_whenever_the_tree_comes_back_as_it_was() {
    let config =
        format!("worker_processes 2;\napp shop {{ chdir DIR; module shop; processes 3; }}\n{APP}")
            .replace("location /app", "location /shop { uwsgi_pass shop; } location /app");
    let daemon =
        liege(&config).file("blog.py", CODE).file("shop.py", CODE).file("html/a", "a").start();
    let mut random = 0x9e37_79b9_u64;
    let mut below = |end: usize| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % end
    };
    for turn in 0..60 {
        let tree = process::below(daemon.pid());
        match below(12) {
            0 => daemon.signal(Signal::SIGHUP),
            1 => daemon.write("shop.py", if turn % 2 == 0 { "syntax error" } else { CODE }),
            _ if !tree.is_empty() => process::signal(tree[below(tree.len())], Signal::SIGKILL),
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(below(120) as u64)); // the pace of the storm
    }
    daemon.write("shop.py", CODE);
    daemon.signal(Signal::SIGHUP);
    daemon.signal(Signal::SIGURG);
    let titles = || {
        let mut titles: Vec<_> =
            process::below(daemon.pid()).into_iter().map(process::title).collect();
        titles.sort();
        titles
    };
    let wanted: Vec<_> = [
        "app blog master",
        "app blog worker 1",
        "app blog worker 2",
        "app shop master",
        "app shop worker 1",
        "app shop worker 2",
        "app shop worker 3",
        "web worker 0",
        "web worker 1",
    ]
    .iter()
    .map(|title| format!("liege: {title}"))
    .collect();
    until("the tree is as it was", || titles() == wanted);
    for path in ["/a", "/app", "/shop"] {
        assert_eq!(daemon.get(path).status, 200, "{path}");
    }
}
