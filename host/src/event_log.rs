//! The event log: events under ids that the caller allocated elsewhere, ascending as a rule, with gaps, and late ones too.
//!
//! An [`EventLog`] is a handle on one instance of the component. Clones share it; one call runs at a time. It is *live*, or
//! *closed* — by [`close`](EventLog::close), by [`reopen`](EventLog::reopen), or because the storage or the component
//! failed. Handles are never revived: `reopen` gives a new one.
//!
//! | to | use |
//! |---|---|
//! | append, and append again after a doubt | [`EventLog::append`], [`EventLog::append_batch`], [`EventLog::append_packed`] |
//! | read | [`EventLog::get`], [`EventLog::iterate`] |
//! | seal a file and keep a copy of it | [`EventLog::rotate`], [`Runtime::event_archive_file`](crate::Runtime::event_archive_file) |
//! | give up old events | [`EventLog::delete_range`] |
//! | write from several processes | [`Options::shared`] |

mod archive;
mod events;
mod handle;
mod options;
mod values;

pub use crate::handle::SyncTicket;
pub use events::Events;
pub use handle::EventLog;
pub use options::{Options, Policy};
pub use values::{Outcome, Sealed, Stats};
