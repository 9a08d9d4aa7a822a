//! What an operator sees of a start: at most six lines, ending with the URL.

use std::net::SocketAddr;

use config::{Address, Deployment};

use crate::daemon;
use crate::log::{Level, Log};
use crate::master::{Ground, Master};
use crate::{Start, tell};

/// Where lines go before the configuration is known.
pub fn first_log() -> Log {
    Log::to_stderr(Level::Notice)
}

/// The log that the configuration wants; in the foreground standard error hears it too.
pub fn open_log(log: &mut Log, ground: &Ground) {
    let mut new = Log::new();
    let mut on_stderr = false;
    let logs = ground.logs.borrow();
    for (path, level) in &ground.deployment.error_log {
        let level = crate::log::numbered(*level);
        if path.as_os_str() == "stderr" {
            on_stderr = true;
            new.add_stderr(level);
        } else if let Some(file) = logs.file(path) {
            new.add(file, level);
        }
    }
    if !on_stderr && !daemon::in_background() {
        new.add_stderr(Level::Notice);
    }
    *log = new;
}

/// The first line.
pub fn started(log: &mut Log, start: &Start) {
    let version = env!("CARGO_PKG_VERSION");
    match &start.text {
        Some(_) => log.notice(format_args!("liege/{version} runs as pid {}", std::process::id())),
        None => log.notice(format_args!("liege/{version} reads {}", start.file().display())),
    }
}

/// Every app serves or has failed once, and the web serves: systemd hears it, and the operator sees where.
pub fn booted(master: &mut Master) {
    let _ = sys::notify::ready();
    let mut urls: Vec<String> = urls(&master.newest.deployment);
    let more = urls.len().saturating_sub(3);
    urls.truncate(3);
    let status = master.supervisor.status();
    let down: Vec<String> =
        status.apps.iter().filter(|app| !app.served).map(|app| app.name.to_string()).collect();
    if !down.is_empty() {
        let names = down.join(", ");
        master
            .log
            .error(format_args!("not serving: app {names}; its requests get 503 until it starts"));
    }
    if !urls.is_empty() {
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let took = tell::seconds(master.born.elapsed());
        master.log.notice(format_args!("ready after {took}: {}{more}", urls.join(" ")));
    }
}

fn urls(deployment: &Deployment) -> Vec<String> {
    deployment.listeners.iter().map(|listening| url(&listening.address)).collect()
}

/// An address as a person would open it.
fn url(address: &Address) -> String {
    match address {
        Address::Unix(path) => format!("unix:{}", path.display()),
        Address::Inet(address) => {
            let host = match address {
                SocketAddr::V4(v4) if v4.ip().is_unspecified() => "localhost".to_owned(),
                SocketAddr::V6(v6) if v6.ip().is_unspecified() => "localhost".to_owned(),
                SocketAddr::V4(v4) => v4.ip().to_string(),
                SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
            };
            match address.port() {
                80 => format!("http://{host}/"),
                port => format!("http://{host}:{port}/"),
            }
        }
    }
}
