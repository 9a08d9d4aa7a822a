//! `liege run`: one application on one address, from flags instead of a file.
//!
//! The flags become a configuration text that is read like any other; nothing else in liege knows
//! about this command.

use std::path::{Path, PathBuf};

use clap::Args;
use master::Start;

/// The flags of `liege run`.
#[derive(Args)]
pub struct Run {
    /// The application: module and callable, as in `shop.wsgi:application` (the callable may be
    /// left out)
    #[arg(value_name = "MODULE[:CALLABLE]")]
    application: String,
    /// Serve the files of DIR under URL, without Python
    #[arg(long = "static", value_name = "URL=DIR")]
    statics: Vec<String>,
    /// The address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: String,
    /// Worker processes of the application
    #[arg(long, value_name = "N", default_value_t = 2)]
    processes: u32,
    /// Threads in each worker process
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: u32,
    /// The virtual environment (default: $VIRTUAL_ENV, then venv or .venv here)
    #[arg(long, value_name = "DIR")]
    virtualenv: Option<PathBuf>,
}

impl Run {
    /// The start that these flags mean, or what is wrong with them.
    pub fn start(&self) -> Result<Start, String> {
        let here = std::env::current_dir().map_err(|e| format!("current directory: {e}"))?;
        let text = self.configuration(&here)?;
        Ok(Start {
            prefix: Some(master::private(&("run", &here, &self.listen))),
            file: Some(here.join("liege run")),
            text: Some(text.into_bytes()),
            error_log: Some(PathBuf::from("stderr")),
            keep_caller: true,
            ..Start::default()
        })
    }

    fn configuration(&self, here: &Path) -> Result<String, String> {
        let (module, callable) = match self.application.split_once(':') {
            Some((module, callable)) => (module, Some(callable)),
            None => (self.application.as_str(), None),
        };
        let mut text = format!(
            "daemon off;\nworker_processes 1;\nerror_log stderr notice;\npid {};\nevents {{}}\n",
            quoted("run/liege.pid")
        );
        let name = app_name(module);
        text.push_str(&format!("app {name} {{\n    module {};\n", quoted(module)));
        if let Some(callable) = callable {
            text.push_str(&format!("    callable {};\n", quoted(callable)));
        }
        text.push_str(&format!("    chdir {};\n", quoted(&here.to_string_lossy())));
        if let Some(venv) = self.virtualenv(here) {
            text.push_str(&format!("    virtualenv {};\n", quoted(&venv.to_string_lossy())));
        }
        text.push_str(&format!(
            "    processes {};\n    threads {};\n}}\n",
            self.processes, self.threads
        ));
        text.push_str(&format!(
            "http {{\n    access_log off;\n    default_type application/octet-stream;\n{}\n    \
             server {{\n        listen {};\n",
            include_str!("../conf/mime.types"),
            quoted(&self.listen)
        ));
        for mapping in &self.statics {
            text.push_str(&location(mapping, here)?);
        }
        text.push_str(&format!("        location / {{ uwsgi_pass {name}; }}\n    }}\n}}\n"));
        Ok(text)
    }

    fn virtualenv(&self, here: &Path) -> Option<PathBuf> {
        let named =
            self.virtualenv.clone().or_else(|| std::env::var_os("VIRTUAL_ENV").map(PathBuf::from));
        named.map(|venv| here.join(venv)).or_else(|| {
            ["venv", ".venv"]
                .iter()
                .map(|name| here.join(name))
                .find(|venv| venv.join("bin/python").exists())
        })
    }
}

/// The app's name: that of its package, as far as a name may hold it.
fn app_name(module: &str) -> String {
    let package = module.split('.').next().unwrap_or_default();
    let name: String = package.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    if name.is_empty() { "app".into() } else { name }
}

/// `/static=DIR` as a location. Both ends get their slash, because alias replaces the matched text
/// as it stands.
fn location(mapping: &str, here: &Path) -> Result<String, String> {
    let Some((url, directory)) = mapping.split_once('=').filter(|(url, _)| url.starts_with('/'))
    else {
        return Err(format!("--static wants /URL=DIR, not \"{mapping}\""));
    };
    let directory = here.join(directory);
    if !directory.is_dir() {
        return Err(format!("--static {mapping}: {} is not a directory", directory.display()));
    }
    let url = format!("{}/", url.trim_end_matches('/'));
    let directory = format!("{}/", directory.display().to_string().trim_end_matches('/'));
    Ok(format!("        location {} {{ alias {}; }}\n", quoted(&url), quoted(&directory)))
}

/// A word in the configuration's own quoting.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}
