//! What runs in a child of the master before it is a web worker, an app or a reader: take the
//! order, give up what is not needed, become somebody else.
//!
//! The child is single-threaded here and trusts only its order. The steps and their sequence follow
//! one rule: whatever needs root comes before the drop, whatever the drop undoes (PR_SET_PDEATHSIG)
//! comes after it.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;

use sys::channel::Channel;
use wire::message::{AppOrder, FromApp, Identity, Order, WebOrder, decode, encode};

use crate::children::USUAL_FILES;
use crate::{Failed, app, reader};

/// The word that makes this binary a child. It is long because titles are written over it.
pub(crate) const WORD: &str = concat!(
    "--child-of-a-liege-master-which-tells-over-standard-input-what-this-process-is-to-become",
    "-and-whose-title-is-written-over-this-long-word-as-soon-as-it-is-known-----------------",
    "---------------------------------------------------------------------------------------",
);

/// How long the order may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a child may become, given by the roof, because no floor below knows them all.
pub struct Entries {
    /// A web worker.
    pub web: fn(Channel, WebOrder, Vec<OwnedFd>) -> ExitCode,
}

/// Whether the command line says that this process is a child.
pub fn is_child(words: &[OsString]) -> bool {
    matches!(words, [word] if word == WORD)
}

/// The child's whole life.
pub fn run(entries: &Entries) -> ExitCode {
    match become_what_is_ordered(entries) {
        Ok(code) => code,
        Err(failed) => {
            eprintln!("liege: {failed}");
            ExitCode::FAILURE
        }
    }
}

fn become_what_is_ordered(entries: &Entries) -> Result<ExitCode, Failed> {
    let failed = |e| Failed::new("start", "child", e);
    let channel = Channel::from_stdin().map_err(failed)?;
    sys::child::reset_signals(false).map_err(failed)?;
    let (bytes, fds) = channel.recv_order(PATIENCE).map_err(failed)?;
    let order = decode(&bytes)
        .ok_or_else(|| Failed::because("start", "child", "its order cannot be decoded"))?;
    match order {
        Order::Read(order) => {
            // One that hangs in a name server must not outlive its master.
            sys::child::die_with_parent(sys::child::parent()).map_err(failed)?;
            Ok(reader::serve(&channel, &order))
        }
        Order::Web(order) => web(entries, channel, order, fds),
        Order::App(order) => Err(start_app(channel, &order, fds)),
    }
}

fn web(
    entries: &Entries,
    channel: Channel,
    order: WebOrder,
    fds: Vec<OwnedFd>,
) -> Result<ExitCode, Failed> {
    let failed = |e| Failed::new("start", format!("web worker {}", order.number), e);
    sys::title::set(&format!("liege: web worker {}", order.number));
    if let Some(files) = order.open_files {
        sys::limits::open_files(files)
            .map_err(|e| Failed::new("set", "worker_rlimit_nofile", e))?;
    }
    sys::limits::no_core().map_err(failed)?;
    become_identity(order.identity.as_ref())?;
    sys::limits::not_dumpable().map_err(failed)?;
    sys::child::ignore_sigpipe().map_err(failed)?;
    Ok((entries.web)(channel, order, fds))
}

/// Becomes the app's user and executes its interpreter or program; returns only on failure.
fn start_app(channel: Channel, order: &AppOrder, fds: Vec<OwnedFd>) -> Failed {
    let parent = sys::child::parent();
    let steps = || -> Result<(), Failed> {
        sys::title::set(&format!("liege: app {} master", order.name));
        usual_open_files().map_err(|e| Failed::new("limit", "open files", e))?;
        become_identity(order.identity.as_ref())?;
        // After the drop, because a change of user clears it.
        sys::child::die_with_parent(parent).map_err(|e| Failed::new("start", &order.name, e))?;
        if let Some(umask) = order.umask {
            sys::limits::umask(umask);
        }
        std::env::set_current_dir(&order.chdir)
            .map_err(|e| Failed::new("chdir to", order.chdir.display(), e))
    };
    // Above 3, where a program's socket is put.
    let spare = channel.try_clone();
    let failed = match steps() {
        Ok(()) => app::execute(channel, order, fds),
        Err(failed) => failed,
    };
    if let Ok(channel) = spare {
        let news = FromApp::Failed { cause: failed.to_string(), traceback: String::new() };
        let _ = channel.send(&encode(&news), &[]);
    }
    failed
}

/// Gives up the room that the master made for its own descriptors.
fn usual_open_files() -> std::io::Result<()> {
    let usual = std::env::var(USUAL_FILES).ok().and_then(|usual| usual.parse().ok());
    usual.map_or(Ok(()), sys::limits::open_files)
}

fn become_identity(identity: Option<&Identity>) -> Result<(), Failed> {
    if let Some(who) = identity {
        sys::identity::become_identity(who.uid, who.gid, &who.groups)
            .map_err(|e| Failed::new("become", &who.name, e))?;
    }
    sys::identity::drop_privileges().map_err(|e| Failed::new("give up", "privileges", e))
}
