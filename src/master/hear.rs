//! What the kernel and the children say, as events for the supervisor.

use std::time::Instant;

use supervisor::{End, Event, Seat, Slot};
use sys::channel::Received;
use wire::message::{self, FromApp, FromWeb, FromWorker, decode};

use crate::app_log::AppLog;
use crate::master::Master;
use crate::post::Token;
use crate::signals::Asked;
use crate::tell;

/// How many messages of one child are heard in one turn: a chatterer waits like everybody else.
const TURN: usize = 32;

impl Master {
    /// Takes in one fact.
    pub(crate) fn hear(&mut self, token: Token) {
        match token {
            Token::Signal(signal) => self.asked(signal),
            Token::Watch => self.files_changed(),
            Token::Reader => self.reader_spoke(),
            Token::Channel(slot) => drop(self.channel_spoke(&slot)),
            Token::Process(slot) => self.process_ended(&slot),
            Token::Output(number) => self.output(number),
            Token::Inbox(slot) => self.program_notified(&slot),
        }
    }

    fn asked(&mut self, signal: i32) {
        match self.signals.take(signal) {
            Asked::StopFast => self.stop(false),
            Asked::StopGraceful => self.stop(true),
            Asked::Reload => self.ask_reader(supervisor::Cause::Asked(None)),
            Asked::Reopen => self.reopen_logs(),
            Asked::ClearWaits => self.events.push_back(Event::ClearWaits),
            Asked::Reap => self.strangers = true,
            Asked::Upgrade => self.log.warn(
                "SIGUSR2: liege cannot replace its binary while it runs; \
                 a restart keeps the sockets of a socket unit (LISTEN_FDS)",
            ),
            Asked::Nothing => {}
        }
    }

    fn stop(&mut self, graceful: bool) {
        let how =
            if graceful { "gracefully: requests in flight are answered first" } else { "now" };
        self.log.notice(format_args!("stopping {how}"));
        let _ = sys::notify::stopping();
        self.end_reader();
        self.again = None;
        self.events.push_back(Event::Stop { graceful });
    }

    /// Ends the run with status 1.
    pub(crate) fn give_up(&mut self) {
        self.gave_up = true;
        self.stop(false);
    }

    /// Hears a child for one turn; true when it may have more to say.
    fn channel_spoke(&mut self, slot: &Slot) -> bool {
        for _ in 0..TURN {
            let Some(channel) = self.posts.channel(slot) else { return false };
            match channel.recv() {
                Ok(Received::Message { bytes, pid, .. }) => {
                    if let Some(pid) = pid.filter(|_| matches!(slot.seat, Seat::Worker(_))) {
                        let group = self.groups.get(&(slot.unit.clone(), slot.generation));
                        self.posts.attest(&mut self.tokens, slot, pid, group.copied());
                    }
                    if !self.understood(slot, &bytes) {
                        self.log.alert(format_args!(
                            "{}: said what no process of liege says",
                            tell::name(slot)
                        ));
                        self.channel_closed(slot);
                        return false;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                Ok(Received::Closed) | Err(_) => {
                    self.channel_closed(slot);
                    return false;
                }
            }
        }
        true
    }

    /// Hears what a child said before it ended: its channel may hold more than one turn's.
    fn hear_out(&mut self, slot: &Slot) {
        for _ in 0..TURN {
            if !self.channel_spoke(slot) {
                return;
            }
        }
    }

    /// One message of a child; false when it is none.
    fn understood(&mut self, slot: &Slot, bytes: &[u8]) -> bool {
        match slot.seat {
            Seat::Web(_) => decode(bytes).map(|said| self.web_said(slot, said)),
            Seat::Master | Seat::Program => decode(bytes).map(|said| self.app_said(slot, said)),
            Seat::Worker(_) => decode(bytes).map(|said| self.worker_said(slot, said)),
        }
        .is_some()
    }

    fn web_said(&mut self, slot: &Slot, said: FromWeb) {
        match said {
            FromWeb::Ready => self.ready(slot),
            FromWeb::Failed(cause) => self.failed(slot, cause),
        }
    }

    fn app_said(&mut self, slot: &Slot, said: FromApp) {
        match said {
            FromApp::Ready => self.ready(slot),
            FromApp::Failed { cause, traceback } => {
                self.traceback(slot, &traceback);
                self.failed(slot, cause);
            }
            FromApp::Forked { .. } => {}
            FromApp::Exited { number, end } => {
                let worker = Slot { seat: Seat::Worker(number), ..slot.clone() };
                let end = match end {
                    message::End::Status(status) => End::Status(status),
                    message::End::Signal(signal) => End::Signal(signal),
                };
                // What a worker said before it died is heard first.
                self.hear_out(&worker);
                self.gone(&worker, end);
            }
            FromApp::Note(text) => {
                let text: String = text.chars().take(1000).collect();
                self.log.notice(format_args!("{}: {text}", tell::unit(&slot.unit)));
            }
        }
    }

    fn worker_said(&mut self, slot: &Slot, said: FromWorker) {
        match said {
            FromWorker::Ready => self.ready(slot),
            FromWorker::Answered => self.events.push_back(Event::Answered(slot.clone())),
            FromWorker::Failed { cause, traceback } => {
                self.traceback(slot, &traceback);
                self.failed(slot, cause);
            }
            FromWorker::Tired => self.events.push_back(Event::Tired(slot.clone())),
            FromWorker::Harakiri { request } => {
                // It ends itself: no crash.
                self.will_end(slot);
                let request: String = request.chars().take(2000).collect();
                let name = tell::name(slot);
                self.log.error(format_args!(
                    "{name}: harakiri: the request \"{request}\" took longer than harakiri allows; \
                     its Python stack is above; give it more time with harakiri in the app block"
                ));
            }
        }
    }

    /// The application's own traceback, behind everything that it wrote before.
    fn traceback(&mut self, slot: &Slot, traceback: &str) {
        let unit = tell::unit(&slot.unit);
        let of_app = |app: &AppLog| unit == format!("app {}", app.name);
        let outputs = self.outputs.iter().filter(|(_, (app, _))| of_app(app));
        let numbers: Vec<u64> = outputs.map(|(number, _)| *number).collect();
        for number in numbers {
            self.output(number);
        }
        let said = self.tracebacks.insert(slot.unit.clone(), traceback.to_owned());
        // One that is tried again and again says it once.
        if self.serving(&slot.unit).is_some() || said.as_deref() != Some(traceback) {
            self.log.output(&unit, traceback);
        }
    }

    pub(crate) fn ready(&mut self, slot: &Slot) {
        if let Some(post) = self.posts.at(slot).filter(|post| !post.ready) {
            post.ready = true;
            self.events.push_back(Event::Ready(slot.clone()));
        }
    }

    fn failed(&mut self, slot: &Slot, cause: String) {
        let cause: String = cause.chars().take(1000).collect();
        // It ends next, and why is told already.
        self.asked_to_end.insert(slot.clone());
        self.events.push_back(Event::Failed { slot: slot.clone(), cause });
    }

    /// End-of-file, or nonsense. Its process is ended too: without its channel it can be neither
    /// told nor heard. Only a program closes its channel by being executed.
    fn channel_closed(&mut self, slot: &Slot) {
        self.posts.close_channel(&mut self.tokens, slot);
        if slot.seat == Seat::Program {
            return;
        }
        match self.posts.process(slot) {
            Some(process) => {
                self.timers.channel_closed(Instant::now(), slot.clone(), process.pid());
            }
            // A worker that never spoke: its app master tells how it ended, if there is one.
            None if !self.posts.has_master(slot) => self.gone(slot, End::Status(1)),
            None => {}
        }
    }

    /// Ends what closed its channel and lives on.
    pub(crate) fn end_the_mute(&mut self) {
        for (slot, pid) in self.timers.overdue(Instant::now()) {
            // The supervisor ends in time what was told to end.
            if self.asked_to_end.contains(&slot) {
                continue;
            }
            if let Some(process) = self.posts.process(&slot).filter(|process| process.pid() == pid)
            {
                let _ = process.signal(sys::child::Signal::SIGKILL);
            }
        }
    }

    fn process_ended(&mut self, slot: &Slot) {
        // Its last words come before its end: a channel holds more than one turn's.
        self.hear_out(slot);
        if matches!(slot.seat, Seat::Master | Seat::Program) && !self.posts.has_workers(slot) {
            // Not reaped yet, so the number of its group is still its own: what the app started
            // ends with it.
            let group = self.posts.process(slot).map(sys::child::Pidfd::pid);
            group.map(|group| sys::child::kill_group(group, sys::child::Signal::SIGKILL));
        }
        match self.posts.reap(slot) {
            Ok(Some(end)) => self.gone(slot, end),
            Ok(None) => {}
            // Not ours to reap: its app master will tell how it ended.
            Err(_) if matches!(slot.seat, Seat::Worker(_)) && self.posts.has_master(slot) => {
                self.posts.ignore_process(&mut self.tokens, slot);
            }
            // Its app master reaped it and died before it told.
            Err(_) => self.gone(slot, End::Signal(9)),
        }
    }

    /// A program's words on its NOTIFY_SOCKET count when the kernel says that they are its own.
    fn program_notified(&mut self, slot: &Slot) {
        let itself = self.posts.process(slot).map(sys::child::Pidfd::pid);
        for _ in 0..TURN {
            let Some((inbox, _)) = self.inboxes.get(slot) else { return };
            let Ok(Received::Message { bytes, pid, .. }) = inbox.receive() else { return };
            if pid == itself && sys::notify::says_ready(&bytes) {
                self.ready(slot);
            }
        }
    }

    /// Nobody sits in the slot any more.
    fn gone(&mut self, slot: &Slot, end: End) {
        let pid = self.posts.process(slot).map(sys::child::Pidfd::pid);
        if !self.posts.vacate(&mut self.tokens, slot) {
            return;
        }
        let line = tell::death(slot, pid, end);
        match end {
            End::Status(0) => self.log.info(line),
            _ if self.asked_to_end.remove(slot) => self.log.info(line),
            _ => self.log.alert(line),
        }
        self.asked_to_end.remove(slot);
        if let Some((inbox, token)) = self.inboxes.remove(slot) {
            self.tokens.remove(&inbox, token);
        }
        self.events.push_back(Event::Exited { slot: slot.clone(), end });
        if slot.seat == Seat::Master {
            for lost in self.posts.adopt(&mut self.tokens, slot) {
                self.gone(&lost, End::Signal(9));
            }
        }
    }

    /// Reaps children that nobody watches, once the watched ones of this turn are reaped.
    pub(crate) fn reap_strangers(&mut self) {
        if std::mem::take(&mut self.strangers) {
            let ours = self.posts.pids();
            sys::child::reap_strangers(|pid| ours.contains(&pid));
        }
    }

    /// What apps wrote and nobody has read yet: the last deed of the log.
    pub(crate) fn last_words(&mut self) {
        let numbers: Vec<u64> = self.outputs.keys().copied().collect();
        for number in numbers {
            self.output(number);
        }
    }

    fn output(&mut self, number: u64) {
        let Some((app, _)) = self.outputs.get_mut(&number) else { return };
        let (lines, open) = app.lines();
        let label = format!("app {}", app.name);
        for line in &lines {
            self.log.output(&label, line);
        }
        if !open && let Some((app, watched)) = self.outputs.remove(&number) {
            self.tokens.remove(app.fd(), watched);
        }
    }
}
