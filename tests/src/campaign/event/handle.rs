//! An open event log, or several handles of it, with its streams and its ticket, and how operations are done to it.

use super::Trouble;
use super::op::{Answer, Op};
use crate::event::model::{Iteration, Model};
use crate::event::subject::{EventReader, EventSubject};
use crate::model::Item;
use crate::subject::{ALL, TicketSubject};
use annals_logs::error::{Error, Token};
use annals_logs::types::unpack;
use std::collections::BTreeMap;

/// An open log.
pub struct Handle {
    // Dropped in this order.
    streams: Vec<(Box<dyn EventReader>, Iteration)>,
    ticket: Option<Box<dyn TicketSubject>>,
    logs: Vec<Box<dyn EventSubject>>,
    /// Whose turn it is.
    turn: usize,
}

type Performed = Result<(Answer, Option<Token>), Trouble>;

impl Handle {
    pub(super) fn new(logs: Vec<Box<dyn EventSubject>>) -> Self {
        Self { streams: Vec::new(), ticket: None, logs, turn: 0 }
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn logs(&self) -> impl Iterator<Item = &dyn EventSubject> {
        self.logs.iter().map(|log| &**log)
    }

    pub(super) fn log(&self) -> &dyn EventSubject {
        &*self.logs[self.turn % self.logs.len()]
    }

    /// Closes one handle after the other.
    pub(super) fn close(&mut self) -> Result<Token, Error> {
        let tokens: Vec<_> = self.logs.iter().map(|log| log.close()).collect();
        tokens.into_iter().reduce(Result::and).unwrap_or(Err(Error::Closed))
    }

    pub(super) fn perform(&mut self, model: &Model, op: &Op) -> Performed {
        self.turn += 1;
        let outcome = self.do_it(model, op);
        // Who fails is gone, and so is everybody else: what a crash of one leaves to the others is for cases.
        if outcome.is_err() && self.log().next_event_id() == Err(Error::Closed) {
            self.streams.clear();
            self.ticket = None;
            let failed = self.logs.swap_remove(self.turn % self.logs.len());
            self.logs = vec![failed];
        }
        outcome
    }

    fn do_it(&mut self, model: &Model, op: &Op) -> Performed {
        let log = &*self.logs[self.turn % self.logs.len()];
        let answer = match op {
            Op::Append(id, event) => Answer::Outcome(log.append_with_id(*id, event)?),
            Op::Batch(first, events) => {
                let events: Vec<&[u8]> = events.iter().map(|event| &**event).collect();
                Answer::Outcome(append_batch(log, *first, &events)?)
            }
            Op::Get(id) => Answer::Event(log.get(*id)?),
            Op::Iterate(start, end) => {
                self.streams.push((log.iterate(*start, *end)?, model.iterate(*start, *end)));
                Answer::Right
            }
            Op::Next(stream, limits) => {
                if let Some((reader, iteration)) = self.streams.get_mut(*stream) {
                    match reader.next(*limits) {
                        Err(error @ (Error::Storage(_) | Error::Closed | Error::Damaged(_))) => {
                            return Err(error.into());
                        }
                        answer => model.check_next(iteration, *limits, &answer)?,
                    }
                }
                Answer::Right
            }
            Op::Delete(first, last) => Answer::Count(log.delete_range(*first, *last)?),
            Op::Rotate => match log.rotate() {
                Ok(_) | Err(Error::InvalidArgument(_)) => Answer::Right,
                Err(error) => return Err(error.into()),
            },
            Op::Stats => {
                let stats = log.stats()?;
                if !model.same_stats(&stats) {
                    return Err(Trouble::Wrong(format!("{stats:?} of {model:?}")));
                }
                Answer::Right
            }
            Op::Flush => {
                log.flush()?;
                Answer::Right
            }
            Op::Sync => return Ok((Answer::Right, Some(log.sync()?))),
            Op::BeginSync => {
                self.ticket = Some(log.begin_sync()?);
                Answer::Right
            }
            Op::WaitSync => {
                let token = self.ticket.take().map(|ticket| ticket.wait()).transpose()?;
                return Ok((Answer::Right, token));
            }
        };
        Ok((answer, None))
    }
}

/// Both forms of a batch, by turns.
fn append_batch(
    log: &dyn EventSubject,
    first: u64,
    events: &[&[u8]],
) -> Result<crate::event::subject::Outcome, Error> {
    if events.len().is_multiple_of(2) {
        return log.append_batch_with_ids(first, events);
    }
    let mut ends = Vec::new();
    let mut bytes = Vec::new();
    for event in events {
        bytes.extend_from_slice(event);
        ends.push(bytes.len() as u32);
    }
    log.append_packed_with_ids(first, &ends, &bytes)
}

/// Everything that a log holds. What was deleted is found out without changing anything, where it can be.
pub(super) fn contents(log: &dyn EventSubject) -> Result<Model, String> {
    let say = |error: Error| format!("{error:?}");
    let next = log.next_event_id().map_err(say)?;
    let reader = log.iterate(0, None).map_err(say)?;
    let mut events: BTreeMap<u64, Item> = BTreeMap::new();
    while let Some(items) = reader.next(ALL).map_err(say)? {
        for (id, event) in items.ids.iter().zip(unpack(&items.ends, &items.bytes)) {
            if events.last_key_value().is_some_and(|(last, _)| last >= id) || *id >= next {
                return Err(format!("event {id} out of order"));
            }
            events.insert(*id, event.into());
        }
    }
    let deleted = deleted(log, &events, next)?;
    Ok(Model::saying(events, next, deleted))
}

/// The deleted ranges: a batch that reaches from an id to an event with other bytes is refused either way, with
/// `deleted` of the lowest such id, or else with `conflict`. None for a log that takes no appends, or that ends with a
/// gap.
fn deleted(
    log: &dyn EventSubject,
    events: &BTreeMap<u64, Item>,
    next: u64,
) -> Result<Option<Vec<(u64, u64)>>, String> {
    if events.last_key_value().map_or(0, |(id, _)| id + 1) != next {
        return Ok(None);
    }
    let (mut ranges, mut from) = (Vec::new(), 0);
    for (id, event) in events {
        while from < *id {
            let other = [&event[..], b"other"].concat();
            let probe: Vec<&[u8]> = (from..*id).map(|_| &b"probe"[..]).chain([&other[..]]).collect();
            match log.append_batch_with_ids(from, &probe) {
                Err(Error::Deleted(range)) => {
                    ranges.push((range.start, range.end - 1));
                    from = range.end;
                }
                Err(Error::Conflict(at)) if at == *id => break,
                Err(Error::ReadOnly) => return Ok(None),
                answer => return Err(format!("a batch from {from} over {id} answers {answer:?}")),
            }
        }
        from = id + 1;
    }
    Ok(Some(ranges))
}
