//! A naive event log: a map from id to event, and a list of deleted ranges. It knows the exact answer to every call.
//! `wit/event-log.wit` and DESIGN.md §3 are its specification.

use super::subject::{Outcome, Stats};
use crate::campaign::trial::id_of;
use crate::model::{Item, MAX_BATCH, MAX_COUNT, MAX_ITEM, show};
use annals_logs::error::{Bounds, Error, Limit, Result};
use annals_logs::types::{Items, Limits, unpack};
use std::collections::{BTreeMap, BTreeSet};

/// An event log's contents.
#[derive(Clone, Default)]
pub struct Model {
    events: BTreeMap<u64, Item>,
    next: u64,
    /// Deleted ranges, both ends inclusive, ascending and apart; none if they are not known.
    deleted: Option<Vec<(u64, u64)>>,
}

impl PartialEq for Model {
    /// Deleted ranges that are not known may be any.
    fn eq(&self, other: &Self) -> bool {
        let same = |(left, right)| left == right;
        (&self.events, self.next) == (&other.events, other.next)
            && self.deleted.as_ref().zip(other.deleted.as_ref()).is_none_or(same)
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: BTreeSet<u64> = self.events.keys().copied().collect();
        write!(f, "{} events {ids:?}, next {}, deleted {:?}", ids.len(), self.next, self.deleted)
    }
}

/// An iteration: what is left of it, and how much had been deleted when it began.
#[derive(Clone, Debug)]
pub struct Iteration {
    left: BTreeMap<u64, Item>,
    next: u64,
    end: u64,
    deleted: Vec<(u64, u64)>,
    over: bool,
}

impl Model {
    /// One that holds these events.
    pub fn holding(events: impl IntoIterator<Item = (u64, Item)>) -> Self {
        let events: BTreeMap<u64, Item> = events.into_iter().collect();
        let next = events.last_key_value().map_or(0, |(id, _)| id + 1);
        Self { events, next, deleted: Some(Vec::new()) }
    }

    /// One that was read: with this next id, and these deleted ranges if they are known.
    pub fn saying(events: BTreeMap<u64, Item>, next: u64, deleted: Option<Vec<(u64, u64)>>) -> Self {
        Self { events, next, deleted }
    }

    /// A new log's.
    pub fn new() -> Self {
        Self::holding([])
    }

    /// A number that tells it from others, deleted ranges included.
    pub fn id(&self) -> u64 {
        id_of((&self.events, self.next, &self.deleted))
    }

    /// The next id.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Lowest id.
    pub fn oldest(&self) -> Option<u64> {
        self.events.first_key_value().map(|(id, _)| *id)
    }

    /// Highest id.
    pub fn newest(&self) -> Option<u64> {
        self.events.last_key_value().map(|(id, _)| *id)
    }

    /// The event with this id.
    pub fn get(&self, id: u64) -> Option<&Item> {
        self.events.get(&id)
    }

    /// All events, by id.
    pub fn events(&self) -> &BTreeMap<u64, Item> {
        &self.events
    }

    /// Numbers of the log; not of its files.
    pub fn same_stats(&self, stats: &Stats) -> bool {
        (stats.events, stats.oldest, stats.newest) == (self.events.len() as u64, self.oldest(), self.newest())
    }

    fn ranges(&self) -> &[(u64, u64)] {
        self.deleted.as_deref().unwrap_or(&[])
    }

    /// The deleted range around this id.
    fn deleted_around(&self, id: u64) -> Option<Bounds> {
        let around = self.ranges().iter().find(|(first, last)| (*first..=*last).contains(&id));
        around.map(|(first, last)| Bounds { start: *first, end: last + 1 })
    }

    /// Whether all of this range was deleted before, or is not there yet: then deleting it does nothing.
    pub fn nothing_to_delete(&self, first: u64, last: u64) -> bool {
        let last = last.min(self.next.saturating_sub(1));
        first > last
            || first >= self.next
            || self.ranges().iter().any(|(start, end)| *start <= first && last <= *end)
    }

    /// Appends one event.
    pub fn append(&mut self, id: u64, event: &[u8]) -> Result<Outcome> {
        self.append_batch(id, &[event])
    }

    /// Appends a batch.
    pub fn append_batch(&mut self, first: u64, events: &[&[u8]]) -> Result<Outcome> {
        if events.is_empty() {
            return Err(Error::InvalidArgument("events: empty".into()));
        }
        check_max(Limit::BatchCount, MAX_COUNT, events.len() as u64)?;
        events.iter().try_for_each(|event| check_max(Limit::ItemSize, MAX_ITEM, event.len() as u64))?;
        check_max(Limit::BatchSize, MAX_BATCH, events.iter().map(|event| event.len() as u64).sum())?;
        if first.checked_add(events.len() as u64).is_none() {
            return Err(Error::InvalidArgument("id".into()));
        }
        let mut fresh = Vec::new();
        for (id, event) in (first..).zip(events) {
            if let Some(range) = self.deleted_around(id) {
                return Err(Error::Deleted(range));
            }
            match self.events.get(&id) {
                Some(there) if **there == **event => {}
                Some(_) => return Err(Error::Conflict(id)),
                None => fresh.push((id, Item::from(*event))),
            }
        }
        if fresh.is_empty() {
            return Ok(Outcome::Duplicate);
        }
        self.next = self.next.max(first + events.len() as u64);
        self.events.extend(fresh);
        Ok(Outcome::Appended)
    }

    /// Deletes a range, both ends inclusive.
    pub fn delete_range(&mut self, first: u64, last: u64) -> u64 {
        if first > last || first >= self.next {
            return 0;
        }
        let last = last.min(self.next - 1);
        let gone: Vec<u64> = self.events.range(first..=last).map(|(id, _)| *id).collect();
        gone.iter().for_each(|id| drop(self.events.remove(id)));
        let ranges = self.deleted.get_or_insert_default();
        let (mut first, mut last) = (first, last);
        ranges.retain(|(start, end)| {
            let meet = *start <= last + 1 && first <= end + 1;
            if meet {
                (first, last) = (first.min(*start), last.max(*end));
            }
            !meet
        });
        ranges.push((first, last));
        ranges.sort_unstable();
        gone.len() as u64
    }

    /// Begins an iteration.
    pub fn iterate(&self, start: u64, end: Option<u64>) -> Iteration {
        let end = end.unwrap_or(self.next).min(self.next);
        let left = if start < end { self.events.range(start..end) } else { self.events.range(0..0) };
        let left = left.map(|(id, event)| (*id, event.clone())).collect();
        let deleted = self.ranges().to_vec();
        Iteration { left, next: start, end, deleted, over: start >= end }
    }

    /// The lowest id from where the iteration stands on that was deleted since it began.
    fn deleted_since(&self, iteration: &Iteration) -> Option<u64> {
        let was = |id: u64| iteration.deleted.iter().any(|(first, last)| (*first..=*last).contains(&id));
        let is = self
            .ranges()
            .iter()
            .flat_map(|(first, last)| (*first).max(iteration.next)..(*last + 1).min(iteration.end));
        is.into_iter().find(|id| !was(*id))
    }

    /// Checks an answer of an iteration with these limits.
    pub fn check_next(
        &self,
        iteration: &mut Iteration,
        limits: Limits,
        answer: &Result<Option<Items>>,
    ) -> std::result::Result<(), String> {
        let stop = self.deleted_since(iteration);
        let visible: Vec<(u64, Item)> = iteration
            .left
            .iter()
            .take_while(|(id, _)| stop.is_none_or(|stop| **id < stop))
            .map(|(id, event)| (*id, event.clone()))
            .collect();
        if iteration.over || visible.is_empty() {
            let wanted = match stop.filter(|_| !iteration.over) {
                Some(stop) => Err(Error::Deleted(self.deleted_around(stop).ok_or("not deleted")?)),
                None => Ok(None),
            };
            iteration.over = true;
            let ids = answer.as_ref().map(|items| items.as_ref().map(|items| &items.ids));
            return if *answer == wanted { Ok(()) } else { Err(format!("got {ids:?}, wanted {wanted:?}")) };
        }
        let Ok(Some(items)) = answer else {
            return Err(format!("got {answer:?}, wanted events from {} on", visible[0].0));
        };
        let n = check_items(items, &visible, limits)?;
        iteration.next = visible[n - 1].0 + 1;
        iteration.left = iteration.left.split_off(&iteration.next);
        Ok(())
    }
}

/// Checks that these items are the first of those, as many as the limits allow, at least one; returns how many.
pub fn check_items(
    items: &Items,
    wanted: &[(u64, Item)],
    limits: Limits,
) -> std::result::Result<usize, String> {
    let n = items.ids.len();
    let most = limits.count.max(1) as usize;
    if n == 0 || n > most || n > wanted.len() || items.ends.len() != n {
        return Err(format!("{n} events, allowed are 1 to {}", most.min(wanted.len())));
    }
    let last = items.ends.last().copied().unwrap_or(0);
    if last as usize != items.bytes.len() || !items.ends.is_sorted() {
        return Err(format!("ends do not fit: {last} of {}", items.bytes.len()));
    }
    if n > 1 && last > limits.bytes {
        return Err(format!("{last} bytes, allowed are {}", limits.bytes));
    }
    let got = items.ids.iter().zip(unpack(&items.ends, &items.bytes));
    for ((id, event), (wanted_id, wanted)) in got.zip(wanted) {
        if id != wanted_id || *event != **wanted {
            let (got, wanted) = (show(event), show(wanted));
            return Err(format!("event {id}: {got}, wanted {wanted_id}: {wanted}"));
        }
    }
    Ok(n)
}

fn check_max(what: Limit, allowed: u64, got: u64) -> Result<()> {
    if got > allowed { Err(Error::TooLarge { what, allowed, got }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deleted_ranges_that_meet_are_one() {
        let mut model = Model::holding((0..20).map(|id| (id, Item::from([id as u8].as_slice()))));
        assert_eq!(model.delete_range(3, 4), 2);
        assert_eq!(model.delete_range(7, 8), 2);
        assert_eq!(model.delete_range(5, 6), 2);
        assert_eq!(model.delete_range(4, 3), 0);
        assert_eq!(model.delete_range(18, 100), 2);
        assert_eq!(model.append(5, b"x"), Err(Error::Deleted(Bounds { start: 3, end: 9 })));
        assert_eq!(model.append(20, b"x"), Ok(Outcome::Appended));
        assert_eq!((model.next(), model.oldest(), model.newest()), (21, Some(0), Some(20)));
    }

    #[test]
    fn the_lowest_id_that_is_refused_decides() {
        let mut model = Model::holding((0..10).map(|id| (id, Item::from(b"x".as_slice()))));
        model.delete_range(4, 5);
        assert_eq!(model.append_batch(2, &[b"x", b"y", b"x"]), Err(Error::Conflict(3)));
        assert_eq!(
            model.append_batch(3, &[b"x", b"x", b"x", b"y"]),
            Err(Error::Deleted(Bounds { start: 4, end: 6 }))
        );
        assert_eq!(model.append_batch(8, &[b"x", b"x", b"x"]), Ok(Outcome::Appended));
        assert_eq!(model.append_batch(8, &[b"x", b"x", b"x"]), Ok(Outcome::Duplicate));
    }
}
