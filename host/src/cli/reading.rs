//! Inputs that say whether a read would wait.
//!
//! Whoever gathers items into batches must know: items that were read are not to be kept back while their producer waits
//! to hear that they are safe. How much the last read returned does not tell. A producer may write a good part of a batch
//! at once and then fall silent.

use std::{
    fs::File,
    io::{self, Read},
};

/// An input that may be slower than its reader.
pub(crate) trait Reading: Read {
    /// Whether the next read may have to wait for the producer.
    fn may_wait(&self) -> bool;
}

impl<R: Reading + ?Sized> Reading for Box<R> {
    fn may_wait(&self) -> bool {
        (**self).may_wait()
    }
}

impl Reading for File {
    fn may_wait(&self) -> bool {
        nothing_there(self)
    }
}

/// It must be read in pieces larger than the buffer that the standard library puts before it.
impl Reading for io::Stdin {
    fn may_wait(&self) -> bool {
        nothing_there(self)
    }
}

/// Neither bytes, nor an end, nor an error.
#[cfg(unix)]
fn nothing_there(input: impl std::os::fd::AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut input = [PollFd::new(&input, PollFlags::IN)];
    !matches!(poll(&mut input, Some(&Timespec::default())), Ok(1..))
}

/// Where it cannot be found out, nothing is kept back.
#[cfg(not(unix))]
fn nothing_there<T>(_: T) -> bool {
    true
}

#[cfg(test)]
impl Reading for &[u8] {
    fn may_wait(&self) -> bool {
        false
    }
}
