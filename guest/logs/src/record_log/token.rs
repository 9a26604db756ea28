//! Whether a token is in a log's history: the frame it names is there, with its chain value.

use super::scan::Scanner;
use super::window::file_size;
use super::{RecordLog, View};
use crate::error::{Damage, Error, Result, Token};
use crate::format::frame::{FrameHeader, Place};
use crate::storage::{File, Host};

impl<H: Host, V: View> RecordLog<H, V> {
    /// Refuses a log that does not contain this token. One that is older than all retained frames passes on its log
    /// and number alone.
    pub(super) fn check_token(&mut self, expect: Option<Token>) -> Result<()> {
        let Some(token) = expect else { return Ok(()) };
        let last = self.token();
        if token.log != last.log || token.frame > last.frame || token.frame == 0 {
            return Err(Error::RolledBack(last));
        }
        let found = if token.frame == last.frame { Some(last.check) } else { self.chain_at(token.frame)? };
        match found {
            Some(check) if check != token.check => Err(Error::RolledBack(last)),
            _ => Ok(()),
        }
    }

    /// The chain value of a frame, if its segment is retained, or if it is the last one before those that are.
    fn chain_at(&mut self, number: u64) -> Result<Option<u128>> {
        if number >= self.history.index.first_number {
            let run = self.history.index.runs.iter().rfind(|r| r.number <= number);
            let start = run.map_or(0, |r| r.offset);
            // Of a damaged log the last frame may not be there as far as its header says.
            let end = self.history.tip.offset.min(file_size(self.file()?, &self.file_name)?);
            return find(Scanner::new(self.file()?, &self.file_name, self.place, end), start, number);
        }
        // The last segment whose first frame is not above the number.
        let (mut low, mut high) = (0, self.older.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let segment = self.older.get(middle).copied().unwrap_or_default();
            if self.sealed(segment)?.index.first_number <= number { low = middle + 1 } else { high = middle }
        }
        let Some(segment) = low.checked_sub(1).and_then(|at| self.older.get(at)).copied() else {
            return self.chain_before(number);
        };
        let place = Place { segment, ..self.place };
        let sealed = self.sealed(segment)?;
        let start = sealed.index.runs.iter().filter(|r| r.number <= number).max_by_key(|r| r.number);
        let start = start.map_or(0, |r| r.offset);
        let size = file_size(&sealed.file, &sealed.name)?;
        find(Scanner::new(&sealed.file, &sealed.name, place, size), start, number)
    }

    /// The same of a frame before all that are retained.
    fn chain_before(&mut self, number: u64) -> Result<Option<u128>> {
        let Some(segment) = self.older.first().copied() else {
            let size = self.history.tip.offset;
            return before(Scanner::new(self.file()?, &self.file_name, self.place, size), number);
        };
        let place = Place { segment, ..self.place };
        let sealed = self.sealed(segment)?;
        let size = file_size(&sealed.file, &sealed.name)?;
        before(Scanner::new(&sealed.file, &sealed.name, place, size), number)
    }
}

/// The chain value that the first frame of a file says the one with this number has, if that is the one before it.
fn before<F: File>(mut scanner: Scanner<'_, F>, number: u64) -> Result<Option<u128>> {
    let first = scanner.header_at(0)?.ok();
    Ok(first.filter(|first| first.number == number + 1).map(|first| first.previous))
}

/// The chain value of this frame, walking from a frame before it. None if it is in no frame here: then it is in a segment
/// that is not retained.
fn find<F: File>(mut scanner: Scanner<'_, F>, start: u64, number: u64) -> Result<Option<u128>> {
    let mut offset = start;
    loop {
        let header: FrameHeader = match scanner.header_at(offset)? {
            Ok(header) => header,
            Err(_) if scanner.zeros_from(offset)? => return Ok(None),
            Err(_) => {
                return Err(Error::Damaged(Damage {
                    file: scanner.file_name(),
                    offset,
                    lowest: None,
                    next: None,
                    what: "damage before the frame that the token names".into(),
                }));
            }
        };
        if header.number >= number {
            return Ok((header.number == number).then_some(header.chain));
        }
        offset = offset.saturating_add(header.len());
    }
}
