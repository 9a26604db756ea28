//! The scripts of the crash and fault sweeps: short runs that together reach every kind of step.

use super::driver::Driver;
use super::history::History;
use super::op::{Generator, Op, Shape, item};
use crate::rng::SplitMix64;
use crate::sim::SimDisk;
use crate::subject::Factory;

/// A run without crashes that can be repeated to the bit.
pub struct Script {
    /// What it is about.
    pub name: &'static str,
    /// What its journals are made with.
    pub shape: Shape,
    /// What it does.
    pub ops: Vec<Op>,
}

fn append(number: u64) -> Op {
    Op::Append(item(number, 20))
}

fn batch(numbers: std::ops::Range<u64>, len: usize) -> Op {
    Op::Batch(numbers.map(|number| item(number, len)).collect())
}

fn appends(numbers: std::ops::Range<u64>) -> impl Iterator<Item = Op> {
    numbers.map(append)
}

fn script(name: &'static str, ops: impl IntoIterator<Item = Op>) -> Script {
    Script { name, shape: Shape::USUAL, ops: ops.into_iter().collect() }
}

/// All scripts; `seed` draws the last ones.
pub fn all(factory: Factory<'_>, seed: u64) -> Result<Vec<Script>, String> {
    let mut scripts = written();
    for part in 0..3 {
        scripts.push(drawn(factory, SplitMix64::derive(seed, part))?);
    }
    Ok(scripts)
}

fn written() -> Vec<Script> {
    vec![
        script(
            "single appends, flushed and synced",
            [Op::Open(None)]
                .into_iter()
                .chain(appends(0..3))
                .chain([Op::Flush])
                .chain(appends(3..5))
                .chain([Op::SyncData])
                .chain(appends(5..12))
                .chain([Op::Sync, append(12), Op::Flush, append(13)]),
        ),
        script(
            "batches of several sectors",
            [
                Op::Open(None),
                batch(0..1, 700),
                batch(1..4, 300),
                Op::SyncData,
                batch(4..6, 1100),
                batch(6..7, 40),
                append(7),
                batch(8..9, 5000),
                Op::Sync,
                batch(9..10, 900),
            ],
        ),
        script(
            "rewinds and what follows them",
            [
                Op::Open(None),
                batch(0..8, 100),
                Op::SyncData,
                Op::Rewind(5),
                batch(100..103, 100),
                Op::Rewind(6),
                append(106),
                Op::SyncData,
                append(107),
                Op::Rewind(2),
                Op::Sync,
                batch(202..205, 300),
                Op::Rewind(0),
                append(300),
                Op::Flush,
            ],
        ),
        script(
            "pruning",
            [
                Op::Open(None),
                batch(0..25, 30),
                Op::Prune(17),
                append(25),
                append(26),
                Op::Prune(99),
                Op::Rewind(22),
                batch(122..131, 30),
                Op::Prune(30),
                append(131),
                Op::Close,
                Op::Open(None),
                Op::Prune(30),
                append(132),
                Op::SyncData,
            ],
        ),
        script(
            "rolling over, rewinding and pruning across segments",
            [
                Op::Open(None),
                batch(0..2, 14_000),
                batch(2..4, 14_000),
                Op::SyncData,
                batch(4..6, 14_000),
                batch(6..9, 14_000),
                Op::Rewind(3),
                batch(103..106, 14_000),
                batch(106..112, 14_000),
                Op::Prune(10),
                batch(112..115, 14_000),
                Op::Sync,
                batch(115..117, 14_000),
            ],
        ),
        script(
            "starting in the middle of a section",
            [
                Op::Open(Some(15)),
                append(15),
                append(16),
                append(17),
                Op::Sync,
                Op::Rewind(15),
                Op::Close,
                Op::Open(Some(33)),
                batch(33..36, 600),
                Op::Close,
                Op::Open(None),
                batch(36..44, 60),
                Op::Prune(41),
                Op::Drop,
                Op::Open(None),
                append(44),
                Op::Flush,
            ],
        ),
        script(
            "closing, dropping and opening again",
            [
                Op::Open(None),
                append(0),
                Op::Close,
                Op::Open(None),
                Op::Close,
                Op::Open(None),
                append(1),
                append(2),
                Op::Drop,
                Op::Open(None),
                batch(3..5, 800),
                Op::Drop,
                Op::Open(None),
                Op::Rewind(3),
                Op::Drop,
                Op::Open(None),
                Op::Sync,
                Op::Drop,
                Op::Open(None),
                append(6),
                Op::Close,
            ],
        ),
        script(
            "destroying and making anew",
            [
                Op::Open(None),
                batch(0..3, 14_000),
                batch(3..6, 14_000),
                Op::Close,
                Op::Destroy,
                Op::Open(None),
                append(100),
                Op::SyncData,
                Op::Drop,
                Op::Destroy,
                Op::Open(Some(7)),
                append(107),
                Op::Flush,
            ],
        ),
        script(
            "syncs that take their time",
            [
                Op::Open(None),
                batch(0..2, 600),
                Op::BeginSync,
                batch(2..4, 600),
                append(4),
                Op::WaitSync,
                append(5),
                Op::BeginSync,
                Op::BeginSync,
                batch(6..8, 600),
                Op::WaitSync,
                Op::BeginSync,
                Op::Rewind(4),
                Op::WaitSync,
                batch(104..106, 14_000),
                Op::BeginSync,
                batch(106..110, 14_000),
                Op::WaitSync,
                append(110),
                Op::SyncData,
            ],
        ),
        Script {
            name: "small sections, synced as they fill",
            shape: Shape { items_per_section: 3, ..Shape::USUAL },
            ops: [Op::Open(None)]
                .into_iter()
                .chain(appends(0..8))
                .chain([batch(8..13, 200), Op::Rewind(11), append(111), append(112), Op::Prune(8), Op::Close])
                .collect(),
        },
        Script {
            name: "a small write buffer, sections not synced",
            shape: Shape { items_per_section: 5, sync_sections: false, write_buffer: 100 },
            ops: [Op::Open(None)]
                .into_iter()
                .chain(appends(0..30))
                .chain([Op::SyncData])
                .chain(appends(30..45))
                .chain([Op::Rewind(40), append(140), Op::Drop, Op::Open(None), append(141), Op::Sync])
                .collect(),
        },
    ]
}

/// A script drawn from a seed: the changes among the operations of a random run, some of which must be refused.
fn drawn(factory: Factory<'_>, seed: u64) -> Result<Script, String> {
    let mut generator = Generator::new(seed);
    let subject = factory(SimDisk::new(seed));
    let mut driver = Driver::new(subject, Shape::USUAL, History::new(None));
    let mut ops = Vec::new();
    while ops.len() < 40 {
        let op = generator.op(driver.journal().is_some(), driver.history.now(), 0);
        if !op.only_reads() {
            driver.step(&op).map_err(|what| format!("drawing a script from {seed}: {what}"))?;
            ops.push(op);
        }
    }
    Ok(Script { name: "drawn", shape: Shape::USUAL, ops })
}
