//! Appending: ids, retries, late ids, batches, limits.

use super::kit::*;
use crate::cases::{Case, case};
use crate::model::{MAX_BATCH, MAX_COUNT, MAX_ITEM};
use crate::sim::{Call, Crash};
use annals_logs::error::{Bounds, Error, Limit};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(an_event_is_stored_under_the_callers_id, "E2"),
    case!(a_batch_gets_consecutive_ids, "E3"),
    case!(an_empty_batch_of_events_is_refused, "E3", "X1"),
    case!(packed_events_leave_the_same_bytes_as_listed_ones, "H17"),
    case!(packed_ends_of_events_must_ascend_to_the_length, "H17", "X1"),
    case!(limits_are_checked_before_anything_is_written, "E4", "G16.1", "G16.2", "X1"),
    case!(limits_set_by_options_are_checked_too, "E4", "X1"),
    case!(the_same_event_again_is_a_duplicate_and_writes_nothing, "E5"),
    case!(retrying_a_batch_does_not_duplicate_it, "E5", "E6", "E33"),
    case!(of_a_batch_identical_events_are_skipped_and_new_ones_are_one_frame, "E6"),
    case!(a_batch_that_fills_gaps_is_one_frame_whole_or_absent, "E6", "F1.1"),
    case!(other_bytes_under_an_id_are_a_conflict, "E7", "X1"),
    case!(a_batch_with_one_conflict_writes_nothing, "E7", "X1"),
    case!(a_late_id_is_seen_by_get_and_iteration, "E9"),
    case!(late_ids_are_found_in_every_file, "E9"),
    case!(the_highest_id_is_refused, "E11", "X1"),
    case!(events_come_back_byte_for_byte, "E34"),
    case!(waiting_events_can_be_read, "F1.6"),
    case!(a_batch_of_events_survives_as_a_whole_or_not_at_all, "F1.1"),
    case!(a_batch_with_too_many_gaps_is_refused, "G12.4", "X1"),
    case!(an_event_that_looks_like_a_log_is_just_an_event, "F2.7"),
];

fn an_event_is_stored_under_the_callers_id(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let ids = [3, 4, 10, 11, 1000, 1 << 40, (1 << 40) + 1, u64::MAX - 1];
    append(&*log, ids)?;
    same(log.get(5).fine()?, None)?;
    same(log.next_event_id().fine()?, u64::MAX)?;
    holds_for_good(subject, log, ids)
}

fn a_batch_gets_consecutive_ids(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    same(batch(&*log, 7, 12).fine()?, Appended::Appended)?;
    same(batch(&*log, 20, 21).fine()?, Appended::Appended)?;
    holds_for_good(subject, log, (7..12).chain([20]))
}

fn an_empty_batch_of_events_is_refused(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    batch(&*log, 0, 3).fine()?;
    let before = subject.disk().hash();
    refused!(log.append_batch_with_ids(3, &[]), Error::InvalidArgument(_));
    refused!(log.append_packed_with_ids(3, &[], &[]), Error::InvalidArgument(_));
    same(subject.disk().hash(), before)?;
    holds(&*log, 0..3)
}

fn packed_events_leave_the_same_bytes_as_listed_ones(subject: &dyn Subject) -> Outcome {
    let empty = fork(subject);
    let (listed, packed) = (create(subject)?, create(&*empty)?);
    for first in [0, 10, 3] {
        same(batch(&*listed, first, first + 5).fine()?, Appended::Appended)?;
        let events: Vec<Vec<u8>> = (first..first + 5).map(event).collect();
        let ends = [1, 2, 3, 4, 5].map(|n| n * events[0].len() as u32);
        same(packed.append_packed_with_ids(first, &ends, &events.concat()).fine()?, Appended::Appended)?;
    }
    listed.close().fine()?;
    packed.close().fine()?;
    ensure!(subject.disk().image() == empty.disk().image());
    Ok(())
}

fn packed_ends_of_events_must_ascend_to_the_length(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let wrong: [(&[u32], &[u8]); 5] =
        [(&[2, 1, 3], b"abc"), (&[1, 2], b"abc"), (&[1, 4], b"abc"), (&[], b"abc"), (&[u32::MAX], b"abc")];
    let before = subject.disk().hash();
    for (ends, bytes) in wrong {
        refused!(log.append_packed_with_ids(0, ends, bytes), Error::InvalidArgument(_));
    }
    same(subject.disk().hash(), before)?;
    same(log.append_packed_with_ids(5, &[0, 3, 3], b"abc").fine()?, Appended::Appended)?;
    same(log.get(5).fine()?, Some(vec![]))?;
    same(log.get(6).fine()?, Some(b"abc".to_vec()))?;
    same(log.get(7).fine()?, Some(vec![]))
}

fn limits_are_checked_before_anything_is_written(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [0])?;
    let before = subject.disk().hash();
    let huge = vec![1; MAX_ITEM as usize + 1];
    let wanted = Error::TooLarge { what: Limit::ItemSize, allowed: MAX_ITEM, got: MAX_ITEM + 1 };
    same_answer(log.append_with_id(1, &huge), Err(wanted.clone()))?;
    same_answer(log.append_batch_with_ids(1, &[b"x", &huge]), Err(wanted.clone()))?;
    same_answer(log.append_packed_with_ids(1, &[huge.len() as u32], &huge), Err(wanted.clone()))?;
    // Even where a conflict would be found.
    same_answer(log.append_with_id(0, &huge), Err(wanted))?;
    let ends = vec![0; MAX_COUNT as usize + 1];
    let wanted = Error::TooLarge { what: Limit::BatchCount, allowed: MAX_COUNT, got: MAX_COUNT + 1 };
    same_answer(log.append_packed_with_ids(1, &ends, &[]), Err(wanted))?;
    let part: &[u8] = &vec![1; 13 << 20];
    let wanted = Error::TooLarge { what: Limit::BatchSize, allowed: MAX_BATCH, got: 65 << 20 };
    same_answer(log.append_batch_with_ids(1, &[part; 5]), Err(wanted))?;
    same(subject.disk().hash(), before)?;
    let largest = &huge[1..];
    same(log.append_with_id(1, largest).fine()?, Appended::Appended)?;
    ensure!(log.get(1).fine()?.as_deref() == Some(largest));
    same(log.get(0).fine()?, Some(event(0)))
}

fn limits_set_by_options_are_checked_too(subject: &dyn Subject) -> Outcome {
    let small = Options { max_event: Some(30), max_batch: Some(70), ..options(Mode::Create) };
    let log = open(subject, &small)?;
    batch(&*log, 0, 2).fine()?;
    let before = subject.disk().hash();
    let wanted = Error::TooLarge { what: Limit::ItemSize, allowed: 30, got: 31 };
    same_answer(log.append_with_id(2, &[1; 31]), Err(wanted.clone()))?;
    same_answer(log.append_batch_with_ids(2, &[&[1; 31]]), Err(wanted))?;
    let wanted = Error::TooLarge { what: Limit::BatchSize, allowed: 70, got: 90 };
    same_answer(log.append_batch_with_ids(2, &[&[1; 30][..]; 3]), Err(wanted))?;
    same(subject.disk().hash(), before)?;
    same(log.append_with_id(2, &[1; 30]).fine()?, Appended::Appended)?;
    drop(log);
    // They are of the handle, not of the log.
    same(reopen(subject)?.append_with_id(3, &[1; 31]).fine()?, Appended::Appended)?;
    for (max_event, max_batch) in [(Some((16 << 20) + 1), None), (None, Some((64 << 20) + 1))] {
        let large = Options { max_event, max_batch, ..options(Mode::Open) };
        refused!(subject.events().open(LOG, &large), Error::InvalidArgument(_));
    }
    Ok(())
}

fn the_same_event_again_is_a_duplicate_and_writes_nothing(subject: &dyn Subject) -> Outcome {
    for policy in [Policy::Buffered, Policy::Flushed, Policy::Synced] {
        let subject = fork(subject);
        let log = open(&*subject, &with(policy, Mode::Create))?;
        append(&*log, [0, 1, 7])?;
        log.flush().fine()?;
        subject.disk().reset_counters();
        for id in [0, 1, 7, 7] {
            same(log.append_with_id(id, &event(id)).fine()?, Appended::Duplicate)?;
        }
        same(log.next_event_id().fine()?, 8)?;
        same(subject.disk().counters().changes(), 0)?;
        holds_for_good(&*subject, log, [0, 1, 7])?;
        let log = reopen(&*subject)?;
        same(log.append_with_id(1, &event(1)).fine()?, Appended::Duplicate)?;
    }
    Ok(())
}

fn retrying_a_batch_does_not_duplicate_it(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    batch(&*log, 10, 20).fine()?;
    let before = subject.disk().hash();
    same(batch(&*log, 10, 20).fine()?, Appended::Duplicate)?;
    same(batch(&*log, 12, 15).fine()?, Appended::Duplicate)?;
    same(subject.disk().hash(), before)?;
    drop(log);
    // A crash that kept the answer from arriving.
    let after = crash(subject, Crash::Process);
    let log = reopen(&*after)?;
    same(batch(&*log, 10, 20).fine()?, Appended::Duplicate)?;
    same(log.stats().fine()?.events, 10)?;
    holds_for_good(&*after, log, 10..20)
}

fn frames_with_events(subject: &dyn Subject) -> Result<Vec<(&'static str, u64, u32)>, String> {
    let mut found = Vec::new();
    for file in subject.disk().file_names() {
        let frames = subject.frames(&file).fine()?;
        found.extend(frames.iter().filter(|f| f.count > 0).map(|f| (f.kind, f.first, f.count)));
    }
    Ok(found)
}

fn of_a_batch_identical_events_are_skipped_and_new_ones_are_one_frame(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    batch(&*log, 0, 5).fine()?;
    same(batch(&*log, 3, 8).fine()?, Appended::Appended)?;
    append(&*log, [10, 12])?;
    same(batch(&*log, 6, 15).fine()?, Appended::Appended)?;
    let frames = frames_with_events(subject)?;
    same(
        frames,
        vec![("append", 0, 5), ("append", 5, 3), ("append", 10, 1), ("append", 12, 1), ("put", 8, 5)],
    )?;
    holds_for_good(subject, log, 0..15)
}

fn a_batch_that_fills_gaps_is_one_frame_whole_or_absent(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [0, 2, 4, 6])?;
    log.sync().fine()?;
    let events: Vec<Vec<u8>> =
        (0..9).map(|id| if id % 2 == 0 { event(id) } else { long(id, 1500) }).collect();
    let slices: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
    // Number 8 is new, too, and it is long.
    same(log.append_batch_with_ids(0, &slices[..8]).fine()?, Appended::Appended)?;
    let mut counts = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let chosen = if seed == 0 { Crash::KEEP_ALL } else { Crash::random(seed) };
        let after = crash(&*fork(subject), chosen);
        let log = reopen(&*after).map_err(|what| format!("{what} ({chosen:?})"))?;
        let found = ids(&*log)?;
        ensure!(found == [0, 2, 4, 6] || found.iter().copied().eq(0..8), "{found:?} after {chosen:?}");
        counts.insert(found.len());
    }
    same(counts.len(), 2)
}

fn other_bytes_under_an_id_are_a_conflict(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [0, 5])?;
    let before = subject.disk().hash();
    for other in [&b"other"[..], b"", &event(5)[1..], &[event(5), vec![0]].concat()] {
        same_answer(log.append_with_id(5, other), Err(Error::Conflict(5)))?;
    }
    same(subject.disk().hash(), before)?;
    holds_for_good(subject, log, [0, 5])
}

fn a_batch_with_one_conflict_writes_nothing(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [4, 6, 9])?;
    same(log.delete_range(9, 9).fine()?, 1)?;
    append(&*log, [12])?;
    let before = subject.disk().hash();
    let events: Vec<Vec<u8>> = (0..9).map(|id| if id == 6 { b"other".to_vec() } else { event(id) }).collect();
    let slices: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
    same_answer(log.append_batch_with_ids(0, &slices), Err(Error::Conflict(6)))?;
    same_answer(batch(&*log, 7, 14), Err(Error::Deleted(Bounds { start: 9, end: 10 })))?;
    // The lowest id that is refused is named.
    let more: Vec<&[u8]> = slices[4..].iter().copied().chain([&b"x"[..], b"y"]).collect();
    same_answer(log.append_batch_with_ids(4, &more), Err(Error::Conflict(6)))?;
    same_answer(
        log.append_batch_with_ids(8, &[b"8", b"9"]),
        Err(Error::Deleted(Bounds { start: 9, end: 10 })),
    )?;
    same(subject.disk().hash(), before)?;
    holds_for_good(subject, log, [4, 6, 12])
}

fn a_late_id_is_seen_by_get_and_iteration(subject: &dyn Subject) -> Outcome {
    for policy in [Policy::Buffered, Policy::Flushed, Policy::Synced] {
        let subject = fork(subject);
        let log = open(&*subject, &with(policy, Mode::Create))?;
        append(&*log, [10, 20, 30])?;
        append(&*log, [15, 5, 25])?;
        same(log.get(15).fine()?, Some(event(15)))?;
        same(log.next_event_id().fine()?, 31)?;
        append(&*log, [31, 0, 32, 29])?;
        holds_for_good(&*subject, log, [0, 5, 10, 15, 20, 25, 29, 30, 31, 32])?;
    }
    Ok(())
}

fn late_ids_are_found_in_every_file(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    // Even ids first, over several files; then odd ones, over more.
    for parity in [0, 1] {
        for id in 0..60 {
            append_long(&*log, [id * 2 + parity], 3000)?;
        }
    }
    ensure!(subject.disk().file_names().len() >= 5);
    holds_for_good(subject, log, 0..120)
}

fn the_highest_id_is_refused(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let before = subject.disk().hash();
    refused!(log.append_with_id(u64::MAX, b"x"), Error::InvalidArgument(_));
    refused!(log.append_batch_with_ids(u64::MAX - 1, &[b"x", b"y"]), Error::InvalidArgument(_));
    refused!(log.append_packed_with_ids(u64::MAX, &[1], b"x"), Error::InvalidArgument(_));
    same(subject.disk().hash(), before)?;
    append(&*log, [u64::MAX - 1])?;
    refused!(log.append_with_id(u64::MAX, b"x"), Error::InvalidArgument(_));
    holds_for_good(subject, log, [u64::MAX - 1])
}

fn events_come_back_byte_for_byte(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let events: Vec<Vec<u8>> =
        vec![vec![], vec![0; 5000], vec![0xFF; 5000], vec![0], vec![0xFF], vec![0; 20_000], vec![0; 512]];
    for (id, event) in events.iter().enumerate() {
        same(log.append_with_id(id as u64 * 3, event).fine()?, Appended::Appended)?;
        same(log.append_batch_with_ids(id as u64 * 3 + 1, &[event, event]).fine()?, Appended::Appended)?;
    }
    log.close().fine()?;
    let log = reopen(subject)?;
    for id in 0..events.len() as u64 * 3 {
        let found = log.get(id).fine()?;
        ensure!(found.as_deref() == Some(&events[id as usize / 3][..]), "event {id}");
    }
    same(subject.verify(LOG).fine()?, vec![])
}

fn waiting_events_can_be_read(subject: &dyn Subject) -> Outcome {
    let log = open(subject, &with(Policy::Buffered, Mode::Create))?;
    batch(&*log, 0, 2).fine()?;
    subject.disk().reset_counters();
    append(&*log, [5, 6, 9])?;
    same(subject.disk().counters().of(Call::Write), 0)?;
    holds(&*log, [0, 1, 5, 6, 9])?;
    same(log.append_with_id(6, &event(6)).fine()?, Appended::Duplicate)?;
    same_answer(log.append_with_id(9, b"x"), Err(Error::Conflict(9)))?;
    same(subject.disk().counters().of(Call::Write), 0)?;
    // Among those that wait.
    append(&*log, [7])?;
    holds(&*log, [0, 1, 5, 6, 7, 9])?;
    append(&*log, [10])?;
    same(log.delete_range(6, 9).fine()?, 3)?;
    holds_for_good(subject, log, [0, 1, 5, 10])
}

fn a_batch_of_events_survives_as_a_whole_or_not_at_all(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    batch(&*log, 0, 3).fine()?;
    log.sync().fine()?;
    append_long(&*log, [5], 10)?;
    let events: Vec<Vec<u8>> = (10..14).map(|id| long(id, 1500)).collect();
    let slices: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
    log.append_batch_with_ids(10, &slices).fine()?;
    for seed in 0..60 {
        let after = crash(&*fork(subject), Crash::random(seed));
        let found = ids(&*reopen(&*after)?)?;
        let allowed: [&[u64]; 3] = [&[0, 1, 2], &[0, 1, 2, 5], &[0, 1, 2, 5, 10, 11, 12, 13]];
        ensure!(allowed.contains(&&found[..]), "{found:?}");
    }
    Ok(())
}

fn a_batch_with_too_many_gaps_is_refused(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    let ids: Vec<u64> = (0..1001).map(|n| n * 2).collect();
    for id in &ids {
        log.append_with_id(*id, b"").fine()?;
    }
    let before = subject.disk().hash();
    let ends = vec![0; 2003];
    let wanted = Error::TooLarge { what: Limit::BatchCount, allowed: 1000, got: 1001 };
    same_answer(log.append_packed_with_ids(0, &ends, &[]), Err(wanted))?;
    same(subject.disk().hash(), before)?;
    same(log.append_packed_with_ids(2, &ends[..1999], &[]).fine()?, Appended::Appended)?;
    same(log.stats().fine()?.events, 1001 + 999)?;
    log.close().fine()?;
    let log = reopen(subject)?;
    same(log.get(1).fine()?, None)?;
    for id in (2..2001).chain([0]) {
        same(log.get(id).fine()?, Some(vec![]))?;
    }
    same(subject.verify(LOG).fine()?, vec![])
}

fn an_event_that_looks_like_a_log_is_just_an_event(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..5)?;
    log.sync().fine()?;
    let file = subject.disk().file_names().pop().ok_or("no file")?;
    let copy = subject.disk().file_bytes(&file);
    let copy = &copy[..copy.len().min(20_000)];
    log.append_with_id(7, copy).fine()?;
    append(&*log, [6, 8])?;
    log.sync().fine()?;
    let log = reopen(&*crash(subject, Crash::LOSE_ALL))?;
    ensure!(log.get(7).fine()?.as_deref() == Some(copy));
    for id in [0, 6, 8] {
        same(log.get(id).fine()?, Some(event(id)))?;
    }
    same(log.get(5).fine()?, None)
}
