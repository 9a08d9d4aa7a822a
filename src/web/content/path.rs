//! From a uri to a path on disk: `root` or `alias` in front of it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::exchange::Exchange;
use crate::refusal::Refusal;
use crate::variable;

/// The path of the request's uri: `$request_filename`.
pub fn filename(exchange: &Exchange, to: &mut Vec<u8>) -> Result<(), Refusal> {
    map(exchange, &exchange.uri, to)
}

/// `$document_root`: root or alias without a uri behind it.
pub fn document_root(exchange: &Exchange, to: &mut Vec<u8>) {
    to.clear();
    let root = &exchange.settings().static_files.root;
    match root.path.literal() {
        Some(path) => to.extend_from_slice(path),
        None => {
            variable::write(exchange, &root.path, to);
            if to.first() != Some(&b'/') {
                let mut prefix = exchange.worker.prefix.as_os_str().as_bytes().to_vec();
                prefix.push(b'/');
                to.splice(0..0, prefix);
            }
        }
    }
}

/// The path of a uri. The uri is normalised, so nothing in it leads upwards, but what an alias
/// leaves of it may begin in the middle of a segment: `location /a { alias /srv/; }` and `/a../x`
/// is nginx's oldest hole.
pub fn map(exchange: &Exchange, uri: &[u8], to: &mut Vec<u8>) -> Result<(), Refusal> {
    document_root(exchange, to);
    let rest = match &exchange.settings().static_files.root.alias {
        None => uri,
        // In a location with a regular expression the alias is the whole path.
        Some(literal) if literal.is_empty() => b"",
        Some(literal) => uri.get(literal.len()..).unwrap_or_default(),
    };
    if rest.starts_with(b"..") && matches!(rest.get(2), None | Some(b'/')) {
        return Err(Refusal::BadPath);
    }
    to.extend_from_slice(rest);
    if to.contains(&0) {
        return Err(Refusal::BadPath);
    }
    Ok(())
}

/// Bytes as a path.
pub fn of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
