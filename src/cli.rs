//! The command line: nginx's flags, read by hand as nginx reads them, and liege's own commands.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use master::Start;
use master::signal::Signal;

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
        Some(word) if !word.as_bytes().starts_with(b"-") && is_command(word) => command(words),
        _ => flags(words),
    }
}

fn is_command(word: &OsStr) -> bool {
    ["run", "help"].iter().any(|name| word == *name)
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

/// nginx's flags: letters may be joined, values glued or separate.
fn flags(words: &[OsString]) -> Result<Mode, Usage> {
    let mut seen = Flags::default();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let Some(letters) = word.as_bytes().strip_prefix(b"-") else {
            return Err(invalid(word));
        };
        let mut at = 0;
        while at < letters.len() {
            let letter = letters[at];
            at += 1;
            match letter {
                b'?' | b'h' => seen.help = true,
                b'v' => seen.version = true,
                b'V' => seen.build = true,
                b't' => seen.test = true,
                b'T' => seen.dump = true,
                b'q' => seen.quiet = true,
                b'p' | b'c' | b'g' | b'e' | b's' => {
                    let value = if at < letters.len() {
                        OsStr::from_bytes(&letters[at..]).to_owned()
                    } else {
                        rest.next().cloned().ok_or_else(|| wants(letter))?
                    };
                    seen.set(letter, value)?;
                    break;
                }
                _ => return Err(invalid(OsStr::from_bytes(&[letter]))),
            }
        }
        if letters.is_empty() {
            return Err(invalid(word));
        }
    }
    seen.mode()
}

fn invalid(word: &OsStr) -> Usage {
    Usage::Wrong(format!("invalid option: \"{}\"", word.to_string_lossy()))
}

fn wants(letter: u8) -> Usage {
    let (option, what) = match letter {
        b'p' => ("-p", "directory name"),
        b'g' => ("-g", "parameter"),
        b's' => ("-s", "parameter"),
        b'e' => ("-e", "file name"),
        _ => ("-c", "file name"),
    };
    Usage::Wrong(format!("option \"{option}\" requires {what}"))
}

#[derive(Default)]
struct Flags {
    help: bool,
    version: bool,
    build: bool,
    test: bool,
    dump: bool,
    quiet: bool,
    signal: Option<Signal>,
    start: Start,
}

impl Flags {
    fn set(&mut self, letter: u8, value: OsString) -> Result<(), Usage> {
        match letter {
            b'p' => self.start.prefix = Some(PathBuf::from(value)),
            b'c' => self.start.file = Some(PathBuf::from(value)),
            b'e' => self.start.error_log = Some(PathBuf::from(value)),
            b'g' => self.start.globals = value.as_bytes().to_vec(),
            _ => match Signal::named(&value.to_string_lossy()) {
                Some(signal) => self.signal = Some(signal),
                None => return Err(invalid(OsStr::new(&format!("-s {}", value.display())))),
            },
        }
        Ok(())
    }

    fn mode(self) -> Result<Mode, Usage> {
        if self.help || self.version || self.build {
            let mut text = format!("liege version: liege/{}\n", env!("CARGO_PKG_VERSION"));
            if self.help {
                text.push_str(&usage());
            } else if self.build {
                text.push_str(&build());
            }
            return Ok(Mode::Say { text, to_stderr: true });
        }
        let (start, quiet) = (self.start, self.quiet);
        if self.test || self.dump {
            return Ok(Mode::Check { start, dump: self.dump, quiet });
        }
        if let Some(signal) = self.signal {
            return Ok(Mode::Signal { start, signal });
        }
        Ok(Mode::Serve(start))
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
    include_str!("usage.txt").replace("{prefix}", master::PREFIX).replace("{file}", master::FILE)
}

/// What `-V` adds: the nginx whose behaviour is followed, and the modules by nginx's build flags,
/// because tools parse both.
fn build() -> String {
    let mut text = String::from("nginx version: nginx/1.30.6\nconfigure arguments:");
    text.push_str(&format!(" --prefix={} --conf-path={}", master::PREFIX, master::FILE));
    for flag in include_str!("modules.txt").lines() {
        text.push(' ');
        text.push_str(flag);
    }
    text
}
