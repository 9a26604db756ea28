//! Looking at a change log without being an instance of it: no lock is taken and nothing is changed.

use super::held::{Entry, Held};
use super::{ChangeLog, Options, State, cell, fold, open, orphan};
use crate::error::{Damage, Error, Result, Token};
use crate::format::names;
use crate::format::root::{Kind, Root, State as Life};
use crate::record_log::{self, RecordLog};
use crate::storage::Host;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::{format, vec::Vec};
use core::{cmp::Reverse, iter};

/// How often it is looked at again because instances came and went meanwhile.
pub(super) const ATTEMPTS: u32 = 16;

/// The root of a live change log.
pub(super) fn root<H: Host>(host: &H, name: &str) -> Result<Root> {
    match record_log::root_of(host, name)? {
        Some(root) if root.kind != Kind::ChangeLog => Err(Error::OtherKind(root.kind.name().into())),
        Some(root) if root.state == Life::Live => Ok(root),
        _ => Err(Error::NotFound),
    }
}

/// The files of one instance.
pub(super) struct Part<H: Host> {
    pub(super) seen: cell::Seen,
    /// None if nothing of them can be read.
    pub(super) read: Option<fold::Read<H>>,
}

/// All instances, read.
pub(super) struct View<H: Host> {
    pub(super) parts: Vec<Part<H>>,
    /// Epochs whose changes were taken over, or whose files are only kept.
    pub(super) superseded: BTreeSet<u64>,
    pub(super) damage: Vec<Damage>,
}

/// Reads all instances of a log that contains this token. If the log is made anew meanwhile, it is the new one; if it is
/// destroyed, there is none.
pub(super) fn read<H: Host>(host: &H, name: &str, expect: Option<Token>) -> Result<(Root, View<H>)> {
    for _ in 0..ATTEMPTS {
        let found = root(host, name)?;
        open::check_token(host, name, &found, expect)?;
        let view = read_at(host, name, &found)?;
        if root(host, name)?.id == found.id {
            return Ok((found, view));
        }
    }
    Err(made_anew(name))
}

/// A storage that shows another log each time must not be looked at for ever.
pub(super) fn made_anew(name: &str) -> Error {
    Error::Storage(format!("{name} was made anew again and again while it was read"))
}

/// If some of them come, go or change hands meanwhile, it is done again: what one of them took over from another one may
/// be seen in neither.
fn read_at<H: Host>(host: &H, name: &str, root: &Root) -> Result<View<H>> {
    let hands = || -> Result<Vec<_>> {
        let life = |seen: cell::Seen| (seen.epoch, seen.says.map(|says| says.life).ok());
        Ok(cell::all(host, name, root.id)?.into_iter().map(life).collect())
    };
    for _ in 0..ATTEMPTS {
        let before = hands()?;
        let view = read_once(host, name, root);
        // What cannot be read may have gone since it was listed.
        if before == hands()? {
            return view;
        }
    }
    Err(Error::Storage(format!("the instances of {name} came and went while they were read")))
}

fn read_once<H: Host>(host: &H, name: &str, root: &Root) -> Result<View<H>> {
    let (mut parts, mut superseded) = (Vec::new(), BTreeSet::new());
    let mut found: Vec<(u64, Damage)> = Vec::new();
    let mut all = cell::all(host, name, root.id)?;
    claimed_first(&mut all);
    for seen in all {
        let part = Root { generation: seen.epoch, ..root.clone() };
        let epoch = seen.epoch;
        if seen.is_kept() {
            superseded.insert(epoch);
        }
        found.extend(seen.damage().map(|damage| (0, damage)));
        let read = match fold::read(host, name, &part, seen.end(root.id), 0) {
            Ok(read) => {
                superseded.extend(read.adopted.iter().copied());
                found.extend(read.damage.clone().map(|damage| (epoch, damage)));
                Some(read)
            }
            Err(Error::Damaged(damage)) => {
                found.push((epoch, damage));
                None
            }
            Err(error) => return Err(error),
        };
        parts.push(Part { seen, read });
    }
    found.extend(orphan::older_root(host, name, root)?.map(|damage| (0, damage)));
    found.extend(orphan::orphans(host, name, root)?.into_iter().map(|lost| (lost.epoch, lost.damage)));
    // What is wrong with files that are going anyway costs nothing.
    found.retain(|(epoch, _)| !superseded.contains(epoch));
    let damage = found.into_iter().map(|(_, damage)| damage).collect();
    Ok(View { parts, superseded, damage })
}

/// Puts each instance before the one that claimed it: where its files are gone already, the other one, read later, says that
/// it took them over.
fn claimed_first(all: &mut [cell::Seen]) {
    let claimers: BTreeMap<u64, u64> =
        all.iter().filter_map(|seen| Some((seen.epoch, seen.claimer()?.epoch))).collect();
    // Some may have claimed each other.
    let claims = |seen: &cell::Seen| {
        iter::successors(Some(seen.epoch), |epoch| claimers.get(epoch).copied())
            .take(1 + claimers.len())
            .count()
    };
    all.sort_by_cached_key(|seen| Reverse(claims(seen)));
}

/// Whether there are files without a root, rather than a log that is being made or destroyed.
fn is_lost<H: Host>(host: &H, name: &str) -> Result<bool> {
    let is_bare = || Ok(record_log::root_of(host, name)?.is_none());
    Ok(is_bare()? && !record_log::parts(host, name, 0)?.1.is_empty() && is_bare()?)
}

/// Opens a log for reading only.
pub(super) fn open<H: Host>(host: H, name: &str, options: &Options) -> Result<ChangeLog<H>> {
    let (root, view) = match read(&host, name, options.expect) {
        Err(Error::NotFound) if is_lost(&host, name)? => {
            let (file, what) = (names::root(name), "the root cell of the log is missing".into());
            return Err(Error::Damaged(Damage { file, offset: 0, lowest: None, next: None, what }));
        }
        outcome => outcome?,
    };
    let mut logs: Vec<RecordLog<H, State>> = Vec::new();
    let mut held = Held::default();
    for Part { seen, read } in view.parts {
        let shown = options.instance.as_ref().is_none_or(|instance| *instance == seen.instance);
        let Some(read) = read.filter(|_| shown && !view.superseded.contains(&seen.epoch)) else { continue };
        for (key, entry) in read.held.iter() {
            if held.yields(key, entry.epoch) {
                held.check_room(1, key.len() as u64)?;
                held.put(key.clone(), Entry { source: logs.len(), ..*entry });
            }
        }
        logs.push(read.log);
    }
    let (instance, name) = (options.instance.clone().unwrap_or_default(), name.into());
    let damage = view.damage;
    Ok(ChangeLog { host, name, instance, root, logs, held, own: None, damage, ended: None })
}
