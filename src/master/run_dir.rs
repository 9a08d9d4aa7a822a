//! The run directory: where app sockets and the instance lock live. Nobody else may be able to put
//! anything there.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsStr;
use std::hash::{Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
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
    /// Makes the directory and takes its lock. A second liege of the same configuration is refused
    /// with the first one's pid.
    pub fn open(start: &Start, configured: Option<&Path>) -> Result<RunDir, Failed> {
        let path = choose(start, configured, |name| std::env::var_os(name).map(PathBuf::from));
        make(&path)?;
        let lock = path.join("lock");
        match Lock::take(&lock).map_err(|e| Failed::new("lock", lock.display(), e))? {
            Ok(lock) => Ok(RunDir { path, _lock: lock }),
            Err(pid) => {
                let why = format!(
                    "liege with pid {pid} serves this configuration; stop it (kill {pid}), or give \
                     this one another run_path"
                );
                Err(Failed::because("lock", lock.display(), why))
            }
        }
    }
}

/// `run_path`; PREFIX/run with `-p`; systemd's RuntimeDirectory; else one by the configuration's
/// real path.
fn choose(
    start: &Start,
    configured: Option<&Path>,
    variable: impl Fn(&str) -> Option<PathBuf>,
) -> PathBuf {
    if let Some(path) = configured {
        return start.prefix().join(path);
    }
    if start.prefix.is_some() {
        return start.prefix().join("run");
    }
    // systemd lists several with colons between them.
    let given = variable("RUNTIME_DIRECTORY").and_then(|paths| {
        let first = paths.as_os_str().as_bytes().split(|byte| *byte == b':').next()?;
        Some(PathBuf::from(OsStr::from_bytes(first))).filter(|path| path.is_absolute())
    });
    if let Some(path) = given {
        return path;
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
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    match runtime.filter(|runtime| runtime.is_absolute()) {
        Some(runtime) => runtime.join("liege").join(name),
        None => {
            std::env::temp_dir().join(format!("liege-{}", sys::identity::current().uid)).join(name)
        }
    }
}

/// Makes the directory, private to us but passable for the users of apps and web workers when we
/// are root. One that somebody else owns or may write is refused: whoever writes there takes our
/// sockets' names.
fn make(path: &Path) -> Result<(), Failed> {
    exposed(path, &std::env::temp_dir()).into_iter().try_for_each(make_one)?;
    make_one(path)
}

/// In a directory that everybody may write, every name from `liege-UID` down to ours is as
/// dangerous as ours.
fn exposed<'a>(path: &'a Path, everybodys: &Path) -> Vec<&'a Path> {
    let is_ours = |path: &&Path| {
        let below = path.strip_prefix(everybodys).ok();
        below.is_some_and(|below| below.to_string_lossy().starts_with("liege-"))
    };
    let mut above: Vec<&Path> = path.ancestors().skip(1).filter(is_ours).collect();
    above.reverse();
    above
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_path_counts_before_the_prefix_and_that_before_systemd_s_directory() {
        let systemd =
            |name: &str| (name == "RUNTIME_DIRECTORY").then(|| PathBuf::from("/run/one:/run/two"));
        let prefixed = Start { prefix: Some("/srv/site".into()), ..Start::default() };
        for (start, configured, path) in [
            (&prefixed, Some("/run/own"), "/run/own"),
            (&prefixed, Some("own"), "/srv/site/own"),
            (&prefixed, None, "/srv/site/run"),
            (&Start::default(), None, "/run/one"),
        ] {
            assert_eq!(choose(start, configured.map(Path::new), systemd), Path::new(path));
        }
        let other = Start { file: Some("/etc/other.conf".into()), ..Start::default() };
        let nothing = |_: &str| None;
        let (one, two) = (choose(&Start::default(), None, nothing), choose(&other, None, nothing));
        assert_ne!(one, two);
    }

    #[test]
    fn every_directory_of_ours_below_a_public_one_is_checked() {
        let public = Path::new("/tmp");
        let names = exposed(Path::new("/tmp/liege-7/ab/run"), public);
        assert_eq!(names, [Path::new("/tmp/liege-7"), Path::new("/tmp/liege-7/ab")]);
        assert!(exposed(Path::new("/tmp/site/run"), public).is_empty());
        assert!(exposed(Path::new("/run/liege/ab"), public).is_empty());
    }

    #[test]
    fn a_directory_that_others_may_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        make_one(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(make_one(&path).unwrap_err().to_string().contains("others may write"));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert!(make_one(&link).unwrap_err().to_string().contains("not a directory"));
    }
}
