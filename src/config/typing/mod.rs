//! Words to values: each line is checked by the table and read by the type of its directive.
//!
//! A directive is typed once, where it is written. A block's own lines come first and its nested
//! blocks after them, wherever they stand: a nested block starts as a clone of the finished outer
//! one, and nginx lets it inherit what is written below it.

mod apps;
mod http;
mod level;
mod listeners;
mod locations;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use level::Block;

use crate::Context;
use crate::diagnostic::{Diagnostic, Named, Severity, Spot};
use crate::directive::Section;
use crate::model::Config;
use crate::section;
use crate::syntax::{Line, Tree};
use crate::value::{Complaint, ErrorLog, ErrorLogTo, Level, Registry, Scope};

/// What typing gives: a configuration, unless something is wrong, and everything that is to be said
/// about it.
#[derive(Debug, Clone)]
pub struct Typed {
    /// The configuration; none when a diagnostic is an error.
    pub config: Option<Config>,
    /// Everything that is wrong or strange, also with the grammar and the includes, in the order of
    /// reading; last what nginx finds after the whole file.
    pub diagnostics: Vec<Diagnostic>,
}

/// Types a tree. The same tree gives the same answer in every process.
pub fn typed(tree: &Tree) -> Typed {
    let mut typist = Typist { tree, registry: Registry::default(), told: vec![] };
    for (complaint, line) in &tree.mistakes {
        typist.complain(complaint.clone(), line);
    }
    let config = typist.whole();
    // The sort is stable: what is said of one line stays in its order.
    typist.told.sort_by_key(|told| (told.late, told.order));
    let refused = typist.told.iter().any(Told::is_error);
    let more = typist.told.len().saturating_sub(MOST_TOLD);
    let told = typist.told.into_iter().take(MOST_TOLD);
    let mut diagnostics: Vec<Diagnostic> = told.map(|told| told.diagnostic(tree)).collect();
    if more > 0 {
        diagnostics.push(untold(more, refused));
    }
    Typed { config: config.filter(|_| !refused), diagnostics }
}

/// The most diagnostics that are shown: a file that is no configuration would give one for each
/// line.
const MOST_TOLD: usize = 200;

fn untold(more: usize, refused: bool) -> Diagnostic {
    let severity = if refused { Severity::Emerg } else { Severity::Warn };
    let message = format!("{more} more are not shown");
    Diagnostic { severity, message, named: Named::Nowhere, spot: None, hint: None }
}

/// Who types a tree: what is known so far, and what was said about it.
struct Typist<'a> {
    tree: &'a Tree,
    registry: Registry,
    told: Vec<Told>,
}

/// A complaint with its place in the order and in the file. Most that are wrong with a file which
/// is no configuration are never shown: the source line is looked up for those that are.
struct Told {
    late: bool,
    order: u32,
    severity: Severity,
    message: String,
    hint: Option<String>,
    nowhere: bool,
    file: Option<u32>,
    ended: u32,
    /// Line, column and width of the word that is meant.
    word: Option<(u32, u32, u32)>,
}

impl<'a> Typist<'a> {
    fn whole(&mut self) -> Option<Config> {
        let tree = self.tree;
        self.compile_captures(&tree.lines);
        let mut main = section::Main::defaults(&mut self.scope(Context::Main));
        let blocks = self.own_lines(&tree.lines, &Block::of(Context::Main), &mut [&mut main]);
        self.default_error_log(&mut main);
        let mut events = section::Events::defaults(&mut self.scope(Context::Events));
        let mut seen = HashSet::new();
        for block in &blocks {
            let name = block.name();
            if name != b"app" && !seen.insert(name) {
                self.complain(Complaint::of(block, "is duplicate"), block);
            }
        }
        for block in blocks.iter().filter(|block| block.name() == b"events") {
            self.own_lines(lines_of(block), &Block::of(Context::Events), &mut [&mut events]);
        }
        self.know_apps();
        let apps = self.apps(&blocks);
        let http = blocks.iter().find(|block| block.name() == b"http");
        let http = http.map(|block| self.http(block, &main));
        let user = tree.lines.iter().find(|line| line.name() == b"user");
        let user_place = user.map(|line| tree.place(line));
        Some(Config { main, user_place, events, apps, http, web_print: tree.print() })
    }

    /// `-e` replaces the default, and a line of the main level replaces both.
    fn default_error_log(&self, main: &mut section::Main) {
        let Some(path) = &self.tree.error_log else { return };
        if self.tree.lines.iter().any(|line| line.name() == b"error_log") {
            return;
        }
        let to = match path.to_str() {
            Some("stderr") => ErrorLogTo::Stderr,
            _ => ErrorLogTo::File(self.tree.under_prefix(path)),
        };
        main.error_log = vec![ErrorLog { to, level: Level::Error }].into();
    }

    fn scope(&mut self, context: Context) -> Scope<'_> {
        Scope::new(self.tree, context, &mut self.registry)
    }

    fn complain(&mut self, complaint: Complaint, line: &Line) {
        self.tell(Severity::Emerg, complaint, line);
    }

    fn warn(&mut self, complaint: Complaint, line: &Line) {
        self.tell(Severity::Warn, complaint, line);
    }

    fn tell(&mut self, severity: Severity, complaint: Complaint, line: &Line) {
        let word = line.words.get(complaint.word).or(line.words.first()).map(|word| {
            let quotes = if word.quoted { 2 } else { 0 };
            (word.line, word.column, word.width + quotes)
        });
        self.told.push(Told {
            late: complaint.late,
            order: line.order,
            severity,
            message: complaint.message,
            hint: complaint.hint,
            nowhere: complaint.nowhere,
            file: line.file,
            ended: line.ended,
            word,
        });
    }
}

impl Told {
    fn is_error(&self) -> bool {
        self.severity == Severity::Emerg
    }

    fn diagnostic(self, tree: &Tree) -> Diagnostic {
        let spot = self.spot(tree);
        let named = match self.file {
            _ if self.nowhere => Named::Nowhere,
            None => Named::CommandLine,
            Some(file) => {
                Named::File(tree.files.get(file as usize).cloned().unwrap_or_default(), self.ended)
            }
        };
        let Told { severity, message, hint, .. } = self;
        Diagnostic { severity, message, named, spot, hint }
    }

    /// The word that is meant, or the name of the directive, with its source line.
    fn spot(&self, tree: &Tree) -> Option<Spot> {
        let index = self.file? as usize;
        let (line, column, width) = self.word?;
        let text = tree.texts.get(index)?;
        let row = (line as usize).checked_sub(1)?;
        let text = text.split(|&byte| byte == b'\n').nth(row)?.to_vec();
        let file = tree.files.get(index)?.clone();
        Some(Spot { file, line, column, width, text })
    }
}

/// The lines in a block.
fn lines_of(block: &Line) -> &[Line] {
    block.block.as_deref().unwrap_or_default()
}
