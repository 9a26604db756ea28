//! Shared mode: several processes write one log, and nobody holds its lock for longer than a call.
//!
//! A call that writes ([`RecordLog::enter`]) takes the lock and brings this handle up to date. It looks up the last frame
//! that it knows, at its address, by number and chain value, and reads on from there, never by size. If that frame is
//! gone, or the log went on in another segment, or what stands behind the last frame is not nothing, the log is recovered
//! as if it were opened, still under the lock; what this handle knows to be durable must be there then. So whatever
//! another process left behind when it died is repaired by the next one that writes.
//!
//! A call that reads ([`RecordLog::follow`]) does the same without the lock and without repairing anything.
//!
//! Invariants:
//! * nothing is written, claimed or cut without the lock;
//! * what a handle claims, caches or expects behind the last frame is forgotten when it lets go of the lock;
//! * a failed sync of one process may leave frames of all of them in memory only, and nobody else is told. So what is not
//!   known to be durable is written again before a sync promises it, unless it was written since the lock was taken;
//! * what a frame's write may have left when it failed shows in the first [`AHEAD`] bytes behind the last frame: longer
//!   frames are written in two steps.

use super::open::Newest;
use super::repair::Repair;
use super::scan::Scanner;
use super::survey::promised;
use super::window::file_size;
use super::{RecordLog, View, failed, life};
use crate::error::{Damage, Error, Result, Token};
use crate::format::frame::{Kind, Place};
use crate::format::root::{Root, State};
use crate::storage::{File, Host, StorageError};

/// Bytes behind the last frame that are looked at.
pub(super) const AHEAD: usize = 4096;
/// How often a reader looks again at what a writer seems to be changing.
const LOOKS: u32 = 3;

/// What a handle of a log in shared mode has besides.
#[derive(Debug)]
pub(super) struct Shared {
    /// How long to wait for the lock.
    wait_ms: u32,
    /// The last frame that is known to be durable.
    proven: Token,
    /// End of what was written through the newest file's handle: nothing is written below.
    pub(super) written: u64,
    /// All that is not durable was written since the lock was taken.
    fresh: bool,
}

/// What stands behind the frames that a handle knows.
#[derive(Debug)]
enum Behind {
    /// Nothing, as far as a writer may have left something.
    Nothing,
    /// Nothing, and the last frame is a footer: the log may go on in another file.
    Roll,
    /// Something that is no frame of this log.
    Something { promised: Option<Damage> },
    /// The last frame that was known is not there any more.
    Gone,
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// Lets go of the lock; from now on each call that writes takes it for itself.
    pub(crate) fn share(&mut self, wait_ms: u32) {
        let (proven, written) = (self.token(), self.history.tip.offset);
        if let Some(writer) = self.writer.as_mut() {
            writer.shared = Some(Shared { wait_ms, proven, written, fresh: true });
            writer.lock = None;
        }
    }

    fn shared(&mut self) -> Option<&mut Shared> {
        self.writer.as_mut()?.shared.as_mut()
    }

    /// In shared mode: takes the lock and goes on from what others wrote.
    pub(crate) fn enter(&mut self) -> Result<()> {
        self.check_writable()?;
        let Some(wait_ms) = self.shared().map(|shared| shared.wait_ms) else { return Ok(()) };
        let lock = life::lock(&self.host, &self.name, wait_ms)?;
        let root = self.root_now()?;
        match self.read_on(false)? {
            Behind::Nothing => {}
            Behind::Roll | Behind::Something { .. } | Behind::Gone => return self.recover(lock, &root),
        }
        let fill = file_size(self.file()?, &self.file_name)?;
        let tip = &self.history.tip;
        let (address, epoch) = (tip.address(), tip.epoch);
        let writer = self.writer.as_mut().ok_or(Error::ReadOnly)?;
        writer.lock = Some(lock);
        writer.fill = fill;
        writer.spare = None;
        writer.epoch_starts = writer.epoch != epoch;
        let fresh = writer.durable == address;
        if let Some(shared) = &mut writer.shared {
            shared.fresh = fresh;
        }
        Ok(())
    }

    /// In shared mode: lets go of the lock.
    pub(crate) fn leave(&mut self) {
        if let Some(writer) = self.writer.as_mut().filter(|writer| writer.shared.is_some()) {
            writer.lock = None;
        }
    }

    /// In shared mode: goes on from what others wrote, without the lock.
    pub(crate) fn follow(&mut self) -> Result<()> {
        self.check_open()?;
        if self.shared().is_none() {
            return Ok(());
        }
        self.root_now()?;
        for look in 1..=LOOKS {
            let found = self.read_on(true)?;
            let again = match found {
                Behind::Nothing | Behind::Something { promised: None } => return Ok(()),
                Behind::Roll if !self.has_next_segment()? => return Ok(()),
                // A writer may have been at work on it.
                Behind::Something { promised: Some(damage) } => Err(Error::Damaged(damage)),
                Behind::Roll | Behind::Gone => self.reload(),
            };
            match again {
                Err(Error::Damaged(_)) if look < LOOKS => {}
                Ok(()) if look < LOOKS => {}
                outcome => return outcome,
            }
        }
        Ok(())
    }

    /// The root of the log, which must be the one that was opened; if it is not, the log is closed.
    fn root_now(&mut self) -> Result<Root> {
        let root = life::read_root(&self.host, &self.name)?.map(|rooted| rooted.root);
        let Place { log, generation, .. } = self.place;
        match root {
            Some(root) if root.state == State::Live && root.id == log && root.generation == generation => {
                Ok(root)
            }
            _ => {
                self.shut();
                Err(Error::Closed)
            }
        }
    }

    /// Reads the frames behind the last one that is known, and looks at what stands behind them.
    fn read_on(&mut self, unlocked: bool) -> Result<Behind> {
        let file = self.file.as_ref().ok_or(Error::Closed)?;
        let name = &self.file_name;
        let size = file_size(file, name)?;
        let start = self.history.tip.offset;
        let mut scanner = Scanner::new(file, name, self.place, size);
        let tip = &self.history.tip;
        let same = (scanner.header_at(tip.last)?)
            .is_ok_and(|header| header.number == tip.number && header.chain == tip.chain);
        if !same {
            return Ok(Behind::Gone);
        }
        let behind = loop {
            let offset = self.history.tip.offset;
            if size < offset.saturating_add(AHEAD as u64) {
                // Little is left to look at: a size that is too small would hide what others wrote.
                let more = file.read(size, 1).map_err(|e| super::window::read_failed(name, e))?;
                if !more.is_empty() {
                    break Behind::Gone;
                }
            }
            if scanner.is_nothing(offset, AHEAD)? {
                let footer = self.history.tip.kind == Kind::Footer;
                break if footer { Behind::Roll } else { Behind::Nothing };
            }
            match scanner.frame_at(offset)? {
                Ok(frame)
                    if self.history.follows(&frame.header)
                        && self.history.apply(&frame.header, offset, Some(&frame.payload)) => {}
                Ok(_) => break Behind::Something { promised: None },
                Err(bad) => {
                    let promised = unlocked && promised(&mut scanner, &bad)?;
                    let next = self.history.view.next();
                    let damage = || Damage {
                        file: name.clone(),
                        offset,
                        lowest: Some(next),
                        next: None,
                        what: bad.what.into(),
                    };
                    break Behind::Something { promised: promised.then(damage) };
                }
            }
        };
        if self.history.tip.offset != start {
            self.moved_on(start);
        }
        Ok(behind)
    }

    /// Forgets what others' frames, which begin at this offset, made untrue.
    fn moved_on(&mut self, offset: u64) {
        let segment = self.place.segment;
        for window in &mut self.windows {
            window.forget(segment, offset);
        }
        self.forget();
        let retained = &self.history.retained;
        let kept = |number: &u64| retained.iter().any(|r| r.first <= *number && *number <= r.last);
        self.older.retain(kept);
        self.sealed.retain(|number, _| kept(number));
        self.extents.retain(|number, _| kept(number));
        let promise = self.history.tip.promise;
        if let Some(writer) = self.writer.as_mut() {
            writer.durable = writer.durable.max(promise);
        }
    }

    /// Whether the file after the newest one that is known begins with a header.
    fn has_next_segment(&self) -> Result<bool> {
        let place = Place { segment: self.place.segment.saturating_add(1), ..self.place };
        let name = self.segment_name(place.segment);
        let file = match self.host.open(&name) {
            Ok(file) => file,
            // Or it is gone already, and later ones are there: the log itself tells.
            Err(StorageError::NotFound) => {
                let Place { log, generation, segment } = self.place;
                let files = life::Files::list(&self.host, &self.name, log, generation)?;
                return Ok(files.segments.last().is_some_and(|last| *last > segment));
            }
            Err(error) => return Err(super::window::read_failed(&name, error)),
        };
        let size = file_size(&file, &name)?;
        Ok(Scanner::new(&file, &name, place, size).frame_at(0)?.is_ok())
    }

    /// Reads the newest segment anew, without the lock, and changes nothing.
    fn reload(&mut self) -> Result<()> {
        let root = self.root_now()?;
        let expect = self.shared().map(|shared| shared.proven);
        let (newest, files, _) = Self::newest(&self.host, &self.name, &root, expect)?;
        let mut log = Self::assemble(self.host.clone(), &self.name, newest, &files)?;
        log.check_token(expect)?;
        let promise = log.history.tip.promise;
        log.compress = self.compress;
        log.writer = self.writer.take();
        if let Some(writer) = log.writer.as_mut() {
            writer.durable = writer.durable.max(promise);
            if let Some(shared) = &mut writer.shared {
                shared.written = 0;
            }
        }
        *self = log;
        Ok(())
    }

    /// Recovers the log under the lock, as opening it does.
    fn recover(&mut self, lock: H::Lock, root: &Root) -> Result<()> {
        let Some((wait_ms, proven)) = self.shared().map(|shared| (shared.wait_ms, shared.proven)) else {
            return Err(Error::Closed);
        };
        let (newest, files, repair): (Newest<H::File, V>, life::Files, Repair) =
            Self::newest(&self.host, &self.name, root, Some(proven))?;
        let mut log = Self::assemble(self.host.clone(), &self.name, newest, &files)?;
        log.check_token(Some(proven))?;
        if let Err(error) = log.repair(lock, repair, &files) {
            self.shut();
            return Err(error);
        }
        log.compress = self.compress;
        let (proven, written) = (log.token(), log.history.tip.offset);
        if let Some(writer) = log.writer.as_mut() {
            writer.shared = Some(Shared { wait_ms, proven, written, fresh: true });
        }
        *self = log;
        Ok(())
    }

    /// Under the lock, after a roll found that the next file is there already: finds out what it is.
    pub(super) fn recover_here(&mut self) -> Result<()> {
        let root = self.root_now()?;
        match self.writer.as_mut().and_then(|writer| writer.lock.take()) {
            Some(lock) => self.recover(lock, &root),
            None => Err(Error::Closed),
        }
    }

    /// In shared mode, under the lock: writes again what is not known to be durable, so that a sync makes it so whatever
    /// became of others' syncs.
    pub(crate) fn renew(&mut self) -> Result<()> {
        let (place, tip) = (self.place, self.history.tip.offset);
        let durable = self.writer()?.durable;
        let Some(shared) = self.shared().filter(|shared| !shared.fresh) else { return Ok(()) };
        let from = if durable.segment == place.segment { durable.offset } else { 0 };
        if shared.written > from {
            // A handle writes in ascending order only.
            let name = &self.file_name;
            let file = self.host.open(name).map_err(|e| failed("opening", name, e))?;
            self.file = Some(file);
        }
        if let Err(error) = self.file().and_then(|file| self.write_again(file, from, tip)) {
            self.shut();
            return Err(error);
        }
        if let Some(shared) = self.shared() {
            (shared.written, shared.fresh) = (tip, true);
        }
        Ok(())
    }

    /// Everything up to the last frame is durable now.
    pub(super) fn proven(&mut self) {
        let token = self.token();
        if let Some(shared) = self.shared() {
            shared.proven = token;
        }
    }

    /// Whether the log is in shared mode.
    pub(crate) fn is_shared(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| writer.shared.is_some())
    }
}
