//! Values about logs: where lines go, what they say, from which level on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::basic::{Resolution, choose};
use super::path::under_prefix;
use super::{Complaint, FilePath, List, MANY, Scope, Text, Value, duration, size};
use crate::diagnostic::{nearest, shown};
use crate::syntax::Line;

/// The shape of an access log's lines.
#[derive(Debug, Clone, PartialEq)]
pub struct LogFormat {
    /// Its name.
    pub name: Vec<u8>,
    /// How values of variables are made harmless.
    pub escape: Escape,
    /// The line, without its line feed.
    pub text: Text,
}

/// How values of variables are written into a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// `\xHH` for quotes, backslashes and what is not printable ASCII; `-` for a variable without a
    /// value.
    Default,
    /// As in a JSON string.
    Json,
    /// As they are.
    None,
}

/// An access log.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessLog {
    /// The file; with variables it is opened for each line.
    pub path: Text,
    /// The shape of its lines.
    pub format: Arc<LogFormat>,
    /// Lines are written when so many bytes are waiting.
    pub buffer: Option<u64>,
    /// Lines are written when they are so old.
    pub flush: Option<Duration>,
    /// Requests for which this is empty or "0" are not logged.
    pub condition: Option<Text>,
}

/// The access logs of a level; none when one line says `off`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AccessLogs {
    /// The logs.
    pub logs: List<AccessLog>,
    off: bool,
}

/// How grave a line of the error log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// The system is unusable.
    Emerg,
    /// Something must be done at once.
    Alert,
    /// Something important failed.
    Crit,
    /// Something failed.
    Error,
    /// Something is strange.
    Warn,
    /// Something normal that should be known.
    Notice,
    /// What happens.
    Info,
    /// Everything.
    Debug,
}

/// An error log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorLog {
    /// Where lines go.
    pub to: ErrorLogTo,
    /// Lines that are less grave are not written.
    pub level: Level,
}

/// Where the lines of an error log go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ErrorLogTo {
    /// Standard error.
    Stderr,
    /// A file.
    File(PathBuf),
}

/// The levels by their words.
const LEVELS: [(&str, Level); 8] = [
    ("debug", Level::Debug),
    ("info", Level::Info),
    ("notice", Level::Notice),
    ("warn", Level::Warn),
    ("error", Level::Error),
    ("crit", Level::Crit),
    ("alert", Level::Alert),
    ("emerg", Level::Emerg),
];

impl Level {
    /// The word for it in logs.
    pub fn word(self) -> &'static str {
        LEVELS.iter().find(|(_, level)| *level == self).map_or("error", |(word, _)| word)
    }
}

/// The format that is always there.
pub(crate) const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status \
    $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";

impl Value for LogFormat {
    const SYNTAX: &'static str = "name [escape=default | json | none] text ...";
    const ARITY: (usize, usize) = (2, MANY);

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let name = line.argument(0);
        if scope.registry.formats.find(name).is_some() || name == b"combined" {
            let message = format!("duplicate \"log_format\" name \"{}\"", shown(name));
            return Err(Complaint::new(message).at(1));
        }
        let mut first = 2;
        let mut escape = Escape::Default;
        if let Some(word) = line.argument(1).strip_prefix(b"escape=") {
            escape = match word {
                b"default" => Escape::Default,
                b"json" => Escape::Json,
                b"none" => Escape::None,
                _ => {
                    let message = format!("unknown log format escaping \"{}\"", shown(word));
                    return Err(Complaint::new(message).at(2).hint("default, json or none"));
                }
            };
            first = 3;
        }
        let words = line.words.get(first..).unwrap_or_default();
        let text: Vec<u8> = words.iter().flat_map(|word| word.bytes.iter().copied()).collect();
        let text = Text::compile(&text, scope).map_err(|complaint| complaint.at(first))?;
        let format = LogFormat { name: name.to_vec(), escape, text };
        scope.registry.formats.add(name, (line.order, Arc::new(format.clone())));
        Ok(format)
    }
}

impl Value for AccessLogs {
    const SYNTAX: &'static str = "off | path [format] [buffer=size] [flush=time] [if=condition]";
    const ARITY: (usize, usize) = (1, MANY);
    const ADDS: bool = true;

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let mut logs = AccessLogs::default();
        logs.again(line, scope)?;
        Ok(logs)
    }

    fn again(&mut self, line: &Line, scope: &mut Scope<'_>) -> Result<(), Complaint> {
        if line.argument(0) == b"off" {
            if let Some(word) = line.words.get(2) {
                let message = format!("invalid parameter \"{}\"", shown(&word.bytes));
                return Err(Complaint::new(message).at(2));
            }
            self.off = true;
            self.logs.clear();
            return Ok(());
        }
        let log = AccessLog::of(line, scope)?;
        if !self.off {
            self.logs.push(log);
        }
        Ok(())
    }
}

impl AccessLog {
    fn of(line: &Line, scope: &mut Scope<'_>) -> Result<AccessLog, Complaint> {
        if line.argument(0).starts_with(b"syslog:") {
            return Err(Complaint::new("liege does not implement access_log syslog: yet").at(1));
        }
        let path = under_prefix(line, 0, scope)?;
        let name = match line.argument(1) {
            b"" => &b"combined"[..],
            name => name,
        };
        let format = format_named(name, line, scope)?;
        let mut log = AccessLog { path, format, buffer: None, flush: None, condition: None };
        for index in 3..line.words.len() {
            log.option(line, index, scope).map_err(|complaint| complaint.at(index))?;
        }
        let log = log.whole(line)?;
        log.agree(line, scope)?;
        Ok(log)
    }

    fn option(
        &mut self,
        line: &Line,
        index: usize,
        scope: &mut Scope<'_>,
    ) -> Result<(), Complaint> {
        let word = &line.words[index].bytes[..];
        if let Some(value) = word.strip_prefix(b"buffer=") {
            let invalid = || Complaint::new(format!("invalid buffer size \"{}\"", shown(value)));
            self.buffer = Some(size(value).filter(|&size| size > 0).ok_or_else(invalid)?);
        } else if let Some(value) = word.strip_prefix(b"flush=") {
            let invalid = || Complaint::new(format!("invalid flush time \"{}\"", shown(value)));
            let time = duration(value, Resolution::Milliseconds).filter(|time| !time.is_zero());
            self.flush = Some(time.ok_or_else(invalid)?);
        } else if let Some(value) = word.strip_prefix(b"if=") {
            self.condition = Some(Text::compile(value, scope)?);
        } else if word == b"gzip" || word.starts_with(b"gzip=") {
            return Err(Complaint::new("liege does not implement access_log ... gzip yet"));
        } else {
            return Err(Complaint::new(format!("invalid parameter \"{}\"", shown(word))));
        }
        Ok(())
    }

    /// What holds between the options of one line.
    fn whole(self, line: &Line) -> Result<AccessLog, Complaint> {
        let path = shown(line.argument(0));
        if self.flush.is_some() && self.buffer.is_none() {
            let message = format!("no buffer is defined for access_log \"{path}\"");
            return Err(Complaint::new(message).hint("add buffer=32k"));
        }
        if self.buffer.is_some() && self.path.literal().is_none() {
            return Err(Complaint::new("buffered logs cannot have variables in name").at(1));
        }
        Ok(self)
    }
}

impl AccessLog {
    /// One file has one buffer: all lines that give it one must give it the same.
    fn agree(&self, line: &Line, scope: &mut Scope<'_>) -> Result<(), Complaint> {
        let (Some(size), Some(path)) = (self.buffer, self.path.literal()) else { return Ok(()) };
        let wanted = (size, self.flush);
        let known = *scope.registry.buffers.entry(path.to_vec()).or_insert(wanted);
        if known == wanted {
            return Ok(());
        }
        let path = shown(line.argument(0));
        let message = format!("access_log \"{path}\" already defined with conflicting parameters");
        Err(Complaint::new(message).hint("give the file the same buffer and flush everywhere"))
    }
}

fn format_named(
    name: &[u8],
    line: &Line,
    scope: &mut Scope<'_>,
) -> Result<Arc<LogFormat>, Complaint> {
    let known = scope.registry.formats.find(name);
    if let Some((_, format)) = known.filter(|(order, _)| *order <= line.order) {
        return Ok(format.clone());
    }
    let further_down = known.is_some();
    if name == b"combined" {
        let text = Text::compile(COMBINED.as_bytes(), scope)?;
        let format = LogFormat { name: name.to_vec(), escape: Escape::Default, text };
        let format = Arc::new(format);
        scope.registry.formats.add(name, (0, format.clone()));
        return Ok(format);
    }
    let complaint = Complaint::new(format!("unknown log format \"{}\"", shown(name))).at(2);
    if further_down {
        return Err(complaint.hint("its log_format stands further down: move it up"));
    }
    let formats = scope.registry.formats.all();
    let names: Vec<String> = formats.iter().map(|(_, format)| shown(&format.name)).collect();
    Err(match nearest(&shown(name), names.iter().map(String::as_str)) {
        Some(near) => complaint.hint(format!("did you mean \"{near}\"?")),
        None => complaint.hint("define it with log_format at http level"),
    })
}

impl Value for ErrorLog {
    const SYNTAX: &'static str =
        "path | stderr [debug | info | notice | warn | error | crit | alert | emerg]";
    const ARITY: (usize, usize) = (1, MANY);

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let to = match line.argument(0) {
            b"stderr" => ErrorLogTo::Stderr,
            word if word.starts_with(b"syslog:") => {
                return Err(Complaint::new("liege does not implement error_log syslog: yet").at(1));
            }
            word if word.starts_with(b"memory:") => {
                return Err(Complaint::new("liege does not implement error_log memory: yet").at(1));
            }
            _ => ErrorLogTo::File(FilePath::argument(line, 0, scope)?.0),
        };
        let level = match line.arguments().len() {
            1 => Level::Error,
            _ => level(line)?,
        };
        if let Some(word) = line.words.get(3) {
            let name = shown(&word.bytes);
            let known = LEVELS.iter().any(|(level, _)| *level == name);
            let what = if known { "duplicate" } else { "invalid" };
            return Err(Complaint::new(format!("{what} log level \"{name}\""))
                .at(3)
                .hint("one level is enough: it and all graver ones are logged"));
        }
        Ok(ErrorLog { to, level })
    }
}

fn level(line: &Line) -> Result<Level, Complaint> {
    let word = shown(line.argument(1));
    if word.starts_with("debug_") {
        return Err(
            Complaint::new(format!("liege does not implement error_log ... {word} yet")).at(2)
        );
    }
    // nginx compares levels with case.
    let known = LEVELS.iter().any(|(name, _)| *name == word);
    choose(line, 1, &LEVELS).ok().filter(|_| known).ok_or_else(|| {
        let names: Vec<&str> = LEVELS.iter().map(|(name, _)| *name).collect();
        Complaint::new(format!("invalid log level \"{word}\""))
            .at(2)
            .hint(format!("one of {}", names.join(", ")))
    })
}
