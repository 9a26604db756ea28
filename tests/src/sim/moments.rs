//! Copies of a disk from before each of its calls, for campaigns that stop the machine at every one of them: one run gives
//! all of them, where [`SimDisk::plan_crash`] needs a run for each.

use super::disk::Disk;
use super::{Call, Crash, SECTOR, SimDisk};
use std::sync::Arc;

/// The disk as it was when a call began.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Number of the call.
    pub call: u64,
    /// Which one it is.
    pub kind: Call,
    /// What the machine would have left, had it stopped there.
    pub what: What,
}

/// What was there at a moment.
#[derive(Clone, Debug)]
pub enum What {
    /// The same as at the moment before, or at the start: no call in between could change anything.
    Same,
    /// This.
    Disk(SimDisk),
}

/// The moments so far.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    list: Vec<(Moment, Option<Write>)>,
    /// The disk before the first of them.
    before: SimDisk,
    /// Whether something may have changed since the last one that has a disk.
    changed: bool,
}

/// A write that is about to happen.
#[derive(Clone, Debug)]
struct Write {
    file: Arc<str>,
    offset: u64,
    bytes: Vec<u8>,
}

impl SimDisk {
    /// From now on keeps a copy from before each call, once something may have changed.
    pub fn record(&self) {
        let before = self.fork();
        self.state().moments = Some(Moments { list: Vec::new(), before, changed: false });
    }

    /// The moments since, each with a write that the machine may stop in the middle of.
    pub fn take_moments(&self) -> Vec<(Moment, Option<Partial>)> {
        let Some(Moments { list, mut before, .. }) = self.state().moments.take() else { return Vec::new() };
        let mut moments = Vec::with_capacity(list.len());
        for (moment, write) in list {
            if let What::Disk(disk) = &moment.what {
                before = disk.clone();
            }
            let partial = write.map(|write| Partial { before: before.clone(), write });
            moments.push((moment, partial));
        }
        moments
    }

    /// What the next start would find after this crash. This one goes on.
    pub fn after(&self, crash: Crash) -> SimDisk {
        Self::of(self.state().after(crash))
    }
}

/// A write of several sectors, and the disk before it.
#[derive(Clone, Debug)]
pub struct Partial {
    before: SimDisk,
    write: Write,
}

impl Partial {
    /// Number of sectors that it touches.
    pub fn sectors(&self) -> u64 {
        let end = self.write.offset + self.write.bytes.len() as u64;
        end.div_ceil(SECTOR) - self.write.offset / SECTOR
    }

    /// The disk after those of its sectors arrived whose bits are set; the process is gone.
    pub fn arrived(&self, bits: u64) -> SimDisk {
        let disk = self.before.fork();
        {
            let mut state = disk.state();
            let id = state.names.get(&self.write.file).copied();
            if let Some(kept) = id.and_then(|id| state.files.get_mut(&id)) {
                let Write { offset, bytes, .. } = &self.write;
                kept.body_mut().write(*offset, bytes, |sector| bits >> (sector % 64) & 1 == 1);
            }
        }
        disk
    }
}

impl Disk {
    /// A call begins.
    pub(super) fn note_moment(&mut self, kind: Call) {
        let Some(moments) = &self.moments else { return };
        let what = if moments.changed { What::Disk(SimDisk::of(self.copy())) } else { What::Same };
        let call = self.number;
        if let Some(moments) = &mut self.moments {
            moments.list.push((Moment { call, kind, what }, None));
            moments.changed = kind.changes();
        }
    }

    /// The call that began is this write.
    pub(super) fn note_write(&mut self, id: u64, offset: u64, bytes: &[u8]) {
        let Some((_, write)) = self.moments.as_mut().and_then(|moments| moments.list.last_mut()) else {
            return;
        };
        let file = self.names.iter().find(|(_, of)| **of == id).map(|(name, _)| name.clone());
        *write = file.map(|file| Write { file, offset, bytes: bytes.to_vec() });
    }
}
