//! Reading entries, terms and bounds.

use super::super::{Case, case};
use super::kit::*;
use crate::raft::Entries;
use annals_logs::error::Error;
use annals_logs::types::{Limits, Mode};

pub(super) const CASES: &[Case] = &[
    case!(a_missing_entry_is_none, "R7"),
    case!(a_range_includes_both_ends, "R6"),
    case!(missing_entries_are_skipped, "R6"),
    case!(a_wide_gap_is_crossed_in_one_read, "R6", "H18"),
    case!(limits_bound_a_read_but_not_below_one_entry, "H18", "R23"),
    case!(a_read_crosses_segments, "G12.6"),
    case!(terms_are_told_of_entries_and_of_the_boundary, "R16"),
    case!(first_and_last_index_follow_every_change, "R14", "R15"),
    case!(reads_are_read_only_too, "D11.3", "D11.5"),
    case!(reading_a_range_reads_little_more, "R23"),
];

fn a_missing_entry_is_none(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    same((log.entry(0).fine()?, log.entry(1).fine()?, log.entry(u64::MAX).fine()?), (None, None, None))?;
    log.persist(&entries(1, 1, 9)).fine()?;
    log.purge(id(1, 3)).fine()?;
    for missing in [0, 1, 3, 9, u64::MAX] {
        same(log.entry(missing).fine()?, None)?;
    }
    same(log.entry(4).fine()?, Some(named(1, 4)))
}

fn a_range_includes_both_ends(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    for (first, last) in [(1, 1), (1, 20), (5, 9), (20, 20)] {
        same(unpack(&log.get_entries(first, last, ALL).fine()?), entries(1, first, last + 1))?;
    }
    for (first, last) in [(9, 5), (u64::MAX, 0), (21, 20), (1, 0)] {
        same(log.get_entries(first, last, ALL).fine()?, Entries::default())?;
    }
    Ok(())
}

fn missing_entries_are_skipped(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &gappy(Mode::Create)).fine()?;
    log.persist(&[named(1, 3), named(1, 4), named(1, 8)]).fine()?;
    log.persist(&[named(1, 12)]).fine()?;
    log.persist(&[named(2, 6), named(2, 10)]).fine()?;
    let indexes = |first, last| log.get_entries(first, last, ALL).fine().map(|found| found.indexes);
    same(indexes(0, u64::MAX)?, vec![3, 4, 6, 8, 10, 12])?;
    same(indexes(4, 8)?, vec![4, 6, 8])?;
    same(indexes(5, 5)?, vec![])?;
    same(indexes(13, 100)?, vec![])?;
    log.purge(id(1, 6)).fine()?;
    same(indexes(0, 10)?, vec![8, 10])
}

fn a_wide_gap_is_crossed_in_one_read(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &gappy(Mode::Create)).fine()?;
    log.persist(&entries(1, 1, 3)).fine()?;
    for at in 1..=12 {
        log.persist(&[long(1, at << 40, LONG)]).fine()?;
    }
    let found = log.get_entries(3, u64::MAX, Limits { count: 1, bytes: 0 }).fine()?;
    same(found.indexes, vec![1 << 40])?;
    let found = log.get_entries((1 << 40) + 1, (7 << 40) - 1, ALL).fine()?;
    same(found.indexes, (2..7).map(|at| at << 40).collect())?;
    same(log.get_entries((2 << 40) + 1, (3 << 40) - 1, ALL).fine()?.indexes, vec![])
}

fn limits_bound_a_read_but_not_below_one_entry(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let model = Model::holding(&entries(1, 1, 30));
    for index in 1..30 {
        log.persist(&entries(1, index, index + 1)).fine()?;
    }
    let size = named(1, 1).payload.len() as u32 + 8;
    for count in [0, 1, 2, 7, 100] {
        for bytes in [0, 1, size - 1, size, size + 1, 5 * size - 1, 5 * size, u32::MAX] {
            let limits = Limits { count, bytes };
            for (first, last) in [(1, 29), (3, 5), (29, 40)] {
                let got = log.get_entries(first, last, limits).fine()?;
                same((limits, got), (limits, model.get_entries(first, last, limits)))?;
            }
        }
    }
    Ok(())
}

fn a_read_crosses_segments(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 40))?;
    same(unpack(&log.get_entries(5, 35, ALL).fine()?), longs(1, 5, 36))?;
    let limits = Limits { count: 100, bytes: 15 * (LONG as u32 + 8) };
    same(unpack(&log.get_entries(5, 35, limits).fine()?), longs(1, 5, 20))
}

fn terms_are_told_of_entries_and_of_the_boundary(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    for term in 1..=5 {
        log.persist(&entries(term, term * 4 - 3, term * 4 + 1)).fine()?;
    }
    for index in 1..=20u64 {
        same(log.term_of(index).fine()?, Some(index.div_ceil(4)))?;
    }
    same((log.term_of(0).fine()?, log.term_of(21).fine()?), (None, None))?;
    log.purge(id(77, 10)).fine()?;
    for log in [log, reopen_read_only(subject)?] {
        same((log.term_of(9).fine()?, log.term_of(10).fine()?), (None, Some(77)))?;
        same(log.term_of(11).fine()?, Some(3))?;
    }
    Ok(())
}

fn first_and_last_index_follow_every_change(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &gappy(Mode::Create)).fine()?;
    let bounds = |first, last| same((log.first_index().fine()?, log.last_index().fine()?), (first, last));
    bounds(None, 0)?;
    log.persist(&entries(1, 5, 8)).fine()?;
    bounds(Some(5), 7)?;
    log.persist(&entries(1, 3, 4)).fine()?;
    bounds(Some(3), 7)?;
    log.purge(id(1, 4)).fine()?;
    bounds(Some(5), 7)?;
    log.truncate(6).fine()?;
    bounds(Some(5), 5)?;
    log.replace_range(5, &entries(2, 5, 7)).fine()?;
    bounds(Some(5), 6)?;
    log.purge(id(2, 6)).fine()?;
    bounds(None, 6)?;
    log.persist(&entries(2, 9, 10)).fine()?;
    bounds(Some(9), 9)?;
    log.truncate(7).fine()?;
    bounds(None, 6)?;
    log.purge(id(3, 20)).fine()?;
    bounds(None, 20)?;
    log.reset().fine()?;
    bounds(None, 0)
}

fn reads_are_read_only_too(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.purge(id(1, 2)).fine()?;
    log.save_hard_state(&hard(3, 4)).fine()?;
    let model = contents(&*log)?;
    let (before, reader) = (subject.disk().hash(), reopen_read_only(subject)?);
    holds(&*reader, &model)?;
    refused!(reader.persist(&entries(1, 21, 22)), Error::ReadOnly);
    refused!(reader.persist(&[]), Error::ReadOnly);
    refused!(reader.persist_packed(&pack(&[])), Error::ReadOnly);
    refused!(reader.truncate(50), Error::ReadOnly);
    refused!(reader.replace_range(5, &[]), Error::ReadOnly);
    refused!(reader.replace_range_packed(5, &pack(&[])), Error::ReadOnly);
    refused!(reader.purge(id(1, 0)), Error::ReadOnly);
    refused!(reader.reset(), Error::ReadOnly);
    refused!(reader.save_hard_state(&hard(1, 1)), Error::ReadOnly);
    refused!(reader.flush(), Error::ReadOnly);
    refused!(reader.sync(), Error::ReadOnly);
    refused!(reader.begin_sync(), Error::ReadOnly);
    ensure!(!reader.is_write_durable());
    // It shows the log as of its opening.
    log.persist(&entries(1, 21, 22)).fine()?;
    holds(&*reader, &model)?;
    drop(log);
    reader.close().fine()?;
    drop(reader);
    let again = reopen_read_only(subject)?;
    same(again.last_index().fine()?, 21)?;
    ensure!(subject.disk().hash() != before);
    Ok(())
}

fn reading_a_range_reads_little_more(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    for batch in 0..60 {
        log.persist(&longs(1, batch * 10 + 1, batch * 10 + 11)).fine()?;
    }
    log.close().fine()?;
    drop(log);
    let after = fork(subject);
    let log = reopen_read_only(&*after)?;
    after.disk().reset_counters();
    same(unpack(&log.get_entries(300, 305, ALL).fine()?), longs(1, 300, 306))?;
    let read = after.disk().counters().bytes_read;
    ensure!(read <= 512 << 10, "{read} bytes read for 6 entries of {LONG} bytes");
    same(log.term_of(77).fine()?, Some(1))
}
