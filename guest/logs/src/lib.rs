//! Durable logs over a small storage trait: the library inside the Annals component.
//!
//! [`storage`] is what a log needs from outside, [`format`] is every byte it writes, [`journal`] is a log, [`admin`] looks
//! at any log. In between, the record log (private) keeps frames in files and finds them again after a crash.
//!
//! No operating system, no unsafe code, no threads: whoever gives it storage decides where it runs. What the storage
//! answers is not trusted, and neither are the bytes it returns.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod admin;
pub mod change_log;
pub mod error;
pub mod event_log;
pub mod format;
pub mod journal;
mod limits;
pub mod raft_log;
mod record_log;
pub mod snapshot;
pub mod storage;
pub mod types;
