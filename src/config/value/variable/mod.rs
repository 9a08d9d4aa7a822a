//! The variables: one table, from which the reader of values, the manual and the web worker know
//! them.
//!
//! What a variable's value is, the web worker decides; here are the names, which ones keep their
//! value for a request, and the words for the manual: the table is in `table.rs`.

mod table;

use std::sync::Arc;

use super::CaptureId;

use table::NGINX_ONLY;
pub use table::VARIABLES;

/// A variable, as a compiled value names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Variable {
    /// `$args`: The query string without its "?".
    Args,
    /// `$is_args`: "?" when args is not empty, else nothing.
    IsArgs,
    /// `$uri`: The path now: decoded, normalised, without arguments; internal redirects change it.
    Uri,
    /// `$request_uri`: The request target as the client sent it.
    RequestUri,
    /// `$request`: The whole request line as the client sent it.
    Request,
    /// `$request_method`: The method; GET after an error page's internal redirect.
    RequestMethod,
    /// `$request_filename`: The path on disk of the uri, after root or alias.
    RequestFilename,
    /// `$document_root`: The value of root or alias in force.
    DocumentRoot,
    /// `$realpath_root`: document_root with symbolic links resolved.
    RealpathRoot,
    /// `$request_length`: Bytes of the request read so far: line, fields and body.
    RequestLength,
    /// `$request_time`: Seconds since the first byte of the request, with milliseconds.
    RequestTime,
    /// `$request_id`: 32 hexadecimal digits, random, made once for each request.
    RequestId,
    /// `$request_body`: The body when it was read and is in memory.
    RequestBody,
    /// `$request_body_file`: The name of the file that holds the body; empty, since such files have
    /// no name.
    RequestBodyFile,
    /// `$request_completion`: OK when the request was answered completely, else nothing.
    RequestCompletion,
    /// `$request_port`: The port in the Host field or the absolute target.
    RequestPort,
    /// `$is_request_port`: ":" when request_port is not empty, else nothing.
    IsRequestPort,
    /// `$scheme`: http or https.
    Scheme,
    /// `$https`: "on" on an encrypted connection, else nothing.
    Https,
    /// `$host`: The host of an absolute target, else of the Host field, else the first server_name;
    /// lower case, no port.
    Host,
    /// `$hostname`: The machine's name.
    Hostname,
    /// `$server_name`: The first server_name of the server that answers.
    ServerName,
    /// `$server_addr`: The address on which the connection came in.
    ServerAddr,
    /// `$server_port`: The port on which the connection came in.
    ServerPort,
    /// `$server_protocol`: HTTP/1.0 or HTTP/1.1; nothing for HTTP/0.9.
    ServerProtocol,
    /// `$remote_addr`: The client's address; "unix:" for a unix socket.
    RemoteAddr,
    /// `$binary_remote_addr`: The client's address as 4 or 16 bytes.
    BinaryRemoteAddr,
    /// `$remote_port`: The client's port.
    RemotePort,
    /// `$remote_user`: The user's name of Basic authentication, as the client claims it.
    RemoteUser,
    /// `$content_length`: The Content-Length of the request.
    ContentLength,
    /// `$content_type`: The Content-Type of the request.
    ContentType,
    /// `$bytes_sent`: Bytes sent to the client.
    BytesSent,
    /// `$body_bytes_sent`: Bytes sent to the client, the head not counted.
    BodyBytesSent,
    /// `$status`: The status of the response; 009 for HTTP/0.9.
    Status,
    /// `$connection`: The serial number of the connection.
    Connection,
    /// `$connection_requests`: The number of this request on its connection, from 1.
    ConnectionRequests,
    /// `$connection_time`: The age of the connection in seconds, with milliseconds.
    ConnectionTime,
    /// `$pipe`: "p" for a pipelined request, else ".".
    Pipe,
    /// `$msec`: The time now in seconds since 1970, with milliseconds.
    Msec,
    /// `$time_iso8601`: The local time now: 2006-01-02T15:04:05+00:00.
    TimeIso8601,
    /// `$time_local`: The local time now: 02/Jan/2006:15:04:05 +0000.
    TimeLocal,
    /// `$nginx_version`: The version of nginx whose behaviour is followed.
    NginxVersion,
    /// `$pid`: The process id of the web worker.
    Pid,
    /// `$proxy_add_x_forwarded_for`: The X-Forwarded-For field with remote_addr behind it.
    ForwardedFor,
    /// `$upstream_addr`: The addresses asked, ", " between tries, " : " between internal redirects.
    UpstreamAddr,
    /// `$upstream_status`: The statuses of the answers, in the same form.
    UpstreamStatus,
    /// `$upstream_connect_time`: Seconds until connected, in the same form.
    UpstreamConnectTime,
    /// `$upstream_header_time`: Seconds until the head was read, in the same form.
    UpstreamHeaderTime,
    /// `$upstream_response_time`: Seconds until the last byte was read, in the same form.
    UpstreamResponseTime,
    /// `$upstream_response_length`: Bytes of the bodies, in the same form.
    UpstreamResponseLength,
    /// `$upstream_bytes_received`: All bytes received, in the same form.
    UpstreamBytesReceived,
    /// `$upstream_bytes_sent`: All bytes sent, in the same form.
    UpstreamBytesSent,
    /// A variable of something that liege does not do yet, on which it has no value: `$ssl_cipher`
    /// on a plain connection.
    Unset,
    /// `$arg_NAME`: An argument of the query, as it was sent; the first of that name.
    Argument(Arc<str>),
    /// `$cookie_NAME`: A cookie of the request; the first of that name.
    Cookie(Arc<str>),
    /// `$http_NAME`: A field of the request; "-" is written "_", several are joined with ", ".
    RequestField(Arc<str>),
    /// `$sent_http_NAME`: A field of the response, as it is sent.
    SentField(Arc<str>),
    /// `$sent_trailer_NAME`: A trailer field of the response; there never is one.
    SentTrailer(Arc<str>),
    /// `$upstream_http_NAME`: A field of the last upstream's response.
    UpstreamField(Arc<str>),
    /// `$upstream_cookie_NAME`: A cookie that the last upstream's response sets.
    UpstreamCookie(Arc<str>),
    /// `$upstream_trailer_NAME`: A trailer field of the last upstream's response; uwsgi has none.
    UpstreamTrailer(Arc<str>),
    /// `$proxy_protocol_tlv_NAME`: A value of a PROXY protocol head; there never is one.
    ProxyProtocolTlv(Arc<str>),
    /// A named capture of a regular expression: the value of the last match.
    Captured(CaptureId),
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct VariableRow {
    /// The name without the `$`; a family's ends with `_`.
    pub name: &'static str,
    /// The manual's text.
    pub doc: &'static str,
    make: Make,
}

/// How a row becomes a variable.
#[derive(Debug, Clone, Copy)]
enum Make {
    One(fn() -> Variable),
    Family(fn(Arc<str>) -> Variable),
}

impl Variable {
    /// The variable with this name, in lower case and without its `$`.
    pub fn named(name: &str) -> Option<Variable> {
        for row in VARIABLES {
            match row.make {
                Make::One(make) if row.name == name => return Some(make()),
                Make::Family(make) => match name.strip_prefix(row.name) {
                    Some(rest) if !rest.is_empty() => return Some(make(rest.into())),
                    _ => {}
                },
                Make::One(_) => {}
            }
        }
        None
    }

    /// Whether nginx has a variable of this name that liege lacks.
    pub(crate) fn only_nginx_has(name: &str) -> bool {
        NGINX_ONLY.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_own_name() {
        for row in VARIABLES {
            let name = match row.make {
                Make::One(_) => row.name.to_string(),
                Make::Family(_) => format!("{}x", row.name),
            };
            assert!(Variable::named(&name).is_some(), "{name}");
            assert!(row.doc.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn a_family_without_a_name_behind_it_is_no_variable() {
        assert_eq!(Variable::named("http_"), None);
        assert_eq!(Variable::named("http_x_y"), Some(Variable::RequestField("x_y".into())));
        assert_eq!(Variable::named("sent_http_etag"), Some(Variable::SentField("etag".into())));
    }
}
