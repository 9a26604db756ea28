//! Lines as items, in constant memory.
//!
//! LF (0x0A) ends an item and nothing else does: CR, NUL and any other byte belong to the item. A last line without LF
//! is an item too; an empty line is an empty item. So an input of `n` LFs has `n` items, and one more if bytes follow
//! the last LF.

use std::io;

use annals::limits::ITEM_BYTES;

use super::{
    input::{BATCH_BYTES, BATCH_ITEMS, CHUNK, InputError, Items, Source},
    reading::Reading,
};

/// Splits an input into items.
pub(crate) struct Lines<R> {
    input: R,
    chunk: Box<[u8]>,
    /// What of `chunk` was read and not yet looked at.
    from: usize,
    to: usize,
    /// There is no more to read, or no way to.
    ended: bool,
    failure: Option<InputError>,
    /// Whole items, and behind them (from `whole` on) the beginning of the next one.
    bytes: Vec<u8>,
    whole: usize,
    ends: Vec<u32>,
    /// Items handed out.
    lines: u64,
    /// Bytes read.
    read: u64,
}

impl<R: Reading> Lines<R> {
    /// Starts at the current place of `input`.
    pub(crate) fn new(input: R) -> Lines<R> {
        Lines::with_chunk(input, CHUNK)
    }

    fn with_chunk(input: R, chunk: usize) -> Lines<R> {
        Lines {
            input,
            chunk: vec![0; chunk].into_boxed_slice(),
            from: 0,
            to: 0,
            ended: false,
            failure: None,
            bytes: Vec::new(),
            whole: 0,
            ends: Vec::new(),
            lines: 0,
            read: 0,
        }
    }

    /// Reads more, or ends: a last line without LF then becomes an item.
    fn fill(&mut self) {
        match self.input.read(&mut self.chunk) {
            Ok(0) => {
                self.ended = true;
                if self.bytes.len() > self.whole {
                    self.end_item();
                }
            }
            Ok(count) => {
                (self.from, self.to) = (0, count);
                self.read += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let whole = self.lines + self.ends.len() as u64;
                self.fail(InputError::Lines(whole, error));
            }
        }
    }

    /// Moves one line, or what there is of it, from the chunk to the batch.
    fn split(&mut self) {
        let unread = &self.chunk[self.from..self.to];
        let end = memchr::memchr(b'\n', unread);
        let part = &unread[..end.unwrap_or(unread.len())];
        if self.bytes.len() - self.whole + part.len() > ITEM_BYTES {
            let line = self.lines + self.ends.len() as u64 + 1;
            return self.fail(InputError::LongLine(line));
        }
        self.bytes.extend_from_slice(part);
        self.from += part.len();
        if end.is_some() {
            self.from += 1;
            self.end_item();
        }
    }

    /// The bytes gathered since the last item are one. A batch stays far below 4 GiB, so its length fits.
    fn end_item(&mut self) {
        self.whole = self.bytes.len();
        self.ends.push(self.whole as u32);
    }

    fn fail(&mut self, failure: InputError) {
        self.ended = true;
        self.from = self.to;
        self.bytes.truncate(self.whole);
        self.failure = Some(failure);
    }
}

impl<R: Reading> Source for Lines<R> {
    fn next_batch(&mut self, max: usize) -> Result<Option<Items<'_>>, InputError> {
        let max = max.clamp(1, BATCH_ITEMS);
        self.bytes.drain(..self.whole);
        self.whole = 0;
        self.ends.clear();
        while self.ends.len() < max && self.whole < BATCH_BYTES {
            if self.from == self.to && (self.ended || (!self.ends.is_empty() && self.input.may_wait())) {
                break;
            }
            if self.from == self.to {
                self.fill();
            } else {
                self.split();
            }
        }
        self.lines += self.ends.len() as u64;
        match self.failure.take_if(|_| self.ends.is_empty()) {
            Some(failure) => Err(failure),
            None if self.ends.is_empty() => Ok(None),
            None => Ok(Some(Items { ends: &self.ends, bytes: &self.bytes[..self.whole] })),
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

    /// What the first lines of this file say, as directly as it can be written.
    fn naive(input: &[u8]) -> Vec<Vec<u8>> {
        let mut items: Vec<Vec<u8>> = input.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        items.pop_if(|last| last.is_empty());
        items
    }

    fn all<R: Reading>(lines: &mut Lines<R>, max: usize) -> (Vec<Vec<u8>>, Option<InputError>) {
        let mut items = Vec::new();
        loop {
            match lines.next_batch(max) {
                Ok(None) => return (items, None),
                Err(error) => {
                    assert!(matches!(lines.next_batch(max), Ok(None)), "an error ends the input");
                    return (items, Some(error));
                }
                Ok(Some(batch)) => {
                    assert!((1..=max).contains(&batch.ends.len()));
                    assert_eq!(batch.ends.last().map(|&end| end as usize), Some(batch.bytes.len()));
                    let mut start = 0;
                    for &end in batch.ends {
                        items.push(batch.bytes[start..end as usize].to_vec());
                        start = end as usize;
                    }
                }
            }
        }
    }

    #[test]
    fn every_short_input_splits_as_specified_however_it_is_read() {
        let alphabet = [b'a', b'\n', b'\r'];
        for length in 0..=7u32 {
            for mut code in 0..3usize.pow(length) {
                let input: Vec<u8> = (0..length)
                    .map(|_| {
                        let byte = alphabet[code % 3];
                        code /= 3;
                        byte
                    })
                    .collect();
                for (chunk, max) in [(1, 1), (1, 3), (2, 2), (3, 1), (8, 8)] {
                    let (items, error) = all(&mut Lines::with_chunk(&input[..], chunk), max);
                    assert!(error.is_none());
                    assert_eq!(items, naive(&input), "{input:?} chunk {chunk} max {max}");
                }
            }
        }
    }

    #[test]
    fn batches_are_bounded_by_items_and_by_bytes() {
        let input = vec![b'\n'; 3 * BATCH_ITEMS];
        let mut lines = Lines::new(&input[..]);
        let first = lines.next_batch(usize::MAX).unwrap().unwrap();
        assert_eq!(first.ends.len(), BATCH_ITEMS);
        let mut input = vec![b'x'; BATCH_BYTES / 2];
        input.push(b'\n');
        let input = input.repeat(5);
        let mut lines = Lines::new(&input[..]);
        assert_eq!(lines.next_batch(usize::MAX).unwrap().unwrap().ends.len(), 2);
    }

    /// Reads that return what they are told, one after the other; each would have to be waited for.
    struct Script(Vec<io::Result<Vec<u8>>>);

    impl Read for Script {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let part = self.0.remove(0)?;
            into[..part.len()].copy_from_slice(&part);
            Ok(part.len())
        }
    }

    impl Reading for Script {
        fn may_wait(&self) -> bool {
            true
        }
    }

    #[test]
    fn lines_of_a_slow_producer_do_not_wait_for_more() {
        let script = Script(vec![Ok(b"a\nb\nc".to_vec()), Ok(b"d\n".to_vec())]);
        let mut lines = Lines::new(script);
        let first = lines.next_batch(100).unwrap().unwrap();
        assert_eq!((first.ends, first.bytes), (&[1, 2][..], &b"ab"[..]));
        let second = lines.next_batch(100).unwrap().unwrap();
        assert_eq!((second.ends, second.bytes), (&[2][..], &b"cd"[..]));
        assert!(lines.next_batch(100).unwrap().is_none());
        // Nor do those that came in one large piece, before their producer fell silent.
        let mut lines = Lines::new(Script(vec![Ok(b"0123456\n".repeat(1000)), Ok(b"z\n".to_vec())]));
        assert_eq!(lines.next_batch(usize::MAX).unwrap().unwrap().ends.len(), 1000);
        assert_eq!(lines.next_batch(usize::MAX).unwrap().unwrap().bytes, b"z");
    }

    #[test]
    fn whole_lines_before_a_failure_are_handed_out_first() {
        let interrupted = || Err(io::ErrorKind::Interrupted.into());
        let script = Script(vec![interrupted(), Ok(b"a\nb".to_vec()), Err(io::Error::other("gone"))]);
        let (items, error) = all(&mut Lines::new(script), 100);
        assert_eq!(items, [b"a"]);
        assert!(matches!(error, Some(InputError::Lines(1, _))));
    }

    #[test]
    fn the_longest_item_passes_and_one_byte_more_is_named() {
        let mut input = b"first\n".to_vec();
        input.resize(6 + ITEM_BYTES, b'x');
        input.extend_from_slice(b"\nlast");
        let (items, error) = all(&mut Lines::new(&input[..]), 100);
        assert!(error.is_none());
        assert_eq!(items.iter().map(Vec::len).collect::<Vec<_>>(), [5, ITEM_BYTES, 4]);
        input.insert(6, b'y');
        let (items, error) = all(&mut Lines::new(&input[..]), 100);
        assert_eq!(items, [b"first"]);
        assert!(matches!(error, Some(InputError::LongLine(2))));
    }
}
