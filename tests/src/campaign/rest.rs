//! Small logs at rest, with what they held, for campaigns that tamper with them.

use super::driver::LOG;
use super::op::item;
use crate::model::{Model, show};
use crate::sim::SimDisk;
use crate::subject::{ALL, Factory, FrameInfo, JournalSubject, options};
use annals_logs::error::Error;
use annals_logs::types::{Mode, unpack};
use std::collections::BTreeMap;

/// A log at rest.
pub(super) struct Rest {
    pub(super) name: &'static str,
    pub(super) disk: SimDisk,
    /// What it held after each operation.
    pub(super) states: Vec<Model>,
    /// The first of these that was not overtaken by an acknowledged one. The last one, of a closed log.
    pub(super) least: usize,
    pub(super) closed: bool,
    /// The frames of each file.
    pub(super) frames: BTreeMap<String, Vec<FrameInfo>>,
}

impl Rest {
    /// The frame that holds this byte.
    pub(super) fn frame_at(&self, file: &str, byte: u64) -> Option<&FrameInfo> {
        let frames = self.frames.get(file)?;
        frames.iter().find(|frame| (frame.offset..frame.offset + u64::from(frame.bytes)).contains(&byte))
    }
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

/// The logs.
pub(super) fn logs(factory: Factory<'_>, seed: u64) -> Result<Vec<Rest>, String> {
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
pub(super) struct Seen {
    pub(super) boundary: u64,
    pub(super) items: Vec<Option<Vec<u8>>>,
}

impl Seen {
    pub(super) fn size(&self) -> u64 {
        self.boundary + self.items.len() as u64
    }

    pub(super) fn lost(&self) -> impl Iterator<Item = u64> {
        (self.boundary..).zip(&self.items).filter(|(_, item)| item.is_none()).map(|(position, _)| position)
    }

    /// Whether this is the model, but for what is damaged.
    pub(super) fn fits(&self, model: &Model) -> bool {
        let mut items = (self.boundary..).zip(&self.items);
        (self.boundary, self.size()) == (model.boundary(), model.size())
            && items.all(|(position, item)| {
                item.as_ref().is_none_or(|item| model.item(position).is_some_and(|right| **right == **item))
            })
    }

    pub(super) fn describe(&self) -> String {
        let items: Vec<String> =
            self.items.iter().map(|item| item.as_ref().map_or("damaged".into(), |i| show(i))).collect();
        format!("from {}: {items:?}", self.boundary)
    }
}

/// Reads everything, one by one and as a stream; both must serve the same.
pub(super) fn read(journal: &dyn JournalSubject) -> Result<Seen, String> {
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
