//! The main level: processes, users, the run directory.

use std::time::Duration;

use crate::directive::Check;
use crate::value::{Bounded, Env, ErrorLog, FilePath, List, Processes, User};

directives! {
    /// MAIN
    pub struct Main in [Main] {
        /// The user whose rights web workers have, and apps for which nothing else decides. Without
        /// a group, the group of the same name. Only root can become another user; without `user`
        /// root becomes nobody.
        user: Option<User> = none;

        /// The number of web workers; `auto` is one for each processor.
        worker_processes: Processes = "1";

        /// The file that holds the master's process id.
        pid: FilePath = "logs/liege.pid";

        /// Whether liege goes into the background. Taken as off under systemd (NOTIFY_SOCKET), as
        /// process 1 and in `liege run`, with a notice.
        daemon: bool = "on";

        /// Accepted for nginx's sake. There always is a master: it owns the sockets and starts the
        /// apps.
        master_process: bool = "on";

        /// A variable of the environment of all apps: with a value, or the value that liege itself
        /// was started with. Unlike nginx's workers, apps start with nothing but PATH, HOME, USER,
        /// LANG and the like.
        env: List<Env> = none;

        /// The most files and connections that a web worker may have open.
        worker_rlimit_nofile: Option<Bounded<1, 1073741816>> = none;

        /// How long requests in flight may take when web workers are stopped: what lasts longer is
        /// cut. Without it, 30 seconds at a stop, no limit at a reload.
        worker_shutdown_timeout: Option<Duration> = none;

        /// The directory of sockets, the lock and the process id. By default RUNTIME_DIRECTORY of
        /// the environment, else /run/liege/HASH for root, else XDG_RUNTIME_DIR/liege/HASH or
        /// /tmp/liege-UID/HASH, where HASH names the configuration file; with `-p` it is run under
        /// the prefix.
        run_path: Option<FilePath> = none;

        /// Whether a change of the configuration, or of a file that it includes, is a reload. The
        /// default is on when liege was started from a terminal, else off.
        auto_reload: Option<bool> = none;

        /// Where errors are logged and from which level on; several lines add up. A level further
        /// in replaces what was said further out.
        error_log: List<ErrorLog> = "logs/error.log error";
    }
}

impl Check for Main {}
