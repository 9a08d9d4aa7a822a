//! A directive's entry as plain text, for a terminal.

use super::markup::{Piece, Word, paragraphs, words};
use super::{contexts, default, remarks};
use crate::Directive;

/// The width of a terminal, less a little.
const WIDTH: usize = 78;

/// The entry of a directive under its section's heading.
pub(super) fn entry(title: &str, directive: &Directive) -> String {
    let mut out = format!("{title}\n");
    let syntax = format!("{} {}", directive.name, directive.syntax);
    let ending = if directive.block { "" } else { ";" };
    let syntax = format!("{}{ending}", syntax.trim_end());
    fill(syntax.split_whitespace().map(str::to_string), 4, 8, &mut out);
    if let Some(default) = default(directive) {
        out.push_str(&format!("        default: {default}\n"));
    }
    out.push_str(&format!("        context: {}\n", contexts(directive)));
    for remark in remarks(directive) {
        fill(words(&remark).iter().map(shown), 8, 8, &mut out);
    }
    for words in paragraphs(directive.doc) {
        out.push('\n');
        fill(words.iter().map(shown), 4, 4, &mut out);
    }
    out
}

/// Lines of words, the first one indented by `first`.
fn fill(words: impl Iterator<Item = String>, first: usize, further: usize, out: &mut String) {
    let mut column = 0;
    for word in words {
        let width = word.chars().count();
        if column == 0 {
            out.push_str(&" ".repeat(first));
            column = first;
        } else if column + 1 + width > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(further));
            column = further;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(&word);
        column += width;
    }
    out.push('\n');
}

/// A word without its marks; code is quoted as messages quote it.
fn shown(word: &Word) -> String {
    word.iter()
        .map(|piece| match piece {
            Piece::Plain(text) | Piece::Argument(text) | Piece::Reference(text) => text.clone(),
            Piece::Code(text) => format!("\"{text}\""),
        })
        .collect()
}
