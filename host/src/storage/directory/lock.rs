//! Exclusive locks: the kernel's, on files that are never removed.
//!
//! Each attempt opens the file anew, so the lock also excludes other handles of this process, and it is gone when its
//! holder dies, however it dies. Child processes do not inherit it.

use super::{
    super::{Error, Lock, Result},
    sys,
};
use rustix::fs::FlockOperation;
use std::{
    fs,
    os::fd::OwnedFd,
    thread,
    time::{Duration, Instant},
};

/// Longest pause between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// A held lock. Closing the file releases it.
pub(super) struct Held(#[expect(dead_code, reason = "held for its drop")] fs::File);

impl Lock for Held {}

/// Takes the lock `name`, waiting for at most `wait`.
pub(super) fn acquire(locks: &OwnedFd, name: &str, wait: Duration) -> Result<Held> {
    let file = sys::open_lock(locks, name)?;
    let end = Instant::now() + wait;
    let mut pause = Duration::from_micros(100);
    loop {
        match sys::retry(|| match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            result => result.map(|()| true),
        })? {
            true => return Ok(Held(file)),
            false => {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Error::Locked);
                }
                thread::sleep(pause.min(left));
                pause = (pause * 2).min(PAUSE);
            }
        }
    }
}
