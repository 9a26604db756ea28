//! Rotating files, and reading sealed ones on their own.

use super::kit::*;
use crate::cases::{Case, case};
use crate::sim::{Crash, SimDisk};
use annals_logs::error::Error;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(rotate_seals_the_file_and_returns_its_name, "E18"),
    case!(rotating_an_empty_file_is_refused, "E18", "X1"),
    case!(files_rotate_by_themselves_at_their_size, "E19"),
    case!(a_rotated_file_is_durable, "E18"),
    case!(a_sealed_file_reads_on_its_own, "E20"),
    case!(a_copy_that_left_its_log_reads_under_any_name, "E20"),
    case!(an_archive_shows_what_the_file_held_when_it_was_sealed, "E20"),
    case!(late_events_of_a_sealed_file_are_in_order, "E20"),
    case!(a_file_that_is_being_written_is_no_archive, "E20", "X2"),
    case!(a_damaged_archive_says_so_and_serves_the_rest, "E20", "F3.4"),
    case!(a_cut_archive_is_refused, "E20", "X2"),
    case!(an_archive_with_a_damaged_header_is_known_by_its_name, "E20", "F3.3"),
    case!(an_archive_of_another_kind_is_refused, "E20", "X1"),
    case!(archiving_takes_no_file_from_the_log, "E21"),
    case!(a_rotation_interrupted_at_any_call_loses_nothing, "E18", "G13.1"),
];

fn rotate_seals_the_file_and_returns_its_name(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..5)?;
    let first = log.rotate().fine()?;
    same(subject.disk().file_names()[0].clone(), first.clone())?;
    append(&*log, 5..7)?;
    let second = log.rotate().fine()?;
    ensure!(first != second);
    same(subject.disk().file_names().len(), 3)?;
    let segments = subject.segments(LOG).fine()?;
    let sealed: Vec<(String, bool)> = segments.into_iter().map(|s| (s.file, s.sealed)).collect();
    same(&sealed[..2], &[(first, true), (second, true)])?;
    append(&*log, 7..9)?;
    holds_for_good(subject, log, 0..9)
}

fn rotating_an_empty_file_is_refused(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    refused!(log.rotate(), Error::InvalidArgument(_));
    append(&*log, 0..3)?;
    log.rotate().fine()?;
    let before = subject.disk().hash();
    refused!(log.rotate(), Error::InvalidArgument(_));
    same(subject.disk().hash(), before)?;
    // Nor one of which nothing is left.
    append(&*log, [3, 5])?;
    same(log.delete_range(3, 3).fine()?, 1)?;
    same(log.delete_range(5, 5).fine()?, 1)?;
    refused!(log.rotate(), Error::InvalidArgument(_));
    append(&*log, [4])?;
    log.rotate().fine()?;
    holds_for_good(subject, log, [0, 1, 2, 4])
}

fn files_rotate_by_themselves_at_their_size(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..60, 5000)?;
    let segments = subject.segments(LOG).fine()?;
    ensure!(segments.len() >= 5, "{} files", segments.len());
    for segment in &segments {
        ensure!(segment.bytes <= crate::subject::SEGMENT + 8192, "{} bytes", segment.bytes);
    }
    log.append_with_id(60, &long(60, 100_000)).fine()?;
    append(&*log, [61])?;
    holds_for_good(subject, log, 0..62)
}

fn a_rotated_file_is_durable(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &with(Policy::Buffered, Mode::Create))?;
    append(&*log, 0..5)?;
    log.rotate().fine()?;
    append(&*log, 5..7)?;
    holds(&*reopen(&*crash(subject, Crash::LOSE_ALL))?, 0..5)
}

/// A disk of which one file is all there is.
fn alone(subject: &dyn Subject, file: &str, name: &str) -> Box<dyn Subject> {
    let bytes = subject.disk().file_bytes(file);
    let disk = SimDisk::new(1);
    disk.put_file(name, bytes.len() as u64);
    disk.overwrite(name, 0, &bytes);
    subject.on(disk)
}

fn archive(subject: &dyn Subject, file: &str) -> Result<Vec<u64>, String> {
    let all = drain(&*subject.events().open_archive(file).fine()?)?;
    for (id, found) in &all {
        ensure!(found.starts_with(&event(*id)), "event {id} is something else");
    }
    Ok(all.into_keys().collect())
}

fn a_sealed_file_reads_on_its_own(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [0, 1, 7])?;
    let first = log.rotate().fine()?;
    append(&*log, 8..12)?;
    let second = log.rotate().fine()?;
    same(archive(subject, &first)?, vec![0, 1, 7])?;
    same(archive(subject, &second)?, (8..12).collect())?;
    // Beside a writer, and when its log is gone.
    append(&*log, [12])?;
    let [one, two] = [&first, &second].map(|file| alone(subject, file, file));
    log.close().fine()?;
    subject.events().destroy(LOG).fine()?;
    refused!(subject.events().open_archive(&first), Error::NotFound);
    same(archive(&*one, &first)?, vec![0, 1, 7])?;
    same(archive(&*two, &second)?, (8..12).collect())
}

fn a_copy_that_left_its_log_reads_under_any_name(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..30, 5000)?;
    let file = log.rotate().fine()?;
    let last = archive(subject, &file)?;
    for name in ["a", "backup-2026_11.bin", &file.replace("events", "other")] {
        same(archive(&*alone(subject, &file, name), name)?, last.clone())?;
    }
    refused!(subject.events().open_archive("no-such-file"), Error::NotFound);
    Ok(())
}

fn an_archive_shows_what_the_file_held_when_it_was_sealed(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..10)?;
    same(log.delete_range(2, 3).fine()?, 2)?;
    let file = log.rotate().fine()?;
    same(log.delete_range(5, 6).fine()?, 2)?;
    append(&*log, 10..12)?;
    let next = log.rotate().fine()?;
    same(archive(subject, &file)?, vec![0, 1, 4, 5, 6, 7, 8, 9])?;
    same(archive(subject, &next)?, vec![10, 11])
}

fn late_events_of_a_sealed_file_are_in_order(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [10, 20, 30])?;
    log.rotate().fine()?;
    append(&*log, [15, 40, 5, 35])?;
    batch(&*log, 8, 13).fine()?;
    let file = log.rotate().fine()?;
    same(archive(subject, &file)?, vec![5, 8, 9, 11, 12, 15, 35, 40])
}

fn a_file_that_is_being_written_is_no_archive(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..10)?;
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    refused!(subject.events().open_archive(&file), Error::Damaged(_));
    log.close().fine()?;
    // Closed, it is sealed.
    same(archive(subject, &file)?, (0..10).collect())
}

fn a_damaged_archive_says_so_and_serves_the_rest(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..10, 5000)?;
    let file = log.rotate().fine()?;
    let copy = alone(subject, &file, "copy");
    let (name, offset) = find(copy.disk(), &event(4))?;
    copy.disk().flip_bit(&name, (offset + 7) * 8);
    let reader = copy.events().open_archive("copy").fine()?;
    let mut found = Vec::new();
    let mut damages = 0;
    loop {
        match reader.next(ALL) {
            Ok(None) => break,
            Ok(Some(items)) => found.extend(items.ids),
            Err(Error::Damaged(damage)) => {
                same((damage.lowest, damage.next, damage.file), (Some(4), Some(5), "copy".to_string()))?;
                damages += 1;
            }
            Err(other) => return Err(format!("{other:?}")),
        }
    }
    same(damages, 1)?;
    same(found, vec![0, 1, 2, 3, 5, 6, 7, 8, 9])
}

fn a_cut_archive_is_refused(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..10, 5000)?;
    let file = log.rotate().fine()?;
    let bytes = subject.disk().file_bytes(&file);
    for len in [0, 10, 143, 144, 600, 20_000, bytes.len() - 8, bytes.len() - 1] {
        let disk = SimDisk::new(1);
        disk.put_file("cut", len as u64);
        disk.overwrite("cut", 0, &bytes[..len]);
        refused!(subject.on(disk).events().open_archive("cut"), Error::Damaged(_));
    }
    Ok(())
}

fn an_archive_with_a_damaged_header_is_known_by_its_name(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..10, 5000)?;
    let file = log.rotate().fine()?;
    let header = subject.frames(&file).fine()?.remove(0);
    for at in [16, u64::from(header.bytes) - 40] {
        let copy = alone(subject, &file, &file);
        copy.disk().flip_bit(&file, at * 8);
        let reader = copy.events().open_archive(&file).fine()?;
        same(drain(&*reader)?.into_keys().collect::<Vec<u64>>(), (0..10).collect())?;
        // Under another name nobody knows what it is, unless its header still says so.
        let other = alone(&*copy, &file, "copy");
        match other.events().open_archive("copy") {
            Ok(reader) => same(drain(&*reader)?.into_keys().collect::<Vec<u64>>(), (0..10).collect())?,
            Err(Error::Damaged(_)) => {}
            Err(other) => return Err(format!("{other:?}")),
        }
    }
    Ok(())
}

fn an_archive_of_another_kind_is_refused(subject: &dyn Subject) -> Outcome {
    let journal = subject.open("numbers", &crate::subject::options(Mode::Create)).fine()?;
    journal.append(b"x").fine()?;
    journal.close().fine()?;
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    refused!(subject.events().open_archive(&file), Error::OtherKind(kind) if kind == "journal");
    Ok(())
}

fn archiving_takes_no_file_from_the_log(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..5)?;
    let file = log.rotate().fine()?;
    append(&*log, 5..9)?;
    let before = subject.disk().hash();
    archive(subject, &file)?;
    same(subject.disk().hash(), before)?;
    holds(&*log, 0..9)?;
    // While it is being read, its events are deleted, and it goes.
    let reader = subject.events().open_archive(&file).fine()?;
    same(log.delete_range(0, 4).fine()?, 5)?;
    ensure!(!subject.disk().file_names().contains(&file));
    same(drain(&*reader)?.into_keys().collect(), vec![0, 1, 2, 3, 4])?;
    holds_for_good(subject, log, 5..9)
}

fn a_rotation_interrupted_at_any_call_loses_nothing(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..5)?;
    log.sync().fine()?;
    drop(log);
    let start = subject.disk().fork();
    for call in 1..100 {
        for seed in 0..3 {
            let subject = subject.on(start.fork());
            let log = reopen(&*subject)?;
            append(&*log, [7])?;
            log.sync().fine()?;
            let disk = subject.disk().clone();
            let point = crate::sim::Point::Partway(seed);
            disk.plan_crash(crate::sim::CrashPlan { call: disk.calls() + call, point });
            let done = log.rotate().is_ok();
            drop(log);
            let after = crash(&*subject, Crash::random(call * 10 + seed));
            let log = reopen(&*after).map_err(|what| format!("call {call}: {what}"))?;
            holds(&*log, [0, 1, 2, 3, 4, 7])?;
            append(&*log, [6, 8])?;
            if done {
                return holds_for_good(&*after, log, [0, 1, 2, 3, 4, 6, 7, 8]);
            }
            log.rotate().fine()?;
            append(&*log, [9])?;
            holds_for_good(&*after, log, [0, 1, 2, 3, 4, 6, 7, 8, 9])?;
        }
    }
    Err("the rotation never ends".into())
}
