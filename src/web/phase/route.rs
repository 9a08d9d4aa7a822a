//! Which server and which location a request belongs to.

use config::{Found, TooHard};
use wire::http1::target::Form;
use wire::http1::{Known, Version, host};

use super::access;
use crate::exchange::{Exchange, Method};
use crate::exit::Exit;
use crate::redirect;
use crate::refusal::Refusal;

/// Reads the request line and the Host field: method, path, arguments, server.
pub fn enter(exchange: &mut Exchange) -> Result<(), Refusal> {
    exchange.method = Method::of(exchange.request.method());
    read_host(exchange);
    choose_server(exchange)?;
    access::method(exchange)?;
    let target = exchange.request.head.target.of(&exchange.request.bytes);
    let path = match exchange.request.head.form {
        Form::Origin => target,
        Form::Absolute { path, .. } => path.of(target),
        // `OPTIONS *` asks about the server as a whole: it is taken to its root.
        Form::Asterisk => b"/",
        Form::Authority => return Err(Refusal::Method),
    };
    // nginx: the default server's, since the path is read before the host.
    let merge = exchange.client.default_server().settings.request_head.merge_slashes;
    let args =
        wire::path::normalise(path, merge, &mut exchange.uri).map_err(|_| Refusal::BadPath)?;
    exchange.args.clear();
    exchange.args.extend_from_slice(args);
    Ok(())
}

/// The host: of an absolute target, else of the Host field; lower case, without port and trailing
/// dot.
fn read_host(exchange: &mut Exchange) {
    let request = &exchange.request;
    let target = request.head.target.of(&request.bytes);
    let named = match request.head.form {
        Form::Absolute { host, .. } => Some(host.of(target)),
        _ => request.known(Known::Host),
    };
    exchange.host.clear();
    if let Some((name, _)) = named.and_then(host::split) {
        exchange.host.extend_from_slice(name);
        exchange.host.make_ascii_lowercase();
    }
}

fn choose_server(exchange: &mut Exchange) -> Result<(), Refusal> {
    if exchange.request.head.version == Version::Http09 {
        return Ok(());
    }
    let worker = exchange.worker.clone();
    let listener = &worker.http.listeners[exchange.client.listener.index];
    let local = match listener.specific.is_empty() {
        true => None,
        false => exchange.client.local().map(|address| address.ip()),
    };
    let chosen = listener.server_for(local, &exchange.host).map_err(too_hard)?;
    exchange.server = chosen.server.clone();
    if let Some(captures) = chosen.captures {
        exchange.captures.note(captures);
    }
    Ok(())
}

/// Finds the location of the uri as it is now.
pub fn locate(exchange: &mut Exchange) -> Result<(), Exit> {
    let found = exchange.server.locations.locate(&exchange.uri).map_err(too_hard)?;
    match found {
        Found::Server => exchange.location = None,
        Found::Location(location, captures) => {
            exchange.location = Some(location);
            if let Some(captures) = captures {
                exchange.captures.note(captures);
            }
        }
        Found::AddSlash(location) => {
            exchange.location = Some(location);
            return Err(redirect::to_directory(exchange).into());
        }
    }
    if exchange.settings().static_files.internal.0 && !exchange.internal {
        return Err(Refusal::Internal.into());
    }
    Ok(exchange.obey_body_rules()?)
}

fn too_hard(_: TooHard) -> Refusal {
    Refusal::Failed {
        doing: "regular expression",
        cause: "it took too many steps; a simpler one has fewer".to_owned(),
    }
}
