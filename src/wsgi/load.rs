//! Importing the application: where its code is, what in it is the application, and what to say
//! when there is none.

use std::path::Path;

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyType};
use wire::message::{AppOrder, AppSource, WsgiOrder};

use crate::report;

/// Why there is no application.
#[derive(Debug)]
pub struct Failure {
    /// One line.
    pub cause: String,
    /// The application's own traceback.
    pub traceback: String,
}

/// Puts the app's directories in front of sys.path: `pythonpath` in order, then its working
/// directory.
pub fn prepare_path(py: Python<'_>, order: &AppOrder, wsgi: &WsgiOrder) -> PyResult<()> {
    let path = py.import(intern!(py, "sys"))?.getattr(intern!(py, "path"))?;
    let path = path.cast::<PyList>()?;
    let ours = wsgi.pythonpath.iter().chain(std::iter::once(&order.chdir));
    for (place, dir) in ours.enumerate() {
        path.insert(place, dir.as_os_str())?;
    }
    Ok(())
}

/// Imports the application.
pub fn application(py: Python<'_>, wsgi: &WsgiOrder) -> Result<Py<PyAny>, Failure> {
    import(py, wsgi).and_then(|module| find(&module, wsgi)).map(Bound::unbind).map_err(|raised| {
        let traceback = report::traceback(py, &raised);
        Failure { cause: first(report::cause(py, &raised)), traceback: last(traceback) }
    })
}

fn import<'py>(py: Python<'py>, wsgi: &WsgiOrder) -> PyResult<Bound<'py, PyModule>> {
    match &wsgi.source {
        AppSource::Module(name) => py.import(name.as_str()),
        AppSource::File(path) => import_file(py, path),
    }
}

/// Runs a file as a module under the name of the file, or one that cannot hide another module.
fn import_file<'py>(py: Python<'py>, path: &Path) -> PyResult<Bound<'py, PyModule>> {
    let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("application");
    let plain = stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let free =
        plain && !modules.contains(stem)? && find_spec(py, stem)?.is_none_or(|found| found == path);
    let name =
        if free { stem.to_owned() } else { format!("liege_file_{}", stem.replace('.', "_")) };
    let machinery = py.import("importlib.machinery")?;
    let loader = machinery.getattr("SourceFileLoader")?.call1((&name, path.as_os_str()))?;
    let util = py.import("importlib.util")?;
    let options = PyDict::new(py);
    options.set_item("loader", &loader)?;
    let spec =
        util.call_method("spec_from_file_location", (&name, path.as_os_str()), Some(&options))?;
    let module = util.call_method1("module_from_spec", (spec,))?;
    modules.set_item(&name, &module)?;
    match loader.call_method1("exec_module", (&module,)) {
        Ok(_) => Ok(module.cast_into()?),
        Err(raised) => {
            modules.del_item(&name)?;
            Err(raised)
        }
    }
}

/// Where a module of that name would come from.
fn find_spec(py: Python<'_>, name: &str) -> PyResult<Option<std::path::PathBuf>> {
    let spec = py.import("importlib.util")?.call_method1("find_spec", (name,))?;
    if spec.is_none() {
        return Ok(None);
    }
    Ok(Some(spec.getattr("origin")?.extract().unwrap_or_default()))
}

/// Finds the application in its module: `callable`, dotted or called with `()`; else `application`,
/// then `app`.
fn find<'py>(module: &Bound<'py, PyModule>, wsgi: &WsgiOrder) -> PyResult<Bound<'py, PyAny>> {
    let wanted = wsgi.callable.trim();
    let (path, called) = match wanted.strip_suffix("()") {
        Some(path) => (path, true),
        None => (wanted, false),
    };
    let mut found = look_up(module, path)?;
    if found.is_none() && !wsgi.callable_given {
        for other in ["application", "app"] {
            found = found.or(look_up(module, other)?);
        }
    }
    let Some(mut found) = found else {
        return Err(PyAttributeError::new_err(missing(module, path, wsgi)?));
    };
    if called {
        found = found.call0()?;
    }
    if !found.is_callable() {
        let kind = crate::response::kind(&found);
        return Err(PyTypeError::new_err(format!("{wanted} is {kind}, which cannot be called")));
    }
    Ok(found)
}

fn look_up<'py>(module: &Bound<'py, PyModule>, path: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut found = module.as_any().clone();
    for name in path.split('.') {
        match found.getattr_opt(name)? {
            Some(inner) => found = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// `module shop has no "application" and no "app"; callables: create_app, api. Set callable
/// create_app();`
fn missing(module: &Bound<'_, PyModule>, path: &str, wsgi: &WsgiOrder) -> PyResult<String> {
    let what = match wsgi.callable_given {
        true => format!("no \"{path}\""),
        false => "no \"application\" and no \"app\"".to_owned(),
    };
    let module_name = module.name()?.to_string();
    let found = callables(module, &module_name)?;
    let list = if found.is_empty() { "none".into() } else { found.join(", ") };
    let factory = found.iter().find(|name| name.starts_with("create") || name.starts_with("make"));
    let hint = match factory {
        Some(factory) => format!("; to call it: callable {factory}()"),
        None => String::new(),
    };
    Ok(format!("module {module_name} has {what}; callables found: {list}{hint}"))
}

/// The names in a module that could be applications: its own functions, and objects that can be
/// called.
fn callables(module: &Bound<'_, PyModule>, own: &str) -> PyResult<Vec<String>> {
    let mut names = Vec::new();
    for (name, object) in module.dict() {
        let name: String = name.extract()?;
        let home = object.getattr_opt("__module__")?.and_then(|home| home.extract::<String>().ok());
        // A class, or a function that was imported, is a tool; an object of an imported class may
        // well be the application.
        let imported = home.as_deref() != Some(own) && object.hasattr("__qualname__")?;
        let tool = object.is_instance_of::<PyType>() || imported;
        if !name.starts_with('_') && object.is_callable() && !tool {
            names.push(name);
        }
    }
    names.truncate(MOST_NAMES);
    Ok(names)
}

/// The beginning of a line that has to fit into a message.
fn first(mut text: String) -> String {
    if text.len() > LONGEST_CAUSE {
        let end = (0..=LONGEST_CAUSE).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

/// The end of a traceback that has to fit into a message: the cause is there.
fn last(text: String) -> String {
    let start = text.len().saturating_sub(LONGEST_TRACEBACK);
    let start = (start..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text[start..].to_owned()
}

const MOST_NAMES: usize = 10;
const LONGEST_CAUSE: usize = 500;
const LONGEST_TRACEBACK: usize = 16 * 1024;
