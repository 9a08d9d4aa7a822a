//! The roof: argv decides the mode. What a mode does lives in the crates below.

mod cli;
mod flags;
mod run;

use std::process::ExitCode;

use cli::Mode;

/// The Python extension that app masters load.
static EXTENSION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/_liege.so"));

fn main() -> ExitCode {
    // Before any thread exists and before any file is opened: titles are written over the argument
    // area, and descriptors 0 to 2 must be taken.
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if let Err(error) = sys::exec::open_standard().and_then(|()| sys::exec::close_others_on_exec())
    {
        eprintln!("liege: set up descriptors: {error}");
        return ExitCode::FAILURE;
    }
    sys::title::init();
    if master::child::is_child(&words) {
        return master::child::run(&entries());
    }
    match cli::read(&words) {
        Ok(Mode::Serve(start)) => master::serve(start, EXTENSION),
        Ok(Mode::Check { start, dump, quiet }) => master::check::run(&start, dump, quiet),
        Ok(Mode::Signal { start, signal }) => master::signal::send(&start, signal),
        Ok(Mode::Say { text, to_stderr }) => cli::say(&text, to_stderr),
        Err(usage) => usage.report(),
    }
}

/// What a child becomes, wired in here because no lower floor may know both the master and the web.
fn entries() -> master::child::Entries {
    master::child::Entries { web: web::run }
}
