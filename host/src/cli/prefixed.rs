//! Items behind their lengths: 4 bytes, little-endian, then the item.

use std::io;

use annals::limits::ITEM_BYTES;

use super::{
    input::{BATCH_BYTES, BATCH_ITEMS, CHUNK, InputError, Items, Source},
    reading::Reading,
};

/// Splits an input into items.
pub(crate) struct Prefixed<R> {
    input: R,
    chunk: Box<[u8]>,
    /// What was read; from `from` on it is not yet in a batch.
    pending: Vec<u8>,
    from: usize,
    /// There is no more to read, or no way to.
    ended: bool,
    failure: Option<InputError>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// Items taken from the input.
    items: u64,
    /// Bytes read.
    read: u64,
}

impl<R: Reading> Prefixed<R> {
    /// Starts at the current place of `input`.
    pub(crate) fn new(input: R) -> Prefixed<R> {
        Prefixed {
            input,
            chunk: vec![0; CHUNK].into_boxed_slice(),
            pending: Vec::new(),
            from: 0,
            ended: false,
            failure: None,
            bytes: Vec::new(),
            ends: Vec::new(),
            items: 0,
            read: 0,
        }
    }

    /// Moves one item from what is pending to the batch; false if there is no whole one.
    fn split(&mut self) -> bool {
        let pending = &self.pending[self.from..];
        let Some((&length, rest)) = pending.split_first_chunk() else { return false };
        let length = u32::from_le_bytes(length);
        if length as usize > ITEM_BYTES {
            self.fail(InputError::LongItem(self.items + 1, length));
            return false;
        }
        let Some(item) = rest.get(..length as usize) else { return false };
        self.bytes.extend_from_slice(item);
        // A batch stays far below 4 GiB.
        self.ends.push(self.bytes.len() as u32);
        self.from += 4 + item.len();
        self.items += 1;
        true
    }

    /// Reads more, or ends.
    fn fill(&mut self) {
        self.pending.drain(..self.from);
        self.from = 0;
        match self.input.read(&mut self.chunk) {
            Ok(0) if self.pending.is_empty() => self.ended = true,
            Ok(0) => self.fail(InputError::Short(self.items + 1)),
            Ok(count) => {
                self.pending.extend_from_slice(&self.chunk[..count]);
                self.read += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.fail(InputError::Items(self.items, error)),
        }
    }

    fn fail(&mut self, failure: InputError) {
        self.ended = true;
        self.pending.clear();
        self.from = 0;
        self.failure = Some(failure);
    }
}

impl<R: Reading> Source for Prefixed<R> {
    fn next_batch(&mut self, max: usize) -> Result<Option<Items<'_>>, InputError> {
        let max = max.clamp(1, BATCH_ITEMS);
        self.bytes.clear();
        self.ends.clear();
        while self.ends.len() < max && self.bytes.len() < BATCH_BYTES {
            if self.split() {
                continue;
            }
            if self.ended || (!self.ends.is_empty() && self.input.may_wait()) {
                break;
            }
            self.fill();
        }
        match self.failure.take_if(|_| self.ends.is_empty()) {
            Some(failure) => Err(failure),
            None if self.ends.is_empty() => Ok(None),
            None => Ok(Some(Items { ends: &self.ends, bytes: &self.bytes })),
        }
    }

    fn read(&self) -> u64 {
        self.read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn packed(items: &[&[u8]]) -> Vec<u8> {
        items.iter().flat_map(|item| [&(item.len() as u32).to_le_bytes(), *item].concat()).collect()
    }

    fn all(input: impl Reading, max: usize) -> (Vec<Vec<u8>>, Option<InputError>) {
        let mut source = Prefixed::new(input);
        let mut items = Vec::new();
        loop {
            match source.next_batch(max) {
                Ok(None) => return (items, None),
                Err(error) => {
                    assert!(matches!(source.next_batch(max), Ok(None)), "an error ends the input");
                    return (items, Some(error));
                }
                Ok(Some(batch)) => {
                    assert!((1..=max).contains(&batch.ends.len()));
                    let mut start = 0;
                    for &end in batch.ends {
                        items.push(batch.bytes[start..end as usize].to_vec());
                        start = end as usize;
                    }
                    assert_eq!(start, batch.bytes.len());
                }
            }
        }
    }

    /// One byte at a time, and each to be waited for.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut into[..1])
        }
    }

    impl Reading for Slow<'_> {
        fn may_wait(&self) -> bool {
            true
        }
    }

    #[test]
    fn every_cut_hands_out_the_whole_items_and_names_the_other() {
        let items: [&[u8]; 4] = [b"one", b"", b"\n\0", b"four"];
        let input = packed(&items);
        let whole = [0, 7, 11, 17, 25];
        for cut in 0..=input.len() {
            let before = whole.iter().rposition(|&end| end <= cut).unwrap();
            for max in [1, 2, 100] {
                for (found, error) in [all(&input[..cut], max), all(Slow(&input[..cut]), max)] {
                    assert_eq!(found, items[..before]);
                    match error {
                        None => assert!(whole.contains(&cut), "{cut}"),
                        Some(InputError::Short(item)) => assert_eq!(item, before as u64 + 1),
                        Some(error) => panic!("{error}"),
                    }
                }
            }
        }
    }

    #[test]
    fn the_longest_item_passes_and_a_longer_one_is_named() {
        let long = vec![7; ITEM_BYTES];
        let mut input = packed(&[b"a", &long, b"b"]);
        let (items, error) = all(&input[..], 100);
        assert!(error.is_none() && items.len() == 3 && items[1] == long);
        input[5..9].copy_from_slice(&(ITEM_BYTES as u32 + 1).to_le_bytes());
        let (items, error) = all(&input[..], 100);
        assert_eq!(items, [b"a"]);
        assert!(matches!(error, Some(InputError::LongItem(2, 16_777_217))));
    }
}
