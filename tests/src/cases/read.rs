//! Reading items, one, many, or a range.

use super::kit::*;
use super::{Case, case};
use crate::subject::{ALL, JournalSubject, Options, Subject, options};
use annals_logs::error::{Bounds, Error};
use annals_logs::types::{Limits, Mode, unpack};

pub(super) const CASES: &[Case] = &[
    case!(reading_above_the_size_names_the_bounds, "J8"),
    case!(reading_below_the_boundary_names_the_bounds, "J8"),
    case!(out_of_range_is_checked_before_pruned, "J8"),
    case!(read_many_keeps_the_order_and_repeats, "J9"),
    case!(read_many_is_bounded_but_returns_one, "J9", "H18"),
    case!(read_many_names_a_bad_position, "J9"),
    case!(read_range_stays_within_its_limits, "J10", "H18"),
    case!(read_range_returns_an_item_larger_than_its_limit, "J10", "H18"),
    case!(read_range_is_empty_only_at_the_size, "J10"),
    case!(a_read_of_one_item_reads_little_of_a_huge_frame, "F3.1"),
    case!(reads_work_across_segments_after_reopening, "G12.6"),
    case!(a_refused_read_changes_nothing, "X1"),
];

fn pruned(subject: &dyn Subject) -> Result<Box<dyn JournalSubject>, String> {
    let journal = create(subject)?;
    append(&*journal, 0, 25)?;
    ensure!(journal.prune(20).fine()?);
    Ok(journal)
}

fn reading_above_the_size_names_the_bounds(subject: &dyn Subject) -> Outcome {
    let journal = pruned(subject)?;
    for position in [25, 26, u64::MAX] {
        let wanted = Error::OutOfRange(Bounds { start: 20, end: 25 });
        same_answer(journal.read(position), Err(wanted.clone()))?;
        same_answer(journal.read_many(&[position], 100), Err(wanted))?;
    }
    Ok(())
}

fn reading_below_the_boundary_names_the_bounds(subject: &dyn Subject) -> Outcome {
    let journal = pruned(subject)?;
    for position in [0, 10, 19] {
        let wanted = Error::Pruned(Bounds { start: 20, end: 25 });
        same_answer(journal.read(position), Err(wanted.clone()))?;
        same_answer(journal.read_many(&[position], 100), Err(wanted))?;
    }
    Ok(())
}

fn out_of_range_is_checked_before_pruned(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, Options { start_at: Some(30), ..options(Mode::Create) })?;
    let bounds = Bounds { start: 30, end: 30 };
    same_answer(journal.read(30), Err(Error::OutOfRange(bounds)))?;
    same_answer(journal.read(29), Err(Error::Pruned(bounds)))
}

fn read_many_keeps_the_order_and_repeats(subject: &dyn Subject) -> Outcome {
    let journal = pruned(subject)?;
    let positions = [23, 20, 24, 20, 22];
    let items = journal.read_many(&positions, 1 << 20).fine()?;
    same(items.ids, positions.to_vec())?;
    let got: Vec<&[u8]> = unpack(&items.ends, &items.bytes).collect();
    same(
        got,
        positions.iter().map(|&number| item(number)).collect::<Vec<_>>().iter().map(Vec::as_slice).collect(),
    )?;
    let none = journal.read_many(&[], 100).fine()?;
    same((none.ids, none.ends, none.bytes), (vec![], vec![], vec![]))
}

fn read_many_is_bounded_but_returns_one(subject: &dyn Subject) -> Outcome {
    let journal = pruned(subject)?;
    let len = item(0).len() as u32;
    for (max, count) in
        [(0, 1), (len - 1, 1), (len, 1), (2 * len - 1, 1), (2 * len, 2), (3 * len, 3), (9 * len, 3)]
    {
        let items = journal.read_many(&[24, 21, 22], max).fine()?;
        same((max, items.ids), (max, [24, 21, 22][..count].to_vec()))?;
        same(items.ends.len(), count)?;
    }
    Ok(())
}

fn read_many_names_a_bad_position(subject: &dyn Subject) -> Outcome {
    let journal = pruned(subject)?;
    let bounds = Bounds { start: 20, end: 25 };
    same_answer(journal.read_many(&[20, 25], 1 << 20).map(|_| ()), Err(Error::OutOfRange(bounds)))?;
    same_answer(journal.read_many(&[24, 19], 1 << 20).map(|_| ()), Err(Error::Pruned(bounds)))
}

fn read_range_stays_within_its_limits(subject: &dyn Subject) -> Outcome {
    let journal = pruned(subject)?;
    append_batch(&*journal, 25, 90)?;
    let model = holding(20, 90);
    let len = item(0).len() as u32;
    for count in [0, 1, 2, 7, 1000] {
        for bytes in [0, len - 1, len, 3 * len + 1, 1 << 20] {
            for start in [20, 21, 33, 89] {
                let limits = Limits { count, bytes };
                let batch = journal.read_range(start, limits).fine()?;
                model.check_batch(start, 90, limits, &batch).map_err(|what| format!("{limits:?}: {what}"))?;
            }
        }
    }
    Ok(())
}

fn read_range_returns_an_item_larger_than_its_limit(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 3, 9000)?;
    let batch = journal.read_range(1, Limits { count: 5, bytes: 100 }).fine()?;
    same(batch.ends.len(), 1)?;
    same_item(&batch.bytes, &long_item(1, 9000))
}

fn read_range_is_empty_only_at_the_size(subject: &dyn Subject) -> Outcome {
    let journal = pruned(subject)?;
    let empty = journal.read_range(25, ALL).fine()?;
    same((empty.ends.len(), empty.bytes.len()), (0, 0))?;
    let bounds = Bounds { start: 20, end: 25 };
    same_answer(journal.read_range(26, ALL), Err(Error::OutOfRange(bounds)))?;
    same_answer(journal.read_range(19, ALL), Err(Error::Pruned(bounds)))
}

fn a_read_of_one_item_reads_little_of_a_huge_frame(subject: &dyn Subject) -> Outcome {
    let journal = create_with(
        subject,
        Options { items_per_section: Some(1 << 20), segment_bytes: Some(16 << 20), ..options(Mode::Create) },
    )?;
    let items: Vec<Vec<u8>> = (0..4000).map(|number| long_item(number, 2000)).collect();
    let slices: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
    journal.append_batch(&slices).fine()?;
    journal.close().fine()?;
    let journal = reopen_read_only(subject)?;
    subject.disk().reset_counters();
    same_item(&journal.read(2345).fine()?, &items[2345])?;
    let read = subject.disk().counters().bytes_read;
    ensure!(read <= 1 << 20, "{read} bytes read for one item of an 8 MB frame");
    Ok(())
}

fn reads_work_across_segments_after_reopening(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 60, 4000)?;
    ensure!(subject.segments(LOG).fine()?.len() >= 3, "the journal should have rolled");
    let model = holding_long(0, 60, 4000);
    holds(&*journal, &model)?;
    journal.close().fine()?;
    let journal = reopen(subject)?;
    for number in [59, 0, 31, 17, 58] {
        same_item(&journal.read(number).fine()?, &long_item(number, 4000))?;
    }
    holds(&*journal, &model)
}

fn a_refused_read_changes_nothing(subject: &dyn Subject) -> Outcome {
    let journal = pruned(subject)?;
    journal.sync().fine()?;
    let before = subject.disk().hash();
    let _ = (journal.read(99), journal.read(0), journal.read_many(&[99], 1), journal.read_range(99, ALL));
    same(subject.disk().hash(), before)?;
    holds(&*journal, &holding(20, 25))
}
