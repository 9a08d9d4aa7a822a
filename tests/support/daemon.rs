//! The server under test: a configuration, files and a command line make one that runs in a folder
//! of its own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use sys::child::Signal;
use tempfile::TempDir;

use super::{Connection, PATIENCE, Response, process, project, theirs, until, within};

/// A server that is to be started.
pub struct Setup {
    config: String,
    files: Vec<(String, Vec<u8>)>,
    words: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A liege with this configuration. `PORT` and `PORT2` stand for free ports, `DIR` for the test's
/// folder.
pub fn liege(config: &str) -> Setup {
    Setup { config: config.to_owned(), files: vec![], words: vec![], environment: vec![] }
}

/// A server that runs.
pub struct Daemon {
    child: Child,
    folder: TempDir,
    /// What `PORT` stands for.
    pub port: u16,
    /// What `PORT2` stands for.
    pub port2: u16,
}

impl Setup {
    /// Puts a file into the folder.
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((path.to_owned(), content.as_ref().to_vec()));
        self
    }

    /// Adds a word to the command line.
    pub fn arg(mut self, word: &str) -> Self {
        self.words.push(word.to_owned());
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until it is ready.
    #[track_caller]
    pub fn start(self) -> Daemon {
        for _ in 0..5 {
            match self.try_start() {
                Ok(daemon) => return daemon,
                // Somebody took the port between our look and the server's.
                Err(log) if log.contains("Address already in use") => {}
                Err(log) => panic!("the server did not start:\n{log}"),
            }
        }
        panic!("no free port");
    }

    /// Starts it; what it said, if it ended instead of getting ready.
    pub fn try_start(&self) -> Result<Daemon, String> {
        let (folder, port, port2) = self.lay_out();
        let prefix = folder.path();
        let notices = UnixDatagram::bind(prefix.join("notify")).expect("a socket for readiness");
        notices.set_read_timeout(Some(Duration::from_millis(20))).expect("a limit");
        let child = if theirs() {
            theirs::nginx(prefix, "daemon off; pid nginx.pid;")
        } else {
            let output = fs::File::create(prefix.join("output")).expect("a file for the output");
            let mut command = self.command(prefix);
            command.env("NOTIFY_SOCKET", prefix.join("notify"));
            command.stdout(output.try_clone().expect("a second descriptor")).stderr(output).spawn()
        };
        let mut daemon = Daemon { child: child.expect("the binary starts"), folder, port, port2 };
        let start = Instant::now();
        loop {
            if let Ok(Some(_)) = daemon.child.try_wait() {
                return Err(daemon.log());
            }
            if daemon.is_ready(&notices) {
                return Ok(daemon);
            }
            assert!(start.elapsed() < PATIENCE, "it is not ready:\n{}", daemon.log());
        }
    }

    /// Runs the command line to its end, which must come by itself.
    #[track_caller]
    pub fn output(&self) -> Output {
        let (folder, ..) = self.lay_out();
        let files = ["stdout", "stderr"].map(|name| folder.path().join(name));
        let [stdout, stderr] =
            files.each_ref().map(|path| fs::File::create(path).expect("a file for the output"));
        let mut child = self
            .command(folder.path())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .expect("the binary runs");
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("it is our child") {
                break status;
            }
            if start.elapsed() > PATIENCE {
                process::signal(child.id(), Signal::SIGINT);
                let _ = child.wait();
                panic!(
                    "it did not end by itself: {}",
                    fs::read_to_string(&files[1]).unwrap_or_default()
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let name = folder.path().display().to_string();
        let [stdout, stderr] = files.map(|path| {
            let bytes = fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace(&name, "DIR").into_bytes()
        });
        Output { status, stdout, stderr }
    }

    fn command(&self, prefix: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_liege"));
        command.arg("-p").arg(prefix).args(&self.words);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // A python3 that others than the caller may execute comes first.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("/usr/local/bin:/usr/bin:/bin:/usr/sbin:{path}"));
        command.env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
        command
    }

    fn lay_out(&self) -> (TempDir, u16, u16) {
        let folder = TempDir::with_prefix("liege-test-").expect("a folder");
        let prefix = folder.path();
        // Web workers and apps are other users than the one who runs the tests.
        fs::set_permissions(prefix, fs::Permissions::from_mode(0o755)).expect("a folder for all");
        for name in ["conf", "html", "logs"] {
            fs::create_dir_all(prefix.join(name)).expect("a folder");
        }
        for name in ["mime.types", "uwsgi_params"] {
            fs::copy(project().join("conf").join(name), prefix.join("conf").join(name))
                .expect("a copy");
        }
        let (port, port2) = (free_port(), free_port());
        fs::write(prefix.join("conf/liege.conf"), fill(&self.config, prefix, port, port2))
            .expect("the configuration");
        for (path, content) in &self.files {
            match std::str::from_utf8(content) {
                Ok(text) if path.ends_with(".conf") => {
                    write(&prefix.join(path), fill(text, prefix, port, port2).as_bytes());
                }
                _ => write(&prefix.join(path), content),
            }
        }
        (folder, port, port2)
    }
}

impl Daemon {
    /// The test's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, whole at once, as a careful editor does.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let new = self.path(&format!("{name}.new"));
        write(&new, content.as_ref());
        fs::rename(new, self.path(name)).expect("the new file takes its place");
    }

    /// Writes another configuration, with the same ports.
    pub fn configure(&self, config: &str) {
        let config = config.replace("PORT2", &self.port2.to_string());
        let config = config.replace("PORT", &self.port.to_string());
        self.write(
            "conf/liege.conf",
            config.replace("DIR", &self.folder.path().display().to_string()),
        );
    }

    /// Runs the binary for the same folder: `-s`, `reload`.
    pub fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_liege"));
        command.arg("-p").arg(self.folder.path()).args(words).env_remove("NOTIFY_SOCKET");
        command.output().expect("the binary runs")
    }

    /// Asks for a path on a connection of its own.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    /// The same, if an answer comes.
    pub fn try_get(&self, path: &str) -> Option<Response> {
        let mut connection = Connection::try_open(self.port).ok()?;
        connection
            .send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        connection.try_response(true)
    }

    /// Sends a request and reads one answer.
    #[track_caller]
    pub fn ask(&self, request: impl AsRef<[u8]>) -> Response {
        self.connect().send(request).response()
    }

    /// Posts a body.
    #[track_caller]
    pub fn post(&self, path: &str, body: &[u8]) -> Response {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        self.connect().send(head).send(body).response()
    }

    /// A connection.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        Connection::open(self.port)
    }

    /// Everything that was written: standard output and error, then the logs.
    pub fn log(&self) -> String {
        let mut text = fs::read_to_string(self.path("output")).unwrap_or_default();
        let logs = fs::read_dir(self.path("logs")).into_iter().flatten().flatten();
        for log in logs.filter(|log| log.file_name() != "access.log") {
            text += &fs::read_to_string(log.path()).unwrap_or_default();
        }
        text
    }

    /// Waits until something was written.
    #[track_caller]
    pub fn logged(&self, text: &str) {
        until(&format!("{text:?} in the log"), || self.log().contains(text));
    }

    /// The master's pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Pids of the processes whose title begins so, `liege: ` left out: `web worker`, `app blog
    /// master`.
    pub fn processes(&self, title: &str) -> Vec<u32> {
        let wanted = format!("liege: {title}");
        let below = process::below(self.pid()).into_iter();
        below
            .filter(|pid| process::lives(*pid) && process::title(*pid).starts_with(&wanted))
            .collect()
    }

    /// Waits until there are as many processes of a title, and returns their pids.
    #[track_caller]
    pub fn crew(&self, title: &str, count: usize) -> Vec<u32> {
        within(PATIENCE, &format!("{count} processes called {title:?}"), || {
            Some(self.processes(title)).filter(|found| found.len() == count)
        })
    }

    /// Sends the master a signal.
    pub fn signal(&self, signal: Signal) {
        process::signal(self.pid(), signal);
    }

    /// Reloads as an operator does, and waits until the new web generation serves.
    #[track_caller]
    pub fn reload(&self) {
        let before = self.processes("web worker");
        self.signal(Signal::SIGHUP);
        until("another web generation", || {
            let now = self.processes("web worker");
            !now.is_empty() && now.iter().all(|pid| !before.contains(pid))
        });
    }

    /// Waits until the master has ended.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        within(PATIENCE, "the master has ended", || self.child.try_wait().ok().flatten())
    }

    fn is_ready(&self, notices: &UnixDatagram) -> bool {
        if theirs() {
            return Connection::try_open(self.port).is_ok();
        }
        let mut text = [0; 4096];
        let count = notices.recv(&mut text).unwrap_or(0);
        String::from_utf8_lossy(&text[..count]).lines().any(|line| line == "READY=1")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server's output and logs\n{}---", self.log());
        }
        let tree = process::below(self.pid());
        process::signal(self.pid(), Signal::SIGINT);
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if start.elapsed() > Duration::from_secs(5) {
                let _ = self.child.kill();
                for pid in &tree {
                    process::signal(*pid, Signal::SIGKILL);
                }
                let _ = self.child.wait();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A configuration with its ports and its folder.
fn fill(text: &str, prefix: &Path, port: u16, port2: u16) -> String {
    let text = text.replace("PORT2", &port2.to_string());
    let text = text.replace("PORT", &port.to_string());
    text.replace("DIR", &prefix.display().to_string())
}

fn write(path: &Path, content: &[u8]) {
    let parent = path.parent().expect("a file is in a folder");
    fs::create_dir_all(parent).expect("a folder");
    fs::write(path, content).unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
}

/// A port that nobody uses at this moment.
fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("its number").port()
}
