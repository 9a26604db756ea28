//! What cases about change logs share.

pub(super) use super::super::kit::{Fine, Outcome, crash, damage, ensure, find, fork, refused, same};
pub(super) use super::super::{Case, case};
pub(super) use crate::change_log::{
    Change, ChangeLogSubject, InstanceState, Options, Outstanding, Recovered, named, options,
};
pub(super) use crate::sim::{Call, Crash, Fault, Point, SimDisk};
pub(super) use crate::subject::{ALL, Subject};
pub(super) use annals_logs::error::Error;
pub(super) use annals_logs::types::{Limits, Mode};
use std::panic::Location;
use std::rc::Rc;

/// The log that all cases use.
pub(super) const LOG: &str = "changes";
/// After this long without a heartbeat an instance is taken for dead, in most cases.
pub(super) const STALE: u64 = 60_000;

/// An open instance, which a step in between may keep.
pub(super) type Log = Rc<dyn ChangeLogSubject>;

/// Something that an instance does.
pub(super) type Step = fn(&Log) -> Result<(), Error>;

/// Opens the log as an instance of this name; it is made if it is not there.
#[track_caller]
pub(super) fn open(subject: &dyn Subject, instance: &str) -> Result<Log, String> {
    open_with(subject, named(Mode::OpenOrCreate, instance))
}

/// Opens the log like this.
#[track_caller]
pub(super) fn open_with(subject: &dyn Subject, options: Options) -> Result<Log, String> {
    subject.open_change_log(LOG, &options).map(Rc::from).fine()
}

/// Looks at all instances.
#[track_caller]
pub(super) fn look(subject: &dyn Subject) -> Result<Log, String> {
    open_with(subject, options(Mode::ReadOnly))
}

/// A change without a deadline.
pub(super) fn change(payload: &str) -> Change {
    Change { payload: payload.into(), cleanup_after_ms: None }
}

/// A change with `len` bytes of payload, none of them zero.
pub(super) fn large(number: u64, len: usize) -> Change {
    let mut payload = format!("large-{number:06}-").into_bytes();
    let mut rng = crate::rng::SplitMix64::new(number);
    while payload.len() < len {
        payload.extend(rng.draw().to_le_bytes().map(|byte| byte | 1));
    }
    payload.truncate(len);
    Change { payload, cleanup_after_ms: None }
}

/// Records changes with these ids, whose payloads name origin and id.
#[track_caller]
pub(super) fn record(log: &Log, ids: &[&str]) -> Outcome {
    let instance = log.instance();
    ids.iter().try_for_each(|id| log.record(id.as_bytes(), &change(&format!("{instance}/{id}"))).fine())
}

/// The clock goes on.
pub(super) fn pass(subject: &dyn Subject, ms: u64) {
    subject.disk().set_now_ms(subject.disk().now_ms() + ms);
}

/// The clock goes on until whoever does not beat is taken for dead.
pub(super) fn pause(subject: &dyn Subject) {
    pass(subject, STALE);
}

/// Everything that is outstanding, deferred changes too; read by scan, and compared with what get says.
#[track_caller]
pub(super) fn contents(log: &Log) -> Result<Vec<Outstanding>, String> {
    let at = Location::caller();
    let found = scan(log, true).map_err(|what| format!("{at}: {what}"))?;
    for Outstanding { origin, id, change } in &found {
        let got = log.get(Some(origin), id).fine()?;
        if got.as_ref() != Some(change) {
            return Err(format!("{at}: {origin}/{id:?} is {change:?} in a scan, get says {got:?}"));
        }
    }
    Ok(found)
}

/// What a scan shows.
#[track_caller]
pub(super) fn scan(log: &Log, include_deferred: bool) -> Result<Vec<Outstanding>, String> {
    let reader = log.scan(include_deferred).fine()?;
    let mut found = Vec::new();
    while let Some(some) = reader.next(ALL).fine()? {
        ensure!(!some.is_empty(), "an empty piece");
        found.extend(some);
    }
    let key = |o: &Outstanding| (o.origin.clone(), o.id.clone());
    ensure!(found.is_sorted_by_key(key), "{found:?}");
    ensure!(found.windows(2).all(|two| key(&two[0]) != key(&two[1])), "shown twice: {found:?}");
    Ok(found)
}

/// `origin/id` of all of these.
pub(super) fn keys(found: &[Outstanding]) -> Vec<String> {
    found.iter().map(|o| format!("{}/{}", o.origin, String::from_utf8_lossy(&o.id))).collect()
}

/// Fails the case unless just these changes, `origin/id`, are outstanding here, with payloads that say so.
#[track_caller]
pub(super) fn holds(log: &Log, wanted: &[&str]) -> Outcome {
    let at = Location::caller();
    let found = contents(log)?;
    if keys(&found) != wanted {
        return Err(format!("{at}: it holds {:?}, not {wanted:?}", keys(&found)));
    }
    for (found, wanted) in found.iter().zip(wanted) {
        if found.change.payload != wanted.as_bytes() {
            return Err(format!("{at}: {wanted} is {:?}", found.change));
        }
    }
    Ok(())
}

/// Names of all instances that have a cell, each with its state.
pub(super) fn instances(subject: &dyn Subject) -> Result<Vec<(String, InstanceState)>, String> {
    let infos = subject.change_log_instances(LOG).fine()?;
    Ok(infos.into_iter().map(|info| (info.instance, info.state)).collect())
}

/// Names and numbers of changes of what was recovered; damage fails the case.
pub(super) fn sound(recovered: Vec<Recovered>) -> Result<Vec<(String, u64)>, String> {
    let mut sound = Vec::new();
    for Recovered { instance, changes, damaged } in recovered {
        ensure!(damaged.is_none(), "{instance}: {damaged:?}");
        sound.push((instance, changes));
    }
    Ok(sound)
}

/// Whoever makes the `call`th call from now on dies there, after so much of it: nothing of what it does later happens.
pub(super) fn die_at(disk: &SimDisk, call: u64, point: Point) {
    disk.inject(Fault::at(call).when(point));
    disk.inject(Fault::at(call).forever());
}

/// It has died; the others live on. True if it got so far that it did.
pub(super) fn died(disk: &SimDisk) -> bool {
    disk.clear_faults() == 1
}

/// All ways in which a call may end for who dies in it.
pub(super) const POINTS: [Point; 4] = [Point::Before, Point::Partway(1), Point::Partway(4), Point::After];

/// Everybody dies, power is lost, and nothing is left but what was synced.
pub(super) fn power_loss(subject: &dyn Subject) -> Box<dyn Subject> {
    crash(subject, Crash::LOSE_ALL)
}
