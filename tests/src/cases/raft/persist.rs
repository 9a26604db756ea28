//! Writing entries at their indexes.

use super::super::{Case, case};
use super::kit::*;
use annals_logs::error::{Bounds, Error};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(entries_are_there_with_term_and_payload, "R2"),
    case!(overwriting_in_the_middle_keeps_later_entries, "R3"),
    case!(overwriting_keeps_later_entries_across_segments, "R3", "F4.1"),
    case!(overwriting_never_lowers_the_last_index, "R3"),
    case!(a_batch_may_overwrite_and_go_on, "R2", "R3"),
    case!(a_batch_of_entries_is_one_frame, "F1.1"),
    case!(overwriting_takes_another_size_and_term, "R2", "R3"),
    case!(no_entries_are_fine_and_write_nothing, "R2"),
    case!(at_or_below_the_boundary_is_pruned, "R4"),
    case!(a_gap_is_refused_and_named, "R5"),
    case!(a_gap_in_a_batch_is_refused, "R5"),
    case!(gaps_are_allowed_by_an_option, "R5"),
    case!(a_gap_can_be_filled, "R5", "R2"),
    case!(a_batch_with_gaps_keeps_what_lies_between, "R3"),
    case!(batches_with_gaps_keep_what_lies_between_across_segments, "R3"),
    case!(the_first_entry_of_an_empty_log_has_index_one, "R5"),
    case!(the_highest_index_can_be_written, "G16.6"),
];

fn entries_are_there_with_term_and_payload(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let mut all = entries(1, 1, 4);
    all.push(entry(2, 4, ""));
    all.push(entry(u64::MAX, 5, vec![0; 5000]));
    log.persist(&all[..2]).fine()?;
    log.persist_packed(&pack(&all[2..])).fine()?;
    same(log.entry(4).fine()?, Some(entry(2, 4, "")))?;
    same(log.entry(5).fine()?, Some(all[4].clone()))?;
    same(unpack(&log.get_entries(1, 5, ALL).fine()?), all.clone())?;
    holds_for_good(subject, log, &Model::holding(&all))
}

fn overwriting_in_the_middle_keeps_later_entries(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let mut model = Model::holding(&entries(1, 1, 21));
    log.persist(&entries(2, 5, 8)).fine()?;
    model.persist(&entries(2, 5, 8), false).fine()?;
    log.persist(&entries(3, 7, 8)).fine()?;
    model.persist(&entries(3, 7, 8), false).fine()?;
    same(log.term_of(8).fine()?, Some(1))?;
    holds_for_good(subject, log, &model)
}

fn overwriting_keeps_later_entries_across_segments(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 60))?;
    let mut model = Model::holding(&longs(1, 1, 60));
    for (term, start, end) in [(2, 3, 6), (3, 5, 30), (4, 1, 3), (5, 29, 31), (6, 58, 60), (7, 20, 28)] {
        log.persist(&longs(term, start, end)).fine()?;
        model.persist(&longs(term, start, end), false).fine()?;
        holds(&*log, &model)?;
    }
    ensure!(subject.disk().file_names().len() > 5, "few segments");
    holds_for_good(subject, log, &model)
}

fn overwriting_never_lowers_the_last_index(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    for index in [1, 10, 20] {
        log.persist(&entries(9, index, index + 1)).fine()?;
        same(log.last_index().fine()?, 20)?;
    }
    drop(log);
    same(reopen(subject)?.last_index().fine()?, 20)
}

fn a_batch_may_overwrite_and_go_on(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let mut model = Model::holding(&entries(1, 1, 21));
    log.persist(&entries(2, 18, 25)).fine()?;
    model.persist(&entries(2, 18, 25), false).fine()?;
    same(log.last_index().fine()?, 24)?;
    log.persist(&entries(2, 25, 27)).fine()?;
    model.persist(&entries(2, 25, 27), false).fine()?;
    holds_for_good(subject, log, &model)
}

fn a_batch_of_entries_is_one_frame(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.persist(&entries(2, 18, 25)).fine()?;
    log.persist(&entries(3, 2, 4)).fine()?;
    same(kinds(subject)?, ["header", "append", "put", "put"].map(String::from).to_vec())
}

fn overwriting_takes_another_size_and_term(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let mut model = Model::holding(&entries(1, 1, 21));
    for entry in [entry(7, 3, ""), entry(0, 4, vec![9; 9000]), entry(u64::MAX, 3, "again")] {
        log.persist(std::slice::from_ref(&entry)).fine()?;
        model.persist(&[entry], false).fine()?;
    }
    holds_for_good(subject, log, &model)
}

fn no_entries_are_fine_and_write_nothing(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let before = subject.disk().hash();
    log.persist(&[]).fine()?;
    log.persist_packed(&pack(&[])).fine()?;
    same((subject.disk().hash(), log.last_index().fine()?), (before, 0))?;
    log.purge(id(1, 5)).fine()?;
    log.persist(&[]).fine()
}

fn at_or_below_the_boundary_is_pruned(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.purge(id(1, 5)).fine()?;
    let model = contents(&*log)?;
    let bounds = Bounds { start: 6, end: 21 };
    for start in 1..6 {
        same_answer(log.persist(&entries(2, start, start + 10)), Err(Error::Pruned(bounds)))?;
        same_answer(log.persist_packed(&pack(&entries(2, start, 6))), Err(Error::Pruned(bounds)))?;
    }
    holds(&*log, &model)?;
    log.persist(&entries(2, 6, 8)).fine()?;
    same(log.term_of(6).fine()?, Some(2))
}

fn a_gap_is_refused_and_named(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let gap = Bounds { start: 21, end: 23 };
    same_answer(log.persist(&entries(1, 23, 25)), Err(Error::Gap(gap)))?;
    same_answer(log.persist_packed(&pack(&entries(1, 23, 25))), Err(Error::Gap(gap)))?;
    log.purge(id(1, 30)).fine()?;
    same_answer(log.persist(&entries(2, 33, 34)), Err(Error::Gap(Bounds { start: 31, end: 33 })))?;
    log.persist(&entries(2, 31, 33)).fine()?;
    same(log.first_index().fine()?, Some(31))
}

fn a_gap_in_a_batch_is_refused(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let before = subject.disk().hash();
    let batch = [named(2, 19), named(2, 21), named(2, 24), named(2, 30)];
    same_answer(log.persist(&batch), Err(Error::Gap(Bounds { start: 22, end: 24 })))?;
    same(subject.disk().hash(), before)?;
    // Below the last index nothing is left out that was there.
    log.persist(&[named(2, 3), named(2, 9), named(2, 21)]).fine()?;
    let mut model = Model::holding(&entries(1, 1, 21));
    model.persist(&[named(2, 3), named(2, 9), named(2, 21)], false).fine()?;
    holds_for_good(subject, log, &model)
}

fn gaps_are_allowed_by_an_option(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &gappy(Mode::Create)).fine()?;
    let batches = [vec![named(1, 5), named(1, 6), named(1, 9)], vec![named(2, 100)], entries(3, 1000, 1010)];
    let mut model = Model::new();
    for batch in &batches {
        log.persist(batch).fine()?;
        model.persist(batch, true).fine()?;
        holds(&*log, &model)?;
    }
    same((log.first_index().fine()?, log.last_index().fine()?), (Some(5), 1009))?;
    for missing in [1, 7, 99, 101, 999, 1010] {
        same((log.entry(missing).fine()?, log.term_of(missing).fine()?), (None, None))?;
    }
    holds_for_good(subject, log, &model)?;
    // The option is about what may be written, not about what is there.
    let strict = reopen(subject)?;
    refused!(strict.persist(&entries(3, 1011, 1012)), Error::Gap(Bounds { start: 1010, end: 1011 }));
    strict.persist(&entries(3, 50, 60)).fine()
}

fn a_gap_can_be_filled(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &gappy(Mode::Create)).fine()?;
    let mut model = Model::new();
    for (start, end) in [(10, 13), (30, 33), (20, 22), (1, 3), (12, 31), (5, 6)] {
        let batch = entries(start, start, end);
        log.persist(&batch).fine()?;
        model.persist(&batch, true).fine()?;
        holds(&*log, &model)?;
    }
    holds_for_good(subject, log, &model)
}

fn a_batch_with_gaps_keeps_what_lies_between(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    let mut model = Model::holding(&entries(1, 1, 21));
    for (term, indexes) in [(2, [2, 5, 6, 19]), (3, [4, 5, 20, 21]), (4, [1, 8, 20, 22])] {
        let batch: Vec<Entry> = indexes.iter().map(|&index| named(term, index)).collect();
        log.persist(&batch).fine()?;
        model.persist(&batch, false).fine()?;
        holds(&*log, &model)?;
    }
    holds_for_good(subject, log, &model)
}

fn batches_with_gaps_keep_what_lies_between_across_segments(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 50))?;
    let mut model = Model::holding(&longs(1, 1, 50));
    for (term, step) in [(2, 7), (3, 11), (4, 3), (5, 25)] {
        let batch: Vec<Entry> =
            (step..50).step_by(step as usize).map(|index| long(term, index, 500)).collect();
        log.persist(&batch).fine()?;
        model.persist(&batch, false).fine()?;
        holds(&*log, &model)?;
        one_by_one(&*log, &longs(term, 40, 50))?;
        model.persist(&longs(term, 40, 50), false).fine()?;
    }
    holds_for_good(subject, log, &model)
}

fn the_first_entry_of_an_empty_log_has_index_one(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    same((log.first_index().fine()?, log.last_index().fine()?), (None, 0))?;
    refused!(log.persist(&entries(1, 2, 3)), Error::Gap(Bounds { start: 1, end: 2 }));
    log.persist(&entries(1, 1, 2)).fine()?;
    same((log.first_index().fine()?, log.last_index().fine()?), (Some(1), 1))
}

fn the_highest_index_can_be_written(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &gappy(Mode::Create)).fine()?;
    let highest = u64::MAX - 2;
    log.persist(&[named(1, highest - 1), named(1, highest)]).fine()?;
    refused!(log.persist(&[named(1, highest + 1)]), Error::InvalidArgument(_));
    same(log.last_index().fine()?, highest)?;
    log.purge(id(1, highest)).fine()?;
    refused!(log.purge(id(1, highest + 1)), Error::InvalidArgument(_));
    holds_for_good(subject, log, &Model::saying(&[], Some(id(1, highest)), None))
}
