//! What contenders can do, one trait for each kind of log.
//!
//! A call does a whole row's work and takes its time itself: so arguments are converted to what a contender wants before
//! the time starts, and contenders that live in a runtime of their own are asked once.

pub(crate) mod keyed;
pub(crate) mod numbered;
