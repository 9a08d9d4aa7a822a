//! What makes answers: `return`, an app, an index, a file. One of them, chosen by the location.

pub mod files;
pub mod index;
pub mod path;
pub mod static_file;
pub mod try_files;
pub mod uwsgi;

use crate::exchange::{Exchange, Method};
use crate::exit::Exit;
use crate::refusal::Refusal;
use crate::reply::Reply;

/// Makes the answer of the location that was found.
pub async fn produce(exchange: &mut Exchange) -> Result<Reply, Exit> {
    try_files::choose(exchange)?;
    if exchange.has_upstream() {
        // An app's request keeps more state than all others together: connections that only fetch
        // files shall not pay for it.
        return Box::pin(uwsgi::pass(exchange)).await;
    }
    if exchange.method == Method::Other {
        return Err(Refusal::Method.into());
    }
    if exchange.uri.last() == Some(&b'/') {
        return index::find(exchange);
    }
    static_file::serve(exchange)
}
