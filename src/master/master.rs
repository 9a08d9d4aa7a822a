//! The master's loop: wait for a fact, hand it to the supervisor, carry out its orders in turn.
//!
//! Nothing here decides what lives and dies. `hear` turns what the kernel and the children say into
//! events, `obey` turns orders into system calls, `reload` takes in new readings.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use supervisor::{Action, AppState, Event, Moment, Name, Slot, Supervisor, Unit};

use crate::app::AppPlace;
use crate::app_log::AppLog;
use crate::children::{self, Child};
use crate::daemon::Parent;
use crate::listeners::Listeners;
use crate::log::Log;
use crate::logs::Logs;
use crate::post::{Posts, Token, Tokens};
use crate::reading::Reading;
use crate::run_dir::RunDir;
use crate::signals::Signals;
use crate::timers::Timers;
use crate::watch::Watch;
use crate::{Failed, Start, console, files, reload};

/// One reading that was found right, with everything opened that it wants.
pub struct Ground {
    /// What to do.
    pub deployment: config::Deployment,
    /// The web workers' part of the word tree, sealed.
    pub web: OwnedFd,
    /// The log files.
    pub logs: std::cell::RefCell<Logs>,
    /// The apps' users, directories and sockets.
    pub apps: BTreeMap<String, AppPlace>,
    /// The web workers' user.
    pub identity: Option<wire::message::Identity>,
}

/// What a generation is made from, kept until it is gone.
#[derive(Clone)]
pub enum Made {
    /// A web generation.
    Web(Rc<Ground>),
    /// An app's: its order, resolved once, with where it comes from.
    App(Rc<wire::message::AppOrder>, Rc<Ground>),
    /// It could not be prepared; its spawns fail with this.
    Broken(String, Rc<Ground>),
}

impl Made {
    /// The reading that it comes from.
    pub fn ground(&self) -> &Rc<Ground> {
        let (Made::Web(ground) | Made::App(_, ground) | Made::Broken(_, ground)) = self;
        ground
    }
}

/// The first process.
pub struct Master {
    pub(crate) start: Start,
    pub(crate) extension: OwnedFd,
    pub(crate) born: Instant,
    pub(crate) supervisor: Supervisor,
    pub(crate) events: VecDeque<Event>,
    pub(crate) tokens: Tokens,
    pub(crate) signals: Signals,
    pub(crate) watch: Watch,
    pub(crate) run_dir: RunDir,
    pub(crate) listeners: Listeners,
    pub(crate) log: Log,
    pub(crate) posts: Posts,
    pub(crate) outputs: HashMap<u64, (AppLog, u64)>,
    pub(crate) next_output: u64,
    /// The NOTIFY_SOCKET of each program.
    pub(crate) inboxes: HashMap<Slot, (sys::notify::Inbox, u64)>,
    pub(crate) readings: u32,
    pub(crate) newest: Rc<Ground>,
    /// The newest reading, until its web was accepted or rejected.
    pub(crate) untried: Option<Rc<Ground>>,
    pub(crate) generations: HashMap<(Unit, u32), Made>,
    pub(crate) born_generations: HashMap<(Unit, u32), Instant>,
    pub(crate) asked_to_end: HashSet<Slot>,
    /// What each unit was last rejected for, and the traceback that came with it.
    pub(crate) causes: HashMap<Unit, String>,
    pub(crate) tracebacks: HashMap<Unit, String>,
    pub(crate) states: HashMap<Name, AppState>,
    pub(crate) reader: Option<reload::Asking>,
    pub(crate) again: Option<supervisor::Cause>,
    /// The service manager heard that a reload began, and not yet that it ended.
    pub(crate) reloading: bool,
    /// The line that `systemctl status` shows.
    pub(crate) told_status: String,
    pub(crate) strangers: bool,
    pub(crate) groups: HashMap<(Unit, u32), u32>,
    pub(crate) timers: Timers,
    pub(crate) exit: Option<u8>,
    /// The only app never became ready where nobody mends it: the exit status is 1.
    pub(crate) gave_up: bool,
    pub(crate) parent: Parent,
}

impl Master {
    /// Opens everything that the first reading wants. Nothing runs yet.
    pub fn new(start: Start, extension: &[u8], first: Reading) -> Result<Master, Failed> {
        let parent = Parent::leave()?;
        sys::title::set(&format!("liege: master {}", start.file().display()));
        sys::child::set_subreaper().map_err(|e| Failed::new("become", "subreaper", e))?;
        children::raise_open_files();
        let mut log = console::first_log(&start);
        let run_dir =
            RunDir::open(&start, first.deployment.as_ref().and_then(|d| d.run_path.as_deref()))?;
        let mut tokens = Tokens::new()?;
        let signals = Signals::listen(&mut tokens)?;
        let mut listeners = Listeners::adopt(&mut log);
        if first.deployment.as_ref().is_some_and(|d| files::left_behind(&d.pid)) {
            listeners.wait_for_the_dead();
        }
        let watched = reload::watched(&first);
        let ground = reload::prepare(&start, &run_dir, &mut listeners, &mut log, first)?;
        console::open_log(&mut log, &ground);
        listeners.settled(&mut log);
        let extension = sys::memfd::sealed("liege-wsgi", extension, true)
            .map_err(|e| Failed::new("make", "the Python extension's memory file", e))?;
        files::write_pid(&ground.deployment.pid)?;
        let watch = Watch::start().map_err(|e| Failed::new("start", "the watching thread", e))?;
        tokens.add(watch.fd(), Token::Watch)?;
        watch.watch(reload::only_when_wanted(watched, &ground));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut master = Master {
            start,
            extension,
            born: Instant::now(),
            supervisor: Supervisor::new(cores),
            events: VecDeque::new(),
            tokens,
            signals,
            watch,
            run_dir,
            listeners,
            log,
            posts: Posts::default(),
            outputs: HashMap::new(),
            next_output: 0,
            inboxes: HashMap::new(),
            readings: 0,
            newest: Rc::new(ground),
            untried: None,
            generations: HashMap::new(),
            born_generations: HashMap::new(),
            asked_to_end: HashSet::new(),
            causes: HashMap::new(),
            tracebacks: HashMap::new(),
            states: HashMap::new(),
            reader: None,
            again: None,
            reloading: false,
            told_status: String::new(),
            strangers: false,
            groups: HashMap::new(),
            timers: Timers::new(),
            exit: None,
            gave_up: false,
            parent,
        };
        let ground = master.newest.clone();
        master.plan(ground, supervisor::Cause::Start);
        Ok(master)
    }

    /// Serves until everything is gone.
    pub fn run(mut self) -> ExitCode {
        self.parent.release();
        console::started(&mut self.log, &self.start);
        loop {
            self.step();
            self.tell_service_manager();
            if let Some(status) = self.exit {
                self.last_words();
                self.listeners.unlink();
                files::remove_pid(&self.newest.deployment.pid);
                return ExitCode::from(if self.gave_up { 1 } else { status });
            }
            self.turn();
        }
    }

    /// Waits for facts until the next deadline and takes them in.
    fn turn(&mut self) {
        let now = self.now();
        let due = self.supervisor.deadline().map(|due| due - now);
        let timers = self.timers.wait(Instant::now());
        let wait = [due, self.reader_wait(), timers].into_iter().flatten().min();
        match self.tokens.wait(wait) {
            Ok(tokens) => {
                for token in tokens {
                    self.hear(token);
                }
            }
            Err(error) => {
                self.log.alert(format_args!("wait for events: {}", crate::failed::reason(&error)));
                // Nothing but a broken kernel object leads here; a pause keeps it from eating a
                // core.
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        self.reader_overdue();
        self.reap_strangers();
        self.end_the_mute();
        for slot in self.timers.tick(Instant::now()) {
            self.ready(&slot);
        }
        if self.supervisor.deadline().is_some_and(|due| due <= self.now()) {
            self.events.push_back(Event::Tick);
        }
    }

    /// Hands all facts to the supervisor and carries out what it orders.
    fn step(&mut self) {
        while let Some(event) = self.events.pop_front() {
            let now = self.now();
            let stop = matches!(event, Event::Stop { .. });
            let actions: Vec<Action> = self.supervisor.step(now, event);
            for action in actions {
                self.obey(action);
            }
            if stop {
                // Whoever comes now is refused at once instead of waiting for nobody.
                self.close_unwanted();
            }
        }
    }

    /// The time since the master's start.
    pub(crate) fn now(&self) -> Moment {
        Moment::after_start(self.born.elapsed())
    }

    /// Makes a reading the newest one and asks the supervisor for what it wants.
    pub(crate) fn plan(&mut self, ground: Rc<Ground>, cause: supervisor::Cause) {
        self.readings += 1;
        let plan = reload::plan(&ground);
        self.untried = Some(ground.clone());
        self.states.retain(|app, _| ground.apps.contains_key(&**app));
        self.newest = ground;
        self.events.push_back(Event::Planned { reading: self.readings, plan, cause });
    }
}

/// Seats a new child in its slot, or says why it cannot be reached.
pub(crate) fn seat(master: &mut Master, slot: Slot, child: Child) {
    let Child { process, channel } = child;
    if let Err(failed) = master.posts.seat(&mut master.tokens, slot.clone(), channel, Some(process))
    {
        // The child sees end-of-file and leaves.
        master.log.alert(&failed);
        master.events.push_back(Event::NotSpawned { slot, cause: failed.to_string() });
    }
}
