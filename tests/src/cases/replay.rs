//! Replay: a stream of batches that shows the journal as of its creation.

use super::kit::*;
use super::{Case, case};
use crate::subject::{ALL, ReaderSubject, Subject};
use annals_logs::error::{Bounds, Error};
use annals_logs::types::Limits;

pub(super) const CASES: &[Case] = &[
    case!(a_replay_streams_everything_from_its_start, "J11"),
    case!(a_replay_above_the_size_is_refused_at_creation, "J12"),
    case!(a_replay_below_the_boundary_is_refused_at_creation, "J12"),
    case!(a_replay_at_the_size_is_an_empty_stream, "J13"),
    case!(a_replay_shows_the_log_as_of_its_creation, "H19"),
    case!(a_replay_never_shows_what_replaced_rewound_items, "H20"),
    case!(a_replay_serves_what_a_rewind_left, "H19", "H20"),
    case!(a_replay_of_pruned_items_ends_with_pruned, "H20"),
    case!(a_replay_goes_on_above_what_was_pruned, "H19"),
    case!(a_reader_that_outlives_its_log_answers_closed, "H21"),
    case!(a_replay_crosses_segments_within_its_limits, "H18", "J11"),
    case!(readers_do_not_disturb_each_other, "H22"),
];

fn streams(reader: &dyn ReaderSubject, mut position: u64, end: u64) -> Outcome {
    while let Some(batch) = reader.next(ALL).fine()? {
        holding(0, end).check_batch(position, end, ALL, &batch)?;
        position += batch.ends.len() as u64;
    }
    same(position, end)
}

fn a_replay_streams_everything_from_its_start(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 30)?;
    append(&*journal, 30, 47)?;
    for start in [0, 1, 29, 30, 31, 46] {
        streams(&*journal.replay(start).fine()?, start, 47)?;
    }
    Ok(())
}

fn a_replay_above_the_size_is_refused_at_creation(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 15)?;
    ensure!(journal.prune(10).fine()?);
    for start in [16, u64::MAX] {
        let wanted = Error::OutOfRange(Bounds { start: 10, end: 15 });
        same_answer(journal.replay(start).map(|_| ()), Err(wanted))?;
    }
    Ok(())
}

fn a_replay_below_the_boundary_is_refused_at_creation(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 15)?;
    ensure!(journal.prune(10).fine()?);
    for start in [0, 9] {
        let wanted = Error::Pruned(Bounds { start: 10, end: 15 });
        same_answer(journal.replay(start).map(|_| ()), Err(wanted))?;
    }
    Ok(())
}

fn a_replay_at_the_size_is_an_empty_stream(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    same(journal.replay(0).fine()?.next(ALL).fine()?, None)?;
    append(&*journal, 0, 10)?;
    same(journal.replay(10).fine()?.next(ALL).fine()?, None)?;
    ensure!(journal.prune(10).fine()?);
    let reader = journal.replay(10).fine()?;
    same(reader.next(ALL).fine()?, None)?;
    same(reader.next(ALL).fine()?, None)
}

fn a_replay_shows_the_log_as_of_its_creation(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 5)?;
    let reader = journal.replay(2).fine()?;
    append(&*journal, 5, 12)?;
    journal.sync().fine()?;
    streams(&*reader, 2, 5)
}

fn a_replay_never_shows_what_replaced_rewound_items(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 8)?;
    let fresh = journal.replay(6).fine()?;
    let begun = journal.replay(4).fine()?;
    let first = begun.next(Limits { count: 1, bytes: 1 }).fine()?.ok_or("nothing at 4")?;
    same_item(&first.bytes, &item(4))?;
    journal.rewind(5).fine()?;
    append(&*journal, 105, 115)?;
    journal.sync().fine()?;
    for reader in [fresh, begun] {
        refused!(reader.next(ALL), Error::OutOfRange(_));
        // Whatever it says afterwards, it shows nothing.
        ensure!(!matches!(reader.next(ALL), Ok(Some(_))));
    }
    Ok(())
}

fn a_replay_serves_what_a_rewind_left(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 9)?;
    let reader = journal.replay(0).fine()?;
    journal.rewind(6).fine()?;
    append_batch(&*journal, 106, 109)?;
    let mut position = 0;
    let end = loop {
        match reader.next(Limits { count: 4, bytes: 1 << 20 }) {
            Ok(Some(batch)) => {
                holding(0, 6).check_batch(position, 6, ALL, &batch)?;
                position += batch.ends.len() as u64;
            }
            other => break other,
        }
    };
    same(position, 6)?;
    refused!(end, Error::OutOfRange(_));
    Ok(())
}

fn a_replay_of_pruned_items_ends_with_pruned(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 60, 4000)?;
    let reader = journal.replay(5).fine()?;
    ensure!(journal.prune(40).fine()?);
    refused!(reader.next(ALL), Error::Pruned(_));
    ensure!(!matches!(reader.next(ALL), Ok(Some(_))));
    Ok(())
}

fn a_replay_goes_on_above_what_was_pruned(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 60, 4000)?;
    let model = holding_long(0, 60, 4000);
    let reader = journal.replay(45).fine()?;
    ensure!(journal.prune(40).fine()?);
    let mut position = 45;
    while let Some(batch) = reader.next(Limits { count: 3, bytes: 1 << 20 }).fine()? {
        model.check_batch(position, 60, ALL, &batch)?;
        position += batch.ends.len() as u64;
    }
    same(position, 60)
}

fn a_reader_that_outlives_its_log_answers_closed(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 5)?;
    let reader = journal.replay(0).fine()?;
    journal.close().fine()?;
    refused!(reader.next(ALL), Error::Closed);
    let journal = reopen(subject)?;
    let dropped = journal.replay(0).fine()?;
    drop(journal);
    refused!(dropped.next(ALL), Error::Closed);
    // The lock went with the handle, not with the reader.
    let _journal = reopen(subject)?;
    refused!(dropped.next(ALL), Error::Closed);
    refused!(reader.next(ALL), Error::Closed);
    Ok(())
}

fn a_replay_crosses_segments_within_its_limits(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 50, 4000)?;
    journal.close().fine()?;
    let journal = reopen(subject)?;
    let model = holding_long(0, 50, 4000);
    for limits in [Limits { count: 7, bytes: u32::MAX }, Limits { count: u32::MAX, bytes: 9000 }] {
        let reader = journal.replay(0).fine()?;
        let mut position = 0;
        while let Some(batch) = reader.next(limits).fine()? {
            model.check_batch(position, 50, limits, &batch)?;
            position += batch.ends.len() as u64;
        }
        same(position, 50)?;
    }
    Ok(())
}

fn readers_do_not_disturb_each_other(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 20)?;
    let (one, two) = (journal.replay(0).fine()?, journal.replay(3).fine()?);
    let limits = Limits { count: 2, bytes: 1 << 20 };
    let (mut at_one, mut at_two) = (0, 3);
    while at_one < 20 || at_two < 20 {
        for (reader, position) in [(&one, &mut at_one), (&two, &mut at_two)] {
            if let Some(batch) = reader.next(limits).fine()? {
                holding(0, 20).check_batch(*position, 20, limits, &batch)?;
                *position += batch.ends.len() as u64;
            }
        }
    }
    Ok(())
}
