//! What a configuration means: values that the web worker and the master obey without asking again.

mod hosts;
mod locations;
mod settings;

use std::sync::Arc;

use crate::section;
use crate::syntax::Place;
use crate::value::{Address, CaptureId, ListenOptions, LogFormat, Peer, Return, ServerName};

pub use hosts::{Bound, Chosen, Hosts};
pub use locations::{Found, Location, Locations, Matcher};
pub use settings::Settings;

pub(crate) use hosts::HostTable;

/// A whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The main level.
    pub main: section::Main,
    /// Where `user` stands.
    pub user_place: Option<Place>,
    /// `events { }`.
    pub events: section::Events,
    /// The apps.
    pub apps: Vec<App>,
    /// `http { }`, where there is one.
    pub http: Option<Http>,
    /// The fingerprint of what web workers read.
    pub web_print: u64,
}

/// An `app` block.
#[derive(Debug, Clone)]
pub struct App {
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub settings: section::App,
}

/// `http { }`.
#[derive(Debug, Clone)]
pub struct Http {
    /// The servers, in the order of the file.
    pub servers: Vec<Arc<Server>>,
    /// Upstream blocks, apps, and addresses named in place; an upstream's `index` is its place
    /// here.
    pub upstreams: Vec<Arc<Upstream>>,
    /// The sockets to listen on.
    pub listeners: Vec<Listener>,
    /// The log formats that are used or defined.
    pub log_formats: Vec<Arc<LogFormat>>,
    /// The names of named captures; a capture's id is its index here.
    pub captures: Vec<Arc<str>>,
    /// The settings of the level itself, which servers started from.
    pub settings: Settings,
}

/// A `server` block of http.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its place in [`Http::servers`].
    pub index: usize,
    /// Its names, the first one first; never empty.
    pub names: Vec<ServerName>,
    /// What holds where no location is.
    pub settings: Settings,
    /// What is run before a location is searched.
    pub rewrite: Program,
    /// Its locations.
    pub locations: Locations,
    /// Where it stands.
    pub place: Place,
}

/// A group of servers that requests are passed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its place in [`Http::upstreams`].
    pub index: usize,
    /// Its name; for an address in place, the address as it was written.
    pub name: Arc<str>,
    /// What it is.
    pub kind: UpstreamKind,
    /// Its servers. An app has none here: where its socket is, the order of the web worker says.
    pub peers: Vec<Peer>,
}

/// What an upstream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamKind {
    /// An `upstream` block.
    Block,
    /// An app of this configuration: it always gets the standard parameters.
    App,
    /// An address in place.
    Literal,
}

/// A socket to listen on, and who answers there.
#[derive(Debug, Clone)]
pub struct Listener {
    /// The address that is bound.
    pub address: Address,
    /// The socket's options.
    pub options: ListenOptions,
    /// Who answers on connections to the address.
    pub hosts: Hosts,
    /// For a wildcard: who answers on connections to one of these addresses, which have no socket
    /// of their own.
    pub specific: Vec<Bound>,
}

/// What is run before a location is searched, or in it, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Program {
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Ends the request.
    Return(Return),
}

/// What a regular expression matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captures {
    /// What it was matched with.
    pub subject: Vec<u8>,
    /// The groups, the whole match first; none for a group that took no part.
    pub spans: Vec<Option<(usize, usize)>>,
    /// The named groups: the group and the id of its name.
    pub names: Arc<[(usize, CaptureId)]>,
}

/// A regular expression took more steps than it may: the request is answered with 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooHard;

impl std::fmt::Display for TooHard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("regular expression took too many steps")
    }
}

impl std::error::Error for TooHard {}

impl Captures {
    /// What a group matched; empty when it took no part.
    pub fn group(&self, group: usize) -> &[u8] {
        match self.spans.get(group) {
            Some(Some((from, to))) => self.subject.get(*from..*to).unwrap_or_default(),
            _ => b"",
        }
    }

    /// What a named group matched, when this expression has it.
    pub fn named(&self, id: CaptureId) -> Option<&[u8]> {
        let group = self.names.iter().find(|(_, name)| *name == id).map(|(group, _)| *group)?;
        Some(self.group(group))
    }
}

impl Http {
    /// The upstream or app with this name, compared without case: for `uwsgi_pass` with variables.
    pub fn upstream(&self, name: &[u8]) -> Option<&Arc<Upstream>> {
        self.upstreams.iter().find(|upstream| {
            upstream.kind != UpstreamKind::Literal
                && upstream.name.as_bytes().eq_ignore_ascii_case(name)
        })
    }
}
