//! The kinds of fault: the rows of the matrix. Each says at which calls it can happen, what happens, and what is right
//! afterwards.

use super::tamper::Tamper;
use crate::sim::{Call, Wrong};

/// A kind of fault.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Name of its row.
    pub name: &'static str,
    /// The calls that it can happen to; none: to every call.
    pub at: &'static [Call],
    /// What happens.
    pub(super) what: What,
    /// What it leaves.
    pub(super) leaves: Leaves,
}

/// How much of a failing call happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Nothing,
    Some,
    All,
}

/// What a failing call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Io,
    Full,
    Locked,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The call fails.
    Fails(Part, Says),
    /// A sync fails, and what was to be synced reads as it was before.
    Reverts,
    /// What was written is lost in the background; the next sync says so.
    Late,
    /// The answer is wrong.
    Lies(Wrong),
    /// What is stored changes between two calls.
    Tampers(Tamper),
    /// The clock jumps to this time, in milliseconds since 1970.
    Clock(u64),
}

/// What a kind of fault may leave on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// What the contract allows: afterwards the data must be right.
    Sound,
    /// Bytes that are not what was written: the data is right, or somebody says that it is not.
    Damage,
    /// The same, and where no promise covers it, it can look like a crash: a log may then be shorter, and only a token
    /// tells.
    LikeACrash,
}

impl Kind {
    /// Whether it can happen to such a call.
    pub fn meets(&self, call: Call) -> bool {
        self.at.is_empty() || self.at.contains(&call)
    }

    /// Whether it is one of the lies about sync.
    pub fn lies_about_sync(&self) -> bool {
        matches!(self.what, What::Lies(Wrong::IdleSync | Wrong::LosingSync))
    }

    /// Whether bytes are wrong, in truth or in what is read.
    pub(super) fn damages(&self) -> bool {
        matches!(self.what, What::Lies(_) | What::Tampers(_))
    }

    /// Whether what is stored is no longer what was written.
    pub(super) fn tampers(&self) -> bool {
        self.leaves != Leaves::Sound
    }
}

const SYNCS: &[Call] = &[Call::Sync, Call::BeginSync, Call::PollSync, Call::WaitSync];
const CLAIMS: &[Call] = &[Call::Write, Call::Reserve, Call::Create, Call::SwapCell];
const NAMES: &[Call] = &[Call::List, Call::ListCells];
const EVERY: &[Call] = &[];

const fn fails(name: &'static str, at: &'static [Call], part: Part, says: Says) -> Kind {
    Kind { name, at, what: What::Fails(part, says), leaves: Leaves::Sound }
}

const fn lies(name: &'static str, at: &'static [Call], wrong: Wrong) -> Kind {
    Kind { name, at, what: What::Lies(wrong), leaves: Leaves::Sound }
}

const fn looks(kind: Kind, leaves: Leaves) -> Kind {
    Kind { leaves, ..kind }
}

const fn tampers(name: &'static str, tamper: Tamper, leaves: Leaves) -> Kind {
    Kind { name, at: EVERY, what: What::Tampers(tamper), leaves }
}

use Leaves::{Damage, LikeACrash};
use Part::{All, Nothing, Some};
use Says::{Full, Io, Locked};

/// All of them, in groups.
pub const KINDS: &[Kind] = &[
    // Calls that fail.
    fails("read fails", &[Call::Read], Nothing, Io),
    fails("size fails", &[Call::Size], Nothing, Io),
    fails("open fails", &[Call::Open], Nothing, Io),
    fails("write fails, nothing applied", &[Call::Write], Nothing, Io),
    fails("write fails, part applied", &[Call::Write], Some, Io),
    fails("write fails, all applied", &[Call::Write], All, Io),
    fails("reserve fails, nothing applied", &[Call::Reserve], Nothing, Io),
    fails("reserve fails, part applied", &[Call::Reserve], Some, Io),
    fails("out of space, nothing applied", CLAIMS, Nothing, Full),
    fails("out of space, part applied", &[Call::Write, Call::Reserve], Some, Full),
    fails("sync fails, data lost, pages clean", SYNCS, Nothing, Io),
    fails("sync fails, some data lost, pages clean", SYNCS, Some, Io),
    fails("sync fails, data arrived", SYNCS, All, Io),
    Kind { name: "sync fails, content reverted", at: SYNCS, what: What::Reverts, leaves: Leaves::Sound },
    Kind {
        name: "write lost in the background, reported late by a sync",
        at: &[Call::Write],
        what: What::Late,
        leaves: Leaves::Sound,
    },
    fails("truncate fails, not done", &[Call::Truncate], Nothing, Io),
    fails("truncate fails, done", &[Call::Truncate], All, Io),
    fails("create fails, not done", &[Call::Create], Nothing, Io),
    fails("create fails, done", &[Call::Create], All, Io),
    fails("remove fails, not done", &[Call::Remove], Nothing, Io),
    fails("remove fails, done", &[Call::Remove], All, Io),
    fails("list fails", NAMES, Nothing, Io),
    fails("reading a cell fails", &[Call::ReadCell], Nothing, Io),
    fails("swapping a cell fails, not done", &[Call::SwapCell], Nothing, Io),
    fails("swapping a cell fails, done", &[Call::SwapCell], All, Io),
    fails("lock fails", &[Call::Lock], Nothing, Io),
    fails("lock is held by another", &[Call::Lock], Nothing, Locked),
    // Answers that are wrong while what is stored is right.
    lies("short read", &[Call::Read], Wrong::ShortRead),
    lies("oversized read", &[Call::Read], Wrong::LongRead),
    lies("bit flipped in a read", &[Call::Read], Wrong::FlippedRead),
    looks(lies("read of another place", &[Call::Read], Wrong::MisdirectedRead), LikeACrash),
    lies("size too small", &[Call::Size], Wrong::SmallSize),
    lies("size too large", &[Call::Size], Wrong::LargeSize),
    lies("duplicate names", NAMES, Wrong::DoubleNames),
    lies("foreign names", NAMES, Wrong::ForeignNames),
    lies("a name left out", &[Call::List], Wrong::FewerNames),
    lies("more names than asked for", NAMES, Wrong::MoreNames),
    lies("oversized cell", &[Call::ReadCell], Wrong::LongCell),
    lies("bit flipped in a cell's answer", &[Call::ReadCell], Wrong::FlippedCell),
    // Promises that are broken.
    looks(lies("sync lies: nothing written yet", SYNCS, Wrong::IdleSync), LikeACrash),
    looks(lies("sync lies: data lost, pages clean", SYNCS, Wrong::LosingSync), LikeACrash),
    looks(lies("write lost", &[Call::Write], Wrong::LostWrite), LikeACrash),
    looks(lies("write misdirected", &[Call::Write], Wrong::MisdirectedWrite), LikeACrash),
    // What is stored changes.
    tampers("bit flipped at rest", Tamper::FlipBit, Damage),
    tampers("sector zeroed", Tamper::ZeroSector, LikeACrash),
    tampers("sector of garbage", Tamper::GarbageSector, Damage),
    tampers("sector stale", Tamper::StaleSector, LikeACrash),
    tampers("sectors swapped", Tamper::SwapSectors, LikeACrash),
    tampers("sector written over another", Tamper::CopySector, LikeACrash),
    tampers("file zeroed", Tamper::ZeroFile, LikeACrash),
    tampers("file of garbage", Tamper::GarbageFile, Damage),
    tampers("file emptied", Tamper::EmptyFile, LikeACrash),
    tampers("file stale", Tamper::StaleFile, LikeACrash),
    tampers("files swapped", Tamper::SwapFiles, Damage),
    tampers("file of another log", Tamper::ForeignFile, Damage),
    tampers("file gone", Tamper::FileGone, Damage),
    tampers("cell: bit flipped at rest", Tamper::FlipCell, Damage),
    tampers("cell zeroed", Tamper::ZeroCell, Damage),
    tampers("cell stale", Tamper::StaleCell, LikeACrash),
    tampers("cell of another log", Tamper::ForeignCell, Damage),
    tampers("cell gone", Tamper::CellGone, LikeACrash),
    // Time.
    Kind { name: "clock jumps to 1970", at: EVERY, what: What::Clock(0), leaves: Leaves::Sound },
    Kind {
        name: "clock jumps ahead 30 years",
        at: EVERY,
        what: What::Clock(2_650_000_000_000),
        leaves: Leaves::Sound,
    },
    Kind { name: "clock jumps to its end", at: EVERY, what: What::Clock(u64::MAX), leaves: Leaves::Sound },
];
