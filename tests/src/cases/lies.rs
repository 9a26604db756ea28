//! Storage that says or returns something wrong: cases that the fault matrix found.

use super::kit::*;
use super::{Case, case};
use crate::change_log;
use crate::sim::{CrashPlan, Lie, Point, Wrong};
use crate::subject::snapshot::{Options as SnapshotOptions, Update};
use crate::subject::{ALL, SEGMENT, Subject, options};
use annals_logs::error::Error;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(a_size_that_is_too_small_cuts_no_log, "D10.5"),
    case!(a_size_that_is_too_small_hides_nothing_that_others_wrote, "E29", "D10.5"),
    case!(a_root_cell_that_is_too_old_sweeps_no_log, "G15.9", "D7.1"),
    case!(a_compaction_whose_fold_is_gone_is_damage, "S17", "A3"),
    case!(damage_that_shows_only_while_a_name_is_taken_over_is_told, "C21"),
    case!(what_was_removed_stays_removed_though_a_cell_could_not_be_read, "C16"),
];

/// A lie from the first call on.
fn lie(wrong: Wrong, call: u64, sticky: bool, seed: u64) -> Lie {
    Lie { wrong, call, sticky, seed }
}

/// The log would look cut, be repaired, and go on over what it held.
fn a_size_that_is_too_small_cuts_no_log(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    for position in 0..8 {
        append_long(&*journal, position, position + 1, 3000)?;
        journal.flush().fine()?;
    }
    let all = holding_long(0, 8, 3000);
    for seed in 0..120 {
        let disk = subject.disk().fork();
        disk.plan_lie(Some(lie(Wrong::SmallSize, 1 + seed % 15, seed % 2 == 0, seed)));
        match subject.on(disk.clone()).open(LOG, &options(Mode::Open)) {
            Ok(journal) => holds(&*journal, &all)?,
            Err(Error::Storage(_) | Error::Damaged(_)) => {}
            Err(other) => return Err(format!("seed {seed}: {other:?}")),
        }
        disk.plan_lie(None);
        holds(&*subject.on(disk).open(LOG, &options(Mode::Open)).fine()?, &all)?;
    }
    Ok(())
}

/// Who looked no further than the size would write over what another process wrote.
fn a_size_that_is_too_small_hides_nothing_that_others_wrote(subject: &dyn Subject) -> Outcome {
    use crate::event::subject::{self as event, Policy};
    let opened =
        event::Options { shared: true, policy: Policy::Flushed, ..event::options(Mode::OpenOrCreate) };
    let mut told = 0;
    for seed in 0..200 {
        let side = fork(subject);
        let [one, other] = [(); 2].map(|()| side.events().open(LOG, &opened));
        let (one, other) = (one.fine()?, other.fine()?);
        // The last one is all that the first process does not know of.
        for id in 0..9 {
            other.append_with_id(id, &long_item(id, 6000)).fine()?;
        }
        one.append_with_id(9, &long_item(9, 6000)).fine()?;
        other.append_with_id(10, &long_item(10, 300)).fine()?;
        let (call, before) = (side.disk().calls() + 1 + seed % 8, side.disk().lies_told());
        side.disk().plan_lie(Some(lie(Wrong::SmallSize, call, false, seed)));
        let appended = one.append_with_id(11, &long_item(11, 300));
        side.disk().plan_lie(None);
        told += side.disk().lies_told() - before;
        ensure!(
            matches!(appended, Ok(_) | Err(Error::Storage(_) | Error::Damaged(_))),
            "{seed}: {appended:?}"
        );
        for id in 0..11 + u64::from(appended.is_ok()) {
            let len = if id < 10 { 6000 } else { 300 };
            same(other.get(id).fine()?, Some(long_item(id, len)))
                .map_err(|what| format!("{seed}: {what}"))?;
        }
    }
    ensure!(told > 10, "{told} sizes were too small");
    Ok(())
}

/// A cell that says that the log is being created lets its files be swept: not if somebody has a token, or if there are
/// items in the files.
fn a_root_cell_that_is_too_old_sweeps_no_log(subject: &dyn Subject) -> Outcome {
    let early = (1..20).find_map(|call| {
        let disk = subject.disk().fork();
        disk.plan_crash(CrashPlan { call, point: Point::Before });
        let _ = subject.on(disk.clone()).open(LOG, &options(Mode::Create));
        let cell = disk.cell_names().into_iter().next()?;
        disk.cell_value(&cell).map(|value| (cell, value))
    });
    let (cell, creating) = early.ok_or("creation writes no cell")?;
    let journal = create(subject)?;
    append_batch(&*journal, 0, 10)?;
    let token = journal.close().fine()?;
    let disk = fork(subject).disk().fork();
    disk.put_cell(&cell, &creating);
    let before = disk.hash();
    let old = subject.on(disk.clone());
    for mode in [Mode::Open, Mode::OpenOrCreate] {
        refused!(old.open(LOG, &options(mode)), Error::Damaged(_));
        let expecting = crate::subject::Options { expect: Some(token), ..options(mode) };
        refused!(old.open(LOG, &expecting), Error::RolledBack(_));
    }
    same(disk.hash(), before)
}

/// What a sync that lied, or a zeroed sector, leaves of a new generation looked like an empty one.
fn a_compaction_whose_fold_is_gone_is_damage(subject: &dyn Subject) -> Outcome {
    let new = SnapshotOptions {
        mode: Mode::Create,
        segment_bytes: Some(SEGMENT),
        compact_at: Some(u64::MAX),
        ..SnapshotOptions::default()
    };
    let snapshot = subject.snapshots().open(LOG, &new).fine()?;
    snapshot.apply(&[Update::Put { key: b"key", value: b"value", version: b"1" }], b"cursor").fine()?;
    let token = snapshot.sync().fine()?;
    snapshot.compact().fine()?;
    let disk = subject.disk().fork();
    let file = disk.file_names().pop().ok_or("there is no file")?;
    let frames = subject.frames(&file).fine()?;
    let end = frames.first().map_or(0, |first| u64::from(first.bytes));
    disk.settle();
    disk.overwrite(&file, end, &vec![0; (disk.file_size(&file) - end) as usize]);
    let subject = subject.on(disk);
    same(subject.verify(LOG).fine()?.into_iter().map(|damage| damage.file).collect(), vec![file])?;
    let open = SnapshotOptions { mode: Mode::Open, segment_bytes: None, ..new.clone() };
    refused!(subject.snapshots().open(LOG, &open), Error::Damaged(_));
    let expecting = SnapshotOptions { expect: Some(token), ..open.clone() };
    refused!(subject.snapshots().open(LOG, &expecting), Error::Damaged(_) | Error::RolledBack(_));
    let look = SnapshotOptions { mode: Mode::ReadOnly, ..open };
    let looking = subject.snapshots().open(LOG, &look).fine()?;
    refused!(looking.get(b"key"), Error::Damaged(_));
    refused!(looking.cursor(), Error::Damaged(_));
    Ok(())
}

/// An earlier use of the name is looked at first, and then taken over: what reads as damaged only the second time must
/// not be left out in silence.
fn damage_that_shows_only_while_a_name_is_taken_over_is_told(subject: &dyn Subject) -> Outcome {
    let named = || change_log::named(Mode::OpenOrCreate, "a");
    let log = subject.open_change_log(LOG, &named()).fine()?;
    for id in 0..3 {
        let change = change_log::Change { payload: vec![id; 900], cleanup_after_ms: None };
        log.record(&[id], &change).fine()?;
    }
    drop(log);
    for wrong in [Wrong::FlippedRead, Wrong::FlippedCell, Wrong::LongCell] {
        for call in 1..60 {
            let disk = subject.disk().fork();
            disk.plan_lie(Some(lie(wrong, call, false, call)));
            let again = subject.on(disk.clone());
            let Ok(log) = again.open_change_log(LOG, &named()) else { continue };
            disk.plan_lie(None);
            let mut found = 0;
            let scan = log.scan(true).fine()?;
            while let Some(some) = scan.next(ALL).fine()? {
                found += some.len();
            }
            ensure!(found == 3, "{wrong:?} at call {call}: {found} of 3 changes, and nobody says so");
        }
    }
    Ok(())
}

/// Who took over and could not put away what it took must not be gone without a trace: whoever finds the claim then
/// would take it all over again.
fn what_was_removed_stays_removed_though_a_cell_could_not_be_read(subject: &dyn Subject) -> Outcome {
    let named = |name| change_log::named(Mode::OpenOrCreate, name);
    let log = subject.open_change_log(LOG, &named("a")).fine()?;
    let change = change_log::Change { payload: vec![7; 30], cleanup_after_ms: None };
    log.record(b"id", &change).fine()?;
    drop(log);
    for wrong in [Wrong::FlippedCell, Wrong::LongCell] {
        for call in 1..60 {
            let disk = subject.disk().fork();
            disk.plan_lie(Some(lie(wrong, call, false, call)));
            let again = subject.on(disk.clone());
            let Ok(log) = again.open_change_log(LOG, &named("a")) else { continue };
            disk.plan_lie(None);
            log.remove(None, b"id").fine()?;
            log.close().fine()?;
            let other = again.open_change_log(LOG, &named("b")).fine()?;
            other.recover(0).fine()?;
            let found = other.get(Some("a"), b"id").fine()?;
            ensure!(found.is_none(), "{wrong:?} at call {call}: it is back");
        }
    }
    Ok(())
}
