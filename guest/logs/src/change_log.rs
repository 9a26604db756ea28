//! The change log: write-ahead intents of steps that touch several stores. A thin view over the record log;
//! `wit/change-log.wit` says what each operation promises.
//!
//! Each open log is an *instance*: an epoch, which is a generation of the log's files that nobody else writes, and a cell
//! (`format::instance`), which says whether it is alive. The epochs of all instances are counted in the root cell. The
//! root's lock is held while an instance opens, while leftovers are swept, and for destruction; an instance's own lock
//! while it is open.
//!
//! # Format
//!
//! All frames with items are `append`. An item is a postcard `item::Item`, followed by the payload of a change where it
//! is one:
//!
//! * `Put`: this change is outstanding; whatever was under its key before is not.
//! * `Remove`: it is not outstanding any more.
//! * `Adopt`: a change of another epoch. It counts only once an `Adopted` follows whose `since` is not above its position,
//!   and against what is under its key already if its epoch is not lower.
//! * `Adopted`: everything that was outstanding in these epochs is here.
//!
//! A `meta` frame with a postcard `state::Moved` says that items below a position do not count any more. The view's
//! checkpoint is a postcard `state::State`; there are no fixed options.
//!
//! # Who may do what, and why nothing is lost or comes back
//!
//! 1. *Writing*: write, sync, and only then look at the own cell. Still alive: acknowledged. So what was acknowledged was
//!    durable before anybody claimed this instance, and whoever claims it reads it.
//! 2. *Claiming* swaps the cell of a dead instance: one wins. Only after that its files are read.
//! 3. *Taking over*: between claiming and the `Adopted` that ends it the claimer looks at its own cell. So of two that
//!    claim each other only one gets as far as an `Adopted`: it was alive after it had claimed.
//! 4. *Who is dead may have claimed others.* They are claimed too, after its files were read; those that it had taken over
//!    are only removed, because what they held is a part of what it holds.
//! 5. *Removing* files and then cells follows only after another look at the own cell and at the claimed ones.
//! 6. *The cell promises*: it names the last frame that was durable when its holder wrote it. Where that is missing the
//!    instance is damaged, also where it looks like a write that a crash interrupted.
//! 7. What a vanished claimer had claimed it had not taken over: it did so after its files were read (4).
//!
//! See `recover`.

mod admin;
mod cell;
mod compact;
mod fold;
mod held;
mod item;
mod open;
mod options;
mod orphan;
mod recover;
mod scan;
mod state;
mod view;

pub(crate) use admin::{check as verification, info, live_runs, segments};
pub use options::{
    Change, HEARTBEAT_MS, InstanceInfo, InstanceState, Options, Outstanding, Recovered, SEGMENT_BYTES,
};
pub use scan::Scan;

use crate::error::{Damage, Error, Limit, Result, Token};
use crate::format::frame::Kind;
use crate::format::instance::{Instance, Life};
use crate::format::names;
use crate::format::root::{self, Root};
use crate::limits::check_item;
use crate::record_log::{self, Lane, NewFrame, RecordLog, View, room};
use crate::storage::{Host, Swap};
use alloc::{collections::BTreeSet, string::String, vec::Vec};
use compact::Space;
use held::{Entry, Held, key};
use item::{Item, Tag};
pub(crate) use state::State;

/// Most bytes of an id.
const MAX_ID: u64 = 64 << 10;

/// Why a log does not answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Closed,
    Fenced,
}

/// What only an instance of its own has, as opposed to a log that was opened for reading only.
struct Own {
    /// What the cell says, and its version, as far as is known.
    cell: Instance,
    version: u64,
    /// Epochs whose changes are here.
    adopted: BTreeSet<u64>,
    /// Other cells may say that they are claimed by this instance.
    untidy: bool,
    space: Space,
    /// Damage that was found while taking over, and is not told yet.
    found: Option<Damage>,
}

/// An open change log.
pub struct ChangeLog<H: Host> {
    host: H,
    name: String,
    /// Its name; empty if all instances are shown.
    instance: String,
    /// The log's root; its generation is the epoch of this instance.
    root: Root,
    /// The own files; in a log that was opened for reading, those of all instances that are shown.
    logs: Vec<RecordLog<H, State>>,
    held: Held,
    own: Option<Own>,
    /// What was found when it was opened for reading.
    damage: Vec<Damage>,
    ended: Option<Ended>,
}

impl<H: Host> ChangeLog<H> {
    /// The name of this instance.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    fn check_open(&self) -> Result<()> {
        match self.ended {
            Some(Ended::Closed) => Err(Error::Closed),
            Some(Ended::Fenced) => Err(Error::Fenced),
            None => self.logs.iter().try_for_each(RecordLog::check_open),
        }
    }

    fn check_writable(&self) -> Result<()> {
        self.check_open()?;
        if self.own.is_some() { Ok(()) } else { Err(Error::ReadOnly) }
    }

    fn own(&mut self) -> Result<&mut Own> {
        self.own.as_mut().ok_or(Error::ReadOnly)
    }

    fn log(&mut self) -> Result<&mut RecordLog<H, State>> {
        self.logs.first_mut().ok_or(Error::Closed)
    }

    /// The epoch of this instance.
    fn epoch(&self) -> u64 {
        self.root.generation
    }

    /// The root of the files of this epoch.
    fn part(&self, epoch: u64) -> Root {
        Root { generation: epoch, ..self.root.clone() }
    }

    /// The key of an id of this origin; none for this instance.
    fn key(&self, origin: Option<&str>, id: &[u8]) -> Result<Vec<u8>> {
        if id.len() as u64 > MAX_ID {
            let (allowed, got) = (MAX_ID, id.len() as u64);
            return Err(Error::TooLarge { what: Limit::KeySize, allowed, got });
        }
        match origin {
            Some(origin) => {
                options::check_instance(origin)?;
                key(origin, id)
            }
            None if self.instance.is_empty() => {
                Err(Error::InvalidArgument("origin: this shows all instances; say which one".into()))
            }
            None => key(&self.instance, id),
        }
    }

    /// Records a change.
    pub fn record(&mut self, id: &[u8], change: &Change) -> Result<()> {
        self.check_writable()?;
        let key = self.key(None, id)?;
        check_item(change.payload.len() as u64)?;
        if self.held.get(&key).is_none() {
            self.held.check_room(1, key.len() as u64)?;
        }
        let (position, epoch, cleanup_after_ms) = (self.log()?.next(), self.epoch(), change.cleanup_after_ms);
        let tag = Tag { origin: &self.instance, epoch, id, cleanup_after_ms };
        let head = Item::Put(tag).encode()?;
        let entry = Entry::at(0, position, (head.len() + change.payload.len()) as u64, &tag);
        self.write(&[&[&head, &change.payload]], false)?;
        self.log()?.sync_frames()?;
        self.hold(key.into(), entry);
        self.still_own()?;
        self.compact();
        Ok(())
    }

    /// Removes a change. True if it was there.
    pub fn remove(&mut self, origin: Option<&str>, id: &[u8]) -> Result<bool> {
        self.check_writable()?;
        let key = self.key(origin, id)?;
        if self.held.get(&key).is_none() {
            self.still_own()?;
            return Ok(false);
        }
        let (origin, id) = held::split(&key);
        let item = Item::Remove { origin, id }.encode()?;
        match self.write(&[&[&item]], false) {
            Err(Error::OutOfSpace) => self.write(&[&[&item]], true)?,
            outcome => outcome?,
        };
        self.log()?.sync_frames()?;
        self.let_go(&key);
        self.still_own()?;
        self.compact();
        Ok(true)
    }

    /// The change, if it is outstanding here.
    pub fn get(&mut self, origin: Option<&str>, id: &[u8]) -> Result<Option<Change>> {
        self.check_open()?;
        let key = self.key(origin, id)?;
        let held = self.held.get(&key).copied();
        if let Some(damage) = self.hides(held) {
            return Err(Error::Damaged(damage.clone()));
        }
        let Some(entry) = held else { return Ok(None) };
        let payload = self.payload(&entry)?;
        Ok(Some(Change { payload, cleanup_after_ms: entry.cleanup_after_ms }))
    }

    /// What was found when it was opened for reading, if that may have cost what would stand instead of this.
    fn hides(&self, held: Option<Entry>) -> Option<&Damage> {
        let Some(entry) = held else { return self.damage.first() };
        let epoch = self.logs.get(entry.source).map(RecordLog::generation);
        let of = |file: &str| match names::FileName::parse(file) {
            Some(file) => Some(file.generation),
            None => names::parse_instance(&self.name, file).map(|(_, epoch)| epoch),
        };
        self.damage.iter().find(|damage| of(&damage.file) == epoch)
    }

    /// Shows that the holder is alive.
    pub fn heartbeat(&mut self) -> Result<()> {
        self.check_writable()?;
        self.beat(self.host.now_ms())
    }

    /// Leaves; with outstanding changes they wait to be recovered.
    pub fn close(&mut self) -> Result<Token> {
        let outcome = self.check_open().and_then(|()| if self.own.is_some() { self.leave() } else { Ok(0) });
        if self.ended.is_none() {
            self.end(Ended::Closed);
        }
        self.ended = Some(Ended::Closed);
        outcome.map(|check| Token { log: self.root.id, frame: self.epoch(), check })
    }

    /// Leaves. Returns the chain value of the last frame.
    fn leave(&mut self) -> Result<u128> {
        if self.held.is_empty() && !self.own()?.untidy {
            let check = self.log()?.token().check;
            self.swap_own(None)?;
            // Nothing of it counts any more; if a crash leaves some of its files, `recover` sweeps them.
            record_log::remove_part(&self.host, &self.name, &self.root)?;
            return Ok(check);
        }
        let log = self.log()?;
        log.seal()?;
        let Token { frame, check, .. } = log.token();
        let closed = Instance { life: Life::Closed, frame, check, ..self.own()?.cell.clone() };
        self.swap_own(Some(closed))?;
        Ok(check)
    }

    /// After this every call answers why.
    fn end(&mut self, ended: Ended) {
        self.ended = Some(ended);
        self.logs.iter_mut().for_each(RecordLog::shut);
        self.logs.clear();
        self.held.clear();
        self.damage.clear();
    }

    fn fence<T>(&mut self) -> Result<T> {
        self.end(Ended::Fenced);
        Err(Error::Fenced)
    }

    /// Whether a cell's value says that this instance is alive.
    fn is_own(&self, cell: &crate::storage::Cell) -> Result<bool> {
        let cell_name = names::instance(&self.name, &self.instance, self.epoch());
        let says = cell::decode(self.root.id, &cell_name, cell).map_err(Error::Damaged)?;
        Ok(says.life == Life::Live)
    }

    /// Fails unless this instance is alive: the last step of everything that is acknowledged.
    fn still_own(&mut self) -> Result<()> {
        let now = self.host.now_ms();
        let cell = &self.own()?.cell;
        if now.abs_diff(cell.beat_ms) >= u64::from(cell.heartbeat_ms / 3).max(1) {
            return self.beat(now);
        }
        let cell_name = names::instance(&self.name, &self.instance, self.epoch());
        let found = self.host.read_cell(&cell_name);
        match found.map_err(|e| record_log::failed("reading cell", &cell_name, e))? {
            Some(found) if self.is_own(&found)? => {
                self.own()?.version = found.version;
                Ok(())
            }
            _ => self.fence(),
        }
    }

    /// Writes the time into the own cell.
    fn beat(&mut self, now: u64) -> Result<()> {
        let Token { frame, check, .. } = self.log()?.sync_frames()?;
        let cell = Instance { beat_ms: now, frame, check, ..self.own()?.cell.clone() };
        self.swap_own(Some(cell))
    }

    /// Swaps the own cell, if it is still alive.
    fn swap_own(&mut self, says: Option<Instance>) -> Result<()> {
        // An earlier swap may have succeeded and been answered with an error: then the version is another one.
        for _ in 0..2 {
            let expected = Some(self.own()?.version);
            let own = (self.instance.as_str(), self.epoch());
            match cell::swap(&self.host, &self.name, own, expected, says.as_ref())? {
                Swap::Swapped(version) => {
                    let own = self.own()?;
                    own.version = version;
                    if let Some(says) = says {
                        own.cell = says;
                    }
                    return Ok(());
                }
                Swap::Stale(Some(found)) if self.is_own(&found)? => self.own()?.version = found.version,
                Swap::Stale(_) => break,
            }
        }
        self.fence()
    }

    /// Writes items, each given in parts, as one frame.
    fn write(&mut self, items: &[&[&[u8]]], kept: bool) -> Result<()> {
        let mut list = room(items.len() * 4)?;
        let mut parts: Vec<&[u8]> = room(1 + items.iter().map(|item| item.len()).sum::<usize>())?;
        let mut end = 0usize;
        for item in items {
            end += item.iter().map(|part| part.len()).sum::<usize>();
            list.extend_from_slice(&(end as u32).to_le_bytes());
        }
        parts.push(&list);
        parts.extend(items.iter().flat_map(|item| item.iter().copied()));
        let log = self.log()?;
        let (first, count) = (log.view().next(), items.len() as u32);
        log.write_frame(&NewFrame { kind: Kind::Append, first, count, ids: None, parts: &parts, kept })?;
        let segment = log.segment();
        self.own()?.space.wrote(segment, first, (list.len() + end) as u64);
        Ok(())
    }

    /// Holds a change whose item was written.
    fn hold(&mut self, key: held::Key, entry: Entry) {
        self.let_go(&key);
        if let Some(own) = &mut self.own {
            own.space.live(&entry);
        }
        self.held.put(key, entry);
    }

    fn let_go(&mut self, key: &[u8]) {
        if let (Some(entry), Some(own)) = (self.held.remove(key), &mut self.own) {
            own.space.dead(&entry);
        }
    }

    /// The payload of a change.
    fn payload(&mut self, entry: &Entry) -> Result<Vec<u8>> {
        let log = self.logs.get_mut(entry.source).ok_or(Error::Closed)?;
        payload(log, entry)
    }
}

/// The payload of the change at this position.
fn payload<H: Host>(log: &mut RecordLog<H, State>, entry: &Entry) -> Result<Vec<u8>> {
    let (mut ends, mut bytes) = (Vec::new(), Vec::new());
    log.read_frame(entry.position, 1, u64::MAX, Lane::Stream, &mut ends, &mut bytes)?;
    let Some(start) = Item::decode(&bytes).map(|(_, start)| start) else {
        return Err(Error::Damaged(fold::senseless(log, entry.position)));
    };
    bytes.drain(..start);
    Ok(bytes)
}

/// All instances that hold something.
pub fn instances<H: Host>(host: &H, name: &str) -> Result<Vec<InstanceInfo>> {
    let root = view::root(host, name)?;
    Ok(cell::all(host, name, root.id)?.iter().map(cell::Seen::info).collect())
}

/// Removes a change log, its files and all changes.
pub fn destroy<H: Host>(host: &H, name: &str) -> Result<()> {
    let check = |root: &_| open::lock_all(host, name, root);
    record_log::destroy_unless(host, name, root::Kind::ChangeLog, record_log::ROOT_WAIT_MS, check)
}
