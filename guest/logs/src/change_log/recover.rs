//! Taking over what dead instances left behind. [`super`] says in which order, and why.
//!
//! Instances that claimed each other are dealt with together: their changes come over with one `Adopted`, so that at no
//! time some of them are here while others, which say more of the same changes, are not.
//!
//! ```text
//! claim    swap the cells: the claimer of an instance before the instance
//! read     their files; then claim and read whom they had claimed, until there are no more
//! check    the own cell
//! copy     what is outstanding, sync
//! check    the own cell, and each claimed one
//! remove   files, then the cell; what is damaged is kept instead
//! ```

use super::cell::{self, Seen};
use super::compact::COPY;
use super::held::{self, Entry, Key};
use super::item::{Item, Tag};
use super::{ChangeLog, Recovered, fold, payload};
use crate::error::{Damage, Error, Result};
use crate::format::instance::{Claimer, Found, Instance, Life};
use crate::record_log;
use crate::storage::{Host, Swap};
use alloc::{collections::BTreeMap, collections::BTreeSet, vec::Vec};

/// Which instances to deal with, by name.
type Wanted<'a> = &'a dyn Fn(&str) -> bool;
/// Whether an instance that nobody has claimed is to be declared dead.
type Dead<'a> = &'a dyn Fn(&str, &Instance) -> bool;

/// A claimed instance.
struct Member<H: Host> {
    seen: Seen,
    /// What its files say; none if nothing of them can be read, or nothing has to be.
    read: Option<fold::Read<H>>,
    damage: Option<Damage>,
    /// How many of its changes came over.
    changes: u64,
}

impl<H: Host> ChangeLog<H> {
    /// Takes over what dead instances left behind.
    pub fn recover(&mut self, stale_after_ms: u64) -> Result<Vec<Recovered>> {
        self.check_writable()?;
        self.still_own()?;
        let (now, mine) = (self.host.now_ms(), self.instance.clone());
        let dead = |instance: &str, says: &Instance| {
            instance == mine || says.life == Life::Closed || now.abs_diff(says.beat_ms) >= stale_after_ms
        };
        self.sweep()?;
        let recovered = self.take_over(&|_| true, &dead)?;
        self.still_own()?;
        self.compact();
        Ok(recovered)
    }

    /// Gives up what is left of damaged instances of this name.
    pub fn discard(&mut self, instance: &str) -> Result<bool> {
        self.check_writable()?;
        super::options::check_instance(instance)?;
        self.still_own()?;
        let mut any = false;
        for seen in cell::all(&self.host, &self.name, self.root.id)? {
            if seen.instance == instance && seen.is_kept() {
                record_log::remove_part(&self.host, &self.name, &self.part(seen.epoch))?;
                any |= matches!(self.swap(&seen, None)?, Swap::Swapped(_));
            }
        }
        Ok(any)
    }

    fn swap(&self, seen: &Seen, says: Option<&Instance>) -> Result<Swap> {
        cell::swap(&self.host, &self.name, (&seen.instance, seen.epoch), Some(seen.version), says)
    }

    /// Deals with all instances that are wanted. An error in one does not keep it from the others.
    pub(super) fn take_over(&mut self, wanted: Wanted<'_>, dead: Dead<'_>) -> Result<Vec<Recovered>> {
        self.own()?.untidy = true;
        let (mut recovered, mut done, mut failure) = (Vec::new(), BTreeSet::new(), None);
        for (instance, epoch) in cell::list(&self.host, &self.name)? {
            let own = epoch == self.epoch() && instance == self.instance;
            if own || done.contains(&epoch) || !wanted(&instance) {
                continue;
            }
            match self.take_over_one(&instance, epoch, dead) {
                Ok(some) => {
                    done.extend(some.iter().map(|(epoch, _)| *epoch));
                    recovered.extend(some.into_iter().map(|(_, recovered)| recovered));
                }
                Err(error) => {
                    self.check_open()?;
                    failure.get_or_insert(error);
                }
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        self.own()?.untidy = false;
        Ok(recovered)
    }

    /// Deals with one instance and those that it is entangled with. Returns whom it dealt with.
    fn take_over_one(&mut self, instance: &str, epoch: u64, dead: Dead<'_>) -> Result<Vec<(u64, Recovered)>> {
        let Some(seen) = cell::look(&self.host, &self.name, self.root.id, instance, epoch)? else {
            return Ok(Vec::new());
        };
        if seen.says.is_err() || seen.is_kept() {
            let (instance, damaged) = (instance.into(), seen.damage());
            if seen.says.is_err() {
                self.own()?.found = damaged.clone();
            }
            return Ok(alloc::vec![(epoch, Recovered { instance, changes: 0, damaged })]);
        }
        let mut members: Vec<Member<H>> = Vec::new();
        for seen in self.chain(seen, dead)? {
            // If one is lost to somebody else, so are those that it claimed.
            let Some(member) = self.claim(seen)? else { break };
            members.push(member);
        }
        if members.is_empty() {
            return Ok(Vec::new());
        }
        self.read_all(&mut members)?;
        // Who is not alive now may have claimed in vain, and must not say that it took anything over.
        self.still_own()?;
        self.adopt(&mut members)?;
        self.still_own()?;
        for member in &members {
            self.put_away(member)?;
        }
        if let Some(damage) = members.iter().find_map(|member| member.damage.clone()) {
            self.own()?.found = Some(damage);
        }
        Ok(members.into_iter().map(Member::report).collect())
    }

    /// The instance, and before it all that claimed each other down to it; nobody if one of them may be alive.
    fn chain(&self, seen: Seen, dead: Dead<'_>) -> Result<Vec<Seen>> {
        let mut chain = alloc::vec![seen];
        while let Some(last) = chain.last() {
            let Ok(says) = &last.says else { return Ok(Vec::new()) };
            let claimer = match &says.life {
                Life::Live | Life::Closed if dead(&last.instance, says) => break,
                Life::Live | Life::Closed => return Ok(Vec::new()),
                Life::Damaged(_) => {
                    // Everything that it had claimed while it lived was dealt with when it was saved.
                    chain.pop();
                    break;
                }
                Life::Claimed(claimer) => claimer,
            };
            // Its own claims, and circles, of which nobody is alive.
            if claimer.epoch == self.epoch() || chain.iter().any(|seen| seen.epoch == claimer.epoch) {
                break;
            }
            match cell::look(&self.host, &self.name, self.root.id, &claimer.instance, claimer.epoch)? {
                Some(claimer) => chain.push(claimer),
                None => break,
            }
        }
        chain.reverse();
        Ok(chain)
    }

    /// Claims an instance, if it is as it was seen.
    fn claim(&self, seen: Seen) -> Result<Option<Member<H>>> {
        let Ok(says) = &seen.says else { return Ok(None) };
        let member = |seen| Some(Member { seen, read: None, damage: None, changes: 0 });
        if seen.claimer().is_some_and(|claimer| claimer.epoch == self.epoch()) {
            return Ok(member(seen));
        }
        let claimer = Claimer { instance: self.instance.clone(), epoch: self.epoch() };
        let says = Instance { life: Life::Claimed(claimer), ..says.clone() };
        match self.swap(&seen, Some(&says))? {
            Swap::Swapped(version) => Ok(member(Seen { version, says: Ok(says), ..seen })),
            Swap::Stale(_) => Ok(None),
        }
    }

    /// Reads the claimed instances, then claims and reads whom they had claimed.
    fn read_all(&mut self, members: &mut Vec<Member<H>>) -> Result<()> {
        let mut at = 0;
        loop {
            while let Some(member) = members.get(at) {
                let epoch = member.seen.epoch;
                if !self.taken_over(members).contains(&epoch) {
                    let end = member.seen.end(self.root.id);
                    let outcome = fold::read(&self.host, &self.name, &self.part(epoch), end, 0);
                    if let Some(member) = members.get_mut(at) {
                        match outcome {
                            Ok(read) => {
                                member.damage = read.damage.clone();
                                member.read = Some(read);
                            }
                            Err(Error::Damaged(damage)) => member.damage = Some(damage),
                            Err(error) => return Err(error),
                        }
                    }
                }
                at += 1;
            }
            for seen in cell::all(&self.host, &self.name, self.root.id)? {
                let known = |epoch: u64| members.iter().any(|member| member.seen.epoch == epoch);
                if seen.claimer().is_some_and(|claimer| known(claimer.epoch)) && !known(seen.epoch) {
                    members.extend(self.claim(seen)?);
                }
            }
            if at == members.len() {
                return Ok(());
            }
        }
    }

    /// Epochs whose changes are here, or in one of these.
    fn taken_over(&self, members: &[Member<H>]) -> BTreeSet<u64> {
        let reads = members.iter().filter_map(|member| member.read.as_ref());
        let own = self.own.iter().flat_map(|own| &own.adopted);
        own.chain(reads.flat_map(|read| &read.adopted)).copied().collect()
    }

    /// Copies what is outstanding in these, unless it is here already.
    fn adopt(&mut self, members: &mut [Member<H>]) -> Result<()> {
        let taken_over = self.taken_over(members);
        let mine: BTreeSet<u64> = self.own()?.adopted.clone();
        if members.iter().all(|member| mine.contains(&member.seen.epoch)) {
            return Ok(());
        }
        let mut coming: BTreeMap<Key, (usize, Entry)> = BTreeMap::new();
        for (source, member) in members.iter_mut().enumerate() {
            if taken_over.contains(&member.seen.epoch) {
                // It is a part of another one, damaged or not.
                (member.read, member.damage) = (None, None);
                continue;
            }
            for (key, entry) in member.read.iter().flat_map(|read| read.held.iter()) {
                let stands = self.held.yields(key, entry.epoch)
                    && coming.get(key).is_none_or(|(_, other)| other.epoch <= entry.epoch);
                if stands {
                    coming.insert(key.clone(), (source, *entry));
                }
            }
        }
        let new = coming.keys().filter(|key| self.held.get(key).is_none());
        let (count, keys) = new.fold((0, 0), |(count, keys), key| (count + 1, keys + key.len() as u64));
        self.held.check_room(count, keys)?;
        // From here on whoever goes on with this keeps the damaged files.
        for member in members.iter_mut() {
            if let (Some(damage), Ok(says)) = (&member.damage, &member.seen.says) {
                let says = Instance { damage: Some(Found::of(damage)), ..says.clone() };
                match self.swap(&member.seen, Some(&says))? {
                    Swap::Swapped(version) => {
                        member.seen = Seen { version, says: Ok(says), ..member.seen.clone() }
                    }
                    Swap::Stale(_) => {
                        self.still_own()?;
                        return Err(Error::Storage("the cell of a claimed instance changed".into()));
                    }
                }
            }
        }
        let present: BTreeSet<u64> =
            cell::list(&self.host, &self.name)?.into_iter().map(|(_, epoch)| epoch).collect();
        let mut epochs: BTreeSet<u64> = taken_over.intersection(&present).copied().collect();
        epochs.extend(members.iter().map(|member| member.seen.epoch));
        self.copy(members, &coming, &epochs)?;
        for (source, _) in coming.values() {
            if let Some(member) = members.get_mut(*source) {
                member.changes += 1;
            }
        }
        Ok(())
    }

    /// Writes these changes, and that they are here, and makes that durable.
    fn copy(
        &mut self,
        members: &mut [Member<H>],
        coming: &BTreeMap<Key, (usize, Entry)>,
        epochs: &BTreeSet<u64>,
    ) -> Result<()> {
        let since = self.log()?.next();
        let mut held: Vec<(Key, Entry)> = record_log::room(coming.len())?;
        let mut items: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut bytes = 0;
        for (key, (source, entry)) in coming {
            if bytes + entry.size > COPY && !items.is_empty() {
                self.write_pairs(&core::mem::take(&mut items))?;
                bytes = 0;
            }
            let (origin, id) = held::split(key);
            let Entry { epoch, cleanup_after_ms, .. } = *entry;
            let tag = Tag { origin, epoch, id, cleanup_after_ms };
            let read = members.get_mut(*source).and_then(|member| member.read.as_mut());
            let Some(read) = read else { return Err(Error::Other("nothing was read to copy from".into())) };
            let (head, payload) = (Item::Adopt(tag).encode()?, payload(&mut read.log, entry)?);
            let (size, position) = ((head.len() + payload.len()) as u64, since + held.len() as u64);
            held.push((key.clone(), Entry::at(0, position, size, &tag)));
            bytes += size;
            items.push((head, payload));
        }
        let done = Item::Adopted { since, epochs: epochs.iter().copied().collect() };
        items.push((done.encode()?, Vec::new()));
        self.write_pairs(&items)?;
        self.log()?.sync_frames()?;
        for (key, entry) in held {
            self.hold(key, entry);
        }
        self.own()?.adopted.extend(epochs);
        Ok(())
    }

    fn write_pairs(&mut self, items: &[(Vec<u8>, Vec<u8>)]) -> Result<()> {
        let parts: Vec<[&[u8]; 2]> = items.iter().map(|(head, payload)| [&head[..], &payload[..]]).collect();
        let frame: Vec<&[&[u8]]> = parts.iter().map(|parts| &parts[..]).collect();
        self.write(&frame, false)
    }

    /// Removes what is left of an instance whose changes are here, or keeps it if it is damaged.
    fn put_away(&mut self, member: &Member<H>) -> Result<()> {
        let (instance, epoch) = (member.seen.instance.as_str(), member.seen.epoch);
        let Some(seen) = cell::look(&self.host, &self.name, self.root.id, instance, epoch)? else {
            return Ok(());
        };
        // One that cannot be read may still say that this instance claimed it, and then this one must not just be gone.
        let says = seen.says.as_ref().map_err(|damage| Error::Damaged(damage.clone()))?;
        let Some(claimer) = seen.claimer() else { return Ok(()) };
        if claimer.epoch != self.epoch() {
            return Ok(());
        }
        if says.damage.is_some() {
            let says = Instance { life: Life::Damaged(claimer.clone()), ..says.clone() };
            return self.swap(&seen, Some(&says)).map(drop);
        }
        record_log::remove_part(&self.host, &self.name, &self.part(epoch))?;
        self.swap(&seen, None).map(drop)
    }

    /// Removes the files of epochs that have no cell, unless that was lost: they hold nothing that was acknowledged.
    fn sweep(&mut self) -> Result<()> {
        let _lock = match record_log::lock_root(&self.host, &self.name) {
            Ok(lock) => lock,
            Err(Error::Locked) => return Ok(()), // somebody else will
            Err(error) => return Err(error),
        };
        let root = match record_log::root_of(&self.host, &self.name)? {
            Some(root) if root.id == self.root.id => root,
            _ => return self.fence(),
        };
        // While the lock is held no instance opens: whoever has files has its cell, or never gets one.
        // The root may have been counted on since this instance was opened.
        self.restore_cells(&root)?;
        let (files, _) = record_log::parts(&self.host, &self.name, root.id)?;
        let cells: BTreeSet<u64> =
            cell::list(&self.host, &self.name)?.into_iter().map(|(_, epoch)| epoch).collect();
        for epoch in files {
            if epoch <= root.generation && !cells.contains(&epoch) {
                record_log::remove_part(&self.host, &self.name, &self.part(epoch))?;
            }
        }
        Ok(())
    }
}

impl<H: Host> Member<H> {
    /// What the caller hears of it, and its epoch.
    fn report(self) -> (u64, Recovered) {
        let Member { seen, damage, changes, .. } = self;
        // What an earlier claimer found damaged is reported, too.
        let damaged = damage.or_else(|| seen.damage());
        (seen.epoch, Recovered { instance: seen.instance, changes, damaged })
    }
}
