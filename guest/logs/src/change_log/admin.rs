//! What an operator asks of a change log: the files of all its instances together.

use super::view::{self, Part};
use super::{State, cell, fold, orphan};
use crate::admin::{LogInfo, SegmentInfo};
use crate::error::{Damage, Error, Result};
use crate::format::instance::Life;
use crate::format::names::FileName;
use crate::format::root::{Kind, Root, State as RootState};
use crate::record_log::verify::{Verify, stray};
use crate::record_log::{self, RecordLog};
use crate::storage::Host;
use alloc::{collections::VecDeque, string::String, vec::Vec};

/// All instances at a glance. Items are outstanding changes; there are no positions.
pub(crate) fn info<H: Host>(host: &H, name: &str) -> Result<LogInfo> {
    let (_, view) = view::read(host, name, None)?;
    let mut info = LogInfo {
        name: name.into(),
        kind: Kind::ChangeLog,
        state: RootState::Live,
        clean: view.damage.is_empty(),
        items: 0,
        oldest: None,
        next: 0,
        begun_ms: 0,
        bytes: 0,
        live_bytes: 0,
        segments: 0,
        token: None,
        damage: view.damage,
    };
    for Part { seen, read } in view.parts {
        info.clean &= seen.says.is_ok_and(|says| says.life == Life::Closed);
        let Some(mut read) = read else { continue };
        info.begun_ms = info.begun_ms.max(read.log.begun_ms());
        let live = !view.superseded.contains(&seen.epoch);
        for facts in read.log.segment_facts()? {
            info.segments += 1;
            info.bytes = info.bytes.saturating_add(facts.bytes);
            info.live_bytes = info.live_bytes.saturating_add(if live { facts.live_bytes } else { 0 });
        }
        info.items += if live { read.held.len() } else { 0 };
    }
    Ok(info)
}

/// The files of all instances, those of the oldest one first.
pub(crate) fn segments<H: Host>(host: &H, name: &str) -> Result<Vec<SegmentInfo>> {
    let root = view::root(host, name)?;
    let mut segments = Vec::new();
    for epoch in epochs(host, name)? {
        let mut log = open(host, name, &root, epoch)?;
        for f in log.segment_facts()? {
            segments.push(SegmentInfo {
                file: f.file,
                sealed: f.sealed,
                bytes: f.bytes,
                live_bytes: f.live_bytes,
                frames: f.frames,
                first: f.first,
                next: f.next,
            });
        }
    }
    Ok(segments)
}

fn epochs<H: Host>(host: &H, name: &str) -> Result<Vec<u64>> {
    let mut epochs: Vec<u64> = cell::list(host, name)?.into_iter().map(|(_, epoch)| epoch).collect();
    epochs.sort_unstable();
    Ok(epochs)
}

fn open<H: Host>(host: &H, name: &str, root: &Root, epoch: u64) -> Result<RecordLog<H, State>> {
    RecordLog::open_part(host, name, &Root { generation: epoch, ..root.clone() }, None)
}

/// A check of all files, one instance after the other.
pub(crate) struct Check<H: Host> {
    host: H,
    name: String,
    root: Root,
    parts: VecDeque<(cell::Seen, Verify<H, State>)>,
    damage: Vec<Damage>,
    /// Bytes checked of parts that are done with.
    done: u64,
    total: u64,
}

/// Begins to check every byte.
pub(crate) fn check<H: Host>(host: &H, name: &str) -> Result<Check<H>> {
    for _ in 0..view::ATTEMPTS {
        let root = view::root(host, name)?;
        let check = check_at(host, name, &root)?;
        // The files of a log that was made anew meanwhile are no leftovers of the one before.
        if check.damage.is_empty() || view::root(host, name)?.id == root.id {
            return Ok(check);
        }
    }
    Err(view::made_anew(name))
}

fn check_at<H: Host>(host: &H, name: &str, root: &Root) -> Result<Check<H>> {
    let cells = cell::list(host, name)?;
    let mut damage = Vec::new();
    let mut parts = VecDeque::new();
    for seen in cell::all(host, name, root.id)? {
        damage.extend(seen.says.as_ref().err().cloned());
        let part = Root { generation: seen.epoch, ..root.clone() };
        let whole = match RecordLog::open_part(host, name, &part, seen.end(root.id)) {
            // Some of its files may have gone since they were listed, and the others by now.
            Err(Error::Storage(_)) if going(host, name, root, &seen)? => {
                RecordLog::open_part(host, name, &part, seen.end(root.id))
            }
            outcome => outcome,
        };
        let shortened = matches!(whole, Err(Error::RolledBack(_)));
        match if shortened { RecordLog::open_part(host, name, &part, None) } else { whole } {
            Ok(log) => {
                if shortened && !going(host, name, root, &seen)? {
                    damage.push(fold::shortened(&log));
                }
                parts.push_back((seen, Verify::of(log)?));
            }
            Err(Error::Damaged(found)) => {
                damage.extend((!going(host, name, root, &seen)?).then_some(found));
            }
            Err(error) => return Err(error),
        }
    }
    damage.extend(orphan::older_root(host, name, root)?);
    let lost = match orphan::orphans(host, name, root) {
        // What cannot be read may have gone since it was listed.
        Err(Error::Storage(_)) if cell::list(host, name)? != cells => Vec::new(),
        outcome => outcome?,
    };
    for lost in lost {
        // Somebody may have come, or have been taken over, since.
        let files = record_log::parts(host, name, root.id)?.0;
        let cells = cell::list(host, name)?;
        if files.contains(&lost.epoch) && cells.iter().all(|(_, epoch)| *epoch != lost.epoch) {
            damage.push(lost.damage);
        }
    }
    // Other files of this log without a cell are leftovers, not damage.
    damage.extend(record_log::parts(host, name, root.id)?.1.iter().map(|file| stray(file)));
    let total = parts.iter().map(|(_, part)| part.total).sum();
    let (host, name, root) = (host.clone(), name.into(), root.clone());
    Ok(Check { host, name, root, parts, damage, done: 0, total })
}

/// Whether somebody takes over this instance, or has: then it is no damage that its files go.
fn going<H: Host>(host: &H, name: &str, root: &Root, seen: &cell::Seen) -> Result<bool> {
    let now = cell::look(host, name, root.id, &seen.instance, seen.epoch)?;
    Ok(now.is_none_or(|now| now.claimer().is_some()))
}

impl<H: Host> crate::admin::Check for Check<H> {
    fn next(&mut self, bytes: u64) -> Result<Option<Vec<Damage>>> {
        while let Some((seen, part)) = self.parts.front_mut() {
            if let Some(found) = part.next(bytes)? {
                if !found.is_empty() && !going(&self.host, &self.name, &self.root, seen)? {
                    self.damage.extend(found);
                }
                return Ok(Some(core::mem::take(&mut self.damage)));
            }
            self.done += part.checked;
            self.parts.pop_front();
        }
        Ok(Some(core::mem::take(&mut self.damage)).filter(|damage| !damage.is_empty()))
    }

    fn progress(&self) -> (u64, u64) {
        (self.done + self.parts.front().map_or(0, |(_, part)| part.checked), self.total)
    }
}

/// What can be read of a file: positions from, to, and the address from which on.
pub(crate) fn live_runs<H: Host>(host: &H, file: &FileName) -> Result<Vec<(u64, u64, u64)>> {
    let root = view::root(host, &file.log)?;
    open(host, &file.log, &root, file.generation)?.live_runs(file.segment)
}
