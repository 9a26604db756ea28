//! The native library as a subject: `annals_logs` on the simulated disk, without a component in between.

mod snapshot;

use crate::change_log::{self, ChangeLogSubject};
use crate::raft::{self, RaftSubject};
use crate::sim::SimDisk;
use crate::subject::{
    EventLogs, FrameInfo, JournalSubject, LogInfo, Options, ReaderSubject, SegmentInfo, Subject,
    TicketSubject,
};
use annals_logs::error::{Damage, Error, Result, Token};
use annals_logs::journal::{Journal, Replay, SyncTicket};
use annals_logs::types::{Batch, Items, Limits};
use annals_logs::{admin, journal, raft_log};
use std::cell::RefCell;
use std::rc::Rc;

/// The native library on a disk.
pub struct Native {
    pub(crate) disk: SimDisk,
}

/// A native subject on this disk.
pub fn native(disk: SimDisk) -> Box<dyn Subject> {
    Box::new(Native { disk })
}

impl Subject for Native {
    fn disk(&self) -> &SimDisk {
        &self.disk
    }
    fn on(&self, disk: SimDisk) -> Box<dyn Subject> {
        native(disk)
    }
    fn open(&self, name: &str, options: &Options) -> Result<Box<dyn JournalSubject>> {
        let journal = Journal::open(self.disk.clone(), name, options)?;
        Ok(Box::new(Open(Rc::new(RefCell::new(Some(journal))))))
    }
    fn destroy(&self, name: &str) -> Result<()> {
        journal::destroy(&self.disk, name)
    }
    fn open_raft(&self, name: &str, options: &raft::Options) -> Result<Box<dyn RaftSubject>> {
        raft::native::open(&self.disk, name, options)
    }
    fn destroy_raft(&self, name: &str) -> Result<()> {
        raft_log::destroy(&self.disk, name)
    }
    fn open_change_log(
        &self,
        name: &str,
        options: &change_log::Options,
    ) -> Result<Box<dyn ChangeLogSubject>> {
        change_log::native::open(&self.disk, name, options)
    }
    fn change_log_instances(&self, name: &str) -> Result<Vec<change_log::InstanceInfo>> {
        annals_logs::change_log::instances(&self.disk, name)
    }
    fn destroy_change_log(&self, name: &str) -> Result<()> {
        annals_logs::change_log::destroy(&self.disk, name)
    }
    fn snapshots(&self) -> &dyn crate::subject::snapshot::Snapshots {
        self
    }
    fn list(&self) -> Result<Vec<LogInfo>> {
        admin::list(&self.disk)
    }
    fn info(&self, name: &str) -> Result<LogInfo> {
        admin::info(&self.disk, name)
    }
    fn segments(&self, name: &str) -> Result<Vec<SegmentInfo>> {
        admin::segments(&self.disk, name)
    }
    fn verify(&self, name: &str) -> Result<Vec<Damage>> {
        let mut verifier = admin::verify(&self.disk, name)?;
        let mut damage = Vec::new();
        let limits = Limits { count: u32::MAX, bytes: 1 << 20 };
        while let Some(progress) = verifier.next(limits)? {
            damage.extend(progress.damage);
        }
        Ok(damage)
    }
    fn frames(&self, file: &str) -> Result<Vec<FrameInfo>> {
        let mut reader = admin::frames(&self.disk, file)?;
        let mut frames = Vec::new();
        while let Some(some) = reader.next(Limits { count: 1000, bytes: 1 << 20 })? {
            frames.extend(some);
        }
        Ok(frames)
    }
    fn events(&self) -> &dyn EventLogs {
        self
    }
}

/// An open journal, which readers and tickets share until the handle is dropped.
type Shared = Rc<RefCell<Option<Journal<SimDisk>>>>;

fn with<T>(shared: &Shared, run: impl FnOnce(&mut Journal<SimDisk>) -> Result<T>) -> Result<T> {
    shared.borrow_mut().as_mut().map_or(Err(Error::Closed), run)
}

struct Open(Shared);

impl Drop for Open {
    fn drop(&mut self) {
        let journal = self.0.borrow_mut().take();
        drop(journal);
    }
}

impl JournalSubject for Open {
    fn append(&self, item: &[u8]) -> Result<u64> {
        with(&self.0, |journal| journal.append(item))
    }
    fn append_batch(&self, items: &[&[u8]]) -> Result<u64> {
        with(&self.0, |journal| journal.append_batch(items))
    }
    fn append_packed(&self, ends: &[u32], bytes: &[u8]) -> Result<u64> {
        with(&self.0, |journal| journal.append_packed(ends, bytes))
    }
    fn read(&self, position: u64) -> Result<Vec<u8>> {
        with(&self.0, |journal| journal.read(position))
    }
    fn read_many(&self, positions: &[u64], max_bytes: u32) -> Result<Items> {
        with(&self.0, |journal| journal.read_many(positions, max_bytes))
    }
    fn read_range(&self, start: u64, limits: Limits) -> Result<Batch> {
        with(&self.0, |journal| journal.read_range(start, limits))
    }
    fn replay(&self, start: u64) -> Result<Box<dyn ReaderSubject>> {
        let replay = with(&self.0, |journal| journal.replay(start))?;
        Ok(Box::new(Reader { shared: self.0.clone(), replay: RefCell::new(replay) }))
    }
    fn size(&self) -> Result<u64> {
        with(&self.0, |journal| journal.size())
    }
    fn oldest(&self) -> Result<Option<u64>> {
        with(&self.0, |journal| journal.oldest())
    }
    fn boundary(&self) -> Result<u64> {
        with(&self.0, |journal| journal.boundary())
    }
    fn prune(&self, min: u64) -> Result<bool> {
        with(&self.0, |journal| journal.prune(min))
    }
    fn rewind(&self, size: u64) -> Result<()> {
        with(&self.0, |journal| journal.rewind(size))
    }
    fn flush(&self) -> Result<()> {
        with(&self.0, |journal| journal.flush())
    }
    fn sync_data(&self) -> Result<Token> {
        with(&self.0, |journal| journal.sync_data())
    }
    fn sync(&self) -> Result<Token> {
        with(&self.0, |journal| journal.sync())
    }
    fn begin_sync(&self) -> Result<Box<dyn TicketSubject>> {
        let ticket = with(&self.0, |journal| journal.begin_sync())?;
        Ok(Box::new(Ticket { shared: self.0.clone(), ticket }))
    }
    fn close(&self) -> Result<Token> {
        with(&self.0, |journal| journal.close())
    }
}

struct Reader {
    shared: Shared,
    replay: RefCell<Replay>,
}

impl ReaderSubject for Reader {
    fn next(&self, limits: Limits) -> Result<Option<Batch>> {
        with(&self.shared, |journal| journal.replay_next(&mut self.replay.borrow_mut(), limits))
    }
}

struct Ticket {
    shared: Shared,
    ticket: SyncTicket,
}

impl TicketSubject for Ticket {
    fn poll(&self) -> Result<Option<Token>> {
        with(&self.shared, |journal| journal.poll_sync(&self.ticket))
    }
    fn wait(&self) -> Result<Token> {
        with(&self.shared, |journal| journal.wait_sync(&self.ticket))
    }
}
