//! How to open a journal.

use crate::{bindings::exports::annals::log::journal as wit, convert, token::Token, types::Mode};

/// How to open a journal. The default opens it, or creates it if there is none.
///
/// Some options are *fixed* when the log is made: none then means what the log was made with, or the default for a new
/// one, and any other value is refused with [`Error::OptionsDiffer`](crate::Error::OptionsDiffer).
///
/// ```
/// use annals::journal::Options;
///
/// let options = Options::create().start_at(1_000).items_per_section(1 << 12);
/// assert_eq!((options.mode, options.start_at), (annals::Mode::Create, Some(1_000)));
///
/// // `open` and `read_only` make nothing; `new` makes what is missing.
/// let options = Options::new().segment_bytes(1 << 20).compression(false).sync_sections(false);
/// let options = options.write_buffer(256 << 10).lock_wait_ms(500);
/// # let storage = std::sync::Arc::new(annals::storage::Memory::new());
/// # let runtime = annals::Runtime::new()?;
/// let token = runtime.journal(storage.clone(), "log", &options)?.close()?;
///
/// let resume = Options::open().expect(token); // refuses a log that lacks what this token promised
/// runtime.journal(storage.clone(), "log", &resume)?;
/// runtime.journal(storage, "log", &Options::read_only())?;
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether it must exist, must not exist, or is only read.
    pub mode: Mode,
    /// Start fully pruned: size and pruning boundary are this position. Only for a log without items.
    pub start_at: Option<u64>,
    /// Refuse to open unless the log's history contains this token.
    pub expect: Option<Token>,
    /// Fixed. Items in a section, the unit of pruning. Default 65,536.
    pub items_per_section: Option<u64>,
    /// Fixed. Size at which a segment file is full. Default 16 MiB; from 64 KiB to 1 GiB.
    pub segment_bytes: Option<u64>,
    /// Fixed. Compress frames. Reserved: `true` is refused.
    pub compression: Option<bool>,
    /// Fixed. Whether a section is synced when it fills up. Default true.
    pub sync_sections: Option<bool>,
    /// Bytes of single appends that may wait in memory. Default 64 KiB.
    pub write_buffer: Option<u32>,
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

    /// Sets [`start_at`](Options::start_at).
    #[must_use]
    pub fn start_at(mut self, position: u64) -> Options {
        self.start_at = Some(position);
        self
    }

    /// Sets [`expect`](Options::expect).
    #[must_use]
    pub fn expect(mut self, token: Token) -> Options {
        self.expect = Some(token);
        self
    }

    /// Sets [`items_per_section`](Options::items_per_section).
    #[must_use]
    pub fn items_per_section(mut self, items: u64) -> Options {
        self.items_per_section = Some(items);
        self
    }

    /// Sets [`segment_bytes`](Options::segment_bytes).
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Options {
        self.segment_bytes = Some(bytes);
        self
    }

    /// Sets [`compression`](Options::compression).
    #[must_use]
    pub fn compression(mut self, on: bool) -> Options {
        self.compression = Some(on);
        self
    }

    /// Sets [`sync_sections`](Options::sync_sections).
    #[must_use]
    pub fn sync_sections(mut self, on: bool) -> Options {
        self.sync_sections = Some(on);
        self
    }

    /// Sets [`write_buffer`](Options::write_buffer).
    #[must_use]
    pub fn write_buffer(mut self, bytes: u32) -> Options {
        self.write_buffer = Some(bytes);
        self
    }

    /// Sets [`lock_wait_ms`](Options::lock_wait_ms).
    #[must_use]
    pub fn lock_wait_ms(mut self, milliseconds: u32) -> Options {
        self.lock_wait_ms = milliseconds;
        self
    }

    pub(crate) fn to_wit(&self) -> wit::Options {
        wit::Options {
            mode: convert::mode_to_wit(self.mode),
            start_at: self.start_at,
            expect: self.expect.map(convert::token_to_wit),
            items_per_section: self.items_per_section,
            segment_bytes: self.segment_bytes,
            compression: self.compression,
            sync_sections: self.sync_sections,
            write_buffer: self.write_buffer,
            lock_wait_ms: self.lock_wait_ms,
        }
    }

    /// The same for opening it again: what was asked for at the first time only must not be asked again.
    pub(crate) fn again(&self) -> Options {
        Options { mode: self.mode.again(), start_at: None, ..self.clone() }
    }
}
