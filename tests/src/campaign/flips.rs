//! Bit flips: every bit of every file and cell of small logs, cleanly closed and not.
//!
//! Nobody ever gets wrong data. Of a cleanly closed log, `verify` names the file and a place near the bit; a read-only
//! open serves every item outside of the damaged frame; a refused open changes nothing. Of a log that was not closed,
//! what was acknowledged is there, or somebody says that it is damaged.

use super::driver::LOG;
use super::op::item;
use super::{Budget, Counts};
use crate::model::{Model, show};
use crate::rng::SplitMix64;
use crate::sim::SimDisk;
use crate::subject::{ALL, Factory, FrameInfo, JournalSubject, options};
use annals_logs::error::{Class, Damage, Error};
use annals_logs::types::{Mode, unpack};
use std::collections::{BTreeMap, BTreeSet};

/// Most bytes that one read may ask for, whatever a damaged length says.
const LONGEST_READ: u64 = 4 << 20;
/// How far before a flipped byte the reported offset may be: a block, or a small frame with its header.
const NEAR: u64 = 8192;

/// A log at rest.
struct Rest {
    name: &'static str,
    disk: SimDisk,
    /// What it held after each operation.
    states: Vec<Model>,
    /// The first of these that was not overtaken by an acknowledged one. The last one, of a closed log.
    least: usize,
    closed: bool,
    /// The frames of each file.
    frames: BTreeMap<String, Vec<FrameInfo>>,
}

/// Failures that are reported before the campaign gives up.
const SHOWN: usize = 16;

/// Flips bits of all logs.
pub fn run(factory: Factory<'_>, seed: u64, budget: Budget) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let mut failures: Vec<String> = Vec::new();
    for rest in logs(factory, seed)? {
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

/// What a log is filled with.
type Fill = fn(&mut Filling) -> Result<(), Error>;

struct Filling {
    journal: Box<dyn JournalSubject>,
    states: Vec<Model>,
    least: usize,
}

impl Filling {
    fn change<T>(&mut self, change: impl FnOnce(&mut Model) -> T) -> T {
        let mut model = self.states[self.states.len() - 1].clone();
        let answer = change(&mut model);
        self.states.push(model);
        answer
    }
    fn acknowledge(&mut self) {
        self.least = self.states.len() - 1;
    }
    fn batch(&mut self, numbers: std::ops::Range<u64>, len: usize) -> Result<(), Error> {
        let items: Vec<_> = numbers.map(|number| item(number, len)).collect();
        let slices: Vec<&[u8]> = items.iter().map(|item| &**item).collect();
        self.change(|model| model.append_batch(&slices))?;
        self.journal.append_batch(&slices).map(|_| ())
    }
    fn append(&mut self, number: u64) -> Result<(), Error> {
        self.change(|model| model.append(&item(number, 15)))?;
        self.journal.append(&item(number, 15)).map(|_| ())
    }
    fn rewind(&mut self, size: u64) -> Result<(), Error> {
        self.change(|model| model.rewind(size))?;
        self.journal.rewind(size)
    }
    fn prune(&mut self, min: u64) -> Result<(), Error> {
        self.change(|model| model.prune(min));
        self.acknowledge();
        self.journal.prune(min).map(|_| ())
    }
    fn sync_data(&mut self) -> Result<(), Error> {
        self.acknowledge();
        self.journal.sync_data().map(|_| ())
    }
    fn sync(&mut self) -> Result<(), Error> {
        self.acknowledge();
        self.journal.sync().map(|_| ())
    }
}

fn logs(factory: Factory<'_>, seed: u64) -> Result<Vec<Rest>, String> {
    let table: [(&'static str, bool, Fill); 7] = [
        ("an empty log, closed", true, |_| Ok(())),
        ("appends and a batch, closed", true, |log| {
            (0..5).try_for_each(|number| log.append(number))?;
            log.batch(5..8, 60)?;
            log.sync()?;
            log.append(8)
        }),
        ("rewinds and a prune, closed", true, |log| {
            log.batch(0..14, 12)?;
            log.rewind(11)?;
            log.batch(111..113, 12)?;
            log.prune(10)?;
            log.rewind(12)?;
            log.append(200)
        }),
        ("two segments, closed", true, |log| {
            log.batch(0..4, 14_000)?;
            log.batch(4..8, 14_000)?;
            log.batch(8..9, 200)
        }),
        ("synced data and more, not closed", false, |log| {
            log.batch(0..3, 40)?;
            log.sync_data()?;
            log.batch(3..5, 300)?;
            log.sync_data()?;
            log.batch(5..7, 300)
        }),
        ("synced with an index, not closed", false, |log| {
            log.batch(0..3, 40)?;
            log.rewind(2)?;
            log.sync()?;
            log.batch(102..104, 40)
        }),
        ("nothing synced, not closed", false, |log| {
            log.batch(0..3, 400)?;
            log.rewind(1)
        }),
    ];
    table.into_iter().map(|(name, closed, fill)| rest(factory, seed, name, closed, fill)).collect()
}

fn rest(
    factory: Factory<'_>,
    seed: u64,
    name: &'static str,
    closed: bool,
    fill: Fill,
) -> Result<Rest, String> {
    let said = |error: Error| format!("{name}: {error:?}");
    let disk = SimDisk::new(seed);
    let subject = factory(disk.clone());
    let journal = subject.open(LOG, &options(Mode::Create)).map_err(said)?;
    let mut filling = Filling { journal, states: vec![Model::new(10, 0)], least: 0 };
    fill(&mut filling).map_err(said)?;
    if closed {
        filling.acknowledge();
        filling.journal.close().map_err(said)?;
    }
    let rest = disk.fork();
    rest.settle();
    // The bytes behind the last frame are not flipped in vain: zeros ahead are cut down to some.
    let mut frames = BTreeMap::new();
    for file in rest.file_names() {
        let list = subject.frames(&file).map_err(said)?;
        let end = list.last().map_or(0, |frame| frame.offset + u64::from(frame.bytes));
        rest.cut_file(&file, end + 64);
        frames.insert(file, list);
    }
    Ok(Rest { name, disk: rest, states: filling.states, least: filling.least, closed, frames })
}

/// What reading everything gave: an item, or none where it is damaged, for each position that the journal claims.
struct Seen {
    boundary: u64,
    items: Vec<Option<Vec<u8>>>,
}

impl Seen {
    fn size(&self) -> u64 {
        self.boundary + self.items.len() as u64
    }

    fn lost(&self) -> impl Iterator<Item = u64> {
        (self.boundary..).zip(&self.items).filter(|(_, item)| item.is_none()).map(|(position, _)| position)
    }

    /// Whether this is the model, but for what is damaged.
    fn fits(&self, model: &Model) -> bool {
        let mut items = (self.boundary..).zip(&self.items);
        (self.boundary, self.size()) == (model.boundary(), model.size())
            && items.all(|(position, item)| {
                item.as_ref().is_none_or(|item| model.item(position).is_some_and(|right| **right == **item))
            })
    }

    fn describe(&self) -> String {
        let items: Vec<String> =
            self.items.iter().map(|item| item.as_ref().map_or("damaged".into(), |i| show(i))).collect();
        format!("from {}: {items:?}", self.boundary)
    }
}

impl Rest {
    /// All bits that are flipped: file or cell, number, whether it is a cell. Of large frames the header, the start of
    /// the body and the end are exhausted, and the rest is sampled.
    fn bits(&self, seed: u64, budget: Budget) -> Vec<(String, u64, bool)> {
        let mut rng = SplitMix64::new(seed);
        let mut bits = Vec::new();
        for file in self.disk.file_names() {
            let frames = self.frames.get(&file).into_iter().flatten();
            let mut end = 0;
            for frame in frames {
                let (start, len) = (frame.offset * 8, u64::from(frame.bytes) * 8);
                end = start + len;
                let exhausted = |bit: &u64| len <= 1 << 14 || *bit < start + 2048 || *bit >= end - 256;
                bits.extend((start..end).filter(exhausted).map(|bit| (file.clone(), bit, false)));
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
        bits
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
        match subject.open(LOG, &options(Mode::ReadOnly)) {
            Ok(journal) => {
                let seen = read(&*journal)?;
                self.check_read_only(&seen, frame, reported)
                    .map_err(|what| format!("read only, {what}: {} ({frame:?})", seen.describe()))?;
            }
            Err(error) if error.class() == Class::Damage && byte.is_none() => counts.refused += 1,
            Err(error) => return Err(format!("read only: {error:?} ({frame:?})")),
        }
        if disk.hash() != before {
            return Err("reading changed something".into());
        }
        match subject.open(LOG, &options(Mode::Open)) {
            Ok(journal) => {
                let seen = read(&*journal)?;
                if !self.states[self.least..].iter().any(|model| seen.fits(model)) {
                    return Err(format!("opened for writing it holds {} ({frame:?})", seen.describe()));
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

    fn frame_at(&self, file: &str, byte: u64) -> Option<&FrameInfo> {
        let frames = self.frames.get(file)?;
        frames.iter().find(|frame| (frame.offset..frame.offset + u64::from(frame.bytes)).contains(&byte))
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

    fn check_read_only(&self, seen: &Seen, frame: Option<&FrameInfo>, reported: bool) -> Result<(), String> {
        if self.closed {
            if !seen.fits(&self.states[self.least]) {
                return Err("it is not what was closed".into());
            }
            let own = frame.map_or(0..0, |frame| frame.first..frame.first + u64::from(frame.count));
            let other = seen.lost().find(|position| !own.contains(position));
            return other.map_or(Ok(()), |position| {
                Err(format!("position {position} is lost with the frame of {own:?}"))
            });
        }
        // It may show less than was acknowledged, if verify says why.
        let shown = if reported { &self.states } else { &self.states[self.least..] };
        let complete = reported || seen.lost().next().is_none();
        if complete && shown.iter().any(|model| seen.fits(model)) {
            Ok(())
        } else {
            Err("it was never like this".into())
        }
    }
}

/// Reads everything, one by one and as a stream; both must serve the same.
fn read(journal: &dyn JournalSubject) -> Result<Seen, String> {
    let say = |error: Error| format!("{error:?}");
    let (boundary, size) = (journal.boundary().map_err(say)?, journal.size().map_err(say)?);
    let mut items = Vec::new();
    for position in boundary..size {
        match journal.read(position) {
            Ok(item) => items.push(Some(item)),
            Err(Error::Damaged(_)) => items.push(None),
            Err(error) => return Err(format!("position {position}: {error:?}")),
        }
    }
    let reader = journal.replay(boundary).map_err(say)?;
    let mut streamed = vec![None; items.len()];
    for _ in 0..1000 {
        match reader.next(ALL) {
            Ok(Some(batch)) => {
                for (position, item) in (batch.first..).zip(unpack(&batch.ends, &batch.bytes)) {
                    let index = position.checked_sub(boundary).ok_or("a batch below the boundary")?;
                    *streamed.get_mut(index as usize).ok_or("a batch above the size")? = Some(item.to_vec());
                }
            }
            Ok(None) => break,
            Err(Error::Damaged(_)) => {}
            Err(error) => return Err(format!("replay: {error:?}")),
        }
    }
    if streamed != items {
        let streamed = Seen { boundary, items: streamed }.describe();
        return Err(format!(
            "a replay serves {streamed}, reads serve {}",
            Seen { boundary, items }.describe()
        ));
    }
    Ok(Seen { boundary, items })
}
