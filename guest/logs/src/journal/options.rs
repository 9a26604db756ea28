//! How to open a journal, and the part of it that is fixed when the journal is made.

use crate::error::{Error, Result, Token};
use crate::types::Mode;
use serde::{Deserialize, Serialize};

/// Items in a section, by default.
pub const ITEMS_PER_SECTION: u64 = 65_536;
/// Bytes of single appends that may wait in memory, by default.
pub const WRITE_BUFFER: u32 = 64 << 10;

/// How to open a journal; `wit/journal.wit` says what each option means.
#[derive(Clone, Debug)]
pub struct Options {
    /// Create, open, either, or read only.
    pub mode: Mode,
    /// Start fully pruned at this position.
    pub start_at: Option<u64>,
    /// Refuse a log whose history does not contain this.
    pub expect: Option<Token>,
    /// Fixed: items in a section.
    pub items_per_section: Option<u64>,
    /// Fixed: size of a full segment.
    pub segment_bytes: Option<u64>,
    /// Fixed: compress frames.
    pub compression: Option<bool>,
    /// Fixed: sync each section as it fills up.
    pub sync_sections: Option<bool>,
    /// Bytes of single appends that may wait in memory.
    pub write_buffer: Option<u32>,
    /// How long to wait for another writer.
    pub lock_wait_ms: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            mode: Mode::OpenOrCreate,
            start_at: None,
            expect: None,
            items_per_section: None,
            segment_bytes: None,
            compression: None,
            sync_sections: None,
            write_buffer: None,
            lock_wait_ms: 0,
        }
    }
}

/// The fixed options, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fixed {
    pub(super) items_per_section: u64,
    pub(super) sync_sections: bool,
    pub(super) compression: bool,
}

/// The options as stored; the defaults if damage hides them, which only a read-only open lets pass.
pub(super) fn fixed_of(options: &[u8]) -> Result<Fixed> {
    if options.is_empty() {
        return Ok(Fixed { items_per_section: ITEMS_PER_SECTION, sync_sections: true, compression: false });
    }
    match postcard::take_from_bytes::<Fixed>(options) {
        Ok((fixed, [])) if fixed.items_per_section > 0 => Ok(fixed),
        _ => Err(Error::Other("the options of the log make no sense".into())),
    }
}
