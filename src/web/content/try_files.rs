//! `try_files`: the first of several paths that is there becomes the request's.

use config::value::{Candidate, TryLast};

use crate::exchange::Exchange;
use crate::exit::{Exit, Reroute};
use crate::refusal::Refusal;
use crate::variable;

use super::path;

/// Looks for the candidates, if the location has any. The uri becomes the one that was found, and
/// the request stays in its location; when none is there, the last word of the directive says where
/// it goes.
pub fn choose(exchange: &mut Exchange) -> Result<(), Exit> {
    let settings = exchange.settings().static_files.clone();
    let Some(wanted) = &settings.try_files else { return Ok(()) };
    for candidate in &wanted.candidates {
        if let Some(uri) = look(exchange, candidate)? {
            exchange.uri = uri;
            return Ok(());
        }
    }
    match &wanted.last {
        TryLast::Status(status) => Err(Refusal::Asked(*status).into()),
        TryLast::Named(name) => Err(Reroute::named(name).into()),
        TryLast::Uri(text) => {
            let mut uri = Vec::new();
            variable::write(exchange, text, &mut uri);
            let args = match memchr::memchr(b'?', &uri) {
                Some(at) => {
                    let args = uri[at + 1..].to_vec();
                    uri.truncate(at);
                    args
                }
                // As in nginx: arguments that are wanted behind must be written.
                None => Vec::new(),
            };
            Err(Reroute::uri(uri, args).into())
        }
    }
}

/// The uri of a candidate that is there.
fn look(exchange: &Exchange, candidate: &Candidate) -> Result<Option<Vec<u8>>, Refusal> {
    let mut uri = Vec::new();
    variable::write(exchange, &candidate.path, &mut uri);
    if let Some(literal) = &exchange.settings().static_files.root.alias {
        // Under an alias a candidate is a path behind it; one whose variables name the location's
        // part is taken as if they did not.
        let names_it = candidate.path.literal().is_none() && uri.starts_with(literal);
        if !literal.is_empty() && !names_it {
            uri.splice(0..0, literal.iter().copied());
        }
    }
    // Variables may have brought anything.
    if !uri.is_empty() && uri.first() != Some(&b'/') {
        uri.insert(0, b'/');
    }
    if !uri.is_empty() && !wire::path::is_safe(&uri) {
        return Ok(None);
    }
    let mut name = Vec::new();
    path::map(exchange, &uri, &mut name)?;
    match sys::file::statx(path::of(&name)) {
        Ok(meta) if meta.is_dir() == candidate.directory => {
            // The slash that marks a directory is no part of the uri: what was asked for without
            // its slash is redirected, so that relative links in its index lead where they should.
            if uri.is_empty() {
                uri.push(b'/');
            }
            Ok(Some(uri))
        }
        _ => Ok(None),
    }
}
