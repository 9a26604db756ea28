//! How to open a snapshot.

use crate::{bindings::exports::annals::log::snapshot as wit, convert, token::Token, types::Mode};

/// How to open a snapshot. The default opens it, or creates it if there is none.
///
/// ```
/// use annals::snapshot::Options;
///
/// let options = Options::create().segment_bytes(1 << 20).relaxed(true).compact_at(1 << 20);
/// # let storage = std::sync::Arc::new(annals::storage::Memory::new());
/// # let runtime = annals::Runtime::new()?;
/// let token = runtime.snapshot(storage.clone(), "fold", &options)?.close()?;
///
/// let resume = Options::open().expect(token).values_on_disk(true).lock_wait_ms(500);
/// runtime.snapshot(storage.clone(), "fold", &resume)?;
/// runtime.snapshot(storage, "fold", &Options::read_only())?;
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether it must exist, must not exist, or is only read.
    pub mode: Mode,
    /// Refuse to open unless the log's history contains this token.
    pub expect: Option<Token>,
    /// Fixed when the log is made: size at which a segment file is full. None: what it was made with, or 16 MiB for a new
    /// one; from 64 KiB to 1 GiB.
    pub segment_bytes: Option<u64>,
    /// Whether [`apply`](super::Snapshot::apply) returns without a sync.
    pub relaxed: bool,
    /// Compact at open and after an apply once there are more dead bytes than that; at least 64 KiB. None: more than live
    /// ones, and more than 16 MiB.
    pub compact_at: Option<u64>,
    /// Keep only keys in memory and read values and versions from the storage, so that the fold may exceed the memory.
    pub values_on_disk: bool,
    /// How long to wait for another writer to let go of the log, in milliseconds. Default 0.
    pub lock_wait_ms: u32,
}

impl Options {
    /// Opens the log, or creates it if there is none.
    pub fn new() -> Options {
        Options::default()
    }

    /// Creates the log; it must not exist.
    pub fn create() -> Options {
        Options { mode: Mode::Create, ..Options::default() }
    }

    /// Opens the log; it must exist.
    pub fn open() -> Options {
        Options { mode: Mode::Open, ..Options::default() }
    }

    /// Opens the log for reading only: takes no lock, changes nothing, serves what verifies.
    pub fn read_only() -> Options {
        Options { mode: Mode::ReadOnly, ..Options::default() }
    }

    /// Sets [`expect`](Options::expect).
    #[must_use]
    pub fn expect(mut self, token: Token) -> Options {
        self.expect = Some(token);
        self
    }

    /// Sets [`segment_bytes`](Options::segment_bytes).
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Options {
        self.segment_bytes = Some(bytes);
        self
    }

    /// Sets [`relaxed`](Options::relaxed).
    #[must_use]
    pub fn relaxed(mut self, on: bool) -> Options {
        self.relaxed = on;
        self
    }

    /// Sets [`compact_at`](Options::compact_at).
    #[must_use]
    pub fn compact_at(mut self, dead_bytes: u64) -> Options {
        self.compact_at = Some(dead_bytes);
        self
    }

    /// Sets [`values_on_disk`](Options::values_on_disk).
    #[must_use]
    pub fn values_on_disk(mut self, on: bool) -> Options {
        self.values_on_disk = on;
        self
    }

    /// Sets [`lock_wait_ms`](Options::lock_wait_ms).
    #[must_use]
    pub fn lock_wait_ms(mut self, milliseconds: u32) -> Options {
        self.lock_wait_ms = milliseconds;
        self
    }

    pub(super) fn to_wit(&self) -> wit::Options {
        wit::Options {
            mode: convert::mode_to_wit(self.mode),
            expect: self.expect.map(convert::token_to_wit),
            segment_bytes: self.segment_bytes,
            relaxed: self.relaxed,
            compact_at: self.compact_at,
            values_on_disk: self.values_on_disk,
            lock_wait_ms: self.lock_wait_ms,
        }
    }

    /// The same for opening it again: it exists then.
    pub(super) fn again(&self) -> Options {
        Options { mode: self.mode.again(), ..self.clone() }
    }
}
