//! Resources that a log has made: readers, tickets and the like.

use super::{Answer, Home, Live, Slot};
use crate::{
    bindings::Annals,
    error::Error,
    runtime::{Runtime, State},
    storage::Storage,
};
use std::sync::{Arc, Weak};
use wasmtime::{Store, component::ResourceAny};

/// A resource in the instance of a log, which it does not keep open: once that is closed or dropped, the answer is
/// [`Error::Closed`]. Dropped in the component when this is dropped.
pub(crate) struct Child {
    parent: Weak<dyn Parent>,
    /// An instance that only this one uses.
    own: Option<Arc<dyn Parent>>,
    resource: ResourceAny,
}

/// A [`Home`], whatever its type.
trait Parent: Send + Sync {
    fn run(&self, work: &mut dyn FnMut(&mut Live) -> Result<(), Error>) -> Result<(), Error>;
}

impl<H: Home> Parent for H {
    fn run(&self, work: &mut dyn FnMut(&mut Live) -> Result<(), Error>) -> Result<(), Error> {
        self.with_live(work)
    }
}

impl Child {
    /// A child of that log.
    pub(crate) fn new<H: Home>(home: &Arc<H>, resource: ResourceAny) -> Child {
        let parent: Weak<H> = Arc::downgrade(home);
        Child { parent, own: None, resource }
    }

    /// A resource that belongs to no log, in an instance of its own.
    pub(crate) fn alone(
        runtime: &Runtime,
        storage: Arc<dyn Storage>,
        open: impl FnOnce(&Annals, &mut Store<State>) -> Answer<ResourceAny>,
    ) -> Result<Child, Error> {
        let live = Live::open(runtime, storage, open)?;
        let resource = live.resource;
        let own = Arc::new(Alone(Slot::new(live)));
        let parent: Weak<Alone> = Arc::downgrade(&own);
        Ok(Child { parent, own: Some(own), resource })
    }

    /// Calls one of its methods.
    ///
    /// # Errors
    /// [`Error::Closed`] if the log is closed; else what the call answers.
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
        let parent = self.parent.upgrade().ok_or(Error::Closed)?;
        let (mut work, mut answer) = (Some((call, check)), None);
        parent.run(&mut |live| {
            if let Some((call, check)) = work.take() {
                answer = Some(check(live.call_child(self.resource, call)?)?);
            }
            Ok(())
        })?;
        answer.ok_or(Error::Closed)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // If the log is closed, so is this. An instance of its own drops it with itself.
        if let (Some(parent), None) = (self.parent.upgrade(), &self.own) {
            let _ = parent.run(&mut |live| live.instance.drop_resource(self.resource));
        }
    }
}

/// The home of a resource that belongs to no log.
struct Alone(Slot);

impl Home for Alone {
    type Known = ();

    fn slot(&self) -> &Slot {
        &self.0
    }

    /// It stays usable until the component is stopped.
    fn ask(_live: &mut Live) -> Result<(), Error> {
        Ok(())
    }

    fn settle(&self, _known: Option<()>) {}

    fn shut(&self, _failure: Option<Error>) {}
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.end(|_| {});
    }
}
