//! What readers of values know and what they say: the scope, and the complaint.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{LogFormat, Regex};
use crate::Context;
use crate::model::{Matcher, Upstream};
use crate::syntax::{Line, Tree};

/// What a reader may look at while it reads a value.
pub struct Scope<'a> {
    /// The tree that is read.
    pub tree: &'a Tree,
    /// The kind of block that the line stands in.
    pub context: Context,
    /// What earlier lines defined.
    pub(crate) registry: &'a mut Registry,
    /// Remarks that do not make the value unusable.
    pub(crate) warnings: Vec<Complaint>,
    /// In a location: what it matches.
    pub(crate) location: Option<Matcher>,
    /// In an app: the directory that its relative paths start from.
    pub(crate) chdir: PathBuf,
}

/// What is defined once for the whole configuration and named elsewhere.
#[derive(Default)]
pub(crate) struct Registry {
    /// The names of all named captures, lower case; a capture's id is its index.
    pub captures: Catalogue<Arc<str>>,
    /// The log formats, with the order of their lines.
    pub formats: Catalogue<(u32, Arc<LogFormat>)>,
    /// Upstreams by name in lower case: blocks, apps, and addresses written in place.
    pub upstreams: Catalogue<Arc<Upstream>>,
    /// The buffers of access logs by path: one file has one buffer, whoever names it.
    pub buffers: HashMap<Vec<u8>, (u64, Option<Duration>)>,
    /// Variables that refused lines define: to miss them too would only repeat the complaint.
    pub refused: HashSet<String>,
    /// Regular expressions that were compiled before, by text and case.
    pub regexes: BTreeMap<(Vec<u8>, bool), Regex>,
}

/// Things in the order in which they were defined, found by name.
pub(crate) struct Catalogue<T> {
    all: Vec<T>,
    places: HashMap<Vec<u8>, usize>,
}

impl<T> Default for Catalogue<T> {
    fn default() -> Self {
        Catalogue { all: vec![], places: HashMap::new() }
    }
}

impl<T> Catalogue<T> {
    /// All things, in their order.
    pub fn all(&self) -> &[T] {
        &self.all
    }

    /// The place of the thing with this name.
    pub fn place(&self, name: &[u8]) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// The thing with this name.
    pub fn find(&self, name: &[u8]) -> Option<&T> {
        self.place(name).map(|place| &self.all[place])
    }

    /// Adds a thing and gives back its place.
    pub fn add(&mut self, name: &[u8], thing: T) -> usize {
        self.places.insert(name.to_vec(), self.all.len());
        self.all.push(thing);
        self.all.len() - 1
    }
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// nginx's message without the place.
    pub message: String,
    /// The word that is meant, counted from the name.
    pub word: usize,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether nginx finds it after the whole file.
    pub late: bool,
    /// Whether nginx names no place.
    pub nowhere: bool,
}

impl Complaint {
    /// A complaint about the whole line.
    pub fn new(message: impl Into<String>) -> Self {
        Complaint { message: message.into(), word: 0, hint: None, late: false, nowhere: false }
    }

    /// `"NAME" directive WHAT`, nginx's form for what a reader of a value returns.
    pub fn of(line: &Line, what: &str) -> Self {
        Complaint::new(format!("\"{}\" directive {what}", line.name_text()))
    }

    /// `"NAME" directive invalid value`, at the first argument.
    pub fn invalid(line: &Line) -> Self {
        Complaint::of(line, "invalid value").at(1)
    }

    /// A name that no table has.
    pub fn unknown(line: &Line) -> Self {
        Complaint::new(format!("unknown directive \"{}\"", line.name_text()))
    }

    /// The same, about this word (0 is the name).
    pub fn at(mut self, word: usize) -> Self {
        self.word = word;
        self
    }

    /// The same with a remedy.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, found after the whole file.
    pub fn late(mut self) -> Self {
        self.late = true;
        self
    }

    /// The same, without a place in nginx's line.
    pub fn nowhere(mut self) -> Self {
        self.nowhere = true;
        self
    }
}

impl<'a> Scope<'a> {
    pub(crate) fn new(tree: &'a Tree, context: Context, registry: &'a mut Registry) -> Self {
        let (warnings, chdir) = (vec![], tree.conf_prefix.clone());
        Scope { tree, context, registry, warnings, location: None, chdir }
    }

    /// A path that the prefix completes.
    pub fn under_prefix(&self, path: &Path) -> PathBuf {
        self.tree.under_prefix(path)
    }

    /// The addresses of a host name, as they were when the configuration was read.
    pub fn addresses_of(&self, host: &str) -> &[IpAddr] {
        self.tree.hosts.get(host).map_or(&[], Vec::as_slice)
    }

    /// Notes something that deserves a warning.
    pub fn warn(&mut self, complaint: Complaint) {
        self.warnings.push(complaint);
    }
}
