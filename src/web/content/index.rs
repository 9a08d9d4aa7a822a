//! `index`: the file that stands for its directory.

use std::io;

use crate::exchange::Exchange;
use crate::exit::{Exit, Reroute};
use crate::refusal::{Refusal, file_status};
use crate::reply::Reply;
use crate::variable;

use super::path;

/// Finds the first index file that is there, and goes on with its uri: locations are searched
/// again.
pub fn find(exchange: &mut Exchange) -> Result<Reply, Exit> {
    let mut directory = Vec::new();
    path::filename(exchange, &mut directory)?;
    let mut name = Vec::new();
    for index in &exchange.settings().static_files.index {
        name.clear();
        variable::write(exchange, &index.name, &mut name);
        if name.first() == Some(&b'/') {
            return Err(Reroute::uri(name, exchange.args.clone()).into());
        }
        let file = [&directory[..], &name].concat();
        match sys::file::statx(path::of(&file)) {
            Ok(_) => {
                let uri = [&exchange.uri[..], &name].concat();
                return Err(Reroute::uri(uri, exchange.args.clone()).into());
            }
            Err(error) if file_status(&error) == 404 => {}
            Err(error) => return Err(failed(&file, error).into()),
        }
    }
    match sys::file::statx(path::of(&directory)) {
        Ok(_) => Err(Refusal::NoIndex(path::of(&directory).to_path_buf()).into()),
        Err(error) => Err(failed(&directory, error).into()),
    }
}

fn failed(name: &[u8], error: io::Error) -> Refusal {
    Refusal::File { doing: "stat()", path: path::of(name).to_path_buf(), error }
}
