//! What an operator asks: list, info, segments, frames, verify.

use super::kit::*;
use super::{Case, case};
use crate::sim::Crash;
use crate::subject::{Subject, options};
use annals_logs::error::Error;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(list_names_every_log, "A1"),
    case!(info_counts_items_and_files, "A2"),
    case!(info_of_an_unclean_log_says_so, "A2"),
    case!(a_healthy_log_verifies, "A3"),
    case!(a_torn_tail_is_no_damage, "D8.1"),
    case!(frames_follow_one_another_to_the_end, "A4", "F2.10"),
    case!(segments_cover_all_positions, "A4"),
    case!(asking_changes_nothing_and_takes_no_lock, "A5"),
    case!(asking_about_nothing_is_not_found, "A6"),
];

fn list_names_every_log(subject: &dyn Subject) -> Outcome {
    same(subject.list().fine()?.len(), 0)?;
    for name in ["one", "two", "three"] {
        let journal = subject.open(name, &options(Mode::Create)).fine()?;
        append(&*journal, 0, 4)?;
        journal.close().fine()?;
    }
    let logs = subject.list().fine()?;
    same(logs.iter().map(|log| log.name.as_str()).collect::<Vec<_>>(), vec!["one", "three", "two"])?;
    same(logs.iter().map(|log| log.items).collect::<Vec<_>>(), vec![4, 4, 4])
}

fn info_counts_items_and_files(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 60, 4000)?;
    ensure!(journal.prune(30).fine()?);
    journal.rewind(55).fine()?;
    let token = journal.close().fine()?;
    let info = subject.info(LOG).fine()?;
    same((info.name.as_str(), info.clean), (LOG, true))?;
    same((info.items, info.oldest, info.next), (25, Some(30), 55))?;
    same(info.bytes, subject.disk().used())?;
    same(info.segments as usize, subject.disk().file_names().len())?;
    same(info.begun_ms, subject.disk().now_ms())?;
    same(info.token, Some(token))?;
    same(info.damage, vec![])?;
    ensure!(info.live_bytes <= info.bytes && info.live_bytes >= 25 * 4000, "{} live bytes", info.live_bytes);
    Ok(())
}

fn info_of_an_unclean_log_says_so(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    let info = subject.info(LOG).fine()?;
    same((info.clean, info.items, info.oldest, info.next), (false, 5, Some(0), 5))?;
    let after = crash(subject, Crash::Process);
    let info = after.info(LOG).fine()?;
    same((info.clean, info.items, info.damage), (false, 5, vec![]))
}

fn a_healthy_log_verifies(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    same(subject.verify(LOG).fine()?, vec![])?;
    append_long(&*journal, 0, 40, 4000)?;
    journal.rewind(25).fine()?;
    append(&*journal, 25, 33)?;
    same(subject.verify(LOG).fine()?, vec![])?;
    ensure!(journal.prune(20).fine()?);
    same(subject.verify(LOG).fine()?, vec![])?;
    journal.close().fine()?;
    same(subject.verify(LOG).fine()?, vec![])
}

fn a_torn_tail_is_no_damage(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_batch(&*journal, 0, 5)?;
    journal.sync().fine()?;
    append_long(&*journal, 5, 6, 5000)?;
    for seed in 0..20 {
        let after = subject.on(subject.disk().fork().reboot(Crash::random(seed)));
        same(after.verify(LOG).fine()?, vec![]).map_err(|what| format!("seed {seed}: {what}"))?;
        let info = after.info(LOG).fine()?;
        same((info.clean, info.damage), (false, vec![]))?;
    }
    Ok(())
}

fn frames_follow_one_another_to_the_end(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 40, 4000)?;
    append_batch(&*journal, 40, 45)?;
    journal.rewind(42).fine()?;
    journal.close().fine()?;
    let mut number = 0;
    let mut items = 0;
    for file in subject.disk().file_names() {
        let mut offset = 0;
        for frame in subject.frames(&file).fine()? {
            same((file.as_str(), frame.offset), (file.as_str(), offset))?;
            same(frame.offset % 8, 0)?;
            ensure!(frame.number > number, "{} after {number}", frame.number);
            (offset, number) = (offset + u64::from(frame.bytes), frame.number);
            items += if frame.kind == "append" { frame.count } else { 0 };
        }
        same((file.as_str(), subject.disk().file_size(&file)), (file.as_str(), offset))?;
    }
    same(items, 45)
}

fn segments_cover_all_positions(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 60, 4000)?;
    journal.close().fine()?;
    let segments = subject.segments(LOG).fine()?;
    same(segments.iter().map(|segment| segment.file.clone()).collect(), subject.disk().file_names())?;
    let mut next = 0;
    for segment in &segments {
        same(segment.bytes, subject.disk().file_size(&segment.file))?;
        same(segment.first, next)?;
        next = segment.next;
    }
    same(next, 60)?;
    let sealed: Vec<bool> = segments.iter().map(|segment| segment.sealed).collect();
    ensure!(sealed[..sealed.len() - 1].iter().all(|&sealed| sealed));
    Ok(())
}

fn asking_changes_nothing_and_takes_no_lock(subject: &dyn Subject) -> Outcome {
    let journal = create(subject)?;
    append_long(&*journal, 0, 30, 4000)?;
    append(&*journal, 30, 33)?;
    let (before, changes) = (subject.disk().hash(), subject.disk().counters().changes());
    let locks = subject.disk().counters().of(crate::sim::Call::Lock);
    subject.list().fine()?;
    subject.info(LOG).fine()?;
    subject.segments(LOG).fine()?;
    subject.verify(LOG).fine()?;
    for file in subject.disk().file_names() {
        subject.frames(&file).fine()?;
    }
    same((subject.disk().hash(), subject.disk().counters().changes()), (before, changes))?;
    same(subject.disk().counters().of(crate::sim::Call::Lock), locks)?;
    append(&*journal, 33, 35)
}

fn asking_about_nothing_is_not_found(subject: &dyn Subject) -> Outcome {
    refused!(subject.info(LOG), Error::NotFound);
    refused!(subject.segments(LOG), Error::NotFound);
    refused!(subject.verify(LOG), Error::NotFound);
    refused!(subject.frames("numbers.0"), Error::NotFound | Error::InvalidArgument(_));
    Ok(())
}
