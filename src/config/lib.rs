//! Text to a typed configuration, or to a list of everything that is wrong with it.
//!
//! [`read`] turns a file and what it includes into a tree of words; [`typed`] turns the tree into
//! values, and is a pure function: the reader, the master and each web worker get the same answer
//! from the same tree. Nothing here opens a file, asks a name server or stops at the first error: a
//! [`Source`] brings the bytes in, [`Diagnostic`]s go out. The directives are declared in
//! `section/`, one field each; the values that they take are in `value/`; what comes out is in
//! `model/`.

pub mod deployment;
mod diagnostic;
#[macro_use]
mod directive;
pub mod manual;
mod model;
mod names;
pub mod section;
mod syntax;
#[cfg(test)]
mod testing;
mod typing;
pub mod value;

pub use deployment::{AppDeployment, Deployment, Listening};
pub use diagnostic::{Diagnostic, Named, Severity, Spot};
pub use directive::{Context, Directive, Section, table};
pub use model::{
    App, Bound, Captures, Chosen, Config, Found, Hosts, Http, Listener, Location, Locations,
    Matcher, Program, Server, Settings, Step, TooHard, Upstream, UpstreamKind,
};
pub use syntax::{Line, Origin, Place, Reading, Source, Tree, Word, read};
pub use typing::{Typed, typed};
pub use value::{Address, Level, Reload};
pub use wire::message::Preload;
