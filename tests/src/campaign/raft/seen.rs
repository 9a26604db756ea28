//! What a Raft log serves of which parts may be damaged.

use crate::campaign::trial::Seen as SeenBy;
use crate::raft::model::Model;
use crate::raft::{Entry, HardState, LogId, RaftSubject, unpack};
use crate::subject::{ALL, FrameInfo};
use annals_logs::error::Error;
use std::collections::BTreeMap;

/// An answer, or none where it was `damaged`.
type Told<T> = Option<T>;

/// Everything that a log answers.
pub struct Seen {
    last: u64,
    entries: BTreeMap<u64, Told<Option<Entry>>>,
    boundary: Told<Option<LogId>>,
    hard: Told<Option<HardState>>,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let one = |(index, told): (&u64, &Told<Option<Entry>>)| match told {
            None => format!("{index} damaged"),
            Some(None) => format!("{index} none"),
            Some(Some(entry)) => format!("{index} of term {}", entry.id.term),
        };
        let entries: Vec<String> = self.entries.iter().map(one).collect();
        let hard = self.hard.as_ref().map(|hard| hard.as_ref().map(|hard| (hard.term, hard.vote)));
        write!(
            f,
            "up to {}: {}; boundary {:?}; hard state {hard:?}",
            self.last,
            entries.join(", "),
            self.boundary
        )
    }
}

impl SeenBy<Model> for Seen {
    fn is_whole(&self) -> bool {
        self.boundary.is_some() && self.hard.is_some() && self.entries.values().all(Option::is_some)
    }

    fn fits(&self, model: &Model) -> bool {
        // Where the boundary is damaged, entries below it may still be there.
        let purged = |index: u64| self.boundary.is_none() && index < model.bounds().start;
        let right = |index: u64, told: &Told<Option<Entry>>| {
            told.as_ref().is_none_or(|entry| *entry == model.entry(index) || purged(index))
        };
        self.last == model.last_index()
            && self.boundary.is_none_or(|boundary| boundary == model.boundary())
            && self.hard.as_ref().is_none_or(|hard| hard.as_ref() == model.hard())
            && self.entries.iter().all(|(index, told)| right(*index, told))
    }

    fn lost_outside(&self, frame: Option<&FrameInfo>) -> Option<String> {
        // Frames with gaps tell how many entries they have, not how far those reach; and where a header is lost, nobody
        // knows whether the indexes before it were left out.
        let own = frame.map_or(0..0, |frame| match frame.kind {
            "put" => frame.first..u64::MAX,
            _ => frame.first.saturating_sub(3)..frame.first + u64::from(frame.count) + 8,
        });
        if self.boundary.is_none() || self.hard.is_none() {
            return Some("boundary or hard state".into());
        }
        let mut lost = self.entries.iter().filter(|(_, told)| told.is_none());
        let other = lost.find(|(index, _)| !own.contains(index));
        other.map(|(index, _)| format!("index {index} (the frame has {own:?})"))
    }

    fn never_there(&self, states: &[Model]) -> Option<String> {
        for (index, told) in &self.entries {
            let once = |entry: &Entry| states.iter().any(|state| state.entry(*index).as_ref() == Some(entry));
            if told.as_ref().and_then(Option::as_ref).is_some_and(|entry| !once(entry)) {
                return Some(format!("index {index}"));
            }
        }
        if self.boundary.is_some_and(|boundary| states.iter().all(|state| state.boundary() != boundary)) {
            return Some("the boundary".into());
        }
        let hard = self.hard.as_ref()?;
        states.iter().all(|state| state.hard() != hard.as_ref()).then(|| "the hard state".into())
    }
}

fn told<T>(answer: Result<T, Error>, what: &str) -> Result<Told<T>, String> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Damaged(_)) => Ok(None),
        Err(error) => Err(format!("{what}: {error:?}")),
    }
}

/// Reads everything, one by one and in ranges; both must serve the same.
pub(super) fn read(log: &dyn RaftSubject) -> Result<Seen, String> {
    let last = log.last_index().map_err(|error| format!("{error:?}"))?;
    let boundary = told(log.purge_boundary(), "purge-boundary")?;
    let hard = told(log.load_hard_state(), "load-hard-state")?;
    let mut entries = BTreeMap::new();
    for index in 0..=last.min(5000) {
        entries.insert(index, told(log.entry(index), "entry")?);
    }
    let mut served: Vec<Entry> = Vec::new();
    let mut first = 0;
    while first <= last {
        match log.get_entries(first, last, ALL) {
            Ok(some) if some.indexes.is_empty() => break,
            Ok(some) => {
                served.extend(unpack(&some));
                first = served.last().map_or(first, |entry| entry.id.index) + 1;
            }
            Err(Error::Damaged(damage)) => first = damage.next.unwrap_or(last + 1).max(first + 1),
            Err(error) => return Err(format!("get-entries: {error:?}")),
        }
    }
    let single: Vec<Entry> = entries.values().flatten().flatten().cloned().collect();
    let seen = Seen { last, entries, boundary, hard };
    if served != single {
        let served: Vec<LogId> = served.iter().map(|entry| entry.id).collect();
        return Err(format!("ranges serve {served:?}, single reads {seen:?}"));
    }
    Ok(seen)
}
