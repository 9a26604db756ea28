//! An event log, a snapshot with its artifacts, and a change log with two instances.

use crate::{
    contents::{Kind, State, key},
    world::{Actor, SEGMENT, World},
};
use annals::{
    ChangeLog, Error, EventLog, Snapshot,
    change_log::{self, Change},
    event_log::{self, Policy},
    snapshot::{self, Artifact, Update},
};
use std::collections::{BTreeMap, BTreeSet};

const EVENTS: &str = "events";

/// An event log that syncs when it is asked to.
pub(crate) struct Ids {
    log: EventLog,
    events: BTreeMap<u64, Vec<u8>>,
    next: u64,
    /// The next id to give: above all that were deleted, given or not.
    free: u64,
    /// Ids that were left out, and not deleted since.
    late: BTreeSet<u64>,
}

impl Ids {
    pub(crate) fn new(world: &mut World) -> Ids {
        let (runtime, directory) = (world.runtime.clone(), world.directory.clone());
        let options = event_log::Options::create().policy(Policy::Flushed).rotate_at(SEGMENT);
        let state = Ids::state(&BTreeMap::new(), 0);
        let log =
            world.commit(Kind::Events, EVENTS, state, || runtime.event_log(directory, EVENTS, &options));
        Ids { log, events: BTreeMap::new(), next: 0, free: 0, late: BTreeSet::new() }
    }

    fn state(events: &BTreeMap<u64, Vec<u8>>, next: u64) -> State {
        let next = ("next".to_owned(), next.to_string().into_bytes());
        Some(events.iter().map(|(id, event)| (key(*id), event.clone())).chain([next]).collect())
    }

    fn now(&self) -> State {
        Ids::state(&self.events, self.next)
    }
}

impl Actor for Ids {
    fn turn(&mut self, world: &mut World) {
        match world.random.below(10) {
            0 if self.next > 0 => {
                let first = world.random.below(self.next);
                let last = first + world.random.below(self.next / 3 + 1);
                self.events.retain(|id, _| !(first..=last).contains(id));
                self.late.retain(|id| !(first..=last).contains(id));
                self.free = self.free.max(last + 1);
                let (state, log) = (self.now(), self.log.clone());
                world.commit(Kind::Events, EVENTS, state, || log.delete_range(first, last));
            }
            1 => {
                let (state, log) = (self.now(), self.log.clone());
                let rotated = world.change(Kind::Events, EVENTS, state, || match log.rotate() {
                    Err(Error::InvalidArgument(_)) => Ok(false), // no events in it
                    sealed => sealed.map(|_| true),
                });
                if rotated {
                    world.promised(EVENTS);
                }
            }
            2 => {
                let (late, log) = (self.late.pop_first(), self.log.clone());
                let Some(id) = late else { return };
                let event = world.bytes("late");
                self.events.insert(id, event.clone());
                let state = self.now();
                world.commit(Kind::Events, EVENTS, state, || log.append(id, &event).and_then(|_| log.sync()));
            }
            _ => {
                let gap = world.random.below(3);
                self.late.extend(self.free..self.free + gap);
                let first = self.free + gap;
                let count = 1 + world.random.below(20);
                let batch: Vec<Vec<u8>> = (0..count).map(|_| world.bytes("event")).collect();
                self.events.extend((first..).zip(batch.iter().cloned()));
                self.free = first + count;
                self.next = self.free;
                let (state, log) = (self.now(), self.log.clone());
                world.change(Kind::Events, EVENTS, state, || log.append_batch(first, &batch));
                if world.random.below(2) == 0 {
                    log.sync().expect("sync");
                    world.promised(EVENTS);
                }
            }
        }
    }
}

const FOLD: &str = "fold";
const COPY: &str = "copy";

/// A snapshot that is compacted, exported and imported.
pub(crate) struct Keys {
    log: Snapshot,
    fold: BTreeMap<String, Vec<u8>>,
    batches: u64,
}

impl Keys {
    pub(crate) fn new(world: &mut World) -> Keys {
        let (runtime, directory) = (world.runtime.clone(), world.directory.clone());
        let options = snapshot::Options::create().segment_bytes(SEGMENT);
        let state = Keys::state(&BTreeMap::new(), 0);
        let log = world.commit(Kind::Snapshot, FOLD, state, || runtime.snapshot(directory, FOLD, &options));
        Keys { log, fold: BTreeMap::new(), batches: 0 }
    }

    fn state(fold: &BTreeMap<String, Vec<u8>>, batches: u64) -> State {
        let cursor = if batches == 0 { Vec::new() } else { batches.to_string().into_bytes() };
        let key = |(key, value): (&String, &Vec<u8>)| (format!("key {key}"), value.clone());
        Some(fold.iter().map(key).chain([("cursor".to_owned(), cursor)]).collect())
    }

    /// Exported, imported under another name, and that destroyed.
    fn export(&self, world: &mut World) {
        let (runtime, directory) = (world.runtime.clone(), world.directory.clone());
        let state = Keys::state(&self.fold, self.batches);
        let name = world.export(state.clone(), |path| self.log.export_to(path).map(drop));
        let artifact = Artifact::open(world.root.join(name)).expect("an artifact");
        world.commit(Kind::Snapshot, COPY, state, || {
            Ok(artifact.import(&runtime, directory.clone(), COPY, Some(SEGMENT), |_| {})?)
        });
        world.commit(Kind::Snapshot, COPY, None, || runtime.destroy_snapshot(directory, COPY));
    }
}

impl Actor for Keys {
    fn turn(&mut self, world: &mut World) {
        match world.random.below(8) {
            0 => {
                let state = Keys::state(&self.fold, self.batches);
                world.commit(Kind::Snapshot, FOLD, state, || self.log.compact());
            }
            // Directories that were exported stay, and there is not much room.
            1 if world.exports.len() < 8 => self.export(world),
            _ => {
                let mut puts = Vec::new();
                for _ in 0..1 + world.random.below(15) {
                    let key = format!("{:03}", world.random.below(60));
                    let value = (world.random.below(4) > 0).then(|| world.bytes("value"));
                    puts.push((key, value));
                }
                let update = |(key, value): &(String, Option<Vec<u8>>)| match value {
                    Some(value) => drop(self.fold.insert(key.clone(), value.clone())),
                    None => drop(self.fold.remove(key)),
                };
                puts.iter().for_each(update);
                self.batches += 1;
                let updates: Vec<Update<'_>> = puts
                    .iter()
                    .map(|(key, value)| match value {
                        Some(value) => Update::put(key.as_bytes(), value),
                        None => Update::delete(key.as_bytes()),
                    })
                    .collect();
                let cursor = self.batches.to_string();
                let state = Keys::state(&self.fold, self.batches);
                world.commit(Kind::Snapshot, FOLD, state, || self.log.apply(&updates, cursor.as_bytes()));
            }
        }
    }
}

const STEPS: &str = "steps";
const NAMES: [&str; 2] = ["one", "two"];

/// A change log in which now one instance works, now another that takes everything over.
pub(crate) struct Steps {
    log: Option<ChangeLog>,
    changes: BTreeMap<(String, u64), Vec<u8>>,
    next: u64,
}

impl Steps {
    pub(crate) fn new(world: &mut World) -> Steps {
        let mut steps = Steps { log: None, changes: BTreeMap::new(), next: 0 };
        steps.open(world);
        steps
    }

    fn state(&self) -> State {
        let line =
            |((origin, id), payload): (&(String, u64), &Vec<u8>)| (format!("{origin} {id}"), payload.clone());
        Some(self.changes.iter().map(line).collect())
    }

    fn open(&mut self, world: &mut World) {
        self.log = None;
        let (runtime, directory) = (world.runtime.clone(), world.directory.clone());
        let name = NAMES[world.random.below(2) as usize];
        let options =
            change_log::Options::new().instance(name).segment_bytes(SEGMENT).background_heartbeat(false);
        self.log = Some(world.commit(Kind::Changes, STEPS, self.state(), || {
            let log = runtime.change_log(directory, STEPS, &options)?;
            log.recover(0)?;
            Ok(log)
        }));
    }
}

impl Actor for Steps {
    fn turn(&mut self, world: &mut World) {
        let log = self.log.clone().expect("an open change log");
        match world.random.below(8) {
            0 => {
                if world.random.below(2) == 0 {
                    log.close().expect("close");
                }
                drop(log);
                self.open(world);
            }
            1 => log.heartbeat().expect("heartbeat"),
            2..5 if !self.changes.is_empty() => {
                let index = world.random.below(self.changes.len() as u64) as usize;
                let Some((origin, id)) = self.changes.keys().nth(index).cloned() else { return };
                self.changes.remove(&(origin.clone(), id));
                world.commit(Kind::Changes, STEPS, self.state(), || {
                    log.remove(Some(&origin), id.to_string().as_bytes())
                });
            }
            _ => {
                self.next += 1;
                let (id, payload) = (self.next, world.bytes("change"));
                self.changes.insert((log.instance().to_owned(), id), payload.clone());
                world.commit(Kind::Changes, STEPS, self.state(), || {
                    log.record(id.to_string().as_bytes(), &Change::new(&payload))
                });
            }
        }
    }
}
