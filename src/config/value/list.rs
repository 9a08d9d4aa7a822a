//! A list of values that many blocks share: a block that says nothing has the outer one's, and
//! thousands of such blocks hold it once.

use std::ops::Deref;
use std::sync::Arc;

use super::{Complaint, Scope, Value};
use crate::syntax::Line;

/// One entry a line; lines of one level add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(Arc<Vec<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Arc::default())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(entries: Vec<T>) -> Self {
        List(Arc::new(entries))
    }
}

impl<T: Clone> List<T> {
    /// Adds an entry.
    pub fn push(&mut self, entry: T) {
        Arc::make_mut(&mut self.0).push(entry);
    }

    /// Takes all entries out.
    pub fn clear(&mut self) {
        *self = List::default();
    }
}

impl<T: Value + Clone> Value for List<T> {
    const SYNTAX: &'static str = T::SYNTAX;
    const ARITY: (usize, usize) = T::ARITY;
    const BLOCK: bool = T::BLOCK;
    const ADDS: bool = true;

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        Ok(vec![T::read(line, scope)?].into())
    }

    fn again(&mut self, line: &Line, scope: &mut Scope<'_>) -> Result<(), Complaint> {
        self.push(T::read(line, scope)?);
        Ok(())
    }

    fn absent() -> Option<Self> {
        Some(List::default())
    }
}
