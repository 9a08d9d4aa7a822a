//! The sections: every directive that liege knows, declared once, a field each.
//!
//! A section is obeyed by the file of the same name in the crate that obeys it. The order of
//! [`ALL`] is the manual's.

mod app;
mod blocks;
mod body;
mod connection;
mod errors;
mod events;
mod headers;
mod http;
mod logs;
mod main;
mod request_head;
mod server;
mod static_files;
mod tls;
mod types;
mod upstream;
mod uwsgi;

pub use app::App;
pub use body::Body;
pub use connection::Connection;
pub use errors::Errors;
pub use events::Events;
pub use headers::Headers;
pub use http::Http;
pub use logs::Logs;
pub use main::Main;
pub use request_head::RequestHead;
pub use server::{Rewrite, Server};
pub use static_files::StaticFiles;
pub use tls::Tls;
pub use types::Types;
pub use upstream::Upstream;
pub use uwsgi::Uwsgi;

use crate::directive::{Directive, Section};

/// The headings and rows of all sections, in the manual's order.
pub const ALL: &[(&str, &[Directive])] = &[
    (blocks::TITLE, blocks::TABLE),
    (Main::TITLE, Main::TABLE),
    (Events::TITLE, Events::TABLE),
    (App::TITLE, App::TABLE),
    (Server::TITLE, Server::TABLE),
    (Rewrite::TITLE, Rewrite::TABLE),
    (StaticFiles::TITLE, StaticFiles::TABLE),
    (Types::TITLE, Types::TABLE),
    (Errors::TITLE, Errors::TABLE),
    (Headers::TITLE, Headers::TABLE),
    (RequestHead::TITLE, RequestHead::TABLE),
    (Body::TITLE, Body::TABLE),
    (Connection::TITLE, Connection::TABLE),
    (Upstream::TITLE, Upstream::TABLE),
    (Uwsgi::TITLE, Uwsgi::TABLE),
    (Logs::TITLE, Logs::TABLE),
    (Tls::TITLE, Tls::TABLE),
    (Http::TITLE, Http::TABLE),
];
