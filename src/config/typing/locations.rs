//! `location` blocks: what they match, what may be in what, and their settings.

use std::collections::HashSet;
use std::sync::Arc;

use super::http::{program, quoted};
use super::level::Block;
use super::{Typist, lines_of};
use crate::Context;
use crate::model::{Location, Locations, Matcher, Settings};
use crate::syntax::Line;
use crate::value::{Complaint, Regex};

/// How a location's path is compared, and the path.
enum Form<'a> {
    Exact(&'a [u8]),
    Prefix(&'a [u8]),
    Stops(&'a [u8]),
    Regex(&'a [u8], bool),
    Named(&'a [u8]),
}

/// The forms of `ngx_http_core_location`: a modifier by itself, or glued to the path.
fn form(line: &Line) -> Option<Form<'_>> {
    if line.arguments().len() == 2 {
        let path = line.argument(1);
        return match line.argument(0) {
            b"=" => Some(Form::Exact(path)),
            b"^~" => Some(Form::Stops(path)),
            b"~" => Some(Form::Regex(path, false)),
            b"~*" => Some(Form::Regex(path, true)),
            _ => None,
        };
    }
    let word = line.argument(0);
    Some(match word {
        [b'=', path @ ..] => Form::Exact(path),
        [b'^', b'~', path @ ..] => Form::Stops(path),
        [b'~', b'*', path @ ..] => Form::Regex(path, true),
        [b'~', path @ ..] => Form::Regex(path, false),
        [b'@', ..] => Form::Named(word),
        path => Form::Prefix(path),
    })
}

/// The regular expression of a location, and whether it is without case.
pub(super) fn pattern(line: &Line) -> Option<(&[u8], bool)> {
    match form(line) {
        Some(Form::Regex(pattern, caseless)) => Some((pattern, caseless)),
        _ => None,
    }
}

impl<'a> Typist<'a> {
    /// The locations among these blocks; `outer` is the location that they stand in.
    pub fn locations(
        &mut self,
        blocks: &[&'a Line],
        settings: &Settings,
        outer: Option<&Matcher>,
    ) -> Locations {
        let mut all: Vec<Arc<Location>> = vec![];
        let mut taken = HashSet::new();
        for block in blocks.iter().filter(|block| block.name() == b"location") {
            let Some(matcher) = self.matcher(block) else { continue };
            if let Some(complaint) = outer.and_then(|outer| misplaced(&matcher, outer)) {
                self.complain(complaint.at(block.words.len() - 1), block);
                continue;
            }
            if !identity(&matcher).is_none_or(|path| taken.insert(path)) {
                let message = format!("duplicate location {}", quoted(matcher.name()));
                self.complain(Complaint::new(message).at(block.words.len() - 1).late(), block);
            }
            all.push(Arc::new(self.location(block, matcher, settings)));
        }
        Locations::of(all)
    }

    fn matcher(&mut self, block: &Line) -> Option<Matcher> {
        let result = match form(block) {
            None => {
                let modifier = quoted(block.argument(0));
                Err(Complaint::new(format!("invalid location modifier {modifier}"))
                    .at(1)
                    .hint("one of =, ^~, ~ and ~*"))
            }
            Some(Form::Exact(path)) => Ok(Matcher::Exact(path.to_vec())),
            Some(Form::Prefix(path)) => Ok(Matcher::Prefix { path: path.to_vec(), stops: false }),
            Some(Form::Stops(path)) => Ok(Matcher::Prefix { path: path.to_vec(), stops: true }),
            Some(Form::Named(name)) => Ok(Matcher::Named(name.to_vec())),
            Some(Form::Regex(pattern, caseless)) => {
                let mut scope = self.scope(Context::Location);
                Regex::compile(pattern, caseless, &mut scope)
                    .map(Matcher::Regex)
                    .map_err(|complaint| complaint.at(block.words.len() - 1))
            }
        };
        result.map_err(|complaint| self.complain(complaint, block)).ok()
    }

    fn location(&mut self, block: &'a Line, matcher: Matcher, outer: &Settings) -> Location {
        let mut settings = self.entered(outer, Context::Location);
        let inside = Block { matcher: Some(matcher.clone()), ..Block::of(Context::Location) };
        let blocks = self.own_lines(lines_of(block), &inside, &mut settings.sections());
        let locations = self.locations(&blocks, &settings, Some(&matcher));
        let rewrite = program(&settings);
        Location { matcher, settings, rewrite, locations, place: self.tree.place(block) }
    }
}

/// nginx's rules about locations in locations.
fn misplaced(inner: &Matcher, outer: &Matcher) -> Option<Complaint> {
    let (own, around) = (quoted(inner.name()), quoted(outer.name()));
    let message = match (inner, outer) {
        (_, Matcher::Exact(_)) => {
            format!("location {own} cannot be inside the exact location {around}")
        }
        (_, Matcher::Named(_)) => {
            format!("location {own} cannot be inside the named location {around}")
        }
        (Matcher::Named(_), _) => {
            format!("named location {own} can be on the server level only")
        }
        (Matcher::Regex(_), _) => return None,
        (inner, outer) if inner.name().starts_with(outer.name()) => return None,
        _ => format!("location {own} is outside location {around}"),
    };
    Some(Complaint::new(message))
}

/// What two locations of one level may not have in common: the path, and whether it is exact. Equal
/// regular expressions are not noticed, as in nginx.
fn identity(matcher: &Matcher) -> Option<(bool, Vec<u8>)> {
    match matcher {
        Matcher::Exact(path) => Some((true, path.clone())),
        Matcher::Prefix { path, .. } => Some((false, path.clone())),
        Matcher::Regex(_) | Matcher::Named(_) => None,
    }
}
