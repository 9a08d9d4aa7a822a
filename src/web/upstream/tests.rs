//! Apps made of closures in threads, asked through [`exchange`].

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;

use tempfile::TempDir;
use tokio::task::LocalSet;
use wire::message::AppState;

use super::*;

/// An app that serves connections one after the other with a closure, in a thread of its own.
struct Fake {
    dir: TempDir,
    path: PathBuf,
    thread: JoinHandle<()>,
}

impl Fake {
    fn serving(connections: usize, serve: impl Fn(UnixStream) + Send + 'static) -> Fake {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let thread = std::thread::spawn(move || {
            for _ in 0..connections {
                serve(listener.accept().unwrap().0);
            }
        });
        Fake { dir, path, thread }
    }

    /// Reads the packet and answers with these bytes.
    fn saying(answer: &'static [u8]) -> Fake {
        Fake::serving(1, move |mut stream| {
            packet_of(&mut stream);
            stream.write_all(answer).unwrap();
        })
    }

    fn group(&self) -> Rc<Group> {
        Upstreams::of(&[], &[]).at(sys::socket::Address::Unix(self.path.clone()))
    }

    fn policy(&self) -> Policy {
        policy(self.dir.path())
    }
}

fn packet_of(stream: &mut UnixStream) -> Vec<u8> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    let size = wire::uwsgi::Head::parse(&head).unwrap().size;
    let mut block = vec![0; size.into()];
    stream.read_exact(&mut block).unwrap();
    block
}

fn policy(place: &std::path::Path) -> Policy {
    let minute = Duration::from_secs(60);
    Policy {
        connect_timeout: minute,
        send_timeout: minute,
        read_timeout: minute,
        head_size: 4096,
        buffering: Buffering {
            limits: Limits { memory: 32 * 1024, file: 1 << 30 },
            place: place.into(),
            outlives_client: false,
        },
        next: next(|next| (next.error, next.timeout) = (true, true)),
        next_tries: 0,
        next_timeout: Duration::ZERO,
    }
}

fn next(change: impl FnOnce(&mut NextUpstream)) -> NextUpstream {
    let mut next = NextUpstream::default();
    change(&mut next);
    next
}

fn request(policy: Policy, body: Whole) -> Request {
    let mut packet = wire::uwsgi::Packet::new(0, 0);
    packet.add(b"REQUEST_METHOD", b"GET");
    let packet = packet.finish().unwrap().into();
    Request { packet, body: Outgoing::Whole(body), policy, repeatable: true }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test)
}

async fn all(mut body: Body) -> Result<Vec<u8>, String> {
    use std::os::unix::fs::FileExt;
    let mut all = vec![];
    loop {
        match body.next().await {
            Ok(Some(Chunk::Bytes(bytes))) => all.extend_from_slice(&bytes),
            Ok(Some(Chunk::File { file, offset, length })) => {
                let mut read = vec![0; length as usize];
                let file = std::fs::File::from(file.try_clone().unwrap());
                file.read_exact_at(&mut read, offset).unwrap();
                all.extend_from_slice(&read);
            }
            Ok(None) => return Ok(all),
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn pattern(size: usize) -> Vec<u8> {
    // No stretch of it is like another.
    (0..size as u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 23) as u8).collect()
}

#[test]
fn a_small_answer_comes_whole_with_its_head() {
    let fake = Fake::saying(b"HTTP/1.1 201 Made\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello");
    run(async {
        let mut record = Record::default();
        let policy = fake.policy();
        let asked = request(policy.clone(), Whole::Empty);
        let answer = exchange(&fake.group(), asked, &mut record).await.unwrap();
        assert_eq!((answer.head.status, &answer.head.reason[..]), (201, &b"Made"[..]));
        assert_eq!(answer.head.fields[1], ("X-A".into(), "b".into()));
        let mut body = answer.body(&policy, true).await;
        assert_eq!(body.length(), Some(5));
        assert_eq!(body.take_whole().unwrap(), "hello");
        let last = record.last().unwrap();
        assert_eq!((last.status.get(), last.length.get()), (201, 5));
        assert!(last.response.get().is_some() && last.connect.get().is_some());
    });
    fake.thread.join().unwrap();
}

#[test]
fn an_answer_without_a_length_ends_with_the_connection() {
    for buffering in [true, false] {
        let fake = Fake::saying(b"Status: 200 OK\r\n\r\nuntil the end");
        run(async {
            let policy = fake.policy();
            let asked = request(policy.clone(), Whole::Empty);
            let answer = exchange(&fake.group(), asked, &mut Record::default()).await.unwrap();
            let body = answer.body(&policy, buffering).await;
            assert_eq!(all(body).await.unwrap(), b"until the end");
        });
    }
}

#[test]
fn bytes_past_the_length_are_dropped() {
    for buffering in [true, false] {
        let fake = Fake::saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef");
        run(async {
            let policy = fake.policy();
            let asked = request(policy.clone(), Whole::Empty);
            let answer = exchange(&fake.group(), asked, &mut Record::default()).await.unwrap();
            let body = answer.body(&policy, buffering).await;
            assert_eq!(all(body).await.unwrap(), b"abc");
        });
    }
}

#[test]
fn a_body_shorter_than_its_length_is_an_error_and_never_a_clean_end() {
    for buffering in [true, false] {
        let fake = Fake::saying(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabc");
        run(async {
            let (policy, mut record) = (fake.policy(), Record::default());
            let asked = request(policy.clone(), Whole::Empty);
            let answer = exchange(&fake.group(), asked, &mut record).await.unwrap();
            let body = answer.body(&policy, buffering).await;
            assert_eq!(body.length(), Some(30));
            let cause = all(body).await.unwrap_err();
            assert!(cause.contains("3 of the 30 bytes"), "{cause}");
            let told = record.last().unwrap().cut.borrow().as_ref().map(|(_, cause)| cause.clone());
            assert_eq!(told, Some(cause));
        });
    }
}

#[test]
fn what_is_no_answer_is_a_502_with_its_cause() {
    let big: &'static [u8] = Box::leak(
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(5000)).into_bytes().into(),
    );
    let cases: [(&[u8], &str); 4] = [
        (b"", "prematurely closed connection while reading response header"),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n", "prematurely closed"),
        (big, "too big header"),
        (b"hello\r\n\r\n", "no field"),
    ];
    for (answer, words) in cases {
        let fake = Fake::serving(1, move |mut stream| {
            packet_of(&mut stream);
            let _ = stream.write_all(answer);
        });
        run(async {
            let mut record = Record::default();
            let asked = request(fake.policy(), Whole::Empty);
            let none = exchange(&fake.group(), asked, &mut record).await.unwrap_err();
            let NoAnswer::Failure(failure) = none else { panic!() };
            assert!(failure.cause.contains(words), "{}", failure.cause);
            assert_eq!((failure.status(), record.last().unwrap().status.get()), (502, 502));
        });
    }
}

#[test]
fn an_app_that_says_nothing_is_a_504_after_the_read_timeout() {
    let fake = Fake::serving(1, |mut stream| {
        packet_of(&mut stream);
        // Until the other end has given up.
        let _ = stream.read(&mut [0; 1]);
    });
    run(async {
        let policy = Policy { read_timeout: Duration::from_millis(30), ..fake.policy() };
        let asked = request(policy, Whole::Empty);
        let none = exchange(&fake.group(), asked, &mut Record::default()).await.unwrap_err();
        let NoAnswer::Failure(failure) = none else { panic!() };
        assert_eq!(failure.status(), 504);
        assert!(failure.cause.contains("uwsgi_read_timeout"), "{}", failure.cause);
    });
    fake.thread.join().unwrap();
}

#[test]
fn an_app_that_answers_without_reading_the_body_is_heard() {
    let fake = Fake::serving(1, |mut stream| {
        packet_of(&mut stream);
        stream.write_all(b"HTTP/1.1 403 No\r\n\r\nno").unwrap();
    });
    run(async {
        let policy = fake.policy();
        let asked = request(policy.clone(), Whole::Memory(pattern(3 << 20).into()));
        let answer = exchange(&fake.group(), asked, &mut Record::default()).await.unwrap();
        assert_eq!(answer.head.status, 403);
        let body = answer.body(&policy, true).await;
        assert_eq!(all(body).await.unwrap(), b"no");
    });
}

#[test]
fn a_reset_of_an_app_of_ours_is_a_cut_answer() {
    // Closed with a byte unread, which makes a close of a Unix socket a reset.
    let fake = Fake::serving(1, |mut stream| {
        let mut head = [0; 4];
        stream.read_exact(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        stream.write_all(&pattern(6000)).unwrap();
    });
    let upstream = config::Upstream {
        index: 0,
        name: "blog".into(),
        kind: config::UpstreamKind::App,
        peers: vec![],
    };
    let upstreams = Upstreams::of(&[upstream.into()], &[("blog".into(), fake.path.clone())]);
    run(async {
        let policy = fake.policy();
        let asked = request(policy.clone(), Whole::Memory("body".into()));
        let group = upstreams.group(0).unwrap();
        let answer = exchange(group, asked, &mut Record::default()).await.unwrap();
        let body = answer.body(&policy, true).await;
        let cause = all(body).await.unwrap_err();
        assert!(cause.contains("cut its answer"), "{cause}");
    });
}

/// Answers with what it gets, a piece at a time.
fn echo(mut stream: UnixStream, size: usize) {
    packet_of(&mut stream);
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (mut left, mut piece) = (size, vec![0; 10_000]);
    while left > 0 {
        let count = stream.read(&mut piece).unwrap();
        stream.write_all(&piece[..count]).unwrap();
        left -= count;
    }
}

#[test]
fn a_body_is_sent_while_its_answer_is_read() {
    let sent = pattern(4 << 20);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("body");
    std::fs::write(&path, &sent).unwrap();
    let open = || Rc::new(std::fs::File::open(&path).unwrap());
    let bodies = [
        Whole::Memory(sent.clone().into()),
        Whole::File { file: open(), length: sent.len() as u64 },
    ];
    for (body, buffering) in bodies.iter().flat_map(|body| [(body, true), (body, false)]) {
        let fake = Fake::serving(1, |stream| echo(stream, 4 << 20));
        run(async {
            let policy = fake.policy();
            let asked = request(policy.clone(), body.clone());
            let answer = exchange(&fake.group(), asked, &mut Record::default()).await.unwrap();
            let body = answer.body(&policy, buffering).await;
            assert!(all(body).await.unwrap() == sent);
        });
        fake.thread.join().unwrap();
    }
}

#[test]
fn a_slow_client_does_not_hold_the_app() {
    let size = 5 << 20;
    let fake = Fake::serving(1, move |mut stream| {
        packet_of(&mut stream);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").unwrap();
        stream.write_all(&pattern(size)).unwrap();
    });
    run(async {
        let policy = fake.policy();
        let asked = request(policy.clone(), Whole::Empty);
        let answer = exchange(&fake.group(), asked, &mut Record::default()).await.unwrap();
        let body = answer.body(&policy, true).await;
        // The client takes nothing until the app is done.
        let done = tokio::task::spawn_blocking(|| fake.thread.join().unwrap());
        tokio::time::timeout(Duration::from_secs(30), done).await.unwrap().unwrap();
        assert!(all(body).await.unwrap() == pattern(size));
    });
}

#[test]
fn without_a_place_for_the_file_the_app_waits_for_the_client() {
    let size = 1 << 20;
    let fake = Fake::serving(1, move |mut stream| {
        packet_of(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        stream.write_all(&pattern(size)).unwrap();
    });
    run(async {
        let policy = policy(std::path::Path::new("/nonexistent"));
        let asked = request(policy.clone(), Whole::Empty);
        let answer = exchange(&fake.group(), asked, &mut Record::default()).await.unwrap();
        let body = answer.body(&policy, true).await;
        assert!(all(body).await.unwrap() == pattern(size));
    });
    fake.thread.join().unwrap();
}

#[test]
fn a_client_that_leaves_ends_the_connection_to_the_app() {
    for buffering in [true, false] {
        let fake = Fake::serving(1, |mut stream| {
            packet_of(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nfirst").unwrap();
            // Ends when the other end is closed.
            while stream.read(&mut [0; 1]).is_ok_and(|count| count > 0) {}
        });
        run(async {
            let policy = fake.policy();
            let asked = request(policy.clone(), Whole::Empty);
            let answer = exchange(&fake.group(), asked, &mut Record::default()).await.unwrap();
            let mut body = answer.body(&policy, buffering).await;
            assert!(body.next().await.unwrap().is_some());
            drop(body);
            let done = tokio::task::spawn_blocking(|| fake.thread.join().unwrap());
            tokio::time::timeout(Duration::from_secs(30), done).await.unwrap().unwrap();
        });
    }
}

fn group_of(paths: &[PathBuf]) -> Rc<Group> {
    let peers = paths.iter().map(|path| config::value::Peer {
        addresses: vec![config::value::Address::Unix(path.clone())],
        weight: 1,
        max_conns: 0,
        max_fails: 1,
        fail_timeout: Duration::from_secs(10),
        backup: false,
        down: false,
    });
    let upstream = config::Upstream {
        index: 0,
        name: "site".into(),
        kind: config::UpstreamKind::Block,
        peers: peers.collect(),
    };
    Rc::clone(Upstreams::of(&[upstream.into()], &[]).group(0).unwrap())
}

#[test]
fn the_next_server_is_asked_when_one_cannot_be_reached() {
    let fake = Fake::saying(b"HTTP/1.1 200 OK\r\n\r\nsecond");
    run(async {
        let group = group_of(&["/nonexistent/a.sock".into(), fake.path.clone()]);
        let (policy, mut record) = (fake.policy(), Record::default());
        let asked = Request { repeatable: false, ..request(policy.clone(), Whole::Empty) };
        let answer = exchange(&group, asked, &mut record).await.unwrap();
        assert_eq!(answer.head.status, 200);
        let mut statuses = vec![];
        record.list(&mut statuses, |to, each| {
            write!(to, "{}", each.status.get()).unwrap();
        });
        assert_eq!(statuses, b"502, 200");
    });
}

#[test]
fn what_may_have_changed_something_is_not_sent_twice() {
    let first = Fake::saying(b"");
    let second = tempfile::tempdir().unwrap();
    let path = second.path().join("second.sock");
    let listener = UnixListener::bind(&path).unwrap();
    run(async {
        let group = group_of(&[first.path.clone(), path.clone()]);
        let asked = Request { repeatable: false, ..request(first.policy(), Whole::Empty) };
        let none = exchange(&group, asked, &mut Record::default()).await.unwrap_err();
        assert!(matches!(none, NoAnswer::Failure(failure) if failure.kind == Kind::Error));
    });
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
}

#[test]
fn a_status_can_send_a_request_on_to_the_next_server() {
    let first = Fake::saying(b"HTTP/1.1 503 No\r\n\r\n");
    let second = Fake::saying(b"HTTP/1.1 200 OK\r\n\r\n");
    run(async {
        let group = group_of(&[first.path.clone(), second.path.clone()]);
        let next = next(|next| next.http_503 = true);
        let asked = request(Policy { next, ..first.policy() }, Whole::Empty);
        let answer = exchange(&group, asked, &mut Record::default()).await.unwrap();
        assert_eq!(answer.head.status, 200);
    });
}

#[test]
fn an_app_that_is_down_is_answered_for_at_once() {
    let upstream = config::Upstream {
        index: 0,
        name: "blog".into(),
        kind: config::UpstreamKind::App,
        peers: vec![],
    };
    let apps = [("blog".to_string(), PathBuf::from("/nonexistent/blog.sock"))];
    let upstreams = Upstreams::of(&[upstream.into()], &apps);
    let retry = Duration::from_secs(7);
    upstreams.told("blog", AppState::Down { cause: "ImportError: x".into(), retry });
    let group = upstreams.group(0).unwrap();
    run(async {
        let asked = request(policy(std::path::Path::new("/tmp")), Whole::Empty);
        let none = exchange(group, asked, &mut Record::default()).await.unwrap_err();
        let NoAnswer::Failure(failure) = none else { panic!() };
        assert_eq!(failure.status(), 503);
        assert!(failure.retry_after.is_some_and(|after| after.as_secs() >= 6));
        assert!(failure.cause.contains("app \"blog\" is down: ImportError: x"));
    });
}
