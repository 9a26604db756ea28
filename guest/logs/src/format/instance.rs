//! The cell of an instance of a change log: its heartbeat, and who may write to its files. See the format's description
//! in [`super`].
//!
//! Stored as the root cell is: one byte version (1), a postcard [`Instance`], 8 bytes XXH3-64 over the cell's name and
//! all bytes before.

use super::root::{self, RootError};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// Where an instance is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Life {
    /// Its holder may write.
    Live,
    /// Its holder left; what is outstanding waits.
    Closed,
    /// Declared dead by this instance, which takes its changes over.
    Claimed(Claimer),
    /// Taken over by this instance as far as it could be read; its files are kept.
    Damaged(Claimer),
}

/// An instance that claimed another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimer {
    /// Its name.
    pub instance: String,
    /// Its epoch.
    pub epoch: u64,
}

/// What was found damaged when an instance was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the fields of `error::Damage`
pub struct Found {
    pub file: String,
    pub offset: u64,
    pub lowest: Option<u64>,
    pub next: Option<u64>,
    pub what: String,
}

/// What the cell of an instance says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Id of the log.
    pub log: u128,
    /// Number of the random instance's lock; none if the lock has the instance's name.
    pub slot: Option<u32>,
    /// Unix time in milliseconds of the last heartbeat.
    pub beat_ms: u64,
    /// How often there is one, in milliseconds.
    pub heartbeat_ms: u32,
    /// Number and chain value of the last frame that was durable when its holder wrote this.
    pub frame: u64,
    /// The chain value.
    pub check: u128,
    /// Where it is in its life.
    pub life: Life,
    /// Set while it is claimed, if it is damaged: its files are kept.
    pub damage: Option<Found>,
}

impl Instance {
    /// The value of the cell of this name.
    pub fn encode(&self, cell: &str) -> Vec<u8> {
        root::seal(cell, self)
    }

    /// What the value of the cell of this name says.
    pub fn decode(cell: &str, value: &[u8]) -> Result<Instance, RootError> {
        root::unseal(cell, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_other_name_is_noticed() {
        let claimer = Claimer { instance: "b".into(), epoch: 8 };
        let found =
            Found { file: "f".into(), offset: 1, lowest: Some(2), next: None, what: "a stretch".into() };
        for life in [Life::Live, Life::Closed, Life::Claimed(claimer.clone()), Life::Damaged(claimer)] {
            let (frame, check) = (7, 9);
            let cell = Instance {
                frame,
                check,
                log: 77,
                slot: Some(1),
                beat_ms: 5,
                heartbeat_ms: 6,
                life,
                damage: Some(found.clone()),
            };
            let good = cell.encode("change.a.b.1");
            assert_eq!(Instance::decode("change.a.b.1", &good), Ok(cell));
            assert_eq!(Instance::decode("change.a.b.2", &good), Err(RootError::Damaged));
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Instance::decode("change.a.b.1", &bad), Err(RootError::Damaged), "bit {bit}");
            }
        }
    }
}
