//! Appending: positions, batches, limits, what waits in memory.

use super::kit::*;
use super::{Case, case};
use crate::model::{MAX_BATCH, MAX_COUNT, MAX_ITEM, Model};
use crate::sim::{Call, Crash};
use crate::subject::{Options, Subject, options};
use annals_logs::error::{Error, Limit};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(append_returns_consecutive_positions, "J5"),
    case!(append_batch_returns_its_first_position, "J6"),
    case!(a_packed_append_leaves_the_same_bytes_as_a_batch, "H17"),
    case!(an_empty_batch_is_refused_and_changes_nothing, "J6", "X1"),
    case!(packed_ends_must_ascend_to_the_length, "H17", "X1"),
    case!(empty_items_are_items, "J5", "J7"),
    case!(waiting_appends_can_be_read, "F1.6"),
    case!(single_appends_gather_into_one_frame, "F1.2"),
    case!(no_more_than_the_write_buffer_waits, "F1.3"),
    case!(a_batch_is_handed_over_when_it_returns, "F1.4"),
    case!(a_batch_survives_as_a_whole_or_not_at_all, "F1.1"),
    case!(an_item_of_the_maximum_size_comes_back, "G16.1", "J7"),
    case!(an_item_above_the_maximum_is_refused, "G16.1", "X1"),
    case!(a_batch_above_a_maximum_is_refused, "G16.2", "X1"),
    case!(items_of_zeros_and_ones_come_back, "J7"),
    case!(an_item_that_looks_like_a_log_is_just_an_item, "F2.7", "F2.6"),
    case!(the_last_position_does_not_overflow, "G16.6"),
];

fn append_returns_consecutive_positions(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    for number in 0..25 {
        same(journal.append(&item(number)).fine()?, number)?;
        same(journal.size().fine()?, number + 1)?;
    }
    holds(&*journal, &holding(0, 25))
}

fn append_batch_returns_its_first_position(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    same(journal.append_batch(&[&item(0), &item(1)]).fine()?, 0)?;
    same(journal.append(&item(2)).fine()?, 2)?;
    same(journal.append_batch(&[&item(3)]).fine()?, 3)?;
    holds(&*journal, &holding(0, 4))
}

fn a_packed_append_leaves_the_same_bytes_as_a_batch(subject: &dyn Subject) -> Outcome {
    let empty = fork(subject);
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    journal.close().fine()?;
    let packed = create(&*empty)?;
    let items: Vec<Vec<u8>> = (0..5).map(item).collect();
    let bytes = items.concat();
    let ends: Vec<u32> = items
        .iter()
        .scan(0, |end, item| {
            *end += item.len() as u32;
            Some(*end)
        })
        .collect();
    same(packed.append_packed(&ends, &bytes).fine()?, 0)?;
    packed.close().fine()?;
    ensure!(subject.disk().image() == empty.disk().image());
    Ok(())
}

fn an_empty_batch_is_refused_and_changes_nothing(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    let before = subject.disk().hash();
    refused!(journal.append_batch(&[]), Error::InvalidArgument(_));
    refused!(journal.append_packed(&[], &[]), Error::InvalidArgument(_));
    same(subject.disk().hash(), before)?;
    holds(&*journal, &holding(0, 3))
}

fn packed_ends_must_ascend_to_the_length(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    let wrong: [(&[u32], &[u8]); 5] =
        [(&[2, 1, 3], b"abc"), (&[1, 2], b"abc"), (&[1, 4], b"abc"), (&[], b"abc"), (&[u32::MAX], b"abc")];
    let before = subject.disk().hash();
    for (ends, bytes) in wrong {
        refused!(journal.append_packed(ends, bytes), Error::InvalidArgument(_));
    }
    same(subject.disk().hash(), before)?;
    same(journal.append_packed(&[0, 3, 3], b"abc").fine()?, 0)?;
    same(journal.read(0).fine()?, vec![])?;
    same(journal.read(1).fine()?, b"abc".to_vec())?;
    same(journal.read(2).fine()?, vec![])
}

fn empty_items_are_items(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    same(journal.append(b"").fine()?, 0)?;
    same(journal.append_batch(&[b"", b"x", b""]).fine()?, 1)?;
    journal.close().fine()?;
    let items: [&[u8]; 4] = [b"", b"", b"x", b""];
    holds(&*reopen(subject)?, &Model::holding(10, 0, items.map(Into::into)))
}

fn waiting_appends_can_be_read(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 2)?;
    append(&*journal, 2, 5)?;
    holds(&*journal, &holding(0, 5))?;
    let items = journal.read_many(&[4, 1, 3], 1 << 20).fine()?;
    same(items.ids, vec![4, 1, 3])
}

fn single_appends_gather_into_one_frame(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    subject.disk().reset_counters();
    append(&*journal, 0, 9)?;
    same(subject.disk().counters().of(Call::Write), 0)?;
    journal.flush().fine()?;
    same(subject.disk().counters().of(Call::Sync), 0)?;
    let file = newest_file(subject)?;
    let frames = subject.frames(&file).fine()?;
    same(frames.iter().filter(|frame| frame.kind == "append").map(|frame| frame.count).collect(), vec![9])
}

fn newest_file(subject: &dyn Subject) -> Result<String, String> {
    subject.disk().file_names().pop().ok_or("no file".into())
}

fn no_more_than_the_write_buffer_waits(subject: &dyn Subject) -> Outcome {
    let small = Options {
        write_buffer: Some(1000),
        items_per_section: Some(1000),
        sync_sections: Some(false),
        ..options(Mode::Create)
    };
    let journal = create_with(subject, small)?;
    append(&*journal, 0, 200)?;
    let after = crash(subject, Crash::Process);
    let kept = contents(&*reopen(&*after)?)?;
    let waited = (200 - kept.size()) * item(0).len() as u64;
    ensure!(waited <= 1000 + item(0).len() as u64, "{waited} bytes waited in memory");
    same_contents(&kept, &holding(0, kept.size()))
}

fn a_batch_is_handed_over_when_it_returns(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 2)?;
    append_batch(&*journal, 2, 5)?;
    holds(&*reopen(&*crash(subject, Crash::Process))?, &holding(0, 5))
}

fn a_batch_survives_as_a_whole_or_not_at_all(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    journal.sync().fine()?;
    let items: Vec<Vec<u8>> = (3..7).map(|number| long_item(number, 1500)).collect();
    let slices: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
    journal.append_batch(&slices).fine()?;
    let mut sizes = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let chosen = if seed == 0 { Crash::KEEP_ALL } else { Crash::random(seed) };
        let after = subject.on(subject.disk().fork().reboot(chosen));
        let journal = reopen(&*after).map_err(|what| format!("{what} ({chosen:?})"))?;
        let size = journal.size().fine()?;
        ensure!(size == 3 || size == 7, "{size} items after {chosen:?}");
        sizes.insert(size);
    }
    same(sizes.len(), 2)
}

fn an_item_of_the_maximum_size_comes_back(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    let huge = long_item(1, MAX_ITEM as usize);
    let huge = &huge[..MAX_ITEM as usize];
    append(&*journal, 0, 1)?;
    same(journal.append(huge).fine()?, 1)?;
    same(journal.append(&item(2)).fine()?, 2)?;
    same_item(&journal.read(1).fine()?, huge)?;
    journal.close().fine()?;
    let journal = reopen(subject)?;
    same_item(&journal.read(0).fine()?, &item(0))?;
    same_item(&journal.read(1).fine()?, huge)?;
    same_item(&journal.read(2).fine()?, &item(2))
}

fn an_item_above_the_maximum_is_refused(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 1)?;
    let huge = vec![1; MAX_ITEM as usize + 1];
    let before = subject.disk().hash();
    let wanted = Error::TooLarge { what: Limit::ItemSize, allowed: MAX_ITEM, got: MAX_ITEM + 1 };
    same_answer(journal.append(&huge), Err(wanted.clone()))?;
    same_answer(journal.append_batch(&[b"x", &huge]), Err(wanted.clone()))?;
    same_answer(journal.append_packed(&[huge.len() as u32], &huge), Err(wanted))?;
    same(subject.disk().hash(), before)?;
    holds(&*journal, &holding(0, 1))
}

fn a_batch_above_a_maximum_is_refused(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    let before = subject.disk().hash();
    let ends = vec![0; MAX_COUNT as usize + 1];
    let wanted = Error::TooLarge { what: Limit::BatchCount, allowed: MAX_COUNT, got: MAX_COUNT + 1 };
    same_answer(journal.append_packed(&ends, &[]), Err(wanted))?;
    let part: &[u8] = &vec![1; 13 << 20];
    let wanted = Error::TooLarge { what: Limit::BatchSize, allowed: MAX_BATCH, got: 65 << 20 };
    same_answer(journal.append_batch(&[part; 5]), Err(wanted))?;
    same(subject.disk().hash(), before)?;
    same(journal.size().fine()?, 0)
}

fn items_of_zeros_and_ones_come_back(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    let items: Vec<Vec<u8>> =
        vec![vec![0; 5000], vec![0xFF; 5000], vec![0; 1], vec![0xFF; 1], vec![0; 20_000], vec![0; 512]];
    let slices: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
    journal.append_batch(&slices).fine()?;
    for item in &items {
        journal.append(item).fine()?;
    }
    let twice = items.iter().chain(&items).map(|item| item.as_slice().into());
    let model = Model::holding(10, 0, twice);
    journal.sync().fine()?;
    holds(&*journal, &model)?;
    let after = crash(subject, Crash::LOSE_ALL);
    let journal = reopen(&*after)?;
    holds(&*journal, &model)?;
    journal.close().fine()?;
    same(after.verify(LOG).fine()?, vec![])
}

fn an_item_that_looks_like_a_log_is_just_an_item(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    journal.sync().fine()?;
    let file = newest_file(subject)?;
    let copy = subject.disk().file_bytes(&file);
    let copy = &copy[..copy.len().min(20_000)];
    journal.append(copy).fine()?;
    append_batch(&*journal, 6, 8)?;
    journal.sync().fine()?;
    let after = crash(subject, Crash::LOSE_ALL);
    let journal = reopen(&*after)?;
    same_item(&journal.read(5).fine()?, copy)?;
    same_item(&journal.read(7).fine()?, &item(7))?;
    journal.close().fine()?;
    // Lose the header of the frame around it: what stands inside is not taken for frames.
    let frames = after.frames(&file).fine()?;
    let around =
        frames.iter().find(|frame| frame.first == 5 && frame.kind == "append").ok_or("no frame of item 5")?;
    after.disk().overwrite(&file, around.offset, &[0x55; 8]);
    let journal = reopen_read_only(&*after)?;
    damage(journal.read(5))?;
    for number in [0, 4, 6, 7] {
        same_item(&journal.read(number).fine()?, &item(number))?;
    }
    same(journal.size().fine()?, 8)
}

fn the_last_position_does_not_overflow(subject: &dyn Subject) -> Outcome {
    let last = Options { start_at: Some(u64::MAX), ..options(Mode::Create) };
    let Ok(journal) = subject.open(LOG, &last) else {
        return same(subject.disk().file_names(), vec![]);
    };
    ensure!(journal.append(b"x").is_err());
    ensure!(journal.append_batch(&[b"x", b"y"]).is_err());
    same(journal.size().fine()?, u64::MAX)?;
    journal.close().fine()?;
    same(reopen(subject)?.size().fine()?, u64::MAX)
}
