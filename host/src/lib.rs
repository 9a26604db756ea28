//! Durable logs for Rust programs: the host that runs the Annals component.
//!
//! The component holds all log logic; this crate compiles it once ([`Runtime`]), gives it a [storage](storage::Storage)
//! (a directory, memory, or your own), and offers its logs as ordinary Rust types: [`Journal`] and, for operators,
//! [`Admin`]. Handles can be cloned, shared between threads and used without an async runtime.
//!
//! ```
//! use annals::{Runtime, journal::Options, storage::Memory};
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), annals::Error> {
//! let runtime = Runtime::new()?;
//! let storage = Arc::new(Memory::new()); // or Arc::new(Directory::open("data")?)
//! let journal = runtime.journal(storage.clone(), "orders", &Options::default())?;
//! journal.append(b"first")?;
//! journal.append_batch(&["second", "third"])?;
//! let token = journal.sync()?; // durable from here on
//!
//! assert_eq!(journal.read(1)?, b"second");
//! for item in journal.items(0)? {
//!     let item = item?;
//!     println!("{}: {} bytes", item.position(), item.len());
//! }
//! journal.close()?;
//!
//! // A token proves later that nothing of what was durable then is missing.
//! runtime.journal(storage, "orders", &Options::open().expect(token))?;
//! # Ok(())
//! # }
//! ```
//!
//! To give the logs to your own components instead, see [`link`] (it provides what the component imports) and
//! [`COMPONENT`] (the component itself).

pub mod admin;
pub mod app;
pub mod bindings;
pub mod cache;
pub mod change_log;
mod convert;
pub mod environment;
pub mod error;
pub mod event_log;
mod handle;
pub mod journal;
pub mod limits;
pub mod link;
pub mod raft_log;
pub mod runtime;
pub mod snapshot;
pub mod storage;
pub mod token;
pub mod types;

pub use admin::Admin;
pub use change_log::ChangeLog;
pub use error::Error;
pub use event_log::EventLog;
pub use journal::Journal;
pub use raft_log::RaftLog;
pub use runtime::{Config, Runtime};
pub use snapshot::Snapshot;
pub use token::Token;
pub use types::{Batch, BatchItems, Bounds, Damage, Item, Items, Limits, Mode};

/// The component, as the build script made it: a WebAssembly component that exports the logs and imports
/// `annals:storage`, `wasi:clocks/wall-clock` and `wasi:random/random`.
pub static COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/annals.wasm"));
