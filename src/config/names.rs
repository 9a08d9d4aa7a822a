//! The names of nginx's directives, with the blocks that they may stand in: what is known and not
//! obeyed yet.
//!
//! `names.txt` has a name a line, with `{` behind it when it opens a block, and its contexts.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::Context;

const NAMES: &str = include_str!("names.txt");

/// A directive of nginx.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    contexts: &'static str,
}

impl Known {
    /// Whether nginx allows it in such a block.
    pub fn allowed_in(self, context: Context) -> bool {
        self.contexts.split(',').any(|word| word == context.word() || word == "any")
    }
}

/// The directive of nginx with this name.
pub(crate) fn nginx(name: &str) -> Option<Known> {
    static BY_NAME: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| all().collect());
    BY_NAME.get(name).map(|contexts| Known { contexts })
}

/// All names with their contexts.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, contexts)| (name.strip_suffix('{').unwrap_or(name), contexts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nginx_allows_is_known_by_block() {
        assert!(nginx("gzip").is_some_and(|known| known.allowed_in(Context::Server)));
        assert!(nginx("gzip").is_some_and(|known| !known.allowed_in(Context::Main)));
        assert!(nginx("map").is_some_and(|known| known.allowed_in(Context::Http)));
        assert!(nginx("gzzip").is_none());
    }
}
