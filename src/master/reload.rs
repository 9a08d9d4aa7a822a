//! New readings: asking a reader, taking its result in, opening what it wants, and turning it into
//! a plan.
//!
//! Whatever a reading wants is opened before the supervisor hears of it: a reading that cannot be
//! opened is no reading, and everything stays as it was.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use supervisor::{AppPlan, Cause, Event, Plan, Unit, WebPlan};

use crate::app::{self, AppPlace, kind};
use crate::children::Child;
use crate::listeners::{Listeners, Wanted};
use crate::log::{Level, Log};
use crate::logs::Logs;
use crate::master::{Ground, Made, Master};
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
        if self.reader.is_some() {
            self.again = Some(weightier(self.again.take(), cause));
            return;
        }
        let asking = reader::spawn(&self.start).and_then(|child| {
            let token = self.tokens.add(&child.channel, Token::Reader)?;
            Ok(Asking { child, token, since: Instant::now(), cause })
        });
        match asking {
            Ok(asking) => {
                let _ = sys::notify::reloading();
                self.reloading = true;
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
            self.end_reader();
            self.log.error(format_args!(
                "reload: reading {} took longer than {} s (a name server or a network file system \
                 that hangs?); everything stays as it was",
                file.display(),
                reader::LIMIT.as_secs()
            ));
            self.read_again();
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
        let Some(cause) = self.end_reader() else { return };
        match received {
            Ok(reading) => self.take_in(reading, cause),
            Err(failed) => {
                self.log.error(format_args!("reload: {failed}; everything stays as it was"))
            }
        }
        self.read_again();
    }

    fn read_again(&mut self) {
        if let Some(cause) = self.again.take() {
            self.ask_reader(cause);
        }
    }

    /// Ends the reader, whether it has a result or not. It is reaped as a stranger: one that hangs
    /// in a file system may take its time, and nobody waits for it.
    pub(crate) fn end_reader(&mut self) -> Option<Cause> {
        let Asking { child, token, cause, .. } = self.reader.take()?;
        self.tokens.remove(&child.channel, token);
        let _ = child.process.signal(sys::child::Signal::SIGKILL);
        Some(cause)
    }

    fn take_in(&mut self, reading: Reading, cause: Cause) {
        for said in &reading.said {
            let level = if said.is_error() { Level::Emerg } else { Level::Warn };
            // Lines of a log have a beginning of their own, and no colours.
            let text = said.render(false);
            self.log.line(level, text.split_once("] ").map_or(&*text, |(_, text)| text));
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
        let prepared =
            prepare(&self.start, &self.run_dir, &mut self.listeners, &mut self.log, reading)
                .and_then(|ground| {
                    files::move_pid(&self.newest.deployment.pid, &ground.deployment.pid)?;
                    Ok(ground)
                });
        match prepared {
            Ok(ground) => {
                self.watch.watch(only_when_wanted(watched, &ground));
                console::open_log(&mut self.log, &ground);
                self.plan(Rc::new(ground), cause);
            }
            Err(failed) => {
                // What it opened before it failed is closed again.
                self.close_unwanted();
                self.watch.watch(only_when_wanted(watched, &self.newest));
                self.log.emerg(format_args!("reload: {failed}; everything stays as it was"));
            }
        }
    }

    /// Closes the sockets that no configuration in use wants: those of the web that serves or is
    /// tried, and those of every app that lives or may be started.
    pub(crate) fn close_unwanted(&mut self) {
        let status = self.supervisor.status();
        let mut wanted = Wanted::new();
        let mut doors: Vec<&AppPlace> = self.newest.apps.values().collect();
        let webs = [status.web.serving, status.web.candidate].into_iter().flatten();
        let webs = webs.filter_map(|number| self.generations.get(&(Unit::Web, number)));
        let webs = webs.map(Made::ground).chain(self.untried.iter());
        for ground in webs.filter(|_| !status.stopping) {
            listeners::add_web(&mut wanted, &ground.deployment);
            doors.extend(ground.apps.values());
        }
        for ((unit, _), made) in &self.generations {
            if let Unit::App(name) = unit {
                doors.extend(made.ground().apps.get(&**name));
            }
        }
        for place in doors {
            wanted.entry(place.address.clone()).or_insert(1);
        }
        self.listeners.keep(&wanted);
    }

    /// The watching thread has news.
    pub(crate) fn files_changed(&mut self) {
        let news = self.watch.news();
        if self.supervisor.status().stopping {
            return;
        }
        for subject in news {
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
    let logs = Logs::open(&deployment, &start.prefix())?;
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
    let apps = deployment.apps.iter().map(|app| AppPlan {
        name: app.name.as_str().into(),
        kind: kind(app),
        print: print(app, ground.apps.get(&app.name)),
        reload: app::reload(app),
        start_timeout: app.start_timeout,
        mercy: app.worker_reload_mercy,
    });
    Plan { web: web_plan(ground), apps: apps.collect() }
}

/// The fingerprint of an app: with an equal one a changed file leaves it alone.
fn print(app: &config::AppDeployment, place: Option<&AppPlace>) -> u64 {
    // Where its block stands is no part of what it is.
    let nowhere = config::AppDeployment { place: String::new(), ..app.clone() };
    fingerprint::of(&(nowhere, place.map(AppPlace::print)))
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

/// What to read for when two ask before one reading has begun: somebody who asked is worth more
/// than a file that changed.
fn weightier(before: Option<Cause>, now: Cause) -> Cause {
    match before {
        Some(before) if now == Cause::FileChanged => before,
        _ => now,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(text: &str) -> config::Deployment {
        let start = Start { text: Some(text.into()), ..Start::default() };
        reader::read(&start.order()).deployment.unwrap()
    }

    #[test]
    fn an_app_s_print_is_what_it_is_and_not_where_its_block_stands() {
        let of = |text: &str| print(&deployment(text).apps[0], None);
        let one = of("app a { module m; }");
        assert_eq!(one, of("# a comment\n\napp a {\n    module m;\n}"));
        assert_ne!(one, of("app a { module m; processes 2; }"));
        assert_ne!(one, of("app a { module m; env A=b; }"));
    }

    #[test]
    fn a_shared_address_needs_as_many_sockets_as_the_widest_web_that_lives() {
        let http = |workers, how| {
            let text = format!(
                "worker_processes {workers}; events {{}} \
                 http {{ server {{ listen 127.0.0.1:1{how}; }} }}"
            );
            deployment(&text)
        };
        let mut wanted = Wanted::new();
        for (workers, how, count) in [(2, "", 1), (3, " reuseport", 3), (2, " reuseport", 3)] {
            listeners::add_web(&mut wanted, &http(workers, how));
            assert_eq!(wanted.values().copied().collect::<Vec<_>>(), [count]);
        }
    }

    #[test]
    fn a_reload_that_was_asked_for_is_not_forgotten_over_a_file_that_changes_meanwhile() {
        let asked = Cause::Asked(None);
        assert_eq!(weightier(None, Cause::FileChanged), Cause::FileChanged);
        assert_eq!(weightier(Some(asked.clone()), Cause::FileChanged), asked);
        assert_eq!(weightier(Some(Cause::FileChanged), asked.clone()), asked);
    }
}
