//! The run directory: where app sockets and the instance lock live. Nobody else may be able to put anything there.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sys::lock::Lock;

use crate::{Failed, Start};

/// The run directory and the lock on it, kept for the master's life.
pub struct RunDir {
    /// Its path, absolute.
    pub path: PathBuf,
    _lock: Lock,
}

impl RunDir {
    /// Makes the directory and takes its lock. A second liege of the same configuration is refused with the first one's pid.
    pub fn open(start: &Start, configured: Option<&Path>) -> Result<RunDir, Failed> {
        let path = choose(start, configured);
        make(&path)?;
        let lock = path.join("lock");
        match Lock::take(&lock).map_err(|e| Failed::new("lock", lock.display(), e))? {
            Ok(lock) => Ok(RunDir { path, _lock: lock }),
            Err(pid) => {
                let why = format!(
                    "liege with pid {pid} serves this configuration; stop it, or give this one another run_path"
                );
                Err(Failed::because("lock", lock.display(), why))
            }
        }
    }
}

/// `run_path`; PREFIX/run with `-p`; systemd's RuntimeDirectory; else one by the configuration's real path.
fn choose(start: &Start, configured: Option<&Path>) -> PathBuf {
    if let Some(path) = configured {
        return start.prefix().join(path);
    }
    if start.prefix.is_some() {
        return start.prefix().join("run");
    }
    if let Some(path) = std::env::var_os("RUNTIME_DIRECTORY") {
        return PathBuf::from(path);
    }
    let file = start.file();
    let real = std::fs::canonicalize(&file).unwrap_or(file);
    private(&real)
}

/// A directory of this user for what `key` names.
pub fn private(key: &impl Hash) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let name = format!("{:016x}", hasher.finish());
    if sys::identity::is_root() {
        return Path::new("/run/liege").join(name);
    }
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(runtime) => PathBuf::from(runtime).join("liege").join(name),
        None => {
            std::env::temp_dir().join(format!("liege-{}", sys::identity::current().uid)).join(name)
        }
    }
}

/// Makes the directory, private to us but passable for the users of apps and web workers when we are root. One that somebody
/// else owns or may write is refused: whoever writes there takes our sockets' names.
fn make(path: &Path) -> Result<(), Failed> {
    // In a directory that everybody may write, the name above ours is as dangerous as ours.
    if let Some(parent) = path.parent().filter(|parent| parent.starts_with(std::env::temp_dir()))
        && parent.file_name().is_some_and(|name| name.to_string_lossy().starts_with("liege-"))
    {
        make_one(parent)?;
    }
    make_one(path)
}

fn make_one(path: &Path) -> Result<(), Failed> {
    let failed = |e| Failed::new("make", path.display(), e);
    let mode = if sys::identity::is_root() { 0o755 } else { 0o700 };
    std::fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(failed)?;
    let meta = std::fs::symlink_metadata(path).map_err(failed)?;
    let refuse = |why: String| Err(Failed::because("use", path.display(), why));
    if !meta.is_dir() {
        return refuse("it is not a directory".into());
    }
    if meta.uid() != sys::identity::current().uid {
        return refuse(format!(
            "it belongs to uid {}, not to this user; remove it or set run_path",
            meta.uid()
        ));
    }
    if meta.permissions().mode() & 0o022 != 0 {
        return refuse("others may write in it; chmod go-w it or set run_path".into());
    }
    Ok(())
}
