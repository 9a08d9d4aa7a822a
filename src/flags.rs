//! nginx's flags, read as nginx reads them: letters may be joined, values glued or separate. One
//! table says what they are; reading and help come from it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use master::Start;
use master::signal::Signal;

use Effect::{Switch, Value};

use crate::cli::{Mode, Usage};

/// One flag.
struct Flag {
    letters: &'static [u8],
    text: &'static str,
    effect: Effect,
}

enum Effect {
    Switch(fn(&mut Flags)),
    /// It wants a value: how the help shows it, how nginx calls it when it is missing, what it does.
    Value(&'static str, &'static str, fn(&mut Flags, &OsStr) -> Result<(), Usage>),
}

/// In the order of the help.
const TABLE: &[Flag] = &[
    Flag { letters: b"?h", text: "this help", effect: Switch(|flags| flags.help = true) },
    Flag {
        letters: b"v",
        text: "show version and exit",
        effect: Switch(|flags| flags.version = true),
    },
    Flag {
        letters: b"V",
        text: "show version and configure options then exit",
        effect: Switch(|flags| flags.build = true),
    },
    Flag {
        letters: b"t",
        text: "test configuration and exit",
        effect: Switch(|flags| flags.test = true),
    },
    Flag {
        letters: b"T",
        text: "test configuration, dump it and exit",
        effect: Switch(|flags| flags.dump = true),
    },
    Flag {
        letters: b"q",
        text: "suppress non-error messages during configuration testing",
        effect: Switch(|flags| flags.quiet = true),
    },
    Flag {
        letters: b"s",
        text: "send signal to a master process: stop, quit, reopen, reload",
        effect: Value("signal", "parameter", |flags, name| {
            flags.signal = Signal::named(&name.to_string_lossy());
            let wrong = || invalid(OsStr::new(&format!("-s {}", name.display())));
            flags.signal.map(drop).ok_or_else(wrong)
        }),
    },
    Flag {
        letters: b"p",
        text: "set prefix path (default: {prefix})",
        effect: Value("prefix", "directory name", |flags, path| {
            flags.start.prefix = Some(PathBuf::from(path));
            Ok(())
        }),
    },
    Flag {
        letters: b"e",
        text: "set error log file (default: logs/error.log)",
        effect: Value("filename", "file name", |flags, path| {
            flags.start.error_log = Some(PathBuf::from(path));
            Ok(())
        }),
    },
    Flag {
        letters: b"c",
        text: "set configuration file (default: {file})",
        effect: Value("filename", "file name", |flags, path| {
            flags.start.file = Some(PathBuf::from(path));
            Ok(())
        }),
    },
    Flag {
        letters: b"g",
        text: "set global directives out of configuration file",
        effect: Value("directives", "parameter", |flags, text| {
            flags.start.globals = text.as_bytes().to_vec();
            Ok(())
        }),
    },
];

/// What the flags said.
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

/// Reads a command line of flags.
pub fn read(words: &[OsString]) -> Result<Mode, Usage> {
    let mut flags = Flags::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let letters = word.as_bytes().strip_prefix(b"-").filter(|letters| !letters.is_empty());
        let mut letters = letters.ok_or_else(|| invalid(word))?;
        while let [letter, rest @ ..] = letters {
            let flag = TABLE.iter().find(|flag| flag.letters.contains(letter));
            let flag = flag.ok_or_else(|| invalid(OsStr::from_bytes(&[*letter])))?;
            letters = rest;
            match flag.effect {
                Switch(set) => set(&mut flags),
                Value(_, what, set) if rest.is_empty() => {
                    set(&mut flags, words.next().ok_or_else(|| missing(*letter, what))?)?;
                }
                Value(_, _, set) => {
                    set(&mut flags, OsStr::from_bytes(std::mem::take(&mut letters)))?;
                }
            }
        }
    }
    Ok(flags.mode())
}

/// The help's part about flags, as nginx prints it.
pub fn help() -> String {
    let lines = TABLE.iter().map(|flag| {
        let letters = flag.letters.iter().map(|letter| format!("-{}", char::from(*letter)));
        let mut left = letters.collect::<Vec<_>>().join(",");
        if let Value(value, ..) = flag.effect {
            left.push(' ');
            left.push_str(value);
        }
        format!("  {left:<14}: {}\n", flag.text)
    });
    lines.collect::<String>().replace("{prefix}", master::PREFIX).replace("{file}", master::FILE)
}

impl Flags {
    /// nginx's order: what is to be said, then a test, then a signal.
    fn mode(self) -> Mode {
        if self.help || self.version || self.build {
            return Mode::version(self.help, self.build);
        }
        let start = self.start;
        match self.signal {
            _ if self.test || self.dump => {
                Mode::Check { start, dump: self.dump, quiet: self.quiet }
            }
            Some(signal) => Mode::Signal { start, signal },
            None => Mode::Serve(start),
        }
    }
}

fn invalid(word: &OsStr) -> Usage {
    Usage::Wrong(format!("invalid option: \"{}\"", word.to_string_lossy()))
}

fn missing(letter: u8, what: &str) -> Usage {
    Usage::Wrong(format!("option \"-{}\" requires {what}", char::from(letter)))
}
