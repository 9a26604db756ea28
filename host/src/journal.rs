//! The journal: a dense log of positions 0, 1, 2, …
//!
//! A [`Journal`] is a handle on one instance of the component. Clones share it; one call runs at a time. It is in one of
//! two states: *live*, or *closed* — by [`close`](Journal::close), by [`reopen`](Journal::reopen), or because the
//! component trapped and its state was dropped. Handles are never revived: `reopen` gives a new one.
//!
//! Size and bounds are answered from a copy on this side while nothing has happened that may have changed them.

mod handle;
mod options;
mod replay;
mod ticket;

pub use handle::Journal;
pub use options::Options;
pub use replay::Replay;
pub use ticket::SyncTicket;
