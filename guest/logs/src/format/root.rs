//! The root cell: the commit point of a log's creation, import, compaction and destruction.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// Where a log is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Not there yet; whatever files it has are leftovers.
    Creating,
    /// There.
    Live,
    /// Going; its files are to be removed, then this cell.
    Destroying,
}

/// The five kinds of log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A journal.
    Journal,
    /// An event log.
    EventLog,
    /// A Raft log.
    RaftLog,
    /// A snapshot.
    Snapshot,
    /// A change log.
    ChangeLog,
}

impl Kind {
    /// The kind's name, as in WIT.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Journal => "journal",
            Kind::EventLog => "event-log",
            Kind::RaftLog => "raft-log",
            Kind::Snapshot => "snapshot",
            Kind::ChangeLog => "change-log",
        }
    }
}

/// What a root cell says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Where the log is in its life.
    pub state: State,
    /// What kind of log it is.
    pub kind: Kind,
    /// Its id, drawn at creation.
    pub id: u128,
    /// Generation of its files; 0 at creation.
    pub generation: u64,
}

/// Why a cell's value is not a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootError {
    /// The check fails, or the value does not decode.
    Damaged,
    /// Another version of the format.
    Version(u8),
}

const VERSION: u8 = 1;

fn check(name: &str, bytes: &[u8]) -> [u8; 8] {
    let mut hash = Xxh3::new();
    hash.update(name.as_bytes());
    hash.update(bytes);
    hash.digest().to_le_bytes()
}

/// The value of the cell of this name that says this: version, postcard, check.
pub(super) fn seal<T: Serialize>(cell: &str, what: &T) -> Vec<u8> {
    let mut bytes = alloc::vec![VERSION];
    // Cannot fail: the output grows, and the structures have no sequences of unknown length.
    bytes.extend(postcard::to_allocvec(what).unwrap_or_default());
    let sum = check(cell, &bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

/// What the value of the cell of this name says.
pub(super) fn unseal<'a, T: Deserialize<'a>>(cell: &str, value: &'a [u8]) -> Result<T, RootError> {
    let split = value.len().checked_sub(8).ok_or(RootError::Damaged)?;
    let (bytes, sum) = value.split_at(split);
    if sum != check(cell, bytes) {
        return Err(RootError::Damaged);
    }
    match bytes.split_first() {
        Some((&VERSION, rest)) => match postcard::take_from_bytes(rest) {
            Ok((what, [])) => Ok(what),
            _ => Err(RootError::Damaged),
        },
        Some((&version, _)) => Err(RootError::Version(version)),
        None => Err(RootError::Damaged),
    }
}

impl Root {
    /// The value of the cell of this name.
    pub fn encode(&self, cell: &str) -> Vec<u8> {
        seal(cell, self)
    }

    /// What the value of the cell of this name says.
    pub fn decode(cell: &str, value: &[u8]) -> Result<Root, RootError> {
        unseal(cell, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Root {
        Root { state: State::Live, kind: Kind::Journal, id: 0x0123_4567_89ab_cdef, generation: 3 }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = root().encode("log.a");
        assert_eq!(Root::decode("log.a", &good), Ok(root()));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Root::decode("log.a", &bad), Err(RootError::Damaged), "bit {bit}");
        }
        for len in 0..good.len() {
            assert_eq!(Root::decode("log.a", &good[..len]), Err(RootError::Damaged));
        }
    }

    #[test]
    fn a_cell_of_another_name_is_damage() {
        assert_eq!(Root::decode("log.b", &root().encode("log.a")), Err(RootError::Damaged));
    }

    #[test]
    fn a_later_version_is_named() {
        let mut bytes = alloc::vec![9, 1, 2, 3];
        let sum = check("log.a", &bytes);
        bytes.extend_from_slice(&sum);
        assert_eq!(Root::decode("log.a", &bytes), Err(RootError::Version(9)));
    }
}
