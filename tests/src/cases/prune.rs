//! Pruning from the front.

use super::kit::*;
use super::{Case, case};
use crate::sim::Crash;
use crate::subject::{JournalSubject, Subject};

pub(super) const CASES: &[Case] = &[
    case!(pruning_rounds_down_to_whole_sections, "J16", "J15"),
    case!(pruning_above_the_size_is_capped, "J16"),
    case!(pruning_says_whether_anything_went, "J15"),
    case!(a_prune_is_durable_when_it_returns, "J17", "F1.5"),
    case!(a_prune_makes_every_append_before_it_durable, "J17"),
    case!(pruning_removes_files_that_hold_nothing_else, "G13.6"),
    case!(boundaries_do_not_regress_after_pruning_everything, "G17.1", "J14"),
    case!(a_section_is_a_purely_logical_unit, "J18"),
    case!(old_segments_take_no_state_with_them, "G12.3"),
    case!(a_pruned_journal_goes_on, "J16", "G13.6"),
];

/// The model's answers to a prune, and the state after it.
fn prunes(journal: &dyn JournalSubject, min: u64, moved: bool, start: u64, end: u64) -> Outcome {
    same((min, journal.prune(min).fine()?), (min, moved))?;
    holds(journal, &holding(start, end))
}

fn pruning_rounds_down_to_whole_sections(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 45)?;
    prunes(&*journal, 9, false, 0, 45)?;
    prunes(&*journal, 10, true, 10, 45)?;
    prunes(&*journal, 29, true, 20, 45)?;
    prunes(&*journal, 30, true, 30, 45)
}

fn pruning_above_the_size_is_capped(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 25)?;
    prunes(&*journal, 1000, true, 20, 25)?;
    append(&*journal, 25, 30)?;
    prunes(&*journal, u64::MAX, true, 30, 30)
}

fn pruning_says_whether_anything_went(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    prunes(&*journal, 50, false, 0, 0)?;
    append(&*journal, 0, 25)?;
    prunes(&*journal, 0, false, 0, 25)?;
    prunes(&*journal, 20, true, 20, 25)?;
    prunes(&*journal, 20, false, 20, 25)?;
    prunes(&*journal, 10, false, 20, 25)
}

fn a_prune_is_durable_when_it_returns(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 25)?;
    ensure!(journal.prune(20).fine()?);
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &holding(20, 25))
}

fn a_prune_makes_every_append_before_it_durable(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 12)?;
    append(&*journal, 12, 18)?;
    journal.rewind(17).fine()?;
    ensure!(journal.prune(10).fine()?);
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &holding(10, 17))
}

fn pruning_removes_files_that_hold_nothing_else(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 100, 4000)?;
    let (files, bytes) = (subject.disk().file_names().len(), subject.disk().used());
    ensure!(journal.prune(90).fine()?);
    let (left, used) = (subject.disk().file_names().len(), subject.disk().used());
    ensure!(left < files && left <= 3, "{left} of {files} files are left");
    ensure!(used < bytes / 2, "{used} of {bytes} bytes are left");
    holds(&*journal, &holding_long(90, 100, 4000))?;
    journal.close().fine()?;
    holds(&*reopen(subject)?, &holding_long(90, 100, 4000))?;
    same(subject.verify(LOG).fine()?, vec![])
}

fn boundaries_do_not_regress_after_pruning_everything(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 40, 4000)?;
    ensure!(journal.prune(40).fine()?);
    journal.close().fine()?;
    for _ in 0..3 {
        let journal = reopen(subject)?;
        holds(&*journal, &holding(40, 40))?;
        journal.close().fine()?;
    }
    let journal = reopen(subject)?;
    same(journal.append(&item(40)).fine()?, 40)?;
    journal.sync().fine()?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &holding(40, 41))
}

fn a_section_is_a_purely_logical_unit(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    // One frame over four sections: its front is pruned all the same.
    append_batch(&*journal, 0, 40)?;
    prunes(&*journal, 25, true, 20, 40)?;
    journal.close().fine()?;
    let journal = reopen(subject)?;
    holds(&*journal, &holding(20, 40))?;
    journal.rewind(22).fine()?;
    holds(&*journal, &holding(20, 22))
}

fn old_segments_take_no_state_with_them(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 30, 4000)?;
    journal.rewind(15).fine()?;
    append_long(&*journal, 15, 60, 4000)?;
    ensure!(journal.prune(30).fine()?);
    append_long(&*journal, 60, 80, 4000)?;
    ensure!(journal.prune(55).fine()?);
    journal.sync().fine()?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, &holding_long(50, 80, 4000))
}

fn a_pruned_journal_goes_on(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    let mut end = 0;
    for round in 1..=20 {
        append_long(&*journal, end, end + 13, 3000)?;
        end += 13;
        journal.prune(end.saturating_sub(5)).fine()?;
        let start = (round * 13u64).saturating_sub(5) / 10 * 10;
        holds(&*journal, &holding_long(start, end, 3000))?;
    }
    journal.close().fine()?;
    holds(&*reopen(subject)?, &holding_long((end - 5) / 10 * 10, end, 3000))
}
