//! The Raft log: what a Raft node must keep. Entries with their terms at indexes that the caller gives, the hard state, and
//! the purge boundary.
//!
//! A [`RaftLog`] is a handle on one instance of the component. Clones share it; one call runs at a time. It is *live*, or
//! *closed* — by [`close`](RaftLog::close), by [`reopen`](RaftLog::reopen), or because the storage or the component
//! failed. Handles are never revived: `reopen` gives a new one.
//!
//! | to | use |
//! |---|---|
//! | write entries, new ones or in place of others | [`RaftLog::persist`], [`RaftLog::persist_packed`] |
//! | drop a tail and write another one, as a whole | [`RaftLog::replace_range`] |
//! | keep the vote | [`RaftLog::save_hard_state`] |
//! | read in bulk | [`RaftLog::get_entries`], [`RaftLog::stream`] |
//! | forget what a snapshot covers | [`RaftLog::purge`] |
//!
//! Every call goes to the component at once; only the last index is known on this side of it.

mod entries;
mod handle;
mod options;
mod stream;

pub use crate::handle::SyncTicket;
pub use entries::{Entries, Entry, HardState, LogId};
pub use handle::RaftLog;
pub use options::Options;
pub use stream::EntryStream;
