//! New readings: asking a reader, taking its result in, opening what it wants, and turning it into a plan.
//!
//! Whatever a reading wants is opened before the supervisor hears of it: a reading that cannot be opened is no reading, and
//! everything stays as it was.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use supervisor::{AppPlan, Cause, Event, Plan, WebPlan};

use crate::app::{self, AppPlace, kind};
use crate::children::Child;
use crate::listeners::Listeners;
use crate::log::{Level, Log};
use crate::logs::Logs;
use crate::master::{Ground, Master};
use crate::post::Token;
use crate::reading::Reading;
use crate::run_dir::RunDir;
use crate::watch::{Subject, Watched};
use crate::{Failed, Start, console, daemon, files, fingerprint, identity, listeners, reader};

/// A reader at work.
pub struct Asking {
    child: Child,
    token: u64,
    since: Instant,
    cause: Cause,
}

impl Master {
    /// Starts a reader, or, while one is at work, asks for another reading after it.
    pub(crate) fn ask_reader(&mut self, cause: Cause) {
        if self.supervisor.status().stopping {
            return;
        }
        if let Some(asking) = &self.reader {
            // Somebody who asked is worth more than a file that changed.
            if asking.cause == Cause::FileChanged || cause != Cause::FileChanged {
                self.again = Some(cause);
            }
            return;
        }
        let asking = reader::spawn(&self.start).and_then(|child| {
            let token = self.tokens.add(&child.channel, Token::Reader)?;
            Ok(Asking { child, token, since: Instant::now(), cause })
        });
        match asking {
            Ok(asking) => {
                let _ = sys::notify::reloading();
                self.reader = Some(asking);
            }
            Err(failed) => {
                self.log.error(format_args!("reload: {failed}; everything stays as it was"))
            }
        }
    }

    /// How long the reader may still take.
    pub(crate) fn reader_wait(&self) -> Option<Duration> {
        let asking = self.reader.as_ref()?;
        Some(reader::LIMIT.saturating_sub(asking.since.elapsed()))
    }

    /// Ends a reader that takes too long.
    pub(crate) fn reader_overdue(&mut self) {
        if self.reader_wait() == Some(Duration::ZERO) {
            let file = self.start.file();
            self.reader_done();
            self.log.error(format_args!(
                "reload: reading {} took longer than {} s (a name server or a network file system that \
                 hangs?); everything stays as it was",
                file.display(),
                reader::LIMIT.as_secs()
            ));
        }
    }

    /// The reader has a result, or died.
    pub(crate) fn reader_spoke(&mut self) {
        let Some(asking) = &self.reader else { return };
        let received = match asking.child.channel.recv() {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(error) => Err(Failed::new("read", self.start.file().display(), error)),
            Ok(received) => reader::result(received, &self.start.file()),
        };
        let Some(cause) = self.reader_done() else { return };
        match received {
            Ok(reading) => self.take_in(reading, cause),
            Err(failed) => {
                self.log.error(format_args!("reload: {failed}; everything stays as it was"))
            }
        }
        let _ = sys::notify::ready();
        if let Some(cause) = self.again.take() {
            self.ask_reader(cause);
        }
    }

    fn reader_done(&mut self) -> Option<Cause> {
        let Asking { child, token, cause, .. } = self.reader.take()?;
        self.tokens.remove(&child.channel, token);
        child.end();
        Some(cause)
    }

    fn take_in(&mut self, reading: Reading, cause: Cause) {
        for said in &reading.said {
            let level = if said.error { Level::Emerg } else { Level::Warn };
            self.log.line(level, said.text_without_prefix());
        }
        let watched = watched(&reading);
        if reading.deployment.is_none() {
            let file = self.start.file();
            let running = self.supervisor.status().web.serving.unwrap_or(0);
            self.log.error(format_args!(
                "reload: running generation {running}; {} rejected; everything stays as it was",
                file.display()
            ));
            // The file may be mended, also one that only the bad reading names.
            self.watch.watch(only_when_wanted(watched, &self.newest));
            return;
        }
        match prepare(&self.start, &self.run_dir, &mut self.listeners, &mut self.log, reading) {
            Ok(ground) => {
                self.watch.watch(only_when_wanted(watched, &ground));
                console::open_log(&mut self.log, &ground);
                self.plan(Rc::new(ground), cause);
            }
            Err(failed) => {
                self.log.emerg(format_args!("reload: {failed}; everything stays as it was"));
            }
        }
    }

    /// The watching thread has news.
    pub(crate) fn files_changed(&mut self) {
        for subject in self.watch.news() {
            match subject {
                Subject::Configuration => {
                    self.log.notice("the configuration changed and is read anew");
                    self.ask_reader(Cause::FileChanged);
                }
                Subject::App(name) => {
                    self.log.notice(format_args!("app {name}: touch_reload was touched"));
                    self.events.push_back(Event::CodeChanged(name.as_str().into()));
                }
            }
        }
    }
}

/// Opens everything that a reading wants: users, directories, logs, sockets.
pub fn prepare(
    start: &Start,
    run_dir: &RunDir,
    listeners: &mut Listeners,
    log: &mut Log,
    reading: Reading,
) -> Result<Ground, Failed> {
    let Reading { deployment: Some(deployment), web, .. } = reading else {
        return Err(Failed::because("read", start.file().display(), "it has errors"));
    };
    let user = identity::web_user(&deployment, start, log)?;
    files::prepare(&deployment, user.as_ref())?;
    let logs = Logs::open(&deployment)?;
    let apps = app::resolve_apps(start, run_dir, &deployment, user.as_ref())?;
    listeners.open(&deployment, apps.values())?;
    let web = sys::memfd::sealed("configuration", &web, false)
        .map_err(|e| Failed::new("make", "the configuration's memory file", e))?;
    let identity = if sys::identity::is_root() { user } else { None };
    Ok(Ground { deployment, web, logs: RefCell::new(logs), apps, identity })
}

/// What the supervisor is to know of a reading.
pub fn plan(ground: &Ground) -> Plan {
    let deployment = &ground.deployment;
    let apps = deployment.apps.iter().map(|app| {
        // Where its block stands is no part of what it is.
        let nameless = config::AppDeployment { place: String::new(), ..app.clone() };
        let place = ground.apps.get(&app.name).map(AppPlace::print);
        let print = fingerprint::of(&(nameless, place));
        AppPlan {
            name: app.name.as_str().into(),
            kind: kind(app),
            print,
            reload: app::reload(app),
            start_timeout: app.start_timeout,
            mercy: app.worker_reload_mercy,
        }
    });
    Plan { web: web_plan(ground), apps: apps.collect() }
}

fn web_plan(ground: &Ground) -> WebPlan {
    let deployment = &ground.deployment;
    let doors: Vec<_> = ground.apps.values().map(AppPlace::door).collect();
    let user = &ground.identity;
    WebPlan {
        workers: listeners::workers(deployment),
        print: fingerprint::of(&(
            deployment.web_print,
            doors,
            user,
            &deployment.logs,
            deployment.open_files,
        )),
        names: deployment.names.iter().map(|name| name.as_str().into()).collect(),
        drain: deployment.shutdown_timeout,
    }
}

/// The files and patterns of a reading.
pub fn watched(reading: &Reading) -> Watched {
    let files = reading.files.iter();
    let files = files.map(|(path, hash)| ((Subject::Configuration, path.clone()), Some(*hash)));
    Watched { files: files.collect(), globs: reading.globs.clone() }
}

/// `auto_reload` decides about the configuration; `touch_reload` always counts.
pub fn only_when_wanted(mut watched: Watched, ground: &Ground) -> Watched {
    let wanted = ground.deployment.auto_reload.unwrap_or_else(daemon::at_a_terminal);
    if !wanted {
        watched = Watched::default();
    }
    for app in &ground.deployment.apps {
        let subject = Subject::App(app.name.clone());
        watched
            .files
            .extend(app.touch_reload.iter().map(|path| ((subject.clone(), path.clone()), None)));
    }
    watched
}
