//! What operators get wrong, and what they are told: cause, place, remedy.

use crate::support::{Daemon, Setup, liege, until};

const SITE: &str = "
    app blog { chdir DIR; MODULE }
    events { }
    http { client_max_body_size 1k; server { listen 127.0.0.1:PORT; root html; location /app { uwsgi_pass blog; } } }";

fn with(app: &str) -> Setup {
    liege(&SITE.replace("MODULE", app))
}

#[track_caller]
fn says(daemon: &Daemon, words: &[&str]) {
    for word in words {
        until(&format!("{word:?} in the log"), || daemon.log().contains(word));
    }
}

/// What a start that fails says, and its exit status.
#[track_caller]
fn refuses(setup: Setup, status: i32, words: &[&str]) {
    let output = setup.arg("-g").arg("daemon off;").output();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
    assert_eq!(output.status.code(), Some(status), "{said}");
}

#[test]
fn a_module_that_is_not_there() {
    let daemon = with("module shop;").start();
    says(&daemon, &["app blog", "No module named 'shop'"]);
    assert_eq!(daemon.get("/app").status, 503);
    says(&daemon, &["app \"blog\" is down"]);
}

#[test]
fn a_callable_that_is_not_there() {
    let daemon = with("module blog; callable application;").file("blog.py", "app = 1\n").start();
    says(&daemon, &["app blog", "application", "blog"]);
    assert_eq!(daemon.get("/app").status, 503);
}

#[test]
fn a_callable_that_cannot_be_called() {
    let daemon = with("module blog;").file("blog.py", "application = 1\n").start();
    says(&daemon, &["app blog", "application is int, which cannot be called"]);
}

#[test]
fn a_syntax_error_is_named_with_its_file_and_line() {
    let daemon = with("module blog;").file("blog.py", "\n\ndef application(:\n").start();
    says(&daemon, &["SyntaxError", "blog.py", "line 3"]);
}

#[test]
fn a_folder_that_is_not_there() {
    let text = SITE.replace("MODULE", "module blog;").replace("chdir DIR;", "chdir DIR/nowhere;");
    let daemon = liege(&text).start();
    says(&daemon, &["app blog", "nowhere", "No such file or directory"]);
    assert_eq!(daemon.get("/app").status, 503);
}

#[test]
fn a_virtual_environment_that_is_none() {
    let daemon = with("module blog; virtualenv DIR/venv;")
        .file("blog.py", "")
        .file("venv/readme", "")
        .try_start();
    let said = daemon.as_ref().map_or_else(Clone::clone, Daemon::log);
    let words = |text: &str| {
        text.contains("venv") && (text.contains("python") || text.contains("virtualenv"))
    };
    match &daemon {
        Ok(daemon) => until("the environment is named", || words(&daemon.log())),
        Err(said) => assert!(words(said), "{said}"),
    }
    drop(said);
}

#[test]
fn an_app_without_anything_to_run() {
    refuses(with(""), 78, &["module", "wsgi_file", "exec", "conf/liege.conf:2"]);
}

#[test]
fn two_apps_of_one_name() {
    let twice =
        format!("app blog {{ chdir DIR; module b; }}\n{}", SITE.replace("MODULE", "module blog;"));
    refuses(liege(&twice), 78, &["blog", "conf/liege.conf:"]);
}

#[test]
fn an_app_that_nobody_declared() {
    let text = SITE.replace("MODULE", "module blog;").replace("uwsgi_pass blog", "uwsgi_pass blgo");
    refuses(liege(&text), 78, &["blgo", "conf/liege.conf:4"]);
}

#[test]
fn a_port_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let text = format!("events {{ }} http {{ server {{ listen 127.0.0.1:{port}; }} }}");
    refuses(liege(&text), 1, &[&port, "Address already in use"]);
}

#[test]
fn an_address_that_is_not_ours() {
    let text = "events { } http { server { listen 192.0.2.1:PORT; } }";
    refuses(liege(text), 1, &["192.0.2.1", "Cannot assign requested address"]);
}

#[test]
fn a_user_that_is_not_there() {
    if sys::identity::is_root() {
        refuses(liege("user nobody-of-that-name; events { }"), 1, &["nobody-of-that-name"]);
    }
}

#[test]
fn a_log_that_cannot_be_opened() {
    let text = "error_log /nowhere/at/all/error.log; events { } http { server { listen 127.0.0.1:PORT; } }";
    refuses(liege(text), 1, &["/nowhere/at/all/error.log", "No such file or directory"]);
}

#[test]
fn a_body_that_is_too_large_names_the_limit() {
    let daemon = with("module blog;")
        .file("blog.py", "def application(e, s):\n    s('200 OK', [])\n    return []\n")
        .start();
    assert_eq!(daemon.post("/app", &[0; 2000]).status, 413);
    says(&daemon, &["client intended to send too large body: 2000 bytes", "client_max_body_size"]);
}

#[test]
fn a_folder_without_an_index_names_what_is_missing() {
    let daemon = liege("events { } http { server { listen 127.0.0.1:PORT; root html; } }")
        .file("html/dir/a", "a")
        .start();
    assert_eq!(daemon.get("/dir/").status, 403);
    says(&daemon, &["directory index of", "html/dir/\" is forbidden"]);
}

#[test]
fn an_answer_that_is_too_large_for_its_buffers_names_the_directive() {
    let code =
        "def application(e, s):\n    s('200 OK', [('X-Large', 'x' * 20000)])\n    return []\n";
    let daemon = with("module blog;").file("blog.py", code).start();
    assert_eq!(daemon.get("/app").status, 502);
    says(&daemon, &["upstream sent too big header", "uwsgi_buffer_size"]);
}

#[test]
fn an_application_that_forgets_to_start_its_response() {
    let daemon =
        with("module blog;").file("blog.py", "def application(e, s):\n    return [b'x']\n").start();
    assert_eq!(daemon.get("/app").status, 500);
    says(&daemon, &["start_response"]);
}

#[test]
fn an_application_that_returns_text_instead_of_bytes() {
    let code = "def application(e, s):\n    s('200 OK', [])\n    return ['text']\n";
    let daemon = with("module blog;").file("blog.py", code).start();
    assert_eq!(daemon.get("/app").status, 500);
    says(&daemon, &["bytes", "str"]);
}

#[test]
fn an_application_that_returns_none() {
    let code = "def application(e, s):\n    s('200 OK', [])\n";
    let daemon = with("module blog;").file("blog.py", code).start();
    assert_eq!(daemon.get("/app").status, 500);
    says(&daemon, &["None"]);
}
