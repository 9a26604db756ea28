//! Change logs under test: the trait between cases and an implementation, and what goes with it.

pub mod model;
pub mod native;

use crate::subject::SEGMENT;
use annals_logs::error::{Result, Token};
use annals_logs::types::{Limits, Mode};

pub use annals_logs::change_log::{Change, InstanceInfo, InstanceState, Options, Outstanding, Recovered};

/// An instance of a change log; `wit/change-log.wit` says what each call does.
#[allow(missing_docs)]
pub trait ChangeLogSubject {
    fn instance(&self) -> String;
    fn record(&self, id: &[u8], change: &Change) -> Result<()>;
    fn remove(&self, origin: Option<&str>, id: &[u8]) -> Result<bool>;
    fn get(&self, origin: Option<&str>, id: &[u8]) -> Result<Option<Change>>;
    fn scan(&self, include_deferred: bool) -> Result<Box<dyn ChangeReaderSubject>>;
    fn heartbeat(&self) -> Result<()>;
    fn recover(&self, stale_after_ms: u64) -> Result<Vec<Recovered>>;
    fn discard(&self, instance: &str) -> Result<bool>;
    fn close(&self) -> Result<Token>;
}

/// A scan under way.
#[allow(missing_docs)]
pub trait ChangeReaderSubject {
    fn next(&self, limits: Limits) -> Result<Option<Vec<Outstanding>>>;
}

/// Options of an instance with a random name and small files.
pub fn options(mode: Mode) -> Options {
    Options { mode, segment_bytes: Some(SEGMENT), ..Options::default() }
}

/// The same with this name.
pub fn named(mode: Mode, instance: &str) -> Options {
    Options { instance: Some(instance.into()), ..options(mode) }
}
