//! Garbage: random stretches of small logs are overwritten, zeroed, exchanged or cut off.
//!
//! More than bit flips, this finds lengths that are believed, loops that do not end, and searches that find what they
//! should not. Nobody ever gets wrong data; a refused open changes nothing; where nobody reports anything the log is
//! in a state that it went through (a clean cut can look like one, and without a token nobody can tell).

use super::flips::LONGEST_READ;
use super::rest::{Rest, logs};
use super::trial::{LOG, Opening, Seen, Trial};
use super::{Budget, Counts};
use crate::rng::SplitMix64;
use crate::sim::{SECTOR, SimDisk};
use crate::subject::Factory;
use annals_logs::error::Class;
use annals_logs::types::Mode;

/// Tampers with all logs in many ways.
pub fn run<T: Trial>(factory: Factory<'_>, seed: u64, budget: Budget) -> Result<Counts, String> {
    let mut counts = Counts::default();
    for rest in logs::<T>(factory, seed)? {
        for number in 0..budget.garbage {
            let seed = SplitMix64::derive(seed, number);
            let disk = rest.disk.fork();
            let what = tamper(&disk, seed);
            check(&rest, factory, disk, &mut counts)
                .map_err(|found| format!("{}: {what} (of seed {seed}): {found}", rest.name))?;
        }
    }
    Ok(counts)
}

/// Changes something, and says what.
fn tamper(disk: &SimDisk, seed: u64) -> String {
    let mut rng = SplitMix64::new(seed);
    let files = disk.file_names();
    let file = &files[rng.below(files.len() as u64) as usize];
    let size = disk.file_size(file);
    let offset = rng.below(size);
    let most = [8, 64, 512, 4096][rng.below(4) as usize];
    let len = 1 + rng.below(most).min(size - offset - 1);
    let kind = rng.below(7);
    match kind {
        0 => disk.overwrite(file, offset, &rng.bytes(len as usize)),
        1 => disk.overwrite(file, offset, &vec![0; len as usize]),
        2 => disk.overwrite(file, offset, &vec![0xFF; len as usize]),
        3 => disk.cut_file(file, offset),
        4 => disk.overwrite(file, size, &rng.bytes(len as usize)),
        5 => {
            // A stretch from elsewhere, at an address where frames may start.
            let from = rng.below(size) / 8 * 8;
            let bytes = disk.file_bytes(file);
            let end = (from + len).min(size) as usize;
            disk.overwrite(file, offset / 8 * 8, &bytes[from as usize..end]);
        }
        _ => disk.zero_sector(file, offset / SECTOR * SECTOR),
    }
    format!("tampering {kind} with {len} bytes at {offset} of {file}")
}

/// What must hold of such a log, whatever was done to it.
pub(crate) fn check<T: Trial>(
    rest: &Rest<T>,
    factory: Factory<'_>,
    disk: SimDisk,
    counts: &mut Counts,
) -> Result<(), String> {
    counts.states += 1;
    let before = disk.hash();
    counts.distinct += u64::from(before != rest.disk.hash());
    let subject = factory(disk.clone());
    let reported = match subject.verify(LOG) {
        Ok(found) => !found.is_empty(),
        Err(error) if error.class() == Class::Damage => true,
        Err(error) => return Err(format!("verify: {error:?}")),
    };
    match T::open(&*subject, &Opening::plain(Mode::ReadOnly)) {
        Ok(handle) => {
            plausible(rest, &T::read(&handle)?, reported).map_err(|what| format!("read only, {what}"))?
        }
        Err(error) if error.class() == Class::Damage => counts.refused += 1,
        Err(error) => return Err(format!("read only: {error:?}")),
    }
    if disk.hash() != before {
        return Err("reading changed something".into());
    }
    match T::open(&*subject, &Opening::plain(Mode::Open)) {
        Ok(handle) => {
            plausible(rest, &T::read(&handle)?, reported).map_err(|what| format!("for writing, {what}"))?
        }
        Err(error) if error.class() == Class::Damage => {
            counts.refused += 1;
            if disk.hash() != before {
                return Err(format!("refused with {error:?}, but something changed"));
            }
        }
        Err(error) => return Err(format!("for writing: {error:?}")),
    }
    let longest = disk.counters().longest_read;
    if longest > LONGEST_READ { Err(format!("a read of {longest} bytes at once")) } else { Ok(()) }
}

/// What is served was once so; if nobody reports anything, it is all of some state.
fn plausible<T: Trial>(rest: &Rest<T>, seen: &T::Seen, reported: bool) -> Result<(), String> {
    let states: Vec<&T::Model> = rest.states.iter().collect();
    if seen.fits_among(&states) && (reported || seen.is_whole()) {
        return Ok(());
    }
    match seen.never_there(&rest.states) {
        Some(what) => Err(format!("{what} is wrong: {seen:?}")),
        None if reported => Ok(()),
        None => Err(format!("nobody reports anything, and it was never like this: {seen:?}")),
    }
}
