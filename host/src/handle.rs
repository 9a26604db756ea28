//! What the handles of all logs share: the way into an instance of the component, and what happens when it fails.
//!
//! The clones of a handle share one *home*: the runtime, the storage, the name, what is known of the log on this side of
//! the component, and a [`Slot`] with the [`Live`] instance. Every call goes through [`Home::with_live`]. If the component
//! traps, or the storage panics beneath it, the instance with its files and its lock is dropped, and from then on
//! everything answers [`Error::Closed`]; handles are never revived, `reopen` gives new ones. Readers and sync tickets are
//! [children](Child): they do not keep the log open, and answer `closed` once it is not.
//!
//! [`Handle`] is the home of a log whose calls all go to the component at once. The journal, which gathers appends on this
//! side, has a home of its own.
//!
//! Two locks, taken in this order: that of the slot, held during a call; that of what is known, held for moments only, so
//! that getters do not wait for a sync.

mod child;
mod stream;
mod ticket;

pub(crate) use child::Child;
pub(crate) use stream::Stream;
pub use ticket::SyncTicket;
pub(crate) use ticket::TicketCalls;

use crate::{
    bindings::Annals,
    error::{Class, Error},
    limits,
    runtime::{Instance, Runtime, State, WitError},
    storage::{PendingSync, Storage},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use wasmtime::{Store, component::ResourceAny};

/// What a call into the component gives: its answer, or a trap.
pub(crate) type Answer<T> = wasmtime::Result<Result<T, WitError>>;

/// An instance and the resource in it that is the log.
pub(crate) struct Live {
    instance: Instance,
    resource: ResourceAny,
}

impl Live {
    /// A new instance over `storage`, in which `open` opens the resource.
    pub(crate) fn open(
        runtime: &Runtime,
        storage: Arc<dyn Storage>,
        open: impl FnOnce(&Annals, &mut Store<State>) -> Answer<ResourceAny>,
    ) -> Result<Live, Error> {
        let mut instance = runtime.instance(storage)?;
        let resource = instance.call(open)?;
        Ok(Live { instance, resource })
    }

    /// Calls a method of the resource.
    pub(crate) fn call<T>(
        &mut self,
        call: impl FnOnce(&Annals, &mut Store<State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        let resource = self.resource;
        self.instance.call(|annals, store| call(annals, store, resource))
    }

    /// Calls a method of a child, a resource that the log has made.
    pub(crate) fn call_child<T>(
        &mut self,
        child: ResourceAny,
        call: impl FnOnce(&Annals, &mut Store<State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        self.instance.call(|annals, store| call(annals, store, child))
    }

    /// Starts a sync; its ticket, and the sync of the storage behind it.
    pub(crate) fn begin_sync(
        &mut self,
        call: impl FnOnce(&Annals, &mut Store<State>, ResourceAny) -> Answer<ResourceAny>,
    ) -> Result<(ResourceAny, Option<Arc<dyn PendingSync>>), Error> {
        let ticket = self.call(call)?;
        Ok((ticket, self.instance.store.data().context.last_sync()))
    }

    /// Whether the component was stopped: then its state is lost.
    pub(crate) fn trapped(&self) -> bool {
        self.instance.trapped()
    }

    /// Drops the resource, which hands over what waits in it, then the instance with its files and its lock. Nobody is
    /// left to be told how that ended.
    pub(crate) fn end(mut self) {
        let _ = self.instance.drop_resource(self.resource);
    }
}

/// Where the live instance is, until the log is closed.
pub(crate) struct Slot(Mutex<Option<Box<Live>>>);

impl Slot {
    /// Open.
    pub(crate) fn new(live: Live) -> Slot {
        Slot(Mutex::new(Some(Box::new(live))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Live>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the clones of a handle share.
pub(crate) trait Home: Send + Sync + 'static {
    /// What is known on this side of the component while the log is open.
    type Known;

    /// The way to the component.
    fn slot(&self) -> &Slot;

    /// Asks the component what there is to know.
    ///
    /// # Errors
    /// A failure has closed the log.
    fn ask(live: &mut Live) -> Result<Self::Known, Error>;

    /// A call has failed and the log is open; what is known now, or none if nothing has changed.
    fn settle(&self, known: Option<Self::Known>);

    /// The log is closed, and why if that is not yet told.
    fn shut(&self, failure: Option<Error>);

    /// Runs `work` on the live instance. If the component traps, or the storage panics beneath it, the instance is
    /// dropped and the log closed; after any other failure the component tells whether it still is open.
    fn with_live<T>(&self, work: impl FnOnce(&mut Live) -> Result<T, Error>) -> Result<T, Error>
    where
        Self: Sized,
    {
        let mut slot = self.slot().lock();
        let mut live = slot.take().ok_or(Error::Closed)?;
        let shut = Shut(self);
        let answer = work(&mut live);
        let known = match &answer {
            Ok(_) => {
                std::mem::forget(shut);
                *slot = Some(live);
                return answer;
            }
            Err(error) if live.trapped() || matches!(error, Error::Trap(_)) => {
                self.shut(Some(error.clone()));
                return answer;
            }
            Err(error) if error.class() != Class::Storage => Ok(None),
            Err(_) => Self::ask(&mut live).map(Some),
        };
        match known {
            Ok(known) => self.settle(known),
            Err(_) => self.shut(answer.as_ref().err().cloned()),
        }
        std::mem::forget(shut);
        *slot = Some(live);
        answer
    }

    /// Does `last` with the instance, drops the resource, which hands over what waits in it, then the instance with its
    /// files and its lock.
    fn end(&self, last: impl FnOnce(&mut Live))
    where
        Self: Sized,
    {
        let ended = self.slot().lock().take();
        if let Some(mut live) = ended {
            let shut = Shut(self);
            last(&mut live);
            live.end();
            drop(shut);
        }
    }
}

/// Closes the log when a call ends with a trap or a panic.
struct Shut<'a, H: Home>(&'a H);

impl<H: Home> Drop for Shut<'_, H> {
    fn drop(&mut self) {
        self.0.shut(None);
    }
}

/// What tells one log from another, for its [`Handle`].
pub(crate) trait Log: Send + Sync + 'static {
    /// How to open it.
    type Options: Clone + Send + Sync;
    /// What getters answer from memory; `()` if all of them ask the component.
    type Known: Clone + Send;

    /// Opens it.
    fn open(
        annals: &Annals,
        store: &mut Store<State>,
        name: &str,
        options: &Self::Options,
    ) -> Answer<ResourceAny>;

    /// The options for opening it again: what was asked for at the first time only must not be asked again.
    fn again(options: &Self::Options) -> Self::Options;

    /// Whether these options open it for reading only.
    fn is_read_only(options: &Self::Options) -> bool;

    /// Asks the component what there is to know. Some call must be made, even if there is nothing to know: it tells
    /// whether the log is open.
    ///
    /// # Errors
    /// The log is closed.
    fn ask(live: &mut Live) -> Result<Self::Known, Error>;
}

/// A handle on an open log. Clones share it. Dropping the last one hands over what waits in the component, then lets go
/// of the lock.
pub(crate) struct Handle<L: Log>(Arc<Shared<L>>);

struct Shared<L: Log> {
    runtime: Runtime,
    storage: Arc<dyn Storage>,
    name: String,
    options: L::Options,
    slot: Slot,
    /// None once it is closed.
    known: Mutex<Option<L::Known>>,
}

impl<L: Log> Handle<L> {
    /// Creates, opens or recovers the log.
    pub(crate) fn open(
        runtime: &Runtime,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &L::Options,
    ) -> Result<Handle<L>, Error> {
        limits::name(name)?;
        let live =
            Live::open(runtime, storage.clone(), |annals, store| L::open(annals, store, name, options))?;
        Handle::of(live, runtime, storage, name, options)
    }

    /// A handle on a log that was opened in some other way.
    pub(crate) fn of(
        mut live: Live,
        runtime: &Runtime,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &L::Options,
    ) -> Result<Handle<L>, Error> {
        let known = L::ask(&mut live)?;
        Ok(Handle(Arc::new(Shared {
            runtime: runtime.clone(),
            storage,
            name: name.to_owned(),
            options: options.clone(),
            slot: Slot::new(live),
            known: Mutex::new(Some(known)),
        })))
    }

    /// Closes this handle and its clones, if they are not, and opens the log again.
    pub(crate) fn reopen(&self) -> Result<Handle<L>, Error> {
        self.0.end(|_| {});
        let Shared { runtime, storage, name, options, .. } = &*self.0;
        Handle::open(runtime, storage.clone(), name, &L::again(options))
    }

    /// Closes this handle and its clones, if they are not; what opening the log again takes besides its name.
    pub(crate) fn end(&self) -> (Runtime, Arc<dyn Storage>) {
        self.0.end(|_| {});
        (self.0.runtime.clone(), self.0.storage.clone())
    }

    /// A handle that does not keep the log open.
    pub(crate) fn downgrade(&self) -> WeakHandle<L> {
        WeakHandle(Arc::downgrade(&self.0))
    }

    /// The name of the log.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// How it was opened.
    pub(crate) fn options(&self) -> &L::Options {
        &self.0.options
    }

    /// What is known, without asking the component.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub(crate) fn known(&self) -> Result<L::Known, Error> {
        self.0.known().clone().ok_or(Error::Closed)
    }

    /// That nothing can be written at all comes before what is wrong with an argument, as in the component.
    pub(crate) fn rather(&self, error: Error) -> Error {
        match self.0.known().is_some() {
            false => Error::Closed,
            true if L::is_read_only(&self.0.options) => Error::ReadOnly,
            true => error,
        }
    }

    /// Calls a method that leaves what is known as it is.
    pub(crate) fn call<T>(
        &self,
        call: impl FnOnce(&Annals, &mut Store<State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        self.checked(call, Ok)
    }

    /// The same for an answer that must be checked: the log is closed if it is nonsense.
    pub(crate) fn checked<A, T>(
        &self,
        call: impl FnOnce(&Annals, &mut Store<State>, ResourceAny) -> Answer<A>,
        check: impl FnOnce(A) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.0.with_live(|live| check(live.call(call)?))
    }

    /// Calls a method that may change what is known, and asks for that.
    pub(crate) fn changing<T>(
        &self,
        call: impl FnOnce(&Annals, &mut Store<State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        self.0.with_live(|live| {
            let answer = live.call(call)?;
            let known = L::ask(live)?;
            self.0.settle(Some(known));
            Ok(answer)
        })
    }

    /// Calls a method that changes what is known in a way that `learn` can tell from its answer: cheaper than
    /// [`changing`](Handle::changing).
    pub(crate) fn learning<T>(
        &self,
        call: impl FnOnce(&Annals, &mut Store<State>, ResourceAny) -> Answer<T>,
        learn: impl FnOnce(&mut L::Known, &T),
    ) -> Result<T, Error> {
        self.0.with_live(|live| {
            let answer = live.call(call)?;
            if let Some(known) = &mut *self.0.known() {
                learn(known, &answer);
            }
            Ok(answer)
        })
    }

    /// Calls a method that makes a reader or the like.
    pub(crate) fn child(
        &self,
        call: impl FnOnce(&Annals, &mut Store<State>, ResourceAny) -> Answer<ResourceAny>,
    ) -> Result<Child, Error> {
        Ok(Child::new(&self.0, self.call(call)?))
    }

    /// Calls a method that starts a sync.
    pub(crate) fn begin_sync(
        &self,
        call: impl FnOnce(&Annals, &mut Store<State>, ResourceAny) -> Answer<ResourceAny>,
        calls: TicketCalls,
    ) -> Result<SyncTicket, Error> {
        let (ticket, running) = self.0.with_live(|live| live.begin_sync(call))?;
        Ok(SyncTicket::new(Child::new(&self.0, ticket), running, calls))
    }

    /// Calls the method that closes the log. Closed afterwards in any case.
    pub(crate) fn close<T>(
        &self,
        call: impl FnOnce(&Annals, &mut Store<State>, ResourceAny) -> Answer<T>,
    ) -> Result<T, Error> {
        let closed = self.call(call);
        self.0.end(|_| {});
        closed
    }
}

impl<L: Log> Clone for Handle<L> {
    fn clone(&self) -> Handle<L> {
        Handle(self.0.clone())
    }
}

/// See [`Handle::downgrade`].
pub(crate) struct WeakHandle<L: Log>(Weak<Shared<L>>);

impl<L: Log> WeakHandle<L> {
    /// None once all handles were dropped.
    pub(crate) fn upgrade(&self) -> Option<Handle<L>> {
        self.0.upgrade().map(Handle)
    }
}

impl<L: Log> Shared<L> {
    fn known(&self) -> MutexGuard<'_, Option<L::Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Log> Home for Shared<L> {
    type Known = L::Known;

    fn slot(&self) -> &Slot {
        &self.slot
    }

    fn ask(live: &mut Live) -> Result<L::Known, Error> {
        L::ask(live)
    }

    fn settle(&self, known: Option<L::Known>) {
        if known.is_some() {
            *self.known() = known;
        }
    }

    fn shut(&self, _failure: Option<Error>) {
        *self.known() = None;
    }
}

impl<L: Log> Drop for Shared<L> {
    fn drop(&mut self) {
        self.end(|_| {});
    }
}

#[cfg(test)]
mod tests;
