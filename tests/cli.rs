//! The command line, in nginx's words.

use std::process::Output;

use crate::support::{Connection, liege, until};

const GOOD: &str = "events { }\nhttp { server { listen 127.0.0.1:PORT; } }\n";

fn run(config: &str, words: &[&str]) -> Output {
    words.iter().fold(liege(config), |setup, word| setup.arg(word)).output()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn t_prints_nginx_s_two_lines_with_our_name() {
    let output = run(GOOD, &["-t"]);
    assert_eq!(
        errors(&output),
        "liege: the configuration file DIR/conf/liege.conf syntax is ok\n\
         liege: configuration file DIR/conf/liege.conf test is successful\n"
    );
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
}

#[test]
fn t_accepts_a_site_with_an_app() {
    let seed = "
        user nobody;
        worker_processes auto;
        events { worker_connections 1024; }
        app blog { module blog:app; chdir DIR; processes 2; }
        http {
            include mime.types;
            upstream other { server unix:/run/other.sock; }
            server {
                listen 127.0.0.1:PORT;
                location /static/ { alias DIR/static/; }
                location / { include uwsgi_params; uwsgi_pass blog; }
                location /other { include uwsgi_params; uwsgi_pass other; }
            }
        }";
    let output = run(seed, &["-t"]);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(errors(&output).contains("test is successful"), "{}", errors(&output));
}

#[test]
fn t_shows_every_error_with_its_line_and_a_hint() {
    let output = run("events { }\nhttp {\n    foo 1;\n    sevrer { }\n}\n", &["-t"]);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("liege: [emerg] unknown directive \"foo\" in DIR/conf/liege.conf:3"),
        "{said}"
    );
    assert!(said.contains("unknown directive \"sevrer\" in DIR/conf/liege.conf:4"), "{said}");
    assert!(said.contains("server"), "the nearest name is offered: {said}");
    assert!(said.contains("configuration file DIR/conf/liege.conf test failed"), "{said}");
}

#[test]
fn what_nginx_knows_and_liege_lacks_is_refused_by_name() {
    let output = run("events { }\nhttp { gzip on; }\n", &["-t"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("liege does not implement gzip yet"), "{}", errors(&output));
}

#[test]
fn capital_t_dumps_what_was_read() {
    let output = run(&format!("{GOOD}# the end\n"), &["-T"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("# configuration file DIR/conf/liege.conf:\n"), "{text}");
    assert!(text.contains("# the end"), "{text}");
}

#[test]
fn q_is_quiet_when_all_is_well() {
    let output = run(GOOD, &["-t", "-q"]);
    assert_eq!((errors(&output).as_str(), output.status.code()), ("", Some(0)));
    assert_ne!(errors(&run("foo;", &["-tq"])), "");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = run(GOOD, &["-t", "-c", "conf/none.conf"]);
    let said = errors(&output);
    assert!(
        said.contains("open() \"DIR/conf/none.conf\" failed (2: No such file or directory)"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn starting_with_a_bad_file_is_78_and_testing_it_1() {
    assert_eq!(run("foo;", &[]).status.code(), Some(78));
    assert_eq!(run("foo;", &["-t"]).status.code(), Some(1));
}

#[test]
fn v_says_the_version_and_capital_v_what_tools_parse() {
    let version = errors(&run(GOOD, &["-v"]));
    assert_eq!(version, format!("liege version: liege/{}\n", env!("CARGO_PKG_VERSION")));
    let more = errors(&run(GOOD, &["-V"]));
    assert!(more.starts_with(&version), "{more}");
    assert!(more.contains("\nnginx version: nginx/1.30.6\n"), "{more}");
    assert!(more.contains("\nconfigure arguments:"), "{more}");
}

#[test]
fn h_lists_the_flags() {
    let output = run(GOOD, &["-h"]);
    let text = errors(&output) + &String::from_utf8_lossy(&output.stdout);
    for flag in [
        "-t",
        "-T",
        "-q",
        "-s signal",
        "-p prefix",
        "-e filename",
        "-c filename",
        "-g directives",
        "-v",
        "-V",
    ] {
        assert!(text.contains(flag), "{flag} is missing in {text}");
    }
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn wrong_usage_is_1_with_nginx_s_words() {
    for (words, said) in [
        (&["-x"][..], "liege: invalid option: \"x\""),
        (&["-s"], "liege: option \"-s\" requires parameter"),
        (&["-s", "dance"], "liege: invalid option: \"-s dance\""),
        (&["-c"], "liege: option \"-c\" requires file name"),
        (&["stray"], "liege: invalid option: \"stray\""),
    ] {
        let output = run(GOOD, words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(errors(&output).starts_with(said), "{words:?}: {}", errors(&output));
    }
}

#[test]
fn s_without_a_server_says_what_is_missing() {
    let output = run(GOOD, &["-s", "stop"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors(&output).contains("failed (2: No such file or directory)"),
        "{}",
        errors(&output)
    );
}

#[test]
fn g_adds_directives() {
    let output = run(GOOD, &["-t", "-g", "worker_processes nonsense;"]);
    assert!(errors(&output).contains("in command line"), "{}", errors(&output));
    assert!(run(GOOD, &["-t", "-g", "worker_processes 2;"]).status.success());
}

#[test]
fn help_prints_the_manual_of_a_directive() {
    let text = String::from_utf8_lossy(&help("root").stdout).into_owned();
    assert!(text.contains("root"), "{text}");
    assert_eq!(help("nonsense").status.code(), Some(1));
}

fn help(name: &str) -> Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_liege"))
        .args(["help", name])
        .output()
        .expect("the binary runs")
}

#[test]
fn run_serves_an_application_without_a_file() {
    let folder = tempfile::TempDir::with_prefix("liege-test-").unwrap();
    let code = "def app(e, s):\n    s('200 OK', [])\n    return [b'ran']\n";
    std::fs::write(folder.path().join("hello.py"), code).unwrap();
    std::fs::create_dir(folder.path().join("files")).unwrap();
    std::fs::write(folder.path().join("files/a.css"), "css").unwrap();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_liege"))
        .args([
            "run",
            "hello:app",
            "--static",
            "/static/=files",
            "--listen",
            &format!("127.0.0.1:{port}"),
        ])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let get = |path: &str| {
        let mut connection = Connection::try_open(port).ok()?;
        connection
            .send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        connection.try_response(true).map(|answer| answer.text())
    };
    until("it serves", || get("/").as_deref() == Some("ran"));
    assert_eq!(get("/static/a.css").as_deref(), Some("css"));
    crate::support::process::signal(child.id(), sys::child::Signal::SIGTERM);
    until("it ends", || child.try_wait().unwrap().is_some());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert!(said.contains(&format!("http://127.0.0.1:{port}")), "{said}");
}
