//! What only a promise or a token tells: tears that are none; and files that only a durable frame disowns.

use super::damage::refuses_writing;
use super::kit::*;
use super::{Case, case};
use crate::sim::{Call, Crash, Fault, SimDisk};
use crate::subject::{ALL, SEGMENT, Subject};
use annals_logs::error::{Error, Token};
use annals_logs::format::HEADER;

pub(super) const CASES: &[Case] = &[
    case!(a_promised_frame_that_looks_torn_is_refused, "D8.3"),
    case!(files_that_a_prune_named_are_removed_at_open, "G13.3"),
    case!(a_file_that_a_roll_began_is_emptied_before_it_is_used, "G13.2", "G14.3"),
    case!(a_disk_without_a_byte_left_can_be_pruned_and_closed, "D10.6", "D10.7"),
    case!(a_later_sync_does_not_hide_that_an_earlier_one_failed, "D10.2", "D9.1"),
    case!(a_damaged_log_does_not_end_as_if_that_were_its_end, "J33", "F3.4"),
    case!(a_log_without_its_root_cell_is_listed_with_its_damage, "A1", "G15.5"),
    case!(a_header_that_fails_in_front_of_zeros_is_no_tear, "D8.10"),
    case!(a_torn_frame_that_the_token_names_is_damage, "D8.5", "X2"),
];

/// A log of five synced frames of 3000 bytes, not closed; the offset of the one with this number of items before it, and
/// the token of the last.
fn synced_frames(subject: &dyn Subject) -> Result<(Box<dyn Subject>, Token), String> {
    let journal = create(subject)?;
    let mut token = None;
    for number in 0..5 {
        append_long(&*journal, number, number + 1, 3000)?;
        token = Some(journal.sync().fine()?);
    }
    Ok((crash(subject, Crash::LOSE_ALL), token.ok_or("no token")?))
}

/// Zeroes a whole sector inside the item with this number.
fn lose_a_sector(disk: &SimDisk, number: u64) -> Outcome {
    let (file, offset) = find(disk, &long_item(number, 3000))?;
    disk.zero_sector(&file, offset + 1024);
    Ok(())
}

fn a_promised_frame_that_looks_torn_is_refused(subject: &dyn Subject) -> Outcome {
    for number in 0..4 {
        let (after, _) = synced_frames(&*fork(subject))?;
        lose_a_sector(after.disk(), number)?;
        refuses_writing(&*after)?;
    }
    // Nothing promises the last one: it is cut like an interrupted write.
    let (after, _) = synced_frames(subject)?;
    lose_a_sector(after.disk(), 4)?;
    holds(&*reopen(&*after)?, &holding_long(0, 4, 3000))
}

fn a_torn_frame_that_the_token_names_is_damage(subject: &dyn Subject) -> Outcome {
    let (after, token) = synced_frames(subject)?;
    lose_a_sector(after.disk(), 4)?;
    let before = after.disk().hash();
    let damage = damage(after.open(LOG, &expecting(token)))?;
    same((damage.lowest, damage.next), (Some(4), None))?;
    same(after.disk().hash(), before)
}

/// Behind the last frame there are zeros anyway: they do not make its damaged header look like one that did not arrive.
fn a_header_that_fails_in_front_of_zeros_is_no_tear(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 3)?;
    journal.sync().fine()?;
    append_batch(&*journal, 3, 4)?;
    let after = crash(subject, Crash::KEEP_ALL);
    let (file, offset) = find(after.disk(), &item(3))?;
    let frame = after.frames(&file).fine()?.into_iter().rfind(|frame| frame.offset < offset);
    let start = frame.ok_or("no frame")?.offset;
    for byte in (0..annals_logs::format::HEADER as u64).step_by(5) {
        let bad = fork(&*after);
        bad.disk().flip_bit(&file, (start + byte) * 8 + byte % 8);
        refuses_writing(&*bad).map_err(|what| format!("byte {byte} of the header: {what}"))?;
    }
    holds(&*reopen(&*after)?, &holding(0, 4))
}

fn files_that_a_prune_named_are_removed_at_open(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 60, 4000)?;
    journal.sync().fine()?;
    let files = subject.disk().file_names().len();
    subject.disk().inject(Fault::next(Call::Remove).forever());
    refused!(journal.prune(40), Error::Storage(_));
    refused!(journal.size(), Error::Closed);
    subject.disk().clear_faults();
    same(subject.disk().file_names().len(), files)?;
    // The prune was durable before the first file was to go.
    let after = crash(subject, Crash::LOSE_ALL);
    let journal = reopen(&*after)?;
    holds(&*journal, &holding_long(40, 60, 4000))?;
    same(after.disk().file_names().len(), after.segments(LOG).fine()?.len())?;
    ensure!(after.disk().file_names().len() < files);
    Ok(())
}

/// A roll was interrupted after a part of a long header had reached the disk. What the next roll writes into that file
/// must not be followed by old bytes: at the start of the next frame they would be taken for damage.
fn a_file_that_a_roll_began_is_emptied_before_it_is_used(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    let mut number = 0;
    let used = |subject: &dyn Subject| -> Result<u64, String> {
        let file = subject.disk().file_names().pop().ok_or("no file")?;
        let last = subject.frames(&file).fine()?.pop().ok_or("no frame")?;
        Ok(last.offset + u64::from(last.bytes))
    };
    while used(subject)? + 7000 < SEGMENT {
        append_long(&*journal, number, number + 1, 3000)?;
        number += 1;
    }
    let left = (SEGMENT - used(subject)?) as usize;
    append_long(&*journal, number, number + 1, left - HEADER - 16 - 16)?;
    number += 1;
    journal.close().fine()?;
    // The next frame begins a segment; make it end where the old bytes begin.
    let trial = fork(subject);
    append_batch(&*reopen(&*trial)?, number, number + 1)?;
    let next = trial.disk().file_names().pop().ok_or("no file")?;
    let header = trial.frames(&next).fine()?.first().map_or(0, |frame| frame.bytes as usize);
    let item = vec![7; 512 - header - HEADER - 4 - 1];
    subject.disk().put_file(&next, 1024);
    subject.disk().overwrite(&next, 512, &[0xEE; HEADER]);
    let journal = reopen(subject)?;
    same(journal.append_batch(&[&item]).fine()?, number)?;
    journal.sync().fine()?;
    same(subject.frames(&next).fine()?.iter().map(|frame| u64::from(frame.bytes)).sum(), 512u64)?;
    let after = crash(subject, Crash::LOSE_ALL);
    let journal = reopen(&*after)?;
    same_item(&journal.read(number).fine()?, &item)
}

fn a_disk_without_a_byte_left_can_be_pruned_and_closed(subject: &dyn Subject) -> Outcome {
    for (quota, len) in [(300_000, 100), (300_000, 1500), (333_333, 4000), (400_001, 700), (260_000, 2222)] {
        let side = fork(subject);
        let journal = create(&*side)?;
        side.disk().set_quota(Some(quota));
        let mut end = 0;
        while journal.append_batch(&[&long_item(end, len)]).map_err(|e| same(e, Error::OutOfSpace)).is_ok() {
            end += 1;
        }
        side.disk().set_quota(Some(side.disk().used()));
        let closed = fork(&*side);
        ensure!(journal.prune(end).fine()?, "quota {quota}, items of {len}");
        append_batch(&*journal, end, end + 1)?;
        journal.close().fine()?;
        let journal = reopen(&*closed)?;
        journal.close().fine()?;
        ensure!(closed.info(LOG).fine()?.clean, "quota {quota}, items of {len}");
        holds(&*reopen_read_only(&*closed)?, &holding_long(0, end, len))?;
    }
    Ok(())
}

/// A sync that ran meanwhile failed before anyone asked how it ended, and left its pages clean; the next one had nothing
/// to do and succeeded. What the first one was for must not count as durable.
fn a_later_sync_does_not_hide_that_an_earlier_one_failed(subject: &dyn Subject) -> Outcome {
    for way in 0..4 {
        let side = fork(subject);
        let journal = create(&*side)?;
        append_batch(&*journal, 0, 3)?;
        journal.sync().fine()?;
        append_batch(&*journal, 3, 6)?;
        let first = journal.begin_sync().fine()?;
        side.disk().inject(Fault::next(Call::WaitSync));
        side.disk().end_syncs();
        append_batch(&*journal, 6, 9)?;
        match way {
            0 => refused!(journal.sync(), Error::Storage(_)),
            1 => refused!(journal.begin_sync().fine()?.wait(), Error::Storage(_)),
            2 => refused!(journal.begin_sync().fine()?.poll(), Error::Storage(_)),
            _ => refused!(journal.close(), Error::Storage(_)),
        }
        refused!(journal.size(), Error::Closed);
        ensure!(first.wait().is_err());
        let after = crash(&*side, Crash::LOSE_ALL);
        let size = reopen(&*after)?.size().fine()?;
        ensure!(size == 3, "way {way}: {size} items");
    }
    Ok(())
}

/// Without its newest file, or with its only file emptied, a log may have held more items than are known.
fn a_damaged_log_does_not_end_as_if_that_were_its_end(subject: &dyn Subject) -> Outcome {
    for items in [60, 3] {
        let side = fork(subject);
        let journal = create(&*side)?;
        append_long(&*journal, 0, items, 4000)?;
        journal.close().fine()?;
        let newest = side.disk().file_names().pop().ok_or("no file")?;
        match items {
            60 => side.disk().remove_file(&newest),
            _ => side.disk().cut_file(&newest, 0),
        }
        let reader = reopen_read_only(&*side)?;
        let known = reader.size().fine()?;
        ensure!(known < items);
        let lowest = |answer| damage(answer).map(|damage: annals_logs::error::Damage| damage.lowest);
        same(lowest(reader.read(known).map(drop))?, Some(known))?;
        same(lowest(reader.read_range(known, ALL).map(drop))?, Some(known))?;
        let replay = reader.replay(0).fine()?;
        let mut read = 0;
        let end = loop {
            match replay.next(ALL) {
                Ok(Some(batch)) => read += batch.ends.len() as u64,
                other => break other,
            }
        };
        same((lowest(end.map(drop))?, read), (Some(known), known))?;
        same(replay.next(ALL).fine()?, None)?;
        same(side.verify(LOG).fine()?.first().and_then(|damage| damage.lowest), Some(known))?;
    }
    Ok(())
}

fn a_log_without_its_root_cell_is_listed_with_its_damage(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append(&*journal, 0, 5)?;
    journal.close().fine()?;
    for cell in subject.disk().cell_names() {
        subject.disk().remove_cell(&cell);
    }
    let listed = subject.list().fine()?;
    same(listed.iter().map(|log| (log.name.as_str(), log.damage.len())).collect(), vec![(LOG, 1)])?;
    ensure!(!subject.verify(LOG).fine()?.is_empty());
    holds(&*reopen_read_only(subject)?, &holding(0, 5))
}
