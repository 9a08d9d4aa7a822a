//! A reload is a new generation, and a bad one never wins.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sys::child::Signal;

use crate::support::{Connection, Daemon, liege, until};

const STATIC: &str = "
    events { }
    http { server { listen 127.0.0.1:PORT; root html; location = /v { return 200 one; } } }";

const APP: &str = "
    app blog { chdir DIR; module blog; processes 2; start_timeout 2s; }
    events { }
    http { server { listen 127.0.0.1:PORT; location / { uwsgi_pass blog; } location = /v { return 200 one; } } }";

fn code(text: &str) -> String {
    format!("def application(e, s):\n    s('200 OK', [])\n    return [b'{text}']\n")
}

/// Clients that ask all the time while something is done to the server; how many asked, and what
/// went wrong.
fn under_load(daemon: &Daemon, path: &str, work: impl FnOnce()) -> (u32, Vec<String>) {
    let (stop, asked) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let client = || {
            let mut wrong = vec![];
            while !stop.load(Ordering::Relaxed) {
                asked.fetch_add(1, Ordering::Relaxed);
                match daemon.try_get(path) {
                    Some(answer) if answer.status == 200 && answer.complete => {}
                    Some(answer) => wrong.push(answer.line),
                    None => wrong.push("no answer".into()),
                }
            }
            wrong
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        work();
        stop.store(true, Ordering::Relaxed);
        let wrong = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        (asked.load(Ordering::Relaxed), wrong)
    })
}

#[test]
fn hup_makes_the_new_configuration_count() {
    let daemon = liege(STATIC).start();
    assert_eq!(daemon.get("/v").text(), "one");
    daemon.configure(&STATIC.replace("one", "two"));
    daemon.reload();
    assert_eq!(daemon.get("/v").text(), "two");
}

#[test]
fn s_reload_and_hup_are_one() {
    let daemon = liege(STATIC).start();
    daemon.configure(&STATIC.replace("one", "two"));
    let output = daemon.run(&["-s", "reload"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    until("the new configuration counts", || daemon.get("/v").text() == "two");
}

#[test]
fn ten_reloads_lose_no_request_for_a_file() {
    let daemon = liege(STATIC).file("html/a", "a").start();
    let (asked, wrong) = under_load(&daemon, "/a", || (0..10).for_each(|_| daemon.reload()));
    assert!(wrong.is_empty() && asked > 10, "{asked} asked, {wrong:?}");
}

#[test]
fn ten_reloads_lose_no_request_to_an_app() {
    let daemon = liege(APP).file("blog.py", code("x")).start();
    let (asked, wrong) = under_load(&daemon, "/", || (0..10).for_each(|_| daemon.reload()));
    assert!(wrong.is_empty() && asked > 10, "{asked} asked, {wrong:?}");
}

#[test]
fn a_reload_reads_the_apps_code_anew() {
    let daemon = liege(APP).file("blog.py", code("old")).start();
    let before = daemon.crew("app blog worker", 2);
    assert_eq!(daemon.get("/").text(), "old");
    daemon.write("blog.py", code("new"));
    daemon.signal(Signal::SIGHUP);
    until("the new code answers", || daemon.get("/").text() == "new");
    until("the old workers are gone", || {
        let now = daemon.processes("app blog worker");
        now.len() == 2 && now.iter().all(|pid| !before.contains(pid))
    });
    daemon.crew("app blog master", 1);
    for _ in 0..20 {
        assert_eq!(daemon.get("/").text(), "new");
    }
}

#[test]
fn a_bad_configuration_changes_nothing_and_says_where_it_is_bad() {
    for (bad, cause) in [
        (
            STATIC.replace("root html;", "rot html;"),
            "unknown directive \"rot\" in DIR/conf/liege.conf:3",
        ),
        (STATIC.replace("root html;", "root html"), "in DIR/conf/liege.conf"),
        (STATIC.replace("http {", "http { include none.conf;"), "none.conf"),
    ] {
        let daemon = liege(STATIC).file("html/a", "a").start();
        let web = daemon.crew("web worker", 1);
        let cause =
            cause.replace("DIR", daemon.path("").display().to_string().trim_end_matches('/'));
        daemon.configure(&bad);
        let (_, wrong) = under_load(&daemon, "/a", || {
            let output = daemon.run(&["-s", "reload"]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(&cause), "{said}");
            daemon.signal(Signal::SIGHUP);
            daemon.logged(&cause);
        });
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(daemon.processes("web worker"), web);
        assert_eq!(daemon.get("/v").text(), "one");
    }
}

#[test]
fn a_socket_that_cannot_be_opened_changes_nothing() {
    let daemon = liege(STATIC).start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().port();
    let _holds = std::net::TcpListener::bind(("127.0.0.1", taken));
    daemon
        .configure(&STATIC.replace("root html;", &format!("root html; listen 127.0.0.1:{taken};")));
    daemon.signal(Signal::SIGHUP);
    daemon.logged(&format!("127.0.0.1:{taken}"));
    assert_eq!(daemon.get("/v").text(), "one");
}

#[test]
fn code_that_cannot_be_imported_leaves_the_old_generation_serving() {
    let daemon = liege(APP).file("blog.py", code("old")).start();
    daemon.crew("app blog worker", 2);
    daemon.write("blog.py", "import shop_that_is_not_there\n");
    let (_, wrong) = under_load(&daemon, "/", || {
        daemon.signal(Signal::SIGHUP);
        daemon.logged("No module named 'shop_that_is_not_there'");
    });
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(daemon.get("/").text(), "old");
    daemon.write("blog.py", code("mended"));
    daemon.signal(Signal::SIGHUP);
    until("the mended code answers", || daemon.get("/").text() == "mended");
}

#[test]
fn code_that_hangs_at_import_leaves_the_old_generation_serving() {
    let daemon = liege(APP).file("blog.py", code("old")).start();
    daemon.crew("app blog worker", 2);
    daemon.write("blog.py", "import time\ntime.sleep(1000)\n");
    let (_, wrong) = under_load(&daemon, "/", || {
        daemon.signal(Signal::SIGHUP);
        daemon.logged("start_timeout");
    });
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(daemon.get("/").text(), "old");
    daemon.crew("app blog master", 1);
}

#[test]
fn one_app_that_is_bad_does_not_hold_back_the_web_or_other_apps() {
    let config = "
        app blog { chdir DIR; module blog; }
        app shop { chdir DIR; module shop; }
        events { }
        http { server { listen 127.0.0.1:PORT;
            location /blog { uwsgi_pass blog; } location /shop { uwsgi_pass shop; } location = /v { return 200 one; } } }";
    let daemon =
        liege(config).file("blog.py", code("blog 1")).file("shop.py", code("shop 1")).start();
    daemon.write("blog.py", "syntax error here\n");
    daemon.write("shop.py", code("shop 2"));
    daemon.configure(&config.replace("one", "two"));
    daemon.signal(Signal::SIGHUP);
    until("the shop's new code answers", || daemon.get("/shop").text() == "shop 2");
    until("the new web answers", || daemon.get("/v").text() == "two");
    daemon.logged("SyntaxError");
    assert_eq!(daemon.get("/blog").text(), "blog 1");
}

#[test]
fn a_request_in_flight_is_finished_by_the_old_generation() {
    let daemon = liege(APP)
        .file("blog.py", "import time\ndef application(e, s):\n    time.sleep(1)\n    s('200 OK', [])\n    return [b'late']\n")
        .start();
    let mut connection = daemon.connect();
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::thread::scope(|scope| {
        scope.spawn(|| daemon.reload());
        let answer = connection.response();
        assert_eq!((answer.status, answer.text().as_str()), (200, "late"));
    });
}

#[test]
fn a_kept_connection_survives_until_it_was_told_to_close() {
    let daemon = liege(STATIC).file("html/a", "a").start();
    let mut connection = daemon.connect();
    let request = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(connection.send(request).response().field("Connection"), Some("keep-alive"));
    daemon.configure(&STATIC.replace("one", "two"));
    daemon.signal(Signal::SIGHUP);
    // Every answer comes whole, until one says that it is the last.
    until("the connection is told to close", || {
        let answer = connection.send(request).response();
        assert_eq!(answer.status, 200);
        answer.field("Connection") == Some("close")
    });
}

#[test]
fn a_change_of_the_file_takes_effect_within_a_second() {
    let auto = format!("auto_reload on;\n{STATIC}").replace("http {", "http { include part*.conf;");
    let daemon = liege(&auto).file("conf/part1.conf", "").start();
    let takes_effect = |what: &str, text: &str| {
        let start = Instant::now();
        until(what, || daemon.get("/v").text() == text);
        assert!(
            start.elapsed() < Duration::from_millis(1500),
            "{what} after {:?}",
            start.elapsed()
        );
    };
    daemon.configure(&auto.replace("one", "renamed"));
    takes_effect("a new file renamed over the old one", "renamed");
    let config = std::fs::read_to_string(daemon.path("conf/liege.conf")).unwrap();
    std::fs::write(daemon.path("conf/liege.conf"), config.replace("renamed", "written")).unwrap();
    takes_effect("the file written in place", "written");
    let other = format!("server {{ listen 127.0.0.1:{}; return 200 other; }}", daemon.port2);
    std::fs::write(daemon.path("conf/part1.conf"), other).unwrap();
    until("an included file counts", || Connection::try_open(daemon.port2).is_ok());
    assert_eq!(daemon.get("/v").text(), "written");
}

#[test]
fn a_comment_that_changed_starts_nothing_anew() {
    let auto = format!("auto_reload on;\n{APP}");
    let daemon = liege(&auto).file("blog.py", code("x")).start();
    daemon.crew("app blog worker", 2);
    let before = (daemon.processes("web worker"), daemon.processes("app blog"));
    // The lines move and the web changes; the app's words are what they were.
    daemon.configure(&format!("# a comment\n# and another\n{}", auto.replace("one", "two")));
    until("the change counts", || daemon.get("/v").text() == "two");
    let now = daemon.processes("web worker");
    assert!(now != before.0, "the web is a new one");
    assert_eq!(daemon.processes("app blog"), before.1, "the app is the old one");
    daemon.configure(&format!("# one comment\n{}", auto.replace("one", "two")));
    until("it is read again", || daemon.log().matches("read anew").count() >= 2);
    assert_eq!(daemon.get("/").text(), "x");
    assert_eq!((daemon.processes("web worker"), daemon.processes("app blog")), (now, before.1));
}

#[test]
fn touch_reload_reads_one_apps_code_anew() {
    let config = APP.replace("processes 2;", "processes 2; touch_reload DIR/touched;");
    let daemon = liege(&config).file("blog.py", code("old")).file("touched", "").start();
    let web = daemon.crew("web worker", 1);
    daemon.write("blog.py", code("new"));
    daemon.write("touched", "now");
    until("the new code answers", || daemon.get("/").text() == "new");
    assert_eq!(daemon.processes("web worker"), web);
}

#[test]
fn an_app_can_come_and_go() {
    let more = format!("app shop {{ chdir DIR; module shop; }}\n{APP}")
        .replace("location = /v", "location /shop { uwsgi_pass shop; } location = /v");
    let daemon = liege(APP).file("blog.py", code("blog")).file("shop.py", code("shop")).start();
    daemon.configure(&more);
    daemon.signal(Signal::SIGHUP);
    until("the new app answers", || daemon.get("/shop").text() == "shop");
    daemon.configure(APP);
    daemon.signal(Signal::SIGHUP);
    daemon.crew("app shop", 0);
    assert_eq!(daemon.get("/").text(), "blog");
}

#[test]
fn the_number_of_processes_can_change() {
    let daemon = liege(APP).file("blog.py", code("x")).start();
    daemon.crew("app blog worker", 2);
    for count in [4, 1] {
        daemon.configure(&APP.replace("processes 2", &format!("processes {count}")));
        daemon.signal(Signal::SIGHUP);
        daemon.crew("app blog worker", count);
        daemon.crew("app blog master", 1);
    }
}

#[test]
fn reloads_in_quick_succession_end_in_the_last_configuration() {
    let daemon = liege(APP).file("blog.py", code("x")).start();
    daemon.crew("app blog worker", 2);
    let (_, wrong) = under_load(&daemon, "/", || {
        for round in 0..30 {
            daemon.configure(&APP.replace("one", &format!("round {round}").replace(' ', "-")));
            daemon.signal(Signal::SIGHUP);
            std::thread::sleep(Duration::from_millis(20)); // the pace of the storm
        }
        until("the last configuration counts", || daemon.get("/v").text() == "round-29");
    });
    assert!(wrong.is_empty(), "{wrong:?}");
    daemon.crew("web worker", 1);
    daemon.crew("app blog master", 1);
    daemon.crew("app blog worker", 2);
}

#[test]
fn kept_connections_break_at_no_reload() {
    let daemon = liege(STATIC).file("html/a", "a").start();
    let stop = AtomicBool::new(false);
    let client = || {
        let mut wrong = vec![];
        let mut connection = daemon.connect();
        while !stop.load(Ordering::Relaxed) {
            connection.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
            match connection.try_response(true) {
                Some(answer) if answer.field("Connection") == Some("close") => {
                    connection = daemon.connect()
                }
                Some(answer) if answer.status == 200 => {}
                Some(answer) => wrong.push(answer.line),
                None => {
                    wrong.push("a kept connection broke".into());
                    connection = daemon.connect();
                }
            }
        }
        wrong
    };
    let wrong: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(client)).collect();
        (0..10).for_each(|_| {
            daemon.signal(Signal::SIGHUP);
            std::thread::sleep(Duration::from_millis(150)); // the pace of the reloads
        });
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} broke: {wrong:?}", wrong.len());
}

#[test]
fn addresses_come_and_go() {
    let two = STATIC
        .replace("root html;", "root html; listen 127.0.0.1:PORT2; listen unix:DIR/http.sock;");
    let daemon = liege(STATIC).start();
    daemon.configure(&two);
    daemon.reload();
    assert_eq!(
        Connection::open(daemon.port2).send("GET /v HTTP/1.0\r\n\r\n").response().text(),
        "one"
    );
    assert!(std::os::unix::net::UnixStream::connect(daemon.path("http.sock")).is_ok());
    daemon.configure(STATIC);
    daemon.reload();
    until("the second address is closed", || Connection::try_open(daemon.port2).is_err());
    assert_eq!(daemon.get("/v").text(), "one");
}

#[test]
fn a_symbolic_link_to_the_current_release_is_followed_anew() {
    use std::os::unix::fs::symlink;
    let config = APP.replace("chdir DIR;", "chdir DIR/current;");
    let daemon = {
        let setup = liege(&config.replace("DIR/current", "DIR/releases/1"));
        setup
            .file("releases/1/blog.py", code("release 1"))
            .file("releases/2/blog.py", code("release 2"))
            .start()
    };
    let link = daemon.path("current");
    symlink("releases/1", &link).unwrap();
    daemon.configure(&config);
    daemon.signal(Signal::SIGHUP);
    until("the first release", || daemon.get("/").text() == "release 1");
    symlink("releases/2", daemon.path("next")).unwrap();
    std::fs::rename(daemon.path("next"), &link).unwrap();
    // A crash restarts what ran; only a reload takes the new release.
    daemon.reload();
    until("the second release", || daemon.get("/").text() == "release 2");
}
