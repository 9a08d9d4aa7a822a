//! Built-in pages: what a client sees of an error or a redirect when nobody made a page for it.

use bytes::Bytes;

use crate::exchange::Exchange;
use crate::refusal::Refusal;
use crate::reply::{Body, Reply};

/// The page of a refusal, with the fields that belong to it. From 400 on it carries the request's
/// id, which the log has too.
pub fn of(exchange: &Exchange, refusal: &Refusal) -> Reply {
    let mut reply = built_in(exchange, refusal.status());
    reply.close = refusal.ends_connection();
    match refusal {
        Refusal::Range { length } => {
            reply.fields.add(&b"Content-Range"[..], format!("bytes */{length}"));
        }
        Refusal::Upstream { retry_after: Some(wait), .. } => {
            reply.fields.add(&b"Retry-After"[..], wait.as_secs().max(1).to_string());
        }
        _ => {}
    }
    reply
}

/// The page of a redirect, without its Location.
pub fn redirect(exchange: &Exchange, status: u16) -> Reply {
    built_in(exchange, status)
}

/// Whether a status sends the client elsewhere.
pub fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The status that a client sees: nginx's own codes for what is wrong with a head or a certificate
/// are all 400.
pub fn shown(status: u16) -> u16 {
    if matches!(status, 494..=497) { 400 } else { status }
}

fn built_in(exchange: &Exchange, status: u16) -> Reply {
    let mut reply = Reply::new(status);
    let Some((title, detail)) = title(status) else { return reply };
    let heading = if detail.is_empty() { title } else { "400 Bad Request" };
    let mut page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n\
         <center><h1>{heading}</h1></center>\r\n"
    );
    if !detail.is_empty() {
        page.push_str(&format!("<center>{detail}</center>\r\n"));
    }
    let server = String::from_utf8_lossy(exchange.server_token());
    page.push_str(&format!("<hr><center>{server}</center>\r\n"));
    if status >= 400 {
        page.push_str(&format!(
            "<center><small>request {}</small></center>\r\n",
            exchange.id_text()
        ));
    }
    page.push_str("</body>\r\n</html>\r\n");
    reply.content_type = Some(Bytes::from_static(b"text/html"));
    reply.body = Body::Bytes(page.into());
    reply
}

/// The title of a status's page, and nginx's second line for its own codes. Others have no page: an
/// empty body.
fn title(status: u16) -> Option<(&'static str, &'static str)> {
    let title = match status {
        301 => "301 Moved Permanently",
        302 => "302 Found",
        303 => "303 See Other",
        307 => "307 Temporary Redirect",
        308 => "308 Permanent Redirect",
        400 => "400 Bad Request",
        401 => "401 Authorization Required",
        402 => "402 Payment Required",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        405 => "405 Not Allowed",
        406 => "406 Not Acceptable",
        408 => "408 Request Time-out",
        409 => "409 Conflict",
        410 => "410 Gone",
        411 => "411 Length Required",
        412 => "412 Precondition Failed",
        413 => "413 Request Entity Too Large",
        414 => "414 Request-URI Too Large",
        415 => "415 Unsupported Media Type",
        416 => "416 Requested Range Not Satisfiable",
        421 => "421 Misdirected Request",
        429 => "429 Too Many Requests",
        431 => "431 Request Header Fields Too Large",
        494 => {
            let detail = "Request Header Or Cookie Too Large";
            return Some(("400 Request Header Or Cookie Too Large", detail));
        }
        500 => "500 Internal Server Error",
        501 => "501 Not Implemented",
        502 => "502 Bad Gateway",
        503 => "503 Service Temporarily Unavailable",
        504 => "504 Gateway Time-out",
        505 => "505 HTTP Version Not Supported",
        507 => "507 Insufficient Storage",
        _ => return None,
    };
    Some((title, ""))
}
