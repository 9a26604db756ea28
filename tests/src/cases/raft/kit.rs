//! What cases about Raft logs share.

pub(super) use super::super::kit::{
    Fine, Outcome, crash, damage, ensure, find, fork, refused, same, same_answer,
};
pub(super) use crate::raft::model::Model;
pub(super) use crate::raft::{
    Entry, HardState, LogId, Options, RaftSubject, entry, gappy, options, pack, synced, unpack,
};
pub(super) use crate::subject::{ALL, Subject};
use annals_logs::types::{Limits, Mode};
use std::panic::Location;

/// The log that most cases use.
pub(super) const LOG: &str = "raft";

/// Entry `index` of this term: its payload names both.
pub(super) fn named(term: u64, index: u64) -> Entry {
    entry(term, index, format!("entry-{index:06}-of-term-{term:04}"))
}

/// Entries `start..end` of this term.
pub(super) fn entries(term: u64, start: u64, end: u64) -> Vec<Entry> {
    (start..end).map(|index| named(term, index)).collect()
}

/// Entry `index` of this term with a payload of `len` bytes, none of them zero.
pub(super) fn long(term: u64, index: u64, len: usize) -> Entry {
    let mut entry = named(term, index);
    let mut rng = crate::rng::SplitMix64::new(index << 8 | term);
    while entry.payload.len() < len {
        entry.payload.extend(rng.draw().to_le_bytes().map(|byte| byte | 1));
    }
    entry.payload.truncate(len);
    entry
}

/// Entries `start..end` of this term, so long that segments fill.
pub(super) fn longs(term: u64, start: u64, end: u64) -> Vec<Entry> {
    (start..end).map(|index| long(term, index, LONG)).collect()
}

/// Bytes of such an entry: about ten fit into a segment.
pub(super) const LONG: usize = 6000;

/// Persists each of these on its own.
#[track_caller]
pub(super) fn one_by_one(log: &dyn RaftSubject, entries: &[Entry]) -> Outcome {
    entries.iter().try_for_each(|entry| log.persist(std::slice::from_ref(entry)).fine())
}

/// A hard state.
pub(super) fn hard(term: u64, vote: u64) -> HardState {
    HardState { term, vote: Some(vote), extra: format!("extra-of-{term}").into_bytes() }
}

/// An entry's name.
pub(super) fn id(term: u64, index: u64) -> LogId {
    LogId { term, index }
}

/// A new log with small segments that refuses gaps and syncs only when told to.
#[track_caller]
pub(super) fn create(subject: &dyn Subject) -> Result<Box<dyn RaftSubject>, String> {
    subject.open_raft(LOG, &options(Mode::Create)).fine()
}

/// A new log that holds entries 1 to 20 of term 1.
#[track_caller]
pub(super) fn twenty(subject: &dyn Subject) -> Result<Box<dyn RaftSubject>, String> {
    let log = create(subject)?;
    log.persist(&entries(1, 1, 21)).fine()?;
    Ok(log)
}

/// The log that is there, for writing.
#[track_caller]
pub(super) fn reopen(subject: &dyn Subject) -> Result<Box<dyn RaftSubject>, String> {
    subject.open_raft(LOG, &options(Mode::Open)).fine()
}

/// The log that is there, for reading.
#[track_caller]
pub(super) fn reopen_read_only(subject: &dyn Subject) -> Result<Box<dyn RaftSubject>, String> {
    subject.open_raft(LOG, &options(Mode::ReadOnly)).fine()
}

/// Everything that a log says of itself.
pub(crate) fn contents(log: &dyn RaftSubject) -> Result<Model, String> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let first = all.last().map_or(0, |entry| entry.id.index + 1);
        let some = log.get_entries(first, u64::MAX, ALL).fine()?;
        if some.indexes.is_empty() {
            break;
        }
        all.extend(unpack(&some));
    }
    let model = Model::saying(&all, log.purge_boundary().fine()?, log.load_hard_state().fine()?);
    same(log.last_index().fine()?, model.last_index())?;
    same(log.first_index().fine()?, model.first_index())?;
    Ok(model)
}

/// Fails the case unless the log holds just that, whichever way it is read.
#[track_caller]
pub(super) fn holds(log: &dyn RaftSubject, model: &Model) -> Outcome {
    let at = Location::caller();
    holds_inner(log, model).map_err(|what| format!("{}:{}: {what}", at.file(), at.line()))
}

fn holds_inner(log: &dyn RaftSubject, model: &Model) -> Outcome {
    let got = contents(log)?;
    if &got != model {
        let different = got.all().into_iter().zip(model.all()).find(|(got, wanted)| got != wanted);
        let short = different.map(|(got, wanted)| (got.id, wanted.id));
        return Err(format!("it holds {got:?}, not {model:?}; first difference {short:?}"));
    }
    let (first, last) = (model.first_index().unwrap_or(0), model.last_index());
    for index in [0, 1, first.saturating_sub(1), first, (first + last) / 2, last, last + 1, u64::MAX] {
        same(log.entry(index).fine()?, model.entry(index))?;
        same(log.term_of(index).fine()?, model.term_of(index))?;
    }
    for limits in [Limits { count: 3, bytes: u32::MAX }, Limits { count: 100, bytes: 100 }] {
        for (from, to) in [(first, last), (first + 1, last.saturating_sub(1)), (last, first), (0, u64::MAX)] {
            same(log.get_entries(from, to, limits).fine()?, model.get_entries(from, to, limits))?;
        }
    }
    Ok(())
}

/// Fails unless the log holds just that now and after every kind of reopening.
#[track_caller]
pub(super) fn holds_for_good(subject: &dyn Subject, log: Box<dyn RaftSubject>, model: &Model) -> Outcome {
    holds(&*log, model)?;
    log.sync().fine()?;
    let crashed = fork(subject);
    holds(&*reopen(&*crash(&*crashed, crate::sim::Crash::LOSE_ALL))?, model)?;
    log.close().fine()?;
    drop(log);
    holds(&*reopen_read_only(subject)?, model)?;
    holds(&*reopen(subject)?, model)
}

/// Frames in all files, by kind, in the order in which they were written.
pub(super) fn kinds(subject: &dyn Subject) -> Result<Vec<String>, String> {
    let mut kinds = Vec::new();
    for file in subject.disk().file_names() {
        kinds.extend(subject.frames(&file).fine()?.into_iter().map(|frame| frame.kind.to_string()));
    }
    Ok(kinds)
}
