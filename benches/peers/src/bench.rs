//! What all rows share: where they work, how much, and the logs that are made once and read by many.

use crate::{
    contenders::{self, Kind, Opened, Who},
    items::{Seen, Table},
    kinds::numbered::{Append, How, Read},
    place::Place,
};
use anyhow::{Context as _, Result};
use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeSet,
    sync::Arc,
};

/// Bytes of an item.
pub(crate) const ITEM: usize = 100;
/// Items of a batch.
pub(crate) const BATCH: u64 = 1000;

/// How much work there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Items of a log.
    pub(crate) items: u64,
    /// Batches that are synced one by one.
    pub(crate) synced: u64,
    /// Items of a large log.
    pub(crate) large: u64,
    /// Random reads.
    pub(crate) reads: u64,
}

impl Sizes {
    /// What figures are made of.
    pub(crate) const FULL: Sizes = Sizes { items: 1_000_000, synced: 200, large: 10_000_000, reads: 20_000 };
    /// Enough to see that everything works.
    pub(crate) const QUICK: Sizes = Sizes { items: 40_000, synced: 10, large: 100_000, reads: 500 };
}

/// One contender's turn in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) who: Who,
    pub(crate) round: usize,
}

/// See above.
pub(crate) struct Bench {
    pub(crate) place: Place,
    pub(crate) sizes: Sizes,
    pub(crate) table: Arc<Table>,
    made: RefCell<BTreeSet<(Who, String)>>,
    /// Memory that an instance needs, once it is known.
    pub(crate) memory: OnceCell<Option<usize>>,
}

impl Bench {
    pub(crate) fn new(place: Place, sizes: Sizes) -> Bench {
        Bench { place, sizes, table: Table::new(ITEM), made: RefCell::default(), memory: OnceCell::new() }
    }

    /// Makes something for a contender unless that has been done.
    pub(crate) fn once(&self, who: Who, name: &str, make: impl FnOnce() -> Result<()>) -> Result<()> {
        if !self.made.borrow().contains(&(who, name.to_owned())) {
            make().with_context(|| format!("cannot prepare '{name}'"))?;
            self.made.borrow_mut().insert((who, name.to_owned()));
        }
        Ok(())
    }

    /// A log with so many items, made once, opened for reading. Native library and component have one each.
    pub(crate) fn filled(&self, kind: Kind, who: Who, items: u64, name: &str) -> Result<Opened> {
        let name = &log_name(kind, who, name);
        self.once(who, name, || {
            let mut log = contenders::numbered(self, kind, who, name)?.log;
            let all = Append { table: self.table.clone(), first: 0, count: items, how: How::Batches(BATCH) };
            log.append(&all)?;
            log.close()
        })?;
        contenders::numbered(self, kind, who, name)
    }

    /// Whether a log that was closed has exactly these items.
    pub(crate) fn check(&self, kind: Kind, who: Who, items: u64, name: &str) -> Result<()> {
        let mut log = contenders::numbered(self, kind, who, name)?.log;
        let all = Read::All(items);
        let mut seen = Seen::exact(&self.table, all.positions());
        log.read(&all, &mut seen)?;
        seen.verify(&self.table, all.positions())?;
        log.close()
    }
}

/// A name that nobody else uses: Annals keeps all logs in one storage.
pub(crate) fn log_name(kind: Kind, who: Who, name: &str) -> String {
    format!("{kind:?}-{who:?}-{name}").to_lowercase()
}
