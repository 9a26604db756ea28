//! What is to go wrong on a simulated disk, and when: crashes, errors, and what a loss of power leaves.

use super::body::SizeKept;
use annals_logs::storage::StorageError;

/// The calls of the storage interface. Each one is numbered when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // named after the calls of the interface
pub enum Call {
    Create,
    Open,
    Remove,
    List,
    ListCells,
    ReadCell,
    SwapCell,
    Lock,
    Size,
    Read,
    Write,
    Reserve,
    Truncate,
    Sync,
    BeginSync,
    PollSync,
    WaitSync,
}

impl Call {
    /// How many there are.
    pub const COUNT: usize = Call::WaitSync as usize + 1;

    /// Whether the call can change what is stored.
    pub fn changes(self) -> bool {
        matches!(
            self,
            Call::Create | Call::Remove | Call::SwapCell | Call::Write | Call::Reserve | Call::Truncate
        ) || self.syncs()
    }

    /// Whether the call can make something durable that was not.
    pub fn syncs(self) -> bool {
        matches!(self, Call::Sync | Call::BeginSync | Call::PollSync | Call::WaitSync)
    }
}

/// How much of a call happens before it fails or the machine stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Nothing.
    Before,
    /// Some of it: a random part of the sectors of a write or sync, a random length of a reserve; other calls happen
    /// or not.
    Partway(u64),
    /// All of it, but nobody hears of it.
    After,
}

/// The machine, or the process, stops at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashPlan {
    /// Number of the call; the first one on a disk (or after a reboot) is 1.
    pub call: u64,
    /// How much of it happens.
    pub point: Point,
}

/// An error that is answered instead of a call's result.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Only calls of this kind, if given.
    pub kind: Option<Call>,
    /// Only calls on files, cells or locks whose name starts with this.
    pub prefix: String,
    /// Only calls of this number or a later one.
    pub from: u64,
    /// How many of those go well first.
    pub skip: u64,
    /// Whether the ones after the first failure fail too.
    pub sticky: bool,
    /// How much of the call happens all the same. For a sync: what reaches the disk; everything counts as clean.
    pub point: Point,
    /// What is answered.
    pub error: StorageError,
}

impl Fault {
    /// The next call of this kind fails once with an I/O error, and nothing of it happens.
    pub fn next(kind: Call) -> Self {
        Self {
            kind: Some(kind),
            prefix: String::new(),
            from: 0,
            skip: 0,
            sticky: false,
            point: Point::Before,
            error: StorageError::Io("injected".into()),
        }
    }

    /// The `number`th call from now on (1 is the next one) fails once with an I/O error, whatever it is.
    pub fn at(number: u64) -> Self {
        Self { kind: None, skip: number.saturating_sub(1), ..Self::next(Call::Read) }
    }

    /// The same with this error.
    pub fn answering(self, error: StorageError) -> Self {
        Self { error, ..self }
    }

    /// The same, after so much of the call has happened.
    pub fn when(self, point: Point) -> Self {
        Self { point, ..self }
    }

    /// The same after `skip` calls that go well.
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// The same, but not before the call of this number.
    pub fn from(self, from: u64) -> Self {
        Self { from, ..self }
    }

    /// The same, and all such calls after it fail too.
    pub fn forever(self) -> Self {
        Self { sticky: true, ..self }
    }
}

/// Which unsynced sectors a loss of power leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// None of them.
    None,
    /// All of them, with their newest contents.
    All,
    /// Only this one, counted over all files in order of their names.
    Only(usize),
    /// All but this one.
    AllBut(usize),
    /// Each with any of the contents it had since the last sync, the one before included.
    Random(u64),
    /// The same, chosen by this number below [`SimDisk::choices`](super::SimDisk::choices): each sector takes a digit of
    /// it, 0 for the content before.
    Choice(u64),
}

/// What a crash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process died; what it wrote is still in the page cache, and as unsynced as before.
    Process,
    /// Power was lost.
    Power {
        /// What is left of unsynced sectors.
        survivors: Survivors,
        /// What is left of unsynced growth.
        size: SizeKept,
    },
}

impl Crash {
    /// Power was lost, and with it everything unsynced.
    pub const LOSE_ALL: Crash = Crash::Power { survivors: Survivors::None, size: SizeKept::Old };
    /// Power was lost after everything had been written back.
    pub const KEEP_ALL: Crash = Crash::Power { survivors: Survivors::All, size: SizeKept::New };
    /// The new size reached the disk, the bytes did not.
    pub const ZEROS: Crash = Crash::Power { survivors: Survivors::None, size: SizeKept::New };

    /// A loss of power with random survivors and a random size.
    pub fn random(seed: u64) -> Crash {
        Crash::Power { survivors: Survivors::Random(seed), size: SizeKept::Random }
    }
}
