//! Damage: named once, and no event is made up, moved or dropped for it.

use super::kit::*;
use crate::cases::{Case, case};
use crate::sim::Crash;
use annals_logs::error::{Damage, Error};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(a_damaged_event_costs_itself_and_is_named_once, "F3.2", "F3.4", "W1"),
    case!(a_damaged_frame_of_late_events_costs_those, "F3.3", "F3.4"),
    case!(a_damaged_event_is_neither_a_duplicate_nor_a_conflict, "E5", "X2"),
    case!(damage_behind_a_sync_is_refused_and_can_be_read_around, "D8.3", "D11.1"),
    case!(damage_in_an_older_file_leaves_the_log_writable, "W1"),
    case!(a_damaged_event_can_be_deleted, "E16"),
    case!(a_missing_file_of_events_is_damage, "G13.4"),
    case!(a_flipped_header_of_a_late_batch_at_the_end_costs_that_batch, "F3.3", "D11.4"),
    case!(two_missing_files_cost_what_they_may_have_held, "G13.4", "D11.4"),
];

/// All ids that a log serves, and all damage that it tells on the way.
fn all(reader: &dyn EventReader) -> Result<(Vec<u64>, Vec<Damage>), String> {
    let (mut found, mut damages) = (Vec::new(), Vec::new());
    for _ in 0..1000 {
        match reader.next(ALL) {
            Ok(None) => return Ok((found, damages)),
            Ok(Some(items)) => {
                for (id, bytes) in items.ids.iter().zip(annals_logs::types::unpack(&items.ends, &items.bytes))
                {
                    ensure!(bytes.starts_with(&event(*id)), "event {id} is something else");
                    found.push(*id);
                }
            }
            Err(Error::Damaged(damage)) => damages.push(damage),
            Err(other) => return Err(format!("{other:?}")),
        }
    }
    Err("it never ends".into())
}

fn spoil(subject: &dyn Subject, id: u64) -> Result<(String, u64), String> {
    let (file, offset) = find(subject.disk(), &event(id))?;
    subject.disk().flip_bit(&file, (offset + 7) * 8);
    Ok((file, offset))
}

fn a_damaged_event_costs_itself_and_is_named_once(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, [0, 10, 20, 30], 5000)?;
    append_long(&*log, [15], 5000)?;
    let (file, _) = spoil(subject, 20)?;
    let damage = damage(log.get(20))?;
    same((damage.file, damage.lowest), (file, Some(20)))?;
    for id in [0, 10, 15, 30] {
        ensure!(log.get(id).fine()?.is_some());
    }
    let (found, damages) = all(&*log.iterate(0, None).fine()?)?;
    same(found, vec![0, 10, 15, 30])?;
    same(damages.iter().map(|d| d.lowest).collect::<Vec<_>>(), vec![Some(20)])
}

fn a_damaged_frame_of_late_events_costs_those(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [0, 10, 20, 30])?;
    batch(&*log, 4, 7).fine()?;
    append(&*log, [40])?;
    let (file, _) = find(subject.disk(), &event(5))?;
    let frames = subject.frames(&file).fine()?;
    let frame = frames.iter().find(|frame| frame.first == 4).ok_or("no frame of event 4")?;
    subject.disk().flip_bit(&file, (frame.offset + 20) * 8);
    drop(log);
    let log = reopen_read_only(subject)?;
    let (found, damages) = all(&*log.iterate(0, None).fine()?)?;
    ensure!(!damages.is_empty(), "nothing was said");
    ensure!(
        [0, 10, 20, 30, 40]
            .iter()
            .all(|id| found.contains(id) || damages.iter().any(|d| d.lowest <= Some(*id)))
    );
    ensure!(!found.iter().any(|id| (4..7).contains(id)));
    for id in [4, 5, 6] {
        refused!(log.get(id), Error::Damaged(_));
    }
    Ok(())
}

fn a_damaged_event_is_neither_a_duplicate_nor_a_conflict(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..4, 5000)?;
    spoil(subject, 2)?;
    let before = subject.disk().hash();
    for bytes in [long(2, 5000), b"other".to_vec()] {
        refused!(log.append_with_id(2, &bytes), Error::Damaged(_));
        refused!(log.append_batch_with_ids(1, &[&long(1, 5000), &bytes]), Error::Damaged(_));
    }
    same(subject.disk().hash(), before)?;
    append(&*log, [9])
}

fn damage_behind_a_sync_is_refused_and_can_be_read_around(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..6, 5000)?;
    log.sync().fine()?;
    append(&*log, [6])?;
    drop(log);
    let (file, _) = spoil(subject, 3)?;
    let before = subject.disk().hash();
    let damage = damage(subject.events().open(LOG, &options(Mode::Open)))?;
    same((damage.file, damage.lowest, damage.next), (file, Some(3), Some(4)))?;
    same(subject.disk().hash(), before)?;
    let (found, damages) = all(&*reopen_read_only(subject)?.iterate(0, None).fine()?)?;
    same(found, vec![0, 1, 2, 4, 5, 6])?;
    same(damages.len(), 1)?;
    same(subject.disk().hash(), before)
}

fn damage_in_an_older_file_leaves_the_log_writable(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..40, 5000)?;
    log.close().fine()?;
    spoil(subject, 3)?;
    let log = reopen(subject)?;
    append(&*log, [40])?;
    let (found, damages) = all(&*log.iterate(0, None).fine()?)?;
    same(found, (0..3).chain(4..41).collect())?;
    same(damages.len(), 1)?;
    same(log.stats().fine()?.events, 41)?;
    same(subject.verify(LOG).fine()?.len(), 1)
}

fn a_damaged_event_can_be_deleted(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..40, 5000)?;
    log.close().fine()?;
    let (file, _) = spoil(subject, 3)?;
    let log = reopen(subject)?;
    same(log.delete_range(3, 3).fine()?, 1)?;
    holds(&*log, (0..3).chain(4..40))?;
    same(log.delete_range(0, 20).fine()?, 20)?;
    ensure!(!subject.disk().file_names().contains(&file));
    let log = {
        drop(log);
        reopen(&*crash(subject, Crash::LOSE_ALL))?
    };
    holds(&*log, 21..40)
}

fn a_missing_file_of_events_is_damage(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..40, 5000)?;
    log.close().fine()?;
    let files = subject.disk().file_names();
    subject.disk().remove_file(&files[1]);
    let before = subject.disk().hash();
    refused!(subject.events().open(LOG, &options(Mode::Open)), Error::Damaged(damage) if damage.file == files[1]);
    same(subject.disk().hash(), before)?;
    let (found, damages) = all(&*reopen_read_only(subject)?.iterate(0, None).fine()?)?;
    // What was in it may have been late, so nothing below its end is certain; what came later is.
    ensure!(found.contains(&39) && found.len() < 40, "{found:?}");
    ensure!(damages.iter().any(|damage| damage.file == files[1]), "{damages:?}");
    Ok(())
}

fn a_flipped_header_of_a_late_batch_at_the_end_costs_that_batch(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [0, 10, 20, 30])?;
    log.sync().fine()?;
    // One of these is late, one is there, and the others come behind the end.
    batch(&*log, 29, 33).fine()?;
    drop(log);
    let (file, _) = find(subject.disk(), &event(32))?;
    let frame =
        subject.frames(&file).fine()?.pop().filter(|frame| frame.first == 29).ok_or("no last frame")?;
    subject.disk().flip_bit(&file, (frame.offset + 16) * 8);
    let damage = damage(subject.events().open(LOG, &options(Mode::Open)))?;
    same((damage.offset, damage.lowest), (frame.offset, Some(29)))?;
    let log = reopen_read_only(subject)?;
    same(log.next_event_id().fine()?, 33)?;
    let (found, damages) = all(&*log.iterate(0, None).fine()?)?;
    same(found, vec![0, 10, 20])?;
    same(damages.iter().map(|d| (d.lowest, d.next)).collect(), vec![(Some(29), Some(33))])?;
    for id in [29, 31, 32] {
        refused!(log.get(id), Error::Damaged(_));
    }
    same(log.get(28).fine()?, None)
}

fn two_missing_files_cost_what_they_may_have_held(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, (0..120).step_by(2), 5000)?;
    log.close().fine()?;
    drop(log);
    let firsts: Vec<(String, u64, u64)> =
        subject.segments(LOG).fine()?.into_iter().map(|s| (s.file, s.first, s.next)).collect();
    ensure!(firsts.len() > 4, "{firsts:?}");
    for missing in [[1, 3], [1, 2], [0, 2]] {
        let side = fork(subject);
        missing.iter().for_each(|at| side.disk().remove_file(&firsts[*at].0));
        let log = reopen_read_only(&*side)?;
        let (found, damages) = all(&*log.iterate(0, None).fine()?)?;
        // What a missing file held may have been late: nothing below the start of the last file behind one is certain.
        let certain = firsts[missing[1] + 1].1;
        ensure!(found.iter().all(|id| id % 2 == 0), "{found:?}");
        ensure!((certain..120).step_by(2).all(|id| found.contains(&id)), "{certain}: {found:?}");
        ensure!(!damages.is_empty());
        for id in (0..120).filter(|id| !found.contains(id)) {
            match log.get(id) {
                Err(Error::Damaged(_)) => ensure!(id < certain, "{id}"),
                Ok(None) => ensure!(id % 2 == 1, "{id} is not there"),
                other => return Err(format!("{id}: {other:?}")),
            }
        }
    }
    Ok(())
}
