//! Where random runs draw from: numbers, and items that say which they are.
//!
//! They come from a seed, or, for a fuzzer, from given bytes: each choice takes as few of them as it needs, so that a
//! byte that changes changes one choice.

use crate::model::Item;
use crate::rng::SplitMix64;
use std::collections::VecDeque;

/// A source of choices. The same seed, or the same bytes, make the same ones.
pub struct Draw {
    source: Source,
    numbers: u64,
}

enum Source {
    Seed(SplitMix64),
    /// The ones that are left. Behind the last one all are zero.
    Bytes(VecDeque<u8>),
}

impl Draw {
    /// Starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { source: Source::Seed(SplitMix64::new(seed)), numbers: 0 }
    }

    /// Takes its choices from these bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self { source: Source::Bytes(bytes.iter().copied().collect()), numbers: 0 }
    }

    /// Whether all bytes are used up; a seed never is.
    pub fn is_used_up(&self) -> bool {
        matches!(&self.source, Source::Bytes(bytes) if bytes.is_empty())
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.below_or_any(None)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.below_or_any(Some(end))
    }

    fn below_or_any(&mut self, end: Option<u64>) -> u64 {
        match (&mut self.source, end) {
            (_, Some(0)) => 0,
            (Source::Seed(rng), Some(end)) => rng.below(end),
            (Source::Seed(rng), None) => rng.draw(),
            (Source::Bytes(bytes), _) => {
                let width = match end {
                    Some(..=0x100) => 1,
                    Some(..=0x1_0000) => 2,
                    _ => 8,
                };
                let taken = bytes.drain(..bytes.len().min(width));
                let number = taken.fold(0, |number, byte| number << 8 | u64::from(byte));
                end.map_or(number, |end| number % end)
            }
        }
    }

    /// So many bytes, as far as there are any.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        match &mut self.source {
            Source::Seed(rng) => rng.bytes(len),
            Source::Bytes(bytes) => bytes.drain(..bytes.len().min(len)).collect(),
        }
    }

    /// True in so many of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// An item that was not drawn before: mostly short, some empty, a few of several blocks.
    pub fn item(&mut self) -> Item {
        self.numbers += 1;
        let len = match self.below(20) {
            0 => self.below(20_000),
            1..4 => self.below(3000),
            4 => 0,
            _ => self.below(60),
        };
        if len == 0 { Item::from([]) } else { item(self.numbers, len as usize) }
    }
}

/// Item number `number` with `len` bytes; without zero sectors.
pub fn item(number: u64, len: usize) -> Item {
    let mut bytes = format!("<{number}>").into_bytes();
    let mut rng = SplitMix64::new(number ^ 0x5EED);
    while bytes.len() < len {
        bytes.extend(rng.draw().to_le_bytes().map(|byte| b'a' + byte % 26));
    }
    bytes.truncate(len.max(3));
    bytes.into()
}
