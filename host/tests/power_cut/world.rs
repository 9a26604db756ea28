//! The logs that are used while the disk remembers, and what each of them must hold.

use crate::{
    common::Random,
    contents::{Kind, State},
    device::Recorder,
    timeline::Timeline,
};
use annals::{Error, Runtime, storage::Directory};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes of a segment: the smallest, so that logs roll soon.
pub(crate) const SEGMENT: u64 = 64 << 10;

/// Where the logs are, below the root of the file system.
pub(crate) const LOGS: &str = "deep/logs";

/// One of the logs under use.
pub(crate) trait Actor {
    /// Does one thing, or a few.
    fn turn(&mut self, world: &mut World);
}

/// What all logs share.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) directory: Arc<Directory>,
    pub(crate) random: Random,
    pub(crate) root: PathBuf,
    recorder: Recorder,
    /// By name.
    pub(crate) timelines: BTreeMap<String, Timeline>,
    /// What exported directories hold, by path below the root.
    pub(crate) exports: BTreeMap<String, Timeline>,
    stamp: u64,
}

impl World {
    pub(crate) fn new(runtime: &Runtime, recorder: &Recorder, root: &Path, seed: u64) -> World {
        let directory = Arc::new(Directory::open(root.join(LOGS)).expect("a directory of logs"));
        World {
            runtime: runtime.clone(),
            directory,
            random: Random(seed),
            root: root.to_owned(),
            recorder: recorder.clone(),
            timelines: BTreeMap::new(),
            exports: BTreeMap::new(),
            stamp: 0,
        }
    }

    /// Something to store: it is like nothing else, and mostly short.
    pub(crate) fn bytes(&mut self, what: &str) -> Vec<u8> {
        self.stamp += 1;
        let padding = match self.random.below(40) {
            0 => self.random.below(20_000),
            _ => self.random.below(300),
        };
        format!("{what} {} {}", self.stamp, "x".repeat(padding as usize)).into_bytes()
    }

    fn timeline(&mut self, kind: Kind, log: &str) -> &mut Timeline {
        self.timelines.entry(log.to_owned()).or_insert_with(|| Timeline::new(kind))
    }

    /// Does what leads to a state, and does not promise it.
    pub(crate) fn change<T>(
        &mut self,
        kind: Kind,
        log: &str,
        state: State,
        act: impl FnOnce() -> Result<T, Error>,
    ) -> T {
        let now = self.recorder.now();
        self.timeline(kind, log).begin(now, state);
        act().unwrap_or_else(|error| panic!("{log}: {error:?}"))
    }

    /// Does what leads to a state, and promises it and all before.
    pub(crate) fn commit<T>(
        &mut self,
        kind: Kind,
        log: &str,
        state: State,
        act: impl FnOnce() -> Result<T, Error>,
    ) -> T {
        let done = self.change(kind, log, state, act);
        self.promised(log);
        done
    }

    /// What was done to the log so far has been promised.
    pub(crate) fn promised(&mut self, log: &str) {
        let now = self.recorder.now();
        if let Some(timeline) = self.timelines.get_mut(log) {
            timeline.safe(now);
        }
    }

    /// Exports to a new directory; it appears as a whole or not at all.
    pub(crate) fn export(&mut self, state: State, act: impl FnOnce(&Path) -> Result<(), Error>) -> String {
        let name = format!("export-{}", self.exports.len());
        let mut timeline = Timeline::new(Kind::Snapshot);
        timeline.begin(self.recorder.now(), state);
        act(&self.root.join(&name)).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        timeline.safe(self.recorder.now());
        self.exports.insert(name.clone(), timeline);
        name
    }
}
