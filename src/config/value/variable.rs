//! The variables: one table, from which the reader of values, the manual and the web worker know them.
//!
//! What a variable's value is, the web worker decides; here are the names, which ones keep their value for a request, and the
//! words for the manual.

use std::sync::Arc;

use super::CaptureId;

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
    /// `$request_body_file`: The name of the file that holds the body; empty, since such files have no name.
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
    /// `$host`: The host of an absolute target, else of the Host field, else the first server_name; lower case, no port.
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
    /// A variable of something that liege does not do yet, on which it has no value: `$ssl_cipher` on a plain connection.
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
    /// Whether the value is kept for the request once it was asked for.
    pub kept: bool,
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

    /// Whether the value is kept for the request once it was asked for.
    pub fn is_kept(&self) -> bool {
        VARIABLES.iter().any(|row| match row.make {
            Make::One(make) => row.kept && make() == *self,
            Make::Family(_) => false,
        })
    }
}

/// All variables, families last.
pub const VARIABLES: &[VariableRow] = &[
    one("args", false, || Variable::Args, "The query string without its \"?\"."),
    one("query_string", false, || Variable::Args, "The same as args."),
    one("is_args", false, || Variable::IsArgs, "\"?\" when args is not empty, else nothing."),
    one(
        "uri",
        false,
        || Variable::Uri,
        "The path now: decoded, normalised, without arguments; internal redirects change it.",
    ),
    one("document_uri", false, || Variable::Uri, "The same as uri."),
    one("request_uri", true, || Variable::RequestUri, "The request target as the client sent it."),
    one("request", true, || Variable::Request, "The whole request line as the client sent it."),
    one(
        "request_method",
        false,
        || Variable::RequestMethod,
        "The method; GET after an error page's internal redirect.",
    ),
    one(
        "request_filename",
        false,
        || Variable::RequestFilename,
        "The path on disk of the uri, after root or alias.",
    ),
    one("document_root", false, || Variable::DocumentRoot, "The value of root or alias in force."),
    one(
        "realpath_root",
        false,
        || Variable::RealpathRoot,
        "document_root with symbolic links resolved.",
    ),
    one(
        "request_length",
        false,
        || Variable::RequestLength,
        "Bytes of the request read so far: line, fields and body.",
    ),
    one(
        "request_time",
        false,
        || Variable::RequestTime,
        "Seconds since the first byte of the request, with milliseconds.",
    ),
    one(
        "request_id",
        true,
        || Variable::RequestId,
        "32 hexadecimal digits, random, made once for each request.",
    ),
    one(
        "request_body",
        true,
        || Variable::RequestBody,
        "The body when it was read and is in memory.",
    ),
    one(
        "request_body_file",
        true,
        || Variable::RequestBodyFile,
        "The name of the file that holds the body; empty, since such files have no name.",
    ),
    one(
        "request_completion",
        true,
        || Variable::RequestCompletion,
        "OK when the request was answered completely, else nothing.",
    ),
    one(
        "request_port",
        true,
        || Variable::RequestPort,
        "The port in the Host field or the absolute target.",
    ),
    one(
        "is_request_port",
        true,
        || Variable::IsRequestPort,
        "\":\" when request_port is not empty, else nothing.",
    ),
    one("scheme", true, || Variable::Scheme, "http or https."),
    one("https", true, || Variable::Https, "\"on\" on an encrypted connection, else nothing."),
    one(
        "host",
        true,
        || Variable::Host,
        "The host of an absolute target, else of the Host field, else the first server_name; lower case, no port.",
    ),
    one("hostname", true, || Variable::Hostname, "The machine's name."),
    one(
        "server_name",
        true,
        || Variable::ServerName,
        "The first server_name of the server that answers.",
    ),
    one(
        "server_addr",
        true,
        || Variable::ServerAddr,
        "The address on which the connection came in.",
    ),
    one("server_port", true, || Variable::ServerPort, "The port on which the connection came in."),
    one(
        "server_protocol",
        true,
        || Variable::ServerProtocol,
        "HTTP/1.0 or HTTP/1.1; nothing for HTTP/0.9.",
    ),
    one(
        "remote_addr",
        true,
        || Variable::RemoteAddr,
        "The client's address; \"unix:\" for a unix socket.",
    ),
    one(
        "realip_remote_addr",
        true,
        || Variable::RemoteAddr,
        "The client's address as the connection has it; the same as remote_addr.",
    ),
    one(
        "binary_remote_addr",
        true,
        || Variable::BinaryRemoteAddr,
        "The client's address as 4 or 16 bytes.",
    ),
    one("remote_port", true, || Variable::RemotePort, "The client's port."),
    one(
        "realip_remote_port",
        true,
        || Variable::RemotePort,
        "The client's port as the connection has it; the same as remote_port.",
    ),
    one(
        "remote_user",
        true,
        || Variable::RemoteUser,
        "The user's name of Basic authentication, as the client claims it.",
    ),
    one("content_length", true, || Variable::ContentLength, "The Content-Length of the request."),
    one("content_type", true, || Variable::ContentType, "The Content-Type of the request."),
    one("bytes_sent", true, || Variable::BytesSent, "Bytes sent to the client."),
    one(
        "body_bytes_sent",
        true,
        || Variable::BodyBytesSent,
        "Bytes sent to the client, the head not counted.",
    ),
    one("status", false, || Variable::Status, "The status of the response; 009 for HTTP/0.9."),
    one("connection", true, || Variable::Connection, "The serial number of the connection."),
    one(
        "connection_requests",
        true,
        || Variable::ConnectionRequests,
        "The number of this request on its connection, from 1.",
    ),
    one(
        "connection_time",
        false,
        || Variable::ConnectionTime,
        "The age of the connection in seconds, with milliseconds.",
    ),
    one("pipe", true, || Variable::Pipe, "\"p\" for a pipelined request, else \".\"."),
    one("msec", false, || Variable::Msec, "The time now in seconds since 1970, with milliseconds."),
    one(
        "time_iso8601",
        false,
        || Variable::TimeIso8601,
        "The local time now: 2006-01-02T15:04:05+00:00.",
    ),
    one(
        "time_local",
        false,
        || Variable::TimeLocal,
        "The local time now: 02/Jan/2006:15:04:05 +0000.",
    ),
    one(
        "nginx_version",
        true,
        || Variable::NginxVersion,
        "The version of nginx whose behaviour is followed.",
    ),
    one("pid", true, || Variable::Pid, "The process id of the web worker."),
    one(
        "proxy_add_x_forwarded_for",
        true,
        || Variable::ForwardedFor,
        "The X-Forwarded-For field with remote_addr behind it.",
    ),
    one(
        "upstream_addr",
        false,
        || Variable::UpstreamAddr,
        "The addresses asked, \", \" between tries, \" : \" between internal redirects.",
    ),
    one(
        "upstream_status",
        false,
        || Variable::UpstreamStatus,
        "The statuses of the answers, in the same form.",
    ),
    one(
        "upstream_connect_time",
        false,
        || Variable::UpstreamConnectTime,
        "Seconds until connected, in the same form.",
    ),
    one(
        "upstream_header_time",
        false,
        || Variable::UpstreamHeaderTime,
        "Seconds until the head was read, in the same form.",
    ),
    one(
        "upstream_response_time",
        false,
        || Variable::UpstreamResponseTime,
        "Seconds until the last byte was read, in the same form.",
    ),
    one(
        "upstream_response_length",
        false,
        || Variable::UpstreamResponseLength,
        "Bytes of the bodies, in the same form.",
    ),
    one(
        "upstream_bytes_received",
        false,
        || Variable::UpstreamBytesReceived,
        "All bytes received, in the same form.",
    ),
    one(
        "upstream_bytes_sent",
        false,
        || Variable::UpstreamBytesSent,
        "All bytes sent, in the same form.",
    ),
    one("upstream_cache_status", true, || Variable::Unset, "No value: liege has no caches yet."),
    one(
        "proxy_protocol_addr",
        true,
        || Variable::Unset,
        "No value: liege reads no PROXY protocol yet.",
    ),
    one(
        "proxy_protocol_port",
        true,
        || Variable::Unset,
        "No value: liege reads no PROXY protocol yet.",
    ),
    one(
        "proxy_protocol_server_addr",
        true,
        || Variable::Unset,
        "No value: liege reads no PROXY protocol yet.",
    ),
    one(
        "proxy_protocol_server_port",
        true,
        || Variable::Unset,
        "No value: liege reads no PROXY protocol yet.",
    ),
    one(
        "ssl_protocol",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_cipher",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_ciphers",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one("ssl_curve", true, || Variable::Unset, "No value: liege has no encrypted connections yet."),
    one(
        "ssl_curves",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_sigalg",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_session_id",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_session_reused",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_early_data",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_server_name",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_alpn_protocol",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_cert",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_raw_cert",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_escaped_cert",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_s_dn",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_i_dn",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_s_dn_legacy",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_i_dn_legacy",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_serial",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_fingerprint",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_verify",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_v_start",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_v_end",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one(
        "ssl_client_v_remain",
        true,
        || Variable::Unset,
        "No value: liege has no encrypted connections yet.",
    ),
    one("http2", true, || Variable::Unset, "No value: liege has only HTTP/1 yet."),
    one("http3", true, || Variable::Unset, "No value: liege has only HTTP/1 yet."),
    one("gzip_ratio", true, || Variable::Unset, "No value: liege does not compress yet."),
    family(
        "arg_",
        Variable::Argument,
        "An argument of the query, as it was sent; the first of that name.",
    ),
    family("cookie_", Variable::Cookie, "A cookie of the request; the first of that name."),
    family(
        "http_",
        Variable::RequestField,
        "A field of the request; \"-\" is written \"_\", several are joined with \", \".",
    ),
    family("sent_http_", Variable::SentField, "A field of the response, as it is sent."),
    family(
        "sent_trailer_",
        Variable::SentTrailer,
        "A trailer field of the response; there never is one.",
    ),
    family("upstream_http_", Variable::UpstreamField, "A field of the last upstream's response."),
    family(
        "upstream_cookie_",
        Variable::UpstreamCookie,
        "A cookie that the last upstream's response sets.",
    ),
    family(
        "upstream_trailer_",
        Variable::UpstreamTrailer,
        "A trailer field of the last upstream's response; uwsgi has none.",
    ),
    family(
        "proxy_protocol_tlv_",
        Variable::ProxyProtocolTlv,
        "A value of a PROXY protocol head; there never is one.",
    ),
];

const fn one(
    name: &'static str,
    kept: bool,
    make: fn() -> Variable,
    doc: &'static str,
) -> VariableRow {
    VariableRow { name, kept, doc, make: Make::One(make) }
}

const fn family(
    name: &'static str,
    make: fn(Arc<str>) -> Variable,
    doc: &'static str,
) -> VariableRow {
    VariableRow { name, kept: false, doc, make: Make::Family(make) }
}

/// Variables of nginx that belong to directives which liege does not have.
const NGINX_ONLY: &[&str] = &[
    "limit_rate",
    "tcpinfo_rtt",
    "tcpinfo_rttvar",
    "tcpinfo_snd_cwnd",
    "tcpinfo_rcv_space",
    "proxy_host",
    "proxy_port",
    "proxy_add_via",
    "fastcgi_script_name",
    "fastcgi_path_info",
    "memcached_key",
    "ssl_sigalgs",
    "ssl_ech_status",
    "ssl_ech_outer_server_name",
    "ssl_client_sigalg",
    "connections_active",
    "connections_reading",
    "connections_writing",
    "connections_waiting",
    "limit_req_status",
    "limit_conn_status",
    "invalid_referer",
    "msie",
    "modern_browser",
    "ancient_browser",
    "date_local",
    "date_gmt",
    "secure_link",
    "secure_link_expires",
    "slice_range",
    "uid_got",
    "uid_set",
    "uid_reset",
    "geoip_country_code",
    "geoip_country_code3",
    "geoip_country_name",
    "geoip_org",
    "geoip_city_continent_code",
    "geoip_city_country_code",
    "geoip_city_country_code3",
    "geoip_city_country_name",
    "geoip_region",
    "geoip_region_name",
    "geoip_city",
    "geoip_postal_code",
    "geoip_latitude",
    "geoip_longitude",
    "geoip_dma_code",
    "geoip_area_code",
];

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
