//! The life of a request, in one screen.

pub mod access;
pub mod error_page;
pub mod filter;
pub mod rewrite;
pub mod route;

use crate::client::send;
use crate::content;
use crate::exchange::Exchange;
use crate::exit::{Exit, Reroute, Status, To};
use crate::log;
use crate::page;
use crate::refusal::Refusal;
use crate::reply::Reply;

/// Where a pass through the phases begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// At the server's rewrite.
    Start,
    /// At the search for a location.
    Search,
    /// At the location's rewrite: it is known already.
    Located,
}

/// Answers one request. Whatever happens, one reply is sent and one line is logged, after its last
/// byte. A request that could not be read begins with the reason for that.
pub async fn serve(exchange: &mut Exchange, unreadable: Option<Refusal>) {
    let begun = {
        let mut reply = decide(exchange, unreadable).await;
        filter::apply(exchange, &mut reply);
        send::begin(exchange, reply)
    };
    if let Some(rest) = begun {
        send::send(exchange, rest).await;
    }
    exchange.upstream.give_back(&mut exchange.body);
    log::access(exchange);
}

/// Logs a request whose head never came to its end.
pub fn abandon(exchange: &mut Exchange, refusal: &Refusal) {
    note(exchange, refusal);
    exchange.sent.status = if refusal.status() == 499 { 400 } else { refusal.status() };
    log::access(exchange);
}

async fn decide(exchange: &mut Exchange, unreadable: Option<Refusal>) -> Reply {
    let mut from = Entry::Start;
    let mut failed = match unreadable {
        Some(refusal) => Some(refusal),
        None => route::enter(exchange).err(),
    };
    for _ in 0..=MAX_TURNS {
        let exit = match failed.take() {
            Some(refusal) => Exit::Refuse(refusal),
            None => match pass(exchange, from).await {
                Ok(reply) => return reply,
                Err(exit) => exit,
            },
        };
        let way = match exit {
            Exit::Reply(reply) => return *reply,
            Exit::Reroute(way) => way,
            Exit::Refuse(refusal) => {
                note(exchange, &refusal);
                exchange.close |= refusal.ends_connection();
                match error_page::find(exchange, &refusal) {
                    Some(Exit::Reroute(way)) => way,
                    Some(Exit::Reply(reply)) => return *reply,
                    _ => {
                        // A page that fails answers with its own status, not with the one that
                        // the error page was to have.
                        exchange.forced_status = None;
                        return page::of(exchange, &refusal);
                    }
                }
            }
        };
        match follow(exchange, way) {
            Ok(entry) => from = entry,
            Err(refusal) => failed = Some(refusal),
        }
    }
    note(exchange, &Refusal::TooManyTurns);
    exchange.forced_status = None;
    page::of(exchange, &Refusal::TooManyTurns)
}

/// The phases, in the order in which they run.
async fn pass(exchange: &mut Exchange, from: Entry) -> Result<Reply, Exit> {
    if from <= Entry::Start {
        rewrite::in_server(exchange)?;
    }
    if from <= Entry::Search {
        route::locate(exchange)?;
    }
    rewrite::in_location(exchange)?;
    let mut reply = content::produce(exchange).await?;
    filter::conditions(exchange, &mut reply)?;
    filter::apply(exchange, &mut reply);
    filter::ranges(exchange, &mut reply)?;
    Ok(reply)
}

/// Turns a request to where it goes on.
fn follow(exchange: &mut Exchange, way: Reroute) -> Result<Entry, Refusal> {
    if let Some(status) = way.status {
        exchange.forced_status = match status {
            Status::Fixed(status) => Some(status),
            Status::Handler => None,
        };
    }
    if way.as_get {
        exchange.become_get();
    }
    match way.to {
        To::Search => Ok(Entry::Search),
        To::Uri { uri, args } => {
            if !wire::path::is_safe(&uri) {
                return Err(Refusal::BadPath);
            }
            exchange.uri = uri;
            exchange.args = args;
            exchange.internal = true;
            exchange.location = None;
            Ok(Entry::Start)
        }
        To::Named(name) => {
            let Some(location) = exchange.server.locations.named(&name) else {
                return Err(Refusal::NoLocation(name));
            };
            exchange.location = Some(location.clone());
            exchange.internal = true;
            Ok(Entry::Located)
        }
    }
}

/// Writes a refusal to the error log: cause, evidence, remedy.
fn note(exchange: &Exchange, refusal: &Refusal) {
    let Some(level) = refusal.level() else { return };
    if refusal.is_missing_file() && !exchange.settings().static_files.log_not_found {
        return;
    }
    log::error(exchange, level, &refusal.to_string());
}

/// nginx's limit on internal redirects, error pages, index files and the like.
const MAX_TURNS: usize = 10;
