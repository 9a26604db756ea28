//! One sealed file on its own: what it held when it was sealed.

use super::{EventLog, Iterate, Policy, State};
use crate::error::Result;
use crate::record_log::RecordLog;
use crate::storage::Host;
use crate::types::{Items, Limits};

/// A sealed file that is read on its own.
pub struct Archive<H: Host> {
    log: EventLog<H>,
    iterate: Iterate,
}

impl<H: Host> Archive<H> {
    /// Opens a sealed file and checks every byte of it.
    pub fn open(host: H, file: &str) -> Result<Self> {
        let log = RecordLog::<H, State>::open_file(host, file)?;
        let mut log = EventLog { log, policy: Policy::Flushed, max_event: 0, max_batch: 0 };
        let iterate = log.iterate(0, None)?;
        Ok(Archive { log, iterate })
    }

    /// The next events, or none at the end.
    pub fn next(&mut self, limits: Limits) -> Result<Option<Items>> {
        self.log.iterate_next(&mut self.iterate, limits)
    }
}
