//! Keeping the files of an instance small: what is outstanding in older files is written again at the head once it is the
//! smaller part of them, and then the older files are given up.

use super::held::{self, Entry, Key};
use super::item::{Item, Tag};
use super::{ChangeLog, cell, payload, state::Moved};
use crate::error::{Error, Result};
use crate::storage::Host;
use alloc::{collections::BTreeSet, collections::VecDeque, vec::Vec};

/// Bytes of changes that are copied as one frame, or one change if it is larger.
pub(super) const COPY: u64 = 4 << 20;
/// About what a frame takes besides its items.
const FRAME: u64 = 144;

/// A segment, and what is outstanding in it.
#[derive(Clone, Copy, Debug)]
struct Segment {
    number: u64,
    /// First position in it.
    first: u64,
    /// What was written to it, and how much of that is outstanding.
    bytes: u64,
    live: u64,
}

/// What the files of an instance hold. The newest segment is the last one.
#[derive(Clone, Debug)]
pub(super) struct Space {
    segments: VecDeque<Segment>,
    /// Giving up older ones failed: not tried again before the next one is full, or something more is gone.
    stuck: bool,
}

impl Space {
    pub(super) fn new(number: u64) -> Space {
        let first = Segment { number, first: 0, bytes: 0, live: 0 };
        Space { segments: [first].into(), stuck: false }
    }

    /// A frame of so many bytes was written to this segment, its items from this position on.
    pub(super) fn wrote(&mut self, number: u64, first: u64, bytes: u64) {
        if self.segments.back().is_none_or(|newest| newest.number != number) {
            self.segments.push_back(Segment { number, first, bytes: 0, live: 0 });
            self.stuck = false;
        }
        if let Some(newest) = self.segments.back_mut() {
            newest.bytes += bytes + FRAME;
        }
    }

    fn holder(&mut self, position: u64) -> Option<&mut Segment> {
        let at = self.segments.partition_point(|segment| segment.first <= position);
        self.segments.get_mut(at.checked_sub(1)?)
    }

    pub(super) fn live(&mut self, entry: &Entry) {
        if let Some(segment) = self.holder(entry.position) {
            segment.live += entry.size;
        }
    }

    pub(super) fn dead(&mut self, entry: &Entry) {
        if let Some(segment) = self.holder(entry.position) {
            segment.live = segment.live.saturating_sub(entry.size);
            self.stuck &= segment.live > 0;
        }
    }

    /// The first segment to keep, if giving up those before it pays: nothing is outstanding in them, or in all older ones
    /// no more than half.
    fn due(&self) -> Option<Segment> {
        let newest = self.segments.back().copied()?;
        let older = || self.segments.iter().take(self.segments.len() - 1);
        if self.stuck || older().next().is_none() {
            return None;
        }
        let (bytes, live) = older().fold((0, 0), |(bytes, live), s| (bytes + s.bytes, live + s.live));
        if live <= bytes / 2 {
            return Some(newest);
        }
        let empty = older().take_while(|segment| segment.live == 0).count();
        self.segments.get(empty).filter(|_| empty > 0).copied()
    }
}

impl<H: Host> ChangeLog<H> {
    /// Gives up older segments if that pays. What was asked for is done already, so nobody is told of an error; if it was
    /// one that closes the log, the next call tells.
    pub(super) fn compact(&mut self) {
        if let Some(keep) = self.own.as_ref().and_then(|own| own.space.due())
            && self.move_up(keep).is_err()
            && let Some(own) = &mut self.own
        {
            own.space.stuck = true;
        }
    }

    /// Writes again what is outstanding below this segment, and gives up what is before it.
    fn move_up(&mut self, keep: Segment) -> Result<()> {
        let below = |(_, entry): &(&Key, &Entry)| entry.position < keep.first;
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
            self.write(&[&[&item]], true)?;
        }
        let moved = postcard::to_allocvec(&Moved(keep.first)).unwrap_or_default(); // cannot fail: one number
        self.log()?.write_meta(moved, Some(keep.number))?;
        self.own()?.space.segments.retain(|segment| segment.number >= keep.number);
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
