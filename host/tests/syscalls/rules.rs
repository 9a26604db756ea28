//! The rules, and that each of them notices what it is there for.

use crate::{
    has_strace,
    scenario::record,
    trace::{Event, Trace},
};
use std::collections::{BTreeMap, BTreeSet};

fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

impl Trace {
    fn within(&self, path: &str) -> bool {
        path.starts_with(&format!("{}/", self.root))
    }

    /// Room for a cell on a full disk: if it is lost, it is made again.
    fn is_spare(&self, path: &str) -> bool {
        path == format!("{}/cells/.spare", self.root)
    }

    /// Whatever changes the storage or syncs it, and the marks.
    fn changes(&self) -> Vec<&Event> {
        let within = |event: &&Event| match event {
            Event::Written { file, .. } => self.within(file),
            Event::Created(path) | Event::Cut(path) | Event::Synced(path) | Event::Removed(path) => {
                self.within(path)
            }
            Event::Renamed(from, to) => self.within(from) || self.within(to),
            Event::Mark(_) => true,
            Event::Open { .. } | Event::Path { .. } => false,
        };
        self.events.iter().filter(within).collect()
    }

    /// What breaks a rule.
    fn violations(&self) -> Vec<String> {
        let mut found = self.paths();
        found.extend(self.order());
        found.extend(self.durability());
        found
    }

    /// Every path is one name in one of the three held directories, and links are not followed.
    fn paths(&self) -> Vec<String> {
        let held = ["files", "cells", "locks"].map(|name| format!("{}/{name}", self.root));
        let mut found = Vec::new();
        for event in &self.events {
            let (at, path) = match event {
                Event::Open { at, path, flags } => {
                    // "." is the held directory itself, opened to be listed.
                    if path != "." && !flags.contains("NOFOLLOW") {
                        found.push(format!("follows links: {event:?}"));
                    }
                    (at, path)
                }
                Event::Path { at, path, .. } => (at, path),
                _ => continue,
            };
            if !at.as_ref().is_some_and(|at| held.contains(at)) || path.contains('/') || path == ".." {
                found.push(format!("not a name in a held directory: {event:?}"));
            }
        }
        found
    }

    /// What must come right before and right after.
    fn order(&self) -> Vec<String> {
        let changes = self.changes();
        let mut found = Vec::new();
        let files = format!("{}/files", self.root);
        for (index, event) in changes.iter().enumerate() {
            let after = |far: usize| changes.get(index + far).copied();
            let synced = |path: &str| Some(Event::Synced(path.to_owned()));
            let follows = |far: usize, path: &str| after(far).cloned() == synced(path);
            let fine = match event {
                Event::Created(file) if directory(file) == files => {
                    follows(1, file) && follows(2, directory(file))
                }
                Event::Renamed(from, to) => {
                    let before = changes[..index].iter().rev().find(|event| match event {
                        Event::Written { file, .. } | Event::Cut(file) | Event::Synced(file) => file == from,
                        _ => false,
                    });
                    before.is_some_and(|before| Some((*before).clone()) == synced(from))
                        && follows(1, directory(to))
                }
                Event::Removed(file) => follows(1, directory(file)),
                Event::Cut(file) => follows(1, file),
                _ => true,
            };
            if !fine {
                found.push(format!("{event:?} is followed by {:?}, {:?}", after(1), after(2)));
            }
        }
        found
    }

    /// Where the process says that all is durable, all is synced.
    fn durability(&self) -> Vec<String> {
        let (mut dirty, mut found) = (BTreeSet::<&str>::new(), Vec::new());
        let cells = format!("{}/cells", self.root);
        for event in self.changes() {
            // No cell comes or goes before what was written for it (the cell, or the floor of versions) is durable.
            if let Event::Removed(path) | Event::Renamed(_, path) = event {
                let early = dirty.iter().any(|file| directory(file) == cells && !self.is_spare(file));
                if directory(path) == cells && early {
                    found.push(format!("before {event:?} not synced: {dirty:?}"));
                }
            }
            match event {
                Event::Written { file, .. } | Event::Cut(file) => drop(dirty.insert(file.as_str())),
                Event::Created(file) | Event::Removed(file) if !self.is_spare(file) => {
                    dirty.insert(directory(file));
                    match event {
                        Event::Created(_) => dirty.insert(file.as_str()),
                        _ => dirty.remove(file.as_str()),
                    };
                }
                Event::Renamed(from, to) => {
                    dirty.insert(directory(to));
                    dirty.remove(from.as_str());
                }
                Event::Synced(path) => drop(dirty.remove(path.as_str())),
                Event::Mark(mark) if !dirty.is_empty() => {
                    found.push(format!("at {mark:?} not synced: {dirty:?}"))
                }
                _ => {}
            }
        }
        found
    }

    fn check(&self) {
        let found = self.violations();
        assert!(found.is_empty(), "{}\n\n{:#?}", found.join("\n"), self.changes());
    }

    fn count(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| which(event)).count()
    }
}

#[test]
fn a_log_keeps_the_rules_from_creation_to_destruction() {
    if !has_strace() {
        return;
    }
    let trace = record("life");
    trace.check();
    let synced = trace.count(|event| matches!(event, Event::Synced(_)));
    let created = trace.count(|event| matches!(event, Event::Created(path) if path.contains("/files/")));
    let removed = trace.count(|event| matches!(event, Event::Removed(path) if path.contains("/files/")));
    let renamed = trace.count(|event| matches!(event, Event::Renamed(..)));
    println!("{created} files made, {removed} removed, {renamed} cells renamed, {synced} syncs");
    assert!(created >= 4 && created == removed && renamed >= 2, "the log rolled, was pruned and destroyed");
}

#[test]
fn each_call_of_the_storage_keeps_the_rules() {
    if !has_strace() {
        return;
    }
    let trace = record("storage");
    trace.check();

    // Without any one of its syncs, or with any other flaw, it would not.
    let (mut syncs, mut flaws) = (0, 0);
    for (index, event) in trace.events.iter().enumerate() {
        let mut flawed = Trace { root: trace.root.clone(), events: trace.events.clone() };
        match event {
            Event::Synced(path) if !trace.is_spare(path) => {
                flawed.events.remove(index);
                assert!(!flawed.violations().is_empty(), "nobody misses {event:?} (event {index})");
                if index + 2 < trace.events.len() {
                    let mut late = Trace { root: trace.root.clone(), events: trace.events.clone() };
                    let next = (index + 1..late.events.len()).find(|next| {
                        matches!(late.events[*next], Event::Mark(_) | Event::Renamed(..) | Event::Synced(_))
                    });
                    if let Some(next) = next {
                        let sync = late.events.remove(index);
                        late.events.insert(next, sync);
                        assert!(!late.violations().is_empty(), "nobody notices that {event:?} came late");
                    }
                }
                syncs += 1;
            }
            Event::Open { at, path, flags } if path != "." => {
                let (at, path) = (at.clone(), path.clone());
                let without = flags.replace("O_NOFOLLOW", "0");
                for (at, path, flags) in [
                    (at.clone(), path.clone(), without),
                    (None, path.clone(), flags.clone()),
                    (at, format!("../{path}"), flags.clone()),
                ] {
                    flawed.events[index] = Event::Open { at, path, flags };
                    assert!(!flawed.violations().is_empty(), "nobody minds {:?}", flawed.events[index]);
                    flaws += 1;
                }
            }
            _ => {}
        }
    }
    println!("each of {syncs} syncs is missed when it is left out or late, each of {flaws} flaws is noticed");
    assert!(syncs > 10 && flaws > 30);
}

#[test]
fn appends_do_not_grow_the_file() {
    if !has_strace() {
        return;
    }
    let trace = record("appends");
    trace.check();
    let mut sizes = BTreeMap::<&str, u64>::new();
    let (mut frames, mut growing, mut zeros_growing) = (0, 0, 0);
    for event in &trace.events {
        let Event::Written { file, offset, len, zeros } = event else { continue };
        if file.contains("/files/") {
            let size = sizes.entry(file).or_insert(0);
            match (zeros, offset + len > *size) {
                (true, true) => zeros_growing += 1,
                (_, grows) => {
                    frames += 1;
                    growing += u32::from(grows);
                }
            }
            *size = (*size).max(offset + len);
        }
    }
    println!("{frames} writes of frames, {growing} of them grow a file; {zeros_growing} writes of zeros do");
    assert!(frames >= 1000);
    assert_eq!(growing, 0, "a frame was written where nothing had been reserved");
    assert!(zeros_growing <= 10, "1000 appends of 100 bytes filled the file {zeros_growing} times");
}

#[test]
fn what_others_made_is_synced_before_it_is_told() {
    if !has_strace() {
        return;
    }
    let trace = record("others");
    // Which directories were synced before each mark, since the one before.
    let mut synced = BTreeMap::<&str, Vec<&str>>::new();
    let mut since = Vec::new();
    for event in &trace.events {
        match event {
            Event::Synced(path) => since.extend(path.rsplit('/').next()),
            Event::Mark(mark) => drop(synced.insert(mark, std::mem::take(&mut since))),
            _ => {}
        }
    }
    for above in ["logs", "new", "deep"] {
        assert!(synced["made"].contains(&above), "{above} was not synced: {:?}", synced["made"]);
    }
    assert!(synced["made"].contains(&"cells"), "the floor of versions has a name that may be lost");
    assert_eq!(synced["opened"], ["files"]);
    assert_eq!(synced["opened again"], [""; 0], "once is enough");
    assert_eq!(synced["read"], ["cells"]);
    assert_eq!(synced["lost"], ["cells"]);
}

#[test]
fn an_export_appears_only_when_all_of_it_is_durable() {
    if !has_strace() {
        return;
    }
    let trace = record("export");
    let place = directory(&trace.root);
    let hidden = format!("{place}/.out.partial");
    let renamed = Event::Renamed(hidden.clone(), format!("{place}/out"));
    let at = trace.events.iter().position(|event| *event == renamed).expect("it gets its name");
    let (before, after) = trace.events.split_at(at);
    // Files are synced behind their last bytes, directories behind the last name in them.
    let (mut dirty, mut files) = (BTreeSet::new(), 0);
    for event in before {
        match event {
            Event::Created(file) if file.starts_with(&hidden) => {
                dirty.extend([file.as_str(), directory(file)]);
                files += 1;
            }
            Event::Written { file, .. } if file.starts_with(&hidden) => drop(dirty.insert(file)),
            Event::Synced(path) => drop(dirty.remove(path.as_str())),
            _ => {}
        }
    }
    assert!(files >= 3, "{files} files");
    assert!(dirty.is_empty(), "it appears before these are durable: {dirty:?}");
    assert!(after.contains(&Event::Synced(place.to_owned())), "its name may be lost");
}
