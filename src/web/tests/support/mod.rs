//! A web worker in a thread of the test, and a client that reads one answer at a time.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use sys::channel::{Channel, Received};
use wire::message::{FromWeb, ToWeb, WebOrder, decode, encode};

/// A worker with a configuration of its own.
pub struct Site {
    dir: tempfile::TempDir,
    servers: Vec<String>,
    running: std::cell::OnceCell<Running>,
}

struct Running {
    address: SocketAddr,
    master: Option<Channel>,
    worker: Option<JoinHandle<()>>,
}

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A connection that is kept.
pub struct Connection(TcpStream);

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
    /// A site with one server; `ROOT` in its text is the directory of its files.
    pub fn with(server: &str) -> Site {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("root")).unwrap();
        Site { dir, servers: vec![server.to_owned()], running: std::cell::OnceCell::new() }
    }

    /// One more server.
    pub fn server(mut self, server: &str) -> Site {
        self.servers.push(server.to_owned());
        self
    }

    /// One more file.
    pub fn file(self, name: &str, bytes: &[u8]) -> Site {
        let path = self.root().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub fn port(&self) -> u16 {
        self.running().address.port()
    }

    /// Sends one request and reads one answer.
    pub fn ask(&self, request: &str) -> Answer {
        self.connect().ask(request.as_bytes())
    }

    pub fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.running().address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection(stream)
    }

    /// Sends bytes in pieces and reads everything until the server closes.
    pub fn talk(&self, bytes: &[u8], size: usize) -> Vec<u8> {
        let mut connection = self.connect();
        for piece in bytes.chunks(size) {
            connection.0.write_all(piece).unwrap();
        }
        let mut answer = Vec::new();
        connection.0.read_to_end(&mut answer).unwrap();
        answer
    }

    pub fn drain(&mut self) {
        let drain = encode(&ToWeb::Drain { limit: None });
        self.running().master.as_ref().unwrap().send(&drain, &[]).unwrap();
        // The listener closes when the worker obeys.
        while TcpStream::connect(self.running().address).is_ok() {
            std::thread::yield_now();
        }
    }

    pub fn abandon(&mut self) {
        self.running();
        self.running.get_mut().unwrap().master = None;
    }

    /// Waits until the worker has ended.
    pub fn ended(&mut self) {
        self.running.get_mut().unwrap().worker.take().unwrap().join().unwrap();
    }

    fn running(&self) -> &Running {
        self.running.get_or_init(|| self.start())
    }

    fn start(&self) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let root = self.root();
        let servers: String = self
            .servers
            .iter()
            .map(|server| format!("server {{ listen {address}; {server} }}\n"))
            .collect();
        let text =
            format!("error_log stderr emerg; events {{ }} http {{ access_log off; {servers} }}")
                .replace("ROOT", root.to_str().unwrap());
        let origin = config::Origin {
            prefix: self.dir.path().to_owned(),
            file: self.dir.path().join("liege.conf"),
            text: Some(text.into_bytes()),
            ..config::Origin::default()
        };
        let reading = config::read(&mut NoFiles, &origin);
        let typed = config::typed(&reading.tree);
        let told: Vec<String> = typed.diagnostics.iter().map(|told| told.line()).collect();
        assert!(typed.config.is_some(), "{told:#?}");
        let tree = reading.tree.for_web().to_bytes();
        let tree = sys::memfd::sealed("configuration", &tree, false).unwrap();
        let order = WebOrder {
            number: 0,
            generation: 1,
            identity: None,
            prefix: self.dir.path().to_owned(),
            run_dir: self.dir.path().to_owned(),
            open_files: None,
            listeners: vec![address.to_string()],
            logs: vec![],
            apps: vec![],
        };
        let (master, channel) = Channel::pair().unwrap();
        let fds = vec![tree, OwnedFd::from(listener)];
        let worker = std::thread::spawn(move || {
            liege_web::serve(channel, order, fds);
        });
        let Received::Message { bytes, .. } = master.recv_wait(Some(PATIENCE)).unwrap() else {
            panic!("the worker has closed its channel");
        };
        assert_eq!(decode(&bytes), Some(FromWeb::Ready));
        Running { address, master: Some(master), worker: Some(worker) }
    }
}

impl Connection {
    /// Sends a request and reads one answer by its Content-Length.
    pub fn ask(&mut self, request: &[u8]) -> Answer {
        self.0.write_all(request).unwrap();
        let mut bytes = Vec::new();
        let mut piece = [0; 65536];
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            let count = self.0.read(&mut piece).unwrap();
            assert!(count > 0, "closed within the head: {:?}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&piece[..count]);
        };
        let mut body = bytes.split_off(end + 4);
        let text = String::from_utf8(bytes).unwrap();
        let mut lines = text.trim_end().split("\r\n");
        let status = lines.next().unwrap()[9..12].parse().unwrap();
        let fields = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, fields, body: vec![] };
        let length = match answer.field("Content-Length") {
            Some(length) if !request.starts_with(b"HEAD") => length.parse().unwrap(),
            _ => 0,
        };
        while body.len() < length {
            let count = self.0.read(&mut piece).unwrap();
            assert!(count > 0, "closed within the body");
            body.extend_from_slice(&piece[..count]);
        }
        answer.body = body;
        answer
    }
}

impl Answer {
    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// No answer takes that long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(20);
