//! What to start, stop, kill and when. Facts come in as [`Event`]s, orders go out as [`Action`]s.
//!
//! Nothing here sees a pid, a descriptor, a clock or a log: time comes with each event, and
//! [`Supervisor::deadline`] says when the next `Tick` is due. The whole machine can therefore be
//! driven by a test: `simulation.rs` does it with random worlds.

mod action;
mod app;
mod backoff;
mod crew;
mod event;
mod generation;
mod moment;
mod plan;
mod roll;
mod slot;
mod standing;
mod status;
mod succession;
mod supervisor;
mod web;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod stories;

pub use action::{Action, AppState, Basis, Summary};
pub use event::{Cause, End, Event};
pub use moment::Moment;
pub use plan::{AppPlan, Kind, Plan, Reload, WebPlan};
pub use slot::{Name, Seat, Slot, Unit};
pub use status::{AppStatus, Status, UnitStatus};
pub use supervisor::Supervisor;
