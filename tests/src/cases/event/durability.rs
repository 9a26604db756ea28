//! What survives: policies, syncs, tokens, and the scenarios that reference designs get wrong.

use super::kit::*;
use crate::cases::{Case, case};
use crate::sim::{Call, Crash, Fault, Point};
use annals_logs::error::Error;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(buffered_events_wait_until_flush_sync_or_a_full_buffer, "E23", "F1.2", "F1.3"),
    case!(a_buffered_batch_has_been_handed_over, "E23", "F1.4"),
    case!(flushed_events_survive_the_death_of_the_process, "E24"),
    case!(synced_events_survive_the_loss_of_power, "E25"),
    case!(sync_makes_every_event_durable, "E26", "D7.1"),
    case!(a_begun_sync_of_events_covers_what_was_before_it, "E26", "H15"),
    case!(after_a_kill_behind_ten_synced_appends_all_are_there_and_no_id_is_used_again, "W6", "E12"),
    case!(a_torn_tail_is_never_returned_as_an_event, "W7", "D8.1"),
    case!(a_duplicate_is_answered_once_the_first_copy_is_durable, "E8"),
    case!(a_duplicate_batch_has_been_handed_over, "E8"),
    case!(identical_retries_after_a_crash_write_nothing_twice, "E33"),
    case!(a_token_of_an_event_log_is_honoured, "D7.1", "D7.2", "D7.3", "D7.5"),
    case!(a_failed_write_closes_an_event_log_and_loses_nothing_that_was_promised, "D10.1", "D10.2"),
    case!(a_full_disk_leaves_an_event_log_open, "D10.4"),
    case!(dropping_an_event_log_hands_over_what_waits, "H25"),
    case!(late_events_survive_like_others, "E9", "E25"),
];

fn buffered_events_wait_until_flush_sync_or_a_full_buffer(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &with(Policy::Buffered, Mode::Create))?;
    let start = subject.disk().counters().of(Call::Write);
    append(&*log, (0..100).map(|n| n * 2))?;
    same(subject.disk().counters().of(Call::Write), start)?;
    holds(&*reopen(&*crash(&*fork(subject), Crash::Process))?, [])?;
    log.flush().fine()?;
    same(subject.disk().counters().of(Call::Write), start + 1)?;
    holds(&*reopen(&*crash(&*fork(subject), Crash::Process))?, (0..100).map(|n| n * 2))?;
    append(&*log, 1000..3500)?;
    ensure!(subject.disk().counters().of(Call::Write) > start + 1, "more than the buffer waited");
    let after = crash(&*fork(subject), Crash::Process);
    let kept = ids(&*reopen(&*after)?)?;
    let waited = (2600 - kept.len()) * (event(0).len() + 12);
    ensure!(waited <= 96 << 10, "{waited} bytes waited");
    log.sync().fine()?;
    let wanted = (0..100).map(|n| n * 2).chain(1000..3500);
    same(ids(&*reopen(&*crash(subject, Crash::LOSE_ALL))?)?, wanted.collect())
}

fn a_buffered_batch_has_been_handed_over(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &with(Policy::Buffered, Mode::Create))?;
    append(&*log, 0..3)?;
    batch(&*log, 3, 6).fine()?;
    append(&*log, [8])?;
    holds(&*reopen(&*crash(subject, Crash::Process))?, 0..6)
}

fn flushed_events_survive_the_death_of_the_process(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &with(Policy::Flushed, Mode::Create))?;
    for id in [0, 1, 5, 3, 9] {
        append(&*log, [id])?;
        let after = crash(&*fork(subject), Crash::Process);
        ensure!(ids(&*reopen(&*after)?)?.contains(&id));
    }
    same(subject.disk().counters().of(Call::Sync), 1)?;
    holds(&*reopen(&*crash(subject, Crash::Process))?, [0, 1, 3, 5, 9])
}

fn synced_events_survive_the_loss_of_power(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &with(Policy::Synced, Mode::Create))?;
    let mut wanted = Vec::new();
    for id in [0, 1, 5, 3, 9, 200] {
        append(&*log, [id])?;
        wanted.push(id);
        wanted.sort_unstable();
        holds(&*reopen(&*crash(&*fork(subject), Crash::LOSE_ALL))?, wanted.clone())?;
    }
    batch(&*log, 6, 12).fine()?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, [0, 1, 3, 5, 6, 7, 8, 9, 10, 11, 200])
}

fn sync_makes_every_event_durable(subject: &dyn Subject) -> Outcome {
    for policy in [Policy::Buffered, Policy::Flushed, Policy::Synced] {
        let subject = fork(subject);
        let log = open(&*subject, &with(policy, Mode::Create))?;
        append(&*log, [0, 7, 3])?;
        let token = log.sync().fine()?;
        let after = crash(&*subject, Crash::LOSE_ALL);
        holds(&*open(&*after, &Options { expect: Some(token), ..options(Mode::Open) })?, [0, 3, 7])?;
    }
    Ok(())
}

fn a_begun_sync_of_events_covers_what_was_before_it(subject: &dyn Subject) -> Outcome {
    subject.disk().set_polls(2);
    let log = open(subject, &with(Policy::Buffered, Mode::Create))?;
    append(&*log, 0..5)?;
    let ticket = log.begin_sync().fine()?;
    append(&*log, [9])?;
    log.flush().fine()?;
    same(ticket.poll().fine()?, None)?;
    let token = ticket.wait().fine()?;
    same(ticket.poll().fine()?, Some(token))?;
    let after = crash(subject, Crash::LOSE_ALL);
    holds(&*open(&*after, &Options { expect: Some(token), ..options(Mode::Open) })?, 0..5)
}

/// A reference design came back empty after this, and gave the ids out again.
fn after_a_kill_behind_ten_synced_appends_all_are_there_and_no_id_is_used_again(
    subject: &dyn Subject,
) -> Outcome {
    let log = open(subject, &with(Policy::Synced, Mode::Create))?;
    append(&*log, 1..11)?;
    for how in [Crash::Process, Crash::LOSE_ALL, Crash::KEEP_ALL] {
        let log = reopen(&*crash(&*fork(subject), how))?;
        same(log.next_event_id().fine()?, 11)?;
        holds(&*log, 1..11)?;
    }
    Ok(())
}

/// A reference design returned the garbage of a torn write as an event.
fn a_torn_tail_is_never_returned_as_an_event(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..4)?;
    log.sync().fine()?;
    append_long(&*log, [10], 3000)?;
    append(&*log, [2_000, 7])?;
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let after = crash(&*fork(subject), Crash::random(seed));
        let log = reopen(&*after)?;
        // Each event says which it is, and `ids` checks all of it.
        let found = ids(&*log)?;
        seen.insert(found.len());
        same(log.next_event_id().fine()?, found.last().copied().unwrap_or(0) + 1)?;
        append(&*log, [3_000])?;
        log.sync().fine()?;
        let again = reopen(&*crash(&*after, Crash::LOSE_ALL))?;
        same(ids(&*again)?, found.into_iter().chain([3_000]).collect())?;
    }
    ensure!(seen.len() >= 3, "{seen:?}");
    Ok(())
}

fn a_duplicate_is_answered_once_the_first_copy_is_durable(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &with(Policy::Synced, Mode::Create))?;
    append(&*log, 0..3)?;
    log.close().fine()?;
    // Opened again without syncs of its own, then once more with.
    let log = open(subject, &with(Policy::Flushed, Mode::Open))?;
    append(&*log, [3])?;
    drop(log);
    let after = crash(subject, Crash::Process);
    let log = open(&*after, &with(Policy::Synced, Mode::Open))?;
    same(log.append_with_id(3, &event(3)).fine()?, Appended::Duplicate)?;
    holds(&*reopen(&*crash(&*after, Crash::LOSE_ALL))?, 0..4)
}

fn a_duplicate_batch_has_been_handed_over(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &with(Policy::Buffered, Mode::Create))?;
    append(&*log, 0..3)?;
    same(batch(&*log, 0, 3).fine()?, Appended::Duplicate)?;
    holds(&*reopen(&*crash(subject, Crash::Process))?, 0..3)
}

fn identical_retries_after_a_crash_write_nothing_twice(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    batch(&*log, 0, 10).fine()?;
    log.sync().fine()?;
    for first in [10, 20, 30] {
        batch(&*log, first, first + 10).fine()?;
    }
    for seed in 0..40 {
        let after = crash(&*fork(subject), Crash::random(seed));
        let log = reopen(&*after)?;
        let found = ids(&*log)?.len() as u64;
        for first in [0, 10, 20, 30] {
            let outcome = batch(&*log, first, first + 10).fine()?;
            same(outcome == Appended::Duplicate, first < found)?;
        }
        let mut items = 0;
        for file in after.disk().file_names() {
            let frames = after.frames(&file).fine()?;
            items += frames.iter().map(|frame| u64::from(frame.count)).sum::<u64>();
        }
        same(items, 40)?;
        holds_for_good(&*after, log, 0..40)?;
    }
    Ok(())
}

fn a_token_of_an_event_log_is_honoured(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..5)?;
    let first = log.sync().fine()?;
    let old = subject.disk().fork();
    append_long(&*log, 5..40, 5000)?;
    same(log.delete_range(0, 20).fine()?, 21)?;
    let last = log.close().fine()?;
    for token in [first, last] {
        let expecting = Options { expect: Some(token), ..options(Mode::Open) };
        holds(&*open(subject, &expecting)?, 21..40)?;
    }
    let expecting = Options { expect: Some(last), ..options(Mode::Open) };
    refused!(subject.on(old).events().open(LOG, &expecting), Error::RolledBack(_));
    let none = Options { expect: Some(last), ..options(Mode::OpenOrCreate) };
    refused!(subject.events().open("other", &none), Error::NotFound);
    Ok(())
}

fn a_failed_write_closes_an_event_log_and_loses_nothing_that_was_promised(subject: &dyn Subject) -> Outcome {
    for kind in [Call::Write, Call::Sync] {
        for seed in 0..10 {
            let subject = fork(subject);
            let log = open(&*subject, &with(Policy::Synced, Mode::Create))?;
            append(&*log, 0..5)?;
            subject.disk().inject(Fault::next(kind).when(Point::Partway(seed)));
            refused!(log.append_batch_with_ids(5, &[&long(5, 3000)]), Error::Storage(_));
            refused!(log.get(0), Error::Closed);
            refused!(log.append_with_id(6, b"x"), Error::Closed);
            drop(log);
            let found = ids(&*reopen(&*subject)?)?;
            ensure!(found.iter().copied().filter(|id| *id != 5).eq(0..5), "{found:?}");
        }
    }
    Ok(())
}

fn a_full_disk_leaves_an_event_log_open(subject: &dyn Subject) -> Outcome {
    for policy in [Policy::Buffered, Policy::Flushed, Policy::Synced] {
        let subject = fork(subject);
        let log = open(&*subject, &with(policy, Mode::Create))?;
        append(&*log, 0..5)?;
        subject.disk().set_quota(Some(subject.disk().used()));
        let mut next = 5;
        let error = loop {
            match log.append_batch_with_ids(next, &[&long(next, 3000)]) {
                Ok(_) => next += 1,
                Err(error) => break error,
            }
        };
        same(error, Error::OutOfSpace)?;
        same(log.next_event_id().fine()?, next)?;
        holds(&*log, 0..next)?;
        log.sync().fine()?;
        subject.disk().set_quota(None);
        append(&*log, [next])?;
        holds_for_good(&*subject, log, 0..=next)?;
    }
    Ok(())
}

fn dropping_an_event_log_hands_over_what_waits(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &with(Policy::Buffered, Mode::Create))?;
    append(&*log, [0, 5])?;
    let syncs = subject.disk().counters().of(Call::Sync);
    drop(log);
    same(subject.disk().counters().of(Call::Sync), syncs)?;
    holds(&*reopen(&*crash(subject, Crash::Process))?, [0, 5])
}

fn late_events_survive_like_others(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [0, 10, 20])?;
    log.sync().fine()?;
    append(&*log, [5, 15])?;
    log.sync().fine()?;
    append(&*log, [17])?;
    for seed in 0..20 {
        let found = ids(&*reopen(&*crash(&*fork(subject), Crash::random(seed)))?)?;
        ensure!([&[0, 5, 10, 15, 20][..], &[0, 5, 10, 15, 17, 20]].contains(&&found[..]), "{found:?}");
    }
    Ok(())
}
