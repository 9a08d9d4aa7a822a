//! The listening sockets: opened here, kept for the master's life or until no configuration names them, passed to children.
//!
//! No reload, crash or restart of a worker refuses a connection, because the sockets are here and never close meanwhile.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use config::{Deployment, Listening};
use sys::socket::{Address, ListenOptions};

use crate::Failed;
use crate::app::AppPlace;

/// The open sockets by address; several for one address with `reuseport`, one for each web worker.
#[derive(Default)]
pub struct Listeners {
    open: BTreeMap<String, Vec<OwnedFd>>,
    /// Sockets that another process opened for us (LISTEN_FDS), until an address claims them.
    given: BTreeMap<String, OwnedFd>,
}

impl Listeners {
    /// Takes the sockets that systemd hands over, by address.
    pub fn adopt() -> Listeners {
        let mut given = BTreeMap::new();
        for (fd, _name) in sys::socket::take_listen_fds() {
            if let Ok(address) = sys::socket::address_of(&fd) {
                given.insert(address.to_string(), fd);
            }
        }
        Listeners { open: BTreeMap::new(), given }
    }

    /// Opens what is not open yet: all or nothing.
    pub fn open<'a>(
        &mut self,
        deployment: &Deployment,
        apps: impl Iterator<Item = &'a AppPlace>,
    ) -> Result<(), Failed> {
        let mut opened = Vec::new();
        for wanted in &deployment.listeners {
            let address = address(&wanted.address);
            let count = sockets(wanted, deployment);
            for _ in self.count(&address)..count {
                opened.push((
                    address.to_string(),
                    self.claim(&address, || sys::socket::listen(&address, &options(wanted)))?,
                ));
            }
        }
        for app in apps {
            if self.count(&app.address) == 0 {
                opened.push((
                    app.address.to_string(),
                    self.claim(&app.address, || {
                        app.make_room()?;
                        sys::socket::listen(&app.address, &app.options)
                    })?,
                ));
            }
        }
        for (address, socket) in opened {
            self.open.entry(address).or_default().push(socket);
        }
        Ok(())
    }

    /// Tries to open what `-t` finds; an address in use is somebody's running liege.
    pub fn rehearse(&self, deployment: &Deployment) -> Result<(), Failed> {
        for wanted in &deployment.listeners {
            let address = address(&wanted.address);
            if let Address::Unix(_) = address {
                continue;
            }
            match sys::socket::listen(&address, &options(wanted)) {
                Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
                    return Err(Failed::new("bind", &address, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Closes what an accepted configuration no longer names. Workers that drain hold descriptors of their own.
    pub fn keep<'a>(&mut self, deployment: &Deployment, apps: impl Iterator<Item = &'a AppPlace>) {
        let web = deployment.listeners.iter().map(|wanted| address(&wanted.address).to_string());
        let names: Vec<String> = web.chain(apps.map(|app| app.address.to_string())).collect();
        self.open.retain(|address, _| {
            let kept = names.contains(address);
            if !kept && let Some(path) = address.strip_prefix("unix:") {
                let _ = sys::socket::unlink(Path::new(path));
            }
            kept
        });
    }

    /// The sockets of one web worker, with their addresses.
    pub fn for_web(&self, deployment: &Deployment, number: u32) -> Vec<(String, BorrowedFd<'_>)> {
        let addresses =
            deployment.listeners.iter().map(|wanted| address(&wanted.address).to_string());
        let sockets = addresses.filter_map(|address| {
            let sockets = self.open.get(&address)?;
            let own = sockets.get(number as usize % sockets.len().max(1))?;
            Some((address, own.as_fd()))
        });
        sockets.collect()
    }

    /// An app's socket.
    pub fn app(&self, address: &Address) -> Result<BorrowedFd<'_>, Failed> {
        let sockets = self.open.get(&address.to_string());
        let socket = sockets.and_then(|sockets| sockets.first());
        socket
            .map(AsFd::as_fd)
            .ok_or_else(|| Failed::because("find", address, "its socket is closed"))
    }

    /// Removes the files of the Unix sockets: the last deed before the end.
    pub fn unlink(&self) {
        for path in self.open.keys().filter_map(|address| address.strip_prefix("unix:")) {
            let _ = sys::socket::unlink(Path::new(path));
        }
    }

    fn count(&self, address: &Address) -> usize {
        self.open.get(&address.to_string()).map_or(0, Vec::len)
    }

    fn claim(
        &mut self,
        address: &Address,
        open: impl FnOnce() -> std::io::Result<OwnedFd>,
    ) -> Result<OwnedFd, Failed> {
        match self.given.remove(&address.to_string()) {
            Some(socket) => Ok(socket),
            None => open().map_err(|e| Failed::new("bind", address, e)),
        }
    }
}

fn address(configured: &config::Address) -> Address {
    match configured {
        config::Address::Inet(address) => Address::Inet(*address),
        config::Address::Unix(path) => Address::Unix(path.clone()),
    }
}

/// How many sockets an address has: with `reuseport` one for each web worker's slot.
fn sockets(wanted: &Listening, deployment: &Deployment) -> usize {
    if wanted.reuseport { workers(deployment) as usize } else { 1 }
}

/// `worker_processes`; `auto` is one for each processor.
pub fn workers(deployment: &Deployment) -> u32 {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    match deployment.workers {
        _ if !deployment.http => 0,
        None => u32::try_from(cores()).unwrap_or(1),
        Some(count) => count,
    }
}

fn options(wanted: &Listening) -> ListenOptions {
    let usual = ListenOptions::default();
    ListenOptions {
        backlog: wanted.backlog.unwrap_or(usual.backlog),
        reuseport: wanted.reuseport,
        ipv6only: wanted.ipv6only.unwrap_or(usual.ipv6only),
        rcvbuf: wanted.rcvbuf,
        sndbuf: wanted.sndbuf,
        keepalive: wanted.so_keepalive.unwrap_or(false),
        // nginx gives a deferred connection 1 s (ngx_connection.c).
        deferred: wanted.deferred.then_some(Duration::from_secs(1)),
        fastopen: wanted.fastopen.and_then(|queue| u32::try_from(queue).ok()),
        // nginx: whoever may reach the directory may connect.
        mode: Some(0o666),
        owner: None,
    }
}
