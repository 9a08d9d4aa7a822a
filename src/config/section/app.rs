//! `app NAME { }`: an application, under uWSGI's option names.

use std::time::Duration;

use wire::message::Preload;

use crate::directive::Check;
use crate::value::{
    Address, AppEnv, Bounded, Command, Complaint, Limit, List, Name, Reload, Umask, WorkPath,
};

directives! {
    /// APPS
    pub struct App in [App] {
        /// The Python module that holds the application, as `import` names it; `module:callable`
        /// names both.
        module: Option<Name> = none;

        /// The Python file that holds the application, instead of {module}.
        wsgi_file: Option<WorkPath> = none;

        /// The application's name in its module. With `()` behind it, it is called and gives the
        /// application. Without it, `application` is looked for, then `app`.
        callable: Option<Name> = none;

        /// A program and its arguments, instead of a Python application. It gets the app's socket
        /// as descriptor 3 (LISTEN_FDS), and NOTIFY_SOCKET to say that it is ready; without that it
        /// is ready after a second.
        exec: Option<Command> = none;

        /// The working directory, and where relative paths of the block start. By default the
        /// directory of the configuration file. A symbolic link is followed when a generation
        /// starts, and stays followed for its life.
        chdir: WorkPath = ".";

        /// The virtual environment whose python and packages are used.
        virtualenv: Option<WorkPath> = none;

        /// The interpreter, when there is no {virtualenv}: a path, or a name looked for in PATH. By
        /// default python3.
        python: Option<Name> = none;

        /// A directory in front of sys.path; several lines add up, the first one comes first.
        /// {chdir} is always on it, behind these.
        pythonpath: List<WorkPath> = none;

        /// A variable of the environment; several lines add up. It goes before one of the main
        /// level.
        env: List<AppEnv> = none;

        /// The number of worker processes.
        processes: Bounded<1, 1024> = "1";

        /// The number of threads in each worker process.
        threads: Bounded<1, 1024> = "1";

        /// Where the app listens for the uwsgi protocol: a path, or an address with a port. By
        /// default NAME.sock in the run directory.
        socket: Option<Address> = none;

        /// The length of the queue of requests that no worker took yet. The kernel cuts it at
        /// net.core.somaxconn. (uWSGI's default is 100, and a full queue is an error for the
        /// client.)
        listen: Bounded<1, 65535> = "4096";

        /// The user whose rights the app has, by name or number. By default the owner of {chdir} if
        /// that is not root, else the user of `user`. Only `uid root` makes it root.
        uid: Option<Name> = none;

        /// The group, by name or number. By default the user's.
        gid: Option<Name> = none;

        /// The mode bits that new files do not get, in octal.
        umask: Option<Umask> = none;

        /// A request that takes longer is ended: its client gets 504, the worker is replaced.
        harakiri: Limit = "off";

        /// A worker is replaced after so many requests; 0 is never.
        max_requests: u64 = "0";

        /// How long requests in flight may take when a worker is stopped.
        worker_reload_mercy: Duration = "60s";

        /// Whether the application is imported once, before workers are forked from it: `auto`
        /// does, unless the import left threads or open sockets behind, and says so; `off` imports
        /// in each worker.
        preload: Preload = "auto";

        /// How long the app may take until its first worker is ready.
        start_timeout: Duration = "60s";

        /// How a new generation takes the place of the old one: beside it (`overlap`), or after it
        /// (`replace`).
        reload: Reload = "overlap";

        /// A file whose change is a reload of this app; several lines add up.
        touch_reload: List<WorkPath> = none;
    }
}

impl Check for App {
    fn check(&self) -> Vec<Complaint> {
        let sources = [
            ("module", self.module.is_some()),
            ("wsgi_file", self.wsgi_file.is_some()),
            ("exec", self.exec.is_some()),
        ];
        let named: Vec<&str> =
            sources.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| *name).collect();
        match named[..] {
            [] => vec![
                Complaint::new("no application is named in \"app\"")
                    .hint("add \"module\", \"wsgi_file\" or \"exec\": module wsgi:application;"),
            ],
            [_] => self.program_has_no_python(),
            [first, second, ..] => vec![
                Complaint::new(format!(
                    "\"{first}\" and \"{second}\" exclude each other in \"app\""
                ))
                .hint("an app is one module, one file or one program: remove the others"),
            ],
        }
    }
}

impl App {
    /// What only a Python application obeys is a mistake beside `exec`.
    fn program_has_no_python(&self) -> Vec<Complaint> {
        if self.exec.is_none() {
            return vec![];
        }
        let python_only = [
            ("callable", self.callable.is_some()),
            ("virtualenv", self.virtualenv.is_some()),
            ("python", self.python.is_some()),
            ("pythonpath", !self.pythonpath.is_empty()),
            ("processes", self.processes.0 != 1),
            ("threads", self.threads.0 != 1),
            ("max_requests", self.max_requests != 0),
            ("harakiri", self.harakiri.0.is_some()),
        ];
        python_only
            .iter()
            .filter(|(_, is_there)| *is_there)
            .map(|(name, _)| {
                Complaint::new(format!("\"{name}\" has no meaning beside \"exec\" in \"app\""))
                    .hint("it is for Python applications: remove it")
            })
            .collect()
    }
}
