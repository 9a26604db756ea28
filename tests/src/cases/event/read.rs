//! Reading: get, iteration, getters.

use super::kit::*;
use crate::cases::{Case, case};
use annals_logs::error::Error;
use annals_logs::types::{Limits, Mode};

pub(super) const CASES: &[Case] = &[
    case!(get_returns_the_event_or_none, "E14"),
    case!(iterate_serves_its_range_in_the_order_of_ids, "E15"),
    case!(an_iteration_without_an_end_stops_at_the_newest_of_its_beginning, "E15", "H19"),
    case!(an_iteration_shows_the_log_as_it_was, "H19", "E15"),
    case!(an_iteration_shows_what_waited_when_it_began, "H19", "F1.6"),
    case!(an_iteration_ends_where_events_were_deleted_since, "H20"),
    case!(what_was_deleted_before_an_iteration_does_not_end_it, "H20"),
    case!(iterations_stay_within_their_limits, "H18"),
    case!(iterations_do_not_disturb_each_other, "H22"),
    case!(a_reader_of_events_outlives_its_log_and_is_closed, "H21"),
    case!(after_close_every_call_of_an_event_log_is_closed, "H24"),
    case!(next_event_id_follows_the_highest_id, "E12"),
    case!(stats_count_what_there_is, "E22"),
    case!(reading_one_event_of_many_reads_little, "F3.1"),
];

fn get_returns_the_event_or_none(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    same(log.get(0).fine()?, None)?;
    append(&*log, [3, 5])?;
    same(log.get(3).fine()?, Some(event(3)))?;
    for id in [0, 2, 4, 6, u64::MAX] {
        same(log.get(id).fine()?, None)?;
    }
    same(log.delete_range(3, 3).fine()?, 1)?;
    same(log.get(3).fine()?, None)?;
    same(log.get(5).fine()?, Some(event(5)))
}

fn of(log: &dyn EventSubject, start: u64, end: Option<u64>) -> Result<Vec<u64>, String> {
    Ok(drain(&*log.iterate(start, end).fine()?)?.into_keys().collect())
}

fn iterate_serves_its_range_in_the_order_of_ids(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    same(of(&*log, 0, None)?, vec![])?;
    append(&*log, [10, 20, 30, 15, 5])?;
    same(of(&*log, 0, None)?, vec![5, 10, 15, 20, 30])?;
    same(of(&*log, 10, Some(20))?, vec![10, 15])?;
    same(of(&*log, 11, Some(21))?, vec![15, 20])?;
    same(of(&*log, 20, Some(20))?, vec![])?;
    same(of(&*log, 20, Some(10))?, vec![])?;
    same(of(&*log, 30, None)?, vec![30])?;
    same(of(&*log, 31, None)?, vec![])?;
    same(of(&*log, u64::MAX, None)?, vec![])?;
    same(of(&*log, 0, Some(u64::MAX))?, vec![5, 10, 15, 20, 30])?;
    same(of(&*log, u64::MAX, Some(u64::MAX))?, vec![])
}

fn an_iteration_without_an_end_stops_at_the_newest_of_its_beginning(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..3)?;
    let open_end = log.iterate(0, None).fine()?;
    let far_end = log.iterate(0, Some(100)).fine()?;
    append(&*log, 3..6)?;
    same(drain(&*open_end)?.into_keys().collect(), vec![0, 1, 2])?;
    same(drain(&*far_end)?.into_keys().collect(), vec![0, 1, 2])
}

fn an_iteration_shows_the_log_as_it_was(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [0, 4, 8, 12])?;
    let reader = log.iterate(0, None).fine()?;
    append(&*log, [2, 6, 20])?;
    batch(&*log, 9, 15).fine()?;
    same(drain(&*reader)?.into_keys().collect(), vec![0, 4, 8, 12])?;
    // Over files.
    let reader = log.iterate(0, None).fine()?;
    append_long(&*log, (21..60).rev(), 5000)?;
    append(&*log, [3, 16])?;
    same(drain(&*reader)?.into_keys().collect(), vec![0, 2, 4, 6, 8, 9, 10, 11, 12, 13, 14, 20])
}

fn an_iteration_shows_what_waited_when_it_began(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &with(Policy::Buffered, Mode::Create))?;
    append(&*log, [0, 4, 8])?;
    let reader = log.iterate(0, None).fine()?;
    append(&*log, [9])?;
    log.flush().fine()?;
    append(&*log, [2])?;
    same(drain(&*reader)?.into_keys().collect(), vec![0, 4, 8])?;
    let reader = log.iterate(0, None).fine()?;
    append(&*log, [10, 3])?;
    same(drain(&*reader)?.into_keys().collect(), vec![0, 2, 4, 8, 9])
}

const TWO: Limits = Limits { count: 2, bytes: u32::MAX };

fn an_iteration_ends_where_events_were_deleted_since(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..20)?;
    let reader = log.iterate(0, None).fine()?;
    let passed = log.iterate(0, Some(12)).fine()?;
    same(reader.next(TWO).fine()?.map(|items| items.ids), Some(vec![0, 1]))?;
    same(log.delete_range(13, 15).fine()?, 3)?;
    same(log.delete_range(0, 1).fine()?, 2)?;
    same(reader.next(ALL).fine()?.map(|items| items.ids), Some((2..13).collect()))?;
    same(reader.next(ALL), Err(Error::Deleted(annals_logs::error::Bounds { start: 13, end: 16 })))?;
    same(reader.next(ALL), Ok(None))?;
    refused!(passed.next(ALL), Error::Deleted(range) if (range.start, range.end) == (0, 2));
    same(of(&*log, 0, None)?, (2..13).chain(16..20).collect::<Vec<u64>>())
}

fn what_was_deleted_before_an_iteration_does_not_end_it(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..20)?;
    same(log.delete_range(5, 9).fine()?, 5)?;
    let reader = log.iterate(0, None).fine()?;
    same(log.delete_range(6, 8).fine()?, 0)?;
    append_long(&*log, 20..50, 5000)?;
    same(log.delete_range(25, 40).fine()?, 16)?;
    same(drain(&*reader)?.into_keys().collect::<Vec<u64>>(), (0..5).chain(10..20).collect())?;
    // Nor does what lies outside of it, or what it has passed.
    let reader = log.iterate(2, Some(15)).fine()?;
    same(reader.next(TWO).fine()?.map(|items| items.ids), Some(vec![2, 3]))?;
    same(log.delete_range(0, 3).fine()?, 4)?;
    same(log.delete_range(15, 16).fine()?, 2)?;
    same(drain(&*reader)?.into_keys().collect(), vec![4, 10, 11, 12, 13, 14])
}

fn iterations_stay_within_their_limits(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    for id in 0..50 {
        log.append_with_id(id * 3, &long(id * 3, 10 + (id as usize * 97) % 400)).fine()?;
    }
    let model =
        Model::holding((0..50).map(|id| (id * 3, long(id * 3, 10 + (id as usize * 97) % 400).into())));
    for (count, bytes) in [(1, u32::MAX), (7, 300), (u32::MAX, 1000), (0, 0), (u32::MAX, 0), (3, 1)] {
        let limits = Limits { count, bytes };
        let reader = log.iterate(0, None).fine()?;
        let mut iteration = model.iterate(0, None);
        loop {
            let answer = reader.next(limits);
            model.check_next(&mut iteration, limits, &answer)?;
            if answer == Ok(None) {
                break;
            }
        }
    }
    Ok(())
}

fn iterations_do_not_disturb_each_other(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..40, 5000)?;
    let readers: Vec<_> = (0..5).map(|n| log.iterate(n, None).fine()).collect::<Result<_, _>>()?;
    for step in 0..17 {
        for (n, reader) in (0..).zip(&readers) {
            let found = reader.next(TWO).fine()?.map(|items| items.ids);
            same(found, Some(vec![n + step * 2, n + step * 2 + 1]))?;
            same(log.get(39 - step).fine()?.map(|event| event.len()), Some(long(0, 5000).len()))?;
        }
    }
    Ok(())
}

fn a_reader_of_events_outlives_its_log_and_is_closed(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..3)?;
    let (one, two) = (log.iterate(0, None).fine()?, log.iterate(0, None).fine()?);
    let ticket = log.begin_sync().fine()?;
    log.close().fine()?;
    refused!(one.next(ALL), Error::Closed);
    drop(log);
    refused!(two.next(ALL), Error::Closed);
    ensure!(ticket.wait().is_ok() || ticket.wait() == Err(Error::Closed));
    Ok(())
}

fn after_close_every_call_of_an_event_log_is_closed(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..3)?;
    log.close().fine()?;
    refused!(log.append_with_id(3, b"x"), Error::Closed);
    refused!(log.append_batch_with_ids(3, &[b"x"]), Error::Closed);
    refused!(log.append_packed_with_ids(3, &[1], b"x"), Error::Closed);
    refused!(log.next_event_id(), Error::Closed);
    refused!(log.oldest_event_id(), Error::Closed);
    refused!(log.newest_event_id(), Error::Closed);
    refused!(log.get(0), Error::Closed);
    refused!(log.iterate(0, None), Error::Closed);
    refused!(log.delete_range(0, 0), Error::Closed);
    refused!(log.rotate(), Error::Closed);
    refused!(log.flush(), Error::Closed);
    refused!(log.sync(), Error::Closed);
    refused!(log.begin_sync(), Error::Closed);
    refused!(log.stats(), Error::Closed);
    refused!(log.close(), Error::Closed);
    holds(&*reopen(subject)?, 0..3)
}

fn next_event_id_follows_the_highest_id(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    same(log.next_event_id().fine()?, 0)?;
    append(&*log, [4])?;
    same(log.next_event_id().fine()?, 5)?;
    append(&*log, [2])?;
    same(log.next_event_id().fine()?, 5)?;
    batch(&*log, 1, 9).fine()?;
    same(log.next_event_id().fine()?, 9)?;
    log.close().fine()?;
    same(reopen(subject)?.next_event_id().fine()?, 9)?;
    same(subject.info(LOG).fine()?.next, 9)
}

fn stats_count_what_there_is(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &with(Policy::Buffered, Mode::Create))?;
    let stats = log.stats().fine()?;
    same((stats.events, stats.oldest, stats.newest, stats.files), (0, None, None, 1))?;
    append(&*log, [3, 9, 12])?;
    let stats = log.stats().fine()?;
    same((stats.events, stats.oldest, stats.newest), (3, Some(3), Some(12)))?;
    append_long(&*log, 20..50, 5000)?;
    append(&*log, [1])?;
    same(log.delete_range(22, 25).fine()?, 4)?;
    let check = |log: &dyn EventSubject| -> Outcome {
        let stats = log.stats().fine()?;
        same((stats.events, stats.oldest, stats.newest), (30, Some(1), Some(49)))?;
        same(stats.bytes, subject.disk().used())?;
        same(stats.files as usize, subject.disk().file_names().len())
    };
    check(&*log)?;
    log.close().fine()?;
    check(&*reopen_read_only(subject)?)?;
    check(&*reopen(subject)?)
}

fn reading_one_event_of_many_reads_little(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let events: Vec<Vec<u8>> = (0..10_000).map(event).collect();
    let slices: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
    log.append_batch_with_ids(0, &slices).fine()?;
    append(&*log, [20_000])?;
    // The same with a list of ids.
    batch(&*log, 15_000, 15_003).fine()?;
    log.close().fine()?;
    let log = reopen(subject)?;
    subject.disk().reset_counters();
    same(log.get(7777).fine()?, Some(event(7777)))?;
    let read = subject.disk().counters().bytes_read;
    ensure!(read < 64 << 10, "{read} bytes read");
    Ok(())
}
