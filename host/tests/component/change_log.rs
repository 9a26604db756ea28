//! Change logs of the component as a subject. They beat only when told, because time is the suite's.

use super::{Component, convert, convert::error};
use annals::change_log as host;
use annals_logs::error::{Result, Token};
use annals_logs::types::Limits;
use annals_tests::change_log::{
    Change, ChangeLogSubject, ChangeReaderSubject, InstanceInfo, InstanceState, Options, Outstanding,
    Recovered,
};
use std::cell::RefCell;

impl Component {
    pub(super) fn change_log(&self, name: &str, options: &Options) -> Result<Box<dyn ChangeLogSubject>> {
        let options = host::Options {
            mode: convert::mode(options.mode),
            instance: options.instance.clone(),
            heartbeat_ms: options.heartbeat_ms,
            segment_bytes: options.segment_bytes,
            expect: options.expect.map(convert::token_to_host),
            lock_wait_ms: options.lock_wait_ms,
            background_heartbeat: false,
        };
        let log = self.runtime.change_log(self.storage(), name, &options).map_err(error)?;
        Ok(Box::new(Open(log)))
    }

    pub(super) fn instances(&self, name: &str) -> Result<Vec<InstanceInfo>> {
        let instances = self.runtime.instances(self.storage(), name).map_err(error)?;
        Ok(instances.into_iter().map(info).collect())
    }
}

fn info(info: host::InstanceInfo) -> InstanceInfo {
    InstanceInfo {
        instance: info.instance,
        epoch: info.epoch,
        state: match info.state {
            host::InstanceState::Live => InstanceState::Live,
            host::InstanceState::Closed => InstanceState::Closed,
            host::InstanceState::Claimed => InstanceState::Claimed,
            host::InstanceState::Damaged => InstanceState::Damaged,
        },
        claimed_by: info.claimed_by,
        heartbeat_at_ms: info.heartbeat_at_ms,
        heartbeat_ms: info.heartbeat_ms,
        damaged: info.damaged.map(convert::damage),
    }
}

fn change(change: host::Change) -> Change {
    Change { payload: change.payload, cleanup_after_ms: change.cleanup_after_ms }
}

struct Open(annals::ChangeLog);

impl ChangeLogSubject for Open {
    fn instance(&self) -> String {
        self.0.instance().to_owned()
    }
    fn record(&self, id: &[u8], change: &Change) -> Result<()> {
        let Change { payload, cleanup_after_ms } = change.clone();
        self.0.record(id, &host::Change { payload, cleanup_after_ms }).map_err(error)
    }
    fn remove(&self, origin: Option<&str>, id: &[u8]) -> Result<bool> {
        self.0.remove(origin, id).map_err(error)
    }
    fn get(&self, origin: Option<&str>, id: &[u8]) -> Result<Option<Change>> {
        Ok(self.0.get(origin, id).map_err(error)?.map(change))
    }
    fn scan(&self, include_deferred: bool) -> Result<Box<dyn ChangeReaderSubject>> {
        Ok(Box::new(Reader(RefCell::new(self.0.scan(include_deferred).map_err(error)?))))
    }
    fn heartbeat(&self) -> Result<()> {
        self.0.heartbeat().map_err(error)
    }
    fn recover(&self, stale_after_ms: u64) -> Result<Vec<Recovered>> {
        let recovered = |dead: host::Recovered| Recovered {
            instance: dead.instance,
            changes: dead.changes,
            damaged: dead.damaged.map(convert::damage),
        };
        Ok(self.0.recover(stale_after_ms).map_err(error)?.into_iter().map(recovered).collect())
    }
    fn discard(&self, instance: &str) -> Result<bool> {
        self.0.discard(instance).map_err(error)
    }
    fn close(&self) -> Result<Token> {
        self.0.close().map(convert::token).map_err(error)
    }
}

struct Reader(RefCell<host::Scan>);

impl ChangeReaderSubject for Reader {
    fn next(&self, limits: Limits) -> Result<Option<Vec<Outstanding>>> {
        let mut scan = self.0.borrow_mut();
        scan.set_limits(convert::limits(limits));
        let found = scan.next_batch().map_err(error)?;
        let outstanding = |found: host::Outstanding| Outstanding {
            origin: found.origin,
            id: found.id,
            change: change(found.change),
        };
        Ok(found.map(|found| found.into_iter().map(outstanding).collect()))
    }
}
