//! Blocks that were right once, or elsewhere: stale, misdirected, exchanged; and what a lost frame may have superseded.

use super::damage::{segments, wrong_is_never_served};
use super::kit::*;
use super::{Case, case};
use crate::sim::Crash;
use crate::subject::{Subject, options};
use annals_logs::error::Error;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(exchanged_segments_are_damage, "F2.1", "G13.5"),
    case!(a_stale_segment_is_damage, "G13.5"),
    case!(a_stale_sector_is_damage, "F2.2"),
    case!(a_misdirected_sector_is_damage, "F2.1"),
    case!(a_frame_of_another_history_is_never_served, "F2.2"),
    case!(a_stale_frame_behind_a_repeated_batch_is_never_served, "F5.2"),
    case!(a_lost_rewind_hides_what_it_superseded, "D11.4"),
    case!(a_rewind_lost_with_the_end_of_its_segment_hides_what_it_superseded, "D11.4"),
];

fn exchanged_segments_are_damage(subject: &dyn Subject) -> Outcome {
    segments(subject)?;
    let files = subject.disk().file_names();
    let copy = subject.disk().fork();
    subject.disk().copy_file(&copy, &files[0], &files[1]);
    subject.disk().copy_file(&copy, &files[1], &files[0]);
    wrong_is_never_served(subject, 60, 4000)
}

fn a_stale_segment_is_damage(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 5, 4000)?;
    journal.sync().fine()?;
    let first = subject.disk().file_names().pop().ok_or("no file")?;
    let stale = subject.disk().fork();
    append_long(&*journal, 5, 60, 4000)?;
    journal.close().fine()?;
    subject.disk().copy_file(&stale, &first, &first);
    wrong_is_never_served(subject, 60, 4000)
}

fn a_stale_sector_is_damage(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 2, 1000)?;
    journal.sync().fine()?;
    let stale = subject.disk().fork();
    append_long(&*journal, 2, 8, 1000)?;
    journal.close().fine()?;
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    let (old, new) = (stale.file_bytes(&file), subject.disk().file_bytes(&file));
    for sector in 0..new.len() / 512 {
        let range = sector * 512..sector * 512 + 512;
        let Some(bytes) = old.get(range.clone()).filter(|bytes| **bytes != new[range.clone()]) else {
            continue;
        };
        let bad = fork(subject);
        bad.disk().overwrite(&file, range.start as u64, bytes);
        wrong_is_never_served(&*bad, 8, 1000).map_err(|what| format!("sector {sector}: {what}"))?;
    }
    Ok(())
}

fn a_misdirected_sector_is_damage(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 8, 1000)?;
    journal.close().fine()?;
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    let bytes = subject.disk().file_bytes(&file);
    for sector in 1..bytes.len() / 512 {
        let bad = fork(subject);
        bad.disk().overwrite(&file, sector as u64 * 512, &bytes[sector * 512 - 512..sector * 512]);
        wrong_is_never_served(&*bad, 8, 1000).map_err(|what| format!("sector {sector}: {what}"))?;
    }
    Ok(())
}

/// Puts the frame with this item from one disk at its own address on another, and opens that: the item is not served.
fn splice(subject: &dyn Subject, from: &dyn Subject, bytes: &[u8], size: u64) -> Outcome {
    let (file, offset) = find(from.disk(), bytes)?;
    let frames = from.frames(&file).fine()?;
    let frame = frames.iter().rfind(|frame| frame.offset < offset).ok_or("no frame")?;
    let range = frame.offset as usize..frame.offset as usize + frame.bytes as usize;
    let stale = from.disk().file_bytes(&file);
    subject.disk().overwrite(&file, frame.offset, &stale[range]);
    let before = subject.disk().hash();
    let reader = reopen_read_only(subject)?;
    ensure!(reader.size().fine()? <= size && reader.read(size).is_err(), "a stale frame is served");
    drop(reader);
    match subject.open(LOG, &options(Mode::Open)) {
        Ok(journal) => same(journal.size().fine()?, size),
        Err(Error::Damaged(_)) => same(subject.disk().hash(), before),
        Err(other) => Err(format!("{other:?}")),
    }
}

fn a_frame_of_another_history_is_never_served(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    journal.sync_data().fine()?;
    let one = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    let two = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
    // The same log, twice in the same way but for one item: same numbers, same addresses, same random numbers.
    for (side, number) in [(&one, 13), (&two, 23)] {
        let journal = reopen(&**side)?;
        append_batch(&*journal, number, number + 1)?;
        append_batch(&*journal, number + 1, number + 2)?;
    }
    let one = crash(&*one, Crash::KEEP_ALL);
    let two = crash(&*two, Crash::KEEP_ALL);
    same(find(two.disk(), &item(24))?, find(one.disk(), &item(14))?)?;
    splice(&*one, &*two, &item(24), 4)
}

fn a_stale_frame_behind_a_repeated_batch_is_never_served(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    journal.sync_data().fine()?;
    append_batch(&*journal, 3, 5)?;
    append_batch(&*journal, 5, 7)?;
    let stale = subject.on(subject.disk().fork().reboot(Crash::KEEP_ALL));
    // Both batches are lost; the first is appended again, to the bit.
    let after = crash(subject, Crash::LOSE_ALL);
    let journal = reopen(&*after)?;
    holds(&*journal, &holding(0, 3))?;
    append_batch(&*journal, 3, 5)?;
    splice(&*crash(&*after, Crash::KEEP_ALL), &*stale, &item(5), 5)
}

/// Twenty items, a rewind to five, items 105 to 107 in their place, then 208 and 209; `more` follows. The rewind and the
/// frame behind it are lost. Returns the file.
fn lose_a_rewind(subject: &dyn Subject, more: u64) -> Result<String, String> {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 20)?;
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    journal.rewind(5).fine()?;
    append_batch(&*journal, 105, 108)?;
    if more == 0 {
        append_batch(&*journal, 208, 210)?;
    }
    append_long(&*journal, 8, 8 + more, 20_000)?;
    journal.close().fine()?;
    let frames = subject.frames(&file).fine()?;
    let rewind = frames.iter().position(|frame| frame.kind == "truncate").ok_or("no truncate frame")?;
    for frame in &frames[rewind..rewind + 2] {
        subject.disk().overwrite(&file, frame.offset, &[0x11; 40]);
    }
    Ok(file)
}

/// Positions below five are certain; the three behind are lost, and what stood there before the rewind never returns.
fn only_what_is_certain(subject: &dyn Subject) -> Outcome {
    let reader = reopen_read_only(subject)?;
    for position in 0..5 {
        same_item(&reader.read(position).fine()?, &item(position))?;
    }
    for position in 5..8 {
        damage(reader.read(position)).map_err(|what| format!("position {position}: {what}"))?;
    }
    Ok(())
}

fn a_lost_rewind_hides_what_it_superseded(subject: &dyn Subject) -> Outcome {
    lose_a_rewind(subject, 0)?;
    only_what_is_certain(subject)?;
    let reader = reopen_read_only(subject)?;
    same(reader.size().fine()?, 10)?;
    same_item(&reader.read(8).fine()?, &item(208))
}

fn a_rewind_lost_with_the_end_of_its_segment_hides_what_it_superseded(subject: &dyn Subject) -> Outcome {
    let file = lose_a_rewind(subject, 5)?;
    ensure!(subject.disk().file_names().len() > 1, "the journal should have rolled");
    // Everything behind the rewind is lost, the index of the segment too: only the next header remembers it.
    let frames = subject.frames(&file).fine()?;
    let intact = frames.iter().rfind(|frame| frame.first < 5 && frame.kind == "append").ok_or("no frame")?;
    let from = intact.offset + u64::from(intact.bytes);
    let left = subject.disk().file_size(&file) - from;
    subject.disk().overwrite(&file, from, &vec![0x11; left as usize]);
    only_what_is_certain(subject)?;
    let reader = reopen_read_only(subject)?;
    same(reader.size().fine()?, 13)?;
    same_item(&reader.read(12).fine()?, &long_item(12, 20_000))
}
