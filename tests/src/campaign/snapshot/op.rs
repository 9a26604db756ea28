//! What is done to a snapshot, one operation at a time.

use super::{Draw, RANGES, Step};
use crate::model::snapshot::Held;
use crate::subject::snapshot::Update;
use annals_logs::types::Limits;

/// Keys that are drawn.
pub(super) const KEYS: u64 = 24;

/// Key number `number`.
pub(super) fn key(number: u64) -> Vec<u8> {
    format!("{}/{number:02}", if number.is_multiple_of(3) { "a" } else { "b" }).into_bytes()
}

/// An update of its own.
#[derive(Clone)]
pub enum Change {
    /// Key, value, version.
    Put(Vec<u8>, Vec<u8>, Vec<u8>),
    /// Key, version.
    Delete(Vec<u8>, Vec<u8>),
    /// Key, version.
    Purge(Vec<u8>, Vec<u8>),
}

impl Change {
    pub(super) fn put(key: &[u8], value: &[u8], version: &[u8]) -> Self {
        Change::Put(key.into(), value.into(), version.into())
    }

    pub(super) fn update(&self) -> Update<'_> {
        match self {
            Change::Put(key, value, version) => Update::Put { key, value, version },
            Change::Delete(key, version) => Update::Delete { key, version },
            Change::Purge(key, version) => Update::Purge { key, version },
        }
    }
}

/// One operation.
#[derive(Clone)]
#[allow(missing_docs)] // named after the calls of the snapshot
pub enum Op {
    Apply(Vec<Change>, Vec<u8>),
    Compact,
    Sync,
    Get(Vec<u8>),
    /// Begins a range with this prefix.
    Range(Vec<u8>),
    /// Reads on in the range that was begun first.
    ReadOn(Limits),
    /// Exports everything.
    Export,
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Op::Apply(changes, cursor) => {
                write!(f, "apply at {:?}:", text(cursor))?;
                changes.iter().try_for_each(|change| match change {
                    Change::Put(key, value, _) => write!(f, " {}={} bytes", text(key), value.len()),
                    Change::Delete(key, _) => write!(f, " -{}", text(key)),
                    Change::Purge(key, _) => write!(f, " --{}", text(key)),
                })
            }
            Op::Compact => f.write_str("compact"),
            Op::Sync => f.write_str("sync"),
            Op::Get(key) => write!(f, "get {}", text(key)),
            Op::Range(prefix) => write!(f, "range {}", text(prefix)),
            Op::ReadOn(limits) => write!(f, "read on {limits:?}"),
            Op::Export => f.write_str("export"),
        }
    }
}

/// What an operation answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// What it should; nothing more is to be said.
    Right,
    /// Value and version of a key.
    Entry(Option<Held>),
}

/// Draws a step.
pub(super) fn draw(draw: &mut Draw, ranges: usize) -> Step<(), Op> {
    Step::Do(match draw.below(100) {
        0..45 => {
            let count = draw.one_of(&[0, 1, 1, 2, 3, 8]);
            let changes = (0..count).map(|_| change(draw)).collect();
            let cursor = draw.one_of(&[&b""[..], b"one", b"two", b"three"]).to_vec();
            Op::Apply(changes, cursor)
        }
        45..51 => Op::Compact,
        51..57 => Op::Sync,
        57..67 => Op::Get(key(draw.below(KEYS))),
        67..75 if ranges < RANGES => Op::Range(draw.one_of(&[&b""[..], b"a", b"b/0", b"b/1", b"c"]).to_vec()),
        67..90 => Op::ReadOn(Limits {
            count: draw.one_of(&[0, 1, 2, 5, u32::MAX]),
            bytes: draw.one_of(&[0, 100, 3000, u32::MAX]),
        }),
        90..92 => Op::Export,
        92..95 => return Step::Close,
        _ => return Step::Drop,
    })
}

fn change(draw: &mut Draw) -> Change {
    let (key, version) = (key(draw.below(KEYS)), draw.below(1000).to_string().into_bytes());
    match draw.below(10) {
        0 => Change::Delete(key, version),
        1 => Change::Purge(key, version),
        _ => Change::Put(key, draw.item().to_vec(), version),
    }
}
