//! What seldom happens to a journal: full disks in a prune, damage in odd places, logs that were never finished.

use super::kit::*;
use super::{Case, case};
use crate::sim::{Call, Crash, CrashPlan, Point};
use crate::subject::{ALL, JournalSubject, Options, SEGMENT, Subject, options};
use annals_logs::error::Error;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(on_a_full_disk_a_prune_goes_before_what_waits, "D10.6", "J17"),
    case!(a_prune_of_nothing_on_a_full_disk_says_that_something_waits, "D10.4", "J15"),
    case!(what_was_claimed_in_vain_is_given_back, "D6.2", "D10.7"),
    case!(before_a_missing_end_ranges_are_served, "G13.7", "D11.2"),
    case!(a_damaged_list_costs_the_items_that_it_tells_of, "F3.2", "A3"),
    case!(a_damaged_block_of_a_compressed_frame_costs_that_frame, "J31"),
    case!(a_seal_with_two_flipped_bits_costs_no_item, "D11.2", "F3.3"),
    case!(destroying_what_was_never_finished_leaves_nothing, "G15.1", "G15.4"),
    case!(a_foreign_file_of_the_name_is_damage_and_stays, "G15.5", "G15.1"),
    case!(a_frame_of_another_history_behind_a_lost_change_is_not_served, "F2.2", "D11.4"),
    case!(a_sealed_file_without_its_end_is_told_though_the_next_header_is_lost, "A3", "D8.4"),
    case!(a_file_of_another_history_is_told_by_verify, "A3", "G13.5"),
    case!(a_file_that_cannot_be_opened_tells_nothing_of_the_next_one, "D11.4", "G13.4"),
];

/// A journal on a full disk in which single appends wait, and how many items there are in all.
fn waiting(side: &dyn Subject, pruned: u64) -> Result<(Box<dyn JournalSubject>, u64), String> {
    let sections = Options { items_per_section: Some(100), ..options(Mode::Create) };
    let journal = create_with(side, Options { sync_sections: Some(false), ..sections })?;
    append_long(&*journal, 0, pruned, 4000)?;
    side.disk().set_quota(Some(side.disk().used() + 20_000));
    let mut end = pruned;
    loop {
        match journal.append(&long_item(end, 3000)) {
            Ok(position) => same(position, end)?,
            Err(Error::OutOfSpace) => break,
            Err(other) => return Err(format!("item {end}: {other:?}")),
        }
        end += 1;
        ensure!(end < 10_000, "the disk never gets full");
    }
    refused!(journal.flush(), Error::OutOfSpace);
    Ok((journal, end))
}

fn on_a_full_disk_a_prune_goes_before_what_waits(subject: &dyn Subject) -> Outcome {
    let side = fork(subject);
    let (journal, end) = waiting(&*side, 200)?;
    ensure!(end > 200, "nothing waits");
    ensure!(journal.prune(200).fine()?);
    // It freed the space for what waited, and all of that is durable.
    let model = holding_long(200, end, 3000);
    holds(&*journal, &model)?;
    holds(&*reopen(&*side.on(side.disk().fork().reboot(Crash::LOSE_ALL)))?, &model)?;
    same(journal.append_batch(&[&long_item(end, 3000)]).fine()?, end)
}

fn a_prune_of_nothing_on_a_full_disk_says_that_something_waits(subject: &dyn Subject) -> Outcome {
    let side = fork(subject);
    let (journal, end) = waiting(&*side, 90)?;
    // Below the end of the first section there is nothing to prune, and what waits still finds no room.
    refused!(journal.prune(99), Error::OutOfSpace);
    side.disk().set_quota(None);
    ensure!(!journal.prune(99).fine()?);
    journal.sync().fine()?;
    let journal = reopen(&*side.on(side.disk().fork().reboot(Crash::LOSE_ALL)))?;
    same((journal.boundary().fine()?, journal.size().fine()?), (0, end))
}

fn what_was_claimed_in_vain_is_given_back(subject: &dyn Subject) -> Outcome {
    // A reserve that fails takes all the room that there is.
    let mut rolled = 0;
    for (segment_bytes, quota) in
        [(SEGMENT, 70_000), (SEGMENT, 97_000), (SEGMENT, 200_001), (1 << 22, 300_000), (1 << 22, 500_001)]
    {
        let side = fork(subject);
        let journal =
            create_with(&*side, Options { segment_bytes: Some(segment_bytes), ..options(Mode::Create) })?;
        side.disk().set_quota(Some(quota));
        let mut end = 0;
        while journal.append_batch(&[&long_item(end, 3000)]).is_ok() {
            end += 1;
        }
        same(side.disk().used(), quota)?;
        journal.close().fine()?;
        let segments = side.segments(LOG).fine()?;
        for segment in &segments {
            let frames = side.frames(&segment.file).fine()?;
            let behind = frames.last().map(|frame| frame.offset + u64::from(frame.bytes));
            same(Some(side.disk().file_size(&segment.file)), behind)?;
        }
        rolled += segments.len() - 1;
        // All the room was used but for what is kept back.
        let left = quota - side.disk().used();
        ensure!(left < 12_000 || segment_bytes == SEGMENT, "{left} of {quota} are left");
        ensure!(side.info(LOG).fine()?.clean);
        holds(&*reopen(&*side)?, &holding_long(0, end, 3000))?;
    }
    ensure!(rolled > 0, "{rolled}");
    Ok(())
}

fn before_a_missing_end_ranges_are_served(subject: &dyn Subject) -> Outcome {
    super::damage::segments(subject)?;
    let newest = subject.disk().file_names().pop().ok_or("no file")?;
    subject.disk().remove_file(&newest);
    let journal = reopen_read_only(subject)?;
    let size = journal.size().fine()?;
    ensure!(size > 20, "{size}");
    let batch = journal.read_range(size - 3, ALL).fine()?;
    holding_long(0, size, 4000).check_batch(size - 3, size, ALL, &batch)?;
    // Nobody knows whether that was the end.
    refused!(journal.read_range(size, ALL), Error::Damaged(_));
    Ok(())
}

fn a_damaged_list_costs_the_items_that_it_tells_of(subject: &dyn Subject) -> Outcome {
    // The places of 3000 items fill three blocks; each item needs its own place and the one before.
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3000)?;
    journal.close().fine()?;
    drop(journal);
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    let frame = subject.frames(&file).fine()?.into_iter().find(|frame| frame.count == 3000);
    let frame = frame.ok_or("no frame of all items")?;
    let blocks = (u64::from(frame.bytes) - 144).div_ceil(4096 + 8);
    let list = frame.offset + 144 + 8 * blocks;
    // The third block also holds the first bytes of items, those behind it nothing else.
    for (block, lost) in [(0, 0..1025), (1, 1024..2049), (2, 0..0), (3, 0..0), (5, 0..0)] {
        let side = fork(subject);
        side.disk().flip_bit(&file, (list + block * 4096 + 77) * 8);
        let found = side.verify(LOG).fine()?;
        let bounds: Vec<_> = found.iter().map(|damage| (damage.lowest, damage.next)).collect();
        let bounds: Vec<_> =
            bounds.into_iter().map(|(lowest, next)| lowest.unwrap_or(0)..next.unwrap_or(3000)).collect();
        if !lost.is_empty() {
            same(&bounds, &vec![lost])?;
        }
        let journal = reopen_read_only(&*side)?;
        let mut any = 0;
        for position in 0..3000 {
            match journal.read(position) {
                Ok(found) => same_item(&found, &item(position))?,
                Err(Error::Damaged(_)) => {
                    ensure!(
                        bounds.iter().any(|told| told.contains(&position)),
                        "block {block}: {position} is not in {bounds:?}"
                    );
                    any += 1;
                }
                Err(other) => return Err(format!("{other:?}")),
            }
        }
        let told: u64 = bounds.iter().map(|told| told.end - told.start).sum();
        ensure!(any > 100);
        same((block, told), (block, any))?;
    }
    Ok(())
}

fn a_damaged_block_of_a_compressed_frame_costs_that_frame(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, Options { compression: Some(true), ..options(Mode::Create) })?;
    // Half of it can be compressed, and what is left fills several blocks.
    let half = |number: u64| [long_item(number, 6000), vec![7; 6000]].concat();
    for batch in 0..3 {
        let items: Vec<Vec<u8>> = (batch * 2..batch * 2 + 2).map(half).collect();
        journal.append_batch(&[&items[0], &items[1]]).fine()?;
    }
    journal.close().fine()?;
    drop(journal);
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    let frame = subject.frames(&file).fine()?.into_iter().find(|frame| frame.first == 2);
    let frame = frame.filter(|frame| frame.kind == "append").ok_or("no second batch")?;
    ensure!((9000..20_000).contains(&frame.bytes), "{} bytes of 24,000", frame.bytes);
    for at in [200, u64::from(frame.bytes) / 2, u64::from(frame.bytes) - 100] {
        let side = fork(subject);
        side.disk().flip_bit(&file, (frame.offset + at) * 8);
        let journal = reopen_read_only(&*side)?;
        for position in 0..6 {
            if position / 2 == 1 {
                refused!(journal.read(position), Error::Damaged(_));
            } else {
                same_item(&journal.read(position).fine()?, &half(position))?;
            }
        }
        same(side.verify(LOG).fine()?.len(), 1)?;
    }
    Ok(())
}

fn a_seal_with_two_flipped_bits_costs_no_item(subject: &dyn Subject) -> Outcome {
    // Neither what ends the file nor the header of the seal verifies, but a bit each is all that is wrong.
    let journal = create(subject)?;
    append_batch(&*journal, 0, 30)?;
    journal.close().fine()?;
    drop(journal);
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    let seal = subject.frames(&file).fine()?.pop().filter(|frame| frame.kind == "seal").ok_or("no seal")?;
    let end = subject.disk().file_size(&file);
    for header in [8, 20, 60, 140] {
        let side = fork(subject);
        side.disk().flip_bit(&file, (seal.offset + header) * 8);
        side.disk().flip_bit(&file, (end - 10) * 8);
        super::damage::refuses_writing(&*side)?;
        let found = side.verify(LOG).fine()?;
        same(found.iter().map(|damage| (damage.offset, damage.lowest)).collect(), vec![(seal.offset, None)])?;
        holds(&*reopen_read_only(&*side)?, &holding(0, 30)).map_err(|what| format!("{header}: {what}"))?;
    }
    Ok(())
}

fn destroying_what_was_never_finished_leaves_nothing(subject: &dyn Subject) -> Outcome {
    let mut unfinished = 0;
    for call in 1.. {
        let side = fork(subject);
        side.disk().plan_crash(CrashPlan { call: side.disk().calls() + call, point: Point::After });
        let made = side.open(LOG, &options(Mode::Create)).is_ok();
        let after = side.on(side.disk().reboot(Crash::LOSE_ALL));
        let cell = after.disk().cell_names().pop();
        match after.destroy(LOG) {
            Ok(()) => {}
            Err(Error::NotFound) => unfinished += u32::from(cell.is_some()),
            Err(other) => return Err(format!("after call {call}: {other:?}")),
        }
        same((after.disk().file_names(), after.disk().cell_names()), (vec![], vec![]))?;
        ensure!(after.disk().calls_made().contains(&Call::Lock));
        create(&*after)?.close().fine()?;
        if made {
            break;
        }
    }
    ensure!(unfinished > 2, "{unfinished}");
    Ok(())
}

fn a_foreign_file_of_the_name_is_damage_and_stays(subject: &dyn Subject) -> Outcome {
    let foreign = format!("{LOG}.{}.00000000.0000000000000001", "0".repeat(32));
    // Destroying a log takes its own files and no other's.
    let side = fork(subject);
    append_then_close(&*side)?;
    side.disk().put_file(&foreign, 512);
    side.destroy(LOG).fine()?;
    same((side.disk().file_names(), side.disk().cell_names()), (vec![foreign.clone()], vec![]))?;
    refused!(side.open(LOG, &options(Mode::Create)), Error::Damaged(found) if found.file == foreign);
    // Nor is a log that was being made swept where another one's file stands.
    let mut unfinished = 0;
    for call in 1..12 {
        let side = fork(subject);
        side.disk().plan_crash(CrashPlan { call: side.disk().calls() + call, point: Point::After });
        let made = side.open(LOG, &options(Mode::Create)).is_ok();
        let after = side.on(side.disk().reboot(Crash::LOSE_ALL));
        after.disk().put_file(&foreign, 512);
        let before = after.disk().hash();
        if made || after.open(LOG, &options(Mode::Open)).is_ok() {
            break;
        }
        refused!(after.open(LOG, &options(Mode::Create)), Error::Damaged(found) if found.file == foreign);
        same(after.disk().hash(), before)?;
        unfinished += u32::from(!after.disk().cell_names().is_empty());
    }
    ensure!(unfinished > 2, "{unfinished}");
    Ok(())
}

fn append_then_close(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 10)?;
    journal.close().fine().map(drop)
}

fn a_frame_of_another_history_behind_a_lost_change_is_not_served(subject: &dyn Subject) -> Outcome {
    // Two histories that differ in what was pruned; then a batch of the same size in each.
    let with = |pruned: u64, first: u64| -> Result<Box<dyn Subject>, String> {
        let side = fork(subject);
        let journal = create(&*side)?;
        append_batch(&*journal, 0, 40)?;
        ensure!(journal.prune(pruned).fine()?);
        let items: Vec<Vec<u8>> = (first..first + 5).map(item).collect();
        let slices: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
        journal.append_batch(&slices).fine()?;
        journal.sync().fine()?;
        append(&*journal, 45, 46)?;
        journal.flush().fine()?;
        drop(journal);
        Ok(side)
    };
    let (one, other) = (with(10, 40)?, with(20, 90)?);
    let file = one.disk().file_names().pop().ok_or("no file")?;
    let frames = one.frames(&file).fine()?;
    let kinds: Vec<&str> = frames.iter().map(|frame| frame.kind).collect();
    let meta = frames.iter().position(|frame| frame.kind == "meta").ok_or(format!("{kinds:?}"))?;
    let (meta, batch) = (&frames[meta], &frames[meta + 1]);
    let bytes = other.disk().file_bytes(&other.disk().file_names()[0]);
    let range = batch.offset as usize..(batch.offset + u64::from(batch.bytes)) as usize;
    one.disk().overwrite(&file, batch.offset, &bytes[range]);
    one.disk().flip_bit(&file, (meta.offset + 144) * 8);
    super::damage::refuses_writing(&*one)?;
    ensure!(one.verify(LOG).fine()?.len() >= 2);
    let journal = reopen_read_only(&*one)?;
    for position in 0..45 {
        match journal.read(position) {
            Ok(found) => same_item(&found, &item(position))?,
            Err(Error::Damaged(_) | Error::Pruned(_) | Error::OutOfRange(_)) => {
                ensure!(!(10..40).contains(&position))
            }
            Err(other) => return Err(format!("position {position}: {other:?}")),
        }
    }
    Ok(())
}

fn a_sealed_file_without_its_end_is_told_though_the_next_header_is_lost(subject: &dyn Subject) -> Outcome {
    super::damage::segments(subject)?;
    let files = subject.disk().file_names();
    let footer = subject.frames(&files[1]).fine()?.pop().filter(|frame| frame.kind == "footer");
    subject.disk().cut_file(&files[1], footer.ok_or("no footer")?.offset);
    // The header of the next one would have told how many frames there were.
    for at in [16, 40] {
        subject.disk().flip_bit(&files[2], at * 8);
    }
    let found: Vec<String> = subject.verify(LOG).fine()?.into_iter().map(|damage| damage.file).collect();
    ensure!(found.contains(&files[1]) && found.contains(&files[2]), "{found:?}");
    super::damage::wrong_is_never_served(subject, 60, 4000)
}

fn a_file_of_another_history_is_told_by_verify(subject: &dyn Subject) -> Outcome {
    // The same log went two ways: in one of them its first file got more frames.
    let journal = create(subject)?;
    append_long(&*journal, 0, 5, 4000)?;
    journal.close().fine()?;
    drop(journal);
    let (one, other) = (fork(subject), fork(subject));
    let journal = reopen(&*other)?;
    for _ in 0..5 {
        journal.rewind(4).fine()?;
        append_long(&*journal, 4, 5, 3)?;
    }
    append_long(&*journal, 5, 60, 3000)?;
    append_long(&*reopen(&*one)?, 5, 60, 4000)?;
    let file = one.disk().file_names().remove(0);
    let sealed = |side: &dyn Subject| side.segments(LOG).fine().map(|all| all[0].sealed);
    ensure!(sealed(&*one)? && sealed(&*other)?);
    one.disk().copy_file(other.disk(), &file, &file);
    let found = one.verify(LOG).fine()?;
    ensure!(found.iter().any(|damage| damage.file == *one.disk().file_names()[1]), "{found:?}");
    Ok(())
}

fn a_file_that_cannot_be_opened_tells_nothing_of_the_next_one(subject: &dyn Subject) -> Outcome {
    super::damage::segments(subject)?;
    let journal = reopen_read_only(subject)?;
    let files = subject.disk().file_names();
    let second = subject.segments(LOG).fine()?[1].clone();
    // The second file has neither header nor footer any more, and while the log is open the first one goes.
    let end = subject.disk().file_size(&files[1]);
    for at in [16, 40, end - 10] {
        subject.disk().flip_bit(&files[1], at * 8);
    }
    subject.disk().remove_file(&files[0]);
    for position in 0..60 {
        match journal.read(position) {
            Ok(found) => same_item(&found, &long_item(position, 4000))?,
            Err(Error::Damaged(_)) => ensure!(position < second.next, "{position}"),
            Err(other) => return Err(format!("position {position}: {other:?}")),
        }
    }
    refused!(journal.read(0), Error::Damaged(_));
    Ok(())
}
