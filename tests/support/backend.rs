//! An app that speaks the uwsgi protocol and answers whatever the test wants, well or badly.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Packet {
    /// The parameters in their order.
    pub params: Vec<(String, String)>,
    /// As many bytes as CONTENT_LENGTH says, or as came.
    pub body: Vec<u8>,
}

impl Packet {
    /// A parameter's value.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An app that runs in threads of the test.
pub struct Backend {
    folder: TempDir,
    requests: Receiver<Packet>,
}

impl Backend {
    /// Answers every request with `answer`.
    pub fn start(answer: impl Fn(&Packet, &mut UnixStream) + Clone + Send + 'static) -> Self {
        let folder = TempDir::with_prefix("liege-backend-").expect("a folder");
        open_to_all(folder.path());
        let listener = UnixListener::bind(folder.path().join("app.sock")).expect("a socket");
        open_to_all(&folder.path().join("app.sock"));
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (sender, answer) = (sender.clone(), answer.clone());
                std::thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(LIMIT));
                    let Some(packet) = read(&mut stream) else { return };
                    let _ = sender.send(packet.clone());
                    answer(&packet, &mut stream);
                });
            }
        });
        Self { folder, requests }
    }

    /// Answers with these bytes, then closes.
    pub fn says(bytes: &'static [u8]) -> Self {
        Self::start(move |_, stream| {
            let _ = stream.write_all(bytes);
        })
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("app.sock")
    }

    /// The next request.
    #[track_caller]
    pub fn request(&self) -> Packet {
        self.requests.recv_timeout(LIMIT).expect("a request arrives")
    }
}

fn read(stream: &mut UnixStream) -> Option<Packet> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).ok()?;
    let mut block = vec![0; usize::from(u16::from_le_bytes([head[1], head[2]]))];
    stream.read_exact(&mut block).ok()?;
    let mut rest = &block[..];
    let mut params = vec![];
    while !rest.is_empty() {
        let name = text(&mut rest)?;
        params.push((name, text(&mut rest)?));
    }
    let mut packet = Packet { params, body: vec![] };
    let length = packet.param("CONTENT_LENGTH").and_then(|length| length.parse().ok()).unwrap_or(0);
    let _ = stream.take(length).read_to_end(&mut packet.body);
    Some(packet)
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let (length, after) = rest.split_at_checked(2)?;
    let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
    let (text, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(text.iter().copied().map(char::from).collect())
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("a path for all");
}

const LIMIT: Duration = Duration::from_secs(30);
