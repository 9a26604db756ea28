//! The state of a simulated disk: files, cells, locks; numbering of calls, planned crashes and faults, the trace.

use super::body::Body;
use super::content::Hash;
use super::lie::Lying;
use super::moments::Moments;
use super::plan::{Call, CrashPlan, Fault, Point};
use crate::rng::SplitMix64;
use annals_logs::storage::{Cell, StorageError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Calls that a trace remembers.
const TRACE: usize = 160;

/// What was asked of the disk since it was made, or since the counters were reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    calls: [u64; Call::COUNT],
    /// Bytes that reads returned.
    pub bytes_read: u64,
    /// Bytes handed over by writes.
    pub bytes_written: u64,
    /// The most that one read asked for.
    pub longest_read: u64,
    /// How long the last lock was to be waited for, in milliseconds.
    pub lock_wait_ms: u32,
}

impl Counters {
    /// Number of calls of this kind.
    pub fn of(&self, call: Call) -> u64 {
        self.calls[call as usize]
    }

    /// Number of calls that can change what is stored.
    pub fn changes(&self) -> u64 {
        let kinds = [Call::Create, Call::Remove, Call::SwapCell, Call::Write, Call::Reserve, Call::Truncate];
        kinds.iter().map(|&call| self.of(call)).sum()
    }
}

/// A sync under way.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) file: u64,
    pub(super) upto: u64,
    pub(super) polls: u32,
    pub(super) outcome: Option<Result<(), StorageError>>,
}

/// A file, and how many handles of it are open.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Shared with copies of the disk until it changes.
    pub(super) body: Arc<Body>,
    pub(super) handles: usize,
    pub(super) named: bool,
    /// Whether writing back failed in the background, and no sync has said so yet.
    pub(super) late: bool,
}

impl Kept {
    pub(super) fn body_mut(&mut self) -> &mut Body {
        Arc::make_mut(&mut self.body)
    }
}

/// What happens to a call.
pub(super) enum Step {
    /// All of it.
    Go,
    /// It fails, after this much of it.
    Fail { point: Point, error: StorageError, crash: bool },
}

#[derive(Clone, Debug)]
struct Traced {
    number: u64,
    call: Call,
    name: Arc<str>,
    a: u64,
    b: u64,
    failed: bool,
}

/// The state.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) names: BTreeMap<Arc<str>, u64>,
    pub(super) files: BTreeMap<u64, Kept>,
    pub(super) cells: BTreeMap<String, Cell>,
    pub(super) locks: BTreeMap<String, u64>,
    pub(super) locks_taken: BTreeSet<String>,
    pub(super) tickets: BTreeMap<u64, Ticket>,
    /// File ids, lock ids, ticket ids and cell versions: never used twice.
    pub(super) next: u64,
    pub(super) next_version: u64,
    pub(super) rng: SplitMix64,
    pub(super) now_ms: u64,
    pub(super) durable: bool,
    pub(super) quota: Option<u64>,
    pub(super) polls: u32,
    pub(super) check_locks: bool,
    pub(super) lies: bool,
    pub(super) hostile: Option<SplitMix64>,
    pub(super) most_calls: u64,
    pub(super) crashed: bool,
    pub(super) number: u64,
    pub(super) crash: Option<CrashPlan>,
    /// At a call somebody else has changed the disk to this.
    pub(super) change: Option<(u64, Arc<Disk>)>,
    pub(super) faults: Vec<Fault>,
    pub(super) lying: Lying,
    /// All calls since recording began.
    pub(super) recorded: Option<Vec<(Call, Arc<str>)>>,
    /// What the disk was before its calls, if that is recorded.
    pub(super) moments: Option<Moments>,
    pub(super) counters: Counters,
    pub(super) made: Vec<Call>,
    trace: VecDeque<Traced>,
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            names: BTreeMap::new(),
            files: BTreeMap::new(),
            cells: BTreeMap::new(),
            locks: BTreeMap::new(),
            locks_taken: BTreeSet::new(),
            tickets: BTreeMap::new(),
            next: 1,
            next_version: 1,
            rng: SplitMix64::new(seed),
            now_ms: 1_700_000_000_000,
            durable: true,
            quota: None,
            polls: 1,
            check_locks: true,
            lies: false,
            hostile: None,
            most_calls: u64::MAX,
            crashed: false,
            number: 0,
            crash: None,
            change: None,
            faults: Vec::new(),
            lying: Lying::default(),
            recorded: None,
            moments: None,
            counters: Counters::default(),
            made: Vec::new(),
            trace: VecDeque::new(),
        }
    }

    pub(super) fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn fresh_version(&mut self) -> u64 {
        self.next_version += 1;
        self.next_version
    }

    /// Numbers a call and says what is to happen to it. `a` and `b` are for the trace.
    pub(super) fn call(&mut self, call: Call, name: &Arc<str>, a: u64, b: u64) -> Step {
        if self.crashed {
            return Step::Fail { point: Point::Before, error: crashed(), crash: true };
        }
        self.number += 1;
        self.made.push(call);
        if self.number > self.most_calls {
            let error = breach(format!("more than {} calls\n{}", self.most_calls, self.trace()));
            return Step::Fail { point: Point::Before, error, crash: false };
        }
        if let Some((_, later)) = self.change.take_if(|(at, _)| *at <= self.number) {
            self.catch_up(&later);
        }
        self.counters.calls[call as usize] += 1;
        self.recorded.iter_mut().for_each(|calls| calls.push((call, name.clone())));
        self.consider_lying();
        self.note_moment(call);
        let step = self.decide(call, name);
        if self.trace.len() == TRACE {
            self.trace.pop_front();
        }
        let failed = matches!(step, Step::Fail { .. });
        self.trace.push_back(Traced { number: self.number, call, name: name.clone(), a, b, failed });
        step
    }

    /// Whether this answer is to be wrong, and how.
    fn hostility(&mut self) -> Option<&mut SplitMix64> {
        let rng = self.hostile.as_mut()?;
        rng.chance(10).then_some(rng)
    }

    /// A number that is wrong now and then, if answers are hostile.
    pub(super) fn twist(&mut self, right: u64) -> u64 {
        let Some(rng) = self.hostility() else { return right };
        match rng.below(6) {
            0 => 0,
            1 => rng.draw(),
            2 => right.saturating_add(rng.below(100)),
            3 => u64::MAX,
            4 => right / 2,
            _ => right.saturating_sub(1 + rng.below(100)),
        }
    }

    /// Bytes that are wrong now and then, if answers are hostile.
    pub(super) fn twist_bytes(&mut self, bytes: &mut Vec<u8>) {
        let Some(rng) = self.hostility() else { return };
        let len = bytes.len();
        match rng.below(4) {
            0 => bytes.truncate(rng.below(len as u64 + 1) as usize),
            1 => bytes.resize(len + 1 + rng.below(5000) as usize, 0xA5),
            2 => *bytes = rng.bytes(len),
            _ => bytes.iter_mut().for_each(|byte| *byte ^= u8::from(rng.chance(1))),
        }
    }

    /// Names that are wrong now and then, if answers are hostile.
    pub(super) fn twist_names(&mut self, names: &mut Vec<String>) {
        let Some(rng) = self.hostility() else { return };
        match rng.below(5) {
            0 => names.clear(),
            1 => names.reverse(),
            2 => names.extend(names.clone()),
            3 => names.push("\u{e9}/..\0".into()),
            _ => names.iter_mut().for_each(|name| name.truncate(name.len() / 2)),
        }
    }

    /// Files and cells become those of the other disk. Handles stay: of a file that has no name there any more they keep
    /// what it held.
    fn catch_up(&mut self, later: &Disk) {
        let gone: Vec<_> =
            self.names.keys().filter(|name| !later.names.contains_key(*name)).cloned().collect();
        gone.iter().for_each(|name| self.unname(name));
        for (name, body) in later.named() {
            let id = self.names.get(name).copied().unwrap_or_else(|| self.fresh());
            self.names.insert(name.clone(), id);
            let kept = self.files.entry(id).or_default();
            (kept.body, kept.named) = (body.clone(), true);
        }
        self.cells.clone_from(&later.cells);
    }

    fn decide(&mut self, call: Call, name: &str) -> Step {
        if let Some(plan) = self.crash
            && plan.call == self.number
        {
            self.crashed = true;
            return Step::Fail { point: plan.point, error: crashed(), crash: true };
        }
        let hit = self.faults.iter_mut().position(|fault| {
            let meant = fault.kind.is_none_or(|kind| kind == call)
                && fault.from <= self.number
                && name.starts_with(&fault.prefix);
            let now = meant && fault.skip == 0;
            fault.skip -= u64::from(meant && fault.skip > 0);
            now
        });
        let Some(index) = hit else { return Step::Go };
        let fault = self.faults[index].clone();
        if !fault.sticky {
            self.faults.remove(index);
        }
        Step::Fail { point: fault.point, error: fault.error, crash: false }
    }

    /// Bytes that count against the quota: those of files with a name, and of files that a handle keeps.
    pub(super) fn used(&self) -> u64 {
        self.files.values().map(|kept| kept.body.size()).sum()
    }

    /// How far a file of `size` bytes may grow.
    pub(super) fn room(&self, size: u64) -> u64 {
        match self.quota {
            Some(quota) => size + quota.saturating_sub(self.used()),
            None => u64::MAX,
        }
    }

    /// Forgets a file that has neither a name nor a handle.
    pub(super) fn sweep(&mut self, file: u64) {
        if self.files.get(&file).is_some_and(|kept| !kept.named && kept.handles == 0) {
            self.files.remove(&file);
        }
    }

    /// Named files in order of their names.
    pub(super) fn named(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Body>)> {
        self.names.iter().filter_map(|(name, id)| self.files.get(id).map(|kept| (name, &kept.body)))
    }

    pub(super) fn hash(&self) -> u64 {
        let mut hash = Hash::new();
        for (name, body) in self.named() {
            hash.bytes(name.as_bytes());
            body.hash(&mut hash);
        }
        for (name, cell) in &self.cells {
            hash.bytes(name.as_bytes());
            hash.number(cell.version);
            hash.bytes(&cell.value);
        }
        hash.value()
    }

    pub(super) fn trace(&self) -> String {
        let mut text = String::new();
        for Traced { number, call, name, a, b, failed } in &self.trace {
            let mark = if *failed { "  <- failed" } else { "" };
            // The middle of a file's name is the log's id.
            let parts: Vec<&str> = name.split('.').collect();
            let name = if let [log, _, _, segment] = parts[..] {
                format!("{log}/{}", segment.trim_start_matches('0'))
            } else {
                name.to_string()
            };
            text.push_str(&format!("{number:>6} {call:?} {name} {a} {b}{mark}\n"));
        }
        text
    }
}

pub(super) fn crashed() -> StorageError {
    StorageError::Io("crashed".into())
}

/// The log that a file belongs to.
pub(super) fn owner_of_file(name: &str) -> &str {
    name.split('.').next().unwrap_or("")
}

/// The log that a cell or lock belongs to.
pub(super) fn owner_of_cell(name: &str) -> &str {
    name.split('.').nth(1).unwrap_or("")
}

/// A breach of the storage contract by its user. Does not panic twice.
pub(super) fn breach(what: String) -> StorageError {
    if !std::thread::panicking() {
        panic!("storage contract broken: {what}");
    }
    StorageError::Io(what)
}

/// Whether the interface allows this name.
pub(super) fn is_name(name: &str) -> bool {
    (1..=200).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_name_byte)
}

pub(super) fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.')
}
