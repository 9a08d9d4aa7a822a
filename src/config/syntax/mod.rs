//! Bytes to words: nginx's lexer and grammar, includes, and the tree that comes out.

mod lex;
mod read;
mod tree;

pub use read::{Origin, Reading, Source, read};
pub use tree::{Line, Place, Tree, Word};

pub(crate) use tree::default_line;
