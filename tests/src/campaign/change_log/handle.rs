//! Open instances of a change log, with scans under way, and how operations are done to them.

use super::op::{Answer, Op};
use super::state::{RECOVERER, Shape, State};
use super::{LOG, Trouble};
use crate::change_log::model::Key;
use crate::change_log::{
    Change, ChangeLogSubject, ChangeReaderSubject, InstanceInfo, Options, named, options,
};
use crate::subject::{ALL, Subject};
use annals_logs::error::{Damage, Error, Token};
use annals_logs::types::{Limits, Mode};
use std::collections::{BTreeMap, BTreeSet};

/// A scan under way, and what it has yet to show.
struct Stream {
    name: &'static str,
    /// Whether the instance is open whose scan this is.
    open: bool,
    reader: Box<dyn ChangeReaderSubject>,
    left: Vec<(Key, Change)>,
}

/// What an instance found that took over from all others.
struct TakenOver {
    infos: Vec<InstanceInfo>,
    /// What it was told of damage.
    damage: Vec<Damage>,
}

/// Most scans that are under way at a time.
const STREAMS: usize = 3;

/// Open instances.
pub struct Handle {
    // Dropped in this order.
    streams: Vec<Stream>,
    logs: BTreeMap<&'static str, Box<dyn ChangeLogSubject>>,
    /// Opened for reading only: all instances.
    view: Option<Box<dyn ChangeLogSubject>>,
    taken_over: Option<TakenOver>,
    /// Who may be fenced and has not heard of it.
    doubtful: BTreeSet<&'static str>,
    subject: Box<dyn Subject>,
    shape: Shape,
}

type Performed = Result<(Answer, Option<Token>), Trouble>;

impl Handle {
    fn new(subject: &dyn Subject, shape: Shape) -> Handle {
        Handle {
            streams: Vec::new(),
            logs: BTreeMap::new(),
            view: None,
            taken_over: None,
            doubtful: BTreeSet::new(),
            subject: subject.on(subject.disk().clone()),
            shape,
        }
    }

    /// All instances, for reading only.
    pub(super) fn looking(subject: &dyn Subject, expect: Option<Token>) -> Result<Handle, Error> {
        let mut handle = Handle::new(subject, <super::ChangeLog as super::Trial>::USUAL);
        let options = Options { expect, ..options(Mode::ReadOnly) };
        handle.view = Some(subject.open_change_log(LOG, &options)?);
        Ok(handle)
    }

    /// One instance, which opens the log or makes it.
    pub(super) fn joined(
        subject: &dyn Subject,
        shape: Shape,
        name: &'static str,
        options: &Options,
    ) -> Result<Handle, Error> {
        let mut handle = Handle::new(subject, shape);
        handle.logs.insert(name, subject.open_change_log(LOG, options)?);
        Ok(handle)
    }

    /// One instance, which takes over from all others.
    pub(super) fn taking_over(subject: &dyn Subject, expect: Option<Token>) -> Result<Handle, Error> {
        let mut handle = Handle::new(subject, <super::ChangeLog as super::Trial>::USUAL);
        let options = Options { expect, ..named(Mode::Open, RECOVERER) };
        let log = subject.open_change_log(LOG, &options)?;
        let damage = log.recover(0)?.into_iter().filter_map(|recovered| recovered.damaged).collect();
        handle.logs.insert(RECOVERER, log);
        let infos = subject.change_log_instances(LOG)?;
        handle.taken_over = Some(TakenOver { infos, damage });
        Ok(handle)
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// What everything is read from, and what is known of damage already.
    pub(super) fn whole(&self) -> Option<(&dyn ChangeLogSubject, &[Damage])> {
        match (&self.view, &self.taken_over) {
            (Some(view), _) => Some((&**view, &[])),
            (None, Some(taken_over)) => Some((&**self.logs.get(RECOVERER)?, &taken_over.damage)),
            (None, None) => None,
        }
    }

    /// Closes all of them. Those who were declared dead may hear of it now.
    pub(super) fn close(&mut self) -> Result<Option<Token>, Error> {
        let mut last = Ok(None);
        for (name, log) in &self.logs {
            match log.close() {
                Ok(token) => last = last.map(|_| Some(token)),
                Err(Error::Fenced) if self.doubtful.contains(name) => {}
                Err(error) => last = last.and(Err(error)),
            }
        }
        last
    }

    pub(super) fn names(&self, model: &State) -> Result<(), String> {
        let names: Vec<(&str, String)> =
            self.logs.iter().map(|(name, log)| (*name, log.instance())).collect();
        let right = names.iter().all(|(name, says)| name == says) && self.logs.keys().eq(model.open.keys());
        if right { Ok(()) } else { Err(format!("instances say that they are {names:?}")) }
    }

    pub(super) fn is_open(&self) -> Result<bool, Error> {
        let gone = |log: &dyn ChangeLogSubject| match log.scan(true) {
            Ok(_) => Ok(false),
            Err(Error::Closed | Error::Fenced) => Ok(true),
            Err(other) => Err(other),
        };
        for log in self.logs.values().chain(&self.view) {
            if !gone(&**log)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Everything that is outstanding. Who is open shows what its files say.
    pub(super) fn contents(&self) -> Result<State, String> {
        let say = |error: Error| format!("{error:?}");
        let now = self.subject.disk().now_ms();
        if let Some(TakenOver { infos, damage }) = &self.taken_over {
            if let Some(damage) = damage.first() {
                return Err(format!("Damaged: {damage:?}"));
            }
            let [InstanceInfo { instance, epoch, heartbeat_at_ms, .. }] = &infos[..] else {
                return Err(format!("after taking over there are {infos:?}"));
            };
            let log = self.logs.get(RECOVERER).ok_or("it has left")?;
            let id = (instance.clone(), *epoch);
            return Ok(State::found(id, *heartbeat_at_ms, now, scan(&**log, true).map_err(say)?));
        }
        if let Some(view) = &self.view {
            return Ok(State::found(("view".into(), 0), 0, now, scan(&**view, true).map_err(say)?));
        }
        let look = |instance: Option<&str>| {
            let instance = instance.map(String::from);
            let log = self.subject.open_change_log(LOG, &Options { instance, ..options(Mode::ReadOnly) })?;
            scan(&*log, true)
        };
        for (name, log) in self.logs.iter().filter(|(name, _)| !self.doubtful.contains(*name)) {
            match scan(&**log, true) {
                Err(Error::Closed | Error::Fenced) => {}
                shown => {
                    let (shown, files) = (shown.map_err(say)?, look(Some(name)).map_err(say)?);
                    if shown != files {
                        return Err(format!("{name} shows {shown:?}, its files have {files:?}"));
                    }
                }
            }
        }
        Ok(State::found(("view".into(), 0), 0, now, look(None).map_err(say)?))
    }

    pub(super) fn perform(&mut self, subject: &dyn Subject, model: &State, op: &Op) -> Performed {
        let answer = match op {
            Op::Clock(now) => {
                subject.disk().set_now_ms(*now);
                Answer::Right
            }
            Op::Next(limits) => self.next(model, *limits)?,
            Op::Instances => {
                let one = |i: InstanceInfo| (i.instance, i.epoch, i.state, i.heartbeat_at_ms);
                Answer::Instances(subject.change_log_instances(LOG)?.into_iter().map(one).collect())
            }
            Op::Join(name) => match subject.open_change_log(LOG, &self.shape.options(name, None)) {
                Ok(log) => {
                    self.logs.insert(name, log);
                    self.doubtful.remove(name);
                    Answer::Done
                }
                Err(Error::Locked) => Answer::Locked,
                Err(error) => return Err(error.into()),
            },
            Op::Leave(name)
            | Op::Die(name)
            | Op::Record(name, ..)
            | Op::Remove(name, _)
            | Op::Get(name, _)
            | Op::Scan(name, _)
            | Op::Begin(name, _)
            | Op::Beat(name)
            | Op::Recover(name, _)
            | Op::Discard(name, _) => return self.perform_as(name, model, op),
        };
        Ok((answer, None))
    }

    fn perform_as(&mut self, name: &'static str, model: &State, op: &Op) -> Performed {
        let Some(log) = self.logs.get(name) else { return Ok((Answer::Absent, None)) };
        let there = model.is_there(name);
        let outcome = match op {
            Op::Leave(_) => {
                let outcome = log.close();
                if let Ok(token) = outcome {
                    self.forget(name);
                    return Ok((Answer::Done, Some(token)));
                }
                outcome.map(|_| Answer::Done)
            }
            Op::Die(_) => {
                self.forget(name);
                Ok(Answer::Right)
            }
            Op::Record(_, id, change) => log.record(&[*id], change).map(|()| Answer::Done),
            Op::Remove(_, (origin, id)) => {
                // The own name may be left out.
                let origin = (origin != name || id[0].is_multiple_of(2)).then_some(origin.as_str());
                log.remove(origin, id).map(Answer::Was)
            }
            Op::Get(_, (origin, id)) => {
                let got = log.get(Some(origin), id)?;
                Ok(if there { Answer::Change(got) } else { Answer::Right })
            }
            Op::Scan(_, deferred) => {
                let found = scan(&**log, *deferred)?;
                Ok(if there { Answer::Changes(found) } else { Answer::Right })
            }
            Op::Begin(_, deferred) => {
                if there && self.streams.len() < STREAMS {
                    let (reader, left) = (log.scan(*deferred)?, model.shown(name, *deferred));
                    self.streams.push(Stream { name, open: true, reader, left });
                }
                Ok(Answer::Right)
            }
            Op::Beat(_) => log.heartbeat().map(|()| Answer::Done),
            Op::Recover(_, stale) => {
                let others = || self.logs.keys().copied().filter(|other| *other != name);
                let outcome = log.recover(*stale);
                match &outcome {
                    Ok(some) => {
                        if let Some(damage) = some.iter().find_map(|one| one.damaged.clone()) {
                            return Err(Error::Damaged(damage).into());
                        }
                        let taken = |other: &&str| some.iter().any(|one| one.instance == **other);
                        let fenced: Vec<_> = others().filter(taken).collect();
                        self.doubtful.extend(fenced);
                    }
                    Err(_) => {
                        let all: Vec<_> = others().collect();
                        self.doubtful.extend(all);
                    }
                }
                outcome.map(|some| Answer::TakenOver(some.into_iter().map(|one| one.instance).collect()))
            }
            Op::Discard(_, other) => log.discard(other).map(Answer::Was),
            Op::Join(_) | Op::Next(_) | Op::Instances | Op::Clock(_) => Ok(Answer::Right),
        };
        match outcome {
            Err(Error::Fenced) => {
                self.forget(name);
                Ok((Answer::Fenced, None))
            }
            outcome => Ok((outcome?, None)),
        }
    }

    /// This instance is not open any more.
    fn forget(&mut self, name: &'static str) {
        self.logs.remove(name);
        self.streams.iter_mut().filter(|stream| stream.name == name).for_each(|stream| stream.open = false);
    }

    /// Reads on in the scan that was begun first.
    fn next(&mut self, model: &State, limits: Limits) -> Result<Answer, Trouble> {
        let Some(stream) = self.streams.first_mut() else { return Ok(Answer::Right) };
        let gone = !stream.open || !model.is_there(stream.name);
        let answer = stream.reader.next(limits);
        let goes_on = match answer {
            Ok(Some(found)) => {
                let found: Vec<_> = found.into_iter().map(|o| ((o.origin, o.id), o.change)).collect();
                if found.is_empty() || !stream.left.starts_with(&found) {
                    return Err(Trouble::Wrong(format!(
                        "{} shows what was not there: {found:?}",
                        stream.name
                    )));
                }
                stream.left.drain(..found.len());
                true
            }
            Ok(None) if stream.left.is_empty() => false,
            Ok(None) => {
                return Err(Trouble::Wrong(format!("a scan ends {} changes early", stream.left.len())));
            }
            Err(Error::Closed | Error::Fenced) if gone => false,
            // Something that it was to show is gone.
            Err(Error::Pruned(_)) => {
                let now = model.shown(stream.name, true);
                if !gone && stream.left.iter().all(|change| now.contains(change)) {
                    return Err(Trouble::Wrong("pruned, but nothing is gone".into()));
                }
                false
            }
            Err(error) => return Err(error.into()),
        };
        if !goes_on {
            self.streams.remove(0);
        }
        Ok(Answer::Right)
    }
}

/// Everything that an instance shows.
fn scan(log: &dyn ChangeLogSubject, include_deferred: bool) -> Result<Vec<(Key, Change)>, Error> {
    let reader = log.scan(include_deferred)?;
    let mut found: Vec<(Key, Change)> = Vec::new();
    while let Some(some) = reader.next(ALL)? {
        found.extend(some.into_iter().map(|o| ((o.origin, o.id), o.change)));
    }
    Ok(found)
}
