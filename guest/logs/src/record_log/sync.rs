//! Making frames durable, at once or meanwhile.
//!
//! Syncs that run meanwhile end in the order in which they began, as far as anyone is told: a later one proves nothing
//! while an earlier one may still fail, because a failed sync leaves pages that the next one takes for clean.

use super::{RecordLog, View};
use crate::error::{Error, Result, Token};
use crate::format::frame::Promise;
use crate::storage::{File, Host, PendingSync};

/// A sync of the storage that runs meanwhile, and what is durable once it and all before it succeed.
pub(super) struct Running<H: Host> {
    number: u64,
    pending: <H::File as File>::Pending,
    upto: Promise,
}

/// Names a sync that was begun, and the token that it earns.
pub(crate) struct Ticket {
    /// 0 if there was nothing to sync.
    number: u64,
    token: Token,
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// Makes all frames durable.
    pub(crate) fn sync_frames(&mut self) -> Result<Token> {
        let tip = self.history.tip.address();
        if self.writer()?.durable != tip {
            self.renew()?;
            if let Err(error) = self.file()?.sync() {
                return self.broken("syncing", error);
            }
            self.end_syncs(u64::MAX, true)?;
            self.writer()?.durable = tip;
            self.proven();
        }
        Ok(self.token())
    }

    /// Starts to make all frames durable.
    pub(crate) fn begin_sync_frames(&mut self) -> Result<Ticket> {
        let (upto, token) = (self.history.tip.address(), self.token());
        if self.writer()?.durable == upto {
            return Ok(Ticket { number: 0, token });
        }
        match self.file()?.begin_sync() {
            Ok(pending) => {
                self.begun += 1;
                let number = self.begun;
                self.syncs.push_back(Running { number, pending, upto });
                Ok(Ticket { number, token })
            }
            Err(error) => self.broken("syncing", error),
        }
    }

    /// The token, if the sync has succeeded by now.
    pub(crate) fn poll_sync(&mut self, ticket: &Ticket) -> Result<Option<Token>> {
        self.finish_sync(ticket, false)
    }

    /// The token, once the sync has succeeded.
    pub(crate) fn wait_sync(&mut self, ticket: &Ticket) -> Result<Token> {
        let token = self.finish_sync(ticket, true)?;
        token.ok_or(Error::Other("the sync was waited for and has no outcome".into()))
    }

    fn finish_sync(&mut self, ticket: &Ticket, wait: bool) -> Result<Option<Token>> {
        if ticket.number > self.ended {
            self.check_writable()?;
            if !self.end_syncs(ticket.number, wait)? {
                return Ok(None);
            }
        }
        Ok(Some(ticket.token))
    }

    /// Whether the syncs up to this number have succeeded.
    fn end_syncs(&mut self, upto: u64, wait: bool) -> Result<bool> {
        while let Some(first) = self.syncs.front().filter(|first| first.number <= upto) {
            match if wait { Some(first.pending.wait()) } else { first.pending.poll() } {
                None => return Ok(false),
                Some(Err(error)) => return self.broken("syncing", error),
                Some(Ok(())) => {}
            }
            if let (Some(first), Some(writer)) = (self.syncs.pop_front(), self.writer.as_mut()) {
                self.ended = first.number;
                writer.durable = writer.durable.max(first.upto);
            }
        }
        Ok(true)
    }
}
