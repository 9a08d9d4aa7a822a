//! nginx in our place, for what both must do alike.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Debian's nginx with a configuration of ours.
pub fn nginx(prefix: &Path, globals: &str) -> std::io::Result<Child> {
    let output = std::fs::File::create(prefix.join("output"))?;
    Command::new("nginx")
        .arg("-p")
        .arg(prefix)
        .args(["-c", "conf/liege.conf", "-e", "stderr", "-g", globals])
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
}
