//! The journal: a dense log of positions 0, 1, 2, …
//!
//! A [`Journal`] is a handle on one instance of the component. Clones share it; one call runs at a time. It is in one of
//! two states: *live*, or *closed* — by [`close`](Journal::close), by [`reopen`](Journal::reopen), or because the
//! storage or the component failed. Handles are never revived: `reopen` gives a new one.
//!
//! | to | use |
//! |---|---|
//! | append many small items fast | [`Journal::appender`] |
//! | append from many threads and wait for durability | [`Journal::append_durable`], [`Journal::commit`] |
//! | read item by item | [`Journal::items`] |
//! | read in bulk | [`Journal::replay`], [`Journal::read_range`] |
//!
//! Inside: `inner` is what clones share and the only way to the component; `front` is what is known and gathered on this
//! side of it; `commit` forms groups that wait for one sync; the rest is the public face.

mod appender;
mod commit;
mod front;
mod handle;
mod inner;
mod items;
mod options;
mod replay;

pub use crate::handle::SyncTicket;
pub use appender::Appender;
pub use handle::Journal;
pub use items::ItemStream;
pub use options::Options;
pub use replay::Replay;
