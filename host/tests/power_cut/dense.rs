//! A journal, and a Raft log: items by position and by index.

use crate::{
    contents::{Kind, State, key},
    world::{Actor, SEGMENT, World},
};
use annals::{
    Journal, RaftLog, journal,
    raft_log::{self, Entry, HardState, LogId},
};
use std::collections::BTreeMap;

const JOURNAL: &str = "journal";
const SECTION: u64 = 10;

/// A journal that is appended to, pruned, rewound, closed and opened; beside it one that comes and goes.
pub(crate) struct Positions {
    log: Option<Journal>,
    boundary: u64,
    items: Vec<Vec<u8>>,
}

impl Positions {
    pub(crate) fn new(world: &mut World) -> Positions {
        let mut positions = Positions { log: None, boundary: 0, items: Vec::new() };
        positions.open(world, true);
        positions
    }

    fn size(&self) -> u64 {
        self.boundary + self.items.len() as u64
    }

    fn state(&self) -> State {
        let mut state: BTreeMap<String, Vec<u8>> = self
            .items
            .iter()
            .zip(self.boundary..)
            .map(|(item, position)| (key(position), item.clone()))
            .collect();
        state.insert("bounds".to_owned(), format!("{:?}", (self.boundary, self.size())).into_bytes());
        Some(state)
    }

    fn open(&mut self, world: &mut World, close: bool) {
        if let Some(log) = self.log.take().filter(|_| close) {
            log.close().expect("close");
            world.promised(JOURNAL);
        }
        let (runtime, directory) = (world.runtime.clone(), world.directory.clone());
        let options = journal::Options::new().segment_bytes(SEGMENT).items_per_section(SECTION);
        self.log =
            Some(world.commit(Kind::Journal, JOURNAL, self.state(), || {
                runtime.journal(directory, JOURNAL, &options)
            }));
    }

    /// Made, used and destroyed.
    fn other(&self, world: &mut World) {
        const OTHER: &str = "other";
        let (runtime, directory) = (world.runtime.clone(), world.directory.clone());
        let state = |items: &[&[u8]]| {
            let bounds = format!("{:?}", (0, items.len()));
            let bounds = ("bounds".to_owned(), bounds.into_bytes());
            Some(items.iter().zip(0..).map(|(item, at)| (key(at), item.to_vec())).chain([bounds]).collect())
        };
        let options = journal::Options::create().segment_bytes(SEGMENT);
        let log = world
            .commit(Kind::Journal, OTHER, state(&[]), || runtime.journal(directory.clone(), OTHER, &options));
        let item = world.bytes(OTHER);
        world.commit(Kind::Journal, OTHER, state(&[&item]), || log.append(&item).and_then(|_| log.sync()));
        drop(log);
        world.commit(Kind::Journal, OTHER, None, || runtime.destroy_journal(directory, OTHER));
    }
}

impl Actor for Positions {
    fn turn(&mut self, world: &mut World) {
        let log = self.log.clone().expect("an open journal");
        match world.random.below(12) {
            0 => {
                let min = self.boundary + world.random.below(self.size() - self.boundary + 1);
                let gone = (min / SECTION * SECTION).saturating_sub(self.boundary);
                self.items.drain(..gone as usize);
                self.boundary += gone;
                world.commit(Kind::Journal, JOURNAL, self.state(), || log.prune(min));
            }
            1 | 2 => {
                let size = self.boundary + world.random.below(self.size() - self.boundary + 1);
                self.items.truncate((size - self.boundary) as usize);
                world.change(Kind::Journal, JOURNAL, self.state(), || log.rewind(size));
            }
            3 => self.open(world, true),
            4 => {
                drop(log);
                self.log = None;
                self.open(world, false);
            }
            5 => self.other(world),
            _ => {
                for _ in 0..1 + world.random.below(3) {
                    let count = 1 + world.random.below(30);
                    let batch: Vec<Vec<u8>> = (0..count).map(|_| world.bytes("item")).collect();
                    self.items.extend_from_slice(&batch);
                    world.change(Kind::Journal, JOURNAL, self.state(), || log.append_batch(&batch));
                }
                if world.random.below(3) > 0 {
                    log.sync().expect("sync");
                    world.promised(JOURNAL);
                }
            }
        }
    }
}

const RAFT: &str = "raft";

/// A Raft log whose `persist` is durable.
pub(crate) struct Indexes {
    log: RaftLog,
    boundary: Option<LogId>,
    entries: BTreeMap<u64, Entry>,
    hard: Option<HardState>,
    term: u64,
}

impl Indexes {
    pub(crate) fn new(world: &mut World) -> Indexes {
        let (runtime, directory) = (world.runtime.clone(), world.directory.clone());
        let options = raft_log::Options::create().segment_bytes(SEGMENT);
        let state = Indexes::state(&None, &BTreeMap::new(), &None);
        let log = world.commit(Kind::Raft, RAFT, state, || runtime.raft_log(directory, RAFT, &options));
        Indexes { log, boundary: None, entries: BTreeMap::new(), hard: None, term: 1 }
    }

    fn state(boundary: &Option<LogId>, entries: &BTreeMap<u64, Entry>, hard: &Option<HardState>) -> State {
        let purged = boundary.map_or(0, |id| id.index);
        let last = entries.last_key_value().map_or(purged, |(index, _)| *index);
        let about = ("about".to_owned(), format!("{:?}", (boundary, last, hard)).into_bytes());
        let line = |entry: &Entry| {
            (key(entry.id.index), [&entry.id.term.to_le_bytes(), &entry.payload[..]].concat())
        };
        Some(entries.values().map(line).chain([about]).collect())
    }

    fn first(&self) -> u64 {
        self.boundary.map_or(0, |id| id.index) + 1
    }

    fn next(&self) -> u64 {
        self.entries.last_key_value().map_or(self.first(), |(index, _)| index + 1)
    }

    fn some(&self, world: &mut World, first: u64) -> Vec<Entry> {
        let count = 1 + world.random.below(20);
        (first..first + count).map(|index| Entry::new(self.term, index, world.bytes("entry"))).collect()
    }

    fn commit(&mut self, world: &mut World, act: impl FnOnce(&RaftLog) -> Result<(), annals::Error>) {
        let state = Indexes::state(&self.boundary, &self.entries, &self.hard);
        world.commit(Kind::Raft, RAFT, state, || act(&self.log));
    }
}

impl Actor for Indexes {
    fn turn(&mut self, world: &mut World) {
        let any = self.first() + world.random.below(self.next() - self.first() + 1);
        match world.random.below(10) {
            0 => {
                self.entries.retain(|index, _| *index < any);
                self.commit(world, |log| log.truncate(any));
            }
            1 if any < self.next() => {
                let id = self.entries[&any].id;
                self.entries.retain(|index, _| *index > any);
                self.boundary = Some(id);
                self.commit(world, |log| log.purge(id));
            }
            2 => {
                self.term += 1;
                let hard = HardState { term: self.term, vote: Some(any), extra: world.bytes("extra") };
                self.hard = Some(hard.clone());
                self.commit(world, |log| log.save_hard_state(&hard));
            }
            3 => {
                let first = any.min(self.next());
                let some = self.some(world, first);
                self.entries.retain(|index, _| *index < first);
                self.entries.extend(some.iter().map(|entry| (entry.id.index, entry.clone())));
                self.commit(world, |log| log.replace_range(first, &some));
            }
            4 if world.random.below(4) == 0 => {
                (self.boundary, self.entries) = (None, BTreeMap::new());
                self.commit(world, RaftLog::reset);
            }
            _ => {
                let first = if world.random.below(3) == 0 { any.min(self.next()) } else { self.next() };
                let some = self.some(world, first);
                self.entries.extend(some.iter().map(|entry| (entry.id.index, entry.clone())));
                self.commit(world, |log| log.persist(&some));
            }
        }
    }
}
