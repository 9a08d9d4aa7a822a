//! WSGI applications, served by app workers of ours, from the browser's side.

use crate::support::{Daemon, liege, venv};

const SITE: &str = "
    app blog { chdir DIR; module blog; LINES }
    events { }
    http {
        client_max_body_size 100m;
        server { listen 127.0.0.1:PORT; location / { uwsgi_pass blog; } }
    }";

/// An application in `blog.py`, with these lines in its block.
fn app(code: &str, lines: &str) -> Daemon {
    let two = if lines.contains("processes") { "" } else { "processes 2; " };
    liege(&SITE.replace("LINES", &format!("{two}{lines}"))).file("blog.py", code).start()
}

const HELLO: &str = "
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain'), ('X-A', '1')])
    return [b'hello ', environ['PATH_INFO'].encode('latin-1')]
";

#[test]
fn an_application_answers() {
    let daemon = app(HELLO, "");
    let answer = daemon.get("/there?x=1");
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello /there"));
    assert_eq!(
        (answer.field("Content-Type"), answer.field("X-A")),
        (Some("text/plain"), Some("1"))
    );
}

#[test]
fn an_application_may_listen_on_tcp() {
    let daemon = app(HELLO, "socket 127.0.0.1:PORT2;");
    assert_eq!(daemon.get("/there").text(), "hello /there");
}

#[test]
fn its_processes_are_named() {
    let daemon = app(HELLO, "");
    assert_eq!(daemon.crew("app blog master", 1).len(), 1);
    assert_eq!(daemon.crew("app blog worker 1", 1).len(), 1);
    assert_eq!(daemon.crew("app blog worker 2", 1).len(), 1);
}

#[test]
fn the_environ_is_what_pep_3333_says() {
    let daemon = app(
        "
import json
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/json')])
    known = {k: v for k, v in environ.items() if isinstance(v, (str, bool, int, tuple))}
    known['types'] = sorted({type(v).__name__ for k, v in environ.items() if not k.startswith('wsgi.')})
    return [json.dumps(known).encode()]
",
        "",
    );
    let answer = daemon.ask("GET /caf%C3%A9?q=%20 HTTP/1.1\r\nHost: localhost\r\nX-Custom: v\r\nConnection: close\r\n\r\n");
    let text = answer.text();
    for wanted in [
        "\"REQUEST_METHOD\": \"GET\"",
        "\"SCRIPT_NAME\": \"\"",
        "\"PATH_INFO\": \"/caf\\u00c3\\u00a9\"",
        "\"QUERY_STRING\": \"q=%20\"",
        "\"SERVER_PROTOCOL\": \"HTTP/1.1\"",
        "\"HTTP_X_CUSTOM\": \"v\"",
        "\"wsgi.version\": [1, 0]",
        "\"wsgi.url_scheme\": \"http\"",
        "\"wsgi.multithread\": false",
        "\"wsgi.multiprocess\": true",
        "\"wsgi.run_once\": false",
        "\"types\": [\"str\"]",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing in {text}");
    }
}

#[test]
fn a_body_is_read_as_the_application_likes() {
    let daemon = app(
        "
import hashlib
def application(environ, start_response):
    stream = environ['wsgi.input']
    how = environ['QUERY_STRING']
    if how == 'lines': body = b''.join(stream)
    elif how == 'readline': body = b''.join(iter(stream.readline, b''))
    elif how == 'parts': body = b''.join(iter(lambda: stream.read(1000), b''))
    elif how == 'readlines': body = b''.join(stream.readlines())
    else: body = stream.read()
    start_response('200 OK', [])
    return [('%d %s' % (len(body), hashlib.md5(body).hexdigest())).encode()]
",
        "",
    );
    let body: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    let whole = daemon.post("/?read", &body).text();
    assert!(whole.starts_with("300000 "), "{whole}");
    for how in ["lines", "readline", "parts", "readlines"] {
        assert_eq!(daemon.post(&format!("/?{how}"), &body).text(), whole, "{how}");
    }
    assert!(daemon.get("/").text().starts_with("0 "));
}

#[test]
fn an_answer_streams_and_close_is_always_called() {
    let daemon = app(
        "
closed = 0
class Parts:
    def __init__(self): self.left = 3
    def __iter__(self): return self
    def __next__(self):
        if not self.left: raise StopIteration
        self.left -= 1
        return b'part %d;' % self.left
    def close(self):
        global closed
        closed += 1
def application(environ, start_response):
    start_response('200 OK', [])
    if environ['PATH_INFO'] == '/closed': return [b'%d' % closed]
    return Parts()
",
        "processes 1;",
    );
    assert_eq!(daemon.get("/").text(), "part 2;part 1;part 0;");
    let head =
        daemon.connect().send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").head();
    assert_eq!(head.status, 200);
    assert_eq!(daemon.get("/closed").text(), "2");
}

#[test]
fn write_and_the_iterable_follow_each_other() {
    let daemon = app(
        "
def application(environ, start_response):
    write = start_response('200 OK', [])
    write(b'written ')
    return [b'returned']
",
        "",
    );
    assert_eq!(daemon.get("/").text(), "written returned");
}

#[test]
fn a_file_can_be_wrapped() {
    let daemon = app(
        "
import os
def application(environ, start_response):
    start_response('200 OK', [('Content-Length', str(os.path.getsize('big')))])
    return environ['wsgi.file_wrapper'](open('big', 'rb'), 8192)
",
        "",
    );
    let content: Vec<u8> = (0..1_000_000_u32).map(|at| (at * 13 % 255) as u8).collect();
    daemon.write("big", &content);
    let answer = daemon.get("/");
    assert!(answer.complete && answer.body == content, "{} bytes", answer.body.len());
}

#[test]
fn an_exception_is_500_with_its_traceback_in_the_log() {
    let daemon =
        app("def application(environ, start_response):\n    raise KeyError('the cause')\n", "");
    let answer = daemon.get("/");
    assert_eq!(answer.status, 500);
    daemon.logged("KeyError: 'the cause'");
    daemon.logged("Traceback (most recent call last)");
    assert_eq!(daemon.get("/").status, 500, "the worker lives on");
}

#[test]
fn an_error_handler_may_replace_what_was_not_sent_yet() {
    let daemon = app(
        "
import sys
def application(environ, start_response):
    start_response('200 OK', [('X-A', 'first')])
    try:
        raise ValueError('late')
    except ValueError:
        start_response('503 Sorry', [('X-A', 'second')], sys.exc_info())
    return [b'sorry']
",
        "",
    );
    let answer = daemon.get("/");
    assert_eq!(
        (answer.status, answer.field("X-A"), answer.text().as_str()),
        (503, Some("second"), "sorry")
    );
}

#[test]
fn an_answer_that_fails_in_the_middle_is_cut() {
    let daemon = app(
        "
def application(environ, start_response):
    start_response('200 OK', [('Content-Length', '100')])
    yield b'some'
    raise RuntimeError('in the middle')
",
        "",
    );
    let answer = daemon.get("/");
    assert!(!(answer.status == 200 && answer.complete), "{answer:?}");
    daemon.logged("RuntimeError: in the middle");
}

#[test]
fn sys_exit_ends_one_request_and_no_worker() {
    let daemon =
        app("def application(environ, start_response):\n    raise SystemExit(3)\n", "processes 1;");
    let worker = daemon.crew("app blog worker", 1);
    assert_eq!(daemon.get("/").status, 500);
    assert_eq!(daemon.get("/").status, 500);
    assert_eq!(daemon.processes("app blog worker"), worker);
}

#[test]
fn fields_with_line_ends_are_refused() {
    let daemon = app(
        "
def application(environ, start_response):
    start_response('200 OK', [('X-A', 'a\\r\\nSet-Cookie: stolen=1')])
    return [b'x']
",
        "",
    );
    let answer = daemon.get("/");
    assert_eq!((answer.status, answer.field("Set-Cookie")), (500, None));
}

#[test]
fn what_the_application_prints_is_in_the_log() {
    let daemon = app(
        "
import sys
print('imported aloud', flush=True)
def application(environ, start_response):
    print('to standard output', flush=True)
    print('to standard error', file=sys.stderr, flush=True)
    print('to wsgi.errors', file=environ['wsgi.errors'], flush=True)
    start_response('200 OK', [])
    return []
",
        "",
    );
    assert_eq!(daemon.get("/").status, 200);
    for text in ["imported aloud", "to standard output", "to standard error", "to wsgi.errors"] {
        daemon.logged(text);
    }
}

#[test]
fn threads_answer_at_the_same_time() {
    let daemon = app(
        "
import threading
barrier = threading.Barrier(4, timeout=20)
def application(environ, start_response):
    barrier.wait()
    start_response('200 OK', [])
    return [b'together']
",
        "processes 1; threads 4;",
    );
    let texts: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| daemon.get("/").text())).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(texts, ["together"; 4]);
}

#[test]
fn a_module_is_imported_once_before_the_workers_are_forked() {
    let daemon = app(
        "
import os
imported = os.getpid()
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'%d' % imported]
",
        "",
    );
    let master = daemon.crew("app blog master", 1)[0];
    daemon.crew("app blog worker", 2);
    for _ in 0..10 {
        assert_eq!(daemon.get("/").text(), master.to_string());
    }
}

#[test]
fn preload_off_imports_in_each_worker() {
    let daemon = app(
        "
import os
imported = os.getpid()
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'%s' % (b'yes' if imported == os.getpid() else b'no')]
",
        "preload off;",
    );
    assert_eq!(daemon.get("/").text(), "yes");
}

#[test]
fn pythonpath_comes_before_the_working_directory() {
    let daemon = app(
        "
import sys
def application(environ, start_response):
    start_response('200 OK', [])
    return [' '.join(sys.path[:3]).encode()]
",
        "pythonpath one; pythonpath two;",
    );
    let path = daemon.get("/").text();
    let [one, two, chdir] = path.split(' ').collect::<Vec<_>>()[..] else { panic!("{path}") };
    assert!(one.ends_with("/one") && two.ends_with("/two") && two.starts_with(chdir), "{path}");
}

#[test]
fn what_pep_3333_wants_filled_is_never_empty() {
    let daemon = app(
        "
def application(environ, start_response):
    start_response('200 OK', [])
    return [repr([environ['SERVER_NAME'], environ['SERVER_PORT'] != '']).encode()]
",
        "",
    );
    assert_eq!(daemon.get("/").text(), "['localhost', True]");
}

#[test]
fn a_callable_may_be_named_made_or_found_in_a_file() {
    for (lines, code) in [
        ("callable app;", "def app(e, s):\n    s('200 OK', [])\n    return [b'named']\n"),
        (
            "callable make();",
            "def make():\n    def app(e, s):\n        s('200 OK', [])\n        return [b'made']\n    return app\n",
        ),
        ("", "def app(e, s):\n    s('200 OK', [])\n    return [b'called app']\n"),
    ] {
        let daemon = app(code, lines);
        assert_eq!(daemon.get("/").status, 200, "{lines}");
    }
    let config = SITE.replace("module blog;", "wsgi_file app-file.py;").replace("LINES", "");
    let code = "def application(e, s):\n    s('200 OK', [])\n    return [b'file']\n";
    let daemon = liege(&config).file("app-file.py", code).start();
    assert_eq!(daemon.get("/").text(), "file");
}

#[test]
fn the_environment_is_what_was_configured_and_nothing_secret() {
    let code = "
import os
def application(environ, start_response):
    start_response('200 OK', [])
    return [repr(sorted(os.environ.items())).encode()]
";
    let config = SITE.replace("LINES", "env GREETING=hello;");
    let daemon = liege(&config).file("blog.py", code).env("SECRET_OF_THE_SHELL", "x").start();
    let text = daemon.get("/").text();
    assert!(text.contains("('GREETING', 'hello')"), "{text}");
    for absent in ["SECRET_OF_THE_SHELL", "NOTIFY_SOCKET", "LISTEN_FDS"] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
}

#[test]
fn an_app_of_root_runs_as_the_web_workers_user() {
    let code = "
import os
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'%d' % os.getuid()]
";
    let daemon = app(code, "");
    let root = sys::identity::is_root();
    assert_ne!(daemon.get("/").text(), "0", "root: {root}");
}

#[test]
fn flask_is_served() {
    let Some(venv) = venv() else { return };
    let code = "
from flask import Flask, request
app = Flask(__name__)
@app.get('/')
def page(): return 'hello from flask'
@app.post('/upload')
def upload(): return str(len(request.get_data()))
@app.get('/stream')
def stream(): return (str(n) for n in range(5))
";
    // The environment may lie where only the caller may look.
    let user = sys::identity::current().name;
    let daemon = app(code, &format!("callable app; virtualenv {}; uid {user};", venv.display()));
    assert_eq!(daemon.get("/").text(), "hello from flask");
    assert_eq!(daemon.post("/upload", &vec![7; 1_000_000]).text(), "1000000");
    assert_eq!(daemon.get("/stream").text(), "01234");
    assert_eq!(daemon.get("/none").status, 404);
}

#[test]
fn a_client_that_leaves_does_not_hurt_the_worker() {
    let daemon = app(
        "
closed = 0
class Endless:
    def __iter__(self): return self
    def __next__(self): return b'x' * 100000
    def close(self):
        global closed
        closed += 1
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'%d' % closed] if environ['PATH_INFO'] == '/closed' else Endless()
",
        "processes 1;",
    );
    let worker = daemon.crew("app blog worker", 1);
    for _ in 0..3 {
        let mut connection = daemon.connect();
        connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").until(b"xxxx");
    }
    crate::support::until("each was closed", || daemon.get("/closed").text() == "3");
    assert_eq!(daemon.processes("app blog worker"), worker);
}

#[test]
fn an_upload_waits_for_the_go_ahead() {
    let daemon = app(
        "def application(e, s):\n    body = e['wsgi.input'].read()\n    s('200 OK', [])\n    return [body]\n",
        "",
    );
    let mut connection = daemon.connect();
    connection.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
    assert_eq!(connection.response().status, 100);
    assert_eq!(connection.send("hello").response().text(), "hello");
}

#[test]
fn answers_that_must_have_no_body_have_none() {
    let daemon = app(
        "def application(e, s):\n    s(e['QUERY_STRING'] + ' X', [('ETag', '\"1\"')])\n    return [b'']\n",
        "",
    );
    let mut connection = daemon.connect();
    for status in [204, 304, 204] {
        let answer =
            connection.send(format!("GET /?{status} HTTP/1.1\r\nHost: x\r\n\r\n")).response();
        assert_eq!((answer.status, answer.field("Transfer-Encoding")), (status, None));
    }
}

#[test]
fn many_requests_at_once_are_all_answered() {
    let daemon = app(
        "import time\ndef application(e, s):\n    time.sleep(0.01)\n    s('200 OK', [])\n    return [e['PATH_INFO'].encode()]\n",
        "processes 2; threads 2; listen 8;",
    );
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..40)
            .map(|client| {
                let daemon = &daemon;
                scope.spawn(move || {
                    (0..5).all(|turn| {
                        daemon.get(&format!("/{client}/{turn}")).text()
                            == format!("/{client}/{turn}")
                    })
                })
            })
            .collect();
        assert!(
            clients.into_iter().all(|client| client.join().unwrap()),
            "each got its own answer"
        );
    });
}

#[test]
fn debian_s_nginx_can_stand_in_front_of_the_app_s_socket() {
    let daemon = app(HELLO, "socket DIR/app.sock; uid nobody;");
    let config = format!(
        "events {{ }} http {{ access_log off; server {{ listen 127.0.0.1:{}; location / {{ include {}/conf/uwsgi_params; uwsgi_pass unix:{}; }} }} }}",
        daemon.port2,
        crate::support::project().display(),
        daemon.path("app.sock").display()
    );
    let prefix = tempfile::TempDir::with_prefix("liege-nginx-").unwrap();
    std::fs::create_dir_all(prefix.path().join("conf")).unwrap();
    std::fs::write(prefix.path().join("conf/liege.conf"), config).unwrap();
    let mut nginx =
        crate::support::theirs::nginx(prefix.path(), "daemon off; pid nginx.pid; user root;")
            .unwrap();
    let get = || {
        let mut connection = crate::support::Connection::try_open(daemon.port2).ok()?;
        connection
            .send("GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .try_response(true)
    };
    let answer = crate::support::within(crate::support::PATIENCE, "nginx answers", get);
    crate::support::process::signal(nginx.id(), sys::child::Signal::SIGQUIT);
    let _ = nginx.wait();
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello /x"));
}
