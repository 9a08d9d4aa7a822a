//! The rewrite program of a server and of a location, in the order of the file. So far it knows
//! `return`.

use config::value::{Return, Text};
use config::{Program, Step};

use crate::content::files::content_type;
use crate::exchange::Exchange;
use crate::exit::Exit;
use crate::page;
use crate::refusal::Refusal;
use crate::reply::{Body, Reply};
use crate::variable;

/// Runs the server's program.
pub fn in_server(exchange: &mut Exchange) -> Result<(), Exit> {
    let server = exchange.server.clone();
    run(exchange, &server.rewrite)
}

/// Runs the location's program, if there is a location.
pub fn in_location(exchange: &mut Exchange) -> Result<(), Exit> {
    match exchange.location.clone() {
        Some(location) => run(exchange, &location.rewrite),
        None => Ok(()),
    }
}

fn run(exchange: &Exchange, program: &Program) -> Result<(), Exit> {
    match program.steps.first() {
        Some(Step::Return(answer)) => Err(self::answer(exchange, answer)),
        None => Ok(()),
    }
}

/// What `return` comes to: codes from 400 on alone go through error_page, everything else is an
/// answer as it is.
fn answer(exchange: &Exchange, answer: &Return) -> Exit {
    match answer {
        Return::Close => Reply::new(444).into(),
        Return::Status(status) if *status >= 400 => Refusal::Asked(*status).into(),
        Return::Status(status) if page::is_redirect(*status) => {
            page::redirect(exchange, *status).into()
        }
        Return::Status(status) => text(exchange, *status, &[]).into(),
        Return::Text { status, text } => {
            self::text(exchange, *status, &value(exchange, text)).into()
        }
        Return::Redirect { status, to } => {
            let mut reply = page::redirect(exchange, *status);
            reply.location = Some(value(exchange, to).into());
            reply.into()
        }
    }
}

fn text(exchange: &Exchange, status: u16, text: &[u8]) -> Reply {
    let mut reply = Reply::new(status);
    reply.content_type = Some(content_type(&exchange.settings().types, &exchange.uri));
    if !text.is_empty() {
        reply.body = Body::Bytes(text.to_vec().into());
    }
    reply
}

fn value(exchange: &Exchange, text: &Text) -> Vec<u8> {
    let mut value = Vec::new();
    variable::write(exchange, text, &mut value);
    value
}
