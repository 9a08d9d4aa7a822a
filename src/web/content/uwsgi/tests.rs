//! A whole worker in a thread, an app made of a closure, and HTTP over a loopback socket.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sys::channel::{Channel, Received};
use wire::message::{AppState, ToWeb, WebOrder, encode};
use wire::uwsgi;

struct Site {
    dir: tempfile::TempDir,
    address: SocketAddr,
    master: Channel,
}

struct NoFiles;

impl config::Source for NoFiles {
    fn read(&mut self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn glob(&mut self, _: &Path) -> Vec<PathBuf> {
        vec![]
    }

    fn resolve(&mut self, _: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

impl Site {
    /// A worker whose server has this text; `app blog` is behind DIR/app.sock. `http` goes before
    /// the server.
    fn with(http: &str, server: &str) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let text = format!(
            "error_log logs/error.log info; app blog {{ module x; }} events {{ }}\n\
             http {{ access_log off; uwsgi_temp_path tmp; client_body_temp_path tmp; {http}\n\
             server {{ listen {address}; server_name example.test; {server} }} }}"
        );
        let path = dir.path().to_path_buf();
        let text = text.replace("DIR", path.to_str().unwrap());
        let origin = config::Origin {
            prefix: path.clone(),
            file: path.join("liege.conf"),
            text: Some(text.into_bytes()),
            ..config::Origin::default()
        };
        let reading = config::read(&mut NoFiles, &origin);
        let typed = config::typed(&reading.tree);
        let config = typed.config.unwrap_or_else(|| panic!("{:#?}", typed.diagnostics));
        for place in ["tmp", "logs"] {
            std::fs::create_dir(path.join(place)).unwrap();
        }
        let tree = reading.tree.for_web().to_bytes();
        let tree = sys::memfd::sealed("configuration", &tree, false).unwrap();
        let logs = config.deployment().logs;
        let mut fds = vec![tree, OwnedFd::from(listener)];
        fds.extend(logs.iter().map(|log| sys::file::open_append(log, 0o644).unwrap()));
        let order = WebOrder {
            number: 0,
            generation: 1,
            identity: None,
            prefix: path.clone(),
            run_dir: path.clone(),
            open_files: None,
            listeners: vec![address.to_string()],
            logs,
            apps: vec![("blog".into(), path.join("app.sock"))],
        };
        let (master, channel) = Channel::pair().unwrap();
        std::thread::spawn(move || crate::serve(channel, order, fds));
        let ready = master.recv_wait(Some(PATIENCE)).unwrap();
        assert!(matches!(ready, Received::Message { .. }), "{ready:?}");
        Site { dir, address, master }
    }

    /// Answers each connection with what the closure says.
    fn app(&self, serve: impl Fn(Asked, &mut UnixStream) + Send + 'static) {
        let listener = UnixListener::bind(self.dir.path().join("app.sock")).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let asked = Asked::read(&mut stream);
                serve(asked, &mut stream);
            }
        });
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends a request and reads until the connection ends.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = vec![];
        // A connection that is cut may end with a reset.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, target: &str) -> String {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
    }

    /// The text of a log, once it has this in it.
    fn log(&self, name: &str, wanted: &str) -> String {
        let path = self.dir.path().join("logs").join(name);
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if text.contains(wanted) {
                return text;
            }
            let end = text.len().saturating_sub(1000);
            assert!(begun.elapsed() < PATIENCE, "no {wanted:?} in {:?}", text.get(end..));
            std::thread::yield_now();
        }
    }
}

/// What an app was asked.
struct Asked(Vec<(String, String)>);

impl Asked {
    fn read(stream: &mut UnixStream) -> Asked {
        let mut head = [0; 4];
        stream.read_exact(&mut head).unwrap();
        let mut block = vec![0; uwsgi::Head::parse(&head).unwrap().size.into()];
        stream.read_exact(&mut block).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let pairs = uwsgi::pairs(&block).map(Result::unwrap);
        Asked(pairs.map(|(name, value)| (text(name), text(value))).collect())
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| &value[..]).collect()
    }

    fn value(&self, name: &str) -> &str {
        self.all(name).last().copied().unwrap_or("(none)")
    }

    /// The request's body.
    fn body(&self, stream: &mut UnixStream) -> Vec<u8> {
        let mut body = vec![0; self.value("CONTENT_LENGTH").parse().unwrap_or(0)];
        stream.read_exact(&mut body).unwrap();
        body
    }
}

fn say(stream: &mut UnixStream, answer: &str) {
    stream.write_all(answer.as_bytes()).unwrap();
}

/// An app that answers with the values of these names, a line each.
fn mirror(names: &'static [&'static str]) -> impl Fn(Asked, &mut UnixStream) + Send {
    move |asked, stream| {
        let lines: Vec<_> =
            names.iter().map(|name| format!("{name}={}", asked.all(name).join("|"))).collect();
        say(stream, &format!("HTTP/1.1 200 OK\r\n\r\n{}\n", lines.join("\n")));
    }
}

#[test]
fn an_app_of_ours_always_gets_the_standard_parameters() {
    let site = Site::with("", "location / { uwsgi_pass blog; uwsgi_param SERVER_NAME mine; }");
    site.app(mirror(&[
        "QUERY_STRING",
        "REQUEST_METHOD",
        "CONTENT_LENGTH",
        "REQUEST_URI",
        "PATH_INFO",
        "SERVER_PROTOCOL",
        "REQUEST_SCHEME",
        "REMOTE_ADDR",
        "SERVER_NAME",
        "HTTP_HOST",
    ]));
    let answer = site.get("/a%20b?x=1");
    let wanted = "QUERY_STRING=x=1\nREQUEST_METHOD=GET\nCONTENT_LENGTH=\nREQUEST_URI=/a%20b?x=1\n\
        PATH_INFO=/a b\nSERVER_PROTOCOL=HTTP/1.1\nREQUEST_SCHEME=http\nREMOTE_ADDR=127.0.0.1\n\
        SERVER_NAME=mine\nHTTP_HOST=h\n";
    assert!(answer.contains(wanted), "{answer}");
}

#[test]
fn another_server_gets_what_is_configured_and_the_fields() {
    let site = Site::with(
        "",
        "location / { uwsgi_pass unix:DIR/app.sock; uwsgi_param HTTP_X_A ours; \
         uwsgi_param HTTP_X_B \"\"; uwsgi_param A $arg_a; uwsgi_param E $arg_e if_not_empty; }",
    );
    site.app(mirror(&["PATH_INFO", "A", "E", "HTTP_X_A", "HTTP_X_B", "HTTP_X_C", "HTTP_PROXY"]));
    let answer = site.ask(
        "GET /?a=1 HTTP/1.1\r\nHost: h\r\nX-A: theirs\r\nX-B: theirs\r\nX-C: 1\r\nProxy: evil\r\n\
         x-c: 2\r\nConnection: close\r\n\r\n",
    );
    let wanted = "PATH_INFO=\nA=1\nE=\nHTTP_X_A=ours\nHTTP_X_B=\nHTTP_X_C=1, 2\nHTTP_PROXY=\n";
    assert!(answer.contains(wanted), "{answer}");
}

#[test]
fn an_app_is_mounted_by_its_script_name() {
    let site = Site::with("", "location /b { uwsgi_pass blog; uwsgi_param SCRIPT_NAME /b; }");
    site.app(mirror(&["SCRIPT_NAME", "PATH_INFO"]));
    assert!(site.get("/b/x").contains("SCRIPT_NAME=/b\nPATH_INFO=/x\n"));
    assert!(site.get("/bx").contains("SCRIPT_NAME=/b\nPATH_INFO=/bx\n"));
}

#[test]
fn a_body_in_chunks_reaches_the_app_with_its_length() {
    for buffering in ["on", "off"] {
        let location =
            format!("location / {{ uwsgi_pass blog; uwsgi_request_buffering {buffering}; }}");
        let site = Site::with("", &location);
        site.app(|asked, stream| {
            let body = asked.body(stream);
            assert_eq!(asked.value("HTTP_TRANSFER_ENCODING"), "(none)");
            say(stream, &format!("Status: 200 OK\r\n\r\n[{}]", String::from_utf8_lossy(&body)));
        });
        let chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\
            Connection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert!(site.ask(chunked).contains("[abcde]"));
        let plain =
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
        assert!(site.ask(plain).contains("[abc]"));
    }
}

#[test]
fn a_large_body_reaches_an_app_that_answers_at_once() {
    for buffering in ["on", "off"] {
        let location = format!(
            "client_max_body_size 9m; uwsgi_request_buffering {buffering}; \
             location / {{ uwsgi_pass blog; }}"
        );
        let site = Site::with("", &location);
        site.app(|asked, stream| {
            let mut left: usize = asked.value("CONTENT_LENGTH").parse().unwrap();
            say(stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: {left}\r\n\r\n"));
            let mut piece = vec![0; 30_000];
            while left > 0 {
                let count = stream.read(&mut piece).unwrap();
                stream.write_all(&piece[..count]).unwrap();
                left -= count;
            }
        });
        let body: Vec<u8> =
            (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
        let mut stream = site.connect();
        let mut writer = stream.try_clone().unwrap();
        let sent = body.clone();
        let writing = std::thread::spawn(move || {
            let length = sent.len();
            let head = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n";
            write!(writer, "{head}Content-Length: {length}\r\n\r\n").unwrap();
            writer.write_all(&sent).unwrap();
        });
        let mut answer = vec![];
        stream.read_to_end(&mut answer).unwrap();
        writing.join().unwrap();
        assert!(answer.ends_with(&body), "{buffering}: {} bytes", answer.len());
    }
}

/// Answers each piece of a body with itself, at once.
fn echo(asked: &Asked, stream: &mut UnixStream) {
    say(stream, "HTTP/1.1 200 OK\r\n\r\n");
    let mut left: usize = asked.value("CONTENT_LENGTH").parse().unwrap();
    let mut piece = vec![0; 30_000];
    while left > 0 {
        let count = stream.read(&mut piece).unwrap();
        if count == 0 || stream.write_all(&piece[..count]).is_err() {
            return;
        }
        left -= count;
    }
}

const BOTH_WAYS: &str = "client_max_body_size 9m; uwsgi_request_buffering off; \
    location / { uwsgi_pass blog; uwsgi_buffering on; } \
    location /unbuffered { uwsgi_pass blog; uwsgi_buffering off; } \
    location /next { return 204; }";

#[test]
fn an_app_and_its_client_can_talk_in_turns() {
    let site = Site::with("", BOTH_WAYS);
    site.app(|asked, stream| echo(&asked, stream));
    for target in ["/", "/unbuffered"] {
        let mut stream = site.connect();
        write!(stream, "POST {target} HTTP/1.0\r\nContent-Length: 40\r\n\r\n").unwrap();
        for turn in 0..20u8 {
            // The next piece is sent when the answer to this one is there.
            stream.write_all(&[b'a' + turn; 2]).unwrap();
            let mut seen = vec![];
            while !seen.ends_with(&[b'a' + turn; 2]) {
                let mut byte = [0; 1];
                stream.read_exact(&mut byte).unwrap();
                seen.push(byte[0]);
            }
        }
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "{target}");
    }
}

#[test]
fn an_answer_does_not_wait_for_the_rest_of_the_request() {
    let site = Site::with("", BOTH_WAYS);
    site.app(|_, stream| {
        // More than all buffers, to a client that has not sent a byte of its body.
        say(stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: {0}\r\n\r\n", 3_000_000));
        stream.write_all(&[b'x'; 3_000_000]).unwrap();
    });
    for target in ["/", "/unbuffered"] {
        let mut stream = site.connect();
        let head = "HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n";
        write!(stream, "POST {target} {head}").unwrap();
        let mut answer = vec![];
        while !answer.ends_with(&[b'x'; 1000]) || answer.len() < 3_000_000 {
            let mut piece = [0; 65536];
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "{target}: {} bytes", answer.len());
            answer.extend_from_slice(&piece[..count]);
        }
        // What is left of the request is read away, and the connection serves another one.
        stream.write_all(b"123456789GET /next HTTP/1.0\r\nHost: h\r\n\r\n").unwrap();
        answer.clear();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 204"), "{target}: {}", answer.escape_ascii());
    }
}

#[test]
fn a_client_that_reads_only_after_it_has_sent_is_served_from_the_spool() {
    let site = Site::with("", BOTH_WAYS);
    site.app(|asked, stream| echo(&asked, stream));
    let mut stream = site.connect();
    let body = vec![b'y'; 3_000_000];
    write!(stream, "POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(&body).unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(&body), "{} bytes", answer.len());
}

#[test]
fn an_upload_that_breaks_off_cuts_the_answer_and_is_told() {
    let site = Site::with("", BOTH_WAYS);
    let (gone, told) = std::sync::mpsc::channel();
    site.app(move |asked, stream| {
        echo(&asked, stream);
        gone.send(()).unwrap();
    });
    let mut stream = site.connect();
    write!(stream, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc").unwrap();
    let mut seen = vec![];
    while !seen.ends_with(b"abc\r\n") {
        let mut byte = [0; 1];
        stream.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    seen.clear();
    let _ = stream.read_to_end(&mut seen);
    assert!(!seen.ends_with(b"0\r\n\r\n"), "the answer looks whole");
    told.recv_timeout(PATIENCE).unwrap();
    site.log("error.log", "client closed the connection too early");
}

#[test]
fn a_cut_answer_is_never_ended_cleanly_and_its_cause_is_logged() {
    let site = Site::with("", "location / { uwsgi_pass blog; }");
    site.app(|_, stream| say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"));
    let answer = site.get("/");
    assert!(answer.contains("Content-Length: 9\r\n") && answer.ends_with("abc"), "{answer}");
    let log = site.log("error.log", "prematurely");
    assert!(log.contains("3 of the 9 bytes"), "{log}");
    assert!(log.contains("client: 127.0.0.1, server: example.test, request: \"GET / HTTP/1.1\""));
}

#[test]
fn an_app_that_is_down_gets_503_with_retry_after_and_a_cause_in_the_log() {
    let site = Site::with("", "location / { uwsgi_pass blog; }");
    let state = AppState::Down { cause: "ImportError: x".into(), retry: Duration::from_secs(9) };
    site.master.send(&encode(&ToWeb::App { name: "blog".into(), state }), &[]).unwrap();
    site.log("error.log", "");
    let begun = Instant::now();
    let answer = loop {
        // Until the message has arrived there is not even a socket.
        let answer = site.get("/");
        if answer.starts_with("HTTP/1.1 503") || begun.elapsed() > PATIENCE {
            break answer;
        }
    };
    assert!(answer.contains("\r\nRetry-After: "), "{answer}");
    site.log("error.log", "app \"blog\" is down: ImportError: x");
}

#[test]
fn a_client_that_leaves_is_a_499_and_the_app_s_connection_ends() {
    let site = Site::with(
        "log_format s $status;",
        "access_log logs/status s; location / { uwsgi_pass blog; }",
    );
    let (gone, told) = std::sync::mpsc::channel();
    site.app(move |_, stream| {
        let _ = stream.read(&mut [0; 1]);
        gone.send(()).unwrap();
    });
    let mut client = site.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    drop(client);
    told.recv_timeout(PATIENCE).unwrap();
    site.log("status", "499\n");
}

#[test]
fn an_app_can_send_the_request_on() {
    let site = Site::with(
        "",
        "location / { uwsgi_pass blog; } location /in { internal; return 200 inside; } \
         location @n { return 200 named; }",
    );
    site.app(|asked, stream| {
        let to = if asked.value("PATH_INFO") == "/n" { "@n" } else { "/in?x" };
        say(
            stream,
            &format!("HTTP/1.1 200 OK\r\nX-Accel-Redirect: {to}\r\nSet-Cookie: a=b\r\n\r\nno"),
        );
    });
    let answer = site.get("/x");
    assert!(answer.ends_with("inside") && answer.contains("Set-Cookie: a=b\r\n"), "{answer}");
    assert!(site.get("/n").ends_with("named"));
}

#[test]
fn the_page_for_an_intercepted_401_shows_the_app_s_challenge() {
    let site = Site::with(
        "",
        "location / { uwsgi_pass blog; uwsgi_intercept_errors on; error_page 401 /login; } \
         location /login { return 200 page; }",
    );
    site.app(|_, stream| {
        say(stream, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nX-A: b\r\n\r\nno");
    });
    let answer = site.get("/");
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.ends_with("page"), "{answer}");
    assert!(answer.contains("WWW-Authenticate: Basic realm=x\r\n"), "{answer}");
    assert!(!answer.contains("X-A"), "{answer}");
}

#[test]
fn fields_that_are_not_for_clients_are_hidden() {
    let site = Site::with(
        "",
        "location / { uwsgi_pass blog; uwsgi_hide_header X-Secret; \
         uwsgi_pass_header X-Accel-Expires; }",
    );
    site.app(|_, stream| {
        say(
            stream,
            "HTTP/1.1 200 Fine\r\nX-Secret: s\r\nX-Accel-Expires: 1\r\nX-Accel-Buffering: no\r\n\
             Server: app\r\nX_Under: u\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
        );
    });
    let answer = site.get("/");
    assert!(answer.starts_with("HTTP/1.1 200 Fine\r\nServer: app\r\n"), "{answer}");
    for (field, shown) in [
        ("X-Secret", false),
        ("X-Accel-Buffering", false),
        ("X-Accel-Expires: 1", true),
        ("X_Under: u", true),
        ("Location: /x\r\n", true),
    ] {
        assert_eq!(answer.contains(field), shown, "{field}: {answer}");
    }
}

#[test]
fn the_access_log_has_what_its_format_says() {
    let site = Site::with(
        "log_format f '$status|$arg_a|$http_x|$cookie_c|$upstream_status|$request_completion|\
         $sent_http_content_type|$remote_user|${host}|$uri|$body_bytes_sent'; \
         log_format j escape=json '{\"x\":\"$http_x\"}';",
        "access_log logs/f f; access_log logs/j j if=$arg_a; \
         location / { uwsgi_pass blog; } location /off { access_log off; return 204; }",
    );
    site.app(|_, stream| {
        say(stream, "HTTP/1.1 200 OK\r\nContent-Type: t/t\r\nContent-Length: 2\r\n\r\nok");
    });
    let fields = "Host: h\r\nX: q\"\\\r\nCookie: a=b; c=d\r\nConnection: close\r\n";
    site.ask(&format!("GET /p?a=1 HTTP/1.1\r\n{fields}\r\n"));
    site.get("/off");
    site.get("/z");
    let log = site.log("f", "/z");
    assert_eq!(log, "200|1|q\\x22\\x5C|d|200|OK|t/t|-|h|/p|2\n200|-|-|-|200|OK|t/t|-|h|/z|2\n");
    assert_eq!(site.log("j", "}"), "{\"x\":\"q\\\"\\\\\"}\n");
}

#[test]
fn too_many_bytes_for_the_packet_are_a_431_that_names_the_field() {
    let site = Site::with("large_client_header_buffers 4 64k;", "location / { uwsgi_pass blog; }");
    let big = "x".repeat(60_000);
    let request = format!(
        "GET /?{big} HTTP/1.1\r\nHost: h\r\nX-Big: {big}yyyyy\r\nConnection: close\r\n\r\n"
    );
    let answer = site.ask(&request);
    assert!(answer.starts_with("HTTP/1.1 431 "), "{}", &answer[..answer.len().min(200)]);
    site.log("error.log", "HTTP_X_BIG alone has 60005");
}

const PATIENCE: Duration = Duration::from_secs(20);
