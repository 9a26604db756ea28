//! Dropping entries from the front, and everything.

use super::super::{Case, case};
use super::kit::*;
use crate::sim::{Call, Crash, CrashPlan, Fault, Point};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(purge_drops_entries_up_to_and_including, "R10"),
    case!(purge_is_remembered_with_its_term, "R10", "G17.1"),
    case!(purge_of_index_zero_or_below_the_boundary_is_a_no_op, "R11"),
    case!(purge_beyond_the_last_is_allowed, "R12"),
    case!(purge_takes_the_term_as_given, "R10"),
    case!(purge_within_a_gap_keeps_what_follows, "R10"),
    case!(purge_is_durable_when_it_returns, "R13"),
    case!(purge_removes_files_only_once_it_is_durable, "R13", "G13.3"),
    case!(purge_gives_space_back, "G13.6"),
    case!(purge_of_overwritten_entries_keeps_the_rest, "R10", "G12.3"),
    case!(many_purges_of_an_empty_log_take_little_space, "G13.6"),
    case!(reset_removes_entries_and_boundary, "R17"),
    case!(reset_keeps_the_hard_state, "R17"),
    case!(reset_is_durable_when_it_returns, "R17"),
    case!(reset_gives_space_back, "R17", "G13.6"),
    case!(after_a_reset_indexes_begin_anew, "R17"),
];

fn purge_drops_entries_up_to_and_including(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let mut model = Model::holding(&entries(1, 1, 21));
    for index in [1, 7, 8, 19] {
        log.purge(id(1, index)).fine()?;
        model.purge(id(1, index)).fine()?;
        same(log.first_index().fine()?, Some(index + 1))?;
        holds(&*log, &model)?;
    }
    holds_for_good(subject, log, &model)
}

fn purge_is_remembered_with_its_term(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    same(log.purge_boundary().fine()?, None)?;
    log.purge(id(1, 20)).fine()?;
    same(log.purge_boundary().fine()?, Some(id(1, 20)))?;
    holds_for_good(subject, log, &Model::saying(&[], Some(id(1, 20)), None))
}

fn purge_of_index_zero_or_below_the_boundary_is_a_no_op(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let before = subject.disk().hash();
    log.purge(id(5, 0)).fine()?;
    same((subject.disk().hash(), log.purge_boundary().fine()?), (before, None))?;
    log.purge(id(1, 9)).fine()?;
    let before = subject.disk().hash();
    for index in [0, 1, 8, 9] {
        log.purge(id(7, index)).fine()?;
    }
    same((subject.disk().hash(), log.purge_boundary().fine()?), (before, Some(id(1, 9))))
}

fn purge_beyond_the_last_is_allowed(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let mut model = Model::holding(&entries(1, 1, 21));
    log.purge(id(4, 50)).fine()?;
    model.purge(id(4, 50)).fine()?;
    same((log.first_index().fine()?, log.last_index().fine()?), (None, 50))?;
    let twin = fork(subject);
    holds_for_good(&*twin, reopen(&*twin)?, &model)?;
    log.persist(&entries(5, 51, 53)).fine()?;
    model.persist(&entries(5, 51, 53), false).fine()?;
    drop(log);
    let log = subject.open_raft(LOG, &gappy(Mode::Open)).fine()?;
    log.purge(id(5, 60)).fine()?;
    model.purge(id(5, 60)).fine()?;
    log.persist(&entries(6, 70, 72)).fine()?;
    model.persist(&entries(6, 70, 72), true).fine()?;
    holds_for_good(subject, log, &model)
}

fn purge_takes_the_term_as_given(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.purge(id(9, 5)).fine()?;
    same((log.term_of(5).fine()?, log.term_of(6).fine()?), (Some(9), Some(1)))
}

fn purge_within_a_gap_keeps_what_follows(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &gappy(Mode::Create)).fine()?;
    let mut model = Model::new();
    for batch in [entries(1, 1, 3), entries(1, 10, 13)] {
        log.persist(&batch).fine()?;
        model.persist(&batch, true).fine()?;
    }
    log.purge(id(1, 5)).fine()?;
    model.purge(id(1, 5)).fine()?;
    same(log.first_index().fine()?, Some(10))?;
    log.persist(&entries(2, 7, 8)).fine()?;
    model.persist(&entries(2, 7, 8), true).fine()?;
    holds_for_good(subject, log, &model)
}

fn purge_is_durable_when_it_returns(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.purge(id(1, 7)).fine()?;
    let model = Model::saying(&entries(1, 8, 21), Some(id(1, 7)), None);
    holds(&*log, &model)?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &model)
}

fn purge_removes_files_only_once_it_is_durable(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 40))?;
    let files = subject.disk().file_names();
    let twin = fork(subject);
    let failing = reopen(&*twin)?;
    twin.disk().inject(Fault::next(Call::Sync));
    ensure!(failing.purge(id(1, 35)).is_err());
    same(twin.disk().file_names(), files.clone())?;
    log.purge(id(1, 35)).fine()?;
    ensure!(subject.disk().file_names().len() + 2 < files.len(), "few files were removed");
    // The machine stops at each of the removals.
    for call in 1.. {
        let side = subject.on(twin.disk().fork().reboot(Crash::LOSE_ALL));
        let log = reopen(&*side)?;
        let first = side.disk().calls();
        side.disk().plan_crash(CrashPlan { call: first + call, point: Point::After });
        let purged = log.purge(id(1, 35));
        let crashed = side.disk().has_crashed();
        let after = side.on(side.disk().fork().reboot(Crash::LOSE_ALL));
        let got = contents(&*reopen(&*after)?)?;
        ensure!(got.boundary().is_none() || got.boundary() == Some(id(1, 35)), "call {call}: {got:?}");
        if !crashed {
            return purged.fine();
        }
    }
    Ok(())
}

fn purge_gives_space_back(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let mut most = 0;
    for round in 0..30 {
        one_by_one(&*log, &longs(1, round * 10 + 1, round * 10 + 11))?;
        log.purge(id(1, round * 10 + 8)).fine()?;
        most = most.max(subject.disk().used());
    }
    ensure!(most < 600 << 10, "{most} bytes for ten entries of {LONG} bytes");
    same(log.first_index().fine()?, Some(299))
}

fn purge_of_overwritten_entries_keeps_the_rest(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 40))?;
    let mut model = Model::holding(&longs(1, 1, 40));
    for (term, start, end) in [(2, 3, 9), (3, 30, 33), (4, 20, 22)] {
        log.persist(&longs(term, start, end)).fine()?;
        model.persist(&longs(term, start, end), false).fine()?;
    }
    for index in [5, 8, 21, 31, 39] {
        log.purge(id(4, index)).fine()?;
        model.purge(id(4, index)).fine()?;
        holds(&*log, &model)?;
    }
    holds_for_good(subject, log, &model)
}

fn many_purges_of_an_empty_log_take_little_space(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let mut most = 0;
    for index in 1..3000 {
        log.purge(id(1, index)).fine()?;
        most = most.max(subject.disk().used());
    }
    ensure!(most < 300 << 10, "{most} bytes for a boundary");
    holds_for_good(subject, log, &Model::saying(&[], Some(id(1, 2999)), None))
}

fn reset_removes_entries_and_boundary(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.purge(id(1, 5)).fine()?;
    log.reset().fine()?;
    same((log.last_index().fine()?, log.purge_boundary().fine()?), (0, None))?;
    same((log.term_of(5).fine()?, log.entry(6).fine()?), (None, None))?;
    holds_for_good(subject, log, &Model::new())
}

fn reset_keeps_the_hard_state(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 30))?;
    log.save_hard_state(&hard(7, 2)).fine()?;
    log.reset().fine()?;
    holds_for_good(subject, log, &Model::saying(&[], None, Some(hard(7, 2))))
}

fn reset_is_durable_when_it_returns(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.sync().fine()?;
    log.truncate(1).fine()?;
    // There is nothing left to remove, but that itself is not durable yet.
    let twin = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    same(reopen(&*twin)?.last_index().fine()?, 20)?;
    log.reset().fine()?;
    let twin = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    same(reopen(&*twin)?.last_index().fine()?, 0)?;
    log.persist(&entries(2, 1, 3)).fine()?;
    log.reset().fine()?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &Model::new())
}

fn reset_gives_space_back(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 60))?;
    let before = subject.disk().file_names().len();
    log.reset().fine()?;
    same((before > 5, subject.disk().file_names().len()), (true, 1))
}

fn after_a_reset_indexes_begin_anew(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 30))?;
    log.purge(id(1, 12)).fine()?;
    log.reset().fine()?;
    one_by_one(&*log, &longs(2, 1, 16))?;
    let model = Model::holding(&longs(2, 1, 16));
    holds(&*log, &model)?;
    log.persist(&longs(2, 16, 40)).fine()?;
    log.truncate(16).fine()?;
    holds_for_good(subject, log, &model)
}
