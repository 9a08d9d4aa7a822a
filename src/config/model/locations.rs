//! Locations, and which one a path belongs to: nginx's `ngx_http_core_find_location` as a pure
//! function.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Captures, Program, Settings, TooHard};
use crate::syntax::Place;
use crate::value::Regex;

/// A `location` block.
#[derive(Debug, Clone)]
pub struct Location {
    /// What it matches.
    pub matcher: Matcher,
    /// Its settings.
    pub settings: Settings,
    /// What is run in it.
    pub rewrite: Program,
    /// The locations in it.
    pub locations: Locations,
    /// Where it stands.
    pub place: Place,
}

/// What a location matches.
#[derive(Debug, Clone, PartialEq)]
pub enum Matcher {
    /// `= path`: the whole path.
    Exact(Vec<u8>),
    /// The beginning of the path.
    Prefix {
        /// The beginning.
        path: Vec<u8>,
        /// `^~`: no regular expression is tried when this is the longest.
        stops: bool,
    },
    /// `~` and `~*`.
    Regex(Regex),
    /// `@name`, with its `@`: by name only.
    Named(Vec<u8>),
}

/// The locations of a server or of a location.
#[derive(Debug, Clone, Default)]
pub struct Locations {
    exact: HashMap<Vec<u8>, Arc<Location>>,
    /// Sorted by path, so that the longest beginning is found from the end.
    prefixes: Vec<Arc<Location>>,
    regexes: Vec<Arc<Location>>,
    named: HashMap<Vec<u8>, Arc<Location>>,
    /// Those that end with a slash and pass requests on, sorted by path: a path that lacks the
    /// slash is redirected.
    slashed: Vec<Arc<Location>>,
    /// All of them, in the order of the file.
    all: Vec<Arc<Location>>,
}

/// Where a path leads.
#[derive(Debug, Clone)]
pub enum Found {
    /// To no location: the server's own settings hold.
    Server,
    /// To a location; with what its regular expression matched, where it has one.
    Location(Arc<Location>, Option<Captures>),
    /// To a redirect: the path lacks the slash of this location, which passes requests on (301,
    /// with the arguments).
    AddSlash(Arc<Location>),
}

impl Matcher {
    /// The bytes that a path must have, for locations without a regular expression.
    pub fn literal(&self) -> Option<&[u8]> {
        match self {
            Matcher::Exact(path) | Matcher::Prefix { path, .. } => Some(path),
            Matcher::Regex(_) | Matcher::Named(_) => None,
        }
    }

    /// What an alias replaces: nothing in particular for a regular expression; a named location can
    /// have none.
    pub(crate) fn alias_length(&self) -> Option<&[u8]> {
        match self {
            Matcher::Exact(path) | Matcher::Prefix { path, .. } => Some(path),
            Matcher::Regex(_) => Some(b""),
            Matcher::Named(_) => None,
        }
    }

    /// The location's name as nginx's messages have it.
    pub fn name(&self) -> &[u8] {
        match self {
            Matcher::Exact(path) | Matcher::Prefix { path, .. } | Matcher::Named(path) => path,
            Matcher::Regex(regex) => regex.text(),
        }
    }
}

/// What a search in one level of locations gave.
enum Search {
    /// Nothing, or a beginning that an outer regular expression may still beat.
    Again(Option<Arc<Location>>),
    /// The end of the search.
    Done(Found),
}

impl Locations {
    /// Locations in the order of the file. Of two for the same path the first is kept; the typing
    /// tells the second.
    pub(crate) fn of(all: Vec<Arc<Location>>) -> Locations {
        let mut locations = Locations::default();
        for location in &all {
            let own = location.clone();
            match &location.matcher {
                Matcher::Exact(path) => drop(locations.exact.entry(path.clone()).or_insert(own)),
                Matcher::Named(name) => drop(locations.named.entry(name.clone()).or_insert(own)),
                Matcher::Prefix { .. } => locations.prefixes.push(own),
                Matcher::Regex(_) => locations.regexes.push(own),
            }
        }
        locations.prefixes.sort_by(|a, b| a.matcher.name().cmp(b.matcher.name()));
        locations.prefixes.dedup_by(|a, b| a.matcher.name() == b.matcher.name());
        let literal = locations.prefixes.iter().chain(locations.exact.values());
        locations.slashed = literal
            .filter(|location| location.matcher.name().ends_with(b"/") && location.passes_on())
            .cloned()
            .collect();
        locations.slashed.sort_by(|a, b| unslashed(a).cmp(unslashed(b)));
        locations.all = all;
        locations
    }

    /// All locations of this level, in the order of the file.
    pub fn all(&self) -> &[Arc<Location>] {
        &self.all
    }

    /// The location that a decoded, normalised path belongs to.
    pub fn locate(&self, path: &[u8]) -> Result<Found, TooHard> {
        Ok(match self.search(path)? {
            Search::Done(found) => found,
            Search::Again(Some(location)) => Found::Location(location, None),
            Search::Again(None) => Found::Server,
        })
    }

    /// The named location, by its name with the `@`.
    pub fn named(&self, name: &[u8]) -> Option<&Arc<Location>> {
        self.named.get(name)
    }

    /// One level: exact, else the longest beginning, then what is nested in it, then this level's
    /// regular expressions.
    fn search(&self, path: &[u8]) -> Result<Search, TooHard> {
        if let Some(location) = self.exact.get(path) {
            return Ok(Search::Done(Found::Location(location.clone(), None)));
        }
        let longest = self.longest(path);
        let is_whole = longest.is_some_and(|location| location.matcher.name() == path);
        if !is_whole && let Some(location) = self.lacks_a_slash(path) {
            return Ok(Search::Done(Found::AddSlash(location.clone())));
        }
        let mut best = None;
        let mut regexes_too = true;
        if let Some(location) = longest {
            regexes_too = !matches!(location.matcher, Matcher::Prefix { stops: true, .. });
            best = Some(location.clone());
            match location.locations.search(path)? {
                Search::Done(found) => return Ok(Search::Done(found)),
                Search::Again(Some(inner)) => best = Some(inner),
                Search::Again(None) => {}
            }
        }
        if regexes_too && let Some(found) = self.first_regex(path)? {
            return Ok(Search::Done(found));
        }
        Ok(Search::Again(best))
    }

    /// The longest prefix location. Walks back from the place where the path would stand: every
    /// beginning of it is before, and each step leaves the common part shorter.
    fn longest(&self, path: &[u8]) -> Option<&Arc<Location>> {
        let mut end = self.prefixes.partition_point(|location| location.matcher.name() <= path);
        while end > 0 {
            let location = &self.prefixes[end - 1];
            let name = location.matcher.name();
            if path.starts_with(name) {
                return Some(location);
            }
            // Everything longer than what this one has in common with the path is no beginning of
            // it either.
            let common = name.iter().zip(path).take_while(|(a, b)| a == b).count();
            let limit = &path[..common];
            end = self.prefixes[..end].partition_point(|other| other.matcher.name() <= limit);
        }
        None
    }

    fn lacks_a_slash(&self, path: &[u8]) -> Option<&Arc<Location>> {
        let found = self.slashed.binary_search_by(|location| unslashed(location).cmp(path));
        found.ok().map(|index| &self.slashed[index])
    }

    fn first_regex(&self, path: &[u8]) -> Result<Option<Found>, TooHard> {
        for location in &self.regexes {
            let Matcher::Regex(regex) = &location.matcher else { continue };
            let Some(captures) = regex.captures(path)? else { continue };
            return Ok(Some(match location.locations.search(path)? {
                // nginx forgets the redirect here and serves the location.
                Search::Done(Found::AddSlash(inner)) => Found::Location(inner, Some(captures)),
                Search::Done(found) => found,
                Search::Again(Some(inner)) => Found::Location(inner, Some(captures)),
                Search::Again(None) => Found::Location(location.clone(), Some(captures)),
            }));
        }
        Ok(None)
    }
}

/// A location's path without the slash at its end.
fn unslashed(location: &Location) -> &[u8] {
    let name = location.matcher.name();
    name.strip_suffix(b"/").unwrap_or(name)
}

impl Location {
    /// Whether it passes requests on to a fixed place: then a path that lacks only the slash is
    /// redirected to it.
    fn passes_on(&self) -> bool {
        use crate::value::UwsgiPass;
        matches!(self.settings.uwsgi.uwsgi_pass, Some(UwsgiPass::To(_)))
    }
}
