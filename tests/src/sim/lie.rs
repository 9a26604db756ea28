//! Answers that are wrong although nothing fails: what a broken storage, driver or disk may say, call by call.
//!
//! Unlike hostile answers these are planned: one kind, from one call on. A [`Lie`] that finds nothing to be wrong about
//! (a read of nothing cannot be short) is not told, and [`SimDisk::lies_told`] does not count it.

use super::disk::Disk;
use super::{SECTOR, SimDisk};
use crate::rng::SplitMix64;

/// Most bytes that an answer has too many.
const MORE: u64 = 5000;

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A read returns fewer bytes than it was asked for, though they are there.
    ShortRead,
    /// A read returns more than it was asked for.
    LongRead,
    /// One bit of what a read returns is flipped; what is stored is right.
    FlippedRead,
    /// A read returns the bytes of another place of the file.
    MisdirectedRead,
    /// The size is too small.
    SmallSize,
    /// The size is too large.
    LargeSize,
    /// Names come twice.
    DoubleNames,
    /// Names that are not there, or were not asked for.
    ForeignNames,
    /// More names than asked for.
    MoreNames,
    /// A cell of more bytes than a cell may have.
    LongCell,
    /// One bit of a cell is flipped; what is stored is right.
    FlippedCell,
    /// A write is said to be done and is not.
    LostWrite,
    /// A write goes to another place of the file and is said to be done.
    MisdirectedWrite,
    /// A sync is said to be done; what it was to write is still pending.
    IdleSync,
    /// A sync is said to be done; what it was to write is clean, and not on the disk.
    LosingSync,
}

/// A wrong answer that is planned.
#[derive(Clone, Copy, Debug)]
pub struct Lie {
    /// What is wrong.
    pub wrong: Wrong,
    /// Number of the call.
    pub call: u64,
    /// Whether the answers to the calls after it are wrong too.
    pub sticky: bool,
    /// How it is wrong.
    pub seed: u64,
}

/// The planned lie, and how it goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Lying {
    plan: Option<Lie>,
    /// Whether the call under way is meant.
    now: bool,
    told: u64,
}

impl SimDisk {
    /// Plans a wrong answer, or none.
    pub fn plan_lie(&self, lie: Option<Lie>) {
        let mut state = self.state();
        state.lying.plan = lie;
        state.lying.now = false;
    }

    /// How many answers were wrong as planned.
    pub fn lies_told(&self) -> u64 {
        self.state().lying.told
    }
}

impl Disk {
    /// A call begins.
    pub(super) fn consider_lying(&mut self) {
        let number = self.number;
        let meant = |lie: &Lie| if lie.sticky { lie.call <= number } else { lie.call == number };
        self.lying.now = self.lying.plan.as_ref().is_some_and(meant);
    }

    /// What draws the wrong answer, if this call is meant and this is what is wrong with it.
    fn lie(&self, wrong: Wrong) -> Option<SplitMix64> {
        let lie = self.lying.plan.filter(|lie| self.lying.now && lie.wrong == wrong)?;
        Some(SplitMix64::new(lie.seed ^ self.number))
    }

    fn told(&mut self) {
        self.lying.told += 1;
    }

    /// Whether the call is to lie in this way. It must then do so.
    pub(super) fn tells(&mut self, wrong: Wrong) -> bool {
        let tells = self.lie(wrong).is_some();
        self.lying.told += u64::from(tells);
        tells
    }

    pub(super) fn bend_size(&mut self, size: u64) -> u64 {
        if let Some(mut rng) = self.lie(Wrong::SmallSize)
            && size > 0
        {
            self.told();
            return rng.below(size);
        }
        match self.lie(Wrong::LargeSize) {
            Some(mut rng) => {
                self.told();
                size + 1 + rng.below(1 << 17)
            }
            None => size,
        }
    }

    pub(super) fn bend_read(&mut self, file: u64, offset: u64, bytes: &mut Vec<u8>) {
        let len = bytes.len() as u64;
        if len == 0 || !self.lying.now {
            return;
        }
        let before = bytes.clone();
        if let Some(mut rng) = self.lie(Wrong::ShortRead) {
            bytes.truncate(rng.below(len) as usize);
        } else if let Some(mut rng) = self.lie(Wrong::LongRead) {
            let more = 1 + rng.below(MORE) as usize;
            bytes.extend(rng.bytes(more));
        } else if let Some(mut rng) = self.lie(Wrong::FlippedRead) {
            bytes[rng.below(len) as usize] ^= 1 << rng.below(8);
        } else if let Some(mut rng) = self.lie(Wrong::MisdirectedRead)
            && let Some(kept) = self.files.get(&file)
        {
            *bytes = kept.body.read(elsewhere(offset, kept.body.size(), &mut rng), len);
            bytes.resize(len as usize, 0);
        }
        self.lying.told += u64::from(*bytes != before);
    }

    pub(super) fn bend_names(&mut self, prefix: &str, max: u32, names: &mut Vec<String>) {
        let before = names.clone();
        if self.lie(Wrong::DoubleNames).is_some() {
            *names = names.iter().flat_map(|name| [name.clone(), name.clone()]).collect();
            names.truncate(max as usize);
        } else if let Some(mut rng) = self.lie(Wrong::ForeignNames) {
            let last = names.last().cloned().unwrap_or_else(|| prefix.to_string());
            let foreign = match rng.below(5) {
                0 => "zz".to_string(),
                1 => format!("{prefix}zz"),
                2 => format!("{last}0"),
                // The next file of a log, which does not exist.
                3 => next_of(&last),
                _ => "\u{e9}/..\0".to_string(),
            };
            names.push(foreign);
        } else if self.lie(Wrong::MoreNames).is_some() {
            let missing = (max as usize + 3).saturating_sub(names.len());
            names.extend((0..missing).map(|number| format!("{prefix}zz{number:08}")));
        }
        self.lying.told += u64::from(*names != before);
    }

    pub(super) fn bend_cell(&mut self, value: &mut Vec<u8>) {
        if let Some(mut rng) = self.lie(Wrong::LongCell) {
            let more = rng.bytes(super::CELL + 1 - value.len().min(super::CELL));
            value.extend(more);
            self.told();
        } else if let Some(mut rng) = self.lie(Wrong::FlippedCell)
            && !value.is_empty()
        {
            let at = rng.below(value.len() as u64) as usize;
            value[at] ^= 1 << rng.below(8);
            self.told();
        }
    }

    /// Where a write is to go instead.
    pub(super) fn bend_write(&mut self, offset: u64, size: u64) -> Option<u64> {
        let mut rng = self.lie(Wrong::MisdirectedWrite)?;
        let other = elsewhere(offset, size, &mut rng);
        (other != offset).then(|| {
            self.told();
            other
        })
    }
}

/// Another place of a file, as far from the start of its sector as the right one.
fn elsewhere(offset: u64, size: u64, rng: &mut SplitMix64) -> u64 {
    let sectors = size.div_ceil(SECTOR).max(1);
    let other = (offset / SECTOR + 1 + rng.below(sectors.saturating_sub(1).max(1))) % sectors;
    other * SECTOR + offset % SECTOR
}

/// The name with its last digit counted up.
fn next_of(name: &str) -> String {
    let mut next = name.to_string();
    match next.pop() {
        Some(digit @ '0'..='8') => next.push((digit as u8 + 1) as char),
        Some(other) => next.extend([other, '1']),
        None => next.push('1'),
    }
    next
}
