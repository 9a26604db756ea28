//! What cases about event logs share.

pub(super) use super::super::kit::{
    Fine, Outcome, crash, damage, ensure, find, fork, refused, same, same_answer,
};
pub(super) use crate::event::model::Model;
pub(super) use crate::event::subject::{
    EventReader, EventSubject, Options, Outcome as Appended, Policy, options,
};
use crate::model::Item;
pub(super) use crate::subject::{ALL, Subject};
use annals_logs::types::{Limits, Mode, unpack};
use std::collections::BTreeMap;
use std::panic::Location;

/// The log that most cases use.
pub(super) const LOG: &str = "events";

/// Event `id`: it names itself and can be found in a file.
pub(super) fn event(id: u64) -> Vec<u8> {
    format!("event-{id:08}-of-the-test").into_bytes()
}

/// The same of `len` bytes, none of them zero.
pub(super) fn long(id: u64, len: usize) -> Vec<u8> {
    let mut bytes = event(id);
    let mut rng = crate::rng::SplitMix64::new(id);
    while bytes.len() < len {
        bytes.extend(rng.draw().to_le_bytes().map(|byte| byte | 1));
    }
    bytes
}

/// A new log with small files, whose appends are handed over.
#[track_caller]
pub(super) fn create(subject: &dyn Subject) -> Result<Box<dyn EventSubject>, String> {
    open(subject, &options(Mode::Create))
}

/// The log that is there, for writing.
#[track_caller]
pub(super) fn reopen(subject: &dyn Subject) -> Result<Box<dyn EventSubject>, String> {
    open(subject, &options(Mode::Open))
}

/// The log that is there, for reading.
#[track_caller]
pub(super) fn reopen_read_only(subject: &dyn Subject) -> Result<Box<dyn EventSubject>, String> {
    open(subject, &options(Mode::ReadOnly))
}

/// Opens the log.
#[track_caller]
pub(super) fn open(subject: &dyn Subject, options: &Options) -> Result<Box<dyn EventSubject>, String> {
    subject.events().open(LOG, options).fine()
}

/// Options with this policy.
pub(super) fn with(policy: Policy, mode: Mode) -> Options {
    Options { policy, ..options(mode) }
}

/// Options for shared mode.
pub(super) fn shared(policy: Policy, mode: Mode) -> Options {
    Options { shared: true, ..with(policy, mode) }
}

/// Appends these events, one by one; all of them are new.
#[track_caller]
pub(super) fn append(log: &dyn EventSubject, ids: impl IntoIterator<Item = u64>) -> Outcome {
    let location = Location::caller();
    for id in ids {
        let outcome = log.append_with_id(id, &event(id)).fine()?;
        ensure!(outcome == Appended::Appended, "event {id} at {location}");
    }
    Ok(())
}

/// Appends events of `len` bytes, each as a batch.
#[track_caller]
pub(super) fn append_long(log: &dyn EventSubject, ids: impl IntoIterator<Item = u64>, len: usize) -> Outcome {
    for id in ids {
        same(log.append_batch_with_ids(id, &[&long(id, len)]).fine()?, Appended::Appended)?;
    }
    Ok(())
}

/// Appends a batch of events `first..end`.
#[track_caller]
pub(super) fn batch(
    log: &dyn EventSubject,
    first: u64,
    end: u64,
) -> Result<Appended, annals_logs::error::Error> {
    let events: Vec<Vec<u8>> = (first..end).map(event).collect();
    let slices: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
    log.append_batch_with_ids(first, &slices)
}

/// All that a reader streams.
pub(super) fn drain(reader: &dyn EventReader) -> Result<BTreeMap<u64, Item>, String> {
    let mut all = BTreeMap::new();
    while let Some(items) = reader.next(ALL).fine()? {
        ensure!(!items.ids.is_empty(), "no events, but no end");
        take(&mut all, &items)?;
    }
    Ok(all)
}

/// Adds items that must follow what is there.
pub(super) fn take(all: &mut BTreeMap<u64, Item>, items: &annals_logs::types::Items) -> Outcome {
    for (id, event) in items.ids.iter().zip(unpack(&items.ends, &items.bytes)) {
        ensure!(all.last_key_value().is_none_or(|(last, _)| last < id), "event {id} out of order");
        all.insert(*id, Item::from(event));
    }
    Ok(())
}

/// Everything in a log, by iteration, compared with its getters.
pub(super) fn contents(log: &dyn EventSubject) -> Result<BTreeMap<u64, Item>, String> {
    let all = drain(&*log.iterate(0, None).fine()?)?;
    same(log.oldest_event_id().fine()?, all.first_key_value().map(|(id, _)| *id))?;
    same(log.newest_event_id().fine()?, all.last_key_value().map(|(id, _)| *id))?;
    same(log.stats().fine()?.events, all.len() as u64)?;
    Ok(all)
}

/// The ids of everything in a log, each of which must hold its [`event`].
pub(super) fn ids(log: &dyn EventSubject) -> Result<Vec<u64>, String> {
    let all = contents(log)?;
    for (id, found) in &all {
        ensure!(**found == *event(*id) || found.starts_with(&event(*id)), "event {id} is something else");
    }
    Ok(all.into_keys().collect())
}

/// Fails the case unless the log holds just these events, whichever way it is read.
#[track_caller]
pub(super) fn holds(log: &dyn EventSubject, wanted: impl IntoIterator<Item = u64>) -> Outcome {
    let at = Location::caller();
    let wanted: Vec<u64> = wanted.into_iter().collect();
    holds_inner(log, &wanted).map_err(|what| format!("{}:{}: {what}", at.file(), at.line()))
}

fn holds_inner(log: &dyn EventSubject, wanted: &[u64]) -> Outcome {
    same(ids(log)?, wanted.to_vec())?;
    let highest = wanted.last().copied().unwrap_or(0);
    for id in (0..=highest + 1).take(500).chain(wanted.iter().copied().rev().take(50)) {
        let found = log.get(id).fine()?;
        ensure!(found.is_some() == wanted.contains(&id), "get {id}: {:?}", found.map(|found| found.len()));
        ensure!(found.is_none_or(|found| found.starts_with(&event(id))), "event {id} is something else");
    }
    // In small portions.
    let reader = log.iterate(0, None).fine()?;
    let mut all = BTreeMap::new();
    while let Some(items) = reader.next(Limits { count: 3, bytes: 200 }).fine()? {
        ensure!((1..=3).contains(&items.ids.len()), "{} events", items.ids.len());
        take(&mut all, &items)?;
    }
    same(all.into_keys().collect::<Vec<u64>>(), wanted.to_vec())
}

/// Fails the case unless the log holds just that now and after every kind of reopening.
#[track_caller]
pub(super) fn holds_for_good(
    subject: &dyn Subject,
    log: Box<dyn EventSubject>,
    wanted: impl IntoIterator<Item = u64>,
) -> Outcome {
    let wanted: Vec<u64> = wanted.into_iter().collect();
    let next = log.next_event_id().fine()?;
    holds(&*log, wanted.clone())?;
    log.sync().fine()?;
    let crashed = crash(&*fork(subject), crate::sim::Crash::LOSE_ALL);
    let again = reopen(&*crashed)?;
    holds(&*again, wanted.clone())?;
    same(again.next_event_id().fine()?, next)?;
    drop(again);
    log.close().fine()?;
    drop(log);
    for log in [reopen_read_only(subject)?, reopen(subject)?] {
        holds(&*log, wanted.clone())?;
        same(log.next_event_id().fine()?, next)?;
    }
    same(subject.verify(LOG).fine()?, vec![])
}
