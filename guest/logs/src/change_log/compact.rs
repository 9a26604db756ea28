//! Keeping the files of an instance small: what is outstanding in older files is written again at the head once it is the
//! smaller part of them, and then the older files are given up.

use super::held::{self, Entry, Key};
use super::item::{Item, Tag};
use super::{ChangeLog, cell, payload, state::Moved};
use crate::error::{Error, Result};
use crate::storage::Host;
use alloc::{collections::BTreeSet, vec::Vec};

/// Bytes of changes that are copied as one frame, or one change if it is larger.
pub(super) const COPY: u64 = 4 << 20;
/// About what a frame takes besides its items.
const FRAME: u64 = 144;

/// What the files of an instance hold, and how much of that is outstanding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    /// The newest segment, the first position in it, and what was written to it.
    segment: u64,
    first: u64,
    newest: u64,
    /// What was written to older segments.
    older: u64,
    /// Bytes of outstanding changes: in all, and of those in older segments.
    all_live: u64,
    older_live: u64,
    /// Older segments cannot be read: not tried again before the next one is full.
    stuck: bool,
}

impl Space {
    pub(super) fn new(segment: u64) -> Space {
        Space { segment, first: 0, newest: 0, older: 0, all_live: 0, older_live: 0, stuck: false }
    }

    /// A frame of so many bytes was written to this segment, its items from this position on.
    pub(super) fn wrote(&mut self, segment: u64, first: u64, bytes: u64) {
        if segment != self.segment {
            (self.segment, self.first) = (segment, first);
            self.older += self.newest;
            self.newest = 0;
            (self.older_live, self.stuck) = (self.all_live, false);
        }
        self.newest += bytes + FRAME;
    }

    pub(super) fn live(&mut self, entry: &Entry) {
        self.all_live += entry.size;
        self.older_live += if entry.position < self.first { entry.size } else { 0 };
    }

    pub(super) fn dead(&mut self, entry: &Entry) {
        self.all_live = self.all_live.saturating_sub(entry.size);
        let older = if entry.position < self.first { entry.size } else { 0 };
        self.older_live = self.older_live.saturating_sub(older);
    }

    /// Whether giving up older segments pays.
    fn is_due(&self) -> bool {
        self.older > 0 && !self.stuck && self.older_live <= self.older / 2
    }
}

impl<H: Host> ChangeLog<H> {
    /// Gives up older segments if that pays. What was asked for is done already, so nobody is told of an error; if it was
    /// one that closes the log, the next call tells.
    pub(super) fn compact(&mut self) {
        if self.own.as_ref().is_some_and(|own| own.space.is_due())
            && self.move_up().is_err()
            && let Some(own) = &mut self.own
        {
            own.space.stuck = true;
        }
    }

    fn move_up(&mut self) -> Result<()> {
        let Space { segment: keep, first: target, older: given_up, .. } = self.own()?.space;
        let below = |(_, entry): &(&Key, &Entry)| entry.position < target;
        let mut moving: Vec<(Key, Entry)> =
            self.held.iter().filter(below).map(|(key, entry)| (key.clone(), *entry)).collect();
        moving.sort_unstable_by_key(|(_, entry)| entry.position);
        let mut left = moving.as_slice();
        while !left.is_empty() {
            left = self.copy_some(left)?;
        }
        // Who is gone for good need not be remembered as taken over.
        let present: BTreeSet<u64> =
            cell::list(&self.host, &self.name)?.into_iter().map(|(_, epoch)| epoch).collect();
        let own = self.own()?;
        own.adopted.retain(|epoch| present.contains(epoch));
        let epochs: Vec<u64> = own.adopted.iter().copied().collect();
        if !epochs.is_empty() {
            let since = self.log()?.next();
            let item = Item::Adopted { since, epochs }.encode()?;
            self.write(&[&[&item]], false)?;
        }
        let moved = postcard::to_allocvec(&Moved(target)).unwrap_or_default(); // cannot fail: one number
        self.log()?.write_meta(moved, Some(keep))?;
        let first = self.own()?.space.first;
        let older = self.held.iter().filter(|(_, entry)| entry.position < first);
        let older_live = older.map(|(_, entry)| entry.size).sum();
        let space = &mut self.own()?.space;
        (space.older, space.older_live) = (space.older.saturating_sub(given_up), older_live);
        Ok(())
    }

    /// Writes the first of these changes again, as one frame, and returns the rest.
    fn copy_some<'a>(&mut self, moving: &'a [(Key, Entry)]) -> Result<&'a [(Key, Entry)]> {
        let (mut items, mut bytes) = (Vec::new(), 0);
        for (key, entry) in moving {
            if !items.is_empty() && bytes + entry.size > COPY {
                break;
            }
            let (origin, id) = held::split(key);
            let Entry { epoch, cleanup_after_ms, .. } = *entry;
            let head = Item::Put(Tag { origin, epoch, id, cleanup_after_ms }).encode()?;
            let log = self.logs.first_mut().ok_or(Error::Closed)?;
            let payload = payload(log, entry)?;
            bytes += (head.len() + payload.len()) as u64;
            items.push((head, payload));
        }
        let parts: Vec<[&[u8]; 2]> = items.iter().map(|(head, payload)| [&head[..], &payload[..]]).collect();
        let frame: Vec<&[&[u8]]> = parts.iter().map(|parts| &parts[..]).collect();
        let first = self.log()?.next();
        self.write(&frame, false)?;
        for (((key, entry), parts), position) in moving.iter().zip(&parts).zip(first..) {
            let size = parts.iter().map(|part| part.len() as u64).sum();
            // The serial stays: it is the same change at another place.
            self.hold(key.clone(), Entry { position, size, ..*entry });
        }
        moving.get(items.len()..).ok_or(Error::Other("more was copied than there is".into()))
    }
}
