//! Values of the main level: who the workers are, how many, and what apps find in their
//! environment.

use serde::{Deserialize, Serialize};

use super::basic::number;
use super::{Complaint, Scope, Value};
use crate::diagnostic::shown;
use crate::syntax::Line;

/// The user, and the group where one is named; else the group of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user's name.
    pub name: String,
    /// The group's name.
    pub group: Option<String>,
}

/// How many worker processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Processes {
    /// As many as there are processors.
    Auto,
    /// So many.
    Count(u32),
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Env {
    /// Its name.
    pub name: String,
    /// Its value; none keeps what liege itself was started with.
    pub value: Option<String>,
}

impl Value for User {
    const SYNTAX: &'static str = "user [group]";
    const ARITY: (usize, usize) = (1, 2);

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let group = line.words.get(2).map(|word| word.text());
        Ok(User { name: line.words[1].text(), group })
    }
}

impl Value for Processes {
    const SYNTAX: &'static str = "number | auto";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let word = line.argument(0);
        if word == b"auto" {
            return Ok(Processes::Auto);
        }
        let invalid = || Complaint::invalid(line).hint("a number, or \"auto\"");
        match number(word).and_then(|count| u32::try_from(count).ok()) {
            // nginx takes 0 and then serves nobody.
            Some(count @ 1..=MOST_PROCESSES) => Ok(Processes::Count(count)),
            Some(1..) => {
                Err(Complaint::new(format!("value must be between 1 and {MOST_PROCESSES}")).at(1))
            }
            _ => Err(invalid()),
        }
    }
}

/// More processes than this on one machine are a slip of the finger.
const MOST_PROCESSES: u32 = 1024;

impl Value for Env {
    const SYNTAX: &'static str = "name[=value]";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let text = line.words[1].text();
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.to_string(), Some(value.to_string())),
            None => (text, None),
        };
        if name.is_empty()
            || name.contains('\0')
            || value.as_ref().is_some_and(|v| v.contains('\0'))
        {
            return Err(Complaint::invalid(line).hint("NAME, or NAME=value"));
        }
        Ok(Env { name, value })
    }
}

/// How the kernel is asked for events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventMethod {
    /// epoll(7), the only one.
    Epoll,
}

impl Value for EventMethod {
    const SYNTAX: &'static str = "epoll";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let word = shown(line.argument(0));
        match word.as_str() {
            "epoll" => Ok(EventMethod::Epoll),
            "select" | "poll" => {
                Err(Complaint::new(format!("liege does not implement use {word} yet")).at(1))
            }
            _ => Err(Complaint::new(format!("invalid event type \"{word}\"")).at(1)),
        }
    }
}
