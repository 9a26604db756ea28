//! What the clones of a journal share, and the one way into the component.
//!
//! Two locks, taken in this order: `live` for the component, held during a call; `front` for what is known and gathered,
//! held for moments only, so that getters and appenders do not wait for a sync. The second one is taken for every item
//! that is appended: it lets go with a plain store, which halves its cost, and who finds it taken lets others run. No
//! call, no I/O and no other lock happens under it.

use super::{
    Options, SyncTicket,
    commit::Commits,
    front::{Front, Packed},
};
use crate::{
    bindings::exports::annals::log::journal::GuestJournal,
    error::{Cause, Error},
    handle::{Answer, Child, Home, Live, Slot, TicketCalls},
    limits,
    runtime::{Runtime, State},
    storage::{PendingSync, Storage},
    types::{Bounds, Mode},
};
use spin::{
    Yield,
    mutex::{SpinMutex, SpinMutexGuard},
};
use std::sync::Arc;
use wasmtime::{Store, component::ResourceAny};

/// See above.
pub(super) struct Inner {
    pub(super) runtime: Runtime,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) name: String,
    pub(super) options: Options,
    pub(super) commits: Commits,
    slot: Slot,
    front: SpinMutex<Front, Yield>,
}

/// The calls of a journal.
pub(super) trait JournalCalls {
    /// Calls a method of the journal.
    fn journal<T>(
        &mut self,
        call: impl FnOnce(&GuestJournal<'_>, &mut Store<State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error>;

    /// Size and boundary.
    fn bounds(&mut self) -> Result<Bounds, Error> {
        let end = self.journal(|journal, store, resource| journal.call_size(store, resource))?;
        let start = self.journal(|journal, store, resource| journal.call_boundary(store, resource))?;
        Ok(Bounds { start, end })
    }

    fn append_packed(&mut self, ends: &[u32], bytes: &[u8]) -> Result<u64, Error> {
        self.journal(|journal, store, resource| journal.call_append_packed(store, resource, ends, bytes))
    }
}

impl JournalCalls for Live {
    fn journal<T>(
        &mut self,
        call: impl FnOnce(&GuestJournal<'_>, &mut Store<State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        self.call(|annals, store, resource| call(&annals.annals_log_journal().journal(), store, resource))
    }
}

/// A sync that was started: its ticket, and the sync of the storage behind it.
pub(super) type Begun = (ResourceAny, Option<Arc<dyn PendingSync>>);

/// Starts a sync.
pub(super) fn begin_sync(live: &mut Live) -> Result<Begun, Error> {
    live.begin_sync(|annals, store, resource| {
        annals.annals_log_journal().journal().call_begin_sync(store, resource)
    })
}

/// What waits for it.
pub(super) fn ticket(journal: &Arc<Inner>, (ticket, running): Begun) -> SyncTicket {
    let calls = TicketCalls {
        poll: |annals, store, ticket| annals.annals_log_journal().sync_ticket().call_poll(store, ticket),
        wait: |annals, store, ticket| annals.annals_log_journal().sync_ticket().call_wait(store, ticket),
    };
    SyncTicket::new(Child::new(journal, ticket), running, calls)
}

/// Whether a failure has left the journal open.
pub(super) fn is_open(live: &mut Live) -> bool {
    !live.trapped() && live.bounds().is_ok()
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
        let wit_options = options.to_wit();
        let mut live = Live::open(runtime, storage.clone(), |annals, store| {
            annals.annals_log_journal().journal().call_open(store, name, wit_options)
        })?;
        let known = live.bounds()?;
        Ok(Inner {
            runtime: runtime.clone(),
            storage,
            name: name.to_owned(),
            options: options.clone(),
            commits: Commits::default(),
            slot: Slot::new(live),
            front: SpinMutex::new(Front::new(known)),
        })
    }

    #[inline]
    pub(super) fn front(&self) -> SpinMutexGuard<'_, Front> {
        self.front.lock()
    }

    /// Calls a method that leaves the bounds as they are, after what was gathered has been handed over.
    pub(super) fn call<T>(
        &self,
        call: impl FnOnce(&GuestJournal<'_>, &mut Store<State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        self.with_live(|live| {
            self.hand_over(live)?;
            live.journal(call)
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

    /// Hands over what was gathered and closes the journal.
    pub(super) fn end(&self) {
        // Nobody is left to be told; `close` reports.
        Home::end(self, |live| drop(self.hand_over(live)));
    }
}

impl Home for Inner {
    type Known = Bounds;

    fn slot(&self) -> &Slot {
        &self.slot
    }

    fn ask(live: &mut Live) -> Result<Bounds, Error> {
        live.bounds()
    }

    fn settle(&self, known: Option<Bounds>) {
        let mut front = self.front();
        match known {
            Some(bounds) => front.settle(bounds),
            None => front.unchanged(),
        }
    }

    fn shut(&self, failure: Option<Error>) {
        self.front().shut(failure);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}
