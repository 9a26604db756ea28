//! Dropping entries from the back, and putting others in their place.

use super::super::{Case, case};
use super::kit::*;
use annals_logs::error::{Bounds, Error};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(truncation_drops_every_entry_from_the_first_on, "R8"),
    case!(truncation_beyond_the_last_is_a_no_op, "R8"),
    case!(truncation_of_everything_leaves_an_empty_log, "R8"),
    case!(truncation_at_or_below_the_boundary_is_pruned, "R8", "R4"),
    case!(truncation_behind_a_gap_lowers_the_last_index_to_an_entry, "R15", "R8"),
    case!(truncation_crosses_segments, "R8", "F4.1"),
    case!(truncation_gives_space_back, "G13.6"),
    case!(replacement_is_one_frame, "R9", "F4.2"),
    case!(replacement_without_entries_is_truncation, "R9"),
    case!(replacement_may_be_shorter_or_longer, "R9"),
    case!(replacement_begins_at_first, "R9", "X1"),
    case!(replacement_leaves_no_gap, "R5", "R9"),
    case!(replacement_at_or_below_the_boundary_is_pruned, "R4", "R9"),
    case!(replacement_crosses_segments, "R9"),
];

fn truncation_drops_every_entry_from_the_first_on(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.truncate(15).fine()?;
    same((log.last_index().fine()?, log.entry(15).fine()?), (14, None))?;
    log.persist(&entries(2, 15, 17)).fine()?;
    let mut model = Model::holding(&entries(1, 1, 15));
    model.persist(&entries(2, 15, 17), false).fine()?;
    holds_for_good(subject, log, &model)
}

fn truncation_beyond_the_last_is_a_no_op(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let before = subject.disk().hash();
    log.truncate(21).fine()?;
    log.truncate(u64::MAX).fine()?;
    log.replace_range(21, &[]).fine()?;
    same(subject.disk().hash(), before)?;
    log.purge(id(1, 40)).fine()?;
    log.truncate(41).fine()?;
    same(log.last_index().fine()?, 40)
}

fn truncation_of_everything_leaves_an_empty_log(subject: &dyn Subject) -> Outcome {
    for first in [0, 1] {
        let side = fork(subject);
        let log = twenty(&*side)?;
        log.truncate(first).fine()?;
        same((log.first_index().fine()?, log.last_index().fine()?), (None, 0))?;
        log.persist(&entries(2, 1, 3)).fine()?;
        holds_for_good(&*side, log, &Model::holding(&entries(2, 1, 3)))?;
    }
    Ok(())
}

fn truncation_at_or_below_the_boundary_is_pruned(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.purge(id(1, 8)).fine()?;
    let bounds = Bounds { start: 9, end: 21 };
    for first in [0, 1, 7, 8] {
        same_answer(log.truncate(first), Err(Error::Pruned(bounds)))?;
        same_answer(log.replace_range(first, &[]), Err(Error::Pruned(bounds)))?;
    }
    log.truncate(9).fine()?;
    same((log.first_index().fine()?, log.last_index().fine()?), (None, 8))?;
    holds_for_good(subject, log, &Model::saying(&[], Some(id(1, 8)), None))
}

fn truncation_behind_a_gap_lowers_the_last_index_to_an_entry(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &gappy(Mode::Create)).fine()?;
    let mut model = Model::new();
    for batch in [entries(1, 1, 4), entries(1, 10, 12), entries(1, 30, 33)] {
        log.persist(&batch).fine()?;
        model.persist(&batch, true).fine()?;
    }
    for (first, last) in [(32, 31), (20, 11), (10, 3)] {
        log.truncate(first).fine()?;
        model.truncate(first).fine()?;
        same(log.last_index().fine()?, last)?;
        holds(&*log, &model)?;
    }
    log.persist(&entries(2, 4, 6)).fine()?;
    model.persist(&entries(2, 4, 6), false).fine()?;
    holds_for_good(subject, log, &model)
}

fn truncation_crosses_segments(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 50))?;
    let mut model = Model::holding(&longs(1, 1, 50));
    for (term, first) in [(2, 45), (3, 20), (4, 21), (5, 3)] {
        log.truncate(first).fine()?;
        model.truncate(first).fine()?;
        holds(&*log, &model)?;
        one_by_one(&*log, &longs(term, first, first + 15))?;
        model.persist(&longs(term, first, first + 15), false).fine()?;
        holds(&*log, &model)?;
    }
    holds_for_good(subject, log, &model)
}

fn truncation_gives_space_back(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 60))?;
    ensure!(subject.disk().file_names().len() > 5);
    log.replace_range(2, &entries(2, 2, 4)).fine()?;
    log.close().fine()?;
    drop(log);
    // The first segment holds entry 1, the last one what replaced the others.
    same(subject.disk().file_names().len(), 2)?;
    let mut model = Model::holding(&longs(1, 1, 2));
    model.persist(&entries(2, 2, 4), false).fine()?;
    holds(&*reopen(subject)?, &model)
}

fn replacement_is_one_frame(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.replace_range(15, &entries(2, 15, 18)).fine()?;
    same(kinds(subject)?, ["header", "append", "truncate"].map(String::from).to_vec())?;
    log.replace_range_packed(18, &pack(&entries(2, 18, 19))).fine()?;
    same(kinds(subject)?.len(), 4)?;
    let mut model = Model::holding(&entries(1, 1, 15));
    model.persist(&entries(2, 15, 19), false).fine()?;
    holds_for_good(subject, log, &model)
}

fn replacement_without_entries_is_truncation(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.replace_range(15, &[]).fine()?;
    log.replace_range_packed(10, &pack(&[])).fine()?;
    holds_for_good(subject, log, &Model::holding(&entries(1, 1, 10)))
}

fn replacement_may_be_shorter_or_longer(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let mut model = Model::holding(&entries(1, 1, 21));
    for (term, first, end) in [(2, 10, 30), (3, 12, 13), (4, 13, 20), (5, 1, 3), (6, 3, 9)] {
        log.replace_range(first, &entries(term, first, end)).fine()?;
        model.replace_range(first, &entries(term, first, end), false).fine()?;
        same(log.last_index().fine()?, end - 1)?;
        holds(&*log, &model)?;
    }
    holds_for_good(subject, log, &model)
}

fn replacement_begins_at_first(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    for first in [0, 4, 6, u64::MAX] {
        refused!(log.replace_range(first, &entries(2, 5, 8)), Error::InvalidArgument(_));
        refused!(log.replace_range_packed(first, &pack(&entries(2, 5, 8))), Error::InvalidArgument(_));
    }
    holds(&*log, &Model::holding(&entries(1, 1, 21)))
}

fn replacement_leaves_no_gap(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let batch = [named(2, 5), named(2, 7)];
    same_answer(log.replace_range(5, &batch), Err(Error::Gap(Bounds { start: 6, end: 7 })))?;
    same_answer(log.replace_range(22, &entries(2, 22, 23)), Err(Error::Gap(Bounds { start: 21, end: 22 })))?;
    log.replace_range(21, &entries(2, 21, 23)).fine()?;
    drop(log);
    let log = subject.open_raft(LOG, &gappy(Mode::Open)).fine()?;
    let mut model = Model::holding(&entries(1, 1, 21));
    model.persist(&entries(2, 21, 23), false).fine()?;
    log.replace_range(5, &batch).fine()?;
    model.replace_range(5, &batch, true).fine()?;
    holds(&*log, &model)?;
    log.replace_range(30, &[named(3, 30), named(3, 40)]).fine()?;
    model.replace_range(30, &[named(3, 30), named(3, 40)], true).fine()?;
    holds_for_good(subject, log, &model)
}

fn replacement_at_or_below_the_boundary_is_pruned(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.purge(id(1, 8)).fine()?;
    let bounds = Bounds { start: 9, end: 21 };
    same_answer(log.replace_range(8, &entries(2, 8, 12)), Err(Error::Pruned(bounds)))?;
    log.replace_range(9, &entries(2, 9, 12)).fine()?;
    same((log.first_index().fine()?, log.last_index().fine()?), (Some(9), 11))
}

fn replacement_crosses_segments(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 50))?;
    let mut model = Model::holding(&longs(1, 1, 50));
    for (term, first, end) in [(2, 40, 60), (3, 11, 15), (4, 14, 40), (5, 2, 30)] {
        log.replace_range(first, &longs(term, first, end)).fine()?;
        model.replace_range(first, &longs(term, first, end), false).fine()?;
        holds(&*log, &model)?;
    }
    holds_for_good(subject, log, &model)
}
