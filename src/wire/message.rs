//! What the processes of one liege tell each other, over the control channels (SOCK_SEQPACKET, one
//! message a packet).
//!
//! The master writes an [`Order`] once to each new child, as the bytes of a sealed memfd, with the
//! descriptors that the order names in the order in which it names them. Afterwards both sides
//! exchange the small messages below. What a child says is untrusted: it decodes into these types
//! or the channel is closed.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest message that a control channel carries, in bytes. A longer one ends the channel.
pub const LONGEST: usize = 64 * 1024;

/// What a new child is to be. It arrives whole, before any other message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Read and check a configuration, answer with the result, exit.
    Read(ReadOrder),
    /// Be a web worker.
    Web(WebOrder),
    /// Be an app's master, or an app that is a program of its own.
    App(AppOrder),
}

/// How a reader finds its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOrder {
    /// The prefix that relative paths start from (nginx's `-p`).
    pub prefix: PathBuf,
    /// The configuration file, absolute.
    pub file: PathBuf,
    /// Directives given on the command line (nginx's `-g`).
    pub globals: Vec<u8>,
    /// Where errors go when the configuration does not say (nginx's `-e`); `stderr` is standard
    /// error.
    pub error_log: Option<PathBuf>,
    /// The configuration itself where no file holds it (`liege run`).
    pub text: Option<Vec<u8>>,
}

/// Whom a process becomes before it does its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The user's name, for USER, LOGNAME and messages.
    pub name: String,
    /// The home directory, for HOME.
    pub home: PathBuf,
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The supplementary groups, exactly.
    pub groups: Vec<u32>,
}

/// One web worker's order.
///
/// Descriptors, in this order: the configuration (sealed memfd, the word tree that `config` wrote
/// for web workers), one for each of `listeners`, one for each of `logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebOrder {
    /// The worker's number, from 0: `liege: web worker N`.
    pub number: u32,
    /// The web generation that it belongs to.
    pub generation: u32,
    /// Whom to become; nobody else when absent.
    pub identity: Option<Identity>,
    /// The prefix that relative paths start from.
    pub prefix: PathBuf,
    /// The directory of sockets and the pid.
    pub run_dir: PathBuf,
    /// `worker_rlimit_nofile`.
    pub open_files: Option<u64>,
    /// The addresses whose listening sockets come along, as `config` writes an address.
    pub listeners: Vec<String>,
    /// The log files that come along, as the configuration names them after resolution.
    pub logs: Vec<PathBuf>,
    /// The app sockets by app name.
    pub apps: Vec<(String, PathBuf)>,
}

/// What kind of process an app is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppKind {
    /// A Python WSGI application: the child executes `python` and loads the extension.
    Wsgi(WsgiOrder),
    /// Any program: words of its command line. It gets the app's socket by LISTEN_FDS.
    Program(Vec<String>),
}

/// One app master's (or program's) order.
///
/// Descriptors, in this order: the app's listening socket, the writing end of the app's log pipe,
/// and for a WSGI app the extension (a sealed memfd that may be executed).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppOrder {
    /// The app's name.
    pub name: String,
    /// The app's generation.
    pub generation: u32,
    /// Whom to become; nobody else when absent.
    pub identity: Option<Identity>,
    /// The working directory, resolved.
    pub chdir: PathBuf,
    /// The umask.
    pub umask: Option<u32>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// What to execute.
    pub kind: AppKind,
}

/// How the Python worker finds and runs its application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WsgiOrder {
    /// The interpreter, resolved.
    pub python: PathBuf,
    /// `module` (dotted name) or `wsgi_file` (path).
    pub source: AppSource,
    /// `callable`; with a trailing `()` it is called to make the application.
    pub callable: String,
    /// Whether `callable` was written by the operator (else `application`, then `app`, are tried).
    pub callable_given: bool,
    /// Directories put in front of sys.path, first one first.
    pub pythonpath: Vec<PathBuf>,
    /// Worker processes.
    pub processes: u32,
    /// Threads in each worker.
    pub threads: u32,
    /// A request that takes longer is ended.
    pub harakiri: Option<Duration>,
    /// A worker is replaced after so many requests; 0 for never.
    pub max_requests: u64,
    /// How long other threads of a worker that ends may take, and requests in flight at a stop.
    pub mercy: Duration,
    /// When the application is imported.
    pub preload: Preload,
}

/// Where the application's code is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppSource {
    /// A module on sys.path.
    Module(String),
    /// A file.
    File(PathBuf),
}

/// When the application is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preload {
    /// Once before forking, unless the import left threads or open sockets behind.
    Auto,
    /// Once before forking, always.
    On,
    /// In every worker, after forking.
    Off,
}

/// Master to web worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWeb {
    /// Stop accepting, finish what is in flight, exit. Past `limit` the rest is cut.
    Drain {
        /// `worker_shutdown_timeout`, where there is one.
        limit: Option<Duration>,
    },
    /// New descriptors for all log files, in the order of the `WebOrder`; they ride on this message
    /// (at most 200 a message, `first` says where they begin).
    Reopen {
        /// The index of the first descriptor on this message.
        first: u32,
    },
    /// What became of an app; requests to one that is down are answered at once.
    App {
        /// The app's name.
        name: String,
        /// Its state now.
        state: AppState,
    },
}

/// An app as its users see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppState {
    /// It boots; requests wait in its queue.
    Starting,
    /// A worker of it takes requests.
    Up,
    /// It failed to start; requests get 503.
    Down {
        /// The last line of its failure, for the log.
        cause: String,
        /// When it is tried next.
        retry: Duration,
    },
}

/// Web worker to master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWeb {
    /// It accepts connections.
    Ready,
    /// It cannot work; the text says why. It exits next.
    Failed(String),
}

/// Master to app master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToApp {
    /// Fork a worker with this number; its end of its own channel rides on the message.
    Fork {
        /// The worker's number, from 1.
        number: u32,
    },
    /// SIGKILL the worker that was forked last with this number.
    Kill {
        /// The worker's number.
        number: u32,
    },
    /// No more workers will be asked for: exit when the last one is gone.
    Retire,
}

/// App master to master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromApp {
    /// The application is imported (or will be in the workers); workers can be forked.
    Ready,
    /// The application could not be imported. The first text is one line, the second the traceback.
    /// It exits next.
    Failed {
        /// `ModuleNotFoundError: No module named 'shop'`.
        cause: String,
        /// The app's own traceback, bounded.
        traceback: String,
    },
    /// The worker was forked.
    Forked {
        /// Its number.
        number: u32,
    },
    /// The worker is gone.
    Exited {
        /// Its number.
        number: u32,
        /// How it ended.
        end: End,
    },
    /// A line for the error log, at notice level.
    Note(String),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It exited with this status.
    Status(i32),
    /// A signal ended it.
    Signal(i32),
}

/// Master to app worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Stop accepting, finish what is in flight, exit.
    Drain,
}

/// App worker to master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker {
    /// It takes requests.
    Ready,
    /// It answered its first request with anything but a failure of its own start-up.
    Answered,
    /// It could not import the application (`preload off`). It exits next.
    Failed {
        /// One line.
        cause: String,
        /// The app's own traceback, bounded.
        traceback: String,
    },
    /// It has served `max_requests` and asks to be replaced: it serves on until it is told to
    /// drain.
    Tired,
    /// A request passed `harakiri`; the worker exits next (or drains, with several threads).
    Harakiri {
        /// The request line, bounded.
        request: String,
    },
}

/// Writes a message or an order as bytes.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // Serialising plain values into a growing vector has no way to fail.
    postcard::to_stdvec(message).expect("plain values serialise")
}

/// Reads a message or an order. `None` when the bytes are not one, or are followed by others.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Some(message),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_way_there_and_back() {
        let said = FromApp::Exited { number: 3, end: End::Signal(9) };
        assert_eq!(decode(&encode(&said)), Some(said));
    }

    #[test]
    fn bytes_behind_a_message_make_it_no_message() {
        let mut bytes = encode(&ToApp::Retire);
        bytes.push(0);
        assert_eq!(decode::<ToApp>(&bytes), None);
    }
}
