//! The settings of one level: http, a server or a location. A nested level starts as a clone of the
//! finished outer one.

use std::sync::Arc;

use crate::directive::{AnySection, Section};
use crate::section::{
    Body, Connection, Errors, Headers, Logs, RequestHead, Rewrite, StaticFiles, Tls, Types, Uwsgi,
};
use crate::value::Scope;

/// One field for each section. The values are shared, so a clone costs a count each.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `return`: read it as [`crate::Program`] of the server or location.
    pub rewrite: Arc<Rewrite>,
    /// Files.
    pub static_files: Arc<StaticFiles>,
    /// Types of files.
    pub types: Arc<Types>,
    /// Error pages and redirects.
    pub errors: Arc<Errors>,
    /// Heads of responses.
    pub headers: Arc<Headers>,
    /// Heads of requests; those of the server count.
    pub request_head: Arc<RequestHead>,
    /// Bodies of requests.
    pub body: Arc<Body>,
    /// Connections.
    pub connection: Arc<Connection>,
    /// Requests to apps.
    pub uwsgi: Arc<Uwsgi>,
    /// Logs.
    pub logs: Arc<Logs>,
    /// TLS, without effect yet.
    pub tls: Arc<Tls>,
}

impl Settings {
    /// What holds when nothing is written.
    pub(crate) fn defaults(scope: &mut Scope<'_>) -> Settings {
        Settings {
            rewrite: Arc::new(Rewrite::defaults(scope)),
            static_files: Arc::new(StaticFiles::defaults(scope)),
            types: Arc::new(Types::defaults(scope)),
            errors: Arc::new(Errors::defaults(scope)),
            headers: Arc::new(Headers::defaults(scope)),
            request_head: Arc::new(RequestHead::defaults(scope)),
            body: Arc::new(Body::defaults(scope)),
            connection: Arc::new(Connection::defaults(scope)),
            uwsgi: Arc::new(Uwsgi::defaults(scope)),
            logs: Arc::new(Logs::defaults(scope)),
            tls: Arc::new(Tls::defaults(scope)),
        }
    }

    /// All sections, to be read into.
    pub(crate) fn sections(&mut self) -> [&mut dyn AnySection; 11] {
        [
            &mut self.rewrite,
            &mut self.static_files,
            &mut self.types,
            &mut self.errors,
            &mut self.headers,
            &mut self.request_head,
            &mut self.body,
            &mut self.connection,
            &mut self.uwsgi,
            &mut self.logs,
            &mut self.tls,
        ]
    }
}
