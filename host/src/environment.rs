//! Time and randomness for the component, and fixed ones for tests.
//!
//! The component draws random numbers one `u64` at a time with `wasi:random/random.get-random-u64`, and reads the time
//! from `wasi:clocks/wall-clock.now`. Given the same [`FixedClock`] and [`SeededRandom`], the same operations leave the
//! same bytes in the storage.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

/// Where the component gets the time from.
///
/// ```
/// use annals::environment::Clock;
/// use std::time::Duration;
///
/// #[derive(Debug)]
/// struct Noon;
///
/// impl Clock for Noon {
///     fn now(&self) -> Duration {
///         Duration::from_secs(12 * 60 * 60)
///     }
/// }
///
/// let config = annals::Config::new().clock(std::sync::Arc::new(Noon));
/// ```
pub trait Clock: Debug + Send + Sync + 'static {
    /// Time since the Unix epoch.
    fn now(&self) -> Duration;
}

/// Where the component gets random numbers from.
///
/// ```
/// use annals::environment::Random;
///
/// #[derive(Debug)]
/// struct Nothing;
///
/// impl Random for Nothing {
///     fn next_u64(&self) -> Result<u64, String> {
///         Err("none here".into())
///     }
/// }
///
/// let config = annals::Config::new().random(std::sync::Arc::new(Nothing));
/// ```
pub trait Random: Debug + Send + Sync + 'static {
    /// The next one.
    ///
    /// # Errors
    /// In words, when there is no randomness to be had: the call into the log fails and closes it.
    fn next_u64(&self) -> Result<u64, String>;
}

/// The clock of the system. Before 1970 it stands still.
///
/// ```
/// use annals::environment::{Clock, SystemClock};
///
/// assert!(!SystemClock.now().is_zero());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

/// The randomness of the system.
///
/// ```
/// use annals::environment::{Random, SystemRandom};
///
/// assert_ne!(SystemRandom.next_u64()?, SystemRandom.next_u64()?);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn next_u64(&self) -> Result<u64, String> {
        getrandom::u64().map_err(|error| format!("the system has no randomness to give: {error}"))
    }
}

/// A clock that shows what it was set to, in milliseconds.
///
/// ```
/// use annals::environment::{Clock, FixedClock};
///
/// let clock = FixedClock::new(1_000);
/// clock.set(2_500);
/// assert_eq!(clock.now().as_millis(), 2_500);
/// ```
#[derive(Debug, Default)]
pub struct FixedClock(AtomicU64);

impl FixedClock {
    /// Stands at `unix_ms`.
    pub fn new(unix_ms: u64) -> FixedClock {
        FixedClock(AtomicU64::new(unix_ms))
    }

    /// Moves it.
    pub fn set(&self, unix_ms: u64) {
        self.0.store(unix_ms, Ordering::Relaxed);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// The same numbers for the same seed: SplitMix64.
///
/// Draw `n` (from 1) is `mix(seed + n * 0x9e3779b97f4a7c15)`, all modulo 2^64, with `mix(z)`:
/// `z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9; z = (z ^ z >> 27) * 0x94d049bb133111eb; z ^ z >> 31`.
///
/// ```
/// use annals::environment::{Random, SeededRandom};
///
/// let (one, other) = (SeededRandom::new(7), SeededRandom::new(7));
/// assert_eq!(one.next_u64()?, other.next_u64()?);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    /// Starts from `seed`.
    pub fn new(seed: u64) -> SeededRandom {
        SeededRandom(AtomicU64::new(seed))
    }
}

impl Random for SeededRandom {
    fn next_u64(&self) -> Result<u64, String> {
        let mut z = self.0.fetch_add(Self::STEP, Ordering::Relaxed).wrapping_add(Self::STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ (z >> 31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeded_sequence_is_splitmix64() {
        let random = SeededRandom::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.next_u64().unwrap()).collect();
        assert_eq!(drawn, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
    }

    #[test]
    fn the_system_gives_different_numbers() {
        assert_ne!(SystemRandom.next_u64(), SystemRandom.next_u64());
    }
}
