//! Reading the files of one instance: what was outstanding in it, and whose changes it had taken over.
//!
//! Damage costs the items that it hits, and is named; everything else is read. What a damaged instance had begun to take
//! over counts although the item that says so may be lost: too much is outstanding then, never too little.

use super::State;
use super::held::{Entry, Held, Key, key};
use super::item::{Item, Tag};
use crate::error::{Damage, Error, Result, Token};
use crate::format::root::Root;
use crate::record_log::{Lane, RecordLog, View};
use crate::storage::Host;
use crate::types::unpack;
use alloc::{collections::BTreeSet, vec::Vec};

/// Bytes read at a time.
const PIECE: u64 = 1 << 20;

/// What the files of an instance say.
pub(super) struct Read<H: Host> {
    pub(super) log: RecordLog<H, State>,
    pub(super) held: Held,
    /// Epochs whose changes are here.
    pub(super) adopted: BTreeSet<u64>,
    /// The first thing that is wrong.
    pub(super) damage: Option<Damage>,
}

/// Reads the part that is the root's generation, in which a frame was durable. `source` is the number that its entries get.
pub(super) fn read<H: Host>(
    host: &H,
    name: &str,
    root: &Root,
    end: Option<Token>,
    source: usize,
) -> Result<Read<H>> {
    // An instance that does not know yet that it is dead may give up files while they are read. Once at most: then it
    // looks at its cell.
    match read_once(host, name, root, end, source) {
        Ok(read) if read.damage.is_none() => Ok(read),
        Err(error) if !matches!(error, Error::Damaged(_)) => Err(error),
        _ => read_once(host, name, root, end, source),
    }
}

fn read_once<H: Host>(
    host: &H,
    name: &str,
    root: &Root,
    end: Option<Token>,
    source: usize,
) -> Result<Read<H>> {
    let whatever = || RecordLog::<H, State>::open_part(host, name, root, None);
    let (mut log, missing) = match RecordLog::open_part(host, name, root, end) {
        Ok(log) => (log, None),
        Err(Error::RolledBack(_)) => {
            let log = whatever()?;
            let damage = shortened(&log);
            (log, Some(damage))
        }
        Err(Error::Damaged(damage)) => (whatever()?, Some(damage)),
        Err(error) => return Err(error),
    };
    let mut fold = Fold::new(source);
    let mut damage = log.damage().first().or(log.cut_short()).cloned().or(missing);
    let (mut position, end) = (log.view().boundary(), log.next());
    let (mut ends, mut bytes) = (Vec::new(), Vec::new());
    while position < end {
        ends.clear();
        bytes.clear();
        match log.read_frame(position, end - position, PIECE, Lane::Stream, &mut ends, &mut bytes) {
            Ok(count) if count > 0 => {
                for item in unpack(&ends, &bytes) {
                    if !fold.take(item, position)? {
                        damage.get_or_insert_with(|| senseless(&log, position));
                    }
                    position += 1;
                }
            }
            Ok(_) => return Err(Error::Other("reading gave nothing".into())),
            Err(Error::Damaged(found)) => {
                position = found.next.unwrap_or(end).clamp(position + 1, end);
                damage.get_or_insert(found);
            }
            Err(error) => return Err(error),
        }
    }
    if damage.is_some() {
        fold.settle(0);
    }
    Ok(Read { log, held: fold.held, adopted: fold.adopted, damage })
}

/// Frames that were durable are not there, or others are.
pub(super) fn shortened<H: Host>(log: &RecordLog<H, State>) -> Damage {
    let what = "frames that were durable are missing at its end".into();
    Damage { file: log.file_name().into(), offset: 0, lowest: Some(log.next()), next: None, what }
}

/// A position whose item is intact and says nothing.
pub(super) fn senseless<H: Host>(log: &RecordLog<H, State>, position: u64) -> Damage {
    let what = "an item makes no sense".into();
    Damage { file: log.file_name().into(), offset: 0, lowest: Some(position), next: Some(position + 1), what }
}

/// What items come to, one after the other.
pub(super) struct Fold {
    source: usize,
    pub(super) held: Held,
    pub(super) adopted: BTreeSet<u64>,
    /// What was taken over and does not count yet.
    pending: Vec<(Key, Entry)>,
}

impl Fold {
    pub(super) fn new(source: usize) -> Fold {
        Fold { source, held: Held::default(), adopted: BTreeSet::new(), pending: Vec::new() }
    }

    /// Takes the item at this position. False if it makes no sense.
    pub(super) fn take(&mut self, bytes: &[u8], position: u64) -> Result<bool> {
        let Some((item, _)) = Item::decode(bytes) else { return Ok(false) };
        let entry = |tag: &Tag<'_>| Entry::at(self.source, position, bytes.len() as u64, tag);
        match item {
            Item::Put(tag) => {
                let (key, entry) = (key(tag.origin, tag.id)?, entry(&tag));
                self.held.check_room(1, key.len() as u64)?;
                self.held.put(key.into(), entry);
            }
            Item::Adopt(tag) => {
                let (key, entry) = (key(tag.origin, tag.id)?, entry(&tag));
                self.pending.try_reserve(1).map_err(|_| Error::Other("memory exhausted".into()))?;
                self.pending.push((key.into(), entry));
            }
            Item::Remove { origin, id } => {
                self.held.remove(&key(origin, id)?);
            }
            Item::Adopted { since, epochs } => {
                self.settle(since);
                self.adopted.extend(epochs);
            }
        }
        Ok(true)
    }

    /// What was taken over from this position on counts.
    fn settle(&mut self, since: u64) {
        for (key, entry) in core::mem::take(&mut self.pending) {
            if entry.position >= since && self.held.yields(&key, entry.epoch) {
                self.held.put(key, entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag<'a>(origin: &'a str, epoch: u64, id: &'a [u8]) -> Tag<'a> {
        Tag { origin, epoch, id, cleanup_after_ms: None }
    }

    fn fold(items: &[Item<'_>]) -> Vec<(Vec<u8>, u64)> {
        let mut fold = Fold::new(0);
        for (position, item) in items.iter().enumerate() {
            assert!(fold.take(&item.encode().unwrap(), position as u64).unwrap());
        }
        fold.held.iter().map(|(key, entry)| (key.to_vec(), entry.position)).collect()
    }

    #[test]
    fn what_was_taken_over_counts_only_once_all_of_it_is_there() {
        let begun = [Item::Adopt(tag("a", 1, b"x")), Item::Adopt(tag("a", 1, b"y"))];
        assert_eq!(fold(&begun), []);
        let done = Item::Adopted { since: 1, epochs: alloc::vec![1] };
        let [x, y] = begun;
        assert_eq!(fold(&[x, y, done]), [(b"a\0y".to_vec(), 1)], "an attempt before does not count");
    }

    #[test]
    fn the_later_use_of_a_name_stands_in_whichever_order_it_is_taken_over() {
        let done = || Item::Adopted { since: 0, epochs: alloc::vec![1] };
        let [old, new] = [1, 2].map(|epoch| Item::Adopt(tag("a", epoch, b"x")));
        assert_eq!(fold(&[old.clone(), new.clone(), done()]), [(b"a\0x".to_vec(), 1)]);
        assert_eq!(fold(&[new, done(), old, done()]), [(b"a\0x".to_vec(), 0)]);
    }

    #[test]
    fn a_put_replaces_and_a_remove_removes_whatever_was_there() {
        let [put, other] = [2, 1].map(|epoch| Item::Put(tag("a", epoch, b"x")));
        assert_eq!(fold(&[put.clone(), other]), [(b"a\0x".to_vec(), 1)]);
        assert_eq!(fold(&[put, Item::Remove { origin: "a", id: b"x" }]), []);
    }
}
