//! What a crash leaves: one image after the other, each recovered if it was not seen before.

use super::SECTORS;
use super::failure::{Failure, Kind};
use super::known::Known;
use super::memo::mix;
use super::shared::Shared;
use crate::campaign::trial::Trial;
use crate::rng::SplitMix64;
use crate::sim::{Crash, Moment, Partial, SimDisk, SizeKept, Survivors, What};
use crate::subject::Factory;
use std::fmt::Debug;
use std::sync::atomic::Ordering::Relaxed;

/// Most choices of which every one is tried.
const CHOICES: u64 = 3u64.pow(SECTORS as u32);

/// Pending sectors from which on fewer choices are drawn in long sequences.
const MANY: u64 = 32;

/// Explores images of one log.
pub(super) struct Explorer<'a, T: Trial> {
    pub(super) factory: Factory<'a>,
    pub(super) shared: &'a Shared,
    pub(super) shape: &'a T::Shape,
    rng: SplitMix64,
    /// Whether the sequence is one of many; there may be more of those that are too many to try all.
    sampled: bool,
    /// Whether this is a crash in a recovery, and whether the power went before.
    pub(super) second: Option<bool>,
}

/// An image of a disk, and how it came to be.
pub(super) struct Image<'b, T: Trial> {
    pub(super) disk: SimDisk,
    pub(super) known: &'b Known<T>,
    /// Whether power was lost.
    pub(super) power: bool,
    /// Key of the state.
    pub(super) key: u64,
}

impl<'a, T: Trial> Explorer<'a, T> {
    pub(super) fn new(
        factory: Factory<'a>,
        shared: &'a Shared,
        shape: &'a T::Shape,
        rng: SplitMix64,
        sampled: bool,
    ) -> Self {
        Self { factory, shared, shape, rng, sampled, second: None }
    }

    /// Crashes at these moments.
    pub(super) fn moments(
        &mut self,
        moments: &[(Moment, Option<Partial>)],
        known: &Known<T>,
    ) -> Result<(), Failure> {
        self.shared.tally.part(self.sampled).points.fetch_add(moments.len() as u64, Relaxed);
        for (moment, partial) in moments {
            let place = |failure: Failure| failure.at(format!("at call {}, {:?}", moment.call, moment.kind));
            if let What::Disk(disk) = &moment.what {
                self.crash(disk, known).map_err(place)?;
            }
            if let Some(partial) = partial {
                self.partly(partial, known).map_err(place)?;
            }
        }
        Ok(())
    }

    /// The process dies, or power is lost, when the disk is like this.
    pub(super) fn crash(&mut self, disk: &SimDisk, known: &Known<T>) -> Result<(), Failure> {
        let sampled = self.sampled;
        self.image(disk.fork(), Crash::Process, known, sampled)?;
        // Without anything pending that is all: less may be found after a loss of power.
        if disk.is_settled() {
            return Ok(());
        }
        let sizes: &[SizeKept] =
            if disk.has_grown() { &[SizeKept::Old, SizeKept::Fit, SizeKept::New] } else { &[SizeKept::Old] };
        let choices = disk.choices();
        if disk.pending_sectors() <= SECTORS && choices <= CHOICES {
            for choice in 0..choices {
                for &size in sizes {
                    let crash = Crash::Power { survivors: Survivors::Choice(choice), size };
                    self.image(disk.after(crash), crash, known, sampled)?;
                }
            }
            return Ok(());
        }
        let some = [Crash::LOSE_ALL, Crash::KEEP_ALL, Crash::ZEROS];
        let drawn: Vec<Crash> = (0..self.samples(disk.pending_sectors() as u64))
            .map(|_| Crash::random(self.rng.draw()))
            .collect();
        for crash in some.into_iter().chain(drawn) {
            self.image(disk.after(crash), crash, known, true)?;
        }
        Ok(())
    }

    /// How many choices are drawn where so many sectors are pending. What begins with something large takes long.
    fn samples(&self, sectors: u64) -> u64 {
        let (short, long) = self.shared.plan.samples;
        match self.sampled {
            false => short,
            true if sectors > MANY => long.div_ceil(16),
            true => long,
        }
    }

    /// The process dies in the middle of a write.
    fn partly(&mut self, partial: &Partial, known: &Known<T>) -> Result<(), Failure> {
        let sectors = partial.sectors();
        let (all, each) = (1u64.checked_shl(sectors as u32).unwrap_or(0), sectors <= SECTORS as u64);
        // Nothing and everything arrived are moments of their own.
        let bits: Vec<u64> = if each {
            (1..all - 1).collect()
        } else {
            (0..self.samples(sectors)).map(|_| self.rng.draw()).collect()
        };
        for bits in bits {
            let how = format_args!("of the write arrived {bits:b}");
            self.image(partial.arrived(bits), how, known, !each || self.sampled)?;
        }
        Ok(())
    }

    /// One image.
    fn image(
        &mut self,
        disk: SimDisk,
        how: impl Debug + Power,
        known: &Known<T>,
        sampled: bool,
    ) -> Result<(), Failure> {
        let tally = &self.shared.tally;
        tally.part(sampled).explored.fetch_add(1, Relaxed);
        let power = how.is_power() || self.second == Some(true);
        let key = mix(disk.hash(), known.acknowledged(power));
        if !key.is_multiple_of(self.shared.plan.every) {
            return Ok(());
        }
        let place = |failure: Failure| failure.at(format!("{how:?}"));
        let before = self.shared.held.get(key);
        if let Some(short) = before
            && !known.allows(power, short)
        {
            let what = "another sequence leaves the same image and the same acknowledgements, but there it holds what \
                        may not be found here";
            return Err(place(Failure::new(Kind::Wrong, what)));
        }
        let again = !self.sampled || (key >> 32).is_multiple_of(self.shared.plan.second);
        let first =
            again && self.second.is_none() && self.shared.expanded.put(mix(key, known.allowed(power)), ());
        if before.is_some() && !first {
            return Ok(());
        }
        let image = Image { disk, known, power, key };
        let short = self.recover(image, first).map_err(place)?;
        if self.shared.held.put(key, short) {
            tally.part(sampled).distinct.fetch_add(1, Relaxed);
        }
        Ok(())
    }
}

/// Whether power is lost.
trait Power {
    fn is_power(&self) -> bool;
}

impl Power for Crash {
    fn is_power(&self) -> bool {
        *self != Crash::Process
    }
}

impl Power for std::fmt::Arguments<'_> {
    fn is_power(&self) -> bool {
        false
    }
}
