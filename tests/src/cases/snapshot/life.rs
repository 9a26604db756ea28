//! From creation to destruction.

use super::kit::*;
use crate::sim::{Crash, CrashPlan, Point, SimDisk};

pub(super) const CASES: &[Case] = &[
    case!(a_closed_snapshot_answers_closed, "H24"),
    case!(destroying_a_snapshot_leaves_nothing, "G15.3", "G15.4"),
    case!(a_destroyed_snapshot_begins_anew, "G15.6"),
    case!(a_crash_in_creating_a_snapshot_leaves_all_or_nothing, "G15.1"),
    case!(a_crash_in_destroying_a_snapshot_leaves_all_or_nothing, "G15.2"),
    case!(a_plain_copy_is_a_valid_snapshot, "G18.1"),
    case!(one_storage_holds_snapshots_and_journals, "G15.8", "G15.10"),
];

fn a_closed_snapshot_answers_closed(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 5), 1, 30)?;
    snapshot.close().fine()?;
    let before = subject.disk().hash();
    for _ in 0..2 {
        refused!(snapshot.cursor(), Error::Closed);
        refused!(snapshot.apply(&[], b""), Error::Closed);
        refused!(snapshot.apply_packed(&[], &[], &[], b""), Error::Closed);
        refused!(snapshot.get(b"a"), Error::Closed);
        refused!(snapshot.range(b""), Error::Closed);
        refused!(snapshot.has_entries(), Error::Closed);
        refused!(snapshot.stats(), Error::Closed);
        refused!(snapshot.compact(), Error::Closed);
        refused!(snapshot.export(), Error::Closed);
        refused!(snapshot.sync(), Error::Closed);
        refused!(snapshot.close(), Error::Closed);
    }
    same(subject.disk().hash(), before)?;
    holds(&*reopen(subject)?, &model)
}

fn destroying_a_snapshot_leaves_nothing(subject: &dyn Subject) -> Outcome {
    refused!(subject.snapshots().destroy(LOG), Error::NotFound);
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 50), 1, 3000)?;
    snapshot.compact().fine()?;
    put_many(&*snapshot, &mut model, (0, 50), 2, 3000)?;
    snapshot.close().fine()?;
    subject.snapshots().destroy(LOG).fine()?;
    same(subject.disk().file_names(), vec![])?;
    same(subject.disk().cell_names(), vec![])?;
    refused!(subject.snapshots().open(LOG, &options(Mode::Open)), Error::NotFound);
    refused!(subject.snapshots().destroy(LOG), Error::NotFound);
    same(subject.list().fine()?, vec![])
}

fn a_destroyed_snapshot_begins_anew(subject: &dyn Subject) -> Outcome {
    let token = create(subject)?.apply(&[put("a", "1")], b"x").fine()?.ok_or("no token")?;
    subject.snapshots().destroy(LOG).fine()?;
    let snapshot = create(subject)?;
    holds(&*snapshot, &Fold::default())?;
    ensure!(snapshot.close().fine()?.log != token.log);
    let expecting = Options { expect: Some(token), ..options(Mode::Open) };
    refused!(subject.snapshots().open(LOG, &expecting), Error::RolledBack(_));
    Ok(())
}

/// Runs something with a crash at each of its calls and looks at what that leaves.
fn each_crash(
    subject: &dyn Subject,
    run: impl Fn(&dyn Subject),
    look: impl Fn(&dyn Subject, bool) -> Outcome,
) -> Outcome {
    for call in 1.. {
        for point in [Point::Before, Point::Partway(call), Point::After] {
            let disk: SimDisk = subject.disk().fork();
            disk.plan_crash(CrashPlan { call, point });
            let side = subject.on(disk.clone());
            run(&*side);
            drop(side);
            let over = !disk.has_crashed();
            for crash_is in [Crash::Process, Crash::LOSE_ALL] {
                look(&*subject.on(disk.reboot(crash_is)), over).map_err(|what| {
                    format!("call {call}, {point:?}, {crash_is:?}: {what}\n{}", disk.trace())
                })?;
            }
            if over {
                ensure!(call > 3, "it makes no calls");
                return Ok(());
            }
        }
    }
    Ok(())
}

fn a_crash_in_creating_a_snapshot_leaves_all_or_nothing(subject: &dyn Subject) -> Outcome {
    each_crash(
        subject,
        |side| drop(side.snapshots().open(LOG, &options(Mode::Create))),
        |after, over| {
            match after.snapshots().open(LOG, &options(Mode::Open)) {
                Ok(snapshot) => holds(&*snapshot, &Fold::default())?,
                Err(Error::NotFound) if !over => same(after.disk().file_names(), vec![])?,
                other => return Err(format!("{:?}", other.err())),
            }
            let mut model = Fold::default();
            let snapshot = open_with(after, &options(Mode::OpenOrCreate))?;
            apply(&*snapshot, &mut model, &[put("a", "1")], "x")?;
            snapshot.close().fine()?;
            holds(&*reopen(after)?, &model)
        },
    )
}

fn a_crash_in_destroying_a_snapshot_leaves_all_or_nothing(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    for turn in 0..3 {
        put_many(&*snapshot, &mut model, (0, 20), turn, 2500)?;
    }
    snapshot.close().fine()?;
    each_crash(
        subject,
        |side| drop(side.snapshots().destroy(LOG)),
        |after, over| {
            match after.snapshots().open(LOG, &options(Mode::Open)) {
                Ok(snapshot) if !over => holds(&*snapshot, &model)?,
                Err(Error::NotFound) => {
                    same(after.disk().file_names(), vec![])?;
                    same(after.disk().cell_names(), vec![])?;
                }
                other => return Err(format!("{:?}", other.err())),
            }
            match after.snapshots().destroy(LOG) {
                Ok(()) | Err(Error::NotFound) => same(after.disk().file_names(), vec![]),
                Err(other) => Err(format!("{other:?}")),
            }
        },
    )
}

fn a_plain_copy_is_a_valid_snapshot(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 40), 1, 2500)?;
    snapshot.compact().fine()?;
    put_many(&*snapshot, &mut model, (20, 60), 2, 2500)?;
    let token = snapshot.sync().fine()?;
    let copy = SimDisk::new(77);
    for name in subject.disk().file_names() {
        copy.copy_file(subject.disk(), &name, &name);
    }
    for name in subject.disk().cell_names() {
        copy.put_cell(&name, &subject.disk().cell_value(&name).unwrap_or_default());
    }
    let copy = subject.on(copy);
    holds(&*reopen_read_only(&*copy)?, &model)?;
    let expecting = Options { expect: Some(token), ..options(Mode::Open) };
    holds(&*open_with(&*copy, &expecting)?, &model)
}

fn one_storage_holds_snapshots_and_journals(subject: &dyn Subject) -> Outcome {
    let names = ["a", "a-b", "b"];
    let mut models = Vec::new();
    for (number, name) in (1..).zip(names) {
        let snapshot = subject.snapshots().open(name, &options(Mode::Create)).fine()?;
        let journal = subject.open(&format!("{name}-j"), &crate::subject::options(Mode::Create)).fine()?;
        let mut model = Fold::default();
        put_many(&*snapshot, &mut model, (0, number * 3), number, 100)?;
        snapshot.compact().fine()?;
        put_many(&*snapshot, &mut model, (2, number * 4), number + 1, 100)?;
        journal.append_batch(&[name.as_bytes()]).fine()?;
        journal.close().fine()?;
        snapshot.close().fine()?;
        models.push(model);
    }
    same(subject.list().fine()?.len(), 6)?;
    subject.snapshots().destroy("a").fine()?;
    same(subject.list().fine()?.len(), 5)?;
    for (name, model) in names.into_iter().zip(models).skip(1) {
        holds(&*subject.snapshots().open(name, &options(Mode::Open)).fine()?, &model)?;
        let journal = subject.open(&format!("{name}-j"), &crate::subject::options(Mode::Open)).fine()?;
        same(journal.read(0).fine()?, name.as_bytes().to_vec())?;
    }
    Ok(())
}
