//! What every subject can do, and the component as one.

use annals::{
    Error, Journal, Limits, Runtime,
    journal::{Appender, Options},
    storage::Storage,
};
use std::{hint::black_box, sync::Arc};

/// A log, or what stands for one.
pub(crate) trait Subject {
    /// Appends a batch.
    fn append_packed(&mut self, ends: &[u32], bytes: &[u8]) -> Result<(), Error>;
    /// Appends one item by itself.
    fn append(&mut self, item: &[u8]) -> Result<(), Error>;
    /// Appends items one by one in the cheapest way.
    fn append_each(&mut self, item: &[u8], count: u64) -> Result<(), Error>;
    /// Makes everything durable.
    fn sync(&mut self) -> Result<(), Error>;
    /// Reads all items; how many there are.
    fn replay(&mut self) -> Result<u64, Error>;
    /// Reads so many consecutive items at once.
    fn read_range(&mut self, start: u64, count: u32) -> Result<(), Error>;
    /// Reads one item.
    fn read(&mut self, position: u64) -> Result<(), Error>;
    /// Reads items at these positions.
    fn read_many(&mut self, positions: &[u64]) -> Result<(), Error>;
    /// Closes it.
    fn close(self: Box<Self>) -> Result<(), Error>;
}

/// The component.
pub(crate) struct Component {
    log: Journal,
    appender: Appender,
}

impl Component {
    pub(super) fn open(
        runtime: &Runtime,
        storage: &Arc<dyn Storage>,
        name: &str,
    ) -> Result<Component, Error> {
        let log = runtime.journal(storage.clone(), name, &Options::new().sync_sections(false))?;
        Ok(Component { appender: log.appender()?, log })
    }
}

impl Subject for Component {
    fn append_packed(&mut self, ends: &[u32], bytes: &[u8]) -> Result<(), Error> {
        self.log.append_packed(ends, bytes).map(drop)
    }

    fn append(&mut self, item: &[u8]) -> Result<(), Error> {
        self.log.append(item).map(drop)
    }

    fn append_each(&mut self, item: &[u8], count: u64) -> Result<(), Error> {
        for _ in 0..count {
            self.appender.append(black_box(item))?;
        }
        self.appender.flush()
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.log.sync().map(drop)
    }

    fn replay(&mut self) -> Result<u64, Error> {
        let mut count = 0;
        for batch in self.log.replay(0)? {
            for (_, item) in batch?.iter() {
                black_box(item);
                count += 1;
            }
        }
        Ok(count)
    }

    fn read_range(&mut self, start: u64, count: u32) -> Result<(), Error> {
        black_box(self.log.read_range(start, Limits::new(count, u32::MAX))?);
        Ok(())
    }

    fn read(&mut self, position: u64) -> Result<(), Error> {
        black_box(self.log.read(position)?);
        Ok(())
    }

    fn read_many(&mut self, positions: &[u64]) -> Result<(), Error> {
        black_box(self.log.read_many(positions, u32::MAX)?);
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Error> {
        self.log.close().map(drop)
    }
}
