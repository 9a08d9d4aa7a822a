//! `wsgi.file_wrapper`: a file that an application answers with.
//!
//! The gateway sends a real file by sendfile(2), from where the application stands in it (uWSGI
//! sends it from its beginning); any other is read block by block, as it is by middleware that
//! iterates.

use std::os::fd::OwnedFd;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;

/// A file to answer with.
#[pyclass(frozen, module = "_liege")]
pub struct FileWrapper {
    file: Py<PyAny>,
    block: usize,
}

/// The part of a real file that is to be sent.
pub struct Region {
    /// The file.
    pub file: OwnedFd,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes there are from there on.
    pub count: u64,
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (filelike, blksize=32768, /))]
    fn new(filelike: Py<PyAny>, blksize: usize) -> PyResult<FileWrapper> {
        if blksize == 0 {
            return Err(PyValueError::new_err("block size is 0"));
        }
        Ok(FileWrapper { file: filelike, block: blksize })
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let block = self.file.bind(py).call_method1(intern!(py, "read"), (self.block,))?;
        Ok(block.is_truthy()?.then_some(block))
    }

    /// Closes the file, if it can be closed.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.file.bind(py).getattr_opt(intern!(py, "close"))? {
            Some(close) => close.call0().map(|_| ()),
            None => Ok(()),
        }
    }
}

/// The object that reads a file's own bytes, under what wraps it (tempfile and Django keep it as
/// `file`).
///
/// A fileno alone proves nothing: gzip's leads to the compressed bytes.
fn real<'py>(file: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = file.py();
    let io = py.import(intern!(py, "io"))?;
    let raw = io.getattr(intern!(py, "FileIO"))?;
    let buffered =
        (io.getattr(intern!(py, "BufferedReader"))?, io.getattr(intern!(py, "BufferedRandom"))?);
    let mut file = file.clone();
    for _ in 0..DEEPEST {
        if file.is_instance(&raw)? {
            return Ok(Some(file));
        }
        if file.is_instance(buffered.0.as_any())? || file.is_instance(buffered.1.as_any())? {
            return Ok(file.getattr(intern!(py, "raw"))?.is_instance(&raw)?.then_some(file));
        }
        let Some(inner) = file.getattr_opt(intern!(py, "file"))? else { break };
        file = inner;
    }
    Ok(None)
}

impl FileWrapper {
    /// The region to send by sendfile(2); `None` for whatever only looks like a file.
    pub fn region(&self, py: Python<'_>) -> Option<Region> {
        let file = real(self.file.bind(py)).ok()??;
        let number: i32 = file.call_method0(intern!(py, "fileno")).ok()?.extract().ok()?;
        // Its own position counts: a buffered reader has read further ahead than it gave out.
        let offset: u64 = file.call_method0(intern!(py, "tell")).ok()?.extract().ok()?;
        let file = sys::file::duplicate(number).ok()?;
        let meta = sys::file::fstatx(&file).ok()?;
        // A pipe, a socket or a file of /proc has no size to go by.
        let regular = meta.is_file() && meta.size > 0;
        regular.then(|| Region { offset, count: meta.size.saturating_sub(offset), file })
    }
}

/// How many wrappers are looked under.
const DEEPEST: usize = 3;
