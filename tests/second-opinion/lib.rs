//! What two parsers make of the same text: liege's own, and the crate nginx-config.
//!
//! nginx-config knows 74 directives and refuses the rest, so it is asked only about texts that it accepts; what it makes of
//! the others is held in `faults.rs`. docs/decisions.md says why it is a second opinion and not the parser.

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod faults;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use nginx_config::ast;

/// One directive as a parser saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// How many blocks it stands in.
    pub depth: usize,
    /// The line of its name.
    pub line: usize,
    /// Its name.
    pub name: String,
}

/// What liege makes of a text: the directives, and their words. Errors are those of
/// the grammar.
pub fn ours(text: &str) -> Result<(Vec<Seen>, Vec<Vec<String>>), Vec<String>> {
    let origin =
        config::Origin { text: Some(text.into()), file: "text".into(), ..Default::default() };
    let reading = config::read(&mut Nothing, &origin);
    let said = config::typed(&reading.tree).diagnostics.into_iter().map(|found| found.line());
    let grammar: Vec<String> = said.filter(|line| is_about_grammar(line)).collect();
    if !grammar.is_empty() {
        return Err(grammar);
    }
    let (mut seen, mut words) = (vec![], vec![]);
    walk(&reading.tree.lines, 0, &mut seen, &mut words);
    Ok((seen, words))
}

/// Names and values are not compared: nginx-config knows few names, and checks few values.
fn is_about_grammar(line: &str) -> bool {
    line.starts_with("unexpected ") || line.starts_with("too long parameter")
}

fn walk(lines: &[config::Line], depth: usize, seen: &mut Vec<Seen>, words: &mut Vec<Vec<String>>) {
    for line in lines {
        let at = line.words.first().map_or(0, |word| word.line as usize);
        seen.push(Seen { depth, line: at, name: line.name_text() });
        words.push(line.words.iter().map(config::Word::text).collect());
        walk(line.block.as_deref().unwrap_or_default(), depth + 1, seen, words);
    }
}

/// What nginx-config makes of a text: the directives, and the text as it would write it.
pub fn theirs(text: &str) -> Result<(Vec<Seen>, String), String> {
    let main = nginx_config::parse_main(text).map_err(|error| error.to_string())?;
    let mut seen = vec![];
    descend(&main.directives, 0, &mut seen);
    Ok((seen, main.to_string()))
}

fn descend(directives: &[ast::Directive], depth: usize, seen: &mut Vec<Seen>) {
    for directive in directives {
        let name = directive.item.directive_name().to_owned();
        seen.push(Seen { depth, line: directive.position.line, name });
        let children = directive.item.children().unwrap_or_default();
        descend(children, depth + 1, seen);
    }
}

/// No files and no hosts: the texts compared here need none.
struct Nothing;

impl config::Source for Nothing {
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        Err(io::Error::new(io::ErrorKind::NotFound, path.display().to_string()))
    }

    fn glob(&mut self, _: &Path) -> Vec<PathBuf> {
        vec![]
    }

    fn resolve(&mut self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec![])
    }
}
