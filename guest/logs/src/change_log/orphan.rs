//! What the cells should tell and do not: files of instances whose cell is lost, and of epochs that the root does not know.
//!
//! Files without a cell are mostly leftovers: of an instance that never came to be, or that left with nothing. No change
//! is outstanding in them, or their beginning is gone. Where all of an instance's files are there and a change is
//! outstanding, its cell was lost. It is damaged then, as any instance whose files were: what can be read is taken over,
//! and its files are kept.

use super::cell;
use super::held;
use super::{ChangeLog, fold};
use crate::error::{Damage, Error, Result, Token};
use crate::format::instance::{Found, Instance, Life};
use crate::format::names;
use crate::format::root::Root;
use crate::record_log;
use crate::storage::Host;
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

/// An instance whose cell is lost.
pub(super) struct Orphan {
    pub(super) epoch: u64,
    instance: String,
    end: Token,
    pub(super) damage: Damage,
}

/// All of them.
pub(super) fn orphans<H: Host>(host: &H, name: &str, root: &Root) -> Result<Vec<Orphan>> {
    let (files, _) = record_log::parts(host, name, root.id)?;
    let cells: BTreeSet<u64> = cell::list(host, name)?.into_iter().map(|(_, epoch)| epoch).collect();
    let mut found = Vec::new();
    for &epoch in files.iter().filter(|epoch| **epoch <= root.generation && !cells.contains(epoch)) {
        let part = Root { generation: epoch, ..root.clone() };
        let read = match fold::read(host, name, &part, None, 0) {
            // They may have gone since they were listed, or some of them.
            Err(Error::Storage(_)) if !record_log::parts(host, name, root.id)?.0.contains(&epoch) => continue,
            Err(Error::Storage(_)) => fold::read(host, name, &part, None, 0),
            outcome => outcome,
        };
        let read = match read {
            Ok(read) if read.damage.is_none() && !read.held.is_empty() => read,
            Ok(_) | Err(Error::Damaged(_)) => continue,
            Err(error) => return Err(error),
        };
        let own = read.held.iter().find(|(_, entry)| entry.epoch == epoch);
        let instance = own.map_or_else(|| format!("epoch-{epoch}"), |(key, _)| held::split(key).0.into());
        let (file, what) =
            (names::instance(name, &instance, epoch), "the cell of an instance is missing".into());
        let damage = Damage { file, offset: 0, lowest: None, next: None, what };
        found.push(Orphan { epoch, instance, end: read.log.token(), damage });
    }
    Ok(found)
}

/// The damage if there are files of epochs that the root does not know.
pub(super) fn older_root<H: Host>(host: &H, name: &str, root: &Root) -> Result<Option<Damage>> {
    let (files, _) = record_log::parts(host, name, root.id)?;
    // It is counted up before there are files.
    let Some(root) = record_log::root_of(host, name)?.filter(|now| now.id == root.id) else {
        return Ok(None);
    };
    let what = "the root cell is older than files of the log".into();
    let damage = Damage { file: names::root(name), offset: 0, lowest: None, next: None, what };
    Ok(files.last().filter(|epoch| **epoch > root.generation).map(|_| damage))
}

impl<H: Host> ChangeLog<H> {
    /// Gives lost instances a cell again, which says that they are damaged. The root's lock is held.
    pub(super) fn restore_cells(&self, root: &Root) -> Result<()> {
        for Orphan { epoch, instance, end, damage } in orphans(&self.host, &self.name, root)? {
            let says = Instance {
                log: self.root.id,
                slot: None,
                beat_ms: 0,
                heartbeat_ms: 0,
                frame: end.frame,
                check: end.check,
                life: Life::Closed,
                damage: Some(Found::of(&damage)),
            };
            cell::swap(&self.host, &self.name, (&instance, epoch), None, Some(&says))?;
        }
        Ok(())
    }
}
