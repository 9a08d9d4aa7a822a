//! Files: the request's path under `root` or `alias`.

use crate::exchange::{Exchange, Method};
use crate::exit::Exit;
use crate::redirect;
use crate::refusal::Refusal;
use crate::reply::{Body, Part, Reply};

use super::files::Found;
use super::path;

/// Answers with the file that the uri names; a directory gets a redirect to itself with a slash.
pub fn serve(exchange: &mut Exchange) -> Result<Reply, Exit> {
    let mut name = std::mem::take(&mut exchange.filename);
    let reply = path::filename(exchange, &mut name)
        .map_err(Exit::from)
        .and_then(|()| reply(exchange, &name));
    exchange.filename = name;
    reply
}

fn reply(exchange: &Exchange, name: &[u8]) -> Result<Reply, Exit> {
    let found = exchange.worker.files.find(name).map_err(|error| Refusal::File {
        doing: "open()",
        path: path::of(name).to_path_buf(),
        error,
    })?;
    let file = match found {
        Found::Directory => return Ok(redirect::to_directory(exchange)),
        Found::Other => return Err(Refusal::NotRegular(path::of(name).to_path_buf()).into()),
        Found::File(file) => file,
    };
    if exchange.method == Method::Post {
        return Err(Refusal::Method.into());
    }
    let settings = exchange.settings();
    let mut reply = Reply::new(200);
    reply.content_type = Some(file.content_type(&settings.types, &exchange.uri));
    reply.last_modified = Some(file.modified());
    reply.modified = Some(file.modified_seconds());
    reply.etag = settings.static_files.etag.then(|| file.etag());
    reply.ranges = true;
    reply.conditions = true;
    let length = file.length();
    reply.body = Body::File(Part { file, offset: 0, length });
    Ok(reply)
}
