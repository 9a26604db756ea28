//! A plain file, prepared as a log prepares its own (`host/src/bench/raw.rs`): what the disk alone would take.
//!
//! It writes as many bytes as a log does and computes nothing, so there is nothing of it to read back.

use crate::{
    items::Seen,
    kinds::numbered::{Append, How, Numbered, Read},
    shared::subject::Subject,
};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// A plain file.
pub(crate) struct Plain(pub(crate) Box<dyn Subject>);

impl Numbered for Plain {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        let (How::Batches(size) | How::Synced(size)) = work.how else {
            bail!("a plain file is written in batches")
        };
        let (ends, sync) = (work.table.ends(size), matches!(work.how, How::Synced(_)));
        let start = Instant::now();
        for first in (work.first..work.first + work.count).step_by(size as usize) {
            self.0.append_packed(&ends, work.table.packed(first, size))?;
            if sync {
                self.0.sync()?;
            }
        }
        Ok(start.elapsed())
    }

    fn sync(&mut self) -> Result<()> {
        Ok(self.0.sync()?)
    }

    fn read(&mut self, _: &Read, _: &mut Seen) -> Result<Duration> {
        bail!("a plain file is not read")
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.0.close()?)
    }
}
