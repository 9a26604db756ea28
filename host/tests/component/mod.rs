//! The component as a subject of the suite: the host's runtime over the simulated disk.

#![allow(unreachable_pub)] // a module of a test is reachable from nowhere

mod change_log;
mod convert;
mod disk;
mod event_log;
mod raft_log;
mod snapshot;

use annals::journal::SyncTicket;
use annals::{Config, Journal, Runtime};
use annals_logs::error::{Damage, Error, Result, Token};
use annals_logs::types::{Batch, Items, Limits};
use annals_tests::change_log as changes;
use annals_tests::raft::{self, RaftSubject};
use annals_tests::sim::SimDisk;
use annals_tests::subject::snapshot::Snapshots;
use annals_tests::subject::{
    EventLogs, FrameInfo, JournalSubject, LogInfo, Options, ReaderSubject, SegmentInfo, Subject,
    TicketSubject,
};
use convert::{error, token};
use disk::{Environment, Simulated};
use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

/// The component on a disk.
pub struct Component {
    disk: SimDisk,
    runtime: Runtime,
}

/// A subject on this disk. The component is compiled once for all of them.
pub fn component(disk: SimDisk) -> Box<dyn Subject> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let compiled =
        RUNTIME.get_or_init(|| Runtime::with_config(Config::new()).expect("the component compiles"));
    let environment = Arc::new(Environment(disk.clone()));
    let runtime = compiled.with_clock(environment.clone()).with_random(environment);
    Box::new(Component { disk, runtime })
}

/// The same with these limits, compiled once for all of them.
#[allow(dead_code)] // not every test sets limits
pub fn limited(disk: SimDisk, config: Config) -> Box<dyn Subject> {
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let runtime = Runtime::with_config(config.cache(cache)).expect("the component compiles");
    let environment = Arc::new(Environment(disk.clone()));
    let runtime = runtime.with_clock(environment.clone()).with_random(environment);
    Box::new(Component { disk, runtime })
}

impl Component {
    fn storage(&self) -> Arc<Simulated> {
        Arc::new(Simulated(self.disk.clone()))
    }

    fn admin(&self) -> Result<annals::Admin> {
        self.runtime.admin(self.storage()).map_err(error)
    }
}

impl Subject for Component {
    fn disk(&self) -> &SimDisk {
        &self.disk
    }
    fn on(&self, disk: SimDisk) -> Box<dyn Subject> {
        component(disk)
    }
    fn open(&self, name: &str, options: &Options) -> Result<Box<dyn JournalSubject>> {
        let journal =
            self.runtime.journal(self.storage(), name, &convert::options(options)).map_err(error)?;
        Ok(Box::new(Open(journal)))
    }
    fn destroy(&self, name: &str) -> Result<()> {
        self.runtime.destroy_journal(self.storage(), name).map_err(error)
    }
    fn open_raft(&self, name: &str, options: &raft::Options) -> Result<Box<dyn RaftSubject>> {
        self.raft_log(name, options)
    }
    fn destroy_raft(&self, name: &str) -> Result<()> {
        self.runtime.destroy_raft_log(self.storage(), name).map_err(error)
    }
    fn events(&self) -> &dyn EventLogs {
        self
    }
    fn snapshots(&self) -> &dyn Snapshots {
        self
    }
    fn open_change_log(
        &self,
        name: &str,
        options: &changes::Options,
    ) -> Result<Box<dyn changes::ChangeLogSubject>> {
        self.change_log(name, options)
    }
    fn change_log_instances(&self, name: &str) -> Result<Vec<changes::InstanceInfo>> {
        self.instances(name)
    }
    fn destroy_change_log(&self, name: &str) -> Result<()> {
        self.runtime.destroy_change_log(self.storage(), name).map_err(error)
    }
    fn list(&self) -> Result<Vec<LogInfo>> {
        Ok(self.admin()?.list().map_err(error)?.into_iter().map(convert::info).collect())
    }
    fn info(&self, name: &str) -> Result<LogInfo> {
        self.admin()?.info(name).map(convert::info).map_err(error)
    }
    fn segments(&self, name: &str) -> Result<Vec<SegmentInfo>> {
        Ok(self.admin()?.segments(name).map_err(error)?.into_iter().map(convert::segment).collect())
    }
    fn verify(&self, name: &str) -> Result<Vec<Damage>> {
        let mut damage = Vec::new();
        for progress in self.admin()?.verify(name).map_err(error)? {
            damage.extend(progress.map_err(error)?.damage.into_iter().map(convert::damage));
        }
        Ok(damage)
    }
    fn frames(&self, file: &str) -> Result<Vec<FrameInfo>> {
        let mut frames = Vec::new();
        for some in self.admin()?.frames(file).map_err(error)? {
            frames.extend(some.map_err(error)?.into_iter().map(convert::frame));
        }
        Ok(frames)
    }
}

struct Open(Journal);

impl JournalSubject for Open {
    fn append(&self, item: &[u8]) -> Result<u64> {
        self.0.append(item).map_err(error)
    }
    fn append_batch(&self, items: &[&[u8]]) -> Result<u64> {
        self.0.append_batch(items).map_err(error)
    }
    fn append_packed(&self, ends: &[u32], bytes: &[u8]) -> Result<u64> {
        self.0.append_packed(ends, bytes).map_err(error)
    }
    fn read(&self, position: u64) -> Result<Vec<u8>> {
        self.0.read(position).map_err(error)
    }
    fn read_many(&self, positions: &[u64], max_bytes: u32) -> Result<Items> {
        self.0.read_many(positions, max_bytes).map(convert::items).map_err(error)
    }
    fn read_range(&self, start: u64, limits: Limits) -> Result<Batch> {
        self.0.read_range(start, convert::limits(limits)).map(convert::batch).map_err(error)
    }
    fn replay(&self, start: u64) -> Result<Box<dyn ReaderSubject>> {
        let replay = self.0.replay(start).map_err(error)?;
        Ok(Box::new(Reader(RefCell::new(replay))))
    }
    fn size(&self) -> Result<u64> {
        self.0.size().map_err(error)
    }
    fn oldest(&self) -> Result<Option<u64>> {
        self.0.oldest().map_err(error)
    }
    fn boundary(&self) -> Result<u64> {
        self.0.boundary().map_err(error)
    }
    fn prune(&self, min: u64) -> Result<bool> {
        self.0.prune(min).map_err(error)
    }
    fn rewind(&self, size: u64) -> Result<()> {
        self.0.rewind(size).map_err(error)
    }
    fn flush(&self) -> Result<()> {
        self.0.flush().map_err(error)
    }
    fn sync_data(&self) -> Result<Token> {
        self.0.sync_data().map(token).map_err(error)
    }
    fn sync(&self) -> Result<Token> {
        self.0.sync().map(token).map_err(error)
    }
    fn begin_sync(&self) -> Result<Box<dyn TicketSubject>> {
        Ok(Box::new(Ticket(self.0.begin_sync().map_err(error)?)))
    }
    fn close(&self) -> Result<Token> {
        self.0.close().map(token).map_err(error)
    }
}

struct Reader(RefCell<annals::journal::Replay>);

impl ReaderSubject for Reader {
    fn next(&self, limits: Limits) -> Result<Option<Batch>> {
        let mut replay = self.0.borrow_mut();
        replay.set_limits(convert::limits(limits));
        replay.next_batch().map(|batch| batch.map(convert::batch)).map_err(error)
    }
}

struct Ticket(SyncTicket);

impl TicketSubject for Ticket {
    fn poll(&self) -> Result<Option<Token>> {
        self.0.poll().map(|t| t.map(token)).map_err(error)
    }
    fn wait(&self) -> Result<Token> {
        self.0.wait().map(token).map_err(error)
    }
}

/// What no case should ever meet.
fn unexpected(what: impl std::fmt::Debug) -> Error {
    Error::Other(format!("unexpected: {what:?}"))
}
