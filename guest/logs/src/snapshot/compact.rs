//! Compaction: the fold, written anew as the next generation of the log.
//!
//! Files of the generation before stay as long as a range needs items from them; they go before the log's lock is let go
//! of, or with the next open for writing.

use super::Snapshot;
use super::pieces::Pieces;
use super::range::Sources;
use super::state::State;
use crate::error::{Error, Result};
use crate::record_log::{RecordLog, View};
use crate::storage::Host;
use alloc::vec::Vec;

/// Bytes of dead frames from which on a log is compacted by default, if that is more than its live ones.
pub const COMPACT_AT: u64 = 16 << 20;
/// The least threshold for compaction that may be asked for.
pub const MIN_COMPACT_AT: u64 = 64 << 10;

impl<H: Host> Snapshot<H> {
    /// Writes the fold anew and drops everything else.
    pub fn compact(&mut self) -> Result<()> {
        self.log.check_writable()?;
        let next = self.log.view().next();
        let done = self.log.successor(State::beginning(next)).and_then(|mut successor| {
            let pieces = self.write_fold(&mut successor)?;
            let before = self.log.succeed(successor)?;
            Ok((before, pieces))
        });
        let (before, pieces) = match done {
            Ok(done) => done,
            Err(error) => {
                self.unfinished = true;
                self.release();
                return Err(error);
            }
        };
        self.fold.renumber(next, &pieces.counts, pieces.bytes);
        self.retry_at = 0;
        self.unfinished = true;
        if self.readers.need(before.generation()) {
            self.retired.push(before);
        }
        self.release();
        Ok(())
    }

    fn write_fold(&mut self, to: &mut RecordLog<H, State>) -> Result<Pieces> {
        let mut pieces = Pieces::new(&self.fold.cursor)?;
        let generation = self.log.generation();
        let mut sources = Sources { log: &mut self.log, retired: &mut [], ahead: &mut self.ahead };
        for (key, slot) in &self.fold.entries {
            let key = key.as_slice();
            let add = |version: &[u8], value: &[u8]| pieces.add(to, key, version, value);
            sources.read(generation, key, slot, add)?;
        }
        pieces.finish(to)?;
        Ok(pieces)
    }

    /// Compacts if there are enough dead bytes. A failure is nobody's concern unless it closed the log.
    pub(super) fn compact_if_due(&mut self) {
        let threshold = self.compact_at.unwrap_or_else(|| COMPACT_AT.max(self.fold.live));
        let dead = self.fold.dead();
        if dead > threshold && dead >= self.retry_at && self.compact().is_err() {
            self.retry_at = dead.saturating_mul(2);
        }
    }

    /// Removes files that nobody needs any more.
    pub(super) fn release(&mut self) {
        let before = self.retired.len();
        self.retired.retain(|log| self.readers.need(log.generation()));
        self.unfinished |= self.retired.len() < before;
        if !self.unfinished || self.log.check_writable().is_err() {
            return;
        }
        let newest = self.log.generation();
        let needed: Vec<u64> = self.retired.iter().map(RecordLog::generation).collect();
        let removed = self.log.remove_generations(|other| other != newest && !needed.contains(&other));
        // What could not be removed is tried again, at the latest by the next open.
        self.unfinished = removed.is_err();
    }

    /// The outcome of a read. In a log that was opened for reading only and has been compacted or destroyed by another
    /// process since, files may be gone: that is not damage, and the log has to be opened again.
    pub(super) fn checked<T>(&mut self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Err(Error::Damaged(_) | Error::Storage(_))
                if self.log.check_writable().is_err() && self.log.superseded() =>
            {
                self.log.shut();
                Err(Error::Closed)
            }
            outcome => outcome,
        }
    }
}
