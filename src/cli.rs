//! The command line: nginx's flags (`flags`), and liege's own commands.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use master::Start;
use master::signal::Signal;

use crate::flags;

/// What this run of liege is for.
pub enum Mode {
    /// Be the master.
    Serve(Start),
    /// `-t`, `-T`: check the configuration; `dump` prints it.
    Check { start: Start, dump: bool, quiet: bool },
    /// `-s`: signal the running master.
    Signal { start: Start, signal: Signal },
    /// Print and leave.
    Say { text: String, to_stderr: bool },
}

/// A command line that cannot be obeyed.
pub enum Usage {
    /// One line, as nginx prints it.
    Wrong(String),
    /// clap's own report for a command.
    Command(clap::Error),
}

impl Mode {
    /// `-v`, and what `-h` and `-V` add to it.
    pub fn version(help: bool, build: bool) -> Mode {
        let mut text = format!("liege version: liege/{}\n", env!("CARGO_PKG_VERSION"));
        if help {
            text.push_str(&usage());
        } else if build {
            text.push_str(&made_of());
        }
        Mode::Say { text, to_stderr: true }
    }
}

impl Usage {
    /// Prints it; the exit status is nginx's 1 for flags and 2 for commands.
    pub fn report(self) -> ExitCode {
        match self {
            Usage::Wrong(line) => {
                eprintln!("liege: {line}");
                ExitCode::FAILURE
            }
            Usage::Command(error) => {
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
            }
        }
    }
}

#[derive(Parser)]
#[command(name = "liege", disable_help_flag = true, disable_help_subcommand = true)]
struct Commands {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves one application without a configuration file
    Run(crate::run::Run),
    /// Prints the manual entry of a directive
    Help {
        /// A directive's name; without one, the flags are listed
        directive: Option<String>,
        /// Prints the manual page liege.conf(5), for mandoc or groff
        #[arg(long, conflicts_with = "directive")]
        manual: bool,
    },
}

/// Reads the words behind the program's name.
pub fn read(words: &[OsString]) -> Result<Mode, Usage> {
    match words.first() {
        Some(word) if word == "run" || word == "help" => command(words),
        _ => flags::read(words),
    }
}

fn command(words: &[OsString]) -> Result<Mode, Usage> {
    let whole = std::iter::once(OsString::from("liege")).chain(words.iter().cloned());
    match Commands::try_parse_from(whole).map_err(Usage::Command)?.command {
        Command::Run(run) => run.start().map(Mode::Serve).map_err(Usage::Wrong),
        Command::Help { manual: true, .. } => {
            Ok(Mode::Say { text: config::manual::liege_conf_5(), to_stderr: false })
        }
        Command::Help { directive: None, .. } => Ok(Mode::Say { text: usage(), to_stderr: false }),
        Command::Help { directive: Some(name), .. } => match config::manual::directive(&name) {
            Some(text) => Ok(Mode::Say { text, to_stderr: false }),
            None => Err(Usage::Wrong(unknown(&name))),
        },
    }
}

fn unknown(name: &str) -> String {
    match config::manual::nearest(name) {
        Some(near) => format!("unknown directive \"{name}\"; did you mean \"{near}\"?"),
        None => format!("unknown directive \"{name}\"; liege.conf(5) lists all of them"),
    }
}

/// Prints a text that was asked for.
pub fn say(text: &str, to_stderr: bool) -> ExitCode {
    use std::io::Write;
    let text = text.trim_end();
    // A reader that left early (`liege -V | head -1`) is no failure of ours.
    let _ = if to_stderr {
        writeln!(std::io::stderr(), "{text}")
    } else {
        writeln!(std::io::stdout(), "{text}")
    };
    ExitCode::SUCCESS
}

fn usage() -> String {
    format!("{SYNOPSIS}\nOptions:\n{}", flags::help())
}

/// What `-V` adds: the nginx whose behaviour is followed, and the modules by nginx's build flags,
/// because tools parse both.
fn made_of() -> String {
    let modules = include_str!("modules.txt").lines().collect::<Vec<_>>().join(" ");
    let (prefix, file) = (master::PREFIX, master::FILE);
    format!(
        "nginx version: nginx/1.30.6\nconfigure arguments: --prefix={prefix} --conf-path={file} {modules}"
    )
}

const SYNOPSIS: &str = "\
Usage: liege [-?hvVtTq] [-s signal] [-p prefix]
             [-e filename] [-c filename] [-g directives]
       liege run MODULE:CALLABLE [--static URL=DIR] [--listen ADDR]
       liege help [DIRECTIVE]
";
