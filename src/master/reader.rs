//! The reader: a short-lived child that reads, resolves and checks a configuration, so that the
//! master never parses what others wrote, and a file system or a name server that hangs holds
//! nobody.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use config::Origin;
use sys::channel::{Channel, Received};
use wire::message::{Order, ReadOrder};

use crate::children::{self, Child};
use crate::reading::Reading;
use crate::source::Disk;
use crate::watch::content_hash;
use crate::{Failed, Start};

/// How long a reading may take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Starts a reader.
pub fn spawn(start: &Start) -> Result<Child, Failed> {
    children::spawn("reader", &Order::Read(start.order()), &[])
}

/// Reads through a child and waits for the result: the first reading of a run.
pub fn read_and_wait(start: &Start) -> Result<Reading, Failed> {
    let child = spawn(start)?;
    let file = start.file();
    let answer = child.channel.recv_wait(Some(LIMIT));
    let answer = answer.map_err(|e| Failed::new("read", file.display(), e));
    let reading = answer.and_then(|received| result(received, &file));
    child.end();
    reading
}

/// The reading in a reader's message.
pub fn result(received: Received, file: &Path) -> Result<Reading, Failed> {
    let broken = |why: &str| Failed::because("read", file.display(), why);
    let Received::Message { fds, .. } = received else {
        return Err(broken("the reader died before it had a result"));
    };
    let [memory] = fds.as_slice() else {
        return Err(broken("the reader sent no result"));
    };
    let bytes = sys::memfd::read_sealed(memory.as_fd())
        .map_err(|e| Failed::new("read", file.display(), e))?;
    wire::message::decode(&bytes).ok_or_else(|| broken("the reader's result cannot be decoded"))
}

/// The child's whole life.
pub fn serve(channel: &Channel, order: &ReadOrder) -> ExitCode {
    sys::title::set("liege: reader");
    let bytes = wire::message::encode(&read(order));
    let sent = sys::memfd::sealed("reading", &bytes, false)
        .and_then(|memory| channel.send(b"reading", &[memory.as_fd()]));
    match sent {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("liege: reader: send the result: {}", crate::failed::reason(&error));
            ExitCode::FAILURE
        }
    }
}

/// One reading, in this process.
pub fn read(order: &ReadOrder) -> Reading {
    digest(&config::read(&mut Disk, &origin(order)))
}

/// Where the configuration comes from, as `config` wants it.
pub fn origin(order: &ReadOrder) -> Origin {
    Origin {
        prefix: order.prefix.clone(),
        file: order.file.clone(),
        globals: order.globals.clone(),
        error_log: order.error_log.clone(),
        text: order.text.clone(),
        root: sys::identity::is_root(),
    }
}

/// Checks what was read and keeps what the master and the web workers need of it.
pub fn digest(read: &config::Reading) -> Reading {
    let typed = config::typed(&read.tree);
    Reading {
        said: typed.diagnostics,
        deployment: typed.config.map(|config| config.deployment()),
        web: read.tree.for_web().to_bytes(),
        files: read.files.iter().map(|(path, text)| (path.clone(), content_hash(text))).collect(),
        globs: read.globs.iter().cloned().collect(),
    }
}
