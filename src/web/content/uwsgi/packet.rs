//! What an app is told of a request, in nginx's order: parameters, the host, the request's fields
//! (nginx-semantics 17.2).

use bytes::Bytes;
use config::section::Uwsgi;
use config::value::{UwsgiParam, Variable};
use wire::uwsgi::Packet;
use wire::uwsgi::packet::as_variable;

use crate::exchange::Exchange;
use crate::refusal::Refusal;
use crate::variable;

/// The packet of a request. To an app of ours the standard parameters are always sent.
pub fn of(exchange: &Exchange, settings: &Uwsgi, to_app: bool) -> Result<Bytes, Refusal> {
    let (first, second) = (settings.uwsgi_modifier1.0 as u8, settings.uwsgi_modifier2.0 as u8);
    let mut packet = Packet::new(first, second);
    let params = &settings.uwsgi_param[..];
    if to_app {
        add_standard(exchange, params, &mut packet);
    }
    let mut value = vec![];
    for param in params {
        // An HTTP_X with nothing behind it is only there to keep the client's field X away.
        if param.value.is_empty() && param.name.starts_with(b"HTTP_") {
            continue;
        }
        value.clear();
        variable::write(exchange, &param.value, &mut value);
        if !(param.if_not_empty && value.is_empty()) {
            packet.add(&param.name, &value);
        }
    }
    if !is_set(params, b"Host") {
        packet.add_written(b"HTTP_HOST", |to| {
            for part in [&Variable::Host, &Variable::IsRequestPort, &Variable::RequestPort] {
                variable::value(exchange, part, to);
            }
        });
    }
    if settings.uwsgi_pass_request_headers {
        add_fields(exchange, params, &mut packet);
    }
    packet.finish().map(Bytes::from).map_err(|too_big| Refusal::Upstream {
        status: 431,
        cause: format!(
            "{too_big}; that is the protocol's limit for fields and parameters together: \
             uwsgi_param with an empty value keeps a field away, large_client_header_buffers \
             refuses such heads sooner"
        ),
        retry_after: None,
    })
}

/// What a WSGI application relies on, as nginx's file uwsgi_params has it, and the id under which
/// the logs know the request.
fn add_standard(exchange: &Exchange, params: &[UwsgiParam], packet: &mut Packet) {
    for (name, variable) in &STANDARD {
        if params.iter().any(|param| param.name == name.as_bytes()) {
            continue;
        }
        match variable {
            Variable::Https => {} // Only sent when it is not empty, which takes TLS.
            Variable::Uri => packet.add(name.as_bytes(), path_info(exchange, params)),
            variable => packet.add_written(name.as_bytes(), |to| {
                variable::value(exchange, variable, to);
            }),
        }
    }
}

/// The path, less the SCRIPT_NAME that a uwsgi_param tells: what an application mounted there
/// expects (uWSGI calls it manage-script-name). A PATH_INFO that is written out in the
/// configuration is never touched.
fn path_info<'a>(exchange: &'a Exchange, params: &[UwsgiParam]) -> &'a [u8] {
    let uri = &exchange.uri[..];
    let Some(mount) = params.iter().find(|param| param.name == b"SCRIPT_NAME") else {
        return uri;
    };
    let mut name = vec![];
    variable::write(exchange, &mount.value, &mut name);
    behind(uri, &name)
}

/// What is behind a mount point, where a path is at or below it.
fn behind<'a>(uri: &'a [u8], mount: &[u8]) -> &'a [u8] {
    match uri.strip_prefix(mount) {
        Some(rest) if rest.is_empty() || rest.starts_with(b"/") => rest,
        _ => uri,
    }
}

/// The request's fields as HTTP_*, repeated ones joined where the first one stands.
fn add_fields(exchange: &Exchange, params: &[UwsgiParam], packet: &mut Packet) {
    for (index, (name, _)) in exchange.request.fields().enumerate() {
        let mut before = exchange.request.fields().take(index);
        if is_withheld(name) || is_set(params, name) || before.any(|(other, _)| same(other, name)) {
            continue;
        }
        let from_here = exchange.request.fields().skip(index);
        let values = from_here.filter(|(other, _)| same(other, name)).map(|(_, value)| value);
        packet.add_field(name, values);
    }
}

/// Host is sent apart. Proxy would become HTTP_PROXY, by which libraries choose a proxy for their
/// own requests. The body that an app gets is not in chunks any more; nginx passes that field on
/// all the same.
fn is_withheld(name: &[u8]) -> bool {
    let withheld: &[u8] = match name.len() {
        4 => b"host",
        5 => b"proxy",
        17 => b"transfer-encoding",
        _ => return false,
    };
    same(name, withheld)
}

/// Whether a uwsgi_param takes the place of a field: `HTTP_X_Y` for `X-Y`.
fn is_set(params: &[UwsgiParam], field: &[u8]) -> bool {
    params.iter().any(|param| match param.name.split_at_checked(5) {
        Some((prefix, rest)) => prefix.eq_ignore_ascii_case(b"HTTP_") && same(rest, field),
        None => false,
    })
}

/// Whether two names become one variable.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(a, b)| as_variable(*a) == as_variable(*b))
}

/// The standard parameters, in the order of nginx's file; the last one is liege's own.
const STANDARD: [(&str, Variable); 15] = [
    ("QUERY_STRING", Variable::Args),
    ("REQUEST_METHOD", Variable::RequestMethod),
    ("CONTENT_TYPE", Variable::ContentType),
    ("CONTENT_LENGTH", Variable::ContentLength),
    ("REQUEST_URI", Variable::RequestUri),
    ("PATH_INFO", Variable::Uri),
    ("DOCUMENT_ROOT", Variable::DocumentRoot),
    ("SERVER_PROTOCOL", Variable::ServerProtocol),
    ("REQUEST_SCHEME", Variable::Scheme),
    ("HTTPS", Variable::Https),
    ("REMOTE_ADDR", Variable::RemoteAddr),
    ("REMOTE_PORT", Variable::RemotePort),
    ("SERVER_PORT", Variable::ServerPort),
    ("SERVER_NAME", Variable::ServerName),
    ("REQUEST_ID", Variable::RequestId),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_its_mount_loses_it_and_no_other_does() {
        let cases: [(&[u8], &[u8], &[u8]); 5] = [
            (b"/blog/a", b"/blog", b"/a"),
            (b"/blog", b"/blog", b""),
            (b"/blogs/a", b"/blog", b"/blogs/a"),
            (b"/a", b"", b"/a"),
            (b"/a", b"/blog", b"/a"),
        ];
        for (uri, mount, rest) in cases {
            assert_eq!(behind(uri, mount), rest, "{}", uri.escape_ascii());
        }
    }

    #[test]
    fn names_that_become_one_variable_are_the_same() {
        assert!(same(b"X-Forwarded_For", b"x_forwarded-for"));
        assert!(!same(b"X", b"XX"));
        assert!(is_withheld(b"Proxy") && is_withheld(b"Transfer-Encoding"));
        assert!(!is_withheld(b"Accept"));
    }
}
