//! What a directive is: the row of the table, the macro that makes struct, table and reader from
//! one declaration.
//!
//! A directive is a field of a section: its name, its doc comment (the manual's text), its type
//! (syntax, arity, reader), its default as an operator would write it, its contexts. `directives!`
//! is the only macro of the project.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::syntax::{Line, default_line};
use crate::value::{Complaint, Scope, Value};

/// Where a directive may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// Outside of every block.
    Main,
    /// `events { }`
    Events,
    /// `http { }`
    Http,
    /// `server { }`
    Server,
    /// `location { }`
    Location,
    /// `upstream { }`
    Upstream,
    /// `types { }`: lines of free words.
    Types,
    /// `app NAME { }`
    App,
}

impl Context {
    /// The word for it in manuals and messages.
    pub fn word(self) -> &'static str {
        match self {
            Context::Main => "main",
            Context::Events => "events",
            Context::Http => "http",
            Context::Server => "server",
            Context::Location => "location",
            Context::Upstream => "upstream",
            Context::Types => "types",
            Context::App => "app",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Directive {
    /// Its name.
    pub name: &'static str,
    /// The section that holds it: the name of a struct in [`crate::section`], or `Blocks`.
    pub section: &'static str,
    /// The manual's text, a line each.
    pub doc: &'static [&'static str],
    /// What may follow the name.
    pub syntax: &'static str,
    /// How many words may follow the name.
    pub arity: (usize, usize),
    /// Whether it opens a block.
    pub block: bool,
    /// The default as an operator would write it; none when absence has a meaning of its own.
    pub default: Option<&'static str>,
    /// Where it may stand.
    pub contexts: &'static [Context],
    /// The slot that it fills: its own name, or that of the directive that it shares one with.
    pub slot: &'static str,
    /// Whether nested blocks have it too when they say nothing.
    pub inherits: bool,
    /// Whether several lines of one level add up.
    pub adds: bool,
}

/// A section: a struct of directives, made by `directives!`.
pub trait Section: Sized {
    /// Its heading in the manual.
    const TITLE: &'static str;
    /// Its directives.
    const TABLE: &'static [Directive];
    /// All values as they are when nothing was written.
    fn defaults(scope: &mut Scope<'_>) -> Self;
    /// Reads one line. `again` when the slot was filled on this level already.
    fn set(
        &mut self,
        name: &str,
        line: &Line,
        again: bool,
        scope: &mut Scope<'_>,
    ) -> Result<(), Complaint>;
    /// Forgets what a nested block does not inherit.
    fn enter(&mut self, scope: &mut Scope<'_>);
}

/// What holds between the directives of one section, looked at when a block is finished.
pub trait Check {
    /// Everything that is wrong.
    fn check(&self) -> Vec<Complaint> {
        vec![]
    }
}

/// A section of any type: what a level needs of it.
pub(crate) trait AnySection {
    fn table(&self) -> &'static [Directive];
    fn set(
        &mut self,
        name: &str,
        line: &Line,
        again: bool,
        scope: &mut Scope<'_>,
    ) -> Result<(), Complaint>;
    fn enter(&mut self, scope: &mut Scope<'_>);
    fn check(&self) -> Vec<Complaint>;
}

impl<T: Section + Check + Clone> AnySection for Arc<T> {
    fn table(&self) -> &'static [Directive] {
        T::TABLE
    }

    fn set(
        &mut self,
        name: &str,
        line: &Line,
        again: bool,
        scope: &mut Scope<'_>,
    ) -> Result<(), Complaint> {
        Section::set(Arc::make_mut(self), name, line, again, scope)
    }

    fn enter(&mut self, scope: &mut Scope<'_>) {
        if T::TABLE.iter().any(|directive| !directive.inherits) {
            Section::enter(Arc::make_mut(self), scope);
        }
    }

    fn check(&self) -> Vec<Complaint> {
        Check::check(self.as_ref())
    }
}

impl<T: Section + Check> AnySection for T {
    fn table(&self) -> &'static [Directive] {
        T::TABLE
    }

    fn set(
        &mut self,
        name: &str,
        line: &Line,
        again: bool,
        scope: &mut Scope<'_>,
    ) -> Result<(), Complaint> {
        Section::set(self, name, line, again, scope)
    }

    fn enter(&mut self, scope: &mut Scope<'_>) {
        Section::enter(self, scope);
    }

    fn check(&self) -> Vec<Complaint> {
        Check::check(self)
    }
}

/// The value of a directive that nobody wrote.
pub(crate) fn default<T: Value>(
    name: &'static str,
    text: Option<&'static str>,
    scope: &mut Scope<'_>,
) -> T {
    let read = match text {
        Some(text) => T::read(&default_line(name, text), scope),
        None => T::absent().ok_or_else(|| Complaint::invalid(&default_line(name, ""))),
    };
    match read {
        Ok(value) => value,
        // The table is part of the program; a test reads every default.
        Err(complaint) => unreachable!("the default of {name}: {}", complaint.message),
    }
}

/// A field's name without Rust's mark for words that it reserves.
pub(crate) const fn plain(name: &'static str) -> &'static str {
    let bytes = name.as_bytes();
    if bytes.len() > 2 && bytes[0] == b'r' && bytes[1] == b'#' { name.split_at(2).1 } else { name }
}

/// All rows of all sections, in the manual's order.
pub fn table() -> impl Iterator<Item = &'static Directive> {
    crate::section::ALL.iter().flat_map(|(_, rows)| rows.iter())
}

/// The rows with this name: several blocks may have a directive of one name each.
pub(crate) fn rows(name: &[u8]) -> &'static [&'static Directive] {
    type Rows = HashMap<&'static [u8], Vec<&'static Directive>>;
    static BY_NAME: LazyLock<Rows> = LazyLock::new(|| {
        let mut rows = Rows::new();
        for row in table() {
            rows.entry(row.name.as_bytes()).or_default().push(row);
        }
        rows
    });
    BY_NAME.get(name).map_or(&[], Vec::as_slice)
}

/// Makes a section: the struct, its table, its reader.
///
/// A field is `name: Type = "default as written";`, or `= none` when absence has a meaning; behind
/// it, where they apply, `in [Contexts]` when they differ from the section's, and `, inherits
/// never`. A row of `shares` is a further name that fills a field.
macro_rules! directives {
    (
        $(#[doc = $title:expr])+
        pub struct $section:ident in $contexts:tt {
            $(
                $(#[doc = $doc:expr])+
                $field:ident: $type:ty = $default:tt $(in $own:tt)? $(, inherits $inherits:ident)?;
            )*
        }
        $(shares {
            $(
                $(#[doc = $shared_doc:expr])+
                $shared:ident = $slot:ident: $shared_type:ty, in $shared_contexts:tt;
            )*
        })?
    ) => {
        $(#[doc = $title])+
        #[derive(Debug, Clone)]
        pub struct $section {
            $( $(#[doc = $doc])+ pub $field: $type, )*
        }

        impl $crate::directive::Section for $section {
            const TITLE: &'static str = [$($title),+][0];

            const TABLE: &'static [$crate::directive::Directive] = &[
                $($crate::directive::Directive {
                    name: $crate::directive::plain(stringify!($field)),
                    section: stringify!($section),
                    doc: &[$($doc),+],
                    syntax: <$type as $crate::value::Value>::SYNTAX,
                    arity: <$type as $crate::value::Value>::ARITY,
                    block: <$type as $crate::value::Value>::BLOCK,
                    default: directives!(@default $default),
                    contexts: directives!(@contexts $contexts $($own)?),
                    slot: $crate::directive::plain(stringify!($field)),
                    inherits: directives!(@inherits $($inherits)?),
                    adds: <$type as $crate::value::Value>::ADDS,
                },)*
                $($($crate::directive::Directive {
                    name: stringify!($shared),
                    section: stringify!($section),
                    doc: &[$($shared_doc),+],
                    syntax: <$shared_type as $crate::value::Value>::SYNTAX,
                    arity: <$shared_type as $crate::value::Value>::ARITY,
                    block: <$shared_type as $crate::value::Value>::BLOCK,
                    default: None,
                    contexts: directives!(@contexts $shared_contexts),
                    slot: stringify!($slot),
                    inherits: true,
                    adds: <$shared_type as $crate::value::Value>::ADDS,
                },)*)?
            ];

            fn defaults(scope: &mut $crate::value::Scope<'_>) -> Self {
                Self {
                    $($field: $crate::directive::default(
                        $crate::directive::plain(stringify!($field)),
                        directives!(@default $default),
                        scope,
                    ),)*
                }
            }

            fn set(
                &mut self,
                name: &str,
                line: &$crate::syntax::Line,
                again: bool,
                scope: &mut $crate::value::Scope<'_>,
            ) -> Result<(), $crate::value::Complaint> {
                $(
                    if name == $crate::directive::plain(stringify!($field)) {
                        return $crate::value::fill(&mut self.$field, line, again, scope);
                    }
                )*
                $($(
                    if name == stringify!($shared) {
                        return $crate::value::fill(&mut self.$slot, line, again, scope);
                    }
                )*)?
                Err($crate::value::Complaint::unknown(line))
            }

            fn enter(&mut self, _scope: &mut $crate::value::Scope<'_>) {
                $(
                    if !directives!(@inherits $($inherits)?) {
                        self.$field = $crate::directive::default(
                            $crate::directive::plain(stringify!($field)),
                            directives!(@default $default),
                            _scope,
                        );
                    }
                )*
            }
        }
    };
    (@default none) => { None };
    (@default $default:literal) => { Some($default) };
    (@contexts [$($context:ident),+]) => { &[$($crate::directive::Context::$context),+] };
    (@contexts $contexts:tt [$($own:ident),+]) => {
        &[$($crate::directive::Context::$own),+]
    };
    (@inherits) => { true };
    (@inherits never) => { false };
}
