//! What the kernel and the children say, as events for the supervisor.

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
            Token::Channel(slot) => self.channel_spoke(&slot),
            Token::Process(slot) => self.process_ended(&slot),
            Token::Output(number) => self.output(number),
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
            Asked::Nothing => {}
        }
    }

    fn stop(&mut self, graceful: bool) {
        let how =
            if graceful { "gracefully: requests in flight are answered first" } else { "now" };
        self.log.notice(format_args!("stopping {how}"));
        let _ = sys::notify::stopping();
        self.reader = None;
        self.events.push_back(Event::Stop { graceful });
    }

    fn channel_spoke(&mut self, slot: &Slot) {
        for _ in 0..TURN {
            let Some(channel) = self.posts.channel(slot) else { return };
            match channel.recv() {
                Ok(Received::Message { bytes, pid, .. }) => {
                    if let Some(pid) = pid.filter(|_| matches!(slot.seat, Seat::Worker(_))) {
                        self.posts.attest(&mut self.tokens, slot, pid);
                    }
                    if !self.understood(slot, &bytes) {
                        self.log.alert(format_args!(
                            "{}: said what no process of liege says",
                            tell::name(slot)
                        ));
                        return self.channel_closed(slot);
                    }
                }
                Ok(Received::Closed) => return self.channel_closed(slot),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => return self.channel_closed(slot),
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
                self.channel_spoke(&worker);
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
                self.asked_to_end.insert(slot.clone());
                let request: String = request.chars().take(2000).collect();
                let name = tell::name(slot);
                self.log.error(format_args!(
                    "{name}: harakiri: the request \"{request}\" took longer than harakiri allows; its Python \
                     stack is above; give it more time with harakiri in the app block"
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
        self.log.output(&unit, traceback);
    }

    pub(crate) fn ready(&mut self, slot: &Slot) {
        if let Some(post) = self.posts.at(slot) {
            post.ready = true;
            self.events.push_back(Event::Ready(slot.clone()));
        }
    }

    fn failed(&mut self, slot: &Slot, cause: String) {
        let cause: String = cause.chars().take(1000).collect();
        self.events.push_back(Event::Failed { slot: slot.clone(), cause });
    }

    /// End-of-file, or nonsense. Its process is ended too: without its channel it can be neither told nor heard. Only a program
    /// closes its channel by being executed.
    fn channel_closed(&mut self, slot: &Slot) {
        self.posts.close_channel(&mut self.tokens, slot);
        if slot.seat == Seat::Program {
            return;
        }
        match self.posts.process(slot) {
            Some(process) => self.timers.channel_closed(slot.clone(), process.pid()),
            // A worker that never spoke: its app master tells how it ended, if there is one.
            None if !self.posts.has_master(slot) => self.gone(slot, End::Status(1)),
            None => {}
        }
    }

    /// Ends what closed its channel and lives on.
    pub(crate) fn end_the_mute(&mut self) {
        for (slot, pid) in self.timers.overdue() {
            if let Some(process) = self.posts.process(&slot).filter(|process| process.pid() == pid)
            {
                let _ = process.signal(sys::child::Signal::SIGKILL);
            }
        }
    }

    fn process_ended(&mut self, slot: &Slot) {
        // Its last words come before its end.
        self.channel_spoke(slot);
        if matches!(slot.seat, Seat::Master | Seat::Program) && !self.posts.has_workers(slot) {
            // Not reaped yet, so the number of its group is still its own: what the app started ends with it.
            let group = self.posts.process(slot).map(sys::child::Pidfd::pid);
            group.map(|group| sys::child::kill_group(group, sys::child::Signal::SIGKILL));
        }
        match self.posts.reap(slot) {
            Some(end) => self.gone(slot, end),
            None if self.posts.has_master(slot) && slot.seat != Seat::Master => {
                self.posts.ignore_process(&mut self.tokens, slot);
            }
            None => {}
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
