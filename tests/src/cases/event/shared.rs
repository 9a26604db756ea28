//! Shared mode: several handles, as of several processes, over one storage.

use super::kit::*;
use crate::cases::{Case, case};
use crate::rng::SplitMix64;
use crate::sim::{Call, Crash, Fault, Point};
use annals_logs::error::Error;
use annals_logs::storage::StorageError;
use annals_logs::types::Mode;
use std::collections::BTreeSet;

pub(super) const CASES: &[Case] = &[
    case!(shared_writers_see_each_other_and_lose_nothing, "E27"),
    case!(shared_mode_refuses_to_buffer_and_to_be_read_only, "E28"),
    case!(an_event_that_another_process_appended_is_found, "E27"),
    case!(getters_of_a_shared_log_are_never_stale, "E27"),
    case!(a_shared_log_is_not_locked_between_calls, "E27"),
    case!(a_call_waits_for_the_lock_as_long_as_it_was_told, "E27", "X1"),
    case!(an_exclusive_writer_keeps_shared_ones_waiting, "E27"),
    case!(a_conflict_with_another_process_is_a_conflict, "E7", "E27"),
    case!(retries_of_another_process_are_duplicates, "E5", "E27"),
    case!(a_shared_writer_follows_rolls_of_others, "E29"),
    case!(a_shared_writer_follows_deletions_of_others, "E29"),
    case!(a_shared_reader_follows_rolls_and_deletions_of_others, "E29"),
    case!(an_iteration_ends_where_another_process_deleted, "E29"),
    case!(a_shared_writer_follows_closing_and_reopening_of_others, "E29"),
    case!(a_shared_log_that_was_destroyed_is_closed, "E29"),
    case!(a_writer_that_dies_at_any_call_is_survived, "E30", "E29"),
    case!(what_a_dead_writer_left_is_cut, "E30"),
    case!(a_failed_sync_of_another_process_loses_nothing_that_is_promised, "E31"),
    case!(a_sync_covers_what_others_wrote, "E31"),
    case!(synced_appends_of_alternating_writers_survive_the_loss_of_power, "E25", "E31"),
    case!(a_duplicate_of_another_process_is_as_durable_as_the_policy_says, "E8", "E31"),
    case!(a_shared_writer_that_lost_its_last_frame_starts_from_the_header, "E29"),
    case!(what_a_shared_writer_knows_to_be_durable_must_be_there, "E29"),
    case!(nobody_writes_twice_what_is_durable, "E31"),
    case!(a_full_disk_leaves_shared_writers_open, "E27"),
];

fn three(subject: &dyn Subject, policy: Policy) -> Result<[Box<dyn EventSubject>; 3], String> {
    let first = open(subject, &shared(policy, Mode::Create))?;
    let more = || open(subject, &shared(policy, Mode::Open));
    Ok([first, more()?, more()?])
}

fn shared_writers_see_each_other_and_lose_nothing(subject: &dyn Subject) -> Outcome {
    let logs = three(subject, Policy::Flushed)?;
    let mut rng = SplitMix64::new(3);
    let mut wanted = BTreeSet::new();
    for round in 0..200u64 {
        let log = &logs[rng.below(3) as usize];
        let id = if rng.chance(80) { log.next_event_id().fine()? } else { rng.below(round * 3 + 1) };
        let count = 1 + rng.below(4);
        let outcome = batch(&**log, id, id + count).fine()?;
        let fresh = (id..id + count).filter(|id| wanted.insert(*id)).count();
        same(outcome == Appended::Duplicate, fresh == 0)?;
        let other = &logs[rng.below(3) as usize];
        same(other.next_event_id().fine()?, wanted.last().map_or(0, |id| id + 1))?;
    }
    for log in &logs {
        holds(&**log, wanted.clone())?;
    }
    for log in &logs {
        log.close().fine()?;
    }
    same(subject.verify(LOG).fine()?, vec![])?;
    holds(&*reopen(subject)?, wanted)
}

fn shared_mode_refuses_to_buffer_and_to_be_read_only(subject: &dyn Subject) -> Outcome {
    let before = subject.disk().hash();
    refused!(subject.events().open(LOG, &shared(Policy::Buffered, Mode::Create)), Error::InvalidArgument(_));
    same(subject.disk().hash(), before)?;
    create(subject)?.close().fine()?;
    refused!(subject.events().open(LOG, &shared(Policy::Flushed, Mode::ReadOnly)), Error::InvalidArgument(_));
    Ok(())
}

fn an_event_that_another_process_appended_is_found(subject: &dyn Subject) -> Outcome {
    let [one, two, _] = three(subject, Policy::Flushed)?;
    same(two.get(0).fine()?, None)?;
    append(&*one, [0])?;
    same(two.get(0).fine()?, Some(event(0)))?;
    // Read ahead over the end, then go on there.
    for id in 1..200 {
        append(if id % 2 == 0 { &*one } else { &*two }, [id])?;
        same(two.get(id).fine()?, Some(event(id)))?;
        same(one.get(id).fine()?, Some(event(id)))?;
    }
    holds(&*two, 0..200)
}

fn getters_of_a_shared_log_are_never_stale(subject: &dyn Subject) -> Outcome {
    let [one, two, _] = three(subject, Policy::Flushed)?;
    append(&*one, [5, 9])?;
    same(two.next_event_id().fine()?, 10)?;
    append(&*one, [12])?;
    same(two.oldest_event_id().fine()?, Some(5))?;
    same(one.delete_range(0, 5).fine()?, 1)?;
    same(two.oldest_event_id().fine()?, Some(9))?;
    append(&*one, [20])?;
    same(two.newest_event_id().fine()?, Some(20))?;
    append(&*one, [21])?;
    same(two.stats().fine()?.events, 4)?;
    append(&*one, [30])?;
    same(drain(&*two.iterate(0, None).fine()?)?.into_keys().collect(), vec![9, 12, 20, 21, 30])
}

fn a_shared_log_is_not_locked_between_calls(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &shared(Policy::Flushed, Mode::Create))?;
    append(&*log, [0])?;
    let lock = subject.disk().lock("log.events", 0).map_err(|e| format!("{e:?}"))?;
    drop(lock);
    log.close().fine().map(drop)
}

fn a_call_waits_for_the_lock_as_long_as_it_was_told(subject: &dyn Subject) -> Outcome {
    let options = Options { lock_wait_ms: 1234, ..shared(Policy::Flushed, Mode::Create) };
    let log = open(subject, &options)?;
    append(&*log, [0])?;
    subject.disk().reset_counters();
    let lock = subject.disk().lock("log.events", 0).map_err(|e| format!("{e:?}"))?;
    let before = subject.disk().hash();
    refused!(log.append_with_id(1, &event(1)), Error::Locked);
    same(subject.disk().counters().lock_wait_ms, 1234)?;
    refused!(log.delete_range(0, 1), Error::Locked);
    refused!(log.rotate(), Error::Locked);
    refused!(log.sync(), Error::Locked);
    same(subject.disk().hash(), before)?;
    // Reading needs no lock.
    holds(&*log, [0])?;
    drop(lock);
    append(&*log, [1])?;
    holds(&*log, [0, 1])
}

fn an_exclusive_writer_keeps_shared_ones_waiting(subject: &dyn Subject) -> Outcome {
    let [one, two, _] = three(subject, Policy::Flushed)?;
    append(&*one, 0..3)?;
    let alone = reopen(subject)?;
    refused!(two.append_with_id(3, &event(3)), Error::Locked);
    append(&*alone, 3..6)?;
    holds(&*one, 0..6)?;
    alone.close().fine()?;
    append(&*two, 6..8)?;
    append(&*one, 8..9)?;
    holds(&*two, 0..9)
}

fn a_conflict_with_another_process_is_a_conflict(subject: &dyn Subject) -> Outcome {
    let [one, two, _] = three(subject, Policy::Flushed)?;
    append(&*one, [3, 4])?;
    let before = subject.disk().hash();
    same_answer(two.append_with_id(4, b"other"), Err(Error::Conflict(4)))?;
    same_answer(two.append_batch_with_ids(2, &[b"a", b"b"]), Err(Error::Conflict(3)))?;
    same(subject.disk().hash(), before)?;
    same(one.delete_range(3, 3).fine()?, 1)?;
    refused!(two.append_with_id(3, &event(3)), Error::Deleted(_));
    Ok(())
}

fn retries_of_another_process_are_duplicates(subject: &dyn Subject) -> Outcome {
    let [one, two, _] = three(subject, Policy::Flushed)?;
    batch(&*one, 0, 10).fine()?;
    let before = subject.disk().hash();
    same(batch(&*two, 0, 10).fine()?, Appended::Duplicate)?;
    same(two.append_with_id(7, &event(7)).fine()?, Appended::Duplicate)?;
    same(subject.disk().hash(), before)?;
    same(batch(&*two, 8, 12).fine()?, Appended::Appended)?;
    same(batch(&*one, 8, 12).fine()?, Appended::Duplicate)?;
    holds(&*one, 0..12)
}

fn a_shared_writer_follows_rolls_of_others(subject: &dyn Subject) -> Outcome {
    let [one, two, three] = three(subject, Policy::Flushed)?;
    append_long(&*one, 0..40, 5000)?;
    ensure!(subject.disk().file_names().len() > 2);
    append_long(&*two, 40..42, 5000)?;
    same(one.rotate().fine()?, subject.disk().file_names()[subject.disk().file_names().len() - 2].clone())?;
    append_long(&*three, 42..80, 5000)?;
    append_long(&*one, 80..90, 5000)?;
    for log in [&one, &two, &three] {
        holds(&**log, 0..90)?;
    }
    one.close().fine()?;
    append_long(&*two, 90..93, 5000)?;
    two.close().fine()?;
    three.close().fine()?;
    same(subject.verify(LOG).fine()?, vec![])?;
    holds(&*reopen(subject)?, 0..93)
}

fn a_shared_writer_follows_deletions_of_others(subject: &dyn Subject) -> Outcome {
    let [one, two, three] = three(subject, Policy::Flushed)?;
    append_long(&*one, 0..40, 5000)?;
    holds(&*two, 0..40)?;
    // All files but the newest go, also the one that `two` last wrote to.
    same(three.delete_range(0, 38).fine()?, 39)?;
    append_long(&*two, 40..42, 5000)?;
    holds(&*one, 39..42)?;
    append_long(&*one, 42..80, 5000)?;
    same(one.delete_range(0, 78).fine()?, 39 + 1)?;
    append_long(&*three, 80..81, 5000)?;
    for log in [&one, &two, &three] {
        holds(&**log, 79..81)?;
        log.close().fine()?;
    }
    same(subject.verify(LOG).fine()?, vec![])
}

fn a_shared_reader_follows_rolls_and_deletions_of_others(subject: &dyn Subject) -> Outcome {
    let [one, two, _] = three(subject, Policy::Flushed)?;
    for round in 0..6 {
        let from = round * 30;
        append_long(&*one, from..from + 30, 5000)?;
        holds(&*two, from.saturating_sub(1)..from + 30)?;
        same(one.delete_range(0, from + 28).fine()?, if round == 0 { 29 } else { 30 })?;
        holds(&*two, from + 29..from + 30)?;
    }
    // A file in the middle of which nothing is left, and the one that the reader knows as the newest.
    append_long(&*one, 180..185, 5000)?;
    holds(&*two, 179..185)?;
    one.rotate().fine()?;
    append_long(&*one, 185..187, 5000)?;
    one.rotate().fine()?;
    append_long(&*one, 187..189, 5000)?;
    same(one.delete_range(0, 186).fine()?, 8)?;
    holds(&*two, 187..189)
}

fn an_iteration_ends_where_another_process_deleted(subject: &dyn Subject) -> Outcome {
    let [one, two, _] = three(subject, Policy::Flushed)?;
    append_long(&*one, 0..40, 5000)?;
    let reader = two.iterate(0, None).fine()?;
    let few = annals_logs::types::Limits { count: 4, bytes: u32::MAX };
    same(reader.next(few).fine()?.map(|items| items.ids), Some(vec![0, 1, 2, 3]))?;
    append(&*one, [40])?;
    same(one.delete_range(6, 35).fine()?, 30)?;
    same(reader.next(ALL).fine()?.map(|items| items.ids), Some(vec![4, 5]))?;
    refused!(reader.next(ALL), Error::Deleted(range) if (range.start, range.end) == (6, 36));
    same(reader.next(ALL).fine()?, None)
}

fn a_shared_writer_follows_closing_and_reopening_of_others(subject: &dyn Subject) -> Outcome {
    let [one, two, three] = three(subject, Policy::Flushed)?;
    append(&*one, 0..3)?;
    one.close().fine()?;
    refused!(one.append_with_id(3, b"x"), Error::Closed);
    append(&*two, 3..6)?;
    let again = open(subject, &shared(Policy::Flushed, Mode::Open))?;
    append(&*again, 6..8)?;
    append(&*three, 8..9)?;
    two.close().fine()?;
    append(&*again, 9..10)?;
    holds(&*three, 0..10)?;
    three.close().fine()?;
    again.close().fine()?;
    same(subject.verify(LOG).fine()?, vec![])?;
    holds(&*reopen(subject)?, 0..10)
}

fn a_shared_log_that_was_destroyed_is_closed(subject: &dyn Subject) -> Outcome {
    let [one, two, three] = three(subject, Policy::Flushed)?;
    append(&*one, 0..3)?;
    subject.events().destroy(LOG).fine()?;
    refused!(one.append_with_id(3, b"x"), Error::Closed);
    refused!(two.get(0), Error::Closed);
    // Not even if there is another one of that name.
    let new = open(subject, &shared(Policy::Flushed, Mode::Create))?;
    refused!(three.append_with_id(3, b"x"), Error::Closed);
    holds(&*new, [])
}

/// What a writer does until it dies.
fn work(log: &dyn EventSubject, acknowledged: &mut BTreeSet<u64>) -> Result<(), Error> {
    for id in [100, 101] {
        log.append_with_id(id, &event(id))?;
        acknowledged.insert(id);
    }
    batch(log, 102, 110)?;
    acknowledged.extend(102..110);
    log.append_with_id(50, &event(50))?;
    acknowledged.insert(50);
    log.append_batch_with_ids(110, &[&long(110, 9000), &long(111, 9000)])?;
    acknowledged.extend([110, 111]);
    log.sync()?;
    log.rotate()?;
    log.append_batch_with_ids(112, &[&long(112, 9000)])?;
    acknowledged.insert(112);
    log.delete_range(0, 1)?;
    acknowledged.remove(&0);
    acknowledged.remove(&1);
    log.append_with_id(120, &event(120))?;
    acknowledged.insert(120);
    Ok(())
}

fn a_writer_that_dies_at_any_call_is_survived(subject: &dyn Subject) -> Outcome {
    let [one, two, _] = three(subject, Policy::Flushed)?;
    append(&*one, 0..10)?;
    one.sync().fine()?;
    append(&*two, 10..12)?;
    drop((one, two));
    let start = subject.disk().fork();
    let mut number = 0;
    loop {
        number += 1;
        let mut done = false;
        for point in [Point::Before, Point::After, Point::Partway(number), Point::Partway(number + 1000)] {
            let subject = subject.on(start.fork());
            let disk = subject.disk();
            let dying = open(&*subject, &shared(Policy::Flushed, Mode::Open))?;
            let other = open(&*subject, &shared(Policy::Flushed, Mode::Open))?;
            let mut acknowledged: BTreeSet<u64> = (0..12).collect();
            append(&*other, [12])?;
            acknowledged.insert(12);
            disk.inject(Fault::at(number).when(point).answering(StorageError::Io("died".into())).forever());
            let died = work(&*dying, &mut acknowledged);
            drop(dying);
            disk.clear_faults();
            done = died.is_ok();
            let at = |what: String| format!("call {number} {point:?} ({died:?}): {what}\n{}", disk.trace());
            survived(&*subject, &*other, &acknowledged).map_err(at)?;
        }
        if done {
            return same(number > 60, true);
        }
    }
}

/// The other writer goes on, and everything that was acknowledged is there once.
fn survived(subject: &dyn Subject, other: &dyn EventSubject, acknowledged: &BTreeSet<u64>) -> Outcome {
    let all = |found: Vec<u64>| -> Outcome {
        let found: BTreeSet<u64> = found.into_iter().collect();
        let lost: Vec<&u64> =
            acknowledged.difference(&found).filter(|id| **id > 1 || found.contains(&50)).collect();
        // A deletion under way may have happened.
        ensure!(lost.iter().all(|id| **id <= 1), "lost: {lost:?}");
        let more: Vec<&u64> = found.difference(acknowledged).filter(|id| **id < 200).collect();
        let groups: [&[u64]; 7] =
            [&[100], &[101], &[102, 103, 104, 105, 106, 107, 108, 109], &[50], &[110, 111], &[112], &[120]];
        let whole = more.is_empty() || groups.iter().any(|group| more.iter().copied().eq(group.iter()));
        ensure!(whole, "neither acknowledged nor one append under way: {more:?}");
        Ok(())
    };
    all(ids(other)?)?;
    append(other, [200])?;
    append_long(other, [201, 202], 9000)?;
    let third = open(subject, &shared(Policy::Flushed, Mode::Open))?;
    append(&*third, [203])?;
    append(other, [204])?;
    all(ids(&*third)?)?;
    for log in [other, &*third] {
        let found = ids(log)?;
        same(found.iter().copied().filter(|id| *id >= 200).collect::<Vec<_>>(), (200..205).collect())?;
    }
    other.sync().fine()?;
    let wanted = ids(other)?;
    holds(&*reopen(&*crash(&*fork(subject), Crash::LOSE_ALL))?, wanted.clone())?;
    other.close().fine()?;
    third.close().fine()?;
    drop(third);
    same(subject.verify(LOG).fine()?, vec![])?;
    holds(&*reopen(subject)?, wanted)
}

fn what_a_dead_writer_left_is_cut(subject: &dyn Subject) -> Outcome {
    for (seed, len) in (0..60).zip([300, 3000, 9000, 70_000].into_iter().cycle()) {
        let subject = fork(subject);
        let [one, two, _] = three(&*subject, Policy::Flushed)?;
        append(&*one, 0..5)?;
        append(&*two, 5..6)?;
        let died = Fault::next(Call::Write).when(Point::Partway(seed)).after(seed % 2).forever();
        subject.disk().inject(died);
        let outcome = one.append_with_id(6, &long(6, len));
        ensure!(outcome.is_err() || len < 4096, "it did not die");
        subject.disk().clear_faults();
        drop(one);
        // Short ones, so that what was left would show behind them.
        for id in 10..20 {
            append(&*two, [id]).map_err(|what| format!("seed {seed}, {len} bytes: {what}"))?;
        }
        let found = ids(&*two)?;
        ensure!(found.iter().copied().filter(|id| *id != 6).eq((0..6).chain(10..20)), "{found:?}");
        two.close().fine()?;
        same(subject.verify(LOG).fine()?, vec![])?;
    }
    Ok(())
}

fn a_failed_sync_of_another_process_loses_nothing_that_is_promised(subject: &dyn Subject) -> Outcome {
    for point in [Point::Before, Point::Partway(1), Point::Partway(2), Point::After] {
        for evicted in [false, true] {
            let subject = fork(subject);
            let [one, two, three] = three(&*subject, Policy::Flushed)?;
            append(&*one, 0..3)?;
            append(&*two, 3..5)?;
            append(&*one, 5..6)?;
            // Its pages count as clean from now on, whatever reached the disk.
            subject.disk().inject(Fault::next(Call::Sync).when(point));
            ensure!(two.sync().is_err(), "it did not fail");
            if evicted {
                continue;
            }
            append(&*three, 6..7)?;
            one.sync().fine()?;
            holds(&*reopen(&*crash(&*subject, Crash::LOSE_ALL))?, 0..7)
                .map_err(|what| format!("{point:?}: {what}"))?;
        }
    }
    Ok(())
}

fn a_sync_covers_what_others_wrote(subject: &dyn Subject) -> Outcome {
    let [one, two, three] = three(subject, Policy::Flushed)?;
    append(&*one, 0..3)?;
    append(&*two, 3..5)?;
    append(&*three, 5..6)?;
    let token = two.sync().fine()?;
    let after = crash(&*fork(subject), Crash::LOSE_ALL);
    holds(&*open(&*after, &Options { expect: Some(token), ..options(Mode::Open) })?, 0..6)?;
    append(&*one, 6..8)?;
    let ticket = three.begin_sync().fine()?;
    ensure!(ticket.poll().fine()?.is_some(), "in shared mode it ends at once");
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, 0..8)
}

fn synced_appends_of_alternating_writers_survive_the_loss_of_power(subject: &dyn Subject) -> Outcome {
    let logs = three(subject, Policy::Synced)?;
    for id in 0..30u64 {
        append(&*logs[(id * id % 3) as usize], [id])?;
        let after = crash(&*fork(subject), Crash::LOSE_ALL);
        holds(&*reopen(&*after)?, 0..=id)?;
    }
    Ok(())
}

fn a_duplicate_of_another_process_is_as_durable_as_the_policy_says(subject: &dyn Subject) -> Outcome {
    let one = open(subject, &shared(Policy::Flushed, Mode::Create))?;
    let two = open(subject, &shared(Policy::Synced, Mode::Open))?;
    append(&*one, 0..3)?;
    subject.disk().inject(Fault::next(Call::Sync).when(Point::Before));
    ensure!(one.sync().is_err(), "it did not fail");
    same(batch(&*two, 0, 3).fine()?, Appended::Duplicate)?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, 0..3)
}

fn a_shared_writer_that_lost_its_last_frame_starts_from_the_header(subject: &dyn Subject) -> Outcome {
    let [one, two, _] = three(subject, Policy::Flushed)?;
    append(&*one, 0..3)?;
    one.sync().fine()?;
    append(&*two, 3..4)?;
    // What a failed sync leaves once its pages were evicted: frames that were read are not there any more.
    subject.disk().inject(Fault::next(Call::Sync).when(Point::Before));
    ensure!(one.sync().is_err(), "it did not fail");
    subject.disk().evict();
    holds(&*two, 0..3)?;
    append(&*two, 3..6)?;
    let third = open(subject, &shared(Policy::Flushed, Mode::Open))?;
    holds(&*third, 0..6)?;
    append(&*third, 6..7)?;
    holds(&*two, 0..7)?;
    two.close().fine()?;
    third.close().fine()?;
    same(subject.verify(LOG).fine()?, vec![])
}

fn what_a_shared_writer_knows_to_be_durable_must_be_there(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &shared(Policy::Flushed, Mode::Create))?;
    append(&*log, 0..3)?;
    log.sync().fine()?;
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    let old = subject.disk().file_bytes(&file);
    append(&*log, 3..6)?;
    log.sync().fine()?;
    // Somebody puts an older copy in place.
    subject.disk().overwrite(&file, 0, &old);
    let before = subject.disk().hash();
    let answer = log.append_with_id(6, &event(6));
    ensure!(matches!(answer, Err(Error::RolledBack(_) | Error::Damaged(_))), "{answer:?}");
    same(subject.disk().hash(), before)
}

fn nobody_writes_twice_what_is_durable(subject: &dyn Subject) -> Outcome {
    let one = open(subject, &shared(Policy::Synced, Mode::Create))?;
    append(&*one, 0..10)?;
    subject.disk().reset_counters();
    for id in 10..20 {
        append_long(&*one, [id], 3000)?;
    }
    let written = subject.disk().counters().bytes_written;
    ensure!(written < 10 * 3400, "{written} bytes for ten events of 3000");
    same(subject.disk().counters().of(Call::Sync), 10)
}

fn a_full_disk_leaves_shared_writers_open(subject: &dyn Subject) -> Outcome {
    let [one, two, _] = three(subject, Policy::Flushed)?;
    append(&*one, 0..3)?;
    subject.disk().set_quota(Some(subject.disk().used()));
    let mut id = 3;
    let refused = loop {
        match two.append_with_id(id, &long(id, 3000)) {
            Ok(_) => id += 1,
            Err(error) => break error,
        }
    };
    same(refused, Error::OutOfSpace)?;
    let more = one.append_with_id(id, &long(id, 3000));
    same_answer(more, Err(Error::OutOfSpace))?;
    holds(&*one, 0..id)?;
    same(one.delete_range(0, 0).fine()?, 1)?;
    subject.disk().set_quota(None);
    append(&*two, [id])?;
    append(&*one, [id + 1])?;
    holds(&*two, 1..id + 2)
}
