//! What a change log shows of which parts may be damaged.

use super::handle::Handle;
use super::state::{IDS, NAMES, State};
use crate::campaign::trial::Seen as SeenBy;
use crate::change_log::Change;
use crate::change_log::model::Key;
use crate::subject::FrameInfo;
use annals_logs::error::{Damage, Error};
use annals_logs::types::Limits;
use std::collections::BTreeMap;

/// An answer, or none where it was `damaged`.
type Told<T> = Option<T>;

/// Everything that a change log shows, and which damage it names.
pub struct Seen {
    entries: BTreeMap<Key, Told<Option<Change>>>,
    damage: Vec<Damage>,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for ((origin, id), told) in &self.entries {
            match told {
                None => write!(f, "{origin}/{id:?} damaged, ")?,
                Some(None) => {}
                Some(Some(change)) => write!(f, "{origin}/{id:?}={} bytes, ", change.payload.len())?,
            }
        }
        write!(f, "{:?}", self.damage)
    }
}

impl Seen {
    fn served(&self) -> impl Iterator<Item = (&Key, &Change)> {
        self.entries.iter().filter_map(|(key, told)| Some((key, told.as_ref()?.as_ref()?)))
    }

    /// How many items may be lost, as far as the damage says.
    fn may_be_lost(&self) -> u64 {
        let lost = |damage: &Damage| match (damage.lowest, damage.next) {
            (Some(lowest), Some(next)) => next.saturating_sub(lowest),
            _ => u64::MAX,
        };
        self.damage.iter().map(lost).fold(0, u64::saturating_add)
    }
}

impl SeenBy<State> for Seen {
    fn is_whole(&self) -> bool {
        self.damage.is_empty() && self.entries.values().all(Option::is_some)
    }

    /// What is damaged may show changes that were removed or replaced, but none that never was.
    fn fits(&self, model: &State) -> bool {
        let wanted = model.log.outstanding();
        let right = |(key, change): (&Key, &Change)| {
            wanted.get(key).is_some_and(|wanted| ***wanted == *change)
                || !self.is_whole() && model.once(key, change)
        };
        let missing =
            wanted.keys().filter(|key| !self.entries.get(**key).is_some_and(|told| *told != Some(None)));
        self.served().all(right) && missing.count() as u64 <= self.may_be_lost()
    }

    /// An instance after the other is read: what each origin has outstanding is from one of the states.
    fn fits_among(&self, models: &[&State]) -> bool {
        if models.iter().any(|model| self.fits(model)) {
            return true;
        }
        let known = |((origin, _), _): (&Key, &Change)| NAMES.contains(&origin.as_str());
        self.is_whole()
            && self.served().all(known)
            && NAMES.iter().all(|name| {
                let shown = || self.served().filter(|((origin, _), _)| origin == name);
                models.iter().any(|model| {
                    let held = model.log.outstanding();
                    shown()
                        .eq(held.iter().filter(|(key, _)| key.0 == *name).map(|(key, held)| (*key, &***held)))
                })
            })
    }

    fn lost_outside(&self, frame: Option<&FrameInfo>) -> Option<String> {
        let own = frame.map_or(0..0, |frame| frame.first..frame.first + u64::from(frame.count));
        // Where the last header is lost, nobody knows how many items there were.
        let lost = |damage: &&Damage| match (damage.lowest, damage.next) {
            (Some(lowest), Some(next)) => lowest < next && (lowest < own.start || next > own.end),
            (Some(lowest), None) => !own.is_empty() && lowest < own.start,
            _ => false,
        };
        self.damage.iter().find(lost).map(|damage| format!("{damage:?} (the frame has {own:?})"))
    }

    fn never_there(&self, states: &[State]) -> Option<String> {
        let once = |key: &Key, change: &Change| states.iter().any(|state| state.once(key, change));
        // Without its cell nobody can tell what was taken over from an instance and removed since: all of it is shown again,
        // and the cell is reported.
        let orphan = |origin: &str| {
            let cell = format!("change.{}.{origin}.", super::super::trial::LOG);
            self.damage.iter().any(|d| d.file.starts_with(&cell) && d.what.contains("is missing"))
        };
        let mut served = self.served();
        let wrong = served.find(|(key, change)| !once(key, change) && !orphan(&key.0));
        wrong.map(|(key, _)| format!("{key:?}"))
    }
}

/// Reads everything, one by one and in a scan; both must serve the same.
pub(super) fn read(handle: &Handle) -> Result<Seen, String> {
    let say = |error: Error| format!("{error:?}");
    let (log, known) = handle.whole().ok_or("nothing is open that shows everything")?;
    let mut damage = known.to_vec();
    let reader = log.scan(true).map_err(say)?;
    let mut served = BTreeMap::new();
    loop {
        match reader.next(Limits { count: 3, bytes: 5000 }) {
            Ok(Some(some)) => served.extend(some.into_iter().map(|o| ((o.origin, o.id), o.change))),
            Ok(None) => break,
            Err(Error::Damaged(found)) => damage.push(found),
            Err(error) => return Err(format!("scan: {error:?}")),
        }
    }
    let keys = NAMES.iter().flat_map(|name| (0..IDS).map(|id| (name.to_string(), vec![id])));
    let mut entries: BTreeMap<Key, Told<Option<Change>>> = BTreeMap::new();
    for key in keys.chain(served.keys().cloned()) {
        let told = match log.get(Some(&key.0), &key.1) {
            Ok(change) => Some(change),
            Err(Error::Damaged(_)) => None,
            Err(error) => return Err(format!("get: {error:?}")),
        };
        entries.insert(key, told);
    }
    let seen = Seen { entries, damage };
    // One by one only what is beyond doubt is served.
    let right = |(key, change): (&Key, &Change)| match seen.entries.get(key) {
        Some(Some(told)) => told.as_ref() == Some(change),
        _ => true,
    };
    if !served.iter().all(right) || !seen.served().all(|(key, _)| served.contains_key(key)) {
        return Err(format!("a scan serves {:?}, one by one {seen:?}", served.keys()));
    }
    if seen.damage.is_empty() && !seen.is_whole() {
        return Err(format!("a scan says nothing of what is damaged: {seen:?}"));
    }
    Ok(seen)
}
