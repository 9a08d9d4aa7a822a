//! The supervisor's orders as system calls, carried out in the order in which they came.

use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::Instant;

use supervisor::{Action, AppState, Basis, Event, Seat, Slot, Unit};
use sys::channel::Channel;
use sys::child::Signal;
use sys::notify::Inbox;
use wire::message::{self, AppOrder, Order, ToApp, ToWeb, ToWorker, WebOrder, encode};

use crate::app::AppPlace;
use crate::app_log::AppLog;
use crate::log::Level;
use crate::master::{Ground, Made, Master, seat};
use crate::post::Token;
use crate::{Failed, children, console, tell};

impl Master {
    /// Carries out one order.
    pub(crate) fn obey(&mut self, action: Action) {
        let withdrawn = action.is_withdrawal();
        match action {
            Action::Begin { unit, generation, from } => self.begin(unit, generation, from),
            Action::Spawn(slot) => {
                if let Err(failed) = self.spawn(&slot) {
                    let cause = failed.to_string();
                    // Of an app the rejection of its generation says it.
                    if slot.unit == Unit::Web {
                        self.log.error(format_args!("{}: {cause}", tell::name(&slot)));
                    }
                    self.events.push_back(Event::NotSpawned { slot, cause });
                }
            }
            Action::Stop(slot) => self.stop_slot(&slot),
            Action::Kill(slot) => self.kill(&slot),
            Action::Retire(slot) => {
                self.will_end(&slot);
                self.say(&slot, &ToApp::Retire, &[]);
            }
            Action::Accepted { unit, generation } => self.accepted(&unit, generation),
            Action::Rejected { unit, generation, cause } => {
                self.rejected(&unit, generation, &cause, withdrawn)
            }
            Action::Gone { unit, generation } => self.gone_generation((unit, generation)),
            Action::State { app, state } => {
                let news = state_message(&app, &state);
                self.states.insert(app, state);
                self.tell_web(&news);
            }
            Action::Booted => console::booted(self),
            Action::Told(summary) => self.log.error(summary),
            Action::Exit { status } => self.exit = Some(status),
        }
    }

    fn begin(&mut self, unit: Unit, generation: u32, from: Basis) {
        let made = match (&unit, from) {
            (_, Basis::Generation(old)) => self.generations.get(&(unit.clone(), old)).cloned(),
            (Unit::Web, Basis::Reading(_)) => Some(Made::Web(self.newest.clone())),
            (Unit::App(name), Basis::Reading(_)) => Some(self.make_app(name)),
        };
        let made = made.unwrap_or_else(|| {
            Made::Broken(format!("{unit}: what it is made from is gone"), self.newest.clone())
        });
        self.born_generations.insert((unit.clone(), generation), Instant::now());
        self.generations.insert((unit, generation), made);
    }

    /// Resolves an app's directory and interpreter: only a new generation from a reading does that.
    fn make_app(&self, name: &str) -> Made {
        let ground = self.newest.clone();
        let Some(place) = ground.apps.get(name) else {
            return Made::Broken(format!("app {name} is not in the configuration"), ground);
        };
        match place.order(&self.start, &ground.deployment) {
            Ok(order) => Made::App(Rc::new(order), ground),
            Err(failed) => Made::Broken(failed.to_string(), ground),
        }
    }

    fn spawn(&mut self, slot: &Slot) -> Result<(), Failed> {
        let made = self.generations.get(&(slot.unit.clone(), slot.generation)).cloned();
        match (made, slot.seat) {
            (Some(Made::Web(ground)), Seat::Web(number)) => self.spawn_web(slot, number, &ground),
            (Some(Made::App(_, _)), Seat::Worker(number)) => self.fork_worker(slot, number),
            (Some(Made::App(order, ground)), _) => self.spawn_app(slot, &order, &ground),
            (Some(Made::Broken(cause, _)), _) => {
                Err(Failed::because("start", tell::name(slot), cause))
            }
            (made, _) => {
                let why = if made.is_some() { "no such seat" } else { "its generation is gone" };
                Err(Failed::because("start", tell::name(slot), why))
            }
        }
    }

    fn spawn_web(&mut self, slot: &Slot, number: u32, ground: &Ground) -> Result<(), Failed> {
        self.listeners.grow(&ground.deployment, number)?;
        let logs = ground.logs.borrow();
        let sockets = self.listeners.for_web(&ground.deployment, number);
        let mut fds: Vec<BorrowedFd<'_>> = vec![ground.web.as_fd()];
        fds.extend(sockets.iter().map(|(_, fd)| *fd));
        fds.extend(logs.descriptors(&ground.deployment.logs));
        let order = WebOrder {
            number,
            generation: slot.generation,
            identity: ground.identity.clone(),
            prefix: self.start.prefix(),
            run_dir: self.run_dir.path.clone(),
            open_files: ground.deployment.open_files,
            listeners: sockets.iter().map(|(address, _)| address.clone()).collect(),
            logs: ground.deployment.logs.clone(),
            apps: ground.apps.values().map(AppPlace::door).collect(),
        };
        let child = children::spawn(&tell::name(slot), &Order::Web(order), &fds)?;
        for (app, state) in &self.states {
            let _ = child.channel.send(&encode(&state_message(app, state)), &[]);
        }
        drop(logs);
        seat(self, slot.clone(), child);
        Ok(())
    }

    fn spawn_app(&mut self, slot: &Slot, order: &AppOrder, ground: &Ground) -> Result<(), Failed> {
        let mut order = order.clone();
        order.generation = slot.generation;
        let Some(place) = ground.apps.get(&order.name) else {
            return Err(Failed::because(
                "start",
                tell::name(slot),
                "its app is not in the configuration",
            ));
        };
        let inbox = match slot.seat {
            Seat::Program => self.inbox(slot, &mut order),
            _ => None,
        };
        let (output, theirs) = AppLog::open(&order.name)?;
        let socket = self.listeners.app(&place.address)?;
        let fds = [socket, theirs.as_fd(), self.extension.as_fd()];
        let child = children::spawn(&tell::name(slot), &Order::App(order), &fds)?;
        self.groups.insert((slot.unit.clone(), slot.generation), child.process.pid());
        let number = self.next_output;
        self.next_output += 1;
        let watched = self.tokens.add(output.fd(), Token::Output(number))?;
        self.outputs.insert(number, (output, watched));
        if slot.seat == Seat::Program {
            self.timers.program_started(Instant::now(), slot.clone());
        }
        if let Some(inbox) = inbox {
            let token = self.tokens.add(&inbox, Token::Inbox(slot.clone()))?;
            self.inboxes.insert(slot.clone(), (inbox, token));
        }
        seat(self, slot.clone(), child);
        Ok(())
    }

    /// A NOTIFY_SOCKET for a program: it belongs to the app's user and to this life alone. Without
    /// one (a path that no program could name) it counts as ready by its age.
    fn inbox(&mut self, slot: &Slot, order: &mut AppOrder) -> Option<Inbox> {
        let path = self.run_dir.path.join(format!("{}.{}.notify", order.name, slot.generation));
        let owner = order.identity.as_ref().map(|who| (who.uid, who.gid));
        order.env.retain(|(name, _)| name != "NOTIFY_SOCKET");
        match Inbox::open(&path, owner) {
            Ok(inbox) => {
                order.env.push(("NOTIFY_SOCKET".into(), path.to_str()?.into()));
                Some(inbox)
            }
            Err(error) => {
                let failed = Failed::new("open", path.display(), error);
                self.log.info(format_args!("{}: {failed}", tell::name(slot)));
                None
            }
        }
    }

    fn fork_worker(&mut self, slot: &Slot, number: u32) -> Result<(), Failed> {
        let failed = |e| Failed::new("fork", tell::name(slot), e);
        let master = Slot { seat: Seat::Master, ..slot.clone() };
        let Some(to_master) = self.posts.channel(&master) else {
            return Err(Failed::because("fork", tell::name(slot), "its app master is gone"));
        };
        let (ours, theirs) = Channel::pair().map_err(failed)?;
        ours.attest().map_err(failed)?;
        to_master.send(&encode(&ToApp::Fork { number }), &[theirs.as_fd()]).map_err(failed)?;
        self.posts.seat(&mut self.tokens, slot.clone(), ours, None)
    }

    /// Its death will be no crash.
    pub(crate) fn will_end(&mut self, slot: &Slot) {
        if self.posts.at(slot).is_some() {
            self.asked_to_end.insert(slot.clone());
        }
    }

    fn stop_slot(&mut self, slot: &Slot) {
        self.will_end(slot);
        match slot.seat {
            Seat::Web(_) => self.say(slot, &ToWeb::Drain { limit: None }, &[]),
            Seat::Worker(_) => self.say(slot, &ToWorker::Drain, &[]),
            Seat::Master | Seat::Program => {
                if let Some(process) = self.posts.process(slot) {
                    let _ = process.signal(Signal::SIGTERM);
                }
            }
        }
    }

    fn kill(&mut self, slot: &Slot) {
        self.will_end(slot);
        match (self.posts.process(slot), slot.seat) {
            (Some(process), Seat::Master | Seat::Program) => {
                // A child was started as the leader of a group; whatever it started is in there.
                let _ = sys::child::kill_group(process.pid(), Signal::SIGKILL);
                let _ = process.signal(Signal::SIGKILL);
            }
            (Some(process), _) => drop(process.signal(Signal::SIGKILL)),
            (None, Seat::Worker(number)) if self.posts.has_master(slot) => {
                let master = Slot { seat: Seat::Master, ..slot.clone() };
                self.say(&master, &ToApp::Kill { number }, &[]);
            }
            // An orphan that never spoke has no number to kill it by but its group's.
            (None, Seat::Worker(_)) => self.kill_orphans(&(slot.unit.clone(), slot.generation)),
            (None, _) => {}
        }
    }

    /// Ends what is left of an app's generation whose app master is gone. A child of ours in the
    /// group is what keeps the group's number its own.
    fn kill_orphans(&self, key: &(Unit, u32)) {
        if let Some(group) = self.groups.get(key).filter(|group| sys::child::has_child_in(**group))
        {
            let _ = sys::child::kill_group(*group, Signal::SIGKILL);
        }
    }

    fn gone_generation(&mut self, key: (Unit, u32)) {
        // Workers that outlived their app master left their own children behind.
        self.kill_orphans(&key);
        self.groups.remove(&key);
        self.born_generations.remove(&key);
        self.generations.remove(&key);
        self.close_unwanted();
    }

    /// Sends a message. A child that does not read its channel is ended: queues are bounded.
    fn say(&mut self, slot: &Slot, message: &impl serde::Serialize, fds: &[BorrowedFd<'_>]) {
        let Some(channel) = self.posts.channel(slot) else { return };
        let Err(error) = channel.send(&encode(message), fds) else { return };
        if error.kind() == std::io::ErrorKind::WouldBlock {
            self.log.alert(format_args!(
                "{}: does not read its channel and is killed",
                tell::name(slot)
            ));
            self.kill(slot);
        }
    }

    fn tell_web(&mut self, news: &ToWeb) {
        let slots: Vec<Slot> =
            self.posts.slots().filter(|slot| slot.unit == Unit::Web).cloned().collect();
        for slot in slots {
            self.say(&slot, news, &[]);
        }
    }

    fn accepted(&mut self, unit: &Unit, generation: u32) {
        let key = (unit.clone(), generation);
        self.tried(&key);
        let took = self
            .born_generations
            .get(&key)
            .map_or_else(String::new, |born| format!(" after {}", tell::seconds(born.elapsed())));
        self.causes.remove(unit);
        self.tracebacks.remove(unit);
        let unit = tell::unit(unit);
        self.log.notice(format_args!("{unit}: generation {generation} serves{took}"));
    }

    /// A generation was accepted or rejected. If it is the newest web, its reading is settled.
    fn tried(&mut self, key: &(Unit, u32)) {
        if let (Unit::Web, Some(made)) = (&key.0, self.generations.get(key)) {
            self.untried.take_if(|untried| Rc::ptr_eq(untried, made.ground()));
            self.close_unwanted();
        }
    }

    fn rejected(&mut self, unit: &Unit, generation: u32, cause: &str, withdrawn: bool) {
        self.tried(&(unit.clone(), generation));
        let name = tell::unit(unit);
        let said = self.causes.insert(unit.clone(), cause.to_owned());
        let level = if withdrawn { Level::Notice } else { Level::Error };
        match self.serving(unit) {
            Some(running) => self.log.line(
                level,
                format_args!(
                    "{name}: running generation {running}; {generation} rejected: {cause}"
                ),
            ),
            // It is tried again and again: the cause is said once.
            None if said.as_deref() == Some(cause) => self
                .log
                .notice(format_args!("{name}: generation {generation} rejected: the same again")),
            None => self
                .log
                .line(level, format_args!("{name}: generation {generation} rejected: {cause}")),
        }
    }

    /// The generation of a unit that serves.
    pub(crate) fn serving(&self, unit: &Unit) -> Option<u32> {
        let status = self.supervisor.status();
        match unit {
            Unit::Web => status.web.serving,
            Unit::App(name) => status.apps.iter().find(|app| app.name == *name)?.unit.serving,
        }
    }

    /// USR1: opens all log files anew and hands the new descriptors to the web workers.
    pub(crate) fn reopen_logs(&mut self) {
        let mut grounds: Vec<Rc<Ground>> = vec![self.newest.clone()];
        for ground in self.generations.values().map(Made::ground) {
            if !grounds.iter().any(|known| Rc::ptr_eq(known, ground)) {
                grounds.push(ground.clone());
            }
        }
        for ground in &grounds {
            for failed in ground.logs.borrow_mut().reopen() {
                self.log.emerg(format_args!("reopen logs: {failed}; the old file is written on"));
            }
        }
        let newest = self.newest.clone();
        console::open_log(&mut self.log, &newest);
        let slots: Vec<Slot> =
            self.posts.slots().filter(|slot| slot.unit == Unit::Web).cloned().collect();
        for slot in slots {
            let Some(Made::Web(ground)) = self.generations.get(&(Unit::Web, slot.generation))
            else {
                continue;
            };
            let ground = ground.clone();
            let logs = ground.logs.borrow();
            let all = logs.descriptors(&ground.deployment.logs);
            for (batch, fds) in all.chunks(BATCH).enumerate() {
                let first = u32::try_from(batch * BATCH).unwrap_or(u32::MAX);
                self.say(&slot, &ToWeb::Reopen { first }, fds);
            }
        }
        self.log.notice("log files opened anew");
    }
}

/// How many descriptors ride on one message.
const BATCH: usize = 200;

fn state_message(app: &str, state: &AppState) -> ToWeb {
    let state = match state {
        AppState::Starting => message::AppState::Starting,
        AppState::Up => message::AppState::Up,
        AppState::Down { cause, retry } => {
            message::AppState::Down { cause: cause.clone(), retry: *retry }
        }
    };
    ToWeb::App { name: app.to_owned(), state }
}
