//! Files that were served lately. Each request looks at the file once (statx); when it is the one
//! that is known, nothing is opened, and a small one is not even read.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use config::section::Types;
use lru::LruCache;
use sys::file::Meta;

use super::path;

/// The files, the least recently used ones go first.
#[derive(Debug)]
pub struct Files {
    /// Those that are in memory.
    small: RefCell<Cache>,
    /// Those that are open: few, and not for long, since an open file keeps its place on disk after
    /// it is deleted.
    large: RefCell<Cache>,
}

type Cache = LruCache<Vec<u8>, Rc<Entry>, foldhash::fast::RandomState>;

/// What is at a path.
#[derive(Debug)]
pub enum Found {
    /// A regular file.
    File(Rc<Entry>),
    /// A directory.
    Directory,
    /// Something else.
    Other,
}

/// A file as it was when it was opened.
#[derive(Debug)]
pub struct Entry {
    meta: Meta,
    content: Content,
    modified: Bytes,
    etag: Bytes,
    used: Cell<Instant>,
    content_type: RefCell<Option<KnownType>>,
}

/// The type that a file had last: by these tables, under this extension.
#[derive(Debug)]
struct KnownType {
    types: Arc<Types>,
    extension: Box<[u8]>,
    found: Bytes,
}

#[derive(Debug)]
enum Content {
    Memory(Bytes),
    Open(Arc<OwnedFd>),
}

impl Default for Files {
    fn default() -> Files {
        let cache = |most| {
            RefCell::new(LruCache::with_hasher(most, foldhash::fast::RandomState::default()))
        };
        Files { small: cache(MOST_SMALL), large: cache(MOST_LARGE) }
    }
}

impl Files {
    /// Finds the file at `name`, as it is now.
    pub fn find(&self, name: &[u8]) -> io::Result<Found> {
        let meta = sys::file::statx(path::of(name))?;
        if meta.is_dir() {
            return Ok(Found::Directory);
        }
        if !meta.is_file() {
            return Ok(Found::Other);
        }
        let cache = if meta.size <= SMALL { &self.small } else { &self.large };
        if let Some(known) = cache.borrow_mut().get(name)
            && known.is(&meta)
        {
            if meta.size > SMALL {
                known.used.set(Instant::now());
            }
            return Ok(Found::File(known.clone()));
        }
        let entry = Rc::new(Entry::open(name)?);
        if !entry.meta.is_file() {
            return Ok(Found::Other);
        }
        let cache = if entry.is_small() { &self.small } else { &self.large };
        cache.borrow_mut().put(name.to_vec(), entry.clone());
        Ok(Found::File(entry))
    }

    /// Closes files that nobody asked for lately.
    pub fn sweep(&self) {
        let mut large = self.large.borrow_mut();
        while large.peek_lru().is_some_and(|(_, entry)| entry.used.get().elapsed() > KEPT) {
            large.pop_lru();
        }
    }
}

impl Entry {
    fn open(name: &[u8]) -> io::Result<Entry> {
        let fd = sys::file::open_readonly(path::of(name))?;
        let meta = sys::file::fstatx(&fd)?;
        let content = if meta.is_file() && meta.size <= SMALL {
            let mut bytes = Vec::with_capacity(meta.size as usize);
            std::fs::File::from(fd).take(meta.size).read_to_end(&mut bytes)?;
            if bytes.len() as u64 != meta.size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Content::Memory(bytes.into())
        } else {
            Content::Open(Arc::new(fd))
        };
        Ok(Entry {
            modified: wire::date::format(meta.mtime_sec).into(),
            etag: format!("\"{:x}-{:x}\"", meta.mtime_sec, meta.size).into(),
            meta,
            content,
            used: Cell::new(Instant::now()),
            content_type: RefCell::default(),
        })
    }

    /// Whether this is still the file. Its mode counts: what became unreadable must be asked for
    /// anew.
    fn is(&self, now: &Meta) -> bool {
        self.meta.ino == now.ino
            && self.meta.dev == now.dev
            && self.meta.size == now.size
            && self.meta.mtime_sec == now.mtime_sec
            && self.meta.mtime_nsec == now.mtime_nsec
            && self.meta.mode == now.mode
            && self.meta.uid == now.uid
            && self.meta.gid == now.gid
    }

    fn is_small(&self) -> bool {
        matches!(self.content, Content::Memory(_))
    }

    /// Its length.
    pub fn length(&self) -> u64 {
        self.meta.size
    }

    /// Its last change, in seconds since 1970.
    pub fn modified_seconds(&self) -> i64 {
        self.meta.mtime_sec
    }

    /// The same as Last-Modified says it.
    pub fn modified(&self) -> Bytes {
        self.modified.clone()
    }

    /// nginx's tag: change and size in hexadecimal.
    pub fn etag(&self) -> Bytes {
        self.etag.clone()
    }

    /// Its bytes, if they are in memory.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Memory(bytes) => Some(bytes),
            Content::Open(_) => None,
        }
    }

    /// Its descriptor, if it is open.
    pub fn descriptor(&self) -> Option<&Arc<OwnedFd>> {
        match &self.content {
            Content::Memory(_) => None,
            Content::Open(fd) => Some(fd),
        }
    }

    /// Its type by the tables in force, looked up once as long as they and the extension that it is
    /// asked for by are the same: one file may be known by several names.
    pub fn content_type(&self, types: &Arc<Types>, uri: &[u8]) -> Bytes {
        let extension = extension(uri);
        let mut known = self.content_type.borrow_mut();
        match &*known {
            Some(last) if Arc::ptr_eq(&last.types, types) && *last.extension == *extension => {
                last.found.clone()
            }
            _ => {
                let found = content_type(types, uri);
                *known = Some(KnownType {
                    types: types.clone(),
                    extension: extension.into(),
                    found: found.clone(),
                });
                found
            }
        }
    }
}

/// The type of a uri: by its extension, else `default_type`.
pub fn content_type(types: &Types, uri: &[u8]) -> Bytes {
    match types.types.of(extension(uri)) {
        Some(found) => Bytes::copy_from_slice(found),
        None => Bytes::copy_from_slice(&types.default_type.0),
    }
}

/// What follows the last dot of the last segment. A dot that begins it begins no extension.
fn extension(uri: &[u8]) -> &[u8] {
    let name = uri.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    match memchr::memrchr(b'.', name) {
        Some(dot) if dot > 0 => &name[dot + 1..],
        _ => b"",
    }
}

/// Files up to this size are kept in memory.
const SMALL: u64 = 16 * 1024;
const MOST_SMALL: NonZeroUsize = NonZeroUsize::new(2048).expect("not zero");
const MOST_LARGE: NonZeroUsize = NonZeroUsize::new(128).expect("not zero");
const KEPT: Duration = Duration::from_secs(10);
