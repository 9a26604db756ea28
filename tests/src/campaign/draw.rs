//! Where random runs draw from: numbers, and items that say which they are.

use crate::model::Item;
use crate::rng::SplitMix64;

/// A source of choices. The same seed makes the same ones.
pub struct Draw {
    rng: SplitMix64,
    numbers: u64,
}

impl Draw {
    /// Starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { rng: SplitMix64::new(seed), numbers: 0 }
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.rng.draw()
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.rng.below(end)
    }

    /// True in so many of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.rng.chance(percent)
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.rng.below(choices.len() as u64) as usize]
    }

    /// An item that was not drawn before: mostly short, some empty, a few of several blocks.
    pub fn item(&mut self) -> Item {
        self.numbers += 1;
        let len = match self.rng.below(20) {
            0 => self.rng.below(20_000),
            1..4 => self.rng.below(3000),
            4 => 0,
            _ => self.rng.below(60),
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
