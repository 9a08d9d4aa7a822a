//! The life of the process: from the master's order to its last connection.

use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use config::{Config, Tree};
use sys::channel::Channel;
use tokio::runtime::LocalOptions;
use tokio::task::{JoinHandle, spawn_local};
use wire::message::{FromWeb, WebOrder, encode};

use crate::control::{self, End};
use crate::listen::{self, Door, Listener};
use crate::log::Logs;
use crate::upstream::Upstreams;
use crate::worker::{Stage, Worker};

/// Runs a web worker until the master lets it go. Called in the child, after it gave up its
/// privileges.
pub fn run(channel: Channel, order: WebOrder, fds: Vec<OwnedFd>) -> ExitCode {
    sys::title::set(&format!("liege: web worker {}", order.number));
    // Keys will be in this memory: nobody of the same user shall read it, and no core file hold it.
    if let Err(error) = sys::limits::not_dumpable().and_then(|()| sys::limits::no_core()) {
        return fail(&channel, format!("prctl(): {error}"));
    }
    serve(channel, order, fds)
}

/// [`run`] without what it does to the process: for tests, which are one process.
pub fn serve(channel: Channel, order: WebOrder, fds: Vec<OwnedFd>) -> ExitCode {
    // A client that leaves is an error of the write, not the end of the process.
    if let Err(error) = sys::child::ignore_sigpipe() {
        return fail(&channel, format!("sigaction(): {error}"));
    }
    let parts = match Parts::take(order, fds) {
        Ok(parts) => parts,
        Err(why) => return fail(&channel, why),
    };
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = match builder.enable_all().build_local(LocalOptions::default()) {
        Ok(runtime) => runtime,
        Err(error) => return fail(&channel, format!("epoll_create(): {error}")),
    };
    let code = runtime.block_on(live(channel, parts));
    // A read that hangs in the pool (a dead disk) does not keep the process.
    runtime.shutdown_background();
    code
}

fn fail(channel: &Channel, why: String) -> ExitCode {
    // When the master is gone too, nobody is left to be told.
    let _ = channel.send(&encode(&FromWeb::Failed(why)), &[]);
    ExitCode::FAILURE
}

/// What the order and its descriptors come to.
struct Parts {
    order: WebOrder,
    config: Config,
    doors: Vec<(usize, Door)>,
    logs: Vec<OwnedFd>,
}

impl Parts {
    fn take(order: WebOrder, mut fds: Vec<OwnedFd>) -> Result<Parts, String> {
        if fds.len() != 1 + order.listeners.len() + order.logs.len() {
            return Err(format!("order came with {} descriptors", fds.len()));
        }
        let logs = fds.split_off(1 + order.listeners.len());
        let sockets = fds.split_off(1);
        let tree = fds.pop().ok_or("order came without a configuration")?;
        let bytes = sys::memfd::read_sealed(tree.as_fd())
            .map_err(|error| format!("configuration: {error}"))?;
        let tree = Tree::from_bytes(&bytes).ok_or("configuration cannot be decoded")?;
        let config = config::typed(&tree).config.ok_or("configuration has errors")?;
        let doors = adopt(&config, &order.listeners, sockets)?;
        Ok(Parts { order, config, doors, logs })
    }
}

/// Pairs each socket with the listener of the configuration that has its address.
fn adopt(
    config: &Config,
    addresses: &[String],
    sockets: Vec<OwnedFd>,
) -> Result<Vec<(usize, Door)>, String> {
    let mut doors = Vec::new();
    for (address, socket) in addresses.iter().zip(sockets) {
        let listeners = config.http.as_ref().map(|http| &http.listeners[..]).unwrap_or_default();
        let index = listeners
            .iter()
            .position(|listener| listener.address.to_string() == *address)
            .ok_or_else(|| format!("listener {address} is not in the configuration"))?;
        let door = Door::adopt(socket, address.starts_with("unix:"))
            .map_err(|error| format!("listener {address}: {error}"))?;
        doors.push((index, door));
    }
    Ok(doors)
}

async fn live(channel: Channel, parts: Parts) -> ExitCode {
    let Parts { order, mut config, doors, logs } = parts;
    let Some(http) = config.http.take() else {
        return control::idle(channel).await;
    };
    let upstreams = Upstreams::new(&http, &order.apps);
    let logs = Logs::new(&order.logs, logs);
    let worker = Rc::new(Worker::new(
        config.main,
        &config.events,
        http,
        order.number,
        order.prefix,
        upstreams,
        logs,
    ));
    let accepting: Vec<JoinHandle<()>> = doors
        .into_iter()
        .map(|(index, door)| {
            spawn_local(listen::accept(worker.clone(), Rc::new(Listener { index }), door))
        })
        .collect();
    let sweeper = spawn_local(sweep(worker.clone()));
    if channel.send(&encode(&FromWeb::Ready), &[]).is_err() {
        return ExitCode::FAILURE;
    }
    let end = control::obey(&worker, channel).await;
    for task in &accepting {
        task.abort();
    }
    // An aborted task closes its socket when it is next run.
    for task in accepting {
        let _ = task.await;
    }
    finish(&worker, &end).await;
    sweeper.abort();
    worker.logs.flush().await;
    // The channel closes last: to the master that is the sign that nothing is left to do here.
    drop(end);
    ExitCode::SUCCESS
}

/// Waits for the requests in flight, as long as the end allows.
async fn finish(worker: &Rc<Worker>, end: &End) {
    match end {
        End::Drain { limit, control } => {
            worker.enter(Stage::Draining(std::time::Instant::now()));
            let over = async {
                tokio::select! {
                    () = worker.all_closed() => {}
                    () = control.gone(worker) => orphaned(worker).await,
                }
            };
            match limit {
                // What is cut then is lost: the operator chose the limit.
                Some(limit) => drop(tokio::time::timeout(*limit, over).await),
                None => over.await,
            }
        }
        End::Orphaned => orphaned(worker).await,
    }
}

/// The master is gone. Another one may come and open the same sockets: we do not stay in its way.
async fn orphaned(worker: &Rc<Worker>) {
    worker.enter(Stage::Ending);
    drop(tokio::time::timeout(LAST_WORDS, worker.all_closed()).await);
}

async fn sweep(worker: Rc<Worker>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        worker.files.sweep();
    }
}

const LAST_WORDS: Duration = Duration::from_secs(2);
const SWEEP: Duration = Duration::from_secs(5);
