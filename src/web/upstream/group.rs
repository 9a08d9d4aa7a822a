//! Groups of servers, the apps of ours among them, and their state in this web worker.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use sys::socket::Address;
use wire::message::AppState;

use super::Policy;
use super::failure::{Failure, Whom};
use super::gate::Gate;
use super::peers::{Peers, Terms};

/// All groups that a web worker can ask, and what it knows of the apps.
#[derive(Debug)]
pub struct Upstreams {
    /// In the order of the configuration: `Upstream::index`.
    groups: Vec<Rc<Group>>,
    /// Groups of one address, for addresses that a request chose.
    literal: RefCell<HashMap<Address, Rc<Group>>>,
    apps: HashMap<Box<str>, Rc<App>>,
}

/// Servers that can stand in for each other.
#[derive(Debug)]
pub struct Group {
    /// Its name, or the address.
    pub name: Box<str>,
    pub(super) peers: Vec<Peer>,
    pub(super) state: RefCell<Peers>,
    /// The app of ours that it is.
    pub app: Option<Rc<App>>,
}

/// One server.
#[derive(Debug)]
pub struct Peer {
    pub(super) name: Rc<str>,
    pub(super) address: Address,
    pub(super) gate: Rc<Gate>,
}

/// An app of ours, as the master tells of it.
#[derive(Debug)]
pub struct App {
    name: Box<str>,
    state: RefCell<(AppState, Instant)>,
}

impl Upstreams {
    /// What the configuration names. `apps` are the sockets of our own apps.
    pub fn new(http: &config::Http, apps: &[(String, PathBuf)]) -> Upstreams {
        Upstreams::of(&http.upstreams, apps)
    }

    /// See [`Upstreams::new`].
    pub(super) fn of(upstreams: &[Arc<config::Upstream>], apps: &[(String, PathBuf)]) -> Upstreams {
        let mut gates = HashMap::new();
        let mut known = HashMap::new();
        for (name, _) in apps {
            let app = App {
                name: name[..].into(),
                // The master tells at once when it is otherwise; meanwhile requests wait in the
                // app's own queue.
                state: RefCell::new((AppState::Starting, Instant::now())),
            };
            known.insert(Box::from(&name[..]), Rc::new(app));
        }
        let groups = upstreams
            .iter()
            .map(|upstream| match apps.iter().find(|(name, _)| is_app(upstream, name)) {
                Some((name, path)) => {
                    let address = door(path);
                    let app = known.get(&name[..]).cloned();
                    Rc::new(Group::of_one(name, address, app, &mut gates))
                }
                None => Rc::new(Group::of(upstream, &mut gates)),
            })
            .collect();
        Upstreams { groups, literal: RefCell::default(), apps: known }
    }

    /// The group that the configuration has at this place.
    pub fn group(&self, index: usize) -> Option<&Rc<Group>> {
        self.groups.get(index)
    }

    /// The group or app with a name that a request made up (`uwsgi_pass $name;`).
    pub fn named(&self, name: &str) -> Option<Rc<Group>> {
        self.groups.iter().find(|group| group.name.eq_ignore_ascii_case(name)).cloned()
    }

    /// The server at an address that a request made up. Only so many are remembered: their number
    /// is not ours to choose.
    pub fn at(&self, address: Address) -> Rc<Group> {
        let mut literal = self.literal.borrow_mut();
        if let Some(group) = literal.get(&address) {
            return Rc::clone(group);
        }
        let name = address.to_string();
        let group = Rc::new(Group::of_one(&name, address.clone(), None, &mut HashMap::new()));
        if literal.len() >= MOST_LITERAL {
            literal.clear();
        }
        literal.insert(address, Rc::clone(&group));
        group
    }

    /// What the master says of an app.
    pub fn told(&self, name: &str, state: AppState) {
        if let Some(app) = self.apps.get(name) {
            app.state.replace((state, Instant::now()));
        }
    }
}

impl Group {
    fn of(upstream: &config::Upstream, gates: &mut Gates) -> Group {
        let (mut peers, mut terms) = (vec![], vec![]);
        for server in &upstream.peers {
            for address in &server.addresses {
                peers.push(Peer::new(address_of(address), gates));
                terms.push(Terms {
                    weight: server.weight,
                    max_fails: server.max_fails,
                    fail_timeout: server.fail_timeout,
                    max_conns: server.max_conns,
                    backup: server.backup,
                    down: server.down,
                });
            }
        }
        let state = RefCell::new(Peers::new(terms));
        Group { name: upstream.name[..].into(), peers, state, app: None }
    }

    fn of_one(name: &str, address: Address, app: Option<Rc<App>>, gates: &mut Gates) -> Group {
        Group {
            name: name.into(),
            peers: vec![Peer::new(address, gates)],
            state: RefCell::new(Peers::new([Terms::default()])),
            app,
        }
    }

    /// The next server that was not tried.
    pub(super) fn seat(self: &Rc<Self>, tried: &[usize]) -> Option<(usize, Seat)> {
        let index = self.state.borrow_mut().choose(tried, Instant::now())?;
        Some((index, Seat { group: Rc::clone(self), index }))
    }

    pub(super) fn has_more(&self, tried: &[usize], policy: &Policy, begun: Instant) -> bool {
        let servers = self.state.borrow().tries();
        let most = if policy.next_tries == 0 { servers } else { servers.min(policy.next_tries) };
        let in_time = policy.next_timeout.is_zero() || begun.elapsed() < policy.next_timeout;
        tried.len() < most && in_time
    }

    /// All failures count but 403 and 404 (nginx-semantics 16.3).
    pub(super) fn answered_badly(&self, index: usize, status: u16) {
        let mut state = self.state.borrow_mut();
        match status {
            403 | 404 => state.succeeded(index),
            _ => state.failed(index, Instant::now()),
        }
    }

    pub(super) fn is_up(&self) -> Result<(), Failure> {
        let Some(app) = &self.app else {
            return Ok(());
        };
        let state = app.state.borrow();
        match &*state {
            (AppState::Down { cause, retry }, since) => {
                Err(Failure::down(&app.name, cause, retry.saturating_sub(since.elapsed())))
            }
            (AppState::Starting | AppState::Up, _) => Ok(()),
        }
    }

    pub(super) fn whom(&self, index: usize) -> Whom<'_> {
        let peer = &self.peers[index];
        Whom {
            peer: &peer.name,
            path: match &peer.address {
                Address::Unix(path) => Some(path),
                Address::Inet(_) => None,
            },
            app: self.app.as_ref().map(|app| &*app.name),
        }
    }
}

/// The lines before sockets, by path.
type Gates = HashMap<PathBuf, Rc<Gate>>;

impl Peer {
    fn new(address: Address, gates: &mut Gates) -> Peer {
        let path = match &address {
            Address::Unix(path) => path.as_path(),
            Address::Inet(_) => Path::new(""),
        };
        let gate = Rc::clone(gates.entry(path.to_path_buf()).or_default());
        Peer { name: address.to_string().into(), address, gate }
    }
}

/// A place at a server, kept for as long as there is a connection to it.
#[derive(Debug)]
pub struct Seat {
    group: Rc<Group>,
    index: usize,
}

impl Seat {
    /// Whether it is at an app of ours.
    pub fn is_ours(&self) -> bool {
        self.group.app.is_some()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.group.state.borrow_mut().release(self.index);
        self.group.peers[self.index].gate.hint();
    }
}

/// Where an app listens: what is no absolute path is a TCP address (`socket 127.0.0.1:9000;`).
fn door(place: &Path) -> Address {
    match place.to_str().filter(|_| !place.is_absolute()).map(str::parse) {
        Some(Ok(address)) => Address::Inet(address),
        _ => Address::Unix(place.to_owned()),
    }
}

fn is_app(upstream: &config::Upstream, name: &str) -> bool {
    upstream.kind == config::UpstreamKind::App && *upstream.name == *name
}

fn address_of(address: &config::value::Address) -> Address {
    match address {
        config::value::Address::Inet(inet) => Address::Inet(*inet),
        config::value::Address::Unix(path) => Address::Unix(path.clone()),
    }
}

/// How many addresses that requests made up are remembered.
const MOST_LITERAL: usize = 256;
