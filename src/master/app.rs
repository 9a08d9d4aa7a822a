//! From an app's section to the order of its processes: user, directory, interpreter, environment,
//! socket.
//!
//! `resolve_apps` settles what a reading can settle (users, sockets). Directory and interpreter are
//! resolved when a generation begins, because they belong to it: a crash restarts what was resolved
//! then, only a new generation follows a `current` link anew.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use config::{AppDeployment, Deployment};
use supervisor::{Kind, Reload};
use sys::channel::Channel;
use sys::exec;
use sys::socket::{Address, ListenOptions};
use wire::message::{AppKind, AppOrder, AppSource, Identity, WsgiOrder, encode};

use crate::run_dir::RunDir;
use crate::{Failed, Start, environment, identity};

/// What a reading settles about one app.
pub struct AppPlace {
    /// Its socket.
    pub address: Address,
    /// How the socket listens.
    pub options: ListenOptions,
    app: AppDeployment,
    identity: Option<Identity>,
    /// The socket is in the run directory, where only we put sockets.
    private: bool,
}

/// Settles users and sockets of all apps.
pub fn resolve_apps(
    start: &Start,
    run_dir: &RunDir,
    deployment: &Deployment,
    web: Option<&Identity>,
) -> Result<BTreeMap<String, AppPlace>, Failed> {
    let places = deployment.apps.iter().map(|app| {
        let place = resolve(start, run_dir, app, web).map_err(|failed| {
            Failed::because("set up", format!("app {}", app.name), failed.to_string())
        })?;
        Ok((app.name.clone(), place))
    });
    places.collect()
}

fn resolve(
    start: &Start,
    run_dir: &RunDir,
    app: &AppDeployment,
    web: Option<&Identity>,
) -> Result<AppPlace, Failed> {
    let identity = identity::app_user(app, web, start)?;
    let (address, private) = match &app.socket {
        Some(config::Address::Inet(address)) => (Address::Inet(*address), false),
        Some(config::Address::Unix(path)) => (Address::Unix(path.clone()), false),
        None => (Address::Unix(run_dir.path.join(format!("{}.sock", app.name))), true),
    };
    let owner = identity.as_ref().map(|who| (who.uid, web.map_or(who.gid, |web| web.gid)));
    let usual = ListenOptions::default();
    let options = ListenOptions {
        backlog: app.listen.unwrap_or(usual.backlog),
        mode: Some(0o660),
        owner,
        ..usual
    };
    Ok(AppPlace { address, options, app: app.clone(), identity, private })
}

impl AppPlace {
    /// The app's name and where web workers reach it. A path that is not absolute is a TCP address.
    pub fn door(&self) -> (String, PathBuf) {
        let door = match &self.address {
            Address::Unix(path) => path.clone(),
            Address::Inet(address) => PathBuf::from(address.to_string()),
        };
        (self.app.name.clone(), door)
    }

    /// What of this place an app's processes depend on.
    pub fn print(&self) -> (String, Option<Identity>) {
        (self.address.to_string(), self.identity.clone())
    }

    /// Removes a socket that a dead master left. In the run directory the lock says that it is
    /// nobody's, even while workers of that master finish their last requests.
    pub fn make_room(&self) -> io::Result<()> {
        match &self.address {
            Address::Unix(path) if self.private => sys::socket::unlink(path),
            _ => Ok(()),
        }
    }

    /// Resolves directory and interpreter for a new generation.
    pub fn order(&self, start: &Start, deployment: &Deployment) -> Result<AppOrder, Failed> {
        let app = &self.app;
        let chdir = app.chdir.clone().unwrap_or_else(|| start.prefix());
        let resolved = std::fs::canonicalize(&chdir).map_err(|e| {
            Failed::new("chdir to", format!("{} (app {})", chdir.display(), app.name), e)
        })?;
        let kind = match &app.exec {
            Some(words) => AppKind::Program(words.clone()),
            None => AppKind::Wsgi(self.wsgi(&chdir, &resolved)?),
        };
        let ours = environment::ours();
        let env =
            environment::of_app(&ours, start.keep_caller, deployment, app, self.identity.as_ref());
        Ok(AppOrder {
            name: app.name.clone(),
            generation: 0,
            identity: self.identity.clone(),
            chdir: resolved,
            umask: app.umask,
            env,
            kind,
        })
    }

    fn wsgi(&self, chdir: &Path, resolved: &Path) -> Result<WsgiOrder, Failed> {
        let app = self.app.clone();
        // A generation keeps its own directory when a `current` link moves on.
        let inside = |path: PathBuf| match path.strip_prefix(chdir) {
            Ok(rest) => resolved.join(rest),
            Err(_) => path,
        };
        let python = interpreter(&app, chdir, self.identity.as_ref())?;
        let source = match (app.wsgi_file, app.module) {
            (Some(file), _) => AppSource::File(inside(file)),
            (None, Some(module)) => AppSource::Module(module),
            (None, None) => {
                let why = "it has no module, wsgi_file or exec";
                return Err(Failed::because("start", format!("app {}", app.name), why));
            }
        };
        Ok(WsgiOrder {
            python,
            source,
            callable_given: app.callable.is_some(),
            callable: app.callable.unwrap_or_else(|| "application".into()),
            pythonpath: app.pythonpath.into_iter().map(inside).collect(),
            processes: app.processes,
            threads: app.threads,
            harakiri: app.harakiri,
            max_requests: app.max_requests,
            mercy: app.worker_reload_mercy,
            preload: app.preload,
        })
    }
}

/// What processes an app has, as the supervisor counts them.
pub fn kind(app: &AppDeployment) -> Kind {
    match app.exec {
        Some(_) => Kind::Program,
        None => Kind::Forks { workers: app.processes },
    }
}

/// How a new generation takes over.
pub fn reload(app: &AppDeployment) -> Reload {
    match app.reload {
        config::Reload::Overlap => Reload::Overlap,
        config::Reload::Replace => Reload::Replace,
    }
}

/// The app's own interpreter: of its virtual environment, else `python`, else the first python3 on
/// PATH that its user may execute.
fn interpreter(
    app: &AppDeployment,
    chdir: &Path,
    who: Option<&Identity>,
) -> Result<PathBuf, Failed> {
    if let Some(venv) = &app.virtualenv {
        return reachable(of_virtualenv(venv)?, who);
    }
    let name = app.python.as_deref().unwrap_or(Path::new("python3"));
    if name.components().count() > 1 {
        let path = chdir.join(name);
        let why = "no such file; set python to an interpreter that is there";
        let found = if path.is_file() {
            Ok(path)
        } else {
            Err(Failed::because("find", path.display(), why))
        };
        return reachable(found?, who);
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| environment::PATH.into());
    let mut found: Vec<PathBuf> = std::env::split_paths(&path).map(|dir| dir.join(name)).collect();
    found.retain(|file| file.is_file());
    let usable = found.iter().find(|file| identity::blocked_at(file, who).is_none());
    match (usable, found.first()) {
        (Some(python), _) => Ok(python.clone()),
        (None, Some(first)) => reachable(first.clone(), who),
        (None, None) => {
            let why = "it is not on PATH; install Python, or set python or virtualenv";
            Err(Failed::because("find", name.display(), why))
        }
    }
}

/// Refuses an interpreter that the app's user cannot reach, naming the directory that is in the
/// way.
fn reachable(python: PathBuf, who: Option<&Identity>) -> Result<PathBuf, Failed> {
    let Some(blocked) = identity::blocked_at(&python, who) else { return Ok(python) };
    let user = who.map_or("this user", |who| who.name.as_str());
    let why = format!(
        "user {user} has no permission for {}; give it (chmod o+x), name another uid, or another \
         python",
        blocked.display()
    );
    Err(Failed::because("execute", python.display(), why))
}

fn of_virtualenv(venv: &Path) -> Result<PathBuf, Failed> {
    let remedy = |why: &str| Failed::because("use virtualenv", venv.display(), why);
    if !venv.is_dir() {
        return Err(remedy("no such directory; make it with: python3 -m venv"));
    }
    let python = venv.join("bin/python");
    if std::fs::symlink_metadata(&python).is_err() {
        return Err(remedy("it has no bin/python; make it anew with: python3 -m venv --clear"));
    }
    if !python.exists() {
        let gone = std::fs::read_link(&python).unwrap_or_default();
        let why = format!(
            "its bin/python leads to {}, which is not installed any more; make it anew with: \
             python3 -m venv --clear",
            gone.display()
        );
        return Err(remedy(&why));
    }
    Ok(python)
}

/// In the child, already the app's user: executes the interpreter or the program. Returns only on
/// failure.
pub fn execute(channel: Channel, order: &AppOrder, fds: Vec<OwnedFd>) -> Failed {
    let mut fds = fds.into_iter();
    match (&order.kind, fds.next(), fds.next(), fds.next()) {
        (AppKind::Wsgi(wsgi), Some(listener), Some(log), Some(extension)) => {
            let memory = match sys::memfd::sealed("liege-app", &encode(order), false) {
                Ok(memory) => memory,
                Err(error) => return Failed::new("make", "the order's memory file", error),
            };
            let files =
                exec::Files { channel: channel.into(), order: memory, listener, log, extension };
            let error = exec::python(&wsgi.python, &order.env, files);
            Failed::new("execute", wsgi.python.display(), error)
        }
        (AppKind::Program(words), Some(listener), Some(log), _) => {
            let error = exec::program(words, &order.env, listener, log);
            Failed::new("execute", words.first().map_or("", String::as_str), error)
        }
        _ => Failed::because(
            "execute",
            format!("app {}", order.name),
            "its order came without descriptors",
        ),
    }
}
