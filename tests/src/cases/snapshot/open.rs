//! Opening: modes, options, other kinds, what it reports.

use super::kit::*;
use crate::sim::{Call, Crash};
use crate::subject::options as journal_options;
use annals_logs::format::root::Kind;

pub(super) const CASES: &[Case] = &[
    case!(modes_of_a_snapshot, "S1"),
    case!(a_fixed_option_of_a_snapshot_cannot_change, "S1", "X1"),
    case!(options_of_a_snapshot_are_checked, "X1"),
    case!(snapshots_and_journals_are_told_apart, "G15.7"),
    case!(one_writer_has_a_snapshot, "H7"),
    case!(a_read_only_snapshot_changes_nothing, "D11.1", "D9.3"),
    case!(a_read_only_snapshot_shows_the_state_of_its_opening, "D11.5", "H19"),
    case!(a_read_only_snapshot_refuses_to_write, "D11.3"),
    case!(what_a_writing_open_reports_of_a_snapshot_is_durable, "D9.1"),
    case!(values_on_disk_is_a_choice_of_each_open, "S20"),
    case!(admin_knows_snapshots, "A7", "A2"),
];

fn modes_of_a_snapshot(subject: &dyn Subject) -> Outcome {
    let snapshots = subject.snapshots();
    refused!(snapshots.open(LOG, &options(Mode::Open)), Error::NotFound);
    refused!(snapshots.open(LOG, &options(Mode::ReadOnly)), Error::NotFound);
    let snapshot = snapshots.open(LOG, &options(Mode::OpenOrCreate)).fine()?;
    snapshot.apply(&[put("a", "1")], b"x").fine()?;
    snapshot.close().fine()?;
    refused!(snapshots.open(LOG, &options(Mode::Create)), Error::Exists);
    same(snapshots.open(LOG, &options(Mode::OpenOrCreate)).fine()?.cursor().fine()?, b"x".to_vec())?;
    refused!(snapshots.open("No", &options(Mode::Create)), Error::InvalidArgument(_));
    snapshots.open("other", &options(Mode::Create)).fine().map(drop)
}

fn a_fixed_option_of_a_snapshot_cannot_change(subject: &dyn Subject) -> Outcome {
    create(subject)?.close().fine()?;
    let before = subject.disk().hash();
    for mode in [Mode::Open, Mode::OpenOrCreate, Mode::ReadOnly] {
        let other = Options { segment_bytes: Some(SEGMENT * 2), ..options(mode) };
        refused!(subject.snapshots().open(LOG, &other), Error::OptionsDiffer(_));
        let none = Options { segment_bytes: None, ..options(mode) };
        drop(subject.disk().fork());
        let side = fork(subject);
        open_with(&*side, &none)?;
        open_with(&*side, &Options { segment_bytes: Some(SEGMENT), ..options(mode) })?;
    }
    same(subject.disk().hash(), before)
}

fn options_of_a_snapshot_are_checked(subject: &dyn Subject) -> Outcome {
    let before = subject.disk().hash();
    for wrong in [
        Options { segment_bytes: Some(SEGMENT - 1), ..options(Mode::Create) },
        Options { segment_bytes: Some((1 << 30) + 1), ..options(Mode::Create) },
        Options { compact_at: Some((64 << 10) - 1), ..options(Mode::Create) },
        Options { compact_at: Some(0), ..options(Mode::Create) },
    ] {
        refused!(subject.snapshots().open(LOG, &wrong), Error::InvalidArgument(_));
    }
    same(subject.disk().hash(), before)?;
    open_with(subject, &Options { compact_at: Some(64 << 10), ..options(Mode::Create) }).map(drop)
}

fn snapshots_and_journals_are_told_apart(subject: &dyn Subject) -> Outcome {
    create(subject)?.close().fine()?;
    subject.open("journal", &journal_options(Mode::Create)).fine()?.close().fine()?;
    let before = subject.disk().hash();
    for mode in [Mode::Open, Mode::OpenOrCreate, Mode::ReadOnly] {
        refused!(subject.open(LOG, &journal_options(mode)), Error::OtherKind(kind) if kind == "snapshot");
        refused!(
            subject.snapshots().open("journal", &options(mode)),
            Error::OtherKind(kind) if kind == "journal"
        );
    }
    refused!(subject.destroy(LOG), Error::OtherKind(kind) if kind == "snapshot");
    refused!(subject.snapshots().destroy("journal"), Error::OtherKind(kind) if kind == "journal");
    same(subject.disk().hash(), before)
}

fn one_writer_has_a_snapshot(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    refused!(subject.snapshots().open(LOG, &options(Mode::Open)), Error::Locked);
    refused!(subject.snapshots().destroy(LOG), Error::Locked);
    snapshot.compact().fine()?;
    refused!(subject.snapshots().open(LOG, &options(Mode::Open)), Error::Locked);
    snapshot.close().fine()?;
    let snapshot = reopen(subject)?;
    drop(snapshot);
    reopen(subject).map(drop)
}

fn a_read_only_snapshot_changes_nothing(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 30), 1, 3000)?;
    drop(snapshot);
    for crash_is in [Crash::Process, Crash::random(3)] {
        let side = crash(subject, crash_is);
        let before = side.disk().hash();
        side.disk().reset_counters();
        let snapshot = reopen_read_only(&*side)?;
        holds(&*snapshot, &model)?;
        snapshot.range(b"").fine()?.next(ALL).fine()?;
        snapshot.close().fine()?;
        drop(snapshot);
        same(side.disk().counters().changes(), 0)?;
        same(side.disk().counters().of(Call::Lock), 0)?;
        same(side.disk().hash(), before)?;
    }
    Ok(())
}

fn a_read_only_snapshot_shows_the_state_of_its_opening(subject: &dyn Subject) -> Outcome {
    for values_on_disk in [false, true] {
        let side = fork(subject);
        let writer = create(&*side)?;
        let mut model = Fold::default();
        put_many(&*writer, &mut model, (0, 20), 1, 100)?;
        let reader = open_with(&*side, &Options { values_on_disk, ..options(Mode::ReadOnly) })?;
        let before = model.clone();
        put_many(&*writer, &mut model, (10, 30), 2, 100)?;
        holds(&*reader, &before)?;
        holds(&*reopen_read_only(&*side)?, &model)?;
    }
    Ok(())
}

fn a_read_only_snapshot_refuses_to_write(subject: &dyn Subject) -> Outcome {
    create(subject)?.apply(&[put("a", "1")], b"x").fine()?;
    let reader = reopen_read_only(subject)?;
    refused!(reader.apply(&[], b"y"), Error::ReadOnly);
    refused!(reader.apply_packed(&[], &[], &[], b"y"), Error::ReadOnly);
    refused!(reader.compact(), Error::ReadOnly);
    refused!(reader.sync(), Error::ReadOnly);
    same(reader.cursor().fine()?, b"x".to_vec())?;
    reader.close().fine().map(drop)
}

fn what_a_writing_open_reports_of_a_snapshot_is_durable(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &Options { relaxed: true, ..options(Mode::Create) })?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 20), 1, 100)?;
    drop(snapshot);
    let side = crash(subject, Crash::Process);
    let snapshot = reopen(&*side)?;
    same(snapshot.cursor().fine()?, model.cursor.clone())?;
    drop(snapshot);
    holds(&*reopen(&*crash(&*side, Crash::LOSE_ALL))?, &model)
}

fn values_on_disk_is_a_choice_of_each_open(subject: &dyn Subject) -> Outcome {
    let mut model = Fold::default();
    create(subject)?.close().fine()?;
    for turn in 0..6 {
        let values_on_disk = turn % 2 == 1;
        let snapshot = open_with(subject, &Options { values_on_disk, ..options(Mode::Open) })?;
        holds(&*snapshot, &model)?;
        put_many(&*snapshot, &mut model, (turn * 5, turn * 5 + 12), turn, 700)?;
        apply(&*snapshot, &mut model, &[delete(&key(turn * 5 + 1))], "less")?;
        holds(&*snapshot, &model)?;
        if turn % 3 == 2 {
            snapshot.compact().fine()?;
            holds(&*snapshot, &model)?;
        }
        snapshot.close().fine()?;
    }
    Ok(())
}

fn admin_knows_snapshots(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    for turn in 0..5 {
        put_many(&*snapshot, &mut model, (0, 10), turn, 3000)?;
    }
    let token = snapshot.sync().fine()?;
    let info = subject.info(LOG).fine()?;
    same((info.kind, info.items, info.clean), (Kind::Snapshot, 55, false))?;
    same(info.token, Some(token))?;
    ensure!(info.segments > 1 && info.bytes >= info.live_bytes && info.live_bytes > 150_000);
    same(subject.list().fine()?, vec![info.clone()])?;
    same(subject.segments(LOG).fine()?.len(), info.segments as usize)?;
    snapshot.compact().fine()?;
    let info = subject.info(LOG).fine()?;
    same((info.items, info.oldest, info.next), (11, Some(55), 66))?;
    // Zeros written ahead stand behind the last frame.
    ensure!(info.live_bytes <= info.bytes && info.bytes < 70_000, "{info:?}");
    snapshot.close().fine()?;
    ensure!(subject.info(LOG).fine()?.clean);
    same(subject.verify(LOG).fine()?, vec![])?;
    let [file] = &subject.disk().file_names()[..] else { return Err("several files".into()) };
    let frames = subject.frames(file).fine()?;
    let kinds: Vec<&str> = frames.iter().map(|frame| frame.kind).collect();
    same(kinds, vec!["header", "append", "seal"])
}
