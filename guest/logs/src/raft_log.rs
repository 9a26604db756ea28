//! The Raft log: entries with terms at indexes that the caller gives, the hard state, the purge boundary. A thin view over
//! the record log; `wit/raft-log.wit` says what each operation promises.
//!
//! Format: positions are indexes; an item is the term as 8 bytes, little endian, and the payload. Entries above the last
//! index are an `append` frame, others a `put` frame, which may go on above it. Dropping entries is a `truncate` frame,
//! with items if others take their place; one at index 1 without items is a reset, which drops the purge boundary too.
//! Purges and hard states are `meta` frames with a postcard `state::Change`. The view's checkpoint is a postcard
//! `state::State`; there are no fixed options.

mod batch;
mod read;
mod state;
mod types;

pub use state::{MAX_EXTRA, MAX_INDEX};
pub use types::{Entries, Entry, HardState, LogId, Options};

use crate::error::{Bounds, Error, Limit, Result, Token};
use crate::format::frame::Kind;
use crate::format::root;
use crate::limits::{SEGMENT_BYTES, check_fixed, check_segment_bytes};
use crate::record_log::{self, Create, NewFrame, RecordLog, Request, Ticket, View};
use crate::storage::Host;
use alloc::vec::Vec;
use batch::Batch;
pub(crate) use state::State;
use state::{Change, FIRST};

/// A sync under way.
pub struct SyncTicket(Ticket);

/// An open Raft log.
pub struct RaftLog<H: Host> {
    log: RecordLog<H, State>,
    sync_on_persist: bool,
    allow_gaps: bool,
    /// Whether the storage's syncs are durable.
    durable: bool,
}

impl<H: Host> RaftLog<H> {
    /// Creates, opens or recovers a Raft log.
    pub fn open(host: H, name: &str, options: &Options) -> Result<Self> {
        let segment_bytes = options.segment_bytes.unwrap_or(SEGMENT_BYTES);
        check_segment_bytes("segment-bytes", options.segment_bytes)?;
        let request = Request {
            mode: options.mode,
            expect: options.expect,
            lock_wait_ms: options.lock_wait_ms,
            create: Create { segment_bytes, options: Vec::new(), view: State::new() },
            accept: &|header, _| check_fixed("segment-bytes", options.segment_bytes, header.segment_bytes),
        };
        let durable = host.is_durable();
        let log = RecordLog::open(host, name, &request)?;
        Ok(RaftLog { log, sync_on_persist: options.sync_on_persist, allow_gaps: options.allow_gaps, durable })
    }

    /// The indexes above the purge boundary up to the last one.
    fn bounds(&self) -> Bounds {
        Bounds { start: self.log.view().boundary(), end: self.log.view().next() }
    }

    fn check_not_purged(&self, index: u64) -> Result<()> {
        let bounds = self.bounds();
        if index < bounds.start { Err(Error::Pruned(bounds)) } else { Ok(()) }
    }

    /// Writes entries, in place of those that are there.
    pub fn persist(&mut self, entries: &[Entry]) -> Result<()> {
        self.log.check_writable()?;
        self.put(&Batch::of(entries)?)
    }

    /// The same, packed.
    pub fn persist_packed(&mut self, entries: &Entries) -> Result<()> {
        self.log.check_writable()?;
        self.put(&Batch::of_packed(entries)?)
    }

    fn put(&mut self, batch: &Batch<'_>) -> Result<()> {
        let Some(first) = batch.first() else { return Ok(()) };
        self.check_not_purged(first)?;
        let next = self.log.view().next();
        self.check_gaps(batch, next)?;
        let kind = if first >= next { Kind::Append } else { Kind::Put };
        batch.write(&mut self.log, kind)?;
        self.written()
    }

    /// An error if entries behind these indexes leave some out and must not.
    fn check_gaps(&self, batch: &Batch<'_>, next: u64) -> Result<()> {
        match batch.gap(next) {
            Some(gap) if !self.allow_gaps => Err(Error::Gap(gap)),
            _ => Ok(()),
        }
    }

    fn written(&mut self) -> Result<()> {
        if self.sync_on_persist {
            self.log.sync_frames()?;
        }
        Ok(())
    }

    /// Drops every entry from `first` on.
    pub fn truncate(&mut self, first: u64) -> Result<()> {
        self.log.check_writable()?;
        let first = first.max(FIRST);
        self.check_not_purged(first)?;
        let bounds = self.bounds();
        if first >= bounds.end {
            return Ok(());
        }
        // Where indexes were left out before it, the last index is not the one before.
        let next = match self.log.view().gaps {
            false => first,
            true => self.log.last_below(bounds.start, first)?.map_or(bounds.start, |last| last + 1),
        };
        self.cut(next)?;
        self.dropped()
    }

    fn cut(&mut self, first: u64) -> Result<()> {
        let (kind, ids) = (Kind::Truncate, None);
        self.log.write_frame(&NewFrame { kind, first, count: 0, ids, parts: &[], kept: false })
    }

    /// Entries were dropped from the back.
    fn dropped(&mut self) -> Result<()> {
        // What cannot be read now is looked at again before the next segment begins.
        let _ = self.log.bury();
        self.written()
    }

    /// Drops every entry from `first` on and writes these instead.
    pub fn replace_range(&mut self, first: u64, entries: &[Entry]) -> Result<()> {
        self.log.check_writable()?;
        self.replace(first, &Batch::of(entries)?)
    }

    /// The same, packed.
    pub fn replace_range_packed(&mut self, first: u64, entries: &Entries) -> Result<()> {
        self.log.check_writable()?;
        self.replace(first, &Batch::of_packed(entries)?)
    }

    fn replace(&mut self, first: u64, batch: &Batch<'_>) -> Result<()> {
        match batch.first() {
            None => return self.truncate(first),
            Some(index) if index != first => {
                return Err(Error::InvalidArgument("entries: the first one must be at `first`".into()));
            }
            Some(_) => {}
        }
        self.check_not_purged(first)?;
        let next = self.log.view().next();
        self.check_gaps(batch, next.min(first))?;
        if first >= next {
            return self.put(batch);
        }
        batch.write(&mut self.log, Kind::Truncate)?;
        self.dropped()
    }

    /// Drops every entry up to this one.
    pub fn purge(&mut self, up_to: LogId) -> Result<()> {
        self.log.check_writable()?;
        if up_to.index < self.log.view().boundary() {
            return Ok(());
        }
        if up_to.index > MAX_INDEX {
            return Err(Error::InvalidArgument("up-to: no indexes left behind it".into()));
        }
        let keep = self.log.first_holding(up_to.index + 1)?;
        self.log.write_meta(Change::Purge(up_to).encode(), Some(keep))
    }

    /// Drops all entries and the purge boundary.
    pub fn reset(&mut self) -> Result<()> {
        self.log.check_writable()?;
        if self.log.view().next() > FIRST {
            self.cut(FIRST)?;
            let _ = self.log.bury();
            // The files go at once, if there is room to say so; otherwise with the next checkpoint.
            match self.log.write_meta(Vec::new(), None) {
                Ok(()) | Err(Error::OutOfSpace) => {}
                Err(error) => return Err(error),
            }
        }
        self.log.sync_frames().map(drop)
    }

    /// Replaces the hard state.
    pub fn save_hard_state(&mut self, hard: &HardState) -> Result<()> {
        self.log.check_writable()?;
        let got = hard.extra.len() as u64;
        if got > MAX_EXTRA {
            return Err(Error::TooLarge { what: Limit::BytesStored, allowed: MAX_EXTRA, got });
        }
        self.log.write_change(Change::HardState(hard.clone()).encode())
    }

    /// Whether entries are durable when `persist` returns.
    pub fn is_write_durable(&self) -> bool {
        self.sync_on_persist && self.durable && self.log.check_writable().is_ok()
    }

    /// Whether the log is still open for writing.
    pub fn flush(&mut self) -> Result<()> {
        self.log.check_writable()
    }

    /// Makes everything before it durable.
    pub fn sync(&mut self) -> Result<Token> {
        self.log.check_writable()?;
        self.log.sync_frames()
    }

    /// Starts to.
    pub fn begin_sync(&mut self) -> Result<SyncTicket> {
        self.log.check_writable()?;
        self.log.begin_sync_frames().map(SyncTicket)
    }

    /// The token, once that sync has succeeded.
    pub fn poll_sync(&mut self, ticket: &SyncTicket) -> Result<Option<Token>> {
        self.log.poll_sync(&ticket.0)
    }

    /// Waits for it.
    pub fn wait_sync(&mut self, ticket: &SyncTicket) -> Result<Token> {
        self.log.wait_sync(&ticket.0)
    }

    /// Syncs, seals, and lets go of the lock.
    pub fn close(&mut self) -> Result<Token> {
        self.log.close()
    }
}

/// Removes a Raft log and its files.
pub fn destroy<H: Host>(host: &H, name: &str) -> Result<()> {
    record_log::destroy(host, name, root::Kind::RaftLog)
}

/// A request to look at a Raft log without changing it.
pub(crate) fn look() -> Request<'static, State> {
    Request::reading(State::new())
}
