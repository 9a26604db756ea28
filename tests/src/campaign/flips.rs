//! Bit flips: every bit of every file and cell of small logs, cleanly closed and not.
//!
//! Nobody ever gets wrong data. Of a cleanly closed log, `verify` names the file and a place near the bit; a read-only
//! open serves every item outside of the damaged frame; a refused open changes nothing. Of a log that was not closed,
//! what was acknowledged is there, or somebody says that it is damaged.

use super::rest::{Rest, logs};
use super::trial::{LOG, Opening, Seen, Trial};
use super::{Budget, Counts};
use crate::rng::SplitMix64;
use crate::sim::SimDisk;
use crate::subject::{Factory, FrameInfo};
use annals_logs::error::{Class, Damage, Error};
use annals_logs::types::Mode;
use std::collections::BTreeSet;

/// Most bytes that one read may ask for, whatever a damaged length says.
pub(crate) const LONGEST_READ: u64 = 4 << 20;
/// How far before a flipped byte the reported offset may be: a block, or a small frame with its header.
const NEAR: u64 = 8192;

/// Failures that are reported before the campaign gives up.
const SHOWN: usize = 16;

/// Flips bits of all logs.
pub fn run<T: Trial>(factory: Factory<'_>, seed: u64, budget: Budget) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let mut failures: Vec<String> = Vec::new();
    for rest in logs::<T>(factory, seed)? {
        let mut kinds = BTreeSet::new();
        for (name, bit, in_cell) in rest.bits(seed, budget) {
            let disk = rest.disk.fork();
            let byte = (!in_cell).then_some(bit / 8);
            if in_cell {
                disk.flip_cell_bit(&name, bit)
            } else {
                disk.flip_bit(&name, bit)
            };
            if let Err(what) = rest.check(factory, disk, &name, byte, &mut counts) {
                // One of each kind is enough.
                let frame = byte.and_then(|byte| rest.frame_at(&name, byte));
                let start: String = what.chars().take(24).collect();
                if kinds.insert((frame.map(|frame| frame.number), start)) {
                    failures.push(format!("{}: bit {bit} of {name}: {what}", rest.name));
                }
            }
        }
        if failures.len() >= SHOWN {
            break;
        }
    }
    if failures.is_empty() { Ok(counts) } else { Err(format!("{}\n{counts:?}", failures.join("\n"))) }
}

impl<T: Trial> Rest<T> {
    /// All bits that are flipped: file or cell, number, whether it is a cell. Of large frames the header, the start of
    /// the body and the end are exhausted, and the rest is sampled.
    fn bits(&self, seed: u64, budget: Budget) -> Vec<(String, u64, bool)> {
        let mut rng = SplitMix64::new(seed);
        let mut bits = Vec::new();
        for file in self.disk.file_names() {
            let frames = self.frames.get(&file).into_iter().flatten();
            let step = if self.disk.file_size(&file) > 1 << 14 { budget.bit_step } else { 1 };
            let mut end = 0;
            for frame in frames {
                let (start, len) = (frame.offset * 8, u64::from(frame.bytes) * 8);
                end = start + len;
                let exhausted = |bit: &u64| len <= 1 << 14 || *bit < start + 2048 || *bit >= end - 256;
                let all = (start + rng.below(step)..end).step_by(step as usize);
                bits.extend(all.filter(exhausted).map(|bit| (file.clone(), bit, false)));
                if len > 1 << 14 {
                    let sample = (0..budget.sampled_bits).map(|_| start + rng.below(len));
                    bits.extend(sample.map(|bit| (file.clone(), bit, false)));
                }
            }
            bits.extend((end..self.disk.file_size(&file) * 8).map(|bit| (file.clone(), bit, false)));
        }
        for cell in self.disk.cell_names() {
            let end = self.disk.cell_value(&cell).map_or(0, |value| value.len() as u64 * 8);
            bits.extend((0..end).map(|bit| (cell.clone(), bit, true)));
        }
        bits.into_iter().step_by(budget.flip_every).collect()
    }

    fn check(
        &self,
        factory: Factory<'_>,
        disk: SimDisk,
        name: &str,
        byte: Option<u64>,
        counts: &mut Counts,
    ) -> Result<(), String> {
        counts.states += 1;
        counts.distinct += 1;
        let before = disk.hash();
        let subject = factory(disk.clone());
        let reported = self.reported(&subject.verify(LOG), name, byte)?;
        let frame = byte.and_then(|byte| self.frame_at(name, byte));
        if self.closed && !reported && (byte.is_none() || frame.is_some()) {
            return Err(format!("verify finds nothing ({frame:?})"));
        }
        match T::open(&*subject, &Opening::plain(Mode::ReadOnly)) {
            Ok(handle) => {
                let seen = T::read(&handle)?;
                self.check_read_only(&seen, frame, reported)
                    .map_err(|what| format!("read only, {what}: {seen:?} ({frame:?})"))?;
            }
            Err(error) if error.class() == Class::Damage && byte.is_none() => counts.refused += 1,
            Err(error) => return Err(format!("read only: {error:?} ({frame:?})")),
        }
        if disk.hash() != before {
            return Err("reading changed something".into());
        }
        match T::open(&*subject, &Opening::plain(Mode::Open)) {
            Ok(handle) => {
                let seen = T::read(&handle)?;
                if !self.states[self.least..].iter().any(|model| seen.fits(model)) {
                    return Err(format!("opened for writing it holds {seen:?} ({frame:?})"));
                }
            }
            Err(error) if error.class() == Class::Damage => {
                counts.refused += 1;
                if disk.hash() != before {
                    return Err(format!("refused with {error:?}, but something changed"));
                }
            }
            Err(error) => return Err(format!("for writing: {error:?} ({frame:?})")),
        }
        let longest = disk.counters().longest_read;
        if longest > LONGEST_READ {
            return Err(format!("a read of {longest} bytes at once"));
        }
        Ok(())
    }

    /// Whether damage was reported; some of it must be near the bit.
    fn reported(
        &self,
        verified: &Result<Vec<Damage>, Error>,
        name: &str,
        byte: Option<u64>,
    ) -> Result<bool, String> {
        let found = match verified {
            Ok(found) => found.as_slice(),
            Err(Error::Damaged(damage)) => std::slice::from_ref(damage),
            Err(Error::UnknownFormat(_)) => return Ok(true),
            Err(error) => return Err(format!("verify: {error:?}")),
        };
        let near = |damage: &Damage| {
            let close = |byte: u64| damage.offset <= byte && byte - damage.offset <= NEAR;
            damage.file == name && byte.is_none_or(close)
        };
        if !found.is_empty() && !found.iter().any(near) {
            return Err(format!("verify looks elsewhere: {found:?}"));
        }
        Ok(!found.is_empty())
    }

    fn check_read_only(
        &self,
        seen: &T::Seen,
        frame: Option<&FrameInfo>,
        reported: bool,
    ) -> Result<(), String> {
        if self.closed {
            if !seen.fits(&self.states[self.least]) {
                return Err("it is not what was closed".into());
            }
            return match seen.lost_outside(frame) {
                Some(what) => Err(format!("{what} is lost with a frame that did not hold it")),
                None => Ok(()),
            };
        }
        // It may show less than was acknowledged, if verify says why.
        let shown = if reported { &self.states } else { &self.states[self.least..] };
        if (reported || seen.is_whole()) && shown.iter().any(|model| seen.fits(model)) {
            Ok(())
        } else {
            Err("it was never like this".into())
        }
    }
}
