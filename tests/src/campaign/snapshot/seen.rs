//! What a snapshot serves of which parts may be damaged.

use super::op::{KEYS, key};
use crate::campaign::trial::Seen as SeenBy;
use crate::model::snapshot::{Fold, Held};
use crate::subject::FrameInfo;
use crate::subject::snapshot::SnapshotSubject;
use annals_logs::error::Error;
use annals_logs::types::Limits;
use std::collections::BTreeMap;

/// An answer, or none where it was `damaged`.
type Told<T> = Option<T>;

/// Everything that a snapshot answers.
pub struct Seen {
    entries: BTreeMap<Vec<u8>, Told<Option<Held>>>,
    cursor: Told<Vec<u8>>,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cursor = self.cursor.as_ref().map(|cursor| String::from_utf8_lossy(cursor).into_owned());
        write!(f, "at {cursor:?}:")?;
        self.entries.iter().try_for_each(|(key, told)| {
            let key = String::from_utf8_lossy(key);
            match told {
                None => write!(f, " {key} damaged"),
                Some(None) => Ok(()),
                Some(Some((value, version))) => {
                    write!(f, " {key}={} bytes@{}", value.len(), String::from_utf8_lossy(version))
                }
            }
        })
    }
}

impl SeenBy<Fold> for Seen {
    fn is_whole(&self) -> bool {
        self.cursor.is_some() && self.entries.values().all(Option::is_some)
    }

    fn fits(&self, model: &Fold) -> bool {
        self.cursor.as_ref().is_none_or(|cursor| *cursor == model.cursor)
            && (self.entries.iter())
                .all(|(key, told)| told.as_ref().is_none_or(|held| held.as_ref() == model.entries.get(key)))
    }

    fn lost_outside(&self, frame: Option<&FrameInfo>) -> Option<String> {
        // A batch that is lost may have changed any key; no other frame costs one.
        if frame.is_some_and(|frame| frame.kind == "append") {
            return None;
        }
        let mut lost = self.entries.iter().filter(|(_, told)| told.is_none());
        let key = lost.next().map(|(key, _)| format!("key {}", String::from_utf8_lossy(key)));
        key.or_else(|| self.cursor.is_none().then(|| "the cursor".into()))
    }

    fn never_there(&self, states: &[Fold]) -> Option<String> {
        for (key, told) in &self.entries {
            let once = |held: &Held| states.iter().any(|state| state.entries.get(key) == Some(held));
            if told.as_ref().and_then(Option::as_ref).is_some_and(|held| !once(held)) {
                return Some(format!("key {}", String::from_utf8_lossy(key)));
            }
        }
        let cursor = self.cursor.as_ref()?;
        states.iter().all(|state| state.cursor != *cursor).then(|| "the cursor".into())
    }
}

/// Reads everything, key by key and in a range; both must serve the same.
pub(super) fn read(snapshot: &dyn SnapshotSubject) -> Result<Seen, String> {
    let told = |answer: Result<Option<Held>, Error>| match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Damaged(_)) => Ok(None),
        Err(error) => Err(format!("get: {error:?}")),
    };
    let cursor = match snapshot.cursor() {
        Ok(cursor) => Some(cursor),
        Err(Error::Damaged(_)) => None,
        Err(error) => return Err(format!("cursor: {error:?}")),
    };
    let mut keys: Vec<Vec<u8>> = (0..KEYS).map(key).collect();
    keys.push(b"goes-on".to_vec());
    let mut entries = BTreeMap::new();
    for key in keys {
        let held = snapshot.get(&key).map(|found| found.map(|entry| (entry.value, entry.version)));
        entries.insert(key, told(held)?);
    }
    let range = snapshot.range(b"").map_err(|error| format!("range: {error:?}"))?;
    let (mut served, mut damaged) = (BTreeMap::new(), false);
    loop {
        match range.next(Limits { count: 5, bytes: 10_000 }) {
            Ok(Some(some)) => served.extend(
                some.iter().map(|(key, value, version)| (key.to_vec(), (value.to_vec(), version.to_vec()))),
            ),
            Ok(None) => break,
            Err(Error::Damaged(_)) => damaged = true,
            Err(error) => return Err(format!("range: {error:?}")),
        }
    }
    let seen = Seen { entries, cursor };
    let single: BTreeMap<Vec<u8>, Held> =
        (seen.entries.iter()).filter_map(|(key, told)| Some((key.clone(), told.clone()??))).collect();
    if served != single {
        return Err(format!("a range serves {} entries, single reads {seen:?}", served.len()));
    }
    if !damaged && seen.entries.values().any(Option::is_none) {
        return Err(format!("a range says nothing of what is damaged: {seen:?}"));
    }
    Ok(seen)
}
