//! Making a log that was read ready for writing: cut, write again, sync, tidy up. In this order, so that a crash anywhere
//! leaves a log that opens the same way.

use super::life::{self, Files};
use super::scan::Scanner;
use super::window::file_size;
use super::{RecordLog, View, Writer, failed};
use crate::error::{Error, Result};
use crate::format::frame::Place;
use crate::storage::{File, Host};
use alloc::{format, vec::Vec};

/// What opening for writing has to do.
pub(super) struct Repair {
    /// Whether something torn stands behind the last frame.
    pub(super) cut: bool,
    /// Size of the newest file.
    pub(super) size: u64,
    /// The file that an interrupted roll began.
    pub(super) spare: Option<u64>,
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// Makes a log that was read ready for writing. See the description of `open`.
    pub(super) fn repair(&mut self, lock: H::Lock, repair: Repair, files: &Files) -> Result<()> {
        let (tip, place) = (self.history.tip.clone(), self.place);
        let file_name = self.file_name.clone();
        if repair.cut {
            self.file()?.truncate(tip.offset).map_err(|e| failed("cutting", &file_name, e))?;
        }
        // What the last frame promises was durable before it was written; the rest, itself included, may be in memory
        // only.
        let promised = if tip.promise.segment == place.segment { tip.promise.offset } else { 0 };
        self.write_again(self.file()?, promised, tip.offset)?;
        self.file()?.sync().map_err(|e| failed("syncing", &file_name, e))?;
        if let Some(spare) = repair.spare {
            self.empty(spare)?;
        }
        self.trim_before()?;
        for &number in &files.segments {
            if number < place.segment && self.older.binary_search(&number).is_err() {
                life::remove_file(&self.host, &self.segment_name(number))?;
            }
        }
        for leftover in &files.leftovers {
            life::remove_file(&self.host, leftover)?;
        }
        let dying = self.dead_by_rewind()?;
        self.older.retain(|n| !dying.contains(n));
        self.writer = Some(Writer {
            lock: Some(lock),
            shared: None,
            epoch: self.host.draw(),
            epoch_starts: true,
            durable: tip.address(),
            fill: if repair.cut { tip.offset } else { repair.size },
            spare: repair.spare,
            dying,
        });
        Ok(())
    }

    /// Writes verified frames again in place: the same bytes.
    pub(super) fn write_again(&self, file: &H::File, from: u64, to: u64) -> Result<()> {
        let name = &self.file_name;
        let mut scanner = Scanner::new(file, name, self.place, to);
        let (mut start, mut bytes) = (from, Vec::new());
        let mut offset = from;
        while offset < to {
            let copied = scanner.copy_frame(offset, &mut |at, part| {
                // A part alone is a block, or the table of all blocks of a frame.
                if bytes.len() + part.len() > (1 << 20) {
                    file.write(start, &bytes).map_err(|e| failed("writing", name, e))?;
                    bytes.clear();
                }
                if bytes.is_empty() {
                    start = at;
                }
                bytes.extend_from_slice(part);
                Ok(())
            })?;
            let Ok(frame) = copied else {
                return Err(Error::Storage(format!("reading {name} twice gave different bytes")));
            };
            offset = frame.end();
        }
        file.write(start, &bytes).map_err(|e| failed("writing", name, e))
    }

    /// Empties the file that an interrupted roll left behind.
    fn empty(&self, number: u64) -> Result<()> {
        let name = self.segment_name(number);
        let file = self.host.open(&name).map_err(|e| failed("opening", &name, e))?;
        if file_size(&file, &name)? > 0 {
            file.truncate(0).map_err(|e| failed("cutting", &name, e))?;
        }
        Ok(())
    }

    /// Cuts zeros that a crash left behind the footer of the segment before.
    fn trim_before(&self) -> Result<()> {
        let (before, end) = self.start.unwrap_or_default();
        if self.older.last() != Some(&before) {
            return Ok(());
        }
        let name = self.segment_name(before);
        let file = self.host.open(&name).map_err(|e| failed("opening", &name, e))?;
        let size = file_size(&file, &name)?;
        let place = Place { segment: before, ..self.place };
        if size > end && Scanner::new(&file, &name, place, size).zeros_from(end)? {
            file.truncate(end).map_err(|e| failed("cutting", &name, e))?;
        }
        Ok(())
    }

    /// Older segments that a rewind left without anything that can be read.
    pub(super) fn dead_by_rewind(&mut self) -> Result<Vec<u64>> {
        let began = V::restore(&self.history.header.options, &self.history.header.checkpoint.view);
        let cut = self.history.index.cut;
        let mut dead = Vec::new();
        if began.is_some_and(|view| cut < view.next()) {
            for number in self.older.clone().into_iter().rev() {
                if self.floor(number)? < cut {
                    break;
                }
                dead.push(number);
            }
            dead.reverse();
        }
        Ok(dead)
    }
}
