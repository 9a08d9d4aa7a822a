//! The state machine as a whole: it hands each fact to the unit concerned, then lets every unit do
//! what has become possible.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::{Action, STOPS, UNPLANNED};
use crate::app::App;
use crate::event::{Cause, Ended, Event};
use crate::moment::Moment;
use crate::plan::Plan;
use crate::slot::{Name, Slot, Unit};
use crate::status::Status;
use crate::web::Web;

/// The state machine.
#[derive(Debug)]
pub struct Supervisor {
    cores: usize,
    now: Moment,
    reading: u32,
    web: Web,
    /// In the order of the file.
    apps: Vec<App>,
    /// The last generation of each app that is gone, in case it comes back.
    numbers: BTreeMap<Name, u32>,
    booted: bool,
    ending: Ending,
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    No,
    /// The web workers finish what is in flight; the apps still answer them.
    Web,
    /// The apps finish too.
    Apps,
    /// Nobody finishes anything.
    Fast,
    Over,
}

impl Supervisor {
    /// Nothing runs yet. At most `cores` apps boot at the same time.
    pub fn new(cores: usize) -> Self {
        Self {
            cores: cores.max(1),
            now: Moment::default(),
            reading: 0,
            web: Web::default(),
            apps: vec![],
            numbers: BTreeMap::new(),
            booted: false,
            ending: Ending::No,
        }
    }

    /// Takes in one fact and says what is to be done about it, in order.
    pub fn step(&mut self, now: Moment, event: Event) -> Vec<Action> {
        let mut out = vec![];
        self.now = self.now.max(now);
        if let Event::Stop { graceful } = event {
            self.stop(graceful, &mut out);
        } else if self.ending == Ending::No {
            self.note(event, &mut out);
        } else {
            self.note_end(event);
        }
        match self.ending {
            Ending::No => self.settle(&mut out),
            Ending::Web | Ending::Apps | Ending::Fast | Ending::Over => self.settle_end(&mut out),
        }
        out
    }

    /// When the next `Tick` is due, if nothing else happens before.
    ///
    /// What was due up to now was done in the last step, or waits for something other than time.
    pub fn deadline(&self) -> Option<Moment> {
        let limits = self.apps.iter().flat_map(App::limits).chain(self.web.limits());
        limits.filter(|limit| *limit > self.now).min()
    }

    /// Everything that runs, as it is now.
    pub fn status(&self) -> Status {
        let mut apps: Vec<_> = self.apps.iter().map(|app| app.status(self.now)).collect();
        apps.sort_by(|one, other| one.name.cmp(&other.name));
        let stopping = self.ending != Ending::No;
        Status {
            reading: self.reading,
            booted: self.booted,
            stopping,
            web: self.web.status(),
            apps,
        }
    }

    fn note(&mut self, event: Event, out: &mut Vec<Action>) {
        let now = self.now;
        match event {
            Event::Planned { reading, plan, cause } => self.planned(reading, plan, &cause, out),
            Event::CodeChanged(name) => {
                if let Some(app) = self.apps.iter_mut().find(|app| *app.name() == name) {
                    app.renew(now, out);
                }
            }
            Event::Ready(slot) => match self.unit(&slot) {
                Found::Web(web) => web.ready(now, slot.generation, slot.seat),
                Found::App(app) => app.ready(now, slot.generation, slot.seat, out),
                Found::Nothing => {}
            },
            Event::Answered(slot) => {
                if let Found::App(app) = self.unit(&slot) {
                    app.answered(slot.generation);
                }
            }
            Event::Tired(slot) => {
                if let Found::App(app) = self.unit(&slot) {
                    app.tired(slot.generation, slot.seat);
                }
            }
            Event::Failed { slot, cause } => match self.unit(&slot) {
                Found::Web(web) => web.failed(now, slot.generation, slot.seat, cause, out),
                Found::App(app) => app.failed(now, slot.generation, slot.seat, cause, out),
                Found::Nothing => {}
            },
            Event::Exited { slot, end } => self.exited(&slot, Ended::By(end), out),
            Event::NotSpawned { slot, cause } => self.exited(&slot, Ended::NeverBegan(cause), out),
            Event::ClearWaits => {
                self.web.forgive();
                self.apps.iter_mut().for_each(|app| app.clear_waits(now));
            }
            Event::Stop { .. } | Event::Tick => {}
        }
    }

    fn exited(&mut self, slot: &Slot, ended: Ended, out: &mut Vec<Action>) {
        let now = self.now;
        match self.unit(slot) {
            Found::Web(web) => web.exited(now, slot.generation, slot.seat, ended, out),
            Found::App(app) => app.exited(now, slot.generation, slot.seat, ended, out),
            Found::Nothing => {}
        }
    }

    fn planned(&mut self, reading: u32, plan: Plan, cause: &Cause, out: &mut Vec<Action>) {
        let now = self.now;
        self.reading = reading;
        for app in &mut self.apps {
            if !plan.apps.iter().any(|wanted| wanted.name == *app.name()) {
                app.unplanned();
            }
        }
        for wanted in plan.apps {
            let forced = cause.names(&wanted.name);
            match self.apps.iter_mut().find(|app| *app.name() == wanted.name) {
                Some(app) if app.reading == reading => {}
                Some(app) => app.planned(now, wanted, reading, forced, out),
                None => {
                    let last = self.numbers.get(&wanted.name).copied().unwrap_or(0);
                    self.apps.push(App::new(now, wanted, reading, last));
                }
            }
        }
        self.web.planned(now, reading, plan.web, *cause != Cause::FileChanged, out);
    }

    /// Lets every unit do what has become possible: apps first, since the web passes requests to
    /// them.
    fn settle(&mut self, out: &mut Vec<Action>) {
        let now = self.now;
        for app in &mut self.apps {
            app.enforce(now, out);
            app.roll(now, out);
            app.prove(now, out);
        }
        self.launch(out);
        let newly_named = self.web.newly_named();
        let is_silent = |app: &App| newly_named.contains(app.name()) && !app.standing.tried;
        let apps_answer = !self.apps.iter().any(is_silent);
        self.web.settle(now, apps_answer, out);
        self.let_go(out);
        for app in &mut self.apps {
            app.collect(out);
            app.tell(now, out);
        }
        self.boot(out);
    }

    /// At most as many apps boot at once as there are cores.
    fn launch(&mut self, out: &mut Vec<Action>) {
        let mut booting = self.apps.iter().filter(|app| app.candidate.is_some()).count();
        for app in &mut self.apps {
            let before = app.candidate.is_some();
            app.launch(self.now, booting < self.cores, out);
            booting += usize::from(!before && app.candidate.is_some());
        }
    }

    /// Apps that lost their place in the plan end when no web worker passes requests to them any
    /// more.
    fn let_go(&mut self, out: &mut Vec<Action>) {
        for app in &mut self.apps {
            if !app.planned && !self.web.names(app.name()) {
                app.end(self.now, None, UNPLANNED, out);
                app.collect(out);
            }
        }
        let gone =
            |app: &mut App| !app.planned && app.generations().next().is_none() && app.due.is_none();
        for app in self.apps.extract_if(.., gone) {
            self.numbers.insert(app.name().clone(), app.last);
        }
    }

    fn boot(&mut self, out: &mut Vec<Action>) {
        let complete = self.web.is_accepted() && self.apps.iter().all(|app| app.standing.tried);
        if !self.booted && complete {
            self.booted = true;
            out.push(Action::Booted);
        }
    }

    fn stop(&mut self, graceful: bool, out: &mut Vec<Action>) {
        let stage = if graceful { Ending::Web } else { Ending::Fast };
        if stage <= self.ending {
            return;
        }
        self.ending = stage;
        let limit = if graceful { None } else { Some(FAST) };
        self.web.end(self.now, limit, out);
        for app in &mut self.apps {
            app.due = None;
            app.withdraw(self.now, STOPS, out);
            if !graceful {
                app.end(self.now, limit, STOPS, out);
            }
        }
    }

    /// While everything is being stopped only deaths matter.
    fn note_end(&mut self, event: Event) {
        if let Event::Exited { slot, .. } | Event::NotSpawned { slot, .. } = event {
            match self.unit(&slot) {
                Found::Web(web) => web.remove(slot.generation, slot.seat),
                Found::App(app) => app.remove(slot.generation, slot.seat),
                Found::Nothing => {}
            }
        }
    }

    fn settle_end(&mut self, out: &mut Vec<Action>) {
        let now = self.now;
        self.web.settle_end(now, out);
        if self.ending == Ending::Web && self.web.is_empty() {
            self.ending = Ending::Apps;
            for app in &mut self.apps {
                app.end(now, None, STOPS, out);
            }
        }
        for app in &mut self.apps {
            app.enforce(now, out);
            app.collect(out);
        }
        let over = self.web.is_empty() && self.apps.iter().all(App::is_empty);
        if over && self.ending != Ending::Over {
            self.ending = Ending::Over;
            out.push(Action::Exit { status: 0 });
        }
    }
}

enum Found<'a> {
    Web(&'a mut Web),
    App(&'a mut App),
    Nothing,
}

impl Supervisor {
    fn unit(&mut self, slot: &Slot) -> Found<'_> {
        match &slot.unit {
            Unit::Web => Found::Web(&mut self.web),
            Unit::App(name) => match self.apps.iter_mut().find(|app| app.name() == name) {
                Some(app) => Found::App(app),
                None => Found::Nothing,
            },
        }
    }
}

impl Cause {
    /// Whether this app gets a new generation whatever it was.
    fn names(&self, app: &Name) -> bool {
        match self {
            Self::Start | Self::FileChanged => false,
            Self::Asked(None) => true,
            Self::Asked(Some(names)) => names.contains(app),
        }
    }
}

/// How long a fast stop leaves to processes before it kills them.
const FAST: Duration = Duration::from_secs(1);
