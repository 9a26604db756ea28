//! A small generator of random numbers for tests: SplitMix64.
//!
//! One step adds 0x9E3779B97F4A7C15 to the state and mixes it by two multiply-xorshift rounds (Steele, Lea, Flood,
//! "Fast splittable pseudorandom number generators", 2014). The host's seeded source of randomness uses the same
//! algorithm, so a subject behind the component draws the numbers that the native one draws. Not for secrets.

/// The generator. Equal seeds give equal sequences, on every machine and in every version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A generator that starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.draw() % end }
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// `len` random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.draw().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// A seed that depends on this one and on `part` only: for independent streams of one printed seed.
    pub fn derive(seed: u64, part: u64) -> u64 {
        SplitMix64::new(seed ^ part.wrapping_mul(0xA076_1D64_78BD_642F)).draw()
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix64;

    #[test]
    fn numbers_are_those_of_the_published_algorithm() {
        let mut rng = SplitMix64::new(1234567);
        let drawn: Vec<u64> = (0..5).map(|_| rng.draw()).collect();
        let published = [
            6457827717110365317,
            3203168211198807973,
            9817491932198370423,
            4593380528125082431,
            16408922859458223821,
        ];
        assert_eq!(drawn, published);
    }
}
