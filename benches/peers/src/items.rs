//! Items that are written, and the check that exactly they are read back.

use anyhow::{Result, ensure};
use std::sync::Arc;

/// Items of one size, the same in every run. There are far fewer of them than positions, so that they stay in the
/// processor's cache and no contender is measured by how fast memory is.
#[derive(Debug)]
pub(crate) struct Table {
    size: usize,
    count: u64,
    bytes: Vec<u8>,
}

/// So many different items: eight batches of a thousand.
pub(crate) const DIFFERENT: u64 = 8000;

impl Table {
    /// Items of `size` bytes, at least 8.
    pub(crate) fn new(size: usize) -> Arc<Table> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ size as u64;
        let mut bytes = vec![0; size * DIFFERENT as usize];
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        Arc::new(Table { size, count: DIFFERENT, bytes })
    }

    /// Bytes of an item.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The item at a position.
    pub(crate) fn item(&self, position: u64) -> &[u8] {
        let start = (position % self.count) as usize * self.size;
        &self.bytes[start..start + self.size]
    }

    /// So many items from `first` on, which together must not pass the end of the table.
    pub(crate) fn packed(&self, first: u64, count: u64) -> &[u8] {
        let start = (first % self.count) as usize * self.size;
        &self.bytes[start..start + count as usize * self.size]
    }

    /// Where packed items end.
    pub(crate) fn ends(&self, count: u64) -> Vec<u32> {
        (1..=count as usize).map(|n| (n * self.size) as u32).collect()
    }

    /// All different items, each made into what a contender wants.
    pub(crate) fn map<T>(&self, make: impl FnMut(&[u8]) -> T) -> Vec<T> {
        self.bytes.chunks_exact(self.size).map(make).collect()
    }
}

/// Positions in the order in which they are read.
pub(crate) type Positions = Box<dyn Iterator<Item = u64> + Send + Sync>;

/// What was read: in a timed pass a number that depends on the items and their order; in a pass before it, every byte.
pub(crate) struct Seen {
    count: u64,
    mix: u64,
    exact: Option<Exact>,
}

struct Exact {
    table: Arc<Table>,
    positions: Positions,
    wrong: Option<u64>,
}

impl Seen {
    /// For a timed pass.
    pub(crate) fn quick() -> Seen {
        Seen { count: 0, mix: 0, exact: None }
    }

    /// For a pass that compares every byte.
    pub(crate) fn exact(table: &Arc<Table>, positions: Positions) -> Seen {
        let exact = Exact { table: table.clone(), positions, wrong: None };
        Seen { count: 0, mix: 0, exact: Some(exact) }
    }

    /// The next item that was read.
    #[inline]
    pub(crate) fn add(&mut self, item: &[u8]) {
        self.count += 1;
        self.mix = self.mix.rotate_left(5) ^ head(item);
        if let Some(exact) = &mut self.exact {
            exact.compare(item);
        }
    }

    /// Whether these were the items at these positions.
    pub(crate) fn verify(self, table: &Table, positions: impl Iterator<Item = u64>) -> Result<()> {
        let mut expected = Seen::quick();
        positions.for_each(|position| expected.add(table.item(position)));
        let (count, wanted) = (self.count, expected.count);
        ensure!(count == wanted, "{count} items were read instead of {wanted}");
        if let Some(exact) = self.exact {
            ensure!(exact.wrong.is_none(), "position {:?} is not what was written", exact.wrong);
        }
        ensure!(self.mix == expected.mix, "other items were read than those that were written");
        Ok(())
    }
}

impl Exact {
    #[cold]
    fn compare(&mut self, item: &[u8]) {
        let position = self.positions.next().unwrap_or(u64::MAX);
        if self.table.item(position) != item {
            self.wrong.get_or_insert(position);
        }
    }
}

/// The first bytes of an item and its length.
#[inline]
fn head(item: &[u8]) -> u64 {
    let first = item.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk));
    first ^ item.len() as u64
}

#[cfg(test)]
mod tests {
    use super::{DIFFERENT, Positions, Seen, Table};

    fn read(positions: &[u64], change: impl Fn(usize, &mut Vec<u8>), exact: bool) -> bool {
        let table = Table::new(100);
        let expected: Vec<u64> = (5..15).collect();
        let all: Positions = Box::new(expected.clone().into_iter());
        let mut seen = if exact { Seen::exact(&table, all) } else { Seen::quick() };
        for (number, position) in positions.iter().enumerate() {
            let mut item = table.item(*position).to_vec();
            change(number, &mut item);
            seen.add(&item);
        }
        seen.verify(&table, expected.into_iter()).is_ok()
    }

    #[test]
    fn what_is_read_must_be_what_was_written() {
        let all: Vec<u64> = (5..15).collect();
        let same = |_: usize, _: &mut Vec<u8>| ();
        for exact in [false, true] {
            assert!(read(&all, same, exact));
            assert!(!read(&all[1..], same, exact), "one is missing");
            assert!(!read(&[&all[..], &[15]].concat(), same, exact), "one too many");
            assert!(!read(&[&all[1..], &[5]].concat(), same, exact), "another order");
            assert!(!read(&[&[6], &all[1..]].concat(), same, exact), "one twice instead of another");
            let shorter =
                |number: usize, item: &mut Vec<u8>| item.truncate(if number == 3 { 99 } else { 100 });
            assert!(!read(&all, shorter, exact), "one is too short");
        }
        let flipped = |number: usize, item: &mut Vec<u8>| item[70] ^= u8::from(number == 3);
        assert!(!read(&all, flipped, true), "one bit, somewhere");
    }

    #[test]
    fn items_differ_and_come_again() {
        let table = Table::new(100);
        let different: std::collections::BTreeSet<_> = (0..DIFFERENT).map(|n| table.item(n)).collect();
        assert_eq!(different.len() as u64, DIFFERENT);
        assert_eq!(table.item(3), table.item(3 + DIFFERENT));
        assert_eq!(table.packed(1000, 2), [table.item(1000), table.item(1001)].concat());
        assert_eq!(table.ends(3), [100, 200, 300]);
    }
}
