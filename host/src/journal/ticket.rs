//! A sync under way.

use super::inner::Inner;
use crate::{convert, error::Error, storage::PendingSync, token::Token};
use std::{
    fmt,
    sync::{Arc, Weak},
};
use wasmtime::component::ResourceAny;

/// A sync that [`Journal::begin_sync`](super::Journal::begin_sync) started. Dropping it does not stop it.
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
    journal: Weak<Inner>,
    ticket: ResourceAny,
    /// The sync of the storage that it waits for, so that waiting need not keep the journal busy.
    running: Option<Arc<dyn PendingSync>>,
}

impl SyncTicket {
    pub(super) fn new(
        journal: &Arc<Inner>,
        ticket: ResourceAny,
        running: Option<Arc<dyn PendingSync>>,
    ) -> SyncTicket {
        SyncTicket { journal: Arc::downgrade(journal), ticket, running }
    }

    /// The token, or none while the sync is still running. May be asked again after it ended.
    ///
    /// # Errors
    /// [`Storage`](Error::Storage): the sync failed and the journal is closed. [`Closed`](Error::Closed): the journal
    /// was closed, or dropped, before this was asked.
    pub fn poll(&self) -> Result<Option<Token>, Error> {
        let journal = self.journal.upgrade().ok_or(Error::Closed)?;
        let token = journal.with_live(|live| {
            live.instance
                .call(|annals, store| annals.annals_log_journal().sync_ticket().call_poll(store, self.ticket))
        })?;
        Ok(token.map(convert::token))
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
        let journal = self.journal.upgrade().ok_or(Error::Closed)?;
        let token = journal.with_live(|live| {
            live.instance
                .call(|annals, store| annals.annals_log_journal().sync_ticket().call_wait(store, self.ticket))
        })?;
        Ok(convert::token(token))
    }
}

impl Drop for SyncTicket {
    fn drop(&mut self) {
        if let Some(journal) = self.journal.upgrade() {
            // If the journal is closed, so is the ticket.
            let _ = journal.with_live(|live| live.instance.drop_resource(self.ticket));
        }
    }
}

impl fmt::Debug for SyncTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncTicket").finish_non_exhaustive()
    }
}
