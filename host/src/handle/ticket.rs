//! A sync under way.

use super::{Answer, Child};
use crate::{
    bindings::{Annals, exports::annals::log::types as wit},
    convert,
    error::Error,
    runtime::State,
    storage::PendingSync,
    token::Token,
};
use std::{fmt, sync::Arc};
use wasmtime::{Store, component::ResourceAny};

/// A sync that `begin_sync` of a log started. Dropping it does not stop it.
///
/// ```
/// # use annals::{Runtime, journal::Options, storage::Memory};
/// # let journal = Runtime::new()?.journal(std::sync::Arc::new(Memory::new()), "log", &Options::create())?;
/// let ticket = journal.begin_sync()?;
/// let token = match ticket.poll()? {
///     Some(token) => token,
///     None => ticket.wait()?,
/// };
/// assert_eq!(ticket.poll()?, Some(token));
/// # Ok::<(), annals::Error>(())
/// ```
pub struct SyncTicket {
    ticket: Child,
    /// The sync of the storage that it waits for, so that waiting need not keep the log busy.
    running: Option<Arc<dyn PendingSync>>,
    calls: TicketCalls,
}

/// The methods of a log's tickets.
#[derive(Clone, Copy)]
pub(crate) struct TicketCalls {
    pub(crate) poll: fn(&Annals, &mut Store<State>, ResourceAny) -> Answer<Option<wit::Token>>,
    pub(crate) wait: fn(&Annals, &mut Store<State>, ResourceAny) -> Answer<wit::Token>,
}

impl SyncTicket {
    pub(crate) fn new(
        ticket: Child,
        running: Option<Arc<dyn PendingSync>>,
        calls: TicketCalls,
    ) -> SyncTicket {
        SyncTicket { ticket, running, calls }
    }

    /// The token, or none while the sync is still running. May be asked again after it ended.
    ///
    /// # Errors
    /// [`Storage`](Error::Storage): the sync failed and the log is closed. [`Closed`](Error::Closed): the log was
    /// closed, or dropped, before this was asked.
    pub fn poll(&self) -> Result<Option<Token>, Error> {
        Ok(self.ticket.call(self.calls.poll)?.map(convert::token))
    }

    /// Waits for the token. Reads and appends of other threads go on meanwhile. May be asked again after it ended.
    ///
    /// # Errors
    /// As [`poll`](SyncTicket::poll).
    pub fn wait(&self) -> Result<Token, Error> {
        if let Some(running) = &self.running {
            // How it ended is for the component to tell.
            let _ = running.wait();
        }
        self.ticket.call(self.calls.wait).map(convert::token)
    }
}

impl fmt::Debug for SyncTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncTicket").finish_non_exhaustive()
    }
}
