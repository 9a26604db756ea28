//! How to open an event log.

use crate::{bindings::exports::annals::log::event_log as wit, convert, token::Token, types::Mode};

/// What an append promises when it returns.
///
/// ```
/// use annals::event_log::Policy;
///
/// assert_eq!(Policy::default(), Policy::Flushed);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// A single event may wait in memory, until 64 KiB of them do or anything but a read asks for them to be handed over.
    /// A batch was handed to the storage.
    Buffered,
    /// It was handed to the storage: it survives the death of this process, but not yet the loss of power.
    #[default]
    Flushed,
    /// It is durable.
    Synced,
}

/// How to open an event log. The default opens it, or creates it if there is none, for this process alone; what is appended
/// was handed to the storage when the call returns.
///
/// ```
/// use annals::{Mode, event_log::{Options, Policy}};
///
/// let options = Options::create().rotate_at(1 << 20).max_event(4096).max_batch(1 << 20);
/// assert_eq!((options.mode, options.policy, options.shared), (Mode::Create, Policy::Flushed, false));
///
/// // One of several processes that write; each waits for up to a second for its turn.
/// let options = Options::new().shared(true).policy(Policy::Synced).lock_wait_ms(1000);
/// # let storage = std::sync::Arc::new(annals::storage::Memory::new());
/// # let runtime = annals::Runtime::new()?;
/// let token = runtime.event_log(storage.clone(), "events", &options)?.close()?;
///
/// let resume = Options::open().expect(token); // refuses a log that lacks what this token promised
/// runtime.event_log(storage.clone(), "events", &resume)?;
/// runtime.event_log(storage, "events", &Options::read_only())?;
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether it must exist, must not exist, or is only read.
    pub mode: Mode,
    /// Refuse to open unless the log's history contains this token.
    pub expect: Option<Token>,
    /// What an append promises.
    pub policy: Policy,
    /// Several processes write this log. Nobody holds the lock while the log is open; each call that writes takes it, and
    /// goes on from what the others wrote. Each read and getter first looks at what they wrote. Every one of them must
    /// say so. Refused together with [`Policy::Buffered`] or [`Mode::ReadOnly`].
    pub shared: bool,
    /// How long to wait for another writer to let go of the log: in shared mode in each call that writes, otherwise at the
    /// open.
    pub lock_wait_ms: u32,
    /// Fixed when the log is made: none means what it was made with, or the default for a new one, and any other value is
    /// refused with [`Error::OptionsDiffer`](crate::Error::OptionsDiffer). A file is rotated before it would grow beyond
    /// so many bytes, unless one frame alone does. Default 16 MiB; from 64 KiB to 1 GiB.
    pub rotate_at: Option<u64>,
    /// Most bytes of an event appended through this handle. Default, and at most: 16 MiB.
    pub max_event: Option<u32>,
    /// Most bytes of a batch appended through this handle. Default, and at most: 64 MiB.
    pub max_batch: Option<u32>,
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

    /// Sets [`policy`](Options::policy).
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Options {
        self.policy = policy;
        self
    }

    /// Sets [`shared`](Options::shared).
    #[must_use]
    pub fn shared(mut self, on: bool) -> Options {
        self.shared = on;
        self
    }

    /// Sets [`lock_wait_ms`](Options::lock_wait_ms).
    #[must_use]
    pub fn lock_wait_ms(mut self, milliseconds: u32) -> Options {
        self.lock_wait_ms = milliseconds;
        self
    }

    /// Sets [`rotate_at`](Options::rotate_at).
    #[must_use]
    pub fn rotate_at(mut self, bytes: u64) -> Options {
        self.rotate_at = Some(bytes);
        self
    }

    /// Sets [`max_event`](Options::max_event).
    #[must_use]
    pub fn max_event(mut self, bytes: u32) -> Options {
        self.max_event = Some(bytes);
        self
    }

    /// Sets [`max_batch`](Options::max_batch).
    #[must_use]
    pub fn max_batch(mut self, bytes: u32) -> Options {
        self.max_batch = Some(bytes);
        self
    }

    pub(super) fn to_wit(&self) -> wit::Options {
        wit::Options {
            mode: convert::mode_to_wit(self.mode),
            expect: self.expect.map(convert::token_to_wit),
            policy: match self.policy {
                Policy::Buffered => wit::Policy::Buffered,
                Policy::Flushed => wit::Policy::Flushed,
                Policy::Synced => wit::Policy::Synced,
            },
            shared: self.shared,
            lock_wait_ms: self.lock_wait_ms,
            rotate_at: self.rotate_at,
            max_event: self.max_event,
            max_batch: self.max_batch,
        }
    }

    /// The same for opening it again: what was asked for at the first time only must not be asked again.
    pub(super) fn again(&self) -> Options {
        Options { mode: self.mode.again(), ..self.clone() }
    }
}
