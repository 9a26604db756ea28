//! How to open a Raft log.

use crate::{bindings::exports::annals::log::raft_log as wit, convert, token::Token, types::Mode};

/// How to open a Raft log. The default opens it, or creates it if there is none; what is written is durable when the call
/// returns, and indexes leave no gaps.
///
/// ```
/// use annals::{Mode, raft_log::Options};
///
/// let options = Options::create().segment_bytes(1 << 20).allow_gaps(true);
/// assert_eq!((options.mode, options.segment_bytes, options.allow_gaps), (Mode::Create, Some(1 << 20), true));
///
/// // A node that gathers writes and syncs by itself:
/// let options = Options::new().sync_on_persist(false).lock_wait_ms(500);
/// # let storage = std::sync::Arc::new(annals::storage::Memory::new());
/// # let runtime = annals::Runtime::new()?;
/// let token = runtime.raft_log(storage.clone(), "node-1", &options)?.close()?;
///
/// let resume = Options::open().expect(token); // refuses a log that lacks what this token promised
/// runtime.raft_log(storage.clone(), "node-1", &resume)?;
/// runtime.raft_log(storage, "node-1", &Options::read_only())?;
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether it must exist, must not exist, or is only read.
    pub mode: Mode,
    /// Refuse to open unless the log's history contains this token.
    pub expect: Option<Token>,
    /// Whether `persist`, `replace_range` and `truncate` are durable when they return. Default: they are.
    pub sync_on_persist: bool,
    /// Whether an entry may be written above the last index + 1. If not, as by default, that is refused with
    /// [`Error::Gap`](crate::Error::Gap).
    pub allow_gaps: bool,
    /// Fixed when the log is made: none means what it was made with, or the default for a new one, and any other value
    /// is refused with [`Error::OptionsDiffer`](crate::Error::OptionsDiffer). Size at which a segment file is full.
    /// Default 16 MiB; from 64 KiB to 1 GiB.
    pub segment_bytes: Option<u64>,
    /// How long to wait for another writer to let go of the log.
    pub lock_wait_ms: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            mode: Mode::default(),
            expect: None,
            sync_on_persist: true,
            allow_gaps: false,
            segment_bytes: None,
            lock_wait_ms: 0,
        }
    }
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

    /// Sets [`sync_on_persist`](Options::sync_on_persist).
    #[must_use]
    pub fn sync_on_persist(mut self, on: bool) -> Options {
        self.sync_on_persist = on;
        self
    }

    /// Sets [`allow_gaps`](Options::allow_gaps).
    #[must_use]
    pub fn allow_gaps(mut self, on: bool) -> Options {
        self.allow_gaps = on;
        self
    }

    /// Sets [`segment_bytes`](Options::segment_bytes).
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Options {
        self.segment_bytes = Some(bytes);
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
            sync_on_persist: self.sync_on_persist,
            allow_gaps: self.allow_gaps,
            segment_bytes: self.segment_bytes,
            lock_wait_ms: self.lock_wait_ms,
        }
    }

    /// The same for opening it again: what was asked for at the first time only must not be asked again.
    pub(super) fn again(&self) -> Options {
        Options { mode: self.mode.again(), ..self.clone() }
    }
}
