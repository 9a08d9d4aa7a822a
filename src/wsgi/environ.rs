//! The environ of a request (PEP 3333): a fresh dictionary of strings each time, so that whoever
//! keeps one keeps it.
//!
//! The bytes of the packet become strings by latin-1. The names repeat from request to request, in
//! the same order when they come from the same front, so the string of a name is looked for where
//! it was last time.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::exchange::Exchange;
use crate::file_wrapper::FileWrapper;
use crate::input::Input;

/// What is the same in every environ of a process, and the names seen last; one for each thread.
pub struct Maker {
    version: Py<PyTuple>,
    file_wrapper: Py<PyAny>,
    multithread: bool,
    multiprocess: bool,
    names: Vec<(Vec<u8>, Py<PyString>)>,
}

impl Maker {
    /// Prepares for a worker of so many threads among so many processes.
    pub fn new(py: Python<'_>, threads: u32, processes: u32) -> PyResult<Maker> {
        Ok(Maker {
            version: (1, 0).into_pyobject(py)?.unbind(),
            file_wrapper: py.get_type::<FileWrapper>().into_any().unbind(),
            multithread: threads > 1,
            multiprocess: processes > 1,
            names: Vec::new(),
        })
    }

    /// Makes the environ of a request.
    pub fn environ<'py>(
        &mut self,
        py: Python<'py>,
        exchange: &Arc<Exchange>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let environ = PyDict::new(py);
        let mut https = false;
        for (place, (name, value)) in exchange.pairs().enumerate() {
            match name {
                // Each is there by its CGI name; PEP 3333 has no other.
                b"HTTP_CONTENT_LENGTH" | b"HTTP_CONTENT_TYPE" => continue,
                // Only the front's own word counts. X-Forwarded-Proto is anybody's (uWSGI believes
                // it).
                b"HTTPS" => https |= value.eq_ignore_ascii_case(b"on") || value == b"1",
                b"REQUEST_SCHEME" => https |= value == b"https",
                _ => {}
            }
            environ.set_item(self.name(py, place, name), latin1(py, value))?;
        }
        self.complete(py, &environ, exchange, https)?;
        Ok(environ)
    }

    /// Adds what the server says, last, so that no pair can stand in for it.
    fn complete(
        &self,
        py: Python<'_>,
        environ: &Bound<'_, PyDict>,
        exchange: &Arc<Exchange>,
        https: bool,
    ) -> PyResult<()> {
        let scheme = if https { intern!(py, "https") } else { intern!(py, "http") };
        let errors = py.import(intern!(py, "sys"))?.getattr(intern!(py, "stderr"))?;
        environ.set_item(intern!(py, "wsgi.version"), &self.version)?;
        environ.set_item(intern!(py, "wsgi.url_scheme"), scheme)?;
        environ
            .set_item(intern!(py, "wsgi.input"), Bound::new(py, Input::new(exchange.clone()))?)?;
        // The input ends by itself, also where no length is known (werkzeug and others ask).
        environ.set_item(intern!(py, "wsgi.input_terminated"), true)?;
        environ.set_item(intern!(py, "wsgi.errors"), errors)?;
        environ.set_item(intern!(py, "wsgi.multithread"), self.multithread)?;
        environ.set_item(intern!(py, "wsgi.multiprocess"), self.multiprocess)?;
        environ.set_item(intern!(py, "wsgi.run_once"), false)?;
        environ.set_item(intern!(py, "wsgi.file_wrapper"), &self.file_wrapper)?;
        // PEP 3333 lets SCRIPT_NAME, PATH_INFO and QUERY_STRING be absent when empty; the others
        // must be there, and never be empty (a server without a name, a Unix socket without a
        // port).
        for (name, default) in [
            (intern!(py, "REQUEST_METHOD"), "GET"),
            (intern!(py, "SCRIPT_NAME"), ""),
            (intern!(py, "PATH_INFO"), ""),
            (intern!(py, "QUERY_STRING"), ""),
            (intern!(py, "SERVER_NAME"), "localhost"),
            (intern!(py, "SERVER_PORT"), if https { "443" } else { "80" }),
            (intern!(py, "SERVER_PROTOCOL"), "HTTP/1.1"),
        ] {
            let is_empty = match environ.get_item(name)? {
                Some(value) => value.is_empty()?,
                None => true,
            };
            if is_empty {
                environ.set_item(name, default)?;
            }
        }
        Ok(())
    }

    fn name<'py>(&mut self, py: Python<'py>, place: usize, name: &[u8]) -> Bound<'py, PyString> {
        if let Some((known, string)) = self.names.get(place)
            && known == name
        {
            return string.bind(py).clone();
        }
        let string = latin1(py, name);
        if name.len() <= LONGEST_KEPT {
            let kept = (name.to_vec(), string.clone().unbind());
            if place < self.names.len() {
                self.names[place] = kept;
            } else if place == self.names.len() && place < MOST_KEPT {
                self.names.push(kept);
            }
        }
        string
    }
}

/// Bytes as a string of the characters with the same numbers.
pub fn latin1<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.is_ascii() => PyString::new(py, text),
        _ => PyString::new(py, &bytes.iter().map(|byte| char::from(*byte)).collect::<String>()),
    }
}

const LONGEST_KEPT: usize = 64;
const MOST_KEPT: usize = 128;
