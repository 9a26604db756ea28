//! How to open a change log.

use crate::{bindings::exports::annals::log::change_log as wit, convert, token::Token, types::Mode};

/// How to open a change log. The default opens it as a new instance with a random name, and creates it if there is none.
///
/// ```
/// use annals::change_log::Options;
///
/// let options = Options::create().instance("worker-1").heartbeat_ms(10_000).segment_bytes(1 << 20);
/// # let storage = std::sync::Arc::new(annals::storage::Memory::new());
/// # let runtime = annals::Runtime::new()?;
/// let token = runtime.change_log(storage.clone(), "steps", &options)?.close()?;
///
/// let resume = Options::open().expect(token).lock_wait_ms(500).background_heartbeat(false);
/// runtime.change_log(storage.clone(), "steps", &resume)?;
/// runtime.change_log(storage, "steps", &Options::read_only())?;
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether it must exist, must not exist, or is only read.
    pub mode: Mode,
    /// A name for this instance: 1 to 64 of `a-z`, `0-9`, `-`. Whoever opens the log under the name of an instance that is
    /// not open any more gets its changes back at once, as its own. None: a random name; read-only, all instances.
    pub instance: Option<String>,
    /// How often the holder shows that it is alive, in milliseconds. None: 30,000.
    pub heartbeat_ms: Option<u32>,
    /// Size at which a file of this instance is full. None: 4 MiB; from 64 KiB to 1 GiB.
    pub segment_bytes: Option<u64>,
    /// Refuse to open a storage that is older than this token of [`close`](super::ChangeLog::close).
    pub expect: Option<Token>,
    /// How long to wait while an instance of this name is open, in milliseconds. Default 0.
    pub lock_wait_ms: u32,
    /// Whether a thread calls [`heartbeat`](super::ChangeLog::heartbeat) every third of `heartbeat_ms` until the log is
    /// closed or dropped. Default true.
    pub background_heartbeat: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            mode: Mode::default(),
            instance: None,
            heartbeat_ms: None,
            segment_bytes: None,
            expect: None,
            lock_wait_ms: 0,
            background_heartbeat: true,
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

    /// Opens the log for reading only: it is no instance, takes no lock, changes nothing, and shows what all instances
    /// hold, or [one](Options::instance).
    pub fn read_only() -> Options {
        Options { mode: Mode::ReadOnly, ..Options::default() }
    }

    /// Sets [`instance`](Options::instance).
    #[must_use]
    pub fn instance(mut self, name: impl Into<String>) -> Options {
        self.instance = Some(name.into());
        self
    }

    /// Sets [`heartbeat_ms`](Options::heartbeat_ms).
    #[must_use]
    pub fn heartbeat_ms(mut self, milliseconds: u32) -> Options {
        self.heartbeat_ms = Some(milliseconds);
        self
    }

    /// Sets [`segment_bytes`](Options::segment_bytes).
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Options {
        self.segment_bytes = Some(bytes);
        self
    }

    /// Sets [`expect`](Options::expect).
    #[must_use]
    pub fn expect(mut self, token: Token) -> Options {
        self.expect = Some(token);
        self
    }

    /// Sets [`lock_wait_ms`](Options::lock_wait_ms).
    #[must_use]
    pub fn lock_wait_ms(mut self, milliseconds: u32) -> Options {
        self.lock_wait_ms = milliseconds;
        self
    }

    /// Sets [`background_heartbeat`](Options::background_heartbeat).
    #[must_use]
    pub fn background_heartbeat(mut self, on: bool) -> Options {
        self.background_heartbeat = on;
        self
    }

    pub(super) fn to_wit(&self) -> wit::Options {
        wit::Options {
            mode: convert::mode_to_wit(self.mode),
            instance: self.instance.clone(),
            heartbeat_ms: self.heartbeat_ms,
            segment_bytes: self.segment_bytes,
            expect: self.expect.map(convert::token_to_wit),
            lock_wait_ms: self.lock_wait_ms,
        }
    }

    /// The same for opening it again: it exists then.
    pub(super) fn again(&self) -> Options {
        Options { mode: self.mode.again(), ..self.clone() }
    }
}
