//! `-t` and `-T`: read the configuration in this process, try what a start would do to files and
//! sockets, say how it went.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use config::Deployment;

use crate::listeners::Listeners;
use crate::log::{Level, Log};
use crate::logs::Logs;
use crate::source::Disk;
use crate::{Failed, Start, files, identity, reader};

/// Checks the configuration; with `dump` its files are printed to standard output, with `quiet`
/// only failures are printed.
pub fn run(start: &Start, dump: bool, quiet: bool) -> ExitCode {
    let order = start.order();
    let file = order.file.display().to_string();
    let read = config::read(&mut Disk, &reader::origin(&order));
    let texts = if dump { read.files.clone() } else { Vec::new() };
    let reading = reader::digest(&read);
    reading.print();
    let Some(deployment) = reading.deployment else {
        eprintln!("liege: configuration file {file} test failed");
        return ExitCode::FAILURE;
    };
    if !quiet {
        eprintln!("liege: the configuration file {file} syntax is ok");
    }
    if let Err(failed) = rehearse(start, &deployment) {
        eprintln!("liege: [emerg] {failed}");
        eprintln!("liege: configuration file {file} test failed");
        return ExitCode::FAILURE;
    }
    if !quiet {
        eprintln!("liege: configuration file {file} test is successful");
    }
    if print(&texts).is_err() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What a start would do before any child: users, directories, logs, sockets (an address in use is
/// somebody's running liege and tolerated, as nginx does), the pid file.
fn rehearse(start: &Start, deployment: &Deployment) -> Result<(), Failed> {
    let mut log = Log::to_stderr(Level::Warn);
    let web = identity::web_user(deployment, start, &mut log)?;
    files::prepare(deployment, web.as_ref())?;
    Logs::open(deployment, &start.prefix())?;
    Listeners::rehearse(deployment)?;
    for app in &deployment.apps {
        identity::app_user(app, web.as_ref(), start)?;
    }
    files::touch_pid(&deployment.pid)
}

/// Each file once, in the order in which it was read first, under nginx's heading.
fn print(files: &[(PathBuf, Vec<u8>)]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut seen: Vec<&Path> = Vec::new();
    for (path, text) in files {
        if seen.contains(&path.as_path()) {
            continue;
        }
        seen.push(path);
        out.write_all(b"# configuration file ")?;
        out.write_all(path.as_os_str().as_bytes())?;
        out.write_all(b":\n")?;
        out.write_all(text)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
