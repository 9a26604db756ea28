//! Raft logs of the component as a subject.

use super::{Component, Ticket, convert, convert::error};
use annals::raft_log::{self, RaftLog};
use annals_logs::error::{Error, Result, Token};
use annals_logs::types::Limits;
use annals_tests::raft::{Entries, Entry, HardState, LogId, Options, RaftSubject};
use annals_tests::subject::TicketSubject;

impl Component {
    /// Opens a Raft log.
    pub(super) fn raft_log(&self, name: &str, options: &Options) -> Result<Box<dyn RaftSubject>> {
        let options = raft_log::Options {
            mode: convert::mode(options.mode),
            expect: options.expect.map(convert::token_to_host),
            sync_on_persist: options.sync_on_persist,
            allow_gaps: options.allow_gaps,
            segment_bytes: options.segment_bytes,
            lock_wait_ms: options.lock_wait_ms,
        };
        let log = self.runtime.raft_log(self.storage(), name, &options).map_err(error)?;
        Ok(Box::new(Open(log)))
    }
}

struct Open(RaftLog);

fn id(id: LogId) -> raft_log::LogId {
    raft_log::LogId { term: id.term, index: id.index }
}

fn from_id(id: raft_log::LogId) -> LogId {
    LogId { term: id.term, index: id.index }
}

fn entries(entries: &[Entry]) -> Vec<raft_log::Entry> {
    entries.iter().map(|entry| raft_log::Entry { id: id(entry.id), payload: entry.payload.clone() }).collect()
}

fn packed(entries: &Entries) -> Result<raft_log::Entries> {
    let Entries { indexes, terms, ends, bytes } = entries.clone();
    raft_log::Entries::from_parts(indexes, terms, ends, bytes).map_err(error)
}

fn from_packed(entries: &raft_log::Entries) -> Entries {
    let mut packed = Entries::default();
    for (id, payload) in entries.iter() {
        packed.indexes.push(id.index);
        packed.terms.push(id.term);
        packed.bytes.extend_from_slice(payload);
        packed.ends.push(packed.bytes.len() as u32);
    }
    packed
}

impl Open {
    /// Lists that do not fit together never become entries of the host, so nothing is told of them but when nothing can be
    /// written at all.
    fn with_packed(
        &self,
        entries: &Entries,
        write: impl FnOnce(&raft_log::Entries) -> std::result::Result<(), annals::Error>,
    ) -> Result<()> {
        match packed(entries) {
            Ok(entries) => write(&entries).map_err(error),
            Err(invalid @ Error::InvalidArgument(_)) => {
                self.0.flush().map_err(error)?;
                Err(invalid)
            }
            Err(other) => Err(other),
        }
    }
}

impl RaftSubject for Open {
    fn persist(&self, list: &[Entry]) -> Result<()> {
        self.0.persist(&entries(list)).map_err(error)
    }
    fn persist_packed(&self, list: &Entries) -> Result<()> {
        self.with_packed(list, |list| self.0.persist_packed(list))
    }
    fn entry(&self, index: u64) -> Result<Option<Entry>> {
        let entry = self.0.entry(index).map_err(error)?;
        Ok(entry.map(|entry| Entry { id: from_id(entry.id), payload: entry.payload }))
    }
    fn get_entries(&self, first: u64, last: u64, limits: Limits) -> Result<Entries> {
        self.0
            .get_entries(first, last, convert::limits(limits))
            .map(|entries| from_packed(&entries))
            .map_err(error)
    }
    fn term_of(&self, index: u64) -> Result<Option<u64>> {
        self.0.term_of(index).map_err(error)
    }
    fn first_index(&self) -> Result<Option<u64>> {
        self.0.first_index().map_err(error)
    }
    fn last_index(&self) -> Result<u64> {
        self.0.last_index().map_err(error)
    }
    fn truncate(&self, first: u64) -> Result<()> {
        self.0.truncate(first).map_err(error)
    }
    fn replace_range(&self, first: u64, list: &[Entry]) -> Result<()> {
        self.0.replace_range(first, &entries(list)).map_err(error)
    }
    fn replace_range_packed(&self, first: u64, list: &Entries) -> Result<()> {
        self.with_packed(list, |list| self.0.replace_range_packed(first, list))
    }
    fn purge(&self, up_to: LogId) -> Result<()> {
        self.0.purge(id(up_to)).map_err(error)
    }
    fn purge_boundary(&self) -> Result<Option<LogId>> {
        self.0.purge_boundary().map(|boundary| boundary.map(from_id)).map_err(error)
    }
    fn reset(&self) -> Result<()> {
        self.0.reset().map_err(error)
    }
    fn save_hard_state(&self, state: &HardState) -> Result<()> {
        let HardState { term, vote, extra } = state.clone();
        self.0.save_hard_state(&raft_log::HardState { term, vote, extra }).map_err(error)
    }
    fn load_hard_state(&self) -> Result<Option<HardState>> {
        let state = self.0.load_hard_state().map_err(error)?;
        Ok(state.map(|raft_log::HardState { term, vote, extra }| HardState { term, vote, extra }))
    }
    fn is_write_durable(&self) -> bool {
        self.0.is_write_durable()
    }
    fn flush(&self) -> Result<()> {
        self.0.flush().map_err(error)
    }
    fn sync(&self) -> Result<Token> {
        self.0.sync().map(convert::token).map_err(error)
    }
    fn begin_sync(&self) -> Result<Box<dyn TicketSubject>> {
        Ok(Box::new(Ticket(self.0.begin_sync().map_err(error)?)))
    }
    fn close(&self) -> Result<Token> {
        self.0.close().map(convert::token).map_err(error)
    }
}
