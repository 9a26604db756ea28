//! An event log of which parts may be damaged.

use crate::campaign::trial;
use crate::event::model::Model;
use crate::event::subject::EventSubject;
use crate::model::show;
use crate::subject::{ALL, FrameInfo};
use annals_logs::error::Error;
use annals_logs::types::unpack;
use std::collections::BTreeMap;
use std::fmt::{Debug, Formatter};

/// What reading everything gave: the event, or none where it is damaged, for each id of which the log says something.
pub struct Seen {
    next: u64,
    events: BTreeMap<u64, Option<Vec<u8>>>,
}

impl Debug for Seen {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let show = |(id, event): (&u64, &Option<Vec<u8>>)| match event {
            Some(event) => format!("{id}: {}", show(event)),
            None => format!("{id}: damaged"),
        };
        write!(f, "next {}, {:?}", self.next, self.events.iter().map(show).collect::<Vec<_>>())
    }
}

impl trial::Seen<Model> for Seen {
    fn is_whole(&self) -> bool {
        self.events.values().all(Option::is_some)
    }

    fn fits(&self, model: &Model) -> bool {
        let right = |(id, event): (&u64, &Option<Vec<u8>>)| match event {
            Some(event) => model.get(*id).is_some_and(|right| **right == **event),
            None => true,
        };
        self.next == model.next()
            && self.events.iter().all(right)
            && model.events().keys().all(|id| self.events.contains_key(id))
    }

    fn lost_outside(&self, frame: Option<&FrameInfo>) -> Option<String> {
        let own = frame.map_or(0..0, |frame| frame.first..frame.first + u64::from(frame.count));
        let mut lost = self.events.iter().filter(|(_, event)| event.is_none());
        let other = lost.find(|(id, _)| !own.contains(id));
        other.map(|(id, _)| format!("event {id} (the frame has {own:?})"))
    }

    fn never_there(&self, states: &[Model]) -> Option<String> {
        let once = |id: u64, event: &[u8]| {
            states.iter().any(|state| state.get(id).is_some_and(|right| **right == *event))
        };
        let mut served = self.events.iter().filter_map(|(id, event)| Some((*id, event.as_deref()?)));
        served.find(|(id, event)| !once(*id, event)).map(|(id, _)| format!("event {id}"))
    }
}

/// Ids that are looked up one by one.
const MOST: u64 = 2000;

/// Reads everything, one by one and as a stream; both must serve the same.
pub(super) fn read(log: &dyn EventSubject) -> Result<Seen, String> {
    let say = |error: Error| format!("{error:?}");
    let next = log.next_event_id().map_err(say)?;
    let mut events = BTreeMap::new();
    for id in 0..next.min(MOST) {
        match log.get(id) {
            Ok(Some(event)) => drop(events.insert(id, Some(event))),
            Ok(None) => {}
            Err(Error::Damaged(_)) => drop(events.insert(id, None)),
            Err(error) => return Err(format!("event {id}: {error:?}")),
        }
    }
    let reader = log.iterate(0, None).map_err(say)?;
    let mut streamed = BTreeMap::new();
    let mut lost: Vec<(u64, u64)> = Vec::new();
    for _ in 0..1000 {
        match reader.next(ALL) {
            Ok(Some(items)) => {
                let items_of = items.ids.iter().zip(unpack(&items.ends, &items.bytes));
                streamed.extend(items_of.map(|(id, event)| (*id, event.to_vec())));
            }
            Ok(None) => break,
            Err(Error::Damaged(damage)) => {
                lost.push((damage.lowest.unwrap_or(0), damage.next.unwrap_or(u64::MAX)));
            }
            Err(error) => return Err(format!("iterate: {error:?}")),
        }
    }
    let seen = Seen { next, events };
    let served = seen.events.iter().filter_map(|(id, event)| Some((*id, event.clone()?)));
    if !streamed.iter().map(|(id, event)| (*id, event.clone())).eq(served) {
        let streamed: Vec<u64> = streamed.into_keys().collect();
        return Err(format!("an iteration serves {streamed:?}, gets serve {seen:?}"));
    }
    let named = |id: u64| lost.iter().any(|(lowest, next)| *lowest <= id && id < *next);
    if let Some((id, _)) = seen.events.iter().find(|(id, event)| event.is_none() && !named(**id)) {
        return Err(format!("an iteration passes over {id}, and names only {lost:?}: {seen:?}"));
    }
    Ok(seen)
}
