//! What the cases about snapshots share.

pub(super) use super::super::kit::{Fine, Outcome, crash, damage, ensure, fork, refused, same};
pub(super) use super::super::{Case, case};
pub(super) use crate::model::snapshot::{Fold, pack};
pub(super) use crate::subject::snapshot::{Entry, Options, RangeSubject, SnapshotSubject, Update};
pub(super) use crate::subject::{ALL, SEGMENT, Subject};
pub(super) use annals_logs::error::Error;
pub(super) use annals_logs::types::{Limits, Mode};

use crate::model::show;
use std::panic::Location;

/// The log that most cases use.
pub(super) const LOG: &str = "fold";

/// Options that make a new snapshot with small segments, or open one as it is, and do not compact by themselves.
pub(super) fn options(mode: Mode) -> Options {
    let new = matches!(mode, Mode::Create | Mode::OpenOrCreate);
    let segment_bytes = new.then_some(SEGMENT);
    Options { mode, segment_bytes, compact_at: Some(u64::MAX), ..Options::default() }
}

/// The same with values on disk.
pub(super) fn on_disk(mode: Mode) -> Options {
    Options { values_on_disk: true, ..options(mode) }
}

/// Opens a snapshot with these options.
#[track_caller]
pub(super) fn open_with(
    subject: &dyn Subject,
    options: &Options,
) -> Result<Box<dyn SnapshotSubject>, String> {
    subject.snapshots().open(LOG, options).fine()
}

/// A new snapshot.
#[track_caller]
pub(super) fn create(subject: &dyn Subject) -> Result<Box<dyn SnapshotSubject>, String> {
    open_with(subject, &options(Mode::Create))
}

/// The snapshot that is there, for writing.
#[track_caller]
pub(super) fn reopen(subject: &dyn Subject) -> Result<Box<dyn SnapshotSubject>, String> {
    open_with(subject, &options(Mode::Open))
}

/// The snapshot that is there, for reading.
#[track_caller]
pub(super) fn reopen_read_only(subject: &dyn Subject) -> Result<Box<dyn SnapshotSubject>, String> {
    open_with(subject, &options(Mode::ReadOnly))
}

/// A put of a key with a value and the version `v1`.
pub(super) fn put<'a>(key: &'a str, value: &'a str) -> Update<'a> {
    Update::Put { key: key.as_bytes(), value: value.as_bytes(), version: b"v1" }
}

/// A delete of a key with the version `v2`.
pub(super) fn delete(key: &str) -> Update<'_> {
    Update::Delete { key: key.as_bytes(), version: b"v2" }
}

/// A purge of a key with the version `v3`.
pub(super) fn purge(key: &str) -> Update<'_> {
    Update::Purge { key: key.as_bytes(), version: b"v3" }
}

/// Applies to the snapshot and to the model.
#[track_caller]
pub(super) fn apply(
    snapshot: &dyn SnapshotSubject,
    model: &mut Fold,
    updates: &[Update<'_>],
    cursor: &str,
) -> Outcome {
    snapshot.apply(updates, cursor.as_bytes()).fine()?;
    model.apply(updates, cursor.as_bytes());
    Ok(())
}

/// Key number `number`; keys ascend with their numbers.
pub(super) fn key(number: u64) -> String {
    format!("key-{number:06}")
}

/// A value of `len` bytes that names its key and its turn and can be found in a file; without zeros.
pub(super) fn value(number: u64, turn: u64, len: usize) -> Vec<u8> {
    let mut bytes = format!("value-{number:06}-turn-{turn:04}-").into_bytes();
    let mut rng = crate::rng::SplitMix64::new(number << 32 | turn);
    while bytes.len() < len {
        bytes.extend(rng.draw().to_le_bytes().map(|byte| byte | 1));
    }
    bytes.truncate(len);
    bytes
}

/// Puts keys `start..end` with values of `len` bytes, as one batch with the cursor `at-TURN`.
#[track_caller]
pub(super) fn put_many(
    snapshot: &dyn SnapshotSubject,
    model: &mut Fold,
    (start, end): (u64, u64),
    turn: u64,
    len: usize,
) -> Outcome {
    let pairs: Vec<(String, Vec<u8>)> = (start..end).map(|n| (key(n), value(n, turn, len))).collect();
    let version = format!("v{turn}");
    let updates: Vec<Update<'_>> = (pairs.iter())
        .map(|(key, value)| Update::Put { key: key.as_bytes(), value, version: version.as_bytes() })
        .collect();
    apply(snapshot, model, &updates, &format!("at-{turn}"))
}

/// All entries that a range gives, in the order in which they come.
pub(super) fn rest(range: &dyn RangeSubject, limits: Limits) -> Result<Vec<Entry>, String> {
    let mut found: Vec<Entry> = Vec::new();
    while let Some(entries) = range.next(limits).fine()? {
        ensure!(!entries.ends.is_empty(), "no entries, but not the end");
        ensure!(entries.ends.len().is_multiple_of(3));
        let many = entries.ends.len() > 3;
        ensure!(entries.ends.len() / 3 <= limits.count.max(1) as usize);
        ensure!(!many || entries.bytes.len() as u64 <= u64::from(limits.bytes));
        found.extend(entries.iter().map(|(key, value, version)| Entry {
            key: key.to_vec(),
            value: value.to_vec(),
            version: version.to_vec(),
        }));
    }
    same(range.next(limits).fine()?, None)?;
    Ok(found)
}

/// The entries of a model as a range should give them.
pub(super) fn entries(model: &Fold, prefix: &[u8]) -> Vec<Entry> {
    (model.with_prefix(prefix))
        .map(|(key, (value, version))| Entry {
            key: key.clone(),
            value: value.clone(),
            version: version.clone(),
        })
        .collect()
}

/// Fails the case unless both are the same entries.
pub(super) fn same_entries(got: &[Entry], wanted: &[Entry]) -> Outcome {
    for (number, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        if got != wanted {
            let text = |entry: &Entry| {
                format!("{} = {} @ {}", show(&entry.key), show(&entry.value), show(&entry.version))
            };
            return Err(format!("entry {number}: {} instead of {}", text(got), text(wanted)));
        }
    }
    same(got.len(), wanted.len())
}

/// Fails the case unless the snapshot holds just that, whichever way it is read.
#[track_caller]
pub(super) fn holds(snapshot: &dyn SnapshotSubject, model: &Fold) -> Outcome {
    let at = Location::caller();
    holds_inner(snapshot, model)
        .map_err(|what| format!("{}:{}: {what}; wanted {model:?}", at.file(), at.line()))
}

fn holds_inner(snapshot: &dyn SnapshotSubject, model: &Fold) -> Outcome {
    same(snapshot.cursor().fine()?, model.cursor.clone())?;
    same(snapshot.has_entries().fine()?, !model.entries.is_empty())?;
    same(snapshot.stats().fine()?.entries, model.entries.len() as u64)?;
    let wanted = entries(model, b"");
    for limits in [ALL, Limits { count: 7, bytes: 5000 }] {
        same_entries(&rest(&*snapshot.range(b"").fine()?, limits)?, &wanted)?;
    }
    for wanted in wanted.iter().step_by(1 + wanted.len() / 50) {
        let got = snapshot.get(&wanted.key).fine()?;
        same_entries(&Vec::from_iter(got), std::slice::from_ref(wanted))?;
        let mut other = wanted.key.clone();
        other.push(0);
        if other.len() <= 64 << 10 && !model.entries.contains_key(&other) {
            same(snapshot.get(&other).fine()?, None)?;
        }
    }
    Ok(())
}

/// The bytes of the files of the log.
pub(super) fn file_bytes(subject: &dyn Subject) -> u64 {
    subject.disk().file_names().iter().map(|name| subject.disk().file_size(name)).sum()
}

/// Generations that have files.
pub(super) fn generations(subject: &dyn Subject) -> Vec<String> {
    let generation = |name: String| name.split('.').nth(2).map(String::from);
    let mut found: Vec<String> = subject.disk().file_names().into_iter().filter_map(generation).collect();
    found.dedup();
    found
}
