//! The files and directories around a running liege: temporary directories, the pid file.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use config::Deployment;
use wire::message::Identity;

use crate::Failed;

/// Makes the directories for bodies, for the web workers' eyes only.
pub fn prepare(deployment: &Deployment, web: Option<&Identity>) -> Result<(), Failed> {
    for path in &deployment.temp_dirs {
        let failed = |e| Failed::new("make", path.display(), e);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        if let Some(web) = web {
            std::os::unix::fs::chown(path, Some(web.uid), None).map_err(failed)?;
        }
    }
    Ok(())
}

/// `-t` shows whether the pid file can be written, and leaves an empty one, as nginx does.
pub fn touch_pid(path: &Path) -> Result<(), Failed> {
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    opened.map(drop).map_err(|e| Failed::new("open", path.display(), e))
}

/// Writes our number, when all sockets listen.
pub fn write_pid(path: &Path) -> Result<(), Failed> {
    let failed = |e| Failed::new("write", path.display(), e);
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(failed)?;
    }
    std::fs::write(path, format!("{}\n", std::process::id())).map_err(failed)
}

/// A reload names another pid file: the new one is written before the old one goes.
pub fn move_pid(old: &Path, new: &Path) -> Result<(), Failed> {
    if old != new {
        write_pid(new)?;
        remove_pid(old);
    }
    Ok(())
}

/// Whether a master that could not tidy up left its pid file.
pub fn left_behind(pid: &Path) -> bool {
    std::fs::metadata(pid).is_ok_and(|meta| meta.len() > 0)
}

/// Removes the pid file, if it is still ours.
pub fn remove_pid(path: &Path) {
    let ours = |text: String| text.trim() == std::process::id().to_string();
    if matches!(std::fs::read_to_string(path).map(ours), Ok(true)) {
        let removed: io::Result<()> = std::fs::remove_file(path);
        // Gone already is as good.
        drop(removed);
    }
}
