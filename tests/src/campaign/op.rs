//! What a script or a random run does to a journal, one operation at a time.

use crate::model::{Item, Model, show};
use crate::rng::SplitMix64;
use crate::subject::{Options, SEGMENT};
use annals_logs::types::{Limits, Mode};

/// One operation.
#[derive(Clone)]
#[allow(missing_docs)] // named after the calls of the journal
pub enum Op {
    /// Opens or creates the journal; with `start-at` if it is given.
    Open(Option<u64>),
    Append(Item),
    Batch(Vec<Item>),
    Read(u64),
    ReadMany(Vec<u64>, u32),
    Range(u64, Limits),
    /// Begins to replay; the stream stays open.
    Replay(u64),
    /// The next batch of the stream of this number.
    Next(usize, Limits),
    Prune(u64),
    Rewind(u64),
    Flush,
    SyncData,
    Sync,
    BeginSync,
    /// Waits for the sync that was begun last, if it is not over.
    WaitSync,
    Close,
    /// Drops the handle.
    Drop,
    Destroy,
}

impl Op {
    /// Whether it never changes the journal.
    pub fn only_reads(&self) -> bool {
        matches!(self, Op::Read(_) | Op::ReadMany(..) | Op::Range(..) | Op::Replay(_) | Op::Next(..))
    }
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Op::Open(start_at) => write!(f, "open {start_at:?}"),
            Op::Append(item) => write!(f, "append {}", show(item)),
            Op::Batch(items) => {
                write!(
                    f,
                    "batch of {}: {}",
                    items.len(),
                    items.iter().map(|item| show(item)).collect::<Vec<_>>().join(", ")
                )
            }
            Op::Read(position) => write!(f, "read {position}"),
            Op::ReadMany(positions, bytes) => write!(f, "read-many {positions:?} {bytes}"),
            Op::Range(start, limits) => write!(f, "read-range {start} {limits:?}"),
            Op::Replay(start) => write!(f, "replay {start}"),
            Op::Next(stream, limits) => write!(f, "next of stream {stream} {limits:?}"),
            Op::Prune(min) => write!(f, "prune {min}"),
            Op::Rewind(size) => write!(f, "rewind {size}"),
            Op::Flush => f.write_str("flush"),
            Op::SyncData => f.write_str("sync-data"),
            Op::Sync => f.write_str("sync"),
            Op::BeginSync => f.write_str("begin-sync"),
            Op::WaitSync => f.write_str("wait-sync"),
            Op::Close => f.write_str("close"),
            Op::Drop => f.write_str("drop"),
            Op::Destroy => f.write_str("destroy"),
        }
    }
}

/// What the journals of a run are made with.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Items in a section.
    pub items_per_section: u64,
    /// Whether sections are synced.
    pub sync_sections: bool,
    /// Bytes of single appends that may wait.
    pub write_buffer: u32,
}

impl Shape {
    /// Ten items a section, synced.
    pub const USUAL: Shape = Shape { items_per_section: 10, sync_sections: true, write_buffer: 64 << 10 };

    /// Options that make such a journal, or open it.
    pub fn options(&self, mode: Mode, start_at: Option<u64>) -> Options {
        Options {
            mode,
            start_at,
            items_per_section: Some(self.items_per_section),
            segment_bytes: Some(SEGMENT),
            sync_sections: Some(self.sync_sections),
            write_buffer: Some(self.write_buffer),
            ..Options::default()
        }
    }
}

/// Item number `number` with `len` bytes; without zero sectors.
pub(super) fn item(number: u64, len: usize) -> Item {
    let mut bytes = format!("<{number}>").into_bytes();
    let mut rng = SplitMix64::new(number ^ 0x5EED);
    while bytes.len() < len {
        bytes.extend(rng.draw().to_le_bytes().map(|byte| b'a' + byte % 26));
    }
    bytes.truncate(len.max(3));
    bytes.into()
}

/// Draws operations: mostly sensible ones, some that must be refused.
pub(super) struct Generator {
    rng: SplitMix64,
    numbers: u64,
}

impl Generator {
    /// A generator that starts at `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: SplitMix64::new(seed), numbers: 0 }
    }

    /// A number for other choices of the run.
    pub(super) fn draw(&mut self) -> u64 {
        self.rng.draw()
    }

    /// Whether something happens.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.rng.chance(percent)
    }

    /// An operation on a journal that is as the model, or not open.
    pub(super) fn op(&mut self, open: bool, model: Option<&Model>, streams: usize) -> Op {
        let Some(model) = model else { return Op::Open(self.chance(20).then(|| self.rng.below(50))) };
        if !open {
            return if self.chance(2) { Op::Destroy } else { Op::Open(None) };
        }
        match self.rng.below(100) {
            0..25 => Op::Append(self.item()),
            25..40 => Op::Batch((0..=self.rng.below(6)).map(|_| self.item()).collect()),
            40..47 => Op::Read(self.position(model)),
            47..50 => {
                Op::ReadMany((0..self.rng.below(5)).map(|_| self.position(model)).collect(), self.bytes())
            }
            50..56 => Op::Range(self.position(model), self.limits()),
            56..59 => Op::Replay(self.position(model)),
            59..67 if streams > 0 => Op::Next(self.rng.below(streams as u64) as usize, self.limits()),
            59..70 => Op::Prune(self.position(model)),
            70..77 => Op::Rewind(self.near_the_end(model)),
            77..81 => Op::Flush,
            81..86 => Op::SyncData,
            86..90 => Op::Sync,
            90..93 => Op::BeginSync,
            93..95 => Op::WaitSync,
            95..97 => Op::Close,
            _ => Op::Drop,
        }
    }

    fn item(&mut self) -> Item {
        self.numbers += 1;
        let len = match self.rng.below(20) {
            0 => self.rng.below(20_000),
            1..4 => self.rng.below(3000),
            4 => 0,
            _ => self.rng.below(60),
        };
        if len == 0 { Item::from([]) } else { item(self.numbers, len as usize) }
    }

    fn position(&mut self, model: &Model) -> u64 {
        match self.rng.below(12) {
            0 => self.rng.draw(),
            1 => model.size(),
            2 => model.boundary(),
            3 => model.boundary().saturating_sub(1),
            4 => model.size().saturating_add(1),
            _ => model.boundary() + self.rng.below(model.size() - model.boundary() + 1),
        }
    }

    fn near_the_end(&mut self, model: &Model) -> u64 {
        let back = self.rng.below(8).min(model.size() - model.boundary());
        if self.chance(80) { model.size() - back } else { self.position(model) }
    }

    fn bytes(&mut self) -> u32 {
        [0, 10, 100, 5000, 1 << 20][self.rng.below(5) as usize]
    }

    fn limits(&mut self) -> Limits {
        Limits { count: [0, 1, 2, 10, u32::MAX][self.rng.below(5) as usize], bytes: self.bytes() }
    }
}
