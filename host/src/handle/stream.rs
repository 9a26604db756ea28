//! What the streams of all logs share: a reader, how much is read at once, and when it ends.

use super::{Answer, Child};
use crate::{
    bindings::{Annals, exports::annals::log::types as wit},
    convert,
    error::{Class, Error},
    runtime::State,
    types::Limits,
};
use wasmtime::{Store, component::ResourceAny};

/// A reader in the component.
pub(crate) struct Stream {
    /// None once the end was told.
    reader: Option<Child>,
    /// How much is read at once.
    pub(crate) limits: Limits,
}

impl Stream {
    /// Reads as much at once as is usual.
    pub(crate) fn new(reader: Child) -> Stream {
        Stream { reader: Some(reader), limits: Limits::default() }
    }

    /// The next answer, checked, or none at the end.
    ///
    /// # Errors
    /// [`Error::Closed`] if the log is closed; else what the call answers.
    pub(crate) fn read<A, T>(
        &self,
        call: impl FnOnce(&Annals, &mut Store<State>, ResourceAny, wit::Limits) -> Answer<Option<A>>,
        check: impl FnOnce(A) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(reader) = &self.reader else { return Ok(None) };
        let limits = convert::limits_to_wit(self.limits);
        reader.checked(
            |annals, store, reader| call(annals, store, reader, limits),
            |answer| answer.map(check).transpose(),
        )
    }

    /// What an iterator gives for this answer. It goes on behind damage; any other error is the last it gives.
    pub(crate) fn step<T>(&mut self, answer: Result<Option<T>, Error>) -> Option<Result<T, Error>> {
        let goes_on = match &answer {
            Ok(more) => more.is_some(),
            Err(error) => error.class() == Class::Damage,
        };
        if !goes_on {
            self.reader = None;
        }
        answer.transpose()
    }
}
