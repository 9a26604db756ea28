//! Opening, closing, destroying; what `admin` says of event logs.

use super::kit::*;
use crate::cases::{Case, case};
use crate::sim::{Crash, CrashPlan, Point};
use annals_logs::error::Error;
use annals_logs::format::root::Kind;
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(an_event_log_is_opened_as_the_mode_says, "E1"),
    case!(opening_an_event_log_as_another_kind_is_an_error, "G15.6"),
    case!(options_of_an_event_log_that_make_no_sense_are_refused, "X1"),
    case!(rotate_at_is_fixed_when_the_log_is_made, "E19", "X1"),
    case!(an_event_log_opened_for_reading_is_not_changed, "D11.1", "E1"),
    case!(an_event_log_open_for_writing_is_locked, "H7"),
    case!(a_destroyed_event_log_is_gone_and_its_name_is_free, "E1"),
    case!(creating_and_destroying_interrupted_at_any_call_is_finished, "D10.8"),
    case!(a_copy_of_the_files_is_an_event_log, "G18.1"),
    case!(the_tools_know_event_logs, "A7", "A2", "A4"),
    case!(the_tools_see_what_was_deleted, "A7", "A2"),
    case!(event_logs_and_journals_share_a_storage, "A7", "A1"),
];

fn an_event_log_is_opened_as_the_mode_says(subject: &dyn Subject) -> Outcome {
    for mode in [Mode::Open, Mode::ReadOnly] {
        refused!(subject.events().open(LOG, &options(mode)), Error::NotFound);
    }
    append(&*create(subject)?, 0..3)?;
    refused!(subject.events().open(LOG, &options(Mode::Create)), Error::Exists);
    for mode in [Mode::Open, Mode::ReadOnly, Mode::OpenOrCreate] {
        holds(&*open(subject, &options(mode))?, 0..3)?;
    }
    let other = subject.events().open("other", &options(Mode::OpenOrCreate)).fine()?;
    holds(&*other, [])?;
    append(&*other, 0..9)?;
    holds(&*reopen(subject)?, 0..3)
}

fn opening_an_event_log_as_another_kind_is_an_error(subject: &dyn Subject) -> Outcome {
    append(&*create(subject)?, 0..3)?;
    refused!(subject.open(LOG, &crate::subject::options(Mode::Open)), Error::OtherKind(kind) if kind == "event-log");
    refused!(subject.destroy(LOG), Error::OtherKind(_));
    subject.open("numbers", &crate::subject::options(Mode::Create)).fine()?.close().fine()?;
    refused!(subject.events().open("numbers", &options(Mode::Open)), Error::OtherKind(kind) if kind == "journal");
    refused!(subject.events().open("numbers", &options(Mode::ReadOnly)), Error::OtherKind(_));
    refused!(subject.events().destroy("numbers"), Error::OtherKind(_));
    holds(&*reopen(subject)?, 0..3)
}

fn options_of_an_event_log_that_make_no_sense_are_refused(subject: &dyn Subject) -> Outcome {
    let before = subject.disk().hash();
    for rotate_at in [0, (64 << 10) - 1, (1 << 30) + 1, u64::MAX] {
        let odd = Options { rotate_at: Some(rotate_at), ..options(Mode::Create) };
        refused!(subject.events().open(LOG, &odd), Error::InvalidArgument(_));
    }
    for name in ["", "A", "a.b", "a/b"] {
        refused!(subject.events().open(name, &options(Mode::Create)), Error::InvalidArgument(_));
    }
    refused!(subject.events().open(&"x".repeat(65), &options(Mode::Create)), Error::TooLarge { .. });
    same(subject.disk().hash(), before)
}

fn rotate_at_is_fixed_when_the_log_is_made(subject: &dyn Subject) -> Outcome {
    append(&*create(subject)?, 0..3)?;
    let before = subject.disk().hash();
    let larger = Options { rotate_at: Some(1 << 20), ..options(Mode::Open) };
    refused!(subject.events().open(LOG, &larger), Error::OptionsDiffer(_));
    same(subject.disk().hash(), before)?;
    let log = open(subject, &Options { rotate_at: Some(64 << 10), ..options(Mode::Open) })?;
    append_long(&*log, 3..30, 5000)?;
    ensure!(subject.disk().file_names().len() >= 2);
    // Without the option it is 16 MiB.
    let usual = Options { rotate_at: None, ..options(Mode::Create) };
    let log = subject.events().open("usual", &usual).fine()?;
    append_long(&*log, 0..40, 5000)?;
    same(log.stats().fine()?.files, 1)
}

fn an_event_log_opened_for_reading_is_not_changed(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, [0, 1, 5])?;
    drop(log);
    let before = subject.disk().hash();
    let log = reopen_read_only(subject)?;
    refused!(log.append_with_id(6, b"x"), Error::ReadOnly);
    refused!(log.append_batch_with_ids(6, &[b"x"]), Error::ReadOnly);
    refused!(log.append_packed_with_ids(6, &[1], b"x"), Error::ReadOnly);
    refused!(log.delete_range(0, 1), Error::ReadOnly);
    refused!(log.rotate(), Error::ReadOnly);
    refused!(log.flush(), Error::ReadOnly);
    refused!(log.sync(), Error::ReadOnly);
    refused!(log.begin_sync(), Error::ReadOnly);
    holds(&*log, [0, 1, 5])?;
    // It shows the log as it was.
    let writer = reopen(subject)?;
    append(&*writer, [7])?;
    holds(&*log, [0, 1, 5])?;
    log.close().fine()?;
    refused!(log.get(0), Error::Closed);
    drop(writer);
    subject.disk().reset_counters();
    holds(&*reopen_read_only(subject)?, [0, 1, 5, 7])?;
    same(subject.disk().counters().changes(), 0)?;
    ensure!(before != subject.disk().hash());
    Ok(())
}

fn an_event_log_open_for_writing_is_locked(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..3)?;
    refused!(subject.events().open(LOG, &options(Mode::Open)), Error::Locked);
    refused!(subject.events().open(LOG, &shared(Policy::Flushed, Mode::Open)), Error::Locked);
    refused!(subject.events().destroy(LOG), Error::Locked);
    holds(&*reopen_read_only(subject)?, 0..3)?;
    log.close().fine()?;
    holds(&*reopen(subject)?, 0..3)
}

fn a_destroyed_event_log_is_gone_and_its_name_is_free(subject: &dyn Subject) -> Outcome {
    refused!(subject.events().destroy(LOG), Error::NotFound);
    let log = create(subject)?;
    append_long(&*log, 0..40, 5000)?;
    let token = log.close().fine()?;
    drop(log);
    subject.events().destroy(LOG).fine()?;
    same(subject.disk().file_names(), vec![])?;
    same(subject.disk().cell_names(), vec![])?;
    let log = create(subject)?;
    same(log.next_event_id().fine()?, 0)?;
    append(&*log, 0..2)?;
    drop(log);
    let expecting = Options { expect: Some(token), ..options(Mode::Open) };
    refused!(subject.events().open(LOG, &expecting), Error::RolledBack(_));
    Ok(())
}

fn creating_and_destroying_interrupted_at_any_call_is_finished(subject: &dyn Subject) -> Outcome {
    for call in 1..60 {
        let subject = fork(subject);
        let disk = subject.disk();
        let plan = CrashPlan { call: disk.calls() + call, point: Point::Partway(call) };
        disk.plan_crash(plan);
        let run = || -> Result<(), Error> {
            let log = subject.events().open(LOG, &options(Mode::Create))?;
            log.append_with_id(0, &event(0))?;
            log.close()?;
            subject.events().destroy(LOG)
        };
        let done = run().is_ok();
        let after = crash(&*subject, Crash::random(call));
        let log =
            open(&*after, &options(Mode::OpenOrCreate)).map_err(|what| format!("call {call}: {what}"))?;
        let found = ids(&*log)?;
        ensure!(found.is_empty() || found == [0], "{found:?}");
        log.close().fine()?;
        same(after.verify(LOG).fine()?, vec![])?;
        if done {
            return Ok(());
        }
    }
    Err("it never ends".into())
}

fn a_copy_of_the_files_is_an_event_log(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..30, 5000)?;
    append(&*log, [100, 50])?;
    same(log.delete_range(3, 20).fine()?, 18)?;
    log.sync().fine()?;
    let copy = fork(subject);
    holds_for_good(&*copy, reopen(&*copy)?, (0..3).chain(21..30).chain([50, 100]))
}

fn the_tools_know_event_logs(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 10..40, 5000)?;
    append(&*log, [50, 45, 3])?;
    let check = |clean: bool| -> Outcome {
        let info = subject.info(LOG).fine()?;
        same((info.kind, info.clean, info.items), (Kind::EventLog, clean, 33))?;
        same((info.oldest, info.next, info.damage), (Some(3), 51, vec![]))?;
        same(info.segments as usize, subject.disk().file_names().len())?;
        same(info.bytes, subject.disk().used())?;
        same(subject.list().fine()?.len(), 1)?;
        same(subject.verify(LOG).fine()?, vec![])?;
        let segments = subject.segments(LOG).fine()?;
        same(segments.iter().map(|s| s.file.clone()).collect::<Vec<_>>(), subject.disk().file_names())?;
        let mut events = 0;
        for segment in segments {
            let frames = subject.frames(&segment.file).fine()?;
            same(segment.frames, frames.len() as u64)?;
            ensure!(frames.iter().filter(|f| f.count > 0).all(|f| f.live), "{frames:?}");
            events += frames.iter().map(|frame| u64::from(frame.count)).sum::<u64>();
        }
        same(events, 33)
    };
    check(false)?;
    log.close().fine()?;
    check(true)
}

fn the_tools_see_what_was_deleted(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append_long(&*log, 0..40, 5000)?;
    same(log.delete_range(0, 19).fine()?, 20)?;
    let info = subject.info(LOG).fine()?;
    same((info.items, info.oldest, info.next), (20, Some(20), 40))?;
    same(info.segments as usize, subject.disk().file_names().len())?;
    same(log.delete_range(20, 39).fine()?, 20)?;
    let info = subject.info(LOG).fine()?;
    same((info.items, info.oldest, info.next), (0, None, 40))?;
    same(subject.verify(LOG).fine()?, vec![])
}

fn event_logs_and_journals_share_a_storage(subject: &dyn Subject) -> Outcome {
    let log = create(subject)?;
    append(&*log, 0..3)?;
    let journal = subject.open("numbers", &crate::subject::options(Mode::Create)).fine()?;
    journal.append_batch(&[b"x"]).fine()?;
    let kinds: Vec<(String, Kind)> = subject.list().fine()?.into_iter().map(|l| (l.name, l.kind)).collect();
    same(kinds, vec![(LOG.into(), Kind::EventLog), ("numbers".into(), Kind::Journal)])?;
    log.close().fine()?;
    drop(log);
    subject.events().destroy(LOG).fine()?;
    same(journal.read(0).fine()?, b"x".to_vec())
}
