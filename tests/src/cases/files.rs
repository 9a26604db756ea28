//! Segments as files: how far they are filled ahead, what an earlier run left of them, what a lost header costs; and
//! that a promise is about a place in a file and not about positions.

use super::damage::refuses_writing;
use super::kit::*;
use super::{Case, case};
use crate::sim::{Call, Crash};
use crate::subject::{Options, Subject, options};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(a_promise_is_about_addresses_and_not_about_positions, "D6.3"),
    case!(a_refused_open_names_file_offset_lowest_and_next, "D8.3", "X2"),
    case!(a_damaged_block_table_costs_its_frame, "F3.3"),
    case!(a_lost_header_in_front_of_frames_is_damage, "G13.8"),
    case!(a_file_older_than_every_retained_one_is_removed, "G13.9"),
    case!(zeros_behind_the_last_frame_are_not_cut, "D9.5"),
    case!(files_are_filled_in_steps_of_at_most_four_mebibytes, "G14.2"),
];

fn a_promise_is_about_addresses_and_not_about_positions(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    journal.sync_data().fine()?;
    // Promises the five positions, at the place where they stand now.
    append_batch(&*journal, 5, 6)?;
    journal.sync_data().fine()?;
    journal.rewind(2).fine()?;
    journal.sync_data().fine()?;
    append_long(&*journal, 2, 3, 3000)?;
    let tear = |disk| -> Result<Box<dyn Subject>, String> {
        let side = subject.on(disk);
        let (file, offset) = find(side.disk(), &long_item(2, 3000))?;
        side.disk().zero_sector(&file, offset + 1024);
        Ok(side)
    };
    // Position 2 was promised once, but not where it stands now: a tear there is one.
    let torn = tear(subject.disk().fork().reboot(Crash::KEEP_ALL))?;
    holds(&*reopen(&*torn)?, &holding(0, 2))?;
    // Written again and again, it is promised there, although the same position is not the last one any more.
    journal.sync_data().fine()?;
    append_batch(&*journal, 3, 4)?;
    journal.sync_data().fine()?;
    refuses_writing(&*tear(subject.disk().fork().reboot(Crash::KEEP_ALL))?)
}

fn a_refused_open_names_file_offset_lowest_and_next(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    for batch in 0..5 {
        append_batch(&*journal, batch * 10, batch * 10 + 10)?;
        journal.sync_data().fine()?;
    }
    let after = crash(subject, Crash::LOSE_ALL);
    let (file, offset) = damage_item(after.disk(), 25)?;
    for mode in [Mode::Open, Mode::OpenOrCreate] {
        let found = damage(after.open(LOG, &options(mode)))?;
        same((found.file.as_str(), found.lowest, found.next), (file.as_str(), Some(20), Some(30)))?;
        ensure!(found.offset <= offset && offset - found.offset <= 4096, "{found:?}, flipped at {offset}");
    }
    Ok(())
}

fn a_damaged_block_table_costs_its_frame(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    let items: Vec<Vec<u8>> = (5..105).map(|number| long_item(number, 200)).collect();
    let slices: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
    journal.append_batch(&slices).fine()?;
    append_batch(&*journal, 105, 110)?;
    journal.close().fine()?;
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    let frames = subject.frames(&file).fine()?;
    let frame = frames.iter().find(|frame| frame.first == 5 && frame.count == 100).ok_or("no frame")?;
    // The table stands behind the header and has a check of eight bytes for each block.
    let header = annals_logs::format::HEADER as u64;
    for at in [0, 8, 15] {
        let bad = fork(subject);
        bad.disk().flip_bit(&file, (frame.offset + header + at) * 8 + 3);
        let reader = reopen_read_only(&*bad)?;
        for number in (0..5).chain(105..110) {
            same_item(&reader.read(number).fine()?, &item(number))?;
        }
        for number in 5..105 {
            let found = damage(reader.read(number)).map_err(|what| format!("item {number}: {what}"))?;
            same((found.lowest, found.next), (Some(5), Some(105)))?;
        }
        ensure!(!bad.verify(LOG).fine()?.is_empty(), "byte {at} of the table: verify finds nothing");
    }
    Ok(())
}

fn a_lost_header_in_front_of_frames_is_damage(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 40, 4000)?;
    journal.sync().fine()?;
    let after = crash(subject, Crash::LOSE_ALL);
    let newest = after.disk().file_names().pop().ok_or("no file")?;
    let frames = after.frames(&newest).fine()?;
    ensure!(frames.len() > 2 && frames[0].kind == "header", "{frames:?}");
    // Zeros as a roll leaves them that was interrupted before its header; but there are frames.
    after.disk().overwrite(&newest, 0, &vec![0; frames[0].bytes as usize]);
    refuses_writing(&*after)?;
    ensure!(!after.verify(LOG).fine()?.is_empty(), "verify finds nothing");
    Ok(())
}

/// A disk that came back with a file that had been removed: its frames are no part of the log any more.
fn a_file_older_than_every_retained_one_is_removed(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 60, 4000)?;
    journal.sync().fine()?;
    let (before, files) = (subject.disk().fork(), subject.disk().file_names());
    ensure!(journal.prune(40).fine()?);
    // Until the newest header does not name the removed ones any more.
    append_long(&*journal, 60, 100, 4000)?;
    ensure!(journal.prune(60).fine()?);
    journal.close().fine()?;
    let kept = subject.disk().file_names();
    for file in &files[..2] {
        ensure!(!kept.contains(file));
        subject.disk().copy_file(&before, file, file);
    }
    same(subject.verify(LOG).fine()?, vec![])?;
    let journal = reopen(subject)?;
    holds(&*journal, &holding_long(60, 100, 4000))?;
    same(subject.disk().file_names(), kept)
}

fn zeros_behind_the_last_frame_are_not_cut(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    for chosen in [Crash::Process, Crash::KEEP_ALL] {
        let after = subject.on(subject.disk().fork().reboot(chosen));
        let (bytes, size) = (after.disk().used(), reopen(&*after)?.size().fine()?);
        same((after.disk().counters().of(Call::Truncate), after.disk().used(), size), (0, bytes, 5))?;
        let file = after.disk().file_names().pop().ok_or("no file")?;
        let frames = after.frames(&file).fine()?;
        let end = frames.last().map_or(0, |frame| frame.offset + u64::from(frame.bytes));
        ensure!(after.disk().file_size(&file) > end, "nothing was filled ahead");
    }
    Ok(())
}

fn files_are_filled_in_steps_of_at_most_four_mebibytes(subject: &dyn Subject) -> Outcome {
    let journal = create_with(subject, Options { mode: Mode::Create, ..Options::default() })?;
    let item = vec![7; 900_000];
    let (mut last, mut steps) = (subject.disk().used(), Vec::new());
    for _ in 0..14 {
        journal.append_batch(&[&item]).fine()?;
        let used = subject.disk().used();
        if used > last {
            steps.push(used - last);
        }
        last = used;
    }
    ensure!(steps.iter().all(|&step| step <= 4 << 20), "{steps:?}");
    ensure!(steps.len() < 14, "it grows with every batch: {steps:?}");
    Ok(())
}
