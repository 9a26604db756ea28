//! Deleting ranges of ids.

use super::kit::*;
use crate::cases::{Case, case};
use crate::sim::{Call, Crash};
use annals_logs::error::{Bounds, Error, Limit};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(delete_range_deletes_both_ends_and_says_how_many, "E16"),
    case!(an_inverted_range_deletes_nothing, "E16"),
    case!(deleting_again_counts_only_what_was_still_there, "E16"),
    case!(a_deleted_id_is_refused_also_after_reopening, "E10"),
    case!(ids_from_the_next_one_on_are_not_deleted, "E16", "E10"),
    case!(deleting_gaps_of_a_log_that_is_empty_again_changes_nothing_else, "E13", "E16", "E10"),
    case!(next_event_id_stays_when_everything_is_deleted, "E12", "E13", "G17.1"),
    case!(oldest_and_newest_are_right_after_deletes_at_either_end, "E13"),
    case!(a_deletion_is_durable_on_return_and_so_is_what_was_before, "E17"),
    case!(a_deletion_is_whole_or_absent_after_a_crash, "E17"),
    case!(space_comes_back_with_files_of_which_nothing_is_left, "E17", "E22"),
    case!(a_file_goes_even_if_its_gaps_were_filled_elsewhere, "E17"),
    case!(a_file_with_one_event_left_stays, "E17", "E21"),
    case!(deleted_events_stay_deleted_when_their_files_are_gone, "E17", "G12.3"),
    case!(more_ranges_than_fit_are_refused_before_anything_is_written, "G12.4", "X1"),
    case!(a_full_disk_can_be_freed_by_deleting, "D10.6"),
    case!(waiting_events_are_deleted_too, "E16"),
];

fn delete_range_deletes_both_ends_and_says_how_many(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..10)?;
    same(log.delete_range(3, 5).fine()?, 3)?;
    same(log.delete_range(9, 9).fine()?, 1)?;
    append(&*log, [20, 30])?;
    same(log.delete_range(10, 20).fine()?, 1)?;
    same(log.delete_range(21, 29).fine()?, 0)?;
    holds_for_good(subject, log, [0, 1, 2, 6, 7, 8, 30])
}

fn an_inverted_range_deletes_nothing(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..5)?;
    let before = subject.disk().hash();
    same(log.delete_range(3, 2).fine()?, 0)?;
    same(log.delete_range(u64::MAX, 0).fine()?, 0)?;
    same(subject.disk().hash(), before)?;
    holds(&*log, 0..5)
}

fn deleting_again_counts_only_what_was_still_there(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..20)?;
    same(log.delete_range(5, 8).fine()?, 4)?;
    let before = subject.disk().hash();
    same(log.delete_range(5, 8).fine()?, 0)?;
    same(log.delete_range(6, 6).fine()?, 0)?;
    same(subject.disk().hash(), before)?;
    same(log.delete_range(4, 10).fine()?, 3)?;
    same(log.delete_range(0, 100).fine()?, 13)?;
    holds_for_good(subject, log, [])
}

fn a_deleted_id_is_refused_also_after_reopening(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [0, 1, 2, 3, 9])?;
    same(log.delete_range(1, 2).fine()?, 2)?;
    same(log.delete_range(4, 6).fine()?, 0)?;
    let check = |log: &dyn EventSubject| -> Outcome {
        let before = subject.disk().hash();
        same_answer(log.append_with_id(1, &event(1)), Err(Error::Deleted(Bounds { start: 1, end: 3 })))?;
        same_answer(log.append_with_id(2, b"x"), Err(Error::Deleted(Bounds { start: 1, end: 3 })))?;
        same_answer(log.append_with_id(5, b"x"), Err(Error::Deleted(Bounds { start: 4, end: 7 })))?;
        same_answer(batch(log, 3, 5), Err(Error::Deleted(Bounds { start: 4, end: 7 })))?;
        same(subject.disk().hash(), before)
    };
    check(&*log)?;
    same(log.delete_range(3, 3).fine()?, 1)?;
    same_answer(log.append_with_id(1, b"x"), Err(Error::Deleted(Bounds { start: 1, end: 7 })))?;
    log.close().fine()?;
    let log = reopen(subject)?;
    same_answer(log.append_with_id(3, b"x"), Err(Error::Deleted(Bounds { start: 1, end: 7 })))?;
    append(&*log, [7, 8])?;
    holds_for_good(subject, log, [0, 7, 8, 9])
}

fn ids_from_the_next_one_on_are_not_deleted(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    same(log.delete_range(0, u64::MAX).fine()?, 0)?;
    append(&*log, 0..5)?;
    let before = subject.disk().hash();
    same(log.delete_range(5, 100).fine()?, 0)?;
    same(subject.disk().hash(), before)?;
    same(log.delete_range(2, u64::MAX).fine()?, 3)?;
    same(log.next_event_id().fine()?, 5)?;
    append(&*log, 5..8)?;
    holds_for_good(subject, log, [0, 1, 5, 6, 7])
}

fn deleting_gaps_of_a_log_that_is_empty_again_changes_nothing_else(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [5, 9])?;
    same(log.delete_range(9, 9).fine()?, 1)?;
    same(log.delete_range(5, 5).fine()?, 1)?;
    same((log.oldest_event_id().fine()?, log.newest_event_id().fine()?), (None, None))?;
    // Nothing is there to be deleted; but an id of the range is refused from now on.
    same(log.delete_range(0, 3).fine()?, 0)?;
    refused!(log.append_with_id(2, &event(2)), Error::Deleted(_));
    same(log.next_event_id().fine()?, 10)?;
    append(&*log, [7])?;
    same((log.oldest_event_id().fine()?, log.newest_event_id().fine()?), (Some(7), Some(7)))?;
    holds_for_good(subject, log, [7])
}

fn next_event_id_stays_when_everything_is_deleted(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..40, 5000)?;
    same(log.delete_range(0, u64::MAX).fine()?, 40)?;
    for end in [None, Some(Crash::LOSE_ALL)] {
        let after = end.map_or_else(|| fork(subject), |end| crash(&*fork(subject), end));
        let log = reopen(&*after)?;
        same(log.next_event_id().fine()?, 40)?;
        same(log.oldest_event_id().fine()?, None)?;
        same(log.newest_event_id().fine()?, None)?;
        append(&*log, [40])?;
        holds(&*log, [40])?;
    }
    append_long(&*log, 40..60, 5000)?;
    same(log.delete_range(0, 59).fine()?, 20)?;
    log.close().fine()?;
    let log = reopen(subject)?;
    same(log.next_event_id().fine()?, 60)?;
    refused!(log.append_with_id(0, &long(0, 5000)), Error::Deleted(_));
    holds_for_good(subject, log, [])
}

fn oldest_and_newest_are_right_after_deletes_at_either_end(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let ends = |log: &dyn EventSubject, oldest: Option<u64>, newest: Option<u64>| -> Outcome {
        same(log.oldest_event_id().fine()?, oldest)?;
        same(log.newest_event_id().fine()?, newest)?;
        let stats = log.stats().fine()?;
        same((stats.oldest, stats.newest), (oldest, newest))
    };
    ends(&*log, None, None)?;
    append(&*log, [5, 10, 15, 20, 25])?;
    ends(&*log, Some(5), Some(25))?;
    same(log.delete_range(20, 30).fine()?, 2)?;
    ends(&*log, Some(5), Some(15))?;
    same(log.delete_range(0, 5).fine()?, 1)?;
    ends(&*log, Some(10), Some(15))?;
    same(log.delete_range(12, 12).fine()?, 0)?;
    ends(&*log, Some(10), Some(15))?;
    append(&*log, [8])?;
    ends(&*log, Some(8), Some(15))?;
    same(log.delete_range(9, 15).fine()?, 2)?;
    ends(&*log, Some(8), Some(8))?;
    log.close().fine()?;
    let log = reopen(subject)?;
    ends(&*log, Some(8), Some(8))?;
    same(log.delete_range(8, 8).fine()?, 1)?;
    ends(&*log, None, None)?;
    append(&*log, [26])?;
    ends(&*log, Some(26), Some(26))?;
    holds_for_good(subject, log, [26])
}

fn a_deletion_is_durable_on_return_and_so_is_what_was_before(subject: &dyn Subject) -> Outcome {
    for policy in [Policy::Buffered, Policy::Flushed] {
        let subject = fork(subject);
        let log = open(&*subject, &with(policy, Mode::Create))?;
        append(&*log, 0..10)?;
        same(log.delete_range(2, 4).fine()?, 3)?;
        let after = crash(&*subject, Crash::LOSE_ALL);
        holds(&*reopen(&*after)?, [0, 1, 5, 6, 7, 8, 9])?;
    }
    Ok(())
}

fn a_deletion_is_whole_or_absent_after_a_crash(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..40, 5000)?;
    log.sync().fine()?;
    let start = subject.disk().fork();
    let mut seen = std::collections::BTreeSet::new();
    for call in 1..200 {
        let disk = start.fork();
        let subject = subject.on(disk.clone());
        let log = reopen(&*subject)?;
        disk.plan_crash(crate::sim::CrashPlan {
            call: disk.calls() + call,
            point: crate::sim::Point::Partway(call),
        });
        let done = log.delete_range(0, 30).is_ok();
        drop(log);
        let log = reopen(&*crash(&*subject, Crash::random(call)))?;
        let found = ids(&*log)?;
        ensure!(found.len() == 40 || found.iter().copied().eq(31..40), "call {call}: {found:?}");
        ensure!(!done || found.len() == 9, "call {call}: a deletion that returned was lost");
        seen.insert(found.len());
        if done {
            return same(seen.len(), 2);
        }
    }
    Err("the deletion never ends".into())
}

fn space_comes_back_with_files_of_which_nothing_is_left(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..100, 5000)?;
    let before = log.stats().fine()?;
    same(before.files as usize, subject.disk().file_names().len())?;
    same(before.bytes, subject.disk().used())?;
    same(log.delete_range(20, 89).fine()?, 70)?;
    let after = log.stats().fine()?;
    same(after.events, 30)?;
    ensure!(after.bytes < before.bytes / 2, "{} of {} bytes are left", after.bytes, before.bytes);
    same(after.bytes, subject.disk().used())?;
    same(after.files as usize, subject.disk().file_names().len())?;
    holds_for_good(subject, log, (0..20).chain(90..100))
}

fn a_file_goes_even_if_its_gaps_were_filled_elsewhere(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, [0, 2, 4], 9000)?;
    let first = log.rotate().fine()?;
    append_long(&*log, [1, 3, 5], 9000)?;
    same(log.delete_range(0, 0).fine()?, 1)?;
    same(log.delete_range(2, 2).fine()?, 1)?;
    ensure!(subject.disk().file_names().contains(&first), "an event is left in it");
    same(log.delete_range(4, 4).fine()?, 1)?;
    ensure!(!subject.disk().file_names().contains(&first), "no event is left in it");
    holds_for_good(subject, log, [1, 3, 5])
}

fn a_file_with_one_event_left_stays(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..100, 5000)?;
    let files = subject.disk().file_names();
    same(log.delete_range(0, 10).fine()?, 11)?;
    same(log.delete_range(12, 99).fine()?, 88)?;
    ensure!(subject.disk().file_names().contains(&files[0]), "event 11 is in it");
    same(subject.disk().file_names().len(), 2)?;
    holds_for_good(subject, log, [11])
}

fn deleted_events_stay_deleted_when_their_files_are_gone(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..30, 5000)?;
    same(log.delete_range(3, 4).fine()?, 2)?;
    append_long(&*log, 30..60, 5000)?;
    same(log.delete_range(0, 29).fine()?, 28)?;
    append_long(&*log, 60..90, 5000)?;
    log.close().fine()?;
    let log = reopen(subject)?;
    for id in [0, 3, 29] {
        refused!(log.append_with_id(id, &event(id)), Error::Deleted(range) if (range.start, range.end) == (0, 30));
    }
    holds_for_good(subject, log, 30..90)
}

fn more_ranges_than_fit_are_refused_before_anything_is_written(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let ends: Vec<u32> = vec![0; 8000];
    log.append_packed_with_ids(0, &ends, &[]).fine()?;
    let mut ranges = 0;
    let refused = loop {
        match log.delete_range(ranges * 4, ranges * 4 + 1) {
            Ok(count) => same(count, 2)?,
            Err(error) => break error,
        }
        ranges += 1;
    };
    ensure!((1500..1700).contains(&ranges), "{ranges} ranges");
    let before = subject.disk().hash();
    refused!(log.delete_range(ranges * 4, ranges * 4), Error::TooLarge { what: Limit::BytesStored, .. });
    ensure!(matches!(refused, Error::TooLarge { what: Limit::BytesStored, allowed, got } if got > allowed));
    same(subject.disk().hash(), before)?;
    // One that joins two others makes room.
    same(log.delete_range(2, 3).fine()?, 2)?;
    same(log.delete_range(ranges * 4, ranges * 4).fine()?, 1)?;
    let wanted = 8000 - ranges * 2 - 3;
    same(log.stats().fine()?.events, wanted)?;
    for id in [8000, 8001] {
        log.append_with_id(id, b"").fine()?;
        log.rotate().fine()?;
    }
    log.close().fine()?;
    let log = reopen(subject)?;
    same(log.stats().fine()?.events, wanted + 2)?;
    refused!(log.append_with_id(4, b""), Error::Deleted(_));
    same(log.get(6).fine()?, Some(vec![]))?;
    same(subject.verify(LOG).fine()?, vec![])
}

fn a_full_disk_can_be_freed_by_deleting(subject: &dyn Subject) -> Outcome {
    for policy in [Policy::Buffered, Policy::Flushed, Policy::Synced] {
        let subject = fork(subject);
        let log = open(&*subject, &with(policy, Mode::Create))?;
        append_long(&*log, 0..40, 5000)?;
        subject.disk().set_quota(Some(subject.disk().used() + 5000));
        let mut id = 40;
        let refused = loop {
            match log.append_with_id(id, &long(id, 3000)) {
                Ok(_) => id += 1,
                Err(error) => break error,
            }
        };
        same(refused, Error::OutOfSpace)?;
        same(log.delete_range(0, 35).fine()?, 36)?;
        append_long(&*log, id..id + 5, 3000)?;
        holds_for_good(&*subject, log, 36..id + 5)?;
    }
    Ok(())
}

fn waiting_events_are_deleted_too(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &with(Policy::Buffered, Mode::Create))?;
    append(&*log, 0..10)?;
    same(subject.disk().counters().of(Call::Sync), 1)?;
    same(log.delete_range(5, 20).fine()?, 5)?;
    same(log.next_event_id().fine()?, 10)?;
    append(&*log, [10])?;
    holds_for_good(subject, log, (0..5).chain([10]))
}
