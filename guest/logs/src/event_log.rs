//! The event log: events under ids that the caller allocated, with gaps; late ones find their place, retries are told
//! from new ones. A thin view over the record log; `wit/event-log.wit` says what each operation promises.
//!
//! Format: positions are the ids. Events behind all others are an `append` frame, listed where ids leave gaps; those among
//! others are a `put` frame, which never supersedes anything here. Deleting a range is a `meta` frame with a postcard
//! `state::Change`. The view's checkpoint is a postcard `state::Saved`; there are no fixed options but the segment size.

mod append;
mod archive;
mod delete;
mod deleted;
mod iterate;
mod options;
mod state;

pub use archive::Archive;
pub use iterate::Iterate;
pub use options::{Options, Policy, WRITE_BUFFER};

use crate::error::{Bounds, Error, Result, Token};
use crate::format::root;
use crate::format::{MAX_BATCH, MAX_ITEM};
use crate::limits::{SEGMENT_BYTES, check_fixed};
use crate::record_log::{self, Create, Lane, RecordLog, Request, Ticket};
use crate::storage::Host;
use alloc::{string::String, vec::Vec};
pub(crate) use state::State;

/// How an append ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All events, or those that were not there yet, were appended.
    Appended,
    /// They were there already.
    Duplicate,
}

/// What there is; `wit/event-log.wit` says what each field means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stats {
    pub events: u64,
    pub oldest: Option<u64>,
    pub newest: Option<u64>,
    pub bytes: u64,
    pub files: u32,
}

/// A sync under way.
pub struct SyncTicket(Ticket);

/// An open event log.
pub struct EventLog<H: Host> {
    log: RecordLog<H, State>,
    policy: Policy,
    max_event: u64,
    max_batch: u64,
}

impl<H: Host> EventLog<H> {
    /// Creates, opens or recovers an event log.
    pub fn open(host: H, name: &str, options: &Options) -> Result<Self> {
        options.check()?;
        let request = Request {
            mode: options.mode,
            expect: options.expect,
            lock_wait_ms: options.lock_wait_ms,
            create: Create {
                segment_bytes: options.rotate_at.unwrap_or(SEGMENT_BYTES),
                options: Vec::new(),
                view: State::default(),
            },
            accept: &|header, _| check_fixed("rotate-at", options.rotate_at, header.segment_bytes),
        };
        let mut log = RecordLog::open(host, name, &request)?;
        if options.shared {
            log.share(options.lock_wait_ms);
        }
        Ok(EventLog {
            log,
            policy: options.policy,
            max_event: options.max_event.map_or(MAX_ITEM, u64::from),
            max_batch: options.max_batch.map_or(MAX_BATCH, u64::from),
        })
    }

    /// Runs what writes: in shared mode under the lock, and after what others wrote.
    fn writing<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.log.enter()?;
        let outcome = run(self);
        self.log.leave();
        outcome
    }

    /// In a damaged log that may have held more events than are known: the damage.
    fn cut_short(&self) -> Option<Error> {
        self.log.cut_short().map(|damage| Error::Damaged(damage.clone()))
    }

    /// What looks like damage to a reader without a lock may have been deleted meanwhile: the range.
    fn overtaken(&mut self, id: u64) -> Option<Bounds> {
        if self.log.is_shared() {
            self.log.follow().ok()?;
            return self.log.view().deleted.holding(id);
        }
        match self.log.check_writable() {
            Err(Error::ReadOnly) => self.log.view_now().ok()?.deleted.holding(id),
            _ => None,
        }
    }

    /// The id behind the highest one ever appended.
    pub fn next_event_id(&mut self) -> Result<u64> {
        self.log.follow()?;
        Ok(self.log.next())
    }

    /// Lowest id that can be read.
    pub fn oldest_event_id(&mut self) -> Result<Option<u64>> {
        self.log.follow()?;
        Ok(self.oldest())
    }

    fn oldest(&self) -> Option<u64> {
        self.log.view().oldest.or_else(|| self.log.first_held(0, u64::MAX))
    }

    /// Highest id that can be read.
    pub fn newest_event_id(&mut self) -> Result<Option<u64>> {
        self.log.follow()?;
        Ok(self.newest())
    }

    fn newest(&self) -> Option<u64> {
        self.log.last_held(0, u64::MAX).or(self.log.view().newest)
    }

    /// The event with this id.
    pub fn get(&mut self, id: u64) -> Result<Option<Vec<u8>>> {
        self.log.follow()?;
        if id >= self.log.next() {
            return self.cut_short().map_or(Ok(None), Err);
        }
        if self.log.view().deleted.holding(id).is_some() {
            return Ok(None);
        }
        let (mut ids, mut ends, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        match self.log.read_sparse(id, id + 1, 1, u64::MAX, Lane::Point, &mut ids, &mut ends, &mut bytes) {
            Ok(_) => Ok((!ids.is_empty()).then_some(bytes)),
            Err(Error::Damaged(damage)) => match self.overtaken(id) {
                Some(_) => Ok(None),
                None => Err(Error::Damaged(damage)),
            },
            Err(error) => Err(error),
        }
    }

    /// Seals the file that is written to; returns its name.
    pub fn rotate(&mut self) -> Result<String> {
        self.log.check_writable()?;
        self.writing(|log| {
            log.log.flush()?;
            let deleted = log.log.view().deleted.clone();
            if !log.log.newest_holds_any(&|bounds| deleted.kept(bounds.start, bounds.end))? {
                return Err(Error::InvalidArgument("rotate: there are no events in the file".into()));
            }
            log.log.rotate()
        })
    }

    /// Hands waiting events to the host.
    pub fn flush(&mut self) -> Result<()> {
        self.log.check_writable()?;
        self.log.flush()
    }

    /// Makes every append before it durable.
    pub fn sync(&mut self) -> Result<Token> {
        self.log.check_writable()?;
        self.writing(|log| {
            log.log.flush()?;
            log.log.sync_frames()
        })
    }

    /// Hands over what waits and starts to make it durable. In shared mode, does it.
    pub fn begin_sync(&mut self) -> Result<SyncTicket> {
        self.log.check_writable()?;
        self.writing(|log| {
            log.log.flush()?;
            if log.log.is_shared() {
                log.log.sync_frames()?;
            }
            log.log.begin_sync_frames().map(SyncTicket)
        })
    }

    /// The token, once that sync has succeeded.
    pub fn poll_sync(&mut self, ticket: &SyncTicket) -> Result<Option<Token>> {
        self.log.poll_sync(&ticket.0)
    }

    /// Waits for it.
    pub fn wait_sync(&mut self, ticket: &SyncTicket) -> Result<Token> {
        self.log.wait_sync(&ticket.0)
    }

    /// What there is.
    pub fn stats(&mut self) -> Result<Stats> {
        self.log.follow()?;
        let (bytes, files) = self.log.space()?;
        Ok(Stats {
            events: self.log.view().events + self.log.held_ids(0, u64::MAX),
            oldest: self.oldest(),
            newest: self.newest(),
            bytes,
            files,
        })
    }

    /// Syncs, seals, and lets go of the lock.
    pub fn close(&mut self) -> Result<Token> {
        self.log.check_open()?;
        if let Err(Error::ReadOnly) = self.log.check_writable() {
            return self.log.close();
        }
        if let Err(error) = self.log.enter() {
            self.log.shut();
            return Err(error);
        }
        let waiting = self.log.flush();
        let closed = self.log.close();
        waiting.and(closed)
    }
}

/// Removes an event log and its files.
pub fn destroy<H: Host>(host: &H, name: &str) -> Result<()> {
    record_log::destroy(host, name, root::Kind::EventLog)
}

/// A request to look at an event log without changing it.
pub(crate) fn look() -> Request<'static, State> {
    Request::reading(State::default())
}
