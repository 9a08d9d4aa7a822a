//! `wsgi.input`: the request's body as a file that can only be read.
//!
//! It ends with the body: reading on gives no bytes, never a wait. `read(0)` reads nothing (uWSGI
//! reads everything).

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::exchange::Exchange;

/// The request's body.
#[pyclass(frozen, module = "_liege")]
pub struct Input {
    exchange: Arc<Exchange>,
}

impl Input {
    /// The body of this request.
    pub fn new(exchange: Arc<Exchange>) -> Input {
        Input { exchange }
    }

    fn line<'py>(&self, py: Python<'py>, limit: Option<usize>) -> PyResult<Bound<'py, PyBytes>> {
        let line = py.detach(|| self.exchange.read(|body, from| body.read_line(from, limit)))?;
        Ok(PyBytes::new(py, &line))
    }
}

#[pymethods]
impl Input {
    /// Reads up to `size` bytes, or all that is left.
    #[pyo3(signature = (size=None, /))]
    fn read<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        let limit = bound(size);
        let bytes = py.detach(|| self.exchange.read(|body, from| body.read(from, limit)))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Reads one line, at most `size` bytes of it.
    #[pyo3(signature = (size=None, /))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        self.line(py, bound(size))
    }

    /// Reads lines until the end, or until they have `hint` bytes together.
    #[pyo3(signature = (hint=None, /))]
    fn readlines<'py>(&self, py: Python<'py>, hint: Option<isize>) -> PyResult<Bound<'py, PyList>> {
        let enough = bound(hint).filter(|hint| *hint > 0).unwrap_or(usize::MAX);
        let lines = PyList::empty(py);
        let mut total = 0;
        while total < enough {
            let line = self.line(py, None)?;
            let length = line.as_bytes().len();
            if length == 0 {
                break;
            }
            total += length;
            lines.append(line)?;
        }
        Ok(lines)
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.line(py, None)?;
        Ok((!line.as_bytes().is_empty()).then_some(line))
    }

    /// There for those who close what they read; the connection is not theirs to close.
    fn close(&self) {}
}

/// A size as files take it: none or a negative one is no bound.
fn bound(size: Option<isize>) -> Option<usize> {
    size.and_then(|size| usize::try_from(size).ok())
}
