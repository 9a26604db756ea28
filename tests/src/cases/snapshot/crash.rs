//! Crashes at every storage call: of batches, compactions, rolls, closes, opens and imports.

use super::kit::*;
use crate::sim::{Crash, CrashPlan, Point, SimDisk};
use std::collections::HashSet;

pub(super) const CASES: &[Case] = &[
    case!(a_crash_in_a_batch_leaves_all_of_it_or_the_old_cursor, "S29", "S2", "F1.1"),
    case!(a_crash_in_a_compaction_leaves_the_old_or_the_new_files, "S17"),
    case!(a_crash_anywhere_in_a_life_loses_nothing, "S13", "S17"),
    case!(a_crash_in_recovery_loses_nothing, "S17", "D9.1"),
];

/// What a power loss may leave.
fn crashes(call: u64) -> [Crash; 5] {
    [Crash::Process, Crash::LOSE_ALL, Crash::KEEP_ALL, Crash::ZEROS, Crash::random(call)]
}

/// States that a script goes through: what was promised last and what was asked for last.
#[derive(Clone, Default)]
struct Seen {
    promised: Fold,
    asked: Fold,
}

/// Runs a script with a crash at each of its calls; behind each, the log must be one of the two states.
fn sweep(
    base: &dyn Subject,
    start: &Fold,
    script: impl Fn(&dyn Subject, &mut Seen) -> Result<(), Error>,
) -> Outcome {
    let mut known = HashSet::new();
    for call in 1.. {
        for point in [Point::Before, Point::Partway(call * 7 + 1), Point::After] {
            let disk: SimDisk = base.disk().fork();
            disk.plan_crash(CrashPlan { call, point });
            let mut seen = Seen { promised: start.clone(), asked: start.clone() };
            let ended = script(&*base.on(disk.clone()), &mut seen);
            let over = !disk.has_crashed();
            if over {
                ended.fine()?;
            }
            for crash_is in crashes(call) {
                let image = disk.reboot(crash_is);
                if !known.insert((image.hash(), seen.promised.cursor.clone(), seen.asked.cursor.clone())) {
                    continue;
                }
                check(&*base.on(image), &seen).map_err(|what| {
                    format!("call {call}, {point:?}, {crash_is:?}: {what}\n{}", disk.trace())
                })?;
            }
            if over {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn check(after: &dyn Subject, seen: &Seen) -> Outcome {
    // Not there at all is right only before anything was promised.
    let snapshot = match after.snapshots().open(LOG, &options(Mode::Open)) {
        Ok(snapshot) => snapshot,
        Err(Error::NotFound) if seen.promised == Fold::default() => return Ok(()),
        Err(other) => return Err(format!("{other:?}")),
    };
    let wanted = if holds(&*snapshot, &seen.asked).is_ok() { &seen.asked } else { &seen.promised };
    holds(&*snapshot, wanted)?;
    same(generations(after).len(), 1)?;
    drop(snapshot);
    let lost = crash(after, Crash::LOSE_ALL);
    let snapshot = reopen(&*lost)?;
    holds(&*snapshot, wanted)?;
    let mut model = wanted.clone();
    put_many(&*snapshot, &mut model, (3, 6), 99, 100)?;
    holds(&*snapshot, &model)?;
    snapshot.close().fine()?;
    same(lost.verify(LOG).fine()?, vec![])
}

/// Applies in a script: asked for first, promised when it returned.
fn step(
    snapshot: &dyn SnapshotSubject,
    seen: &mut Seen,
    (start, end): (u64, u64),
    turn: u64,
    len: usize,
) -> Result<(), Error> {
    let pairs: Vec<(String, Vec<u8>)> = (start..end).map(|n| (key(n), value(n, turn, len))).collect();
    let mut updates: Vec<Update<'_>> =
        pairs.iter().map(|(key, value)| Update::Put { key: key.as_bytes(), value, version: b"" }).collect();
    let gone = key(start + 1);
    updates.push(delete(&gone));
    let cursor = format!("at-{turn}");
    seen.asked.apply(&updates, cursor.as_bytes());
    snapshot.apply(&updates, cursor.as_bytes())?;
    seen.promised = seen.asked.clone();
    Ok(())
}

fn a_crash_in_a_batch_leaves_all_of_it_or_the_old_cursor(subject: &dyn Subject) -> Outcome {
    // A reference design leaves half of a batch with the cursor of the one before.
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 10), 1, 100)?;
    snapshot.close().fine()?;
    for (count, len) in [(3, 40), (40, 700), (10, 9000)] {
        sweep(subject, &model, |side, seen| {
            let snapshot = side.snapshots().open(LOG, &options(Mode::Open))?;
            step(&*snapshot, seen, (5, 5 + count), 2, len)
        })?;
    }
    Ok(())
}

fn a_crash_in_a_compaction_leaves_the_old_or_the_new_files(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    for turn in 0..3 {
        put_many(&*snapshot, &mut model, (turn * 10, turn * 10 + 35), turn, 900)?;
    }
    snapshot.close().fine()?;
    for values_on_disk in [false, true] {
        sweep(subject, &model, |side, seen| {
            let opened = Options { values_on_disk, ..options(Mode::Open) };
            let snapshot = side.snapshots().open(LOG, &opened)?;
            snapshot.compact()?;
            step(&*snapshot, seen, (5, 9), 7, 300)
        })?;
    }
    Ok(())
}

fn a_crash_anywhere_in_a_life_loses_nothing(subject: &dyn Subject) -> Outcome {
    for values_on_disk in [false, true] {
        sweep(subject, &Fold::default(), |side, seen| {
            let opened = |mode| Options { values_on_disk, compact_at: Some(64 << 10), ..options(mode) };
            let snapshot = side.snapshots().open(LOG, &opened(Mode::Create))?;
            step(&*snapshot, seen, (0, 10), 0, 300)?;
            let range = snapshot.range(b"")?;
            step(&*snapshot, seen, (5, 25), 1, 2000)?; // rolls
            step(&*snapshot, seen, (5, 25), 2, 2000)?;
            step(&*snapshot, seen, (5, 25), 3, 2000)?; // compacts by itself
            drop(range);
            snapshot.compact()?;
            snapshot.close()?;
            let snapshot = side.snapshots().open(LOG, &opened(Mode::Open))?;
            step(&*snapshot, seen, (0, 4), 4, 50)?;
            snapshot.apply(&[], seen.asked.cursor.as_slice())?;
            snapshot.close().map(drop)
        })?;
    }
    Ok(())
}

fn a_crash_in_recovery_loses_nothing(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut seen = Seen::default();
    step(&*snapshot, &mut seen, (0, 30), 1, 1500).fine()?;
    let calls = subject.disk().calls();
    // In the middle of a compaction, before and after the swap; and of a batch.
    for (more, compact) in [(4, true), (9, true), (14, true), (18, true), (22, true), (1, false), (3, false)]
    {
        let disk = subject.disk().fork();
        let side = subject.on(disk.clone());
        let snapshot = reopen(&*side)?;
        disk.plan_crash(CrashPlan { call: disk.calls() + more, point: Point::Partway(more) });
        let (mut seen, mut known) = (seen.clone(), HashSet::new());
        if compact {
            let _ = snapshot.compact();
        } else {
            let _ = step(&*snapshot, &mut seen, (2, 9), 2, 3000);
        }
        drop(snapshot);
        for first in crashes(more) {
            let image = disk.reboot(first);
            let image_subject = subject.on(image.clone());
            sweep_open(&*image_subject, &seen, &mut known)
                .map_err(|what| format!("{more} calls after {calls}, {first:?}: {what}"))?;
        }
    }
    Ok(())
}

/// A crash at every call of an open.
fn sweep_open(base: &dyn Subject, seen: &Seen, known: &mut HashSet<u64>) -> Outcome {
    for call in 1.. {
        let disk = base.disk().fork();
        disk.plan_crash(CrashPlan { call, point: Point::Partway(call) });
        let opened = base.on(disk.clone()).snapshots().open(LOG, &options(Mode::Open)).map(drop);
        let over = !disk.has_crashed();
        if over {
            opened.fine()?;
        }
        for crash_is in [Crash::Process, Crash::LOSE_ALL, Crash::random(call)] {
            let image = disk.reboot(crash_is);
            if !known.insert(image.hash()) {
                continue;
            }
            check(&*base.on(image), seen)
                .map_err(|what| format!("call {call} of recovery, {crash_is:?}: {what}\n{}", disk.trace()))?;
        }
        if over {
            return Ok(());
        }
    }
    Ok(())
}
