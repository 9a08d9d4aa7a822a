//! One level: the checks that nginx makes of every line, in its order, and the lines handed to
//! their sections.

use std::collections::HashSet;
use std::path::PathBuf;

use super::Typist;
use crate::Context;
use crate::diagnostic::nearest;
use crate::directive::{AnySection, Directive, rows, table};
use crate::model::Matcher;
use crate::syntax::Line;
use crate::value::{Complaint, MANY};

/// Directives of the main level that liege will have.
const PLANNED: &[&str] = &["emperor"];

/// What readers of values may want to know of the block that their lines stand in.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub context: Context,
    /// What the location matches.
    pub matcher: Option<Matcher>,
    /// Where relative paths of the app start.
    pub chdir: Option<PathBuf>,
}

impl Block {
    pub fn of(context: Context) -> Block {
        Block { context, matcher: None, chdir: None }
    }
}

impl<'a> Typist<'a> {
    /// Reads a block's own lines into sections and gives back the blocks among them. What is wrong
    /// is told.
    pub fn own_lines(
        &mut self,
        lines: &'a [Line],
        block: &Block,
        sections: &mut [&mut dyn AnySection],
    ) -> Vec<&'a Line> {
        let mut blocks = vec![];
        let known: Vec<Complaint> = sections.iter().flat_map(|section| section.check()).collect();
        let mut seen = HashSet::new();
        let mut touched = HashSet::new();
        for line in lines.iter().filter(|line| !line.words.is_empty()) {
            // Looking for the nearest name takes its time, and the rest will not be shown.
            let hints = self.told.len() <= super::MOST_TOLD;
            match lookup(line, block.context, hints) {
                Err(complaint) => self.complain(complaint, line),
                Ok(directive) if directive.section == "Blocks" => blocks.push(line),
                Ok(directive) => {
                    touched.insert(directive.section);
                    let again = !seen.insert(directive.slot);
                    self.own_line(line, directive, again, block, sections);
                }
            }
        }
        // What was not touched on this level was looked at further out. An app and an upstream are
        // looked at as a whole.
        let whole = matches!(block.context, Context::App | Context::Upstream);
        for section in sections.iter().filter(|_| !whole) {
            let name = section.table().first().map_or("", |directive| directive.section);
            if touched.contains(name) {
                self.check(&**section, lines, &known);
            }
        }
        blocks
    }

    fn own_line(
        &mut self,
        line: &Line,
        directive: &Directive,
        again: bool,
        block: &Block,
        sections: &mut [&mut dyn AnySection],
    ) {
        let own = |section: &&mut &mut dyn AnySection| {
            section.table().iter().any(|row| row.section == directive.section)
        };
        let Some(section) = sections.iter_mut().find(own) else {
            return self.complain(Complaint::unknown(line), line);
        };
        let mut scope = self.scope(block.context);
        scope.location = block.matcher.clone();
        if let Some(chdir) = &block.chdir {
            scope.chdir = chdir.clone();
        }
        let result = section.set(directive.name, line, again, &mut scope);
        for warning in std::mem::take(&mut scope.warnings) {
            self.warn(warning, line);
        }
        if let Err(complaint) = result {
            self.complain(complaint, line);
        }
    }

    /// Tells what does not hold between the directives of a section, at the one that the message
    /// names first.
    fn check(&mut self, section: &dyn AnySection, lines: &[Line], known: &[Complaint]) {
        for complaint in section.check() {
            // What is inherited was told where it was written.
            if known.contains(&complaint) {
                continue;
            }
            let own =
                |line: &&Line| section.table().iter().any(|row| row.name.as_bytes() == line.name());
            // The directive that the message names first.
            let named = |line: &&Line| {
                let name = format!("\"{}\"", line.name_text());
                complaint.message.find(&name).unwrap_or(usize::MAX)
            };
            let line = lines.iter().filter(own).min_by_key(named);
            if let Some(line) = line {
                self.complain(complaint.late(), line);
            }
        }
    }
}

/// nginx's checks of one line, in the order of `ngx_conf_handler`.
pub(super) fn lookup(
    line: &Line,
    context: Context,
    hints: bool,
) -> Result<&'static Directive, Complaint> {
    let name = line.name_text();
    let allowed = |directive: &&&Directive| directive.contexts.contains(&context);
    let Some(directive) = rows(line.name()).iter().find(allowed) else {
        return Err(misplaced(line, &name, context, hints));
    };
    if directive.block && line.block.is_none() {
        return Err(Complaint::new(format!("directive \"{name}\" has no opening \"{{\"")));
    }
    if !directive.block && line.block.is_some() {
        let message = format!("directive \"{name}\" is not terminated by \";\"");
        return Err(Complaint::new(message).hint("a \";\" is missing"));
    }
    let (least, most) = directive.arity;
    let count = line.arguments().len();
    if count < least || (most != MANY && count > most) {
        let message = format!("invalid number of arguments in \"{name}\" directive");
        let mut complaint = Complaint::new(message);
        let strays = line.arguments().iter().find(|word| word.line > line.words[0].line);
        complaint = match (count > most, strays) {
            (true, Some(stray)) => {
                complaint.hint(format!("is a \";\" missing before \"{}\"?", stray.text()))
            }
            _ => complaint.hint(format!("{name} {}", directive.syntax).trim_end()),
        };
        return Err(complaint);
    }
    Ok(directive)
}

/// A name that no row has for this block: nginx knows it elsewhere, or here and liege does not, or
/// nobody knows it.
fn misplaced(line: &Line, name: &str, context: Context, hints: bool) -> Complaint {
    let nginx = crate::names::nginx(name);
    if context == Context::Main && PLANNED.contains(&name) {
        return Complaint::new(format!("liege does not implement {name} yet"));
    }
    if nginx.is_some_and(|known| known.allowed_in(context)) {
        return Complaint::new(format!("liege does not implement {name} yet"))
            .hint("nginx has it here; remove the line, or wait for a later liege");
    }
    let contexts = rows(line.name()).iter().flat_map(|row| row.contexts);
    let words: Vec<&str> = contexts.map(|context| context.word()).collect();
    if !words.is_empty() {
        return Complaint::new(format!("\"{name}\" directive is not allowed here"))
            .hint(format!("it stands in {}", words.join(", ")));
    }
    if nginx.is_some() {
        return Complaint::new(format!("\"{name}\" directive is not allowed here"));
    }
    let complaint = Complaint::unknown(line);
    if !hints {
        return complaint;
    }
    let here = table().filter(|row| row.contexts.contains(&context)).map(|row| row.name);
    let near = nearest(name, here).or_else(|| {
        let all = table().map(|row| row.name).chain(crate::names::all().map(|(name, _)| name));
        nearest(name, all)
    });
    match near {
        Some(near) => complaint.hint(format!("did you mean \"{near}\"?")),
        None => complaint,
    }
}
