//! Logs that take the place of others, and logs that are not there yet: a compaction writes the files of the next
//! *generation*, an import those of a log that is still being created. In both cases the root cell decides.
//!
//! A successor's first frame has the next number and the chain value of the last frame before it, so numbers and tokens go
//! on. It is written without a lock of its own, beside the log that holds it. Until the root cell names its generation its
//! files are leftovers; from then on those of the generation before are. The next open for writing removes leftovers.

use super::life::{self, Rooted};
use super::open::Create;
use super::write::SegmentFile;
use super::{RecordLog, View, Writer};
use crate::error::{Damage, Error, Result, Token};
use crate::format::frame::Place;
use crate::format::root::{Kind, Root, State};
use crate::storage::Host;
use alloc::{format, vec::Vec};

/// A log that is being created: its root cell says so.
#[derive(Debug)]
pub(crate) struct Unborn {
    pub(super) root: Root,
    pub(super) version: u64,
}

impl Unborn {
    /// From now on the log is there.
    pub(super) fn commit<H: Host>(&self, host: &H, name: &str) -> Result<()> {
        life::commit(host, name, self.version, &self.root)
    }

    /// Removes what there is of it, as far as nobody else has done so or is at it.
    pub(crate) fn abandon<H: Host>(&self, host: &H, name: &str) -> Result<()> {
        let _lock = life::lock(host, name, 0)?;
        match life::read_root(host, name)? {
            Some(rooted) if rooted.root == self.root => life::sweep(host, name, &rooted),
            _ => Ok(()),
        }
    }
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// Damage that no frame shows: a compacted snapshot without its fold. It took the place of the one before only when
    /// that fold, which has a piece at least, was durable.
    pub(crate) fn lost_fold(&self) -> Option<Damage> {
        let (view, compacted) = (&self.history.view, V::KIND == Kind::Snapshot && self.place.generation > 0);
        if !compacted || view.boundary() < view.next() || self.cut_short.is_some() {
            return None;
        }
        let (file, what) = (self.file_name.clone(), "the fold that a compaction wrote is missing".into());
        Some(Damage { file, offset: 0, lowest: Some(view.boundary()), next: None, what })
    }

    /// Begins a log that is not there before `bear`. `exists` if there is one.
    pub(crate) fn conceive(host: H, name: &str, create: &Create<V>) -> Result<(Self, Unborn)> {
        life::check_name(name)?;
        let lock = life::lock(&host, name, 0)?;
        if life::settle(&host, name)?.is_some() {
            return Err(Error::Exists);
        }
        Self::begin(host, name, lock, create)
    }

    /// Seals and closes a log that was begun, and makes it appear.
    pub(crate) fn bear(&mut self, unborn: &Unborn) -> Result<Token> {
        self.check_writable()?;
        let outcome = self.seal().and_then(|()| {
            let live = Root { state: State::Live, ..unborn.root.clone() };
            let rooted = Rooted { root: unborn.root.clone(), version: unborn.version };
            life::turn_root(&self.host, &self.name, &rooted, &live).map_err(life::Turn::error)
        });
        let token = self.token();
        self.shut();
        outcome.map(|()| token)
    }

    /// Begins the next generation of this log: without items, in this state.
    pub(crate) fn successor(&mut self, view: V) -> Result<Self> {
        self.check_writable()?;
        let Place { log: id, generation, .. } = self.place;
        self.remove_generations(|other| other > generation)?;
        let place = Place { log: id, generation: generation.saturating_add(1), segment: 1 };
        let header = &self.history.header;
        let create = Create { segment_bytes: header.segment_bytes, options: header.options.clone(), view };
        let (epoch, tip) = (self.host.draw(), &self.history.tip);
        let new = SegmentFile::first(&self.host, &self.name, place, epoch, &create, (tip.number, tip.chain))?;
        let durable = new.history.tip.address();
        let mut log = Self::bare(self.host.clone(), &self.name, new.history, new.file, new.name);
        log.writer = Some(Writer {
            lock: None,
            shared: None,
            epoch,
            epoch_starts: false,
            durable,
            fill: new.fill,
            spare: None,
            dying: Vec::new(),
        });
        log.compress = self.compress;
        Ok(log)
    }

    /// Makes a successor durable, sealed so that rot in it does not look like a torn tail, and puts it into this log's
    /// place. Returns what was there before, for reading. If it fails, this log is as before, except where nobody knows
    /// which of the two is there now: then it is closed.
    pub(crate) fn succeed(&mut self, mut next: Self) -> Result<Self> {
        self.check_writable()?;
        next.write_seal()?;
        let Some(rooted) = life::read_root(&self.host, &self.name)? else {
            return Err(Error::Storage(format!("the root cell of {} is gone", self.name)));
        };
        let root = Root { generation: next.place.generation, ..rooted.root.clone() };
        match life::turn_root(&self.host, &self.name, &rooted, &root) {
            Ok(()) => {}
            Err(life::Turn::Unchanged(error)) => return Err(error),
            Err(life::Turn::Unknown(error)) => {
                self.shut();
                return Err(error);
            }
        }
        let lock = self.writer.take().and_then(|writer| writer.lock);
        if let Some(writer) = next.writer.as_mut() {
            writer.lock = lock;
        }
        self.syncs.clear();
        Ok(core::mem::replace(self, next))
    }

    /// Removes the files of those generations.
    pub(crate) fn remove_generations(&self, gone: impl Fn(u64) -> bool) -> Result<()> {
        life::remove_generations(&self.host, &self.name, self.place.log, gone)
    }

    /// The time.
    pub(crate) fn now_ms(&self) -> u64 {
        self.host.now_ms()
    }

    /// Whether this log is not the one any more that its name stands for: compacted or destroyed by another process.
    pub(crate) fn superseded(&self) -> bool {
        match life::read_root(&self.host, &self.name) {
            Ok(Some(Rooted { root, .. })) => {
                root.id != self.place.log
                    || root.generation != self.place.generation
                    || root.state != State::Live
            }
            Ok(None) => true,
            Err(_) => false,
        }
    }
}
