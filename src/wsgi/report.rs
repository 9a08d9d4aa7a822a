//! What goes into the app's log: lines of ours and the application's own tracebacks, each with its
//! request.

use pyo3::exceptions::PySyntaxError;
use pyo3::intern;
use pyo3::prelude::*;

use crate::exchange::Exchange;

/// Writes a line of ours about a request.
pub fn line(who: &str, exchange: &Exchange, text: &str) {
    plain(&format!("liege: {who}: {text}, {}", about(exchange)));
}

/// Writes a line of ours, in one piece.
pub fn plain(text: &str) {
    sys::pipe::write(std::io::stderr(), format!("{text}\n").as_bytes());
}

/// Writes an exception with its traceback, after a line that says whose it is.
pub fn exception(py: Python<'_>, who: &str, exchange: &Exchange, note: &str, raised: &PyErr) {
    let traceback = traceback(py, raised);
    plain(&format!("liege: {who}: {note}, {}\n{}", about(exchange), traceback.trim_end()));
}

fn about(exchange: &Exchange) -> String {
    let id = exchange.id().map(|id| format!(", request id {id}")).unwrap_or_default();
    format!("request \"{}\"{id}", exchange.line())
}

/// The traceback as Python prints it.
pub fn traceback(py: Python<'_>, raised: &PyErr) -> String {
    formatted(py, raised).unwrap_or_else(|_| raised.to_string())
}

fn formatted(py: Python<'_>, raised: &PyErr) -> PyResult<String> {
    let module = py.import(intern!(py, "traceback"))?;
    let arguments = (raised.get_type(py), raised.value(py), raised.traceback(py));
    let lines: Vec<String> = module.call_method1("format_exception", arguments)?.extract()?;
    // How the import was done is nobody's fault and hides whose it is.
    Ok(lines.into_iter().filter(|line| !line.starts_with(MACHINERY)).collect())
}

/// The exception in one line: `ModuleNotFoundError: No module named 'shop'`.
pub fn cause(py: Python<'_>, raised: &PyErr) -> String {
    let lines = if raised.is_instance_of::<PySyntaxError>(py) {
        // Its own text names the file and the line.
        None
    } else {
        only(py, raised).ok()
    };
    // Notes (PEP 678) come behind the name.
    let line = lines.and_then(|lines| lines.into_iter().next());
    line.unwrap_or_else(|| raised.to_string()).trim_end().replace('\n', " ")
}

fn only(py: Python<'_>, raised: &PyErr) -> PyResult<Vec<String>> {
    let module = py.import(intern!(py, "traceback"))?;
    let arguments = (raised.get_type(py), raised.value(py));
    module.call_method1("format_exception_only", arguments)?.extract()
}

const MACHINERY: &str = "  File \"<frozen importlib";
