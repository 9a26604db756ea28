//! Durable logs over a small storage trait.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod admin;
pub mod error;
pub mod format;
pub mod journal;
mod record_log;
pub mod storage;
pub mod types;
