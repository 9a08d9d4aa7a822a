//! What the master needs of a configuration, and nothing else: plain values that can travel between
//! processes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::message::Preload;

use crate::model::{App, Config, Http, Location, Settings, UpstreamKind};
use crate::value::{Address, Env, ErrorLog, ErrorLogTo, Processes, Reload, UwsgiPass};

/// What the master needs of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// `user`: the user's name, and the group's when one is named.
    pub user: Option<(String, Option<String>)>,
    /// Where `user` stands: `FILE:LINE`, for the message about a user that is not there.
    pub user_place: Option<String>,
    /// `worker_processes`; none is one for each processor.
    pub workers: Option<u32>,
    /// Whether there is an `http` block, so that somebody must serve it.
    pub http: bool,
    /// `pid`.
    pub pid: PathBuf,
    /// `run_path`.
    pub run_path: Option<PathBuf>,
    /// `daemon`.
    pub daemon: bool,
    /// `auto_reload`; none is on when liege was started from a terminal.
    pub auto_reload: Option<bool>,
    /// `worker_rlimit_nofile`.
    pub open_files: Option<u64>,
    /// `worker_connections`.
    pub connections: u64,
    /// `worker_shutdown_timeout`.
    pub shutdown_timeout: Option<Duration>,
    /// `env`; without a value: the one that liege was started with.
    pub env: Vec<(String, Option<String>)>,
    /// The main level's error logs with their levels, 0 for emerg to 7 for debug; the path `stderr`
    /// is standard error.
    pub error_log: Vec<(PathBuf, u8)>,
    /// All files that the master opens and reopens for web workers: access logs and error logs of
    /// all levels, each once, sorted, `stderr` among them. Paths with variables are the web
    /// worker's business.
    pub logs: Vec<PathBuf>,
    /// Directories for temporary files, each once: to be made when missing, for the web workers'
    /// user alone (0700).
    pub temp_dirs: Vec<PathBuf>,
    /// The sockets of the web.
    pub listeners: Vec<Listening>,
    /// The names of the apps that the web passes requests to.
    pub names: Vec<String>,
    /// A fingerprint of what web workers read, wherever it stands: equal ones mean the same web.
    pub web_print: u64,
    /// The apps.
    pub apps: Vec<AppDeployment>,
}

/// A socket of the web.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Its address.
    pub address: Address,
    /// The length of the queue of connections that nobody accepted yet.
    pub backlog: Option<i32>,
    /// SO_RCVBUF.
    pub rcvbuf: Option<usize>,
    /// SO_SNDBUF.
    pub sndbuf: Option<usize>,
    /// One socket for each web worker.
    pub reuseport: bool,
    /// TCP_DEFER_ACCEPT.
    pub deferred: bool,
    /// TCP_FASTOPEN with this queue.
    pub fastopen: Option<i32>,
    /// IPV6_V6ONLY.
    pub ipv6only: Option<bool>,
    /// SO_KEEPALIVE.
    pub so_keepalive: Option<bool>,
    /// TCP_KEEPIDLE.
    pub keep_idle: Option<Duration>,
    /// TCP_KEEPINTVL.
    pub keep_interval: Option<Duration>,
    /// TCP_KEEPCNT.
    pub keep_count: Option<u32>,
}

/// An app, with users not looked up and symbolic links not followed. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppDeployment {
    /// Its name.
    pub name: String,
    /// Where its block stands: `FILE:LINE`.
    pub place: String,
    /// `module`, without the callable behind its colon.
    pub module: Option<String>,
    /// `wsgi_file`.
    pub wsgi_file: Option<PathBuf>,
    /// `callable`, or what stands behind the colon of `module`.
    pub callable: Option<String>,
    /// `exec`: the words of a command line.
    pub exec: Option<Vec<String>>,
    /// `chdir`; where it is not written, the directory of the configuration file.
    pub chdir: Option<PathBuf>,
    /// `virtualenv`.
    pub virtualenv: Option<PathBuf>,
    /// `python`: a path when it has a slash, else a name to look for in PATH.
    pub python: Option<PathBuf>,
    /// `pythonpath`.
    pub pythonpath: Vec<PathBuf>,
    /// Its own `env`; a later one of a name wins, also over the main level's.
    pub env: Vec<(String, String)>,
    /// `processes`.
    pub processes: u32,
    /// `threads`.
    pub threads: u32,
    /// `socket`; none is NAME.sock in the run directory.
    pub socket: Option<Address>,
    /// `listen`: the queue's length.
    pub listen: Option<i32>,
    /// `uid`, a name or a number.
    pub uid: Option<String>,
    /// `gid`, a name or a number.
    pub gid: Option<String>,
    /// `umask`.
    pub umask: Option<u32>,
    /// `harakiri`.
    pub harakiri: Option<Duration>,
    /// `max_requests`; 0 is never.
    pub max_requests: u64,
    /// `preload`.
    pub preload: Preload,
    /// `start_timeout`.
    pub start_timeout: Duration,
    /// `reload`.
    pub reload: Reload,
    /// `touch_reload`.
    pub touch_reload: Vec<PathBuf>,
    /// `worker_reload_mercy`.
    pub worker_reload_mercy: Duration,
}

impl Config {
    /// What the master needs of it.
    pub fn deployment(&self) -> Deployment {
        let main = &self.main;
        let user = main.user.clone();
        Deployment {
            user: user.map(|user| (user.name, user.group)),
            user_place: self.user_place.as_ref().map(ToString::to_string),
            workers: match main.worker_processes {
                Processes::Auto => None,
                Processes::Count(count) => Some(count),
            },
            http: self.http.is_some(),
            pid: main.pid.0.clone(),
            run_path: main.run_path.clone().map(|path| path.0),
            daemon: main.daemon,
            auto_reload: main.auto_reload,
            open_files: main.worker_rlimit_nofile.map(|count| count.0),
            connections: self.events.worker_connections.0,
            shutdown_timeout: main.worker_shutdown_timeout,
            env: main.env.iter().map(|Env { name, value }| (name.clone(), value.clone())).collect(),
            error_log: main.error_log.iter().map(|log| (path_of(log), log.level as u8)).collect(),
            logs: self.http.as_ref().map(logs).unwrap_or_default(),
            temp_dirs: self.http.as_ref().map(temp_dirs).unwrap_or_default(),
            listeners: self.http.as_ref().map(listeners).unwrap_or_default(),
            names: self.http.as_ref().map(names).unwrap_or_default(),
            web_print: self.web_print,
            apps: self.apps.iter().map(app).collect(),
        }
    }
}

impl Http {
    /// The settings of all levels: http's own, each server's, each location's.
    pub fn all_settings(&self) -> Vec<&Settings> {
        let mut all = vec![&self.settings];
        for server in &self.servers {
            all.push(&server.settings);
            server.locations.all().iter().for_each(|location| collect(location, &mut all));
        }
        all
    }
}

fn collect<'a>(location: &'a Location, all: &mut Vec<&'a Settings>) {
    all.push(&location.settings);
    location.locations.all().iter().for_each(|inner| collect(inner, all));
}

fn path_of(log: &ErrorLog) -> PathBuf {
    match &log.to {
        ErrorLogTo::Stderr => PathBuf::from("stderr"),
        ErrorLogTo::File(path) => path.clone(),
    }
}

/// The level of http itself counts only where a server or location uses it, which each of them does
/// unless it says otherwise.
fn logs(http: &Http) -> Vec<PathBuf> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let mut paths = BTreeSet::new();
    for settings in http.all_settings().into_iter().skip(1) {
        paths.extend(settings.logs.error_log.iter().map(path_of));
        let access = settings.logs.access_log.logs.iter().filter_map(|log| log.path.literal());
        paths.extend(access.map(|path| PathBuf::from(OsStr::from_bytes(path))));
    }
    paths.into_iter().collect()
}

fn temp_dirs(http: &Http) -> Vec<PathBuf> {
    let mut paths = BTreeSet::new();
    for settings in http.all_settings() {
        paths.insert(settings.body.client_body_temp_path.path.clone());
        paths.insert(settings.uwsgi.uwsgi_temp_path.path.clone());
    }
    paths.into_iter().collect()
}

fn listeners(http: &Http) -> Vec<Listening> {
    let small = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let sockets = http.listeners.iter().map(|listener| {
        let options = &listener.options;
        Listening {
            address: listener.address.clone(),
            backlog: Some(small(options.backlog)),
            rcvbuf: options.rcvbuf.and_then(|bytes| usize::try_from(bytes).ok()),
            sndbuf: options.sndbuf.and_then(|bytes| usize::try_from(bytes).ok()),
            reuseport: options.reuseport,
            deferred: options.deferred,
            fastopen: options.fastopen.map(small),
            ipv6only: Some(options.ipv6only),
            so_keepalive: options.so_keepalive,
            keep_idle: options.keep_idle,
            keep_interval: options.keep_interval,
            keep_count: options.keep_count,
        }
    });
    sockets.collect()
}

/// The apps that any level passes requests to: all of them when a level does so by a variable.
fn names(http: &Http) -> Vec<String> {
    let mut names = BTreeSet::new();
    let apps = || http.upstreams.iter().filter(|upstream| upstream.kind == UpstreamKind::App);
    for settings in http.all_settings() {
        match &settings.uwsgi.uwsgi_pass {
            Some(UwsgiPass::To(upstream)) if upstream.kind == UpstreamKind::App => {
                names.insert(upstream.name.to_string());
            }
            Some(UwsgiPass::Text(_)) => names.extend(apps().map(|app| app.name.to_string())),
            _ => {}
        }
    }
    names.into_iter().collect()
}

fn app(app: &App) -> AppDeployment {
    let settings = &app.settings;
    let text = |name: &Option<crate::value::Name>| name.clone().map(|name| name.0);
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    // uWSGI's `module = wsgi:application` names both.
    let (module, behind) = match text(&settings.module) {
        Some(both) => match both.split_once(':') {
            Some((module, callable)) => (Some(module.to_string()), Some(callable.to_string())),
            None => (Some(both), None),
        },
        None => (None, None),
    };
    AppDeployment {
        name: app.name.to_string(),
        place: app.place.to_string(),
        module,
        wsgi_file: settings.wsgi_file.clone().map(|path| path.0),
        callable: text(&settings.callable).or(behind),
        exec: settings.exec.clone().map(|command| command.0),
        chdir: Some(settings.chdir.0.clone()),
        virtualenv: settings.virtualenv.clone().map(|path| path.0),
        python: text(&settings.python).map(PathBuf::from),
        pythonpath: settings.pythonpath.iter().map(|path| path.0.clone()).collect(),
        env: settings.env.iter().map(|env| (env.name.clone(), env.value.clone())).collect(),
        processes: small(settings.processes.0),
        threads: small(settings.threads.0),
        socket: settings.socket.clone(),
        listen: i32::try_from(settings.listen.0).ok(),
        uid: text(&settings.uid),
        gid: text(&settings.gid),
        umask: settings.umask.map(|mask| mask.0),
        harakiri: settings.harakiri.0,
        max_requests: settings.max_requests,
        preload: settings.preload,
        start_timeout: settings.start_timeout,
        reload: settings.reload,
        touch_reload: settings.touch_reload.iter().map(|path| path.0.clone()).collect(),
        worker_reload_mercy: settings.worker_reload_mercy,
    }
}
