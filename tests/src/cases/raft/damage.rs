//! Damage: what it costs, and that nothing old is answered in its place.

use super::super::{Case, case};
use super::kit::*;
use crate::sim::Crash;
use annals_logs::error::Error;
use annals_logs::types::{Limits, Mode};

pub(super) const CASES: &[Case] = &[
    case!(a_damaged_entry_is_named_and_all_others_are_served, "F3.2", "D11.2"),
    case!(a_range_ends_before_a_damaged_entry_and_goes_on_behind_it, "F3.4"),
    case!(an_overwritten_entry_is_whole_where_the_old_one_is_damaged, "F4.1"),
    case!(damage_names_no_entry_that_was_overwritten, "X2"),
    case!(a_lost_header_of_an_overwrite_costs_what_it_held_and_no_more, "F3.3", "D11.4"),
    case!(never_an_old_vote, "R25"),
    case!(a_later_hard_state_makes_up_for_a_lost_one, "R25", "R18"),
    case!(a_seal_tells_what_a_lost_header_hid, "R25", "R18"),
    case!(a_torn_save_leaves_the_hard_state_before, "R18", "D8.1"),
    case!(a_lost_purge_hides_no_entry_and_no_boundary, "R25", "D11.4"),
    case!(a_lost_overwrite_is_never_the_entry_before, "D11.4"),
    case!(any_flipped_bit_costs_an_error_at_most, "F2.8"),
    case!(damage_of_a_log_that_was_not_closed_is_refused, "D8.3", "D11.2"),
    case!(purging_past_the_damage_heals_the_log, "G13.6"),
    case!(a_seal_with_two_flipped_bits_hides_no_hard_state, "R25", "D11.2"),
    case!(behind_a_missing_end_no_range_is_empty, "G13.7", "D11.2"),
];

/// Entries in ten batches of ten, then a hard state and a boundary; not closed, all of it durable.
fn unclean(subject: &dyn Subject) -> Result<Box<dyn Subject>, String> {
    let log = create(subject)?;
    log.save_hard_state(&hard(1, 1)).fine()?;
    for batch in 0..10 {
        log.persist(&entries(1, batch * 10 + 1, batch * 10 + 11)).fine()?;
    }
    log.sync().fine()?;
    Ok(crash(subject, Crash::LOSE_ALL))
}

/// Bytes of an entry of which the block in the middle holds nothing else.
const HUGE: usize = 20_000;

/// Entries of that size.
fn huge(term: u64, start: u64, end: u64) -> Vec<Entry> {
    (start..end).map(|index| long(term, index, HUGE)).collect()
}

/// Flips a bit in the middle of the payload of an entry.
fn damage_entry(subject: &dyn Subject, entry: &Entry) -> Result<(String, u64), String> {
    let (file, offset) = find(subject.disk(), &entry.payload)?;
    let offset = offset + entry.payload.len() as u64 / 2;
    subject.disk().flip_bit(&file, offset * 8);
    Ok((file, offset))
}

/// The frame of that file in which this offset lies.
fn frame_at(subject: &dyn Subject, file: &str, offset: u64) -> Result<(u64, u64), String> {
    let frames = subject.frames(file).fine()?;
    let holds = |frame: &crate::subject::FrameInfo| {
        frame.offset <= offset && offset < frame.offset + u64::from(frame.bytes)
    };
    let frame = frames.into_iter().find(holds).ok_or("no frame is there")?;
    Ok((frame.offset, u64::from(frame.bytes)))
}

fn a_damaged_entry_is_named_and_all_others_are_served(subject: &dyn Subject) -> Outcome {
    let subject = &*unclean(subject)?;
    let log = reopen(subject)?;
    log.persist(&huge(2, 50, 60)).fine()?;
    log.close().fine()?;
    drop(log);
    damage_entry(subject, &long(2, 54, HUGE))?;
    let mut model = Model::holding(&entries(1, 1, 101));
    model.persist(&huge(2, 50, 60), false).fine()?;
    for mode in [Mode::ReadOnly, Mode::Open] {
        let log = subject.open_raft(LOG, &options(mode)).fine()?;
        for index in 1..=100 {
            match log.entry(index) {
                Ok(entry) => same((index, entry), (index, model.entry(index)))?,
                Err(Error::Damaged(damage)) => {
                    same((index, damage.lowest), (54, Some(54)))?;
                    same(damage.next, Some(55))?;
                }
                Err(other) => return Err(format!("index {index}: {other:?}")),
            }
        }
        refused!(log.entry(54), Error::Damaged(_));
        same(log.load_hard_state().fine()?, Some(hard(1, 1)))?;
    }
    let damage = subject.verify(LOG).fine()?;
    same(damage.iter().map(|damage| (damage.lowest, damage.next)).collect(), vec![(Some(54), Some(55))])
}

fn a_range_ends_before_a_damaged_entry_and_goes_on_behind_it(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    log.persist(&huge(1, 1, 11)).fine()?;
    log.close().fine()?;
    drop(log);
    damage_entry(subject, &long(1, 5, HUGE))?;
    let log = reopen_read_only(subject)?;
    same(log.get_entries(1, 10, ALL).fine()?.indexes, vec![1, 2, 3, 4])?;
    let found = damage(log.get_entries(5, 10, ALL))?;
    same((found.lowest, found.next), (Some(5), Some(6)))?;
    same(log.get_entries(6, 10, ALL).fine()?.indexes, vec![6, 7, 8, 9, 10])?;
    let limits = Limits { count: 2, bytes: u32::MAX };
    same(log.get_entries(4, 10, limits).fine()?.indexes, vec![4])
}

fn an_overwritten_entry_is_whole_where_the_old_one_is_damaged(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    log.persist(&huge(1, 1, 6)).fine()?;
    log.persist(&huge(2, 3, 5)).fine()?;
    log.close().fine()?;
    drop(log);
    damage_entry(subject, &long(1, 4, HUGE))?;
    let mut model = Model::holding(&huge(1, 1, 6));
    model.persist(&huge(2, 3, 5), false).fine()?;
    holds(&*reopen_read_only(subject)?, &model)
}

fn damage_names_no_entry_that_was_overwritten(subject: &dyn Subject) -> Outcome {
    // One block holds the ends of both; the first one was overwritten.
    let log = create(subject)?;
    log.persist(&entries(1, 1, 9)).fine()?;
    log.persist(&entries(2, 3, 5)).fine()?;
    log.close().fine()?;
    drop(log);
    damage_entry(subject, &named(1, 4))?;
    let log = reopen_read_only(subject)?;
    let found = damage(log.get_entries(5, 8, ALL))?;
    same((found.lowest, found.next), (Some(5), Some(9)))?;
    same(log.get_entries(3, 8, ALL).fine()?.indexes, vec![3, 4])
}

/// Two that were found: the frames behind the lost header hid an entry of its run ("none" instead of damaged), and the
/// next frame's first index was taken for the end of what was lost, so that a reader skipped entries.
fn a_lost_header_of_an_overwrite_costs_what_it_held_and_no_more(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    log.persist(&entries(1, 1, 6)).fine()?;
    log.persist(&entries(2, 4, 9)).fine()?;
    log.persist(&[named(3, 2), named(3, 6), named(3, 9)]).fine()?;
    log.replace_range(8, &entries(4, 8, 11)).fine()?;
    log.close().fine()?;
    drop(log);
    let file = subject.disk().file_names()[0].clone();
    let frames = subject.frames(&file).fine()?;
    for (number, lost) in [(1, vec![1, 3]), (2, vec![4, 5, 7]), (3, vec![2, 6]), (4, vec![8, 9, 10])] {
        let side = fork(subject);
        side.disk().flip_bit(&file, frames[number].offset * 8);
        let log = reopen_read_only(&*side)?;
        let (mut served, mut damaged, mut first) = (Vec::new(), Vec::new(), 1);
        while first <= 10 {
            match log.get_entries(first, 10, ALL) {
                Ok(some) => {
                    served.extend(some.indexes);
                    first = served.last().map_or(0, |last| last + 1);
                }
                Err(Error::Damaged(damage)) => {
                    let next = damage.next.ok_or("what is intact behind it?")?;
                    damaged.extend(first..next);
                    first = next;
                }
                Err(other) => return Err(format!("{other:?}")),
            }
        }
        same((number, damaged), (number, lost.clone()))?;
        same(served, (1..=10).filter(|index| !lost.contains(index)).collect())?;
        for index in lost {
            refused!(log.entry(index), Error::Damaged(_));
        }
    }
    Ok(())
}

fn never_an_old_vote(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.save_hard_state(&hard(1, 1)).fine()?;
    log.save_hard_state(&hard(2, 2)).fine()?;
    // As the last frame, with entries behind it, and with many segments behind it.
    for more in [0, 1, 30] {
        one_by_one(&*log, &longs(2, 21, 21 + more))?;
        log.sync().fine()?;
        let after = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
        let (file, offset) = find(after.disk(), b"extra-of-2")?;
        let (start, len) = frame_at(&*after, &file, offset)?;
        for bit in (start * 8..(start + len) * 8).step_by(3) {
            let damaged = fork(&*after);
            damaged.disk().flip_bit(&file, bit);
            let log = match damaged.open_raft(LOG, &options(Mode::Open)) {
                Ok(log) => log,
                Err(Error::Damaged(_)) => reopen_read_only(&*damaged)?,
                Err(other) => return Err(format!("bit {bit}: {other:?}")),
            };
            match log.load_hard_state() {
                Ok(state) => same((bit, state), (bit, Some(hard(2, 2))))?,
                Err(Error::Damaged(_)) => {}
                Err(other) => return Err(format!("bit {bit}: {other:?}")),
            }
        }
    }
    Ok(())
}

fn a_later_hard_state_makes_up_for_a_lost_one(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    for term in 1..4 {
        log.save_hard_state(&hard(term, term)).fine()?;
        log.persist(&entries(term, 20 + term, 21 + term)).fine()?;
    }
    log.sync().fine()?;
    let after = crash(subject, Crash::LOSE_ALL);
    let (file, offset) = find(after.disk(), b"extra-of-2")?;
    after.disk().flip_bit(&file, offset * 8);
    refused!(after.open_raft(LOG, &options(Mode::Open)).map(drop), Error::Damaged(_));
    let log = reopen_read_only(&*after)?;
    same(log.load_hard_state().fine()?, Some(hard(3, 3)))?;
    refused!(log.purge_boundary(), Error::Damaged(_));
    Ok(())
}

fn a_seal_tells_what_a_lost_header_hid(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.save_hard_state(&hard(2, 2)).fine()?;
    log.purge(id(1, 5)).fine()?;
    log.persist(&entries(2, 21, 25)).fine()?;
    log.close().fine()?;
    drop(log);
    let file = subject.disk().file_names()[0].clone();
    subject.disk().flip_bit(&file, 3);
    let log = reopen_read_only(subject)?;
    same(log.load_hard_state().fine()?, Some(hard(2, 2)))?;
    same((log.purge_boundary().fine()?, log.last_index().fine()?), (Some(id(1, 5)), 24))
}

fn a_torn_save_leaves_the_hard_state_before(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.save_hard_state(&hard(1, 1)).fine()?;
    let old = fork(subject);
    log.save_hard_state(&HardState { extra: vec![9; 4000], ..hard(2, 2) }).fine()?;
    let (file, offset) = find(subject.disk(), &[9; 4000])?;
    // The same file, but for a sector that never reached the disk; nothing was acknowledged.
    old.disk().copy_file(subject.disk(), &file, &file);
    old.disk().zero_sector(&file, offset + 1000);
    let before = old.disk().hash();
    same(reopen_read_only(&*old)?.load_hard_state().fine()?, Some(hard(1, 1)))?;
    same(old.disk().hash(), before)?;
    same(reopen(&*old)?.load_hard_state().fine()?, Some(hard(1, 1)))
}

fn a_lost_purge_hides_no_entry_and_no_boundary(subject: &dyn Subject) -> Outcome {
    let log = twenty(subject)?;
    log.purge(id(1, 5)).fine()?;
    log.persist(&entries(2, 21, 23)).fine()?;
    log.sync().fine()?;
    let after = crash(subject, Crash::LOSE_ALL);
    let file = after.disk().file_names()[0].clone();
    let purge =
        after.frames(&file).fine()?.into_iter().find(|frame| frame.kind == "meta").ok_or("no purge")?;
    for at in [4, 150] {
        let damaged = fork(&*after);
        damaged.disk().flip_bit(&file, (purge.offset + at) * 8);
        let log = reopen_read_only(&*damaged)?;
        refused!(log.purge_boundary(), Error::Damaged(_));
        for entry in entries(1, 6, 21).into_iter().chain(entries(2, 21, 23)) {
            same(log.entry(entry.id.index).fine()?, Some(entry))?;
        }
        same(log.last_index().fine()?, 22)?;
    }
    Ok(())
}

fn a_lost_overwrite_is_never_the_entry_before(subject: &dyn Subject) -> Outcome {
    for header in [true, false] {
        let side = fork(subject);
        let log = create(&*side)?;
        log.persist(&longs(1, 1, 9)).fine()?;
        log.persist(&[long(2, 3, 900), long(2, 6, 900)]).fine()?;
        log.persist(&longs(1, 9, 10)).fine()?;
        log.sync().fine()?;
        drop(log);
        let (file, offset) = find(side.disk(), &long(2, 3, 900).payload)?;
        let (start, _) = frame_at(&*side, &file, offset)?;
        side.disk().flip_bit(&file, if header { start + 30 } else { offset + 9 } * 8);
        let log = reopen_read_only(&*side)?;
        refused!(log.entry(3), Error::Damaged(_));
        if header {
            refused!(log.entry(6), Error::Damaged(_));
        }
        same(log.entry(2).fine()?, Some(long(1, 2, LONG)))?;
        same(log.entry(9).fine()?, Some(long(1, 9, LONG)))?;
        same(log.last_index().fine()?, 9)?;
    }
    Ok(())
}

fn any_flipped_bit_costs_an_error_at_most(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &gappy(Mode::Create)).fine()?;
    let mut model = Model::new();
    for (number, batch) in
        [entries(1, 1, 6), entries(1, 6, 9), entries(2, 4, 7), entries(2, 12, 14)].iter().enumerate()
    {
        log.persist(batch).fine()?;
        model.persist(batch, true).fine()?;
        log.save_hard_state(&hard(number as u64, 1)).fine()?;
        model.save_hard_state(&hard(number as u64, 1)).fine()?;
    }
    log.persist(&[named(3, 2), named(3, 5), named(3, 10)]).fine()?;
    model.persist(&[named(3, 2), named(3, 5), named(3, 10)], true).fine()?;
    log.replace_range(12, &entries(3, 12, 13)).fine()?;
    model.replace_range(12, &entries(3, 12, 13), true).fine()?;
    log.purge(id(1, 1)).fine()?;
    model.purge(id(1, 1)).fine()?;
    log.persist(&entries(4, 13, 15)).fine()?;
    model.persist(&entries(4, 13, 15), true).fine()?;
    log.sync().fine()?;
    for clean in [false, true] {
        if clean {
            log.close().fine()?;
        }
        let after = subject.on(subject.disk().fork().reboot(Crash::LOSE_ALL));
        let file = after.disk().file_names()[0].clone();
        let end = after.frames(&file).fine()?.last().map_or(0, |last| last.offset + u64::from(last.bytes));
        for bit in (0..end * 8).step_by(61) {
            let damaged = fork(&*after);
            damaged.disk().flip_bit(&file, bit);
            for mode in [Mode::Open, Mode::ReadOnly] {
                let opened = damaged.open_raft(LOG, &options(mode));
                right_or_refused(opened, &model).map_err(|what| format!("bit {bit}, {mode:?}: {what}"))?;
            }
        }
    }
    Ok(())
}

fn right_or_refused(opened: Result<Box<dyn RaftSubject>, Error>, model: &Model) -> Outcome {
    let log = match opened {
        Ok(log) => log,
        Err(Error::Damaged(_) | Error::UnknownFormat(_)) => return Ok(()),
        Err(other) => return Err(format!("{other:?}")),
    };
    fn or_damaged<T>(answer: Result<T, Error>, right: impl Fn(&T) -> bool) -> Outcome
    where
        T: std::fmt::Debug,
    {
        match answer {
            Err(Error::Damaged(_)) => Ok(()),
            Ok(got) if right(&got) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }
    or_damaged(log.load_hard_state(), |got| got.as_ref() == model.hard())?;
    or_damaged(log.purge_boundary(), |got| *got == model.boundary())?;
    for index in 1..20 {
        // What was purged may be read where the purge is lost.
        let purged = index < model.bounds().start;
        or_damaged(log.entry(index), |got| *got == model.entry(index) || purged)
            .map_err(|what| format!("index {index}: {what}"))?;
    }
    Ok(())
}

fn damage_of_a_log_that_was_not_closed_is_refused(subject: &dyn Subject) -> Outcome {
    let after = unclean(subject)?;
    damage_entry(&*after, &named(1, 45))?;
    let before = after.disk().hash();
    for mode in [Mode::Open, Mode::OpenOrCreate] {
        refused!(after.open_raft(LOG, &options(mode)).map(drop), Error::Damaged(_));
    }
    same(after.disk().hash(), before)?;
    let log = reopen_read_only(&*after)?;
    same(log.load_hard_state().fine()?, Some(hard(1, 1)))?;
    same(log.last_index().fine()?, 100)?;
    refused!(log.entry(45), Error::Damaged(_));
    same(log.entry(41).fine().is_err() || log.entry(40).fine()? == Some(named(1, 40)), true)
}

fn purging_past_the_damage_heals_the_log(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 40))?;
    log.close().fine()?;
    drop(log);
    damage_entry(subject, &long(1, 5, LONG))?;
    let log = reopen(subject)?;
    refused!(log.entry(5), Error::Damaged(_));
    log.purge(id(1, 30)).fine()?;
    log.close().fine()?;
    drop(log);
    same(subject.verify(LOG).fine()?, vec![])?;
    holds(&*reopen(subject)?, &Model::saying(&longs(1, 31, 40), Some(id(1, 30)), None))
}

fn behind_a_missing_end_no_range_is_empty(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 31))?;
    log.close().fine()?;
    drop(log);
    let newest = subject.disk().file_names().pop().ok_or("no file")?;
    subject.disk().remove_file(&newest);
    let log = reopen_read_only(subject)?;
    let last = log.last_index().fine()?;
    ensure!((10..30).contains(&last), "{last}");
    // Whether there were more entries nobody knows.
    refused!(log.get_entries(last + 1, u64::MAX, ALL), Error::Damaged(_));
    refused!(log.entry(last + 5), Error::Damaged(_));
    same(log.get_entries(last + 2, last + 1, ALL).fine()?.indexes, vec![])
}

fn a_seal_with_two_flipped_bits_hides_no_hard_state(subject: &dyn Subject) -> Outcome {
    // Neither what ends the file nor the header of the seal verifies; but it is known that it was a seal.
    let log = create(subject)?;
    log.persist(&entries(1, 1, 20)).fine()?;
    log.save_hard_state(&hard(1, 1)).fine()?;
    log.purge(id(1, 5)).fine()?;
    log.close().fine()?;
    drop(log);
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    let seal = subject.frames(&file).fine()?.pop().filter(|frame| frame.kind == "seal").ok_or("no seal")?;
    subject.disk().flip_bit(&file, (seal.offset + 20) * 8);
    subject.disk().flip_bit(&file, (subject.disk().file_size(&file) - 10) * 8);
    refused!(subject.open_raft(LOG, &options(Mode::Open)), Error::Damaged(_));
    let log = reopen_read_only(subject)?;
    same(log.load_hard_state().fine()?, Some(hard(1, 1)))?;
    same(log.purge_boundary().fine()?, Some(id(1, 5)))?;
    same(log.get_entries(6, 19, ALL).fine()?.indexes, (6..20).collect())
}
