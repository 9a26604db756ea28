//! All five logs in one storage: none is in another's way, whatever happens to one of them.

use super::kit::*;
use super::{Case, case};
use crate::change_log::{self, Change};
use crate::raft::entry;
use crate::sim::{Crash, CrashPlan, Point};
use crate::subject::snapshot::{Options as Folding, Update};
use crate::subject::{Subject, options};
use crate::{event::subject as event, raft};
use annals_logs::error::{Error, Result as Answer};
use annals_logs::types::Mode;

pub(super) const CASES: &[Case] = &[
    case!(one_storage_holds_all_five_logs, "G15.10", "A7"),
    case!(no_log_opens_as_one_of_the_four_others, "G15.7", "G15.10"),
    case!(creating_one_log_and_destroying_another_cut_off_anywhere_leaves_the_rest, "G15.10", "G15.2"),
];

/// The kinds, which are also the names of their logs here.
const KINDS: [&str; 5] = ["change-log", "event-log", "journal", "raft-log", "snapshot"];

fn folding(mode: Mode) -> Folding {
    Folding { mode, ..Folding::default() }
}

fn change() -> Change {
    Change { payload: b"intent".to_vec(), cleanup_after_ms: None }
}

/// Opens the log of this name as one of that kind; makes it with something in it if it is to be created.
fn open(subject: &dyn Subject, kind: &str, name: &str, mode: Mode) -> Answer<()> {
    let new = mode == Mode::Create;
    match kind {
        "journal" => {
            let log = subject.open(name, &options(mode))?;
            if new { log.append_batch(&[b"item"]).and_then(|_| log.close()).map(drop) } else { Ok(()) }
        }
        "event-log" => {
            let log = subject.events().open(name, &event::options(mode))?;
            if new { log.append_with_id(7, b"event").and_then(|_| log.close()).map(drop) } else { Ok(()) }
        }
        "raft-log" => {
            let log = subject.open_raft(name, &raft::options(mode))?;
            if new { log.persist(&[entry(1, 1, "one")]).and_then(|()| log.close()).map(drop) } else { Ok(()) }
        }
        "snapshot" => {
            let log = subject.snapshots().open(name, &folding(mode))?;
            let put = [Update::Put { key: b"key", value: b"value", version: b"1" }];
            if new { log.apply(&put, b"cursor").and_then(|_| log.close()).map(drop) } else { Ok(()) }
        }
        _ => {
            let log = subject.open_change_log(name, &change_log::named(mode, "me"))?;
            if new { log.record(b"id", &change()).and_then(|()| log.close()).map(drop) } else { Ok(()) }
        }
    }
}

fn destroy(subject: &dyn Subject, kind: &str) -> Answer<()> {
    match kind {
        "journal" => subject.destroy(kind),
        "event-log" => subject.events().destroy(kind),
        "raft-log" => subject.destroy_raft(kind),
        "snapshot" => subject.snapshots().destroy(kind),
        _ => subject.destroy_change_log(kind),
    }
}

/// The log of this kind is healthy and holds what `open` put into it.
fn is_whole(subject: &dyn Subject, kind: &str) -> Outcome {
    same(subject.verify(kind).fine()?, vec![])?;
    let reading = Mode::ReadOnly;
    match kind {
        "journal" => same(subject.open(kind, &options(reading)).fine()?.read(0).fine()?, b"item".to_vec()),
        "event-log" => {
            let log = subject.events().open(kind, &event::options(reading)).fine()?;
            same(log.get(7).fine()?, Some(b"event".to_vec()))
        }
        "raft-log" => {
            let log = subject.open_raft(kind, &raft::options(reading)).fine()?;
            same(log.entry(1).fine()?, Some(entry(1, 1, "one")))
        }
        "snapshot" => {
            let log = subject.snapshots().open(kind, &folding(reading)).fine()?;
            same(log.get(b"key").fine()?.map(|entry| entry.value), Some(b"value".to_vec()))?;
            same(log.cursor().fine()?, b"cursor".to_vec())
        }
        _ => {
            let log = subject.open_change_log(kind, &change_log::options(reading)).fine()?;
            same(log.get(Some("me"), b"id").fine()?, Some(change()))
        }
    }
}

fn all(subject: &dyn Subject) -> Outcome {
    KINDS.iter().try_for_each(|kind| open(subject, kind, kind, Mode::Create).fine())
}

fn one_storage_holds_all_five_logs(subject: &dyn Subject) -> Outcome {
    all(subject)?;
    let list = subject.list().fine()?;
    let found: Vec<_> = list.iter().map(|log| (log.name.as_str(), log.kind.name())).collect();
    same(found, KINDS.map(|kind| (kind, kind)).to_vec())?;
    KINDS.iter().try_for_each(|kind| is_whole(subject, kind))?;
    for (number, gone) in KINDS.iter().enumerate() {
        destroy(subject, gone).fine()?;
        KINDS[number + 1..].iter().try_for_each(|kind| is_whole(subject, kind))?;
        same(subject.list().fine()?.len(), KINDS.len() - number - 1)?;
    }
    same(subject.disk().file_names(), vec![])
}

fn no_log_opens_as_one_of_the_four_others(subject: &dyn Subject) -> Outcome {
    all(subject)?;
    for name in KINDS {
        for kind in KINDS.into_iter().filter(|kind| *kind != name) {
            for mode in [Mode::Open, Mode::OpenOrCreate, Mode::ReadOnly] {
                match open(subject, kind, name, mode) {
                    Err(Error::OtherKind(is)) => same(is.as_str(), name)?,
                    other => return Err(format!("{name} as {kind}, {mode:?}: {other:?}")),
                }
            }
        }
    }
    KINDS.iter().try_for_each(|kind| is_whole(subject, kind))
}

fn creating_one_log_and_destroying_another_cut_off_anywhere_leaves_the_rest(
    subject: &dyn Subject,
) -> Outcome {
    all(subject)?;
    for (number, gone) in KINDS.into_iter().enumerate() {
        let begun = KINDS[(number + 1) % KINDS.len()];
        for call in 1.. {
            let side = fork(subject);
            side.disk().plan_crash(CrashPlan { call, point: Point::Partway(call) });
            let done = destroy(&*side, gone).and_then(|()| open(&*side, begun, "new", Mode::Create));
            if !side.disk().has_crashed() {
                done.fine()?;
                break;
            }
            let after = crash(&*side, Crash::LOSE_ALL);
            for kind in KINDS.into_iter().filter(|kind| *kind != gone) {
                is_whole(&*after, kind).map_err(|what| format!("{gone}, {begun}, call {call}: {what}"))?;
            }
            // What was cut off is finished, and can be done again.
            match destroy(&*after, gone) {
                Ok(()) | Err(Error::NotFound) => {}
                Err(error) => return Err(format!("{gone}, call {call}: {error:?}")),
            }
            match open(&*after, begun, "new", Mode::Create) {
                Ok(()) | Err(Error::Exists) => {}
                Err(error) => return Err(format!("{begun}, call {call}: {error:?}")),
            }
        }
    }
    Ok(())
}
