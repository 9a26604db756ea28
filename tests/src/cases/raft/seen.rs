//! What the reference design was seen to get wrong (FACTS.md): the same scenarios.

use super::super::{Case, case};
use super::kit::*;
use crate::raft::Entries;
use crate::sim::{Crash, SizeKept, Survivors};

pub(super) const CASES: &[Case] = &[
    case!(purging_everything_and_reopening_keeps_the_last_index, "R15", "G17.1"),
    case!(overwriting_then_truncating_never_brings_the_old_term_back, "R24"),
    case!(entries_behind_a_torn_tail_do_not_vanish, "W5"),
    case!(an_inverted_range_is_empty, "R6"),
];

fn purging_everything_and_reopening_keeps_the_last_index(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(3, 1, 41))?;
    log.purge(id(3, 40)).fine()?;
    log.close().fine()?;
    drop(log);
    for _ in 0..3 {
        let log = reopen(subject)?;
        same((log.last_index().fine()?, log.purge_boundary().fine()?), (40, Some(id(3, 40))))?;
        same(log.term_of(40).fine()?, Some(3))?;
    }
    let after = crash(subject, Crash::LOSE_ALL);
    let log = reopen(&*after)?;
    same(log.last_index().fine()?, 40)?;
    log.persist(&entries(4, 41, 42)).fine()?;
    same(log.last_index().fine()?, 41)
}

fn overwriting_then_truncating_never_brings_the_old_term_back(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.sync().fine()?;
    log.persist(&entries(2, 10, 15)).fine()?;
    log.truncate(12).fine()?;
    log.sync().fine()?;
    let mut model = Model::holding(&entries(1, 1, 12));
    model.persist(&entries(2, 10, 12), false).fine()?;
    let twin = fork(subject);
    let lost = crash(&*twin, Crash::LOSE_ALL);
    same(reopen(&*lost)?.term_of(11).fine()?, Some(2))?;
    same(reopen(&*lost)?.term_of(12).fine()?, None)?;
    holds_for_good(subject, log, &model)
}

fn entries_behind_a_torn_tail_do_not_vanish(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.sync().fine()?;
    log.persist(&longs(2, 21, 22)).fine()?;
    let (file, offset) = find(subject.disk(), &longs(2, 21, 22)[0].payload)?;
    let mut after = crash(subject, Crash::Process);
    after.disk().zero_sector(&file, offset + 2000);
    let mut model = Model::holding(&entries(1, 1, 21));
    for round in 0..5 {
        let log = reopen(&*after)?;
        holds(&*log, &model)?;
        let next = model.last_index() + 1;
        log.persist(&entries(3, next, next + 3)).fine()?;
        model.persist(&entries(3, next, next + 3), false).fine()?;
        log.sync().fine()?;
        log.persist(&longs(4, next + 3, next + 4)).fine()?;
        after = crash(&*after, Crash::Power { survivors: Survivors::Only(round % 2), size: SizeKept::New });
    }
    holds(&*reopen(&*after)?, &model)
}

fn an_inverted_range_is_empty(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.purge(id(1, 5)).fine()?;
    for (first, last) in [(10, 9), (20, 1), (u64::MAX, 0), (6, 5), (1, 0), (21, 20), (u64::MAX, 1)] {
        same(log.get_entries(first, last, ALL).fine()?, Entries::default())?;
    }
    Ok(())
}
