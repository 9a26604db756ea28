//! What must be true of a file system that was cut off: whatever was promised is there, everything else was asked for,
//! nothing is damaged, and all logs go on.

use crate::{
    contents::{self, Kind, State, difference, files},
    timeline::Timeline,
    world::LOGS,
};
use annals::{
    Error, Runtime,
    change_log::{self, Change},
    event_log, journal,
    raft_log::{self, Entry},
    snapshot::{self, Artifact, Update},
    storage::Directory,
};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// What logs and exported directories must hold.
pub(crate) struct Wanted {
    pub(crate) logs: BTreeMap<String, Timeline>,
    pub(crate) exports: BTreeMap<String, Timeline>,
}

impl Wanted {
    /// Events at which something had just been promised, for each log and export.
    pub(crate) fn promises(&self) -> Vec<Vec<usize>> {
        let all = self.logs.values().chain(self.exports.values());
        all.map(|timeline| timeline.promises().collect()).collect()
    }

    /// Checks the file system at `root` if `cut` events reached the disk, or some of them.
    pub(crate) fn check(&self, runtime: &Runtime, root: &Path, cut: usize) -> Result<(), String> {
        let directory =
            Directory::open(root.join(LOGS)).map_err(|error| format!("the directory: {error}"))?;
        let directory = Arc::new(directory);
        let told = |name: &str, error: Error| format!("{name}: {error:?}; files {}", files(&directory));
        for (name, timeline) in &self.logs {
            let found = contents::read(runtime, &directory, timeline.kind, name);
            allowed(timeline, cut, &found.map_err(|error| told(name, error))?, name)?;
        }
        self.exported(runtime, &directory, root, cut)?;
        for (name, timeline) in &self.logs {
            go_on(runtime, &directory, timeline.kind, name).map_err(|error| told(name, error))?;
        }
        let verified = verify(runtime, &directory);
        verified.map_err(|error| told("verify", error))?;
        Ok(())
    }

    /// Artifacts are whole or not there.
    fn exported(
        &self,
        runtime: &Runtime,
        directory: &Arc<Directory>,
        root: &Path,
        cut: usize,
    ) -> Result<(), String> {
        for (name, timeline) in &self.exports {
            let path = root.join(name);
            let read = || -> Result<State, Error> {
                if !path.exists() {
                    return Ok(None);
                }
                Artifact::open(&path)?.import(runtime, directory.clone(), "artifact", None, |_| {})?;
                let state = contents::read(runtime, directory, Kind::Snapshot, "artifact")?;
                runtime.destroy_snapshot(directory.clone(), "artifact")?;
                Ok(state)
            };
            let found = read().map_err(|error| format!("{name}: {error:?}"))?;
            allowed(timeline, cut, &found, name)?;
            if let (None, Ok(fold)) =
                (&found, runtime.snapshot(directory.clone(), "fold", &snapshot::Options::open()))
            {
                // What it left of itself is in nobody's way.
                fold.export_to(&path).map_err(|error| format!("{name} again: {error:?}"))?;
            }
        }
        Ok(())
    }
}

fn allowed(timeline: &Timeline, cut: usize, found: &State, name: &str) -> Result<(), String> {
    if timeline.allowed(cut).any(|state| state == found) {
        return Ok(());
    }
    let states = timeline.allowed(cut).count();
    let promised = timeline.allowed(cut).next().unwrap_or(&None);
    Err(format!(
        "{name}: none of {states} states; of the one that was promised {}",
        difference(found, promised)
    ))
}

/// Changes a log, which is made if it is not there, closes it, and looks whether that is there.
fn go_on(runtime: &Runtime, directory: &Arc<Directory>, kind: Kind, name: &str) -> Result<(), Error> {
    let storage = directory.clone();
    let before = contents::read(runtime, directory, kind, name)?.map_or(0, |state| state.len());
    match kind {
        Kind::Journal => {
            let log = runtime.journal(storage, name, &journal::Options::new())?;
            log.append(b"goes on")?;
            log.close()?;
        }
        Kind::Events => {
            let log = runtime.event_log(storage, name, &event_log::Options::new())?;
            // Far above all ids that were deleted.
            log.append(1 << 40, b"goes on")?;
            log.close()?;
        }
        Kind::Raft => {
            let log = runtime.raft_log(storage, name, &raft_log::Options::new())?;
            log.persist(&[Entry::new(1 << 40, log.last_index()? + 1, "goes on")])?;
            log.close()?;
        }
        Kind::Snapshot => {
            let log = runtime.snapshot(storage, name, &snapshot::Options::new())?;
            log.apply(&[Update::put(b"goes on", b"")], b"further")?;
            log.close()?;
        }
        Kind::Changes => {
            let options = change_log::Options::new().instance("goes-on").background_heartbeat(false);
            let log = runtime.change_log(storage, name, &options)?;
            log.record(b"goes on", &Change::new(""))?;
            log.close()?;
        }
    }
    // A log that was not there has something to say about itself now, a change log has not.
    let more = if before == 0 && kind != Kind::Changes { 2 } else { 1 };
    match contents::read(runtime, directory, kind, name)? {
        Some(state) if state.len() == before + more => Ok(()),
        after => Err(Error::Other(format!("{before} things, then {:?}", after.map(|state| state.len())))),
    }
}

fn verify(runtime: &Runtime, directory: &Arc<Directory>) -> Result<(), Error> {
    let admin = runtime.admin(directory.clone())?;
    for log in admin.list()? {
        let progress = admin.verify(&log.name)?.run()?;
        if let Some(damage) = progress.damage.into_iter().next() {
            return Err(Error::Damaged(damage));
        }
    }
    Ok(())
}
