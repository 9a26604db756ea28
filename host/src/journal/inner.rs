//! What the clones of a journal share, and the one way into the component.
//!
//! Two locks, taken in this order: `live` for the component, held during a call; `front` for what is known and gathered,
//! held for moments only, so that getters and appenders do not wait for a sync. The second one is taken for every item
//! that is appended: it lets go with a plain store, which halves its cost, and who finds it taken lets others run. No
//! call, no I/O and no other lock happens under it.

use super::{
    Options,
    commit::Commits,
    front::{Front, Packed},
};
use crate::{
    bindings::exports::annals::log::journal::GuestJournal,
    error::{Cause, Class, Error},
    limits,
    runtime::{Instance, Runtime, State, WitError},
    storage::{PendingSync, Storage},
    types::{Bounds, Mode},
};
use spin::{
    Yield,
    mutex::{SpinMutex, SpinMutexGuard},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::{Store, component::ResourceAny};

/// What a call into the component gives: its answer, or a trap.
pub(super) type Answer<T> = wasmtime::Result<Result<T, WitError>>;

/// See above.
pub(super) struct Inner {
    pub(super) runtime: Runtime,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) name: String,
    pub(super) options: Options,
    pub(super) commits: Commits,
    live: Mutex<Option<Box<Live>>>,
    front: SpinMutex<Front, Yield>,
}

/// The instance and the resource in it.
pub(super) struct Live {
    pub(super) instance: Instance,
    journal: ResourceAny,
}

/// Closes the journal when a call ends with a trap or a panic.
struct Shut<'a>(&'a Inner);

impl Drop for Shut<'_> {
    fn drop(&mut self) {
        self.0.front().shut(None);
    }
}

impl Live {
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&GuestJournal<'_>, &mut Store<State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        let journal = self.journal;
        self.instance.call(|annals, store| call(&annals.annals_log_journal().journal(), store, journal))
    }

    /// Size and boundary.
    pub(super) fn bounds(&mut self) -> Result<Bounds, Error> {
        let end = self.call(|journal, store, resource| journal.call_size(store, resource))?;
        let start = self.call(|journal, store, resource| journal.call_boundary(store, resource))?;
        Ok(Bounds { start, end })
    }

    /// Whether a failure has left it open.
    pub(super) fn is_open(&mut self) -> bool {
        !self.instance.trapped() && self.bounds().is_ok()
    }

    pub(super) fn append_packed(&mut self, ends: &[u32], bytes: &[u8]) -> Result<u64, Error> {
        self.call(|journal, store, resource| journal.call_append_packed(store, resource, ends, bytes))
    }

    /// Starts a sync; its ticket, and the sync of the storage behind it.
    pub(super) fn begin_sync(&mut self) -> Result<(ResourceAny, Option<Arc<dyn PendingSync>>), Error> {
        let ticket = self.call(|journal, store, resource| journal.call_begin_sync(store, resource))?;
        Ok((ticket, self.instance.store.data().context.last_sync()))
    }
}

impl Inner {
    /// What clones share, for a journal that was just opened.
    pub(super) fn new(
        runtime: &Runtime,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &Options,
    ) -> Result<Inner, Error> {
        limits::name(name)?;
        let mut instance = runtime.instance(storage.clone())?;
        let wit_options = options.to_wit();
        let journal = instance.call(|annals, store| {
            annals.annals_log_journal().journal().call_open(store, name, wit_options)
        })?;
        let mut live = Live { instance, journal };
        let known = live.bounds()?;
        Ok(Inner {
            runtime: runtime.clone(),
            storage,
            name: name.to_owned(),
            options: options.clone(),
            commits: Commits::default(),
            live: Mutex::new(Some(Box::new(live))),
            front: SpinMutex::new(Front::new(known)),
        })
    }

    fn live(&self) -> MutexGuard<'_, Option<Box<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    pub(super) fn front(&self) -> SpinMutexGuard<'_, Front> {
        self.front.lock()
    }

    /// Runs `work` on the live instance. If the component traps, or the storage panics beneath it, the instance is
    /// dropped and the journal closed; after any other failure the component tells whether it still is open.
    pub(super) fn with_live<T>(&self, work: impl FnOnce(&mut Live) -> Result<T, Error>) -> Result<T, Error> {
        let mut slot = self.live();
        let mut live = slot.take().ok_or(Error::Closed)?;
        let shut = Shut(self);
        let answer = work(&mut live);
        let bounds = match &answer {
            Ok(_) => {
                std::mem::forget(shut);
                *slot = Some(live);
                return answer;
            }
            Err(error) if live.instance.trapped() || matches!(error, Error::Trap(_)) => {
                self.front().shut(Some(error.clone()));
                return answer;
            }
            Err(error) if error.class() != Class::Storage => None,
            Err(_) => Some(live.bounds()),
        };
        let mut front = self.front();
        match bounds {
            None => front.unchanged(),
            Some(Ok(bounds)) => front.settle(bounds),
            Some(Err(_)) => front.shut(answer.as_ref().err().cloned()),
        }
        drop(front);
        std::mem::forget(shut);
        *slot = Some(live);
        answer
    }

    /// Calls a method that leaves the bounds as they are, after what was gathered has been handed over.
    pub(super) fn call<T>(
        &self,
        call: impl FnOnce(&GuestJournal<'_>, &mut Store<State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        self.with_live(|live| {
            self.hand_over(live)?;
            live.call(call)
        })
    }

    /// Does what moves the bounds, and learns where to.
    pub(super) fn moving<T>(
        &self,
        live: &mut Live,
        call: impl FnOnce(&mut Live) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let answer = call(live)?;
        let bounds = live.bounds()?;
        self.front().settle(bounds);
        Ok(answer)
    }

    /// Reads positions below `end`.
    pub(super) fn reading<T>(
        &self,
        end: u64,
        read: impl FnOnce(&mut Live) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.with_live(|live| {
            if self.front().holds_below(end) {
                self.hand_over(live)?;
            }
            read(live)
        })
    }

    /// Appends `count` items by calling a method that returns the first position.
    pub(super) fn appending(
        &self,
        live: &mut Live,
        count: u64,
        call: impl FnOnce(&mut Live) -> Result<u64, Error>,
    ) -> Result<u64, Error> {
        self.halt(live)?;
        let first = call(live)?;
        self.front().appended(first, count);
        Ok(first)
    }

    /// Gives the component what was gathered. If there is no space for it, it stays gathered.
    pub(super) fn hand_over(&self, live: &mut Live) -> Result<(), Error> {
        let gathered = self.front().take();
        gathered.map_or(Ok(()), |(first, packed)| self.hand_over_these(live, first, packed))
    }

    /// The same, and nothing more is gathered until the call that follows has ended.
    pub(super) fn halt(&self, live: &mut Live) -> Result<(), Error> {
        loop {
            let gathered = self.front().halt();
            match gathered {
                Some((first, packed)) => self.hand_over_these(live, first, packed)?,
                None => return Ok(()),
            }
        }
    }

    fn hand_over_these(&self, live: &mut Live, first: u64, packed: Packed) -> Result<(), Error> {
        let Packed { ends, bytes } = &packed;
        match live.append_packed(ends, bytes) {
            Ok(position) if position == first => {
                self.front().taken(packed);
                Ok(())
            }
            Ok(position) => Err(Error::Trap(Cause::new(format!(
                "the component appended at {position} what was to be at {first}"
            )))),
            Err(error) => {
                self.front().put_back(first, packed);
                Err(error)
            }
        }
    }

    /// That nothing can be appended at all comes before what is wrong with this item, as in the component.
    pub(super) fn rather(&self, error: Error) -> Error {
        match self.front().is_open() {
            false => Error::Closed,
            true if self.options.mode == Mode::ReadOnly => Error::ReadOnly,
            true => error,
        }
    }

    /// Hands over what was gathered, drops the resource, which hands over what waits in it, then the instance with its
    /// files and its lock.
    pub(super) fn end(&self) {
        let ended = self.live().take();
        if let Some(mut live) = ended {
            let shut = Shut(self);
            // Nobody is left to be told; `close` reports.
            let _ = self.hand_over(&mut live);
            let _ = live.instance.drop_resource(live.journal);
            drop(shut);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}
