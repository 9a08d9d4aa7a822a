//! Notices that files changed: the configuration, what it includes, and what `touch_reload` names.
//!
//! A thread of its own, so that neither inotify nor a slow disk holds the master's loop. An event
//! of the kernel only means "look again": what counts is what stat and, for configuration, the
//! content's hash say. Whoever cannot be seen by inotify (network file systems, bind mounts) is
//! found by a look every 3 s. Parent directories are watched, because editors rename a new file
//! over the old one.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use config::Source;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::source::Disk;

/// How long a burst of events must have been quiet before a look.
const QUIET: Duration = Duration::from_millis(150);
/// How long a burst may put off a look.
const LATEST: Duration = Duration::from_secs(1);
/// How often a look is taken without any event.
const RESCAN: Duration = Duration::from_secs(3);

/// Whose file it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The configuration: a changed content counts.
    Configuration,
    /// `touch_reload` of this app: a changed time counts too.
    App(String),
}

/// What is to be watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// Files; where a reading knows the content, its hash: what changed since then is news at once.
    pub files: BTreeMap<(Subject, PathBuf), Option<u64>>,
    /// Patterns of `include`, whose matches are configuration.
    pub globs: BTreeSet<PathBuf>,
}

enum Word {
    Watch(Watched),
    Event,
}

/// The watching thread, as the master's loop sees it.
pub struct Watch {
    words: Sender<Word>,
    news: Receiver<BTreeSet<Subject>>,
    wake: OwnedFd,
}

impl Watch {
    /// Starts the thread. It watches nothing yet.
    pub fn start() -> io::Result<Self> {
        let (words, heard) = mpsc::channel();
        let (told, news) = mpsc::channel();
        let (wake, waker) = sys::pipe::pipe()?;
        sys::pipe::set_nonblocking(wake.as_fd(), true)?;
        sys::pipe::set_nonblocking(waker.as_fd(), true)?;
        let events = words.clone();
        thread::Builder::new().name("watch".into()).spawn(move || {
            Thread { heard, told, waker, seen: Seen::default(), watched: Watched::default() }
                .run(&events);
        })?;
        Ok(Watch { words, news, wake })
    }

    /// Watches these from now on; what they are like now is what later looks compare with.
    pub fn watch(&self, watched: Watched) {
        // The thread ends only with the process.
        let _ = self.words.send(Word::Watch(watched));
    }

    /// Readable when there is news.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// What changed since the last call.
    pub fn news(&self) -> BTreeSet<Subject> {
        sys::pipe::drain(self.wake.as_fd());
        self.news.try_iter().flatten().collect()
    }
}

struct Thread {
    heard: Receiver<Word>,
    told: Sender<BTreeSet<Subject>>,
    waker: OwnedFd,
    seen: Seen,
    watched: Watched,
}

impl Thread {
    fn run(mut self, events: &Sender<Word>) {
        let mut watcher = watcher(events.clone());
        let mut burst: Option<(Instant, Instant)> = None;
        loop {
            let now = Instant::now();
            let due = burst.map(|(first, last)| (last + QUIET).min(first + LATEST));
            let wait = due.map_or(RESCAN, |due| due.saturating_duration_since(now));
            match self.heard.recv_timeout(wait) {
                Ok(Word::Watch(watched)) => {
                    watch_parents(&mut watcher, &self.watched, &watched);
                    self.watched = watched;
                    let now = Seen::look(&self.watched, &self.seen);
                    let mut news = now.unlike(&self.watched);
                    news.extend(now.touched_since(&self.seen));
                    self.seen = now;
                    burst = None;
                    if !self.tell(news) {
                        return;
                    }
                }
                Ok(Word::Event) => {
                    let now = Instant::now();
                    burst = Some((burst.map_or(now, |(first, _)| first), now));
                }
                Err(RecvTimeoutError::Timeout) => {
                    burst = None;
                    if !self.compare() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Takes a look and tells what changed; false when nobody listens any more.
    fn compare(&mut self) -> bool {
        let now = Seen::look(&self.watched, &self.seen);
        let changed = now.changed_since(&self.seen);
        self.seen = now;
        self.tell(changed)
    }

    fn tell(&self, changed: BTreeSet<Subject>) -> bool {
        if changed.is_empty() {
            return true;
        }
        let heard = self.told.send(changed).is_ok();
        sys::pipe::wake(self.waker.as_fd());
        heard
    }
}

/// inotify where it can be had; the regular looks stand in where not.
fn watcher(events: Sender<Word>) -> Option<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading a file is an event too, and our own looks read.
        if !matches!(event, Ok(notify::Event { kind: EventKind::Access(_), .. })) {
            let _ = events.send(Word::Event);
        }
    })
    .ok()
}

fn watch_parents(watcher: &mut Option<RecommendedWatcher>, old: &Watched, new: &Watched) {
    let Some(watcher) = watcher else { return };
    let (old, new) = (old.parents(), new.parents());
    for gone in old.difference(&new) {
        let _ = watcher.unwatch(gone);
    }
    for come in new.difference(&old) {
        let _ = watcher.watch(come, RecursiveMode::NonRecursive);
    }
}

impl Watched {
    fn parents(&self) -> BTreeSet<PathBuf> {
        let files = self.files.keys().map(|(_, path)| path.as_path());
        let paths = files.chain(self.globs.iter().map(PathBuf::as_path));
        let mut parents = BTreeSet::new();
        for path in paths {
            parents.extend(path.parent().map(Path::to_owned));
            // A link's target lives elsewhere, and changes there.
            if let Ok(real) = std::fs::canonicalize(path) {
                parents.extend(real.parent().map(Path::to_owned));
            }
        }
        parents
    }
}

/// What a file was like at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    inode: (u64, u64),
    size: u64,
    changed: (i64, i64),
    content: u64,
}

/// What everything was like at a look; a missing file has no state.
#[derive(Debug, Default)]
struct Seen {
    files: HashMap<(Subject, PathBuf), Option<State>>,
    matches: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl Seen {
    fn look(watched: &Watched, before: &Seen) -> Seen {
        let globs = watched.globs.iter().map(|glob| (glob.clone(), Disk.glob(glob)));
        let matches: BTreeMap<_, _> = globs.collect();
        let included = matches.values().flatten();
        let included = included.map(|path| (Subject::Configuration, path.clone()));
        let files = watched.files.keys().cloned().chain(included);
        let states = files.map(|file| {
            let old = before.files.get(&file).copied().flatten();
            let state = State::of(&file.1, old);
            (file, state)
        });
        Seen { files: states.collect(), matches }
    }

    /// What is no longer as the reading found it.
    fn unlike(&self, watched: &Watched) -> BTreeSet<Subject> {
        let known = watched.files.iter().filter_map(|(file, hash)| Some((file, (*hash)?)));
        let unlike = known.filter(|(file, hash)| {
            self.files.get(file).copied().flatten().map(|state| state.content) != Some(*hash)
        });
        unlike.map(|(file, _)| file.0.clone()).collect()
    }

    /// Apps whose files were touched between two looks although what is watched changed meanwhile.
    fn touched_since(&self, before: &Seen) -> BTreeSet<Subject> {
        let both =
            self.files.iter().filter_map(|(file, now)| Some((file, now, before.files.get(file)?)));
        let touched =
            both.filter(|(file, now, old)| file.0 != Subject::Configuration && now != old);
        touched.map(|(file, ..)| file.0.clone()).collect()
    }

    fn changed_since(&self, before: &Seen) -> BTreeSet<Subject> {
        let mut changed = BTreeSet::new();
        for (file, state) in &self.files {
            let old = before.files.get(file).copied().flatten();
            let same = match (&file.0, state, &old) {
                (Subject::Configuration, Some(new), Some(old)) => new.content == old.content,
                (_, new, old) => new == old,
            };
            if !same {
                changed.insert(file.0.clone());
            }
        }
        if self.matches != before.matches {
            changed.insert(Subject::Configuration);
        }
        changed
    }
}

impl State {
    fn of(path: &Path, old: Option<State>) -> Option<State> {
        let meta = std::fs::metadata(path).ok()?;
        let inode = (meta.dev(), meta.ino());
        let changed = (meta.mtime(), meta.mtime_nsec());
        let size = meta.len();
        let known = old.filter(|old| (old.inode, old.size, old.changed) == (inode, size, changed));
        let content = match known {
            Some(old) => old.content,
            // Reading a named pipe would wait for its writer; the times of such things still count.
            None if meta.is_file() => hash(path),
            None => 0,
        };
        Some(State { inode, size, changed, content })
    }
}

fn hash(path: &Path) -> u64 {
    // An unreadable file has no content to compare; its times still count for touch_reload.
    content_hash(&std::fs::read(path).unwrap_or_default())
}

/// The hash of a file's content.
pub fn content_hash(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(path: &Path) -> Watched {
        let files = [Subject::Configuration, Subject::App("blog".into())];
        Watched {
            files: files.into_iter().map(|subject| ((subject, path.to_owned()), None)).collect(),
            globs: BTreeSet::from([path.with_file_name("*.conf")]),
        }
    }

    #[test]
    fn a_touch_counts_for_an_app_and_a_changed_content_for_both() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("touched");
        std::fs::write(&path, "a").unwrap();
        let watched = watched(&path);
        let first = Seen::look(&watched, &Seen::default());
        let file = std::fs::File::open(&path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        let second = Seen::look(&watched, &first);
        assert_eq!(second.changed_since(&first), BTreeSet::from([Subject::App("blog".into())]));
        assert_eq!(second.touched_since(&first), BTreeSet::from([Subject::App("blog".into())]));
        assert!(second.touched_since(&Seen::default()).is_empty());
        std::fs::write(&path, "b").unwrap();
        let third = Seen::look(&watched, &second);
        assert_eq!(third.changed_since(&second).len(), 2);
    }

    #[test]
    fn a_new_file_under_a_pattern_is_a_change_of_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let watched = watched(&dir.path().join("main"));
        let first = Seen::look(&watched, &Seen::default());
        std::fs::write(dir.path().join("site.conf"), "").unwrap();
        let second = Seen::look(&watched, &first);
        assert_eq!(second.changed_since(&first), BTreeSet::from([Subject::Configuration]));
    }

    #[test]
    fn a_file_renamed_over_another_is_noticed_within_a_second() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("main");
        std::fs::write(&path, "old").unwrap();
        let watch = Watch::start().unwrap();
        let mut watched = watched(&path);
        for hash in watched.files.values_mut() {
            *hash = Some(content_hash(b"old"));
        }
        watch.watch(watched);
        let new = dir.path().join("main.new");
        std::fs::write(&new, "new").unwrap();
        std::fs::rename(&new, &path).unwrap();
        let news = watch.news.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(news.contains(&Subject::Configuration));
    }
}
