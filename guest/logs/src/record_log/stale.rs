//! Whether a root cell is older than the files of its log.
//!
//! A cell that says that a log is being created lets everything of that log be swept. A storage that returns an old value
//! of the cell would so destroy a log. While a log is created its file holds nothing but a header (an imported snapshot
//! apart, of which nobody can tell): whatever stands behind that was written after the log was live.

use super::life::{self, Files};
use super::open::damaged;
use super::place_name;
use super::scan::Scanner;
use super::window::read_failed;
use crate::error::Result;
use crate::format::names;
use crate::format::root::{Kind, Root};
use crate::storage::{Host, StorageError};

/// Refuses a log that is said to be in creation and whose files say that it was there.
pub(super) fn check<H: Host>(host: &H, name: &str, root: &Root) -> Result<()> {
    if root.kind == Kind::Snapshot {
        return Ok(());
    }
    for number in Files::list(host, name, root.id, root.generation)?.segments {
        let place = life::place(root, number);
        let file_name = place_name(name, place);
        let file = match host.open(&file_name) {
            Ok(file) => file,
            Err(StorageError::NotFound) => continue,
            Err(error) => return Err(read_failed(&file_name, error)),
        };
        let mut scanner = Scanner::without_fill(&file, &file_name, place)?;
        if scanner.frame_at(0)?.is_ok_and(|first| scanner.size > first.end()) {
            let what = "the root cell says that the log is being created, and there are items";
            return Err(damaged(&names::root(name), 0, what));
        }
    }
    Ok(())
}
