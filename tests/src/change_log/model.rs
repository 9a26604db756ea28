//! The naive change log: who holds which changes, and who is dead. No files, no races: one call after the other.

use super::Change;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Origin and id.
pub type Key = (String, Vec<u8>);

/// An instance: alive until it is left, fenced or dies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Instance {
    epoch: u64,
    beat_ms: u64,
    closed: bool,
    /// Changes, and the epoch of the instance that recorded each.
    held: BTreeMap<Key, (u64, Rc<Change>)>,
}

/// All instances of one change log, by name and epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    instances: BTreeMap<(String, u64), Instance>,
    epochs: u64,
}

/// An instance in the model: name and epoch.
pub type Id = (String, u64);

impl Model {
    /// Opens an instance of this name; earlier ones of the name must not be open.
    pub fn open(&mut self, name: &str, now: u64) -> Id {
        self.epochs += 1;
        let id = (name.to_string(), self.epochs);
        let new = Instance { epoch: self.epochs, beat_ms: now, closed: false, held: BTreeMap::new() };
        self.instances.insert(id.clone(), new);
        self.take(&id, |other, _| other == name);
        id
    }

    /// Whether nobody declared it dead, and it did not leave.
    pub fn is_there(&self, id: &Id) -> bool {
        self.instances.contains_key(id)
    }

    /// What it holds.
    pub fn held(&self, id: &Id) -> Vec<(Key, Change)> {
        let held = self.instances.get(id).into_iter().flat_map(|instance| &instance.held);
        held.map(|(key, (_, change))| (key.clone(), (**change).clone())).collect()
    }

    /// Records a change. False if it is fenced.
    pub fn record(&mut self, id: &Id, key: &[u8], change: &Change) -> bool {
        let Some(instance) = self.instances.get_mut(id) else { return false };
        instance.held.insert((id.0.clone(), key.to_vec()), (instance.epoch, Rc::new(change.clone())));
        true
    }

    /// Removes a change. None if it is fenced.
    pub fn remove(&mut self, id: &Id, key: &Key) -> Option<bool> {
        Some(self.instances.get_mut(id)?.held.remove(key).is_some())
    }

    /// Recording, removing and recovering show that the holder is alive, once a third of the interval has passed.
    pub fn touch(&mut self, id: &Id, now: u64, heartbeat_ms: u64) {
        if let Some(instance) = self.instances.get_mut(id)
            && now.abs_diff(instance.beat_ms) >= heartbeat_ms / 3
        {
            instance.beat_ms = now;
        }
    }

    /// A heartbeat. False if it is fenced.
    pub fn beat(&mut self, id: &Id, now: u64) -> bool {
        let Some(instance) = self.instances.get_mut(id) else { return false };
        instance.beat_ms = now;
        true
    }

    /// Takes over from whoever is stale. None if it is fenced itself.
    pub fn recover(&mut self, id: &Id, now: u64, stale_after: u64) -> Option<Vec<String>> {
        if !self.is_there(id) {
            return None;
        }
        let own = id.0.clone();
        Some(self.take(id, |name, other| {
            name == own || other.closed || now.abs_diff(other.beat_ms) >= stale_after
        }))
    }

    fn take(&mut self, id: &Id, dead: impl Fn(&str, &Instance) -> bool) -> Vec<String> {
        let gone: Vec<Id> = (self.instances.iter())
            .filter(|(other, instance)| *other != id && dead(&other.0, instance))
            .map(|(other, _)| other.clone())
            .collect();
        for other in &gone {
            let held = self.instances.remove(other).map(|instance| instance.held).unwrap_or_default();
            let Some(mine) = self.instances.get_mut(id) else { continue };
            for (key, (epoch, change)) in held {
                if mine.held.get(&key).is_none_or(|(other, _)| *other <= epoch) {
                    mine.held.insert(key, (epoch, change));
                }
            }
        }
        gone.into_iter().map(|(name, _)| name).collect()
    }

    /// Leaves: gone if nothing is outstanding.
    pub fn close(&mut self, id: &Id) -> bool {
        let Some(instance) = self.instances.get_mut(id) else { return false };
        instance.closed = true;
        if instance.held.is_empty() {
            self.instances.remove(id);
        }
        true
    }

    /// All instances that are left, by name and then epoch.
    pub fn instances(&self) -> Vec<Id> {
        self.instances.keys().cloned().collect()
    }

    /// The same, each with whether it was left with changes, and its last heartbeat.
    pub fn glance(&self) -> Vec<(Id, bool, u64)> {
        let one = |(id, i): (&Id, &Instance)| (id.clone(), i.closed, i.beat_ms);
        self.instances.iter().map(one).collect()
    }

    /// A change that an instance holds.
    pub fn change(&self, id: &Id, key: &Key) -> Option<&Rc<Change>> {
        self.instances.get(id)?.held.get(key).map(|(_, change)| change)
    }

    /// Everything that is outstanding: what somebody finds who takes over from all of them.
    pub fn outstanding(&self) -> BTreeMap<&Key, &Rc<Change>> {
        let mut all: BTreeMap<&Key, &(u64, Rc<Change>)> = BTreeMap::new();
        for (key, held) in self.instances.values().flat_map(|instance| &instance.held) {
            if all.get(key).is_none_or(|(epoch, _)| *epoch <= held.0) {
                all.insert(key, held);
            }
        }
        all.into_iter().map(|(key, (_, change))| (key, change)).collect()
    }

    /// A log that somebody of this name and epoch has taken over as a whole.
    pub fn taken_over(id: Id, beat_ms: u64, changes: impl IntoIterator<Item = (Key, Change)>) -> Self {
        // Whatever is recorded from now on is newer.
        let held = changes.into_iter().map(|(key, change)| (key, (0, Rc::new(change)))).collect();
        let epochs = id.1;
        let instance = Instance { epoch: epochs, beat_ms, closed: false, held };
        Model { instances: [(id, instance)].into(), epochs }
    }
}
