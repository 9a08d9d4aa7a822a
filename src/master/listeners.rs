//! The listening sockets: opened here, kept for the master's life or until no configuration names
//! them, passed to children.
//!
//! No reload, crash or restart of a worker refuses a connection, because the sockets are here and
//! never close meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use config::{Deployment, Listening};
use sys::socket::{Address, ListenOptions};

use crate::Failed;
use crate::app::AppPlace;
use crate::log::Log;

/// The open sockets by address; several for one address with `reuseport`, one for each web worker.
#[derive(Default)]
pub struct Listeners {
    open: BTreeMap<Address, Vec<OwnedFd>>,
    /// Sockets that another process opened for us (LISTEN_FDS), until an address claims them.
    given: BTreeMap<Address, OwnedFd>,
    /// Addresses whose file is somebody else's, because the socket was given.
    adopted: BTreeSet<Address>,
    /// How often an address in use is tried again.
    tries: u32,
}

/// How long one waits between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// What is needed of each address: how many sockets.
pub type Wanted = BTreeMap<Address, usize>;

impl Listeners {
    /// Takes the sockets that systemd hands over, by address.
    pub fn adopt(log: &mut Log) -> Listeners {
        let mut given = BTreeMap::new();
        for (fd, name) in sys::socket::take_listen_fds() {
            match sys::socket::address_of(&fd) {
                Ok(address) => drop(given.insert(address, fd)),
                Err(_) => log.warn(format_args!(
                    "LISTEN_FDS: descriptor \"{name}\" is no listening stream socket and is closed"
                )),
            }
        }
        Listeners { given, ..Listeners::default() }
    }

    /// After a master that was killed its workers hold their sockets for the requests in flight
    /// (2 s): addresses in use are tried again so long. Only at a start; a reload never waits.
    pub fn wait_for_the_dead(&mut self) {
        self.tries = 30;
    }

    /// The start is over: what was given and nobody named is closed, and no address is waited for.
    pub fn settled(&mut self, log: &mut Log) {
        self.tries = 0;
        for address in std::mem::take(&mut self.given).into_keys() {
            log.warn(format_args!(
                "LISTEN_FDS: no listen and no app names {address}, so its socket is closed; \
                 write listen {address} or take it out of the socket unit"
            ));
        }
    }

    /// Opens what is not open yet: all or nothing.
    pub fn open<'a>(
        &mut self,
        deployment: &Deployment,
        apps: impl Iterator<Item = &'a AppPlace>,
    ) -> Result<(), Failed> {
        let mut opened = Vec::new();
        let done = self.open_all(deployment, apps, &mut opened);
        for (address, socket) in opened {
            match done {
                Ok(()) => self.open.entry(address).or_default().push(socket),
                Err(_) => self.unlink_one(&address),
            }
        }
        done
    }

    fn open_all<'a>(
        &mut self,
        deployment: &Deployment,
        apps: impl Iterator<Item = &'a AppPlace>,
        opened: &mut Vec<(Address, OwnedFd)>,
    ) -> Result<(), Failed> {
        for wanted in &deployment.listeners {
            let address = address(&wanted.address);
            if self.count(&address) == 0 {
                let open = || sys::socket::listen(&address, &options(wanted));
                let socket = self.claim(&address, open)?;
                opened.push((address, socket));
            }
        }
        for app in apps {
            if self.count(&app.address) == 0 {
                let open = || {
                    app.make_room()?;
                    sys::socket::listen(&app.address, &app.options)
                };
                let socket = self.claim(&app.address, open)?;
                opened.push((app.address.clone(), socket));
            }
        }
        Ok(())
    }

    /// Tries to open what `-t` finds; an address in use is somebody's running liege.
    pub fn rehearse(deployment: &Deployment) -> Result<(), Failed> {
        for wanted in &deployment.listeners {
            let address = address(&wanted.address);
            if let Address::Unix(_) = address {
                continue;
            }
            match sys::socket::listen(&address, &options(wanted)) {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    return Err(Failed::new("bind", &address, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Closes what nobody wants any more. Workers that drain hold descriptors of their own.
    pub fn keep(&mut self, wanted: &Wanted) {
        for (address, sockets) in &mut self.open {
            sockets.truncate(wanted.get(address).copied().unwrap_or(0));
        }
        let open = std::mem::take(&mut self.open);
        let (closed, kept) = open.into_iter().partition(|(_, sockets)| sockets.is_empty());
        self.open = kept;
        let closed: BTreeMap<Address, Vec<OwnedFd>> = closed;
        closed.keys().for_each(|address| self.unlink_one(address));
    }

    /// With `reuseport` each web worker has a socket of its own. It is opened when its worker
    /// starts, because the kernel hands connections to it from then on.
    pub fn grow(&mut self, deployment: &Deployment, number: u32) -> Result<(), Failed> {
        for wanted in deployment.listeners.iter().filter(|wanted| wanted.reuseport) {
            let address = address(&wanted.address);
            let failed = |e| Failed::new("bind", &address, e);
            let Some(sockets) = self.open.get_mut(&address) else { continue };
            while sockets.len() <= number as usize {
                // The first may have been opened when the configuration did not say reuseport.
                sockets.iter().try_for_each(sys::socket::share_port).map_err(failed)?;
                sockets.push(sys::socket::listen(&address, &options(wanted)).map_err(failed)?);
            }
        }
        Ok(())
    }

    /// The sockets of one web worker, with their addresses.
    pub fn for_web(&self, deployment: &Deployment, number: u32) -> Vec<(String, BorrowedFd<'_>)> {
        let addresses = deployment.listeners.iter().map(|wanted| address(&wanted.address));
        let sockets = addresses.filter_map(|address| {
            let sockets = self.open.get(&address)?;
            let own = sockets.get(number as usize % sockets.len().max(1))?;
            Some((address.to_string(), own.as_fd()))
        });
        sockets.collect()
    }

    /// An app's socket.
    pub fn app(&self, address: &Address) -> Result<BorrowedFd<'_>, Failed> {
        let socket = self.open.get(address).and_then(|sockets| sockets.first());
        socket
            .map(AsFd::as_fd)
            .ok_or_else(|| Failed::because("find", address, "its socket is closed"))
    }

    /// Removes the files of the Unix sockets: the last deed before the end.
    pub fn unlink(&self) {
        self.open.keys().for_each(|address| self.unlink_one(address));
    }

    fn unlink_one(&self, address: &Address) {
        if let Address::Unix(path) = address
            && !self.adopted.contains(address)
        {
            let _ = sys::socket::unlink(Path::new(path));
        }
    }

    fn count(&self, address: &Address) -> usize {
        self.open.get(address).map_or(0, Vec::len)
    }

    fn claim(
        &mut self,
        address: &Address,
        open: impl Fn() -> io::Result<OwnedFd>,
    ) -> Result<OwnedFd, Failed> {
        if let Some(socket) = self.given.remove(address) {
            self.adopted.insert(address.clone());
            return Ok(socket);
        }
        loop {
            match open() {
                Err(e) if e.kind() == io::ErrorKind::AddrInUse && self.tries > 0 => {
                    self.tries -= 1;
                    std::thread::sleep(PAUSE);
                }
                opened => return opened.map_err(|e| Failed::new("bind", address, e)),
            }
        }
    }
}

/// What the web of a configuration needs: with `reuseport` one socket for each worker's slot.
pub fn add_web(wanted: &mut Wanted, deployment: &Deployment) {
    for listening in &deployment.listeners {
        let count = if listening.reuseport { workers(deployment).max(1) as usize } else { 1 };
        let known = wanted.entry(address(&listening.address)).or_default();
        *known = count.max(*known);
    }
}

fn address(configured: &config::Address) -> Address {
    match configured {
        config::Address::Inet(address) => Address::Inet(*address),
        config::Address::Unix(path) => Address::Unix(path.clone()),
    }
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
        keep_idle: wanted.keep_idle,
        keep_interval: wanted.keep_interval,
        keep_count: wanted.keep_count,
        // nginx gives a deferred connection 1 s (ngx_connection.c).
        deferred: wanted.deferred.then_some(Duration::from_secs(1)),
        fastopen: wanted.fastopen.and_then(|queue| u32::try_from(queue).ok()),
        // nginx: whoever may reach the directory may connect.
        mode: Some(0o666),
        owner: None,
    }
}
