//! When a batch is durable, and what tokens prove.

use super::kit::*;
use crate::sim::{Call, Crash, Fault};
use annals_logs::error::Token;

pub(super) const CASES: &[Case] = &[
    case!(an_applied_batch_is_durable, "S13"),
    case!(apply_syncs_once, "S13"),
    case!(a_relaxed_batch_is_handed_over_but_not_synced, "S13", "F1.4"),
    case!(relaxed_batches_are_durable_after_sync, "S13", "D7.1"),
    case!(closing_makes_relaxed_batches_durable, "D6.1"),
    case!(tokens_of_a_snapshot_name_its_history, "D7.1", "D7.6"),
    case!(a_token_survives_compactions, "S18", "D7.2", "D7.8"),
    case!(a_snapshot_that_was_rolled_back_is_refused, "D7.3"),
    case!(a_failed_sync_closes_the_snapshot, "D10.2"),
    case!(a_full_disk_refuses_a_batch_and_changes_nothing, "D10.4"),
    case!(a_full_disk_refuses_a_compaction_and_keeps_nothing_of_it, "S17", "D10.4"),
];

fn relaxed(mode: Mode) -> Options {
    Options { relaxed: true, ..options(mode) }
}

fn expecting(token: Token) -> Options {
    Options { expect: Some(token), ..options(Mode::Open) }
}

fn an_applied_batch_is_durable(subject: &dyn Subject) -> Outcome {
    // A reference design returns from apply before anything is synced.
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    for turn in 0..10 {
        put_many(&*snapshot, &mut model, (turn, turn + 10), turn, 1000)?;
        let lost = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
        holds(&*reopen(&*lost)?, &model)?;
    }
    let token = snapshot.apply(&[delete(&key(3))], b"x").fine()?.ok_or("no token")?;
    model.apply(&[delete(&key(3))], b"x");
    let lost = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    holds(&*open_with(&*lost, &expecting(token))?, &model)
}

fn apply_syncs_once(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    snapshot.apply(&[put("a", "1")], b"x").fine()?;
    subject.disk().reset_counters();
    snapshot.apply(&[put("a", "2"), put("b", "1")], b"y").fine()?;
    same(subject.disk().counters().of(Call::Sync), 1)?;
    same(subject.disk().counters().of(Call::Write), 1)
}

fn a_relaxed_batch_is_handed_over_but_not_synced(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &relaxed(Mode::Create))?;
    subject.disk().reset_counters();
    same(snapshot.apply(&[put("a", "1")], b"x").fine()?, None)?;
    same(snapshot.apply_packed(&[], &[], &[], b"y").fine()?, None)?;
    same(subject.disk().counters().of(Call::Sync), 0)?;
    same(subject.disk().counters().of(Call::Write), 2)?;
    let mut model = Fold::default();
    model.apply(&[put("a", "1")], b"y");
    let lost = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    holds(&*reopen(&*lost)?, &Fold::default())?;
    holds(&*reopen(&*crash(subject, Crash::Process))?, &model)
}

fn relaxed_batches_are_durable_after_sync(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &relaxed(Mode::Create))?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 10), 1, 100)?;
    put_many(&*snapshot, &mut model, (5, 15), 2, 100)?;
    let token = snapshot.sync().fine()?;
    snapshot.apply(&[put("late", "1")], b"late").fine()?;
    holds(&*open_with(&*crash(subject, Crash::LOSE_ALL), &expecting(token))?, &model)
}

fn closing_makes_relaxed_batches_durable(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &relaxed(Mode::Create))?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 10), 1, 100)?;
    let token = snapshot.close().fine()?;
    ensure!(subject.disk().is_settled());
    holds(&*open_with(&*crash(subject, Crash::LOSE_ALL), &expecting(token))?, &model)
}

fn tokens_of_a_snapshot_name_its_history(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut tokens = Vec::new();
    for turn in 0..5 {
        tokens.push(snapshot.apply(&[put("a", &turn.to_string())], b"").fine()?.ok_or("no token")?);
    }
    same(snapshot.sync().fine()?, tokens[4])?;
    tokens.push(snapshot.close().fine()?);
    for token in &tokens {
        for mode in [Mode::Open, Mode::ReadOnly] {
            open_with(&*fork(subject), &Options { expect: Some(*token), ..options(mode) })?;
        }
        for wrong in [
            Token { check: token.check ^ 1, ..*token },
            Token { log: token.log ^ 1, ..*token },
            Token { frame: token.frame + 100, ..*token },
        ] {
            refused!(fork(subject).snapshots().open(LOG, &expecting(wrong)), Error::RolledBack(_));
        }
    }
    Ok(())
}

fn a_token_survives_compactions(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    let mut tokens = Vec::new();
    for turn in 0..4 {
        put_many(&*snapshot, &mut model, (0, 30), turn, 3000)?;
        tokens.push(snapshot.sync().fine()?);
        snapshot.compact().fine()?;
        tokens.push(snapshot.sync().fine()?);
    }
    ensure!(tokens.is_sorted_by(|a, b| a.frame < b.frame && a.log == b.log), "{tokens:?}");
    tokens.push(snapshot.close().fine()?);
    for token in &tokens {
        holds(&*open_with(&*fork(subject), &expecting(*token))?, &model)?;
    }
    // The frame before the generation is gone, but its chain value is in the first one.
    let before = tokens[6];
    let other = Token { check: before.check ^ 1, ..before };
    refused!(fork(subject).snapshots().open(LOG, &expecting(other)), Error::RolledBack(_));
    Ok(())
}

fn a_snapshot_that_was_rolled_back_is_refused(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    snapshot.apply(&[put("a", "1")], b"1").fine()?;
    let old = subject.disk().fork();
    snapshot.apply(&[put("a", "2")], b"2").fine()?;
    let second = snapshot.sync().fine()?;
    snapshot.compact().fine()?;
    let third = snapshot.sync().fine()?;
    let middle = subject.disk().fork();
    snapshot.apply(&[put("a", "3")], b"3").fine()?;
    let fourth = snapshot.sync().fine()?;
    for (disk, token) in [(&old, second), (&old, third), (&old, fourth), (&middle, fourth)] {
        refused!(subject.on(disk.fork()).snapshots().open(LOG, &expecting(token)), Error::RolledBack(_));
    }
    open_with(&*subject.on(middle), &expecting(second)).map(drop)
}

fn a_failed_sync_closes_the_snapshot(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 5), 1, 100)?;
    let range = snapshot.range(b"").fine()?;
    subject.disk().inject(Fault::next(Call::Sync));
    refused!(snapshot.apply(&[put("b", "1")], b"y"), Error::Storage(_));
    refused!(snapshot.get(b"a"), Error::Closed);
    refused!(snapshot.apply(&[], b""), Error::Closed);
    refused!(range.next(ALL), Error::Closed);
    drop(snapshot);
    let side = crash(subject, Crash::LOSE_ALL);
    holds(&*reopen(&*side)?, &model)
}

fn a_full_disk_refuses_a_batch_and_changes_nothing(subject: &dyn Subject) -> Outcome {
    for (quota, values_on_disk) in [(70_000, false), (90_000, true), (150_000, false), (200_000, true)] {
        let side = fork(subject);
        let snapshot = open_with(&*side, &Options { values_on_disk, ..options(Mode::Create) })?;
        side.disk().set_quota(Some(quota));
        let mut model = Fold::default();
        let mut full = false;
        for turn in 0..200 {
            let before = model.clone();
            let big = value(turn, turn, 3000);
            let name = key(turn % 7);
            let updates = [Update::Put { key: name.as_bytes(), value: &big, version: b"" }];
            match snapshot.apply(&updates, b"more") {
                Ok(_) => model.apply(&updates, b"more"),
                Err(Error::OutOfSpace) => full = true,
                Err(other) => return Err(format!("{other:?}")),
            }
            if full {
                holds(&*snapshot, &before)?;
                break;
            }
        }
        ensure!(full, "quota {quota} was never reached");
        side.disk().set_quota(None);
        put_many(&*snapshot, &mut model, (3, 9), 5, 3000)?;
        holds(&*snapshot, &model)?;
        snapshot.close().fine()?;
        holds(&*reopen(&*side)?, &model)?;
    }
    Ok(())
}

fn a_full_disk_refuses_a_compaction_and_keeps_nothing_of_it(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 40), 1, 3000)?;
    put_many(&*snapshot, &mut model, (0, 40), 2, 3000)?;
    let used = subject.disk().used();
    for more in [0, 10_000, 70_000, 110_000] {
        subject.disk().set_quota(Some(used + more));
        refused!(snapshot.compact(), Error::OutOfSpace);
        same(generations(subject).len(), 1)?;
        same(subject.disk().used(), used)?;
        holds(&*snapshot, &model)?;
    }
    subject.disk().set_quota(None);
    snapshot.compact().fine()?;
    ensure!(subject.disk().used() < used);
    holds(&*snapshot, &model)
}
