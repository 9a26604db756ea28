//! A naive journal: items in a deque, no storage. It knows the exact answer to every call, errors and their bounds
//! included, and which calls promise what about crashes. `wit/journal.wit` and DESIGN.md §3 are its specification.

pub mod snapshot;

use annals_logs::error::{Bounds, Error, Limit, Result};
use annals_logs::types::{Batch, Limits};
use std::collections::VecDeque;
use std::sync::Arc;

/// Most bytes of an item.
pub const MAX_ITEM: u64 = 16 << 20;
/// Most bytes of a batch.
pub const MAX_BATCH: u64 = 64 << 20;
/// Most items of a batch.
pub const MAX_COUNT: u64 = 1 << 20;

/// An item; copies share its bytes.
pub type Item = Arc<[u8]>;

/// A journal's contents and its section size.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Model {
    boundary: u64,
    items: VecDeque<Item>,
    items_per_section: u64,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}..{})", self.boundary, self.size())
    }
}

impl Model {
    /// An empty journal that starts at `boundary`.
    pub fn new(items_per_section: u64, boundary: u64) -> Self {
        Self { boundary, items: VecDeque::new(), items_per_section }
    }

    /// One that holds these items.
    pub fn holding(items_per_section: u64, boundary: u64, items: impl IntoIterator<Item = Item>) -> Self {
        Self { boundary, items: items.into_iter().collect(), items_per_section }
    }

    /// The same contents with another section size.
    pub fn with_section(self, items_per_section: u64) -> Self {
        Self { items_per_section, ..self }
    }

    /// The next position.
    pub fn size(&self) -> u64 {
        self.boundary + self.items.len() as u64
    }

    /// The pruning boundary.
    pub fn boundary(&self) -> u64 {
        self.boundary
    }

    /// Lowest position that can be read.
    pub fn oldest(&self) -> Option<u64> {
        (!self.items.is_empty()).then_some(self.boundary)
    }

    /// What is there.
    pub fn bounds(&self) -> Bounds {
        Bounds { start: self.boundary, end: self.size() }
    }

    /// Items in a section.
    pub fn items_per_section(&self) -> u64 {
        self.items_per_section
    }

    /// The item at a position that is there.
    pub fn item(&self, position: u64) -> Option<&Item> {
        let index = position.checked_sub(self.boundary)?;
        self.items.get(usize::try_from(index).ok()?)
    }

    /// All items, oldest first.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.iter()
    }

    /// Opens with `start-at`.
    pub fn start_at(&mut self, position: u64) -> Result<()> {
        if !self.items.is_empty() || self.size() > position {
            return Err(Error::Exists);
        }
        self.boundary = position;
        Ok(())
    }

    /// Appends one item.
    pub fn append(&mut self, item: &[u8]) -> Result<u64> {
        check_item(item)?;
        self.items.push_back(item.into());
        Ok(self.size() - 1)
    }

    /// Appends a batch.
    pub fn append_batch(&mut self, items: &[&[u8]]) -> Result<u64> {
        if items.is_empty() {
            return Err(Error::InvalidArgument("items: empty".into()));
        }
        check_max(Limit::BatchCount, MAX_COUNT, items.len() as u64)?;
        items.iter().try_for_each(|item| check_item(item))?;
        check_max(Limit::BatchSize, MAX_BATCH, items.iter().map(|item| item.len() as u64).sum())?;
        let first = self.size();
        self.items.extend(items.iter().map(|item| Item::from(*item)));
        Ok(first)
    }

    /// Appends a packed batch.
    pub fn append_packed(&mut self, ends: &[u32], bytes: &[u8]) -> Result<u64> {
        let ascending = ends.is_sorted();
        if !ascending || ends.last().is_none_or(|&end| end as usize != bytes.len()) {
            return Err(Error::InvalidArgument("ends".into()));
        }
        let items: Vec<&[u8]> = annals_logs::types::unpack(ends, bytes).collect();
        self.append_batch(&items)
    }

    /// What a read of one item answers.
    pub fn read(&self, position: u64) -> Result<&Item> {
        if position >= self.size() {
            return Err(Error::OutOfRange(self.bounds()));
        }
        self.item(position).ok_or(Error::Pruned(self.bounds()))
    }

    /// Whether a replay or a range may start there.
    pub fn check_start(&self, start: u64) -> Result<()> {
        if start > self.size() {
            return Err(Error::OutOfRange(self.bounds()));
        }
        if start < self.boundary { Err(Error::Pruned(self.bounds())) } else { Ok(()) }
    }

    /// Checks a batch that was read from `start` with these limits, when `end` was the size: it holds at least one
    /// item unless there is none, stays within the limits (but for a single item), and holds the right ones.
    pub fn check_batch(
        &self,
        start: u64,
        end: u64,
        limits: Limits,
        batch: &Batch,
    ) -> std::result::Result<(), String> {
        let count = batch.ends.len() as u64;
        let last = batch.ends.last().copied().unwrap_or(0);
        let most = u64::from(limits.count.max(1)).min(end.saturating_sub(start));
        if count > most || (count == 0 && most > 0) {
            return Err(format!("{count} items from {start}, allowed are 1 to {most}"));
        }
        if count > 0 && batch.first != start {
            return Err(format!("a batch that starts at {} instead of {start}", batch.first));
        }
        if last as usize != batch.bytes.len() || !batch.ends.is_sorted() {
            return Err(format!("ends do not fit: {last} of {}", batch.bytes.len()));
        }
        if count > 1 && last > limits.bytes {
            return Err(format!("{last} bytes, allowed are {}", limits.bytes));
        }
        for (index, item) in annals_logs::types::unpack(&batch.ends, &batch.bytes).enumerate() {
            let position = start + index as u64;
            match self.item(position) {
                Some(right) if **right == *item => {}
                right => {
                    let right = right.map(|right| show(right));
                    return Err(format!("position {position} is {}, not {right:?}", show(item)));
                }
            }
        }
        Ok(())
    }

    /// Prunes whole sections below `min`.
    pub fn prune(&mut self, min: u64) -> bool {
        let capped = min.min(self.size());
        let boundary = capped - capped % self.items_per_section;
        let moves = boundary > self.boundary;
        if moves {
            self.items.drain(..(boundary - self.boundary) as usize);
            self.boundary = boundary;
        }
        moves
    }

    /// Drops the newest items.
    pub fn rewind(&mut self, size: u64) -> Result<()> {
        if size > self.size() {
            return Err(Error::InvalidRewind(self.bounds()));
        }
        let keep = size.checked_sub(self.boundary).ok_or(Error::Pruned(self.bounds()))?;
        self.items.truncate(keep as usize);
        Ok(())
    }

    /// Whether growing from `before` to the size now filled a section up.
    pub fn filled_section(&self, before: u64) -> bool {
        before / self.items_per_section < self.size() / self.items_per_section
    }
}

fn check_item(item: &[u8]) -> Result<()> {
    check_max(Limit::ItemSize, MAX_ITEM, item.len() as u64)
}

fn check_max(what: Limit, allowed: u64, got: u64) -> Result<()> {
    if got > allowed { Err(Error::TooLarge { what, allowed, got }) } else { Ok(()) }
}

/// Whether two errors are the same but for the words in them.
pub fn same_error(left: &Error, right: &Error) -> bool {
    match (left, right) {
        (Error::InvalidArgument(_), Error::InvalidArgument(_))
        | (Error::OptionsDiffer(_), Error::OptionsDiffer(_))
        | (Error::OtherKind(_), Error::OtherKind(_))
        | (Error::Storage(_), Error::Storage(_)) => true,
        _ => left == right,
    }
}

/// An item for a message: its start, and how long it is.
pub fn show(item: &[u8]) -> String {
    let start = &item[..item.len().min(24)];
    format!("{:?} ({} bytes)", String::from_utf8_lossy(start), item.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(boundary: u64, count: u64) -> Model {
        let items = (0..count).map(|index| Item::from(index.to_le_bytes().as_slice()));
        Model::holding(10, boundary, items)
    }

    #[test]
    fn pruning_is_capped_and_rounded_down_and_never_goes_back() {
        let mut model = with(0, 25);
        assert!(!model.prune(9));
        assert!(model.prune(19) && model.boundary() == 10);
        assert!(model.prune(1000) && model.boundary() == 20);
        assert!(!model.prune(15));
        assert_eq!(model.read(25).unwrap_err(), Error::OutOfRange(Bounds { start: 20, end: 25 }));
        assert_eq!(model.read(19).unwrap_err(), Error::Pruned(Bounds { start: 20, end: 25 }));
        let mut model = with(15, 2);
        assert!(!model.prune(17));
    }

    #[test]
    fn a_rewind_stays_between_boundary_and_size() {
        let mut model = with(5, 4);
        assert!(matches!(model.rewind(10), Err(Error::InvalidRewind(_))));
        assert!(matches!(model.rewind(4), Err(Error::Pruned(_))));
        model.rewind(5).unwrap();
        assert_eq!((model.size(), model.oldest()), (5, None));
    }

    #[test]
    fn starting_elsewhere_needs_an_empty_journal_that_is_not_longer() {
        assert!(with(0, 1).start_at(5).is_err());
        assert!(with(6, 0).start_at(5).is_err());
        assert!(with(5, 0).start_at(5).is_ok());
    }
}
