//! Streaming what is outstanding, as it was when that began.

use super::held::{self, Entry, Key};
use super::{Change, Outstanding};
use super::{ChangeLog, State, payload};
use crate::error::{Bounds, Damage, Error, Result};
use crate::record_log::{RecordLog, View, room};
use crate::storage::Host;
use crate::types::Limits;
use alloc::{collections::VecDeque, vec::Vec};

/// A stream of outstanding changes under way.
#[derive(Clone, Debug)]
pub struct Scan {
    entries: Vec<(Key, Entry)>,
    next: usize,
    /// Damage of instances that is still to be told.
    damage: VecDeque<Damage>,
}

impl<H: Host> ChangeLog<H> {
    /// Begins to stream what is outstanding as of now.
    pub fn scan(&mut self, include_deferred: bool) -> Result<Scan> {
        self.check_open()?;
        let now = self.host.now_ms();
        let mut entries = room(self.held.len() as usize)?;
        for (key, entry) in self.held.iter() {
            if include_deferred || entry.cleanup_after_ms.is_none_or(|after| after <= now) {
                entries.push((key.clone(), *entry));
            }
        }
        Ok(Scan { entries, next: 0, damage: self.damage.iter().cloned().collect() })
    }

    /// The next changes, or none at the end.
    pub fn scan_next(&mut self, scan: &mut Scan, limits: Limits) -> Result<Option<Vec<Outstanding>>> {
        self.check_open()?;
        if let Some(damage) = scan.damage.pop_front() {
            return Err(Error::Damaged(damage));
        }
        let (mut found, mut bytes) = (Vec::new(), 0);
        while let Some((key, entry)) = scan.entries.get(scan.next) {
            let full =
                found.len() >= limits.count.max(1) as usize || bytes + entry.size > u64::from(limits.bytes);
            if full && !found.is_empty() {
                break;
            }
            match self.shown(key, entry) {
                Ok(change) => {
                    bytes += entry.size;
                    let (origin, id) = held::split(key);
                    found.push(Outstanding { origin: origin.into(), id: id.into(), change });
                    scan.next += 1;
                }
                // What was found before it is told first.
                Err(_) if !found.is_empty() => break,
                Err(Error::Damaged(damage)) => {
                    scan.next += 1;
                    return Err(Error::Damaged(damage));
                }
                Err(Error::Pruned(bounds)) => {
                    scan.next = scan.entries.len();
                    return Err(Error::Pruned(bounds));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(if found.is_empty() { None } else { Some(found) })
    }

    /// A change as it was when the stream began.
    fn shown(&mut self, key: &[u8], entry: &Entry) -> Result<Change> {
        // It may have been written again elsewhere.
        let now = self.held.get(key).filter(|now| now.serial == entry.serial && now.source == entry.source);
        let entry = *now.unwrap_or(entry);
        let read_only = self.own.is_none();
        let log = self.logs.get_mut(entry.source).ok_or(Error::Closed)?;
        let bounds = Bounds { start: log.view().boundary(), end: log.next() };
        if entry.position < bounds.start {
            return Err(Error::Pruned(bounds));
        }
        let payload = match payload(log, &entry) {
            Err(Error::Damaged(damage)) if read_only => {
                // Whoever writes it may have given it up since.
                let part = super::Root { generation: log.generation(), ..self.root.clone() };
                let gone = match RecordLog::<H, State>::open_part(&self.host, &self.name, &part, None) {
                    Ok(log) => entry.position < log.view().boundary(),
                    Err(_) => !super::cell::list(&self.host, &self.name)?
                        .iter()
                        .any(|(_, epoch)| *epoch == part.generation),
                };
                return Err(if gone { Error::Pruned(bounds) } else { Error::Damaged(damage) });
            }
            outcome => outcome?,
        };
        Ok(Change { payload, cleanup_after_ms: entry.cleanup_after_ms })
    }
}
