//! Damage: what it costs, who is told, and that nothing is changed because of it.

use super::kit::*;
use super::{Case, case};
use crate::sim::Crash;
use crate::subject::{ALL, JournalSubject, Subject, options};
use annals_logs::error::Error;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(a_damaged_item_is_named_and_all_others_are_served, "F3.2", "D8.4", "W1"),
    case!(a_reader_answers_damaged_once_and_goes_on, "F3.4"),
    case!(a_range_ends_before_a_damaged_item, "F3.4", "F3.2"),
    case!(a_damaged_block_costs_its_own_items_only, "F3.2"),
    case!(a_damaged_frame_header_costs_its_frame, "F3.3", "F2.6"),
    case!(verify_names_file_offset_lowest_and_next, "A3", "X2"),
    case!(damage_below_a_promise_is_refused, "D8.3", "D11.2"),
    case!(damage_below_the_token_is_refused, "D8.5"),
    case!(garbage_in_the_tail_is_refused, "D8.6"),
    case!(a_flipped_bit_in_the_tail_is_refused, "D8.6"),
    case!(a_missing_segment_is_damage, "G13.4"),
    case!(a_missing_newest_segment_is_damage, "G13.7"),
    case!(a_damaged_root_cell_is_damage, "G15.9", "X2"),
    case!(a_cut_sealed_segment_is_damage, "D8.4"),
    case!(a_foreign_file_is_not_touched, "G15.5"),
    case!(after_a_lost_rewind_only_certain_items_are_served, "D11.4"),
    case!(list_and_info_report_a_damaged_log_beside_others, "A1", "W4"),
];

/// Ten batches of ten items, synced each, not closed; then the machine lost power. There is no index, so that opening
/// for writing reads all of it.
fn unclean(subject: &dyn Subject) -> Result<Box<dyn Subject>, String> {
    let journal = create(subject)?;
    for batch in 0..10 {
        append_batch(&*journal, batch * 10, batch * 10 + 10)?;
        journal.sync_data().fine()?;
    }
    Ok(crash(subject, Crash::LOSE_ALL))
}

/// The same, cleanly closed.
fn clean(subject: &dyn Subject) -> Result<Box<dyn Subject>, String> {
    let journal = create(subject)?;
    for batch in 0..10 {
        append_batch(&*journal, batch * 10, batch * 10 + 10)?;
    }
    journal.close().fine()?;
    Ok(fork(subject))
}

/// Several segments of one long item a frame, cleanly closed.
pub(super) fn segments(subject: &dyn Subject) -> Result<(), String> {
    let journal = create(subject)?;
    append_long(&*journal, 0, 60, 4000)?;
    journal.close().fine().map(|_| ())
}

/// Opening for writing is refused with damage, and changes nothing.
pub(super) fn refuses_writing(subject: &dyn Subject) -> Outcome {
    let before = subject.disk().hash();
    for mode in [Mode::Open, Mode::OpenOrCreate] {
        refused!(subject.open(LOG, &options(mode)), Error::Damaged(_));
    }
    same(subject.disk().hash(), before)
}

/// Read only, each position reads right or damaged; returns those that are damaged.
fn lost(journal: &dyn JournalSubject, right: impl Fn(u64) -> Vec<u8>, end: u64) -> Result<Vec<u64>, String> {
    let mut lost = Vec::new();
    for position in 0..end {
        match journal.read(position) {
            Ok(item) => same_item(&item, &right(position))?,
            Err(Error::Damaged(_)) => lost.push(position),
            Err(other) => return Err(format!("position {position}: {other:?}")),
        }
    }
    Ok(lost)
}

fn a_damaged_item_is_named_and_all_others_are_served(subject: &dyn Subject) -> Outcome {
    let after = clean(subject)?;
    let files = after.disk().file_names();
    damage_item(after.disk(), 45)?;
    let before = after.disk().hash();
    // A writing open may notice or not; what it serves is right, and it deletes nothing.
    if let Ok(journal) = after.open(LOG, &options(Mode::Open)) {
        same(journal.size().fine()?, 100)?;
        same(lost(&*journal, item, 100)?, (40..50).collect())?;
        same(journal.append(&item(100)).fine()?, 100)?;
    } else {
        same(after.disk().hash(), before)?;
    }
    same(after.disk().file_names(), files)?;
    let reader = reopen_read_only(&*after)?;
    same(lost(&*reader, item, 100)?, (40..50).collect())
}

fn a_reader_answers_damaged_once_and_goes_on(subject: &dyn Subject) -> Outcome {
    let after = clean(subject)?;
    damage_item(after.disk(), 45)?;
    let journal = reopen_read_only(&*after)?;
    let reader = journal.replay(0).fine()?;
    let (mut seen, mut damages) = (Vec::new(), Vec::new());
    loop {
        match reader.next(ALL) {
            Ok(Some(batch)) => {
                holding(0, 100).check_batch(batch.first, 100, ALL, &batch)?;
                seen.extend(batch.first..batch.first + batch.ends.len() as u64);
            }
            Ok(None) => break,
            Err(Error::Damaged(damage)) => damages.push(damage),
            Err(other) => return Err(format!("{other:?}")),
        }
        ensure!(damages.len() < 10, "it answers damaged again and again");
    }
    same(seen, (0..40).chain(50..100).collect())?;
    same(damages.len(), 1)?;
    same((damages[0].lowest, damages[0].next), (Some(40), Some(50)))
}

fn a_range_ends_before_a_damaged_item(subject: &dyn Subject) -> Outcome {
    let after = clean(subject)?;
    damage_item(after.disk(), 45)?;
    let journal = reopen_read_only(&*after)?;
    let mut position = 35;
    while position < 40 {
        let batch = journal.read_range(position, ALL).fine()?;
        holding(0, 100).check_batch(position, 40, ALL, &batch)?;
        position += batch.ends.len() as u64;
    }
    same(damage(journal.read_range(40, ALL))?.lowest, Some(40))?;
    damage(journal.read_range(45, ALL))?;
    damage(journal.read_many(&[45, 3], 1 << 20))?;
    match journal.read_many(&[3, 45, 4], 1 << 20) {
        Ok(items) => same(items.ids, vec![3])?,
        other => damage(other).map(|_| ())?,
    }
    let batch = journal.read_range(50, ALL).fine()?;
    holding(0, 100).check_batch(50, 100, ALL, &batch)
}

fn a_damaged_block_costs_its_own_items_only(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    let items: Vec<Vec<u8>> = (0..500).map(|number| long_item(number, 200)).collect();
    let slices: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
    journal.append_batch(&slices).fine()?;
    journal.close().fine()?;
    damage_item(subject.disk(), 250)?;
    let reader = reopen_read_only(subject)?;
    let lost = lost(&*reader, |number| items[number as usize].clone(), 500)?;
    ensure!(lost.contains(&250), "{lost:?}");
    // A block of 4 KiB holds 20 items of 200 bytes, and cuts at most one more at each end.
    ensure!(lost.len() <= 23 && lost.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{lost:?}");
    Ok(())
}

fn a_damaged_frame_header_costs_its_frame(subject: &dyn Subject) -> Outcome {
    let after = clean(subject)?;
    let (file, offset) = find(after.disk(), &item(45))?;
    let frames = after.frames(&file).fine()?;
    let frame = frames.iter().rfind(|frame| frame.offset < offset).ok_or("no frame")?;
    after.disk().overwrite(&file, frame.offset, &[0xEE; 64]);
    let before = after.disk().hash();
    let reader = reopen_read_only(&*after)?;
    same(lost(&*reader, item, 100)?, (40..50).collect())?;
    same(after.disk().hash(), before)?;
    let found = after.verify(LOG).fine()?;
    let named = found
        .iter()
        .any(|damage| (damage.offset, damage.lowest, damage.next) == (frame.offset, Some(40), Some(50)));
    ensure!(named, "{found:?}");
    Ok(())
}

fn verify_names_file_offset_lowest_and_next(subject: &dyn Subject) -> Outcome {
    let after = clean(subject)?;
    let (file, offset) = damage_item(after.disk(), 71)?;
    let found = after.verify(LOG).fine()?;
    same(found.len(), 1)?;
    same((found[0].file.as_str(), found[0].lowest, found[0].next), (file.as_str(), Some(70), Some(80)))?;
    ensure!(found[0].offset <= offset && offset - found[0].offset <= 4096, "{found:?}, flipped at {offset}");
    ensure!(!found[0].what.is_empty());
    Ok(())
}

fn damage_below_a_promise_is_refused(subject: &dyn Subject) -> Outcome {
    let after = unclean(subject)?;
    for number in [0, 45, 85] {
        let bad = fork(&*after);
        damage_item(bad.disk(), number)?;
        refuses_writing(&*bad).map_err(|what| format!("item {number}: {what}"))?;
        let reader = reopen_read_only(&*bad)?;
        let start = number / 10 * 10;
        same(lost(&*reader, item, 100)?, (start..start + 10).collect())?;
    }
    for number in [5, 45, 65] {
        // The very shape of a tear, but below a promise.
        let torn = fork(&*after);
        let (file, offset) = find(torn.disk(), &item(number))?;
        torn.disk().zero_sector(&file, offset);
        refuses_writing(&*torn).map_err(|what| format!("item {number}, sector of zeros: {what}"))?;
        let lost = lost(&*reopen_read_only(&*torn)?, item, 100)?;
        ensure!(lost.contains(&number) && lost.len() <= 30, "{lost:?}");
    }
    Ok(())
}

fn damage_below_the_token_is_refused(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    journal.sync().fine()?;
    append_long(&*journal, 5, 6, 3000)?;
    let token = journal.sync().fine()?;
    let (file, offset) = find(subject.disk(), &long_item(5, 3000))?;
    let after = crash(subject, Crash::LOSE_ALL);
    // It looks like a tear; only the token knows better.
    after.disk().zero_sector(&file, offset + 1000);
    let before = after.disk().hash();
    let answer = after.open(LOG, &expecting(token)).map(|_| ());
    ensure!(matches!(answer, Err(Error::Damaged(_) | Error::RolledBack(_))), "{answer:?}");
    same(after.disk().hash(), before)
}

fn unsynced_tail(subject: &dyn Subject) -> Result<(Box<dyn Subject>, String, u64), String> {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    journal.sync().fine()?;
    append_long(&*journal, 5, 6, 3000)?;
    let (file, offset) = find(subject.disk(), &long_item(5, 3000))?;
    Ok((crash(subject, Crash::KEEP_ALL), file, offset))
}

fn garbage_in_the_tail_is_refused(subject: &dyn Subject) -> Outcome {
    let (after, file, offset) = unsynced_tail(subject)?;
    after.disk().overwrite(&file, offset + 700, &[0x77; 900]);
    refuses_writing(&*after)?;
    let reader = reopen_read_only(&*after)?;
    for number in 0..5 {
        same_item(&reader.read(number).fine()?, &item(number))?;
    }
    ensure!(reader.read(5).is_err(), "the damaged item was served");
    Ok(())
}

fn a_flipped_bit_in_the_tail_is_refused(subject: &dyn Subject) -> Outcome {
    let (after, file, offset) = unsynced_tail(subject)?;
    for at in [offset - 100, offset, offset + 1500, offset + 2900] {
        let bad = fork(&*after);
        bad.disk().flip_bit(&file, at * 8 + 2);
        refuses_writing(&*bad)?;
    }
    Ok(())
}

fn a_missing_segment_is_damage(subject: &dyn Subject) -> Outcome {
    segments(subject)?;
    let files = subject.disk().file_names();
    ensure!(files.len() >= 3);
    for file in &files[..files.len() - 1] {
        let bad = fork(subject);
        bad.disk().remove_file(file);
        let found = bad.verify(LOG).fine()?;
        ensure!(!found.is_empty(), "verify finds nothing without {file}");
        let reader = reopen_read_only(&*bad)?;
        let lost = lost(&*reader, |number| long_item(number, 4000), 60)?;
        ensure!(!lost.is_empty() && lost.len() < 30, "{lost:?}");
        // Whatever a writing open does, it does not shift or forget positions.
        if let Ok(journal) = bad.open(LOG, &options(Mode::Open)) {
            same((journal.boundary().fine()?, journal.size().fine()?), (0, 60))?;
        }
    }
    Ok(())
}

fn a_missing_newest_segment_is_damage(subject: &dyn Subject) -> Outcome {
    segments(subject)?;
    let newest = subject.disk().file_names().pop().ok_or("no file")?;
    subject.disk().remove_file(&newest);
    refuses_writing(subject)?;
    ensure!(!subject.verify(LOG).fine()?.is_empty());
    let reader = reopen_read_only(subject)?;
    for number in 0..20 {
        same_item(&reader.read(number).fine()?, &long_item(number, 4000))?;
    }
    Ok(())
}

/// Reads right or damaged, verify finds something, and a writing open that is refused changes nothing.
pub(super) fn wrong_is_never_served(subject: &dyn Subject, end: u64, len: usize) -> Outcome {
    ensure!(!subject.verify(LOG).fine()?.is_empty(), "verify finds nothing");
    let before = subject.disk().hash();
    if let Ok(reader) = subject.open(LOG, &options(Mode::ReadOnly)) {
        lost(&*reader, |number| long_item(number, len), end)?;
    }
    match subject.open(LOG, &options(Mode::Open)) {
        Ok(journal) => {
            same((journal.boundary().fine()?, journal.size().fine()?), (0, end))?;
            lost(&*journal, |number| long_item(number, len), end)?;
        }
        Err(Error::Damaged(_)) => same(subject.disk().hash(), before)?,
        Err(other) => return Err(format!("{other:?}")),
    }
    Ok(())
}

fn a_damaged_root_cell_is_damage(subject: &dyn Subject) -> Outcome {
    segments(subject)?;
    let cell = subject.disk().cell_names().pop().ok_or("no cell")?;
    let len = subject.disk().cell_value(&cell).map_or(0, |value| value.len() as u64);
    for bit in 0..len * 8 {
        let bad = fork(subject);
        bad.disk().flip_cell_bit(&cell, bit);
        let before = bad.disk().hash();
        for mode in [Mode::Create, Mode::Open, Mode::OpenOrCreate] {
            let answer = bad.open(LOG, &options(mode)).map(|_| ());
            let typed = matches!(answer, Err(Error::Damaged(_) | Error::UnknownFormat(_)));
            ensure!(typed, "bit {bit}, {mode:?}: {answer:?}");
        }
        ensure!(bad.destroy(LOG).is_err(), "bit {bit}: destroyed on the word of a damaged cell");
        same((bit, bad.disk().hash()), (bit, before))?;
    }
    subject.disk().put_cell(&cell, b"");
    refused!(subject.open(LOG, &options(Mode::OpenOrCreate)), Error::Damaged(_));
    Ok(())
}

fn a_cut_sealed_segment_is_damage(subject: &dyn Subject) -> Outcome {
    segments(subject)?;
    let first = subject.disk().file_names().remove(0);
    let size = subject.disk().file_size(&first);
    for cut in [0, 8, size / 2, size - 1] {
        let bad = fork(subject);
        bad.disk().cut_file(&first, cut);
        wrong_is_never_served(&*bad, 60, 4000).map_err(|what| format!("cut at {cut}: {what}"))?;
    }
    Ok(())
}

fn a_foreign_file_is_not_touched(subject: &dyn Subject) -> Outcome {
    segments(subject)?;
    for name in ["notes.txt", "other.1", "numbers-2.00"] {
        subject.disk().put_file(name, 100);
        subject.disk().overwrite(name, 0, b"not a log");
    }
    let journal = reopen(subject)?;
    holds(&*journal, &holding_long(0, 60, 4000))?;
    journal.close().fine()?;
    subject.destroy(LOG).fine()?;
    same(subject.disk().file_names(), vec!["notes.txt".into(), "numbers-2.00".into(), "other.1".into()])
}

fn after_a_lost_rewind_only_certain_items_are_served(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 10)?;
    append_batch(&*journal, 10, 20)?;
    journal.rewind(15).fine()?;
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    append_batch(&*journal, 15, 18)?;
    append_batch(&*journal, 118, 120)?;
    journal.close().fine()?;
    let frames = subject.frames(&file).fine()?;
    let rewind = frames.iter().find(|frame| frame.kind == "truncate").ok_or("no truncate frame")?;
    subject.disk().overwrite(&file, rewind.offset, &[0x11; 40]);
    let reader = reopen_read_only(subject)?;
    let right = |position: u64| item(if position < 18 { position } else { position + 100 });
    let size = reader.size().fine()?;
    same(size, 20)?;
    let lost = lost(&*reader, right, size)?;
    // Below the rewind, and in the frames after it, everything is certain.
    ensure!(lost.iter().all(|&position| (10..15).contains(&position)), "{lost:?}");
    Ok(())
}

fn list_and_info_report_a_damaged_log_beside_others(subject: &dyn Subject) -> Outcome {
    segments(subject)?;
    let other = subject.open("other", &options(Mode::Create)).fine()?;
    append(&*other, 0, 3)?;
    other.close().fine()?;
    let cell = subject.disk().cell_names().into_iter().find(|cell| cell.ends_with(LOG)).ok_or("no cell")?;
    let bad = fork(subject);
    bad.disk().flip_cell_bit(&cell, 9);
    let files = bad.disk().file_names();
    let newest = files.iter().rfind(|file| file.starts_with(LOG)).ok_or("no file")?;
    for step in 0..2 {
        if step == 1 {
            bad.disk().flip_cell_bit(&cell, 9);
            bad.disk().overwrite(newest, 0, &[0x33; 200]);
        }
        let logs = bad.list().fine()?;
        same(logs.iter().map(|log| log.name.as_str()).collect::<Vec<_>>(), vec![LOG, "other"])?;
        ensure!(!logs[0].damage.is_empty(), "step {step}: {:?}", logs[0]);
        same((logs[1].items, logs[1].damage.len()), (3, 0))?;
    }
    holds(&*bad.open("other", &options(Mode::Open)).fine()?, &holding(0, 3))
}
