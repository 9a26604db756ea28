//! What an operator asks of a Raft log: list, info, segments, frames, verify.

use super::super::{Case, case};
use super::kit::*;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(info_knows_the_kind_and_counts_entries, "A2", "A7"),
    case!(info_counts_entries_with_gaps, "A2"),
    case!(a_healthy_raft_log_verifies, "A3", "A7"),
    case!(frames_and_segments_are_told, "A4", "A7"),
    case!(frames_that_hold_something_are_live, "A4"),
];

fn info_knows_the_kind_and_counts_entries(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 40))?;
    log.persist(&longs(2, 20, 45)).fine()?;
    log.purge(id(1, 12)).fine()?;
    let token = log.close().fine()?;
    let info = subject.info(LOG).fine()?;
    same((info.name.as_str(), info.kind.name(), info.clean), (LOG, "raft-log", true))?;
    same((info.items, info.oldest, info.next), (32, Some(13), 45))?;
    same((info.token, info.damage), (Some(token), vec![]))?;
    same(info.bytes, subject.disk().used())?;
    same(subject.list().fine()?.len(), 1)
}

fn info_counts_entries_with_gaps(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &gappy(Mode::Create)).fine()?;
    log.persist(&[named(1, 5), named(1, 7), named(1, 100)]).fine()?;
    log.persist(&entries(1, 1000, 1010)).fine()?;
    log.persist(&[named(2, 6), named(2, 7), named(2, 50)]).fine()?;
    let info = subject.info(LOG).fine()?;
    same((info.items, info.oldest, info.next), (15, Some(5), 1010))?;
    log.purge(id(1, 20)).fine()?;
    let info = subject.info(LOG).fine()?;
    same((info.items, info.oldest, info.next), (12, Some(50), 1010))
}

fn a_healthy_raft_log_verifies(subject: &dyn Subject) -> Outcome {
    let log = subject.open_raft(LOG, &gappy(Mode::Create)).fine()?;
    let clean = || same(subject.verify(LOG).fine()?, vec![]);
    clean()?;
    one_by_one(&*log, &longs(1, 1, 30))?;
    clean()?;
    log.persist(&[long(2, 3, 50), long(2, 25, 50), long(2, 40, 50)]).fine()?;
    log.save_hard_state(&hard(2, 1)).fine()?;
    clean()?;
    log.replace_range(20, &longs(3, 20, 35)).fine()?;
    log.truncate(30).fine()?;
    clean()?;
    log.purge(id(1, 15)).fine()?;
    clean()?;
    log.reset().fine()?;
    clean()?;
    log.persist(&longs(4, 1, 3)).fine()?;
    log.close().fine()?;
    clean()
}

fn frames_and_segments_are_told(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    one_by_one(&*log, &longs(1, 1, 30))?;
    log.persist(&longs(2, 5, 8)).fine()?;
    log.save_hard_state(&hard(1, 1)).fine()?;
    log.close().fine()?;
    let segments = subject.segments(LOG).fine()?;
    same(segments.iter().map(|segment| segment.file.clone()).collect(), subject.disk().file_names())?;
    let kinds = kinds(subject)?;
    let of = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
    same((of("append"), of("put"), of("meta"), of("seal")), (29, 1, 1, 1))?;
    same(of("header"), segments.len())
}

fn frames_that_hold_something_are_live(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    for start in [1, 5, 9] {
        log.persist(&entries(1, start, start + 4)).fine()?;
    }
    log.persist(&entries(2, 5, 9)).fine()?;
    log.truncate(10).fine()?;
    log.sync().fine()?;
    let file = subject.disk().file_names()[0].clone();
    let live: Vec<_> =
        subject.frames(&file).fine()?.into_iter().map(|frame| (frame.kind, frame.live)).collect();
    let wanted = [("append", true), ("append", false), ("append", true), ("put", true)];
    let got: Vec<_> = live.into_iter().filter(|(kind, _)| *kind == "append" || *kind == "put").collect();
    same(got, wanted.to_vec())
}
