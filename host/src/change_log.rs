//! The change log: what is about to be changed in several stores, so that a crash in the middle can be cleaned up.
//!
//! A [`ChangeLog`] is a handle on one *instance* of a log, which any number of processes use at the same time. Clones share
//! it; one call runs at a time. While it is open, a thread shows that its holder is alive
//! ([`background_heartbeat`](Options::background_heartbeat)). Once it is closed, by [`close`](ChangeLog::close) or a
//! failure, [`reopen`](ChangeLog::reopen) gives a new one, which gets back what this one recorded.
//!
//! | to | use |
//! |---|---|
//! | say what is about to be done, and that it is done | [`ChangeLog::record`], [`ChangeLog::remove`] |
//! | take over what dead instances left | [`ChangeLog::recover`] |
//! | see what is to be cleaned up | [`ChangeLog::scan`] |
//! | look at all instances | [`Runtime::instances`](crate::Runtime::instances), or `scan` of a log opened [read-only](Options::read_only) |
//!
//! `host/examples/two_stores.rs` is a whole program.
//!
//! Inside: `heart` is the thread; it holds the log only while it beats.

mod change;
mod handle;
mod heart;
mod options;
mod scan;

pub use change::{Change, InstanceInfo, InstanceState, Outstanding, Recovered};
pub use handle::ChangeLog;
pub use options::Options;
pub use scan::Scan;
