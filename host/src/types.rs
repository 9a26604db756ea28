//! Plain values that all logs share: the host's form of the records in `wit/types.wit`.

use std::{fmt, iter::FusedIterator, ops::Deref, sync::Arc, vec};

/// A half-open range of positions: `start <= x < end`.
///
/// ```
/// let bounds = annals::Bounds { start: 3, end: 5 };
/// assert!(bounds.contains(4) && !bounds.contains(5) && !bounds.is_empty());
/// assert_eq!(bounds.to_string(), "3 to 4");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// First one inside.
    pub start: u64,
    /// First one behind.
    pub end: u64,
}

impl Bounds {
    /// Whether there is nothing inside.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// Whether `position` is inside.
    pub fn contains(&self, position: u64) -> bool {
        (self.start..self.end).contains(&position)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            write!(f, "nothing (the next one is {})", self.end)
        } else {
            write!(f, "{} to {}", self.start, self.end - 1)
        }
    }
}

/// What is damaged, where, and what it costs.
///
/// ```
/// let (file, what) = ("f".to_owned(), "check fails".to_owned());
/// let damage = annals::Damage { file, offset: 4096, lowest: Some(3), next: Some(9), what };
/// assert_eq!(
///     damage.to_string(),
///     "f at byte 4096: check fails; lost from position 3 on, intact again at 9"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Damage {
    /// Name of the file or cell in the storage.
    pub file: String,
    /// First damaged byte, or start of the smallest checked part that is damaged.
    pub offset: u64,
    /// Lowest position that is lost; none when no item is lost.
    pub lowest: Option<u64>,
    /// First position after it that is intact; none when there is none or it cannot be told.
    pub next: Option<u64>,
    /// What is wrong, in words for a person.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.file, self.offset, self.what)?;
        match (self.lowest, self.next) {
            (None, _) => write!(f, "; no item is lost"),
            (Some(lowest), None) => write!(f, "; lost from position {lowest} on"),
            (Some(lowest), Some(next)) => {
                write!(f, "; lost from position {lowest} on, intact again at {next}")
            }
        }
    }
}

/// How much one read may return. It returns at least one item, whatever its size, if there is one.
///
/// ```
/// use annals::Limits;
///
/// let few = Limits::new(100, 64 << 10);
/// let unless_told = Limits::default();
/// assert!(few.count < unless_told.count && few.bytes < unless_told.bytes);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Number of items; 0 counts as 1.
    pub count: u32,
    /// Bytes of items. More than [`limits::BATCH_BYTES`](crate::limits::BATCH_BYTES) counts as that.
    pub bytes: u32,
}

impl Limits {
    /// At most `count` items and `bytes` bytes.
    pub fn new(count: u32, bytes: u32) -> Limits {
        Limits { count, bytes }
    }
}

impl Default for Limits {
    /// 65,536 items and 1 MiB.
    fn default() -> Limits {
        Limits { count: 1 << 16, bytes: 1 << 20 }
    }
}

/// How to open a log.
///
/// ```
/// use annals::{Error, Mode, Runtime, journal::Options, storage::Memory};
/// use std::sync::Arc;
///
/// let options = Options { mode: Mode::Open, ..Options::default() };
/// let missing = Runtime::new()?.journal(Arc::new(Memory::new()), "log", &options);
/// assert_eq!(missing.err(), Some(Error::NotFound));
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It must not exist.
    Create,
    /// It must exist.
    Open,
    /// Whichever it is.
    #[default]
    OpenOrCreate,
    /// It must exist. No lock is taken and nothing is changed or repaired; what verifies is served, what does not is
    /// reported. Shows the log as of the open.
    ReadOnly,
}

impl Mode {
    /// How to open a log again that was opened so: it exists then.
    pub(crate) fn again(self) -> Mode {
        match self {
            Mode::Create | Mode::OpenOrCreate => Mode::Open,
            Mode::Open | Mode::ReadOnly => self,
        }
    }
}

/// Consecutive items, packed into one piece of memory.
///
/// ```
/// let batch = annals::Batch::new(7, vec![3, 5], b"abcde".to_vec()).unwrap();
/// assert_eq!((batch.first, batch.next(), batch.len(), batch.is_empty()), (7, 9, 2, false));
/// assert_eq!((batch.get(1), batch.get(2)), (Some(&b"de"[..]), None));
/// assert!(batch.iter().eq([(7, &b"abc"[..]), (8, b"de")]));
/// assert_eq!((batch.ends(), batch.bytes()), (&[3, 5][..], &b"abcde"[..]));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Position of the first item.
    pub first: u64,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Batch {
    /// Packs items; `None` if `ends` does not ascend, does not end with the length of `bytes`, or if positions
    /// would pass `u64::MAX`.
    pub fn new(first: u64, ends: Vec<u32>, bytes: Vec<u8>) -> Option<Batch> {
        let fits = first.checked_add(ends.len() as u64).is_some();
        (fits && is_packed(&ends, bytes.len())).then_some(Batch { first, ends, bytes })
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The position after the last item.
    pub fn next(&self) -> u64 {
        self.first.saturating_add(self.ends.len() as u64)
    }

    /// The `index`th item of the batch (not: of the log).
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        item(&self.ends, &self.bytes, index)
    }

    /// Items with their positions.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, &[u8])> + '_ {
        (0..self.ends.len())
            .map(|index| (self.first.saturating_add(index as u64), self.get(index).unwrap_or_default()))
    }

    /// Where each item ends in [`bytes`](Batch::bytes).
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// All items, one behind the other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("first", &self.first)
            .field("len", &self.len())
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

impl IntoIterator for Batch {
    type Item = Item;
    type IntoIter = BatchItems;

    /// Items that own their bytes: they share the memory of the batch, none is copied.
    fn into_iter(self) -> BatchItems {
        BatchItems { next: self.first, start: 0, ends: self.ends.into_iter(), bytes: Arc::new(self.bytes) }
    }
}

/// One item of a log, with its position. It derefs to its bytes.
///
/// Items of one batch share its memory: cloning one copies nothing, and keeping one keeps the batch. To keep few of many
/// for long, copy them with `to_vec`.
///
/// ```
/// use annals::Batch;
///
/// let batch = Batch::new(7, vec![3, 3, 5], b"abcde".to_vec()).unwrap();
/// let items: Vec<annals::Item> = batch.into_iter().collect();
/// assert_eq!(&*items[2], b"de");
/// assert_eq!((items[1].position(), items[1].len()), (8, 0));
/// ```
#[derive(Clone)]
pub struct Item {
    position: u64,
    start: u32,
    end: u32,
    bytes: Arc<Vec<u8>>,
}

impl Item {
    /// Its position in the log.
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl Deref for Item {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Item {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Item) -> bool {
        self.position == other.position && **self == **other
    }
}

impl Eq for Item {}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: \"{}\"", self.position, self.escape_ascii())
    }
}

/// The items of a batch, one by one. See [`Batch::into_iter`].
///
/// ```
/// let batch = annals::Batch::new(7, vec![3, 5], b"abcde".to_vec()).unwrap();
/// let mut items = batch.into_iter();
/// assert_eq!(items.len(), 2);
/// assert_eq!(items.next().map(|item| item.position()), Some(7));
/// ```
#[derive(Clone, Default)]
pub struct BatchItems {
    next: u64,
    start: u32,
    ends: vec::IntoIter<u32>,
    bytes: Arc<Vec<u8>>,
}

impl Iterator for BatchItems {
    type Item = Item;

    #[inline]
    fn next(&mut self) -> Option<Item> {
        let end = self.ends.next()?;
        let (position, start) = (self.next, self.start);
        (self.next, self.start) = (position.saturating_add(1), end);
        Some(Item { position, start, end, bytes: self.bytes.clone() })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ends.size_hint()
    }
}

impl ExactSizeIterator for BatchItems {}
impl FusedIterator for BatchItems {}

impl fmt::Debug for BatchItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchItems").field("next", &self.next).field("left", &self.ends.len()).finish()
    }
}

/// Items with their positions, packed into one piece of memory.
///
/// ```
/// let items = annals::Items::new(vec![9, 4], vec![3, 5], b"abcde".to_vec()).unwrap();
/// assert_eq!((items.len(), items.is_empty()), (2, false));
/// assert!(items.iter().eq([(9, &b"abc"[..]), (4, b"de")]));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Items {
    ids: Vec<u64>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Items {
    /// Packs items; `None` if the lists do not fit together.
    pub fn new(ids: Vec<u64>, ends: Vec<u32>, bytes: Vec<u8>) -> Option<Items> {
        (ids.len() == ends.len() && is_packed(&ends, bytes.len())).then_some(Items { ids, ends, bytes })
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Items with their positions, in the order in which they were asked for.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, &[u8])> + '_ {
        self.ids
            .iter()
            .enumerate()
            .map(|(index, &id)| (id, item(&self.ends, &self.bytes, index).unwrap_or_default()))
    }
}

impl fmt::Debug for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("ids", &self.ids).field("bytes", &self.bytes.len()).finish()
    }
}

/// Whether `ends` cuts `len` bytes into items.
pub(crate) fn is_packed(ends: &[u32], len: usize) -> bool {
    ends.is_sorted() && ends.last().map_or(0, |&end| end as usize) == len
}

/// The `index`th item of them.
pub(crate) fn item<'a>(ends: &[u32], bytes: &'a [u8], index: usize) -> Option<&'a [u8]> {
    let end = *ends.get(index)? as usize;
    let start = match index.checked_sub(1) {
        Some(before) => *ends.get(before)? as usize,
        None => 0,
    };
    bytes.get(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_back_what_was_packed() {
        let batch = Batch::new(7, vec![1, 1, 3], b"abc".to_vec()).unwrap();
        let items: Vec<(u64, &[u8])> = batch.iter().collect();
        assert_eq!(items, [(7, &b"a"[..]), (8, b""), (9, b"bc")]);
        assert_eq!((batch.len(), batch.next(), batch.get(3)), (3, 10, None));
    }

    #[test]
    fn inconsistent_packing_is_refused() {
        assert!(Batch::new(0, vec![2, 1], vec![0; 1]).is_none());
        assert!(Batch::new(0, vec![1], vec![0; 2]).is_none());
        assert!(Batch::new(0, vec![], vec![0]).is_none());
        assert!(Batch::new(u64::MAX, vec![1], vec![0]).is_none());
        assert!(Items::new(vec![1, 2], vec![1], vec![0]).is_none());
        assert!(Items::new(vec![], vec![], vec![]).is_some());
    }
}
