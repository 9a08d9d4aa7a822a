//! `error_page`: what is shown in the place of a refusal.

use config::value::{ErrorPage, ErrorTarget, PageStatus};

use crate::exchange::Exchange;
use crate::exit::{Exit, Reroute, Status, To};
use crate::page;
use crate::refusal::Refusal;
use crate::variable;

/// The way to the page for a refusal, or the redirect that stands for it. `None`: the built-in
/// page.
///
/// Looked up where the request failed, and only once for a request unless `recursive_error_pages`
/// is on.
pub fn find(exchange: &mut Exchange, refusal: &Refusal) -> Option<Exit> {
    if matches!(refusal, Refusal::ClientGone) {
        return None;
    }
    let settings = exchange.settings().errors.clone();
    if exchange.error_page && !settings.recursive_error_pages {
        return None;
    }
    let status = refusal.status();
    let page = settings.error_page.iter().find(|page| page.statuses.contains(&status))?;
    exchange.error_page = true;
    if matches!(refusal, Refusal::TooLarge { .. } | Refusal::BadBody(_) | Refusal::BodyTimeout) {
        // Whoever makes the page does not get what was refused.
        exchange.body.give_up();
    }
    Some(lead(exchange, page, status))
}

/// Whether a page exists here for this status: an app's answer is then replaced, with
/// `uwsgi_intercept_errors`.
pub fn applies(exchange: &Exchange, status: u16) -> bool {
    let errors = &exchange.settings().errors;
    (!exchange.error_page || errors.recursive_error_pages)
        && errors.error_page.iter().any(|page| page.statuses.contains(&status))
}

fn lead(exchange: &Exchange, page: &ErrorPage, status: u16) -> Exit {
    let answer = match page.answer {
        PageStatus::Kept => Status::Fixed(page::shown(status)),
        PageStatus::Fixed(status) => Status::Fixed(status),
        PageStatus::OfPage => Status::Handler,
    };
    let (to, as_get) = match &page.to {
        ErrorTarget::Named(name) => (To::Named(name.clone()), false),
        ErrorTarget::Uri(text) => {
            let mut uri = Vec::new();
            variable::write(exchange, text, &mut uri);
            (inside(uri), true)
        }
        ErrorTarget::Url(text) => {
            let mut location = Vec::new();
            variable::write(exchange, text, &mut location);
            // What begins with a variable shows only now what it is.
            match location.first() {
                Some(b'/') => {
                    return Reroute { to: inside(location), status: Some(answer), as_get: true }
                        .into();
                }
                Some(b'@') => {
                    return Reroute {
                        to: To::Named(location),
                        status: Some(answer),
                        as_get: false,
                    }
                    .into();
                }
                _ => {}
            }
            let status = match page.answer {
                PageStatus::Fixed(status) if page::is_redirect(status) => status,
                _ => 302,
            };
            let mut reply = page::redirect(exchange, status);
            reply.location = Some(location.into());
            return reply.into();
        }
    };
    Reroute { to, status: Some(answer), as_get }.into()
}

/// A uri of ours, with the arguments that are written behind it.
fn inside(mut uri: Vec<u8>) -> To {
    let args = match memchr::memchr(b'?', &uri) {
        Some(at) => uri.split_off(at)[1..].to_vec(),
        None => Vec::new(),
    };
    To::Uri { uri, args }
}
