//! The manual, printed from the tables: the page liege.conf(5), and the entry of one directive.
//!
//! What a directive is, its section says; what a variable is, `value/variable.rs`; what is neither
//! stands in `page.mdoc`. `markup.rs` reads the text of both, `mdoc.rs` and `plain.rs` write it. A
//! test compares `man/liege.conf.5` with [`liege_conf_5`]; `UPDATE=1` rewrites it.

mod markup;
mod mdoc;
mod plain;
#[cfg(test)]
mod tests;

use crate::Directive;

/// The whole of liege.conf(5), in mdoc.
pub fn liege_conf_5() -> String {
    mdoc::page(TEMPLATE, EXAMPLE)
}

/// What `liege help NAME` prints: the entry of a directive, one for each section that has it, under
/// its heading.
///
/// uWSGI's spelling with `-` is understood.
pub fn directive(name: &str) -> Option<String> {
    let name = name.replace('-', "_");
    let entries: Vec<String> = crate::section::ALL
        .iter()
        .flat_map(|(title, rows)| rows.iter().map(move |row| (*title, row)))
        .filter(|(_, row)| row.name == name)
        .map(|(title, row)| plain::entry(title.trim(), row))
        .collect();
    (!entries.is_empty()).then(|| entries.join("\n"))
}

/// The name of the directive that is nearest to a misspelt one.
pub fn nearest(name: &str) -> Option<&'static str> {
    crate::diagnostic::nearest(name, crate::table().map(|row| row.name))
}

/// The default as a whole line.
fn default(directive: &Directive) -> Option<String> {
    directive.default.map(|words| format!("{} {words};", directive.name))
}

/// What the table knows besides: said once here, so that no text has to.
fn remarks(directive: &Directive) -> Vec<String> {
    let mut remarks = vec![];
    if !directive.inherits && directive.section != "Blocks" {
        remarks.push("Not inherited".to_string());
    }
    if directive.slot != directive.name {
        remarks.push(format!("Excludes {{{}}} in the same block", directive.slot));
    }
    remarks
}

/// The words for where a directive may stand.
fn contexts(directive: &Directive) -> String {
    let words: Vec<&str> = directive.contexts.iter().map(|context| context.word()).collect();
    words.join(", ")
}

/// The page, with a hole for everything that comes from a table.
const TEMPLATE: &str = include_str!("page.mdoc");

/// A whole configuration, which stands at the page's end; a test reads it.
pub const EXAMPLE: &str = include_str!("example.conf");
