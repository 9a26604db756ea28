//! Handles of simulated files and of syncs under way.

use super::disk::{Disk, Step, Ticket, breach, owner_of_file};
use super::{Call, Point, SimDisk, Wrong, crashed};
use crate::rng::SplitMix64;
use annals_logs::storage::StorageError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An open file. Dropping it closes it.
#[derive(Debug)]
pub struct SimFile {
    disk: SimDisk,
    id: u64,
    name: Arc<str>,
    /// End of what this handle wrote.
    written: AtomicU64,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.disk.state().release(self.id);
    }
}

impl SimFile {
    pub(super) fn new(disk: SimDisk, id: u64, name: Arc<str>) -> Self {
        Self { disk, id, name, written: AtomicU64::new(0) }
    }

    /// Its name when it was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes that can be read now.
    pub fn size(&self) -> Result<u64, StorageError> {
        self.disk.interleave();
        let mut disk = self.disk.state();
        let step = disk.call(Call::Size, &self.name, 0, 0);
        let size = disk.body(self.id)?.size();
        let size = disk.twist(size);
        step.result(Ok(disk.bend_size(size)))
    }

    /// Up to `len` bytes; fewer only where the file ends.
    pub fn read(&self, offset: u64, len: u32) -> Result<Vec<u8>, StorageError> {
        self.disk.interleave();
        let mut disk = self.disk.state();
        let step = disk.call(Call::Read, &self.name, offset, len.into());
        step.result(Ok(()))?;
        let mut bytes = disk.body(self.id)?.read(offset, len.into());
        disk.twist_bytes(&mut bytes);
        disk.bend_read(self.id, offset, &mut bytes);
        disk.counters.bytes_read += bytes.len() as u64;
        disk.counters.longest_read = disk.counters.longest_read.max(len.into());
        Ok(bytes)
    }

    /// All of `bytes` at `offset`.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.disk.interleave();
        let mut disk = self.disk.state();
        let step = disk.call(Call::Write, &self.name, offset, bytes.len() as u64);
        if matches!(step, Step::Fail { crash: true, point: Point::Before, .. }) {
            return Err(crashed());
        }
        disk.need_lock(&self.name, owner_of_file(&self.name))?;
        let before = self.written.load(Ordering::Relaxed);
        if offset < before && disk.hostile.is_none() {
            let what = format!("{} written at {offset} after {before}\n{}", self.name, disk.trace());
            return Err(breach(what));
        }
        let end = offset + bytes.len() as u64;
        disk.counters.bytes_written += bytes.len() as u64;
        disk.note_write(self.id, offset, bytes);
        let room = disk.room(disk.body(self.id)?.size());
        let fits = (room.saturating_sub(offset).min(bytes.len() as u64)) as usize;
        let size = disk.body(self.id)?.size();
        let target = disk.bend_write(offset, size);
        let lost = disk.tells(Wrong::LostWrite);
        let body = disk.body_mut(self.id)?;
        match step {
            Step::Go if lost => {}
            Step::Go => body.write(target.unwrap_or(offset), &bytes[..fits], |_| true),
            Step::Fail { point: Point::Before, .. } => {}
            Step::Fail { point: Point::After, .. } => body.write(offset, &bytes[..fits], |_| true),
            Step::Fail { point: Point::Partway(seed), .. } => {
                let mut arrives = part(seed, end.saturating_sub(offset));
                body.write(offset, &bytes[..fits], &mut arrives);
            }
        }
        if let Some(error) = step.error() {
            return Err(error);
        }
        self.written.store(end, Ordering::Relaxed);
        if fits < bytes.len() { Err(StorageError::OutOfSpace) } else { Ok(()) }
    }

    /// Extends the file with zeros. Takes all room there is when there is not enough.
    pub fn reserve(&self, size: u64) -> Result<(), StorageError> {
        self.disk.interleave();
        let mut disk = self.disk.state();
        let step = disk.call(Call::Reserve, &self.name, size, 0);
        if matches!(step, Step::Fail { crash: true, point: Point::Before, .. }) {
            return Err(crashed());
        }
        disk.need_lock(&self.name, owner_of_file(&self.name))?;
        let old = disk.body(self.id)?.size();
        let got = size.min(disk.room(old));
        let body = disk.body_mut(self.id)?;
        match step {
            Step::Go | Step::Fail { point: Point::After, .. } => body.reserve(got),
            Step::Fail { point: Point::Before, .. } => {}
            Step::Fail { point: Point::Partway(seed), .. } => {
                body.reserve(old + SplitMix64::new(seed).below(got.saturating_sub(old) + 1))
            }
        }
        step.result(if got < size { Err(StorageError::OutOfSpace) } else { Ok(()) })
    }

    /// Drops everything at and after `size`, durably.
    pub fn truncate(&self, size: u64) -> Result<(), StorageError> {
        self.disk.interleave();
        let mut disk = self.disk.state();
        let step = disk.call(Call::Truncate, &self.name, size, 0);
        if matches!(step, Step::Fail { crash: true, point: Point::Before, .. }) {
            return Err(crashed());
        }
        disk.need_lock(&self.name, owner_of_file(&self.name))?;
        if step.happens()? {
            disk.body_mut(self.id)?.truncate(size);
        }
        step.result(Ok(()))
    }

    /// Makes everything written before durable.
    pub fn sync(&self) -> Result<(), StorageError> {
        self.disk.interleave();
        let mut disk = self.disk.state();
        let step = disk.call(Call::Sync, &self.name, 0, 0);
        let upto = disk.body(self.id)?.seq();
        disk.finish_sync(self.id, upto, step)
    }

    /// Starts the same.
    pub fn begin_sync(&self) -> Result<SimPending, StorageError> {
        self.disk.interleave();
        let mut disk = self.disk.state();
        let step = disk.call(Call::BeginSync, &self.name, 0, 0);
        let upto = disk.body(self.id)?.seq();
        if let Some(error) = step.error() {
            let _ = disk.finish_sync(self.id, upto, step);
            return Err(error);
        }
        let id = disk.fresh();
        let polls = disk.polls;
        disk.tickets.insert(id, Ticket { file: self.id, upto, polls, outcome: None });
        // The sync keeps the file, even if it is removed and closed meanwhile.
        disk.hold(self.id);
        Ok(SimPending { disk: self.disk.clone(), id, name: self.name.clone() })
    }
}

impl SimDisk {
    /// Ends all running syncs, as a disk does in its own time. Each is a numbered call that may fail.
    pub fn end_syncs(&self) {
        let mut disk = self.state();
        let running: Vec<(u64, u64)> = disk.tickets.iter().map(|(id, ticket)| (*id, ticket.file)).collect();
        for (id, file) in running {
            let name: Arc<str> = format!("file {file}").into();
            let step = disk.call(Call::WaitSync, &name, 0, 0);
            let _ = disk.finish_ticket(id, step);
        }
    }
}

/// A sync under way. It ends when somebody asks: by the first `wait`, or after some polls.
#[derive(Debug)]
pub struct SimPending {
    disk: SimDisk,
    id: u64,
    name: Arc<str>,
}

impl SimPending {
    /// The outcome, or none while it is running.
    pub fn poll(&self) -> Option<Result<(), StorageError>> {
        self.disk.interleave();
        let mut disk = self.disk.state();
        let step = disk.call(Call::PollSync, &self.name, 0, 0);
        match disk.tickets.get_mut(&self.id) {
            Some(ticket) if ticket.outcome.is_none() && ticket.polls > 0 && matches!(step, Step::Go) => {
                ticket.polls -= 1;
                None
            }
            _ => Some(disk.finish_ticket(self.id, step)),
        }
    }

    /// Waits for the outcome.
    pub fn wait(&self) -> Result<(), StorageError> {
        self.disk.interleave();
        let mut disk = self.disk.state();
        let step = disk.call(Call::WaitSync, &self.name, 0, 0);
        disk.finish_ticket(self.id, step)
    }
}

impl Drop for SimPending {
    fn drop(&mut self) {
        let mut disk = self.disk.state();
        if let Some(ticket) = disk.tickets.remove(&self.id) {
            disk.release(ticket.file);
        }
    }
}

impl Disk {
    fn hold(&mut self, id: u64) {
        if let Some(kept) = self.files.get_mut(&id) {
            kept.handles += 1;
        }
    }

    fn release(&mut self, id: u64) {
        if let Some(kept) = self.files.get_mut(&id) {
            kept.handles -= 1;
        }
        self.sweep(id);
    }

    fn body(&self, id: u64) -> Result<&super::body::Body, StorageError> {
        self.files.get(&id).map(|kept| &*kept.body).ok_or(StorageError::NotFound)
    }

    fn body_mut(&mut self, id: u64) -> Result<&mut super::body::Body, StorageError> {
        self.files.get_mut(&id).map(|kept| kept.body_mut()).ok_or(StorageError::NotFound)
    }

    fn finish_ticket(&mut self, id: u64, step: Step) -> Result<(), StorageError> {
        let Some(ticket) = self.tickets.get(&id).cloned() else { return Err(crashed()) };
        if let Some(outcome) = ticket.outcome {
            return outcome;
        }
        let outcome = self.finish_sync(ticket.file, ticket.upto, step);
        if let Some(ticket) = self.tickets.get_mut(&id) {
            ticket.outcome = Some(outcome.clone());
        }
        outcome
    }

    fn finish_sync(&mut self, file: u64, upto: u64, step: Step) -> Result<(), StorageError> {
        if self.lies && matches!(step, Step::Go) {
            return Ok(());
        }
        if matches!(step, Step::Go) && self.tells(Wrong::IdleSync) {
            return Ok(());
        }
        if matches!(step, Step::Go) && self.tells(Wrong::LosingSync) {
            self.body_mut(file)?.fail_sync(upto, |_| false);
            return Ok(());
        }
        let late = self.files.get_mut(&file).is_some_and(|kept| std::mem::take(&mut kept.late));
        let body = self.body_mut(file)?;
        match &step {
            Step::Go | Step::Fail { point: Point::After, .. } => body.sync(upto),
            Step::Fail { crash: true, point: Point::Before, .. } => {}
            Step::Fail { crash: true, point: Point::Partway(seed), .. } => body.part_sync(upto, coin(*seed)),
            Step::Fail { crash: false, point: Point::Before, .. } => body.fail_sync(upto, |_| false),
            Step::Fail { crash: false, point: Point::Partway(seed), .. } => {
                body.fail_sync(upto, coin(*seed));
            }
        }
        step.result(if late { Err(StorageError::Io("injected, reported late".into())) } else { Ok(()) })
    }
}

/// A coin that was thrown for each sector.
fn coin(seed: u64) -> impl FnMut(u64) -> bool {
    let mut rng = SplitMix64::new(seed);
    move |_| rng.draw() & 1 == 1
}

/// Which sectors of a write of `len` bytes arrive: a prefix of it, or any of them.
fn part(seed: u64, len: u64) -> impl FnMut(u64) -> bool {
    let mut rng = SplitMix64::new(seed);
    let prefix = rng.chance(50).then(|| rng.below(len / super::SECTOR + 2));
    move |sector| match prefix {
        Some(end) => sector < end,
        None => rng.draw() & 1 == 1,
    }
}
