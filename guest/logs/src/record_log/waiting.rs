//! Single appends that wait in memory until they become a frame.

use super::window::exhausted;
use super::{NewFrame, RecordLog, View, Waiting, room};
use crate::error::{Error, Result};
use crate::format::frame::Kind;
use crate::format::{MAX_BATCH, MAX_COUNT};
use crate::storage::Host;
use alloc::vec::Vec;

impl<H: Host, V: View> RecordLog<H, V> {
    /// Takes an item to wait; what waits already is written first if both do not fit into one frame.
    pub(crate) fn hold(&mut self, item: &[u8]) -> Result<()> {
        let Waiting { ends, bytes, .. } = &self.waiting;
        if (bytes.len() + item.len()) as u64 > MAX_BATCH || ends.len() as u64 >= MAX_COUNT {
            self.flush()?;
        }
        let Waiting { ends, bytes, .. } = &mut self.waiting;
        bytes.try_reserve(item.len()).map_err(exhausted)?;
        ends.try_reserve(1).map_err(exhausted)?;
        bytes.extend_from_slice(item);
        ends.push(bytes.len() as u32);
        Ok(())
    }

    /// The same, of an item with a position that is not below the next one.
    pub(crate) fn hold_at(&mut self, id: u64, item: &[u8]) -> Result<()> {
        self.waiting.ids.try_reserve(1).map_err(exhausted)?;
        self.hold(item)?;
        self.waiting.ids.push(id);
        Ok(())
    }

    /// Bytes that wait.
    pub(crate) fn held(&self) -> usize {
        self.waiting.bytes.len() + 4 * self.waiting.ends.len()
    }

    /// Gives up the item that was taken last.
    pub(crate) fn take_back(&mut self) {
        let Waiting { ends, bytes, ids } = &mut self.waiting;
        ends.pop();
        ids.pop();
        bytes.truncate(ends.last().map_or(0, |end| *end as usize));
    }

    /// Writes what waits as one frame. If that fails for lack of space, it goes on waiting.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.waiting.ends.is_empty() {
            return self.check_open();
        }
        let Waiting { ends, bytes, ids } = core::mem::take(&mut self.waiting);
        let mut list = room(ends.len() * 4)?;
        list.extend(ends.iter().flat_map(|end| end.to_le_bytes()));
        let first = ids.first().copied().unwrap_or(self.history.view.next());
        let parts: [&[u8]; 2] = [&list, &bytes];
        let count = ends.len() as u32;
        let listed = (!ids.is_empty()).then_some(&ids[..]);
        let new = NewFrame { kind: Kind::Append, first, count, ids: listed, parts: &parts, kept: false };
        let outcome = self.write_frame(&new);
        match &outcome {
            // Keep the memory for the next ones.
            Ok(()) => self.waiting = emptied(ends, bytes, ids),
            Err(Error::OutOfSpace | Error::TooLarge { .. }) => self.waiting = Waiting { ends, bytes, ids },
            Err(_) => {}
        }
        outcome
    }

    /// Reads waiting items, from number `from` on; as `read_frame`.
    pub(crate) fn read_held(
        &self,
        from: u64,
        count: u64,
        most: u64,
        ends: &mut Vec<u32>,
        bytes: &mut Vec<u8>,
    ) -> Result<u64> {
        let mut start = match from.checked_sub(1) {
            Some(before) => self.waiting.ends.get(before as usize).copied().unwrap_or(0) as usize,
            None => 0,
        };
        let mut n = 0;
        for &end in self.waiting.ends.iter().skip(from as usize).take(count.min(MAX_COUNT) as usize) {
            let item = self.waiting.bytes.get(start..end as usize).unwrap_or(&[]);
            if (bytes.len() + item.len()) as u64 > most && !ends.is_empty() {
                break;
            }
            bytes.extend_from_slice(item);
            ends.push(bytes.len() as u32);
            (start, n) = (end as usize, n + 1);
        }
        Ok(n)
    }

    /// Reads waiting items by position; as `read_sparse`.
    #[allow(clippy::too_many_arguments)] // as there
    pub(super) fn read_held_ids(
        &self,
        from: u64,
        below: u64,
        count: u64,
        most: u64,
        ids: &mut Vec<u64>,
        ends: &mut Vec<u32>,
        bytes: &mut Vec<u8>,
    ) -> Result<u64> {
        let (first, last) = self.held_between(from, below);
        let n = self.read_held(first as u64, count.min((last - first) as u64), most, ends, bytes)?;
        let read = self.waiting.ids.get(first..first + n as usize).unwrap_or(&[]);
        ids.try_reserve(read.len()).map_err(exhausted)?;
        ids.extend_from_slice(read);
        Ok(match read.last() {
            Some(last) => last.saturating_add(1).min(below),
            None if first == last => below,
            None => from, // nothing of it fits any more
        })
    }

    fn held_between(&self, from: u64, below: u64) -> (usize, usize) {
        let ids = &self.waiting.ids;
        let first = ids.partition_point(|id| *id < from);
        (first, ids.partition_point(|id| *id < below).max(first))
    }

    /// Number of waiting items with positions in this range.
    pub(crate) fn held_ids(&self, from: u64, below: u64) -> u64 {
        let (first, last) = self.held_between(from, below);
        (last - first) as u64
    }

    /// The lowest position of a waiting item in this range.
    pub(crate) fn first_held(&self, low: u64, below: u64) -> Option<u64> {
        let (first, last) = self.held_between(low, below);
        self.waiting.ids.get(first..last)?.first().copied()
    }

    /// The highest position of a waiting item in this range.
    pub(crate) fn last_held(&self, low: u64, below: u64) -> Option<u64> {
        let (first, last) = self.held_between(low, below);
        self.waiting.ids.get(first..last)?.last().copied()
    }
}

fn emptied(mut ends: Vec<u32>, mut bytes: Vec<u8>, mut ids: Vec<u64>) -> Waiting {
    ends.clear();
    bytes.clear();
    ids.clear();
    Waiting { ends, bytes, ids }
}
