//! Streaming entries in order of their keys, as they were when the range was begun: what changes behind the place that a
//! range has reached keeps for it what was there before.

use super::Snapshot;
use super::fold::{Fold, Slot, copy};
use super::item::{Item, Kind};
use super::rebuild::nonsense;
use super::state::State;
use super::types::Entries;
use crate::error::{Error, Result};
use crate::record_log::{Lane, RecordLog, exhausted};
use crate::storage::Host;
use crate::types::Limits;
use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Bound;

/// What a key had, and in which generation.
#[derive(Clone, Debug)]
struct Kept {
    generation: u64,
    slot: Slot,
}

/// How far a range has come, and what has changed behind.
#[derive(Debug, Default)]
struct Progress {
    prefix: Vec<u8>,
    /// The key that was passed last.
    last: Option<Vec<u8>>,
    /// What keys behind had when the range was begun; none: nothing.
    old: BTreeMap<Vec<u8>, Option<Kept>>,
    over: bool,
}

impl Progress {
    fn is_ahead(&self, key: &[u8]) -> bool {
        !self.over && key.starts_with(&self.prefix) && self.last.as_deref().is_none_or(|last| last < key)
    }

    fn start(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let start = match &self.last {
            Some(last) => Bound::Excluded(last.as_slice()),
            None => Bound::Included(self.prefix.as_slice()),
        };
        (start, Bound::Unbounded)
    }

    fn pass(&mut self, key: Vec<u8>) {
        self.old = self.old.split_off(&key);
        self.old.remove(&key);
        self.last = Some(key);
    }
}

/// Entries under way.
#[derive(Debug)]
pub struct Range {
    progress: Rc<RefCell<Progress>>,
    /// What is lost was reported.
    reported: bool,
}

/// The ranges under way, as far as the log must know of them.
#[derive(Debug, Default)]
pub(super) struct Readers(Vec<Weak<RefCell<Progress>>>);

impl Readers {
    fn live(&self) -> impl Iterator<Item = Rc<RefCell<Progress>>> {
        self.0.iter().filter_map(Weak::upgrade)
    }

    /// Begins a range.
    pub(super) fn begin(&mut self, prefix: &[u8]) -> Result<Range> {
        self.0.retain(|reader| reader.strong_count() > 0);
        self.0.try_reserve(1).map_err(exhausted)?;
        let progress = Progress { prefix: copy(prefix)?, ..Progress::default() };
        let progress = Rc::new(RefCell::new(progress));
        self.0.push(Rc::downgrade(&progress));
        Ok(Range { progress, reported: false })
    }

    /// Keeps for every range what these keys have, before they change.
    pub(super) fn keep<'a>(
        &mut self,
        fold: &Fold,
        generation: u64,
        keys: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<()> {
        self.0.retain(|reader| reader.strong_count() > 0);
        for progress in self.live() {
            let mut progress = progress.borrow_mut();
            for key in keys.clone() {
                if progress.is_ahead(key) && !progress.old.contains_key(key) {
                    let slot = fold.entries.get(key).cloned();
                    progress.old.insert(copy(key)?, slot.map(|slot| Kept { generation, slot }));
                }
            }
        }
        Ok(())
    }

    /// Number of ranges under way.
    pub(super) fn count(&self) -> usize {
        self.0.iter().filter(|reader| reader.strong_count() > 0).count()
    }

    /// Whether a range may still read items of this generation, which is not the newest.
    pub(super) fn need(&self, generation: u64) -> bool {
        let on_disk = |kept: &Kept| kept.generation == generation && matches!(kept.slot, Slot::Disk { .. });
        self.live().any(|progress| progress.borrow().old.values().flatten().any(on_disk))
    }
}

/// Items that were read ahead, because the items before them were asked for in order.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    generation: u64,
    first: u64,
    ends: Vec<u32>,
    bytes: Vec<u8>,
    /// Bytes that the next read may have if it goes on where this one ends.
    most: u64,
}

/// Most bytes that are read ahead, and at first.
const AHEAD: core::ops::RangeInclusive<u64> = 16 << 10..=256 << 10;

impl Ahead {
    /// The item at this position, read unless it is here.
    fn item<H: Host>(&mut self, log: &mut RecordLog<H, State>, position: u64) -> Result<&[u8]> {
        let same = self.generation == log.generation();
        let end = self.first + self.ends.len() as u64;
        if !same || !(self.first..end).contains(&position) {
            // Between two pieces of a fold stands a cursor.
            let goes_on = same && (position == end || position == end + 1);
            self.most = if goes_on { (self.most * 4).min(*AHEAD.end()) } else { *AHEAD.start() };
            let (lane, count, most) =
                if goes_on { (Lane::Stream, u64::MAX, self.most) } else { (Lane::Point, 1, u64::MAX) };
            self.ends.clear();
            self.bytes.clear();
            self.bytes.shrink_to(*AHEAD.end() as usize);
            (self.generation, self.first) = (log.generation(), position);
            log.read_frame(position, count, most, lane, &mut self.ends, &mut self.bytes)?;
        }
        let at = (position - self.first) as usize;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        let end = self.ends.get(at).map_or(0, |end| *end as usize);
        Ok(self.bytes.get(start..end).unwrap_or_default())
    }
}

/// The generations that can be read: the newest, and older ones.
pub(super) struct Sources<'a, H: Host> {
    pub(super) log: &'a mut RecordLog<H, State>,
    pub(super) retired: &'a mut [RecordLog<H, State>],
    pub(super) ahead: &'a mut Ahead,
}

impl<H: Host> Sources<'_, H> {
    /// Reads what a key had in a generation; gives version and value to `take`.
    pub(super) fn read<T>(
        &mut self,
        generation: u64,
        key: &[u8],
        slot: &Slot,
        take: impl FnOnce(&[u8], &[u8]) -> Result<T>,
    ) -> Result<T> {
        let position = match slot {
            Slot::Memory { version, bytes } => {
                let (version, value) = bytes.split_at_checked(usize::from(*version)).unwrap_or_default();
                return take(version, value);
            }
            Slot::Disk { position, .. } => *position,
        };
        let old = self.retired.iter_mut().find(|log| log.generation() == generation);
        let log = match old {
            Some(old) => old,
            None if self.log.generation() == generation => &mut *self.log,
            None => return Err(Error::Closed),
        };
        match Item::decode(self.ahead.item(log, position)?) {
            Some(item) if matches!(item.kind, Kind::Entry | Kind::Put) && item.key == key => {
                take(item.version, item.value)
            }
            _ => Err(Error::Damaged(nonsense(log, position))),
        }
    }
}

fn append(entries: &mut Entries, key: &[u8], version: &[u8], value: &[u8]) -> Result<()> {
    let Entries { ends, bytes } = entries;
    bytes.try_reserve(key.len() + value.len() + version.len()).map_err(exhausted)?;
    ends.try_reserve(3).map_err(exhausted)?;
    for part in [key, value, version] {
        bytes.extend_from_slice(part);
        ends.push(bytes.len() as u32);
    }
    Ok(())
}

/// What a step of a range came to.
struct Gathered {
    /// The last key that was passed, if any.
    passed: Option<Vec<u8>>,
    /// Why it ended early.
    error: Option<Error>,
}

impl<H: Host> Snapshot<H> {
    /// The next entries of a range, or none at its end.
    pub fn range_next(&mut self, range: &mut Range, limits: Limits) -> Result<Option<Entries>> {
        self.log.check_open()?;
        let shared = range.progress.clone();
        let mut progress = shared.borrow_mut();
        if progress.over {
            return Ok(None);
        }
        if !range.reported {
            range.reported = true;
            if let Some(damage) = self.fold.loss.as_ref().and_then(|loss| loss.among(&progress.prefix)) {
                return Err(Error::Damaged(damage.clone()));
            }
        }
        let mut entries = Entries::default();
        let Gathered { passed, error } = self.gather(&progress, limits, &mut entries);
        if let Some(passed) = passed {
            progress.pass(passed);
        }
        if !entries.ends.is_empty() {
            return Ok(Some(entries)); // an error comes with the next call
        }
        if let Some(error) = error {
            drop(progress);
            return self.checked(Err(error));
        }
        *progress = Progress { over: true, ..Progress::default() };
        drop(progress);
        self.release();
        Ok(None)
    }

    /// Gathers entries.
    fn gather(&mut self, progress: &Progress, limits: Limits, entries: &mut Entries) -> Gathered {
        let Snapshot { log, retired, fold, ahead, .. } = self;
        let generation = log.generation();
        let mut sources = Sources { log, retired, ahead };
        let inside = |key: &&[u8]| key.starts_with(&progress.prefix);
        let mut now = fold.entries.range::<[u8], _>(progress.start()).peekable();
        let mut old = progress.old.range::<[u8], _>(progress.start()).peekable();
        let (mut passed, mut error): (Option<&[u8]>, _) = (None, None);
        while (entries.ends.len() / 3) < limits.count.max(1) as usize {
            let key_now = now.peek().map(|(key, _)| key.as_slice()).filter(inside);
            let key_old = old.peek().map(|(key, _)| key.as_slice()).filter(inside);
            let (key, generation, slot) = match (key_now, key_old) {
                (None, None) => break,
                (Some(key), before) if before.is_none_or(|before| key < before) => {
                    (key, generation, now.next().map(|(_, slot)| slot))
                }
                (key_now, key_old) => {
                    if key_now == key_old {
                        now.next();
                    }
                    let kept = old.next().and_then(|(_, kept)| kept.as_ref());
                    let generation = kept.map_or(generation, |kept| kept.generation);
                    (key_old.unwrap_or_default(), generation, kept.map(|kept| &kept.slot))
                }
            };
            if let Some(slot) = slot {
                let size = entries.bytes.len() as u64 + slot.content(key.len());
                if !entries.ends.is_empty() && size > u64::from(limits.bytes) {
                    break;
                }
                let take = |version: &[u8], value: &[u8]| append(entries, key, version, value);
                if let Err(failed) = sources.read(generation, key, slot, take) {
                    // Damage is said once; the next call goes on behind it.
                    if entries.ends.is_empty() {
                        passed = if matches!(failed, Error::Damaged(_)) { Some(key) } else { passed };
                        error = Some(failed);
                    }
                    break;
                }
            }
            passed = Some(key);
        }
        match passed.map(copy).transpose() {
            Ok(passed) => Gathered { passed, error },
            Err(error) => {
                *entries = Entries::default();
                Gathered { passed: None, error: Some(error) }
            }
        }
    }
}
