//! Opening one sealed file on its own, wherever it came from: no log, no root cell, no lock.
//!
//! The file itself says to which log it belongs, so its name does not matter. All of it is read and checked.

use super::history::History;
use super::open::{Newest, damaged};
use super::recovery::Verdict;
use super::scan::Scanner;
use super::survey::Survey;
use super::window::{file_size, read_failed};
use super::{RecordLog, View};
use crate::error::{Error, Result};
use crate::format::frame::{FrameHeader, HeaderError, Place};
use crate::format::names::FileName;
use crate::format::segment::SegmentHeader;
use crate::format::{BLOCK, HEADER};
use crate::storage::{File, Host, StorageError};

impl<H: Host, V: View> RecordLog<H, V> {
    /// A sealed file as a log for reading, of which this is all.
    pub(crate) fn open_file(host: H, name: &str) -> Result<Self> {
        let file = host.open(name).map_err(|error| match error {
            StorageError::NotFound => Error::NotFound,
            StorageError::InvalidName => Error::InvalidArgument("file: not a name for a file".into()),
            error => read_failed(name, error),
        })?;
        let place = match place_of::<H>(&file, name)? {
            Some(place) => place,
            // The header is damaged; the name may still tell.
            None => FileName::parse(name)
                .map(|name| Place { log: name.id, generation: name.generation, segment: name.segment })
                .ok_or(damaged(name, 0, "the header of the file is damaged, or this is no file of a log"))?,
        };
        let size = file_size(&file, name)?;
        let mut scanner = Scanner::without_fill(&file, name, place)?;
        if let Ok(frame) = scanner.frame_at(0)?
            && let Ok((header, _)) = postcard::take_from_bytes::<SegmentHeader>(&frame.payload)
            && header.kind != V::KIND
        {
            return Err(Error::OtherKind(header.kind.name().into()));
        }
        let mut survey = Survey::<V>::new(&mut scanner, None, true, None)?;
        survey.run(&mut scanner)?;
        let damage = &survey.damage;
        let ends = |history: &History<V>| {
            history.tip.kind.has_index() && damage.iter().all(|damage| damage.offset < history.tip.last)
        };
        let history = survey.history;
        if !ends(&history) {
            let what = "the file does not end with a footer: it is being written, or a part of it is missing";
            return Err(damaged(name, scanner.size, what));
        }
        let newest = Newest {
            file,
            name: name.into(),
            size,
            start: None,
            spare: None,
            history,
            verdict: Verdict::Keep,
            bad: None,
        };
        let mut log = Self::of_file(host, newest);
        let next = log.next();
        log.damage = survey.damage.into_iter().map(|damage| damage.within(next)).collect();
        log.cut_short = survey.cut_short;
        Ok(log)
    }

    fn of_file(host: H, mut newest: Newest<H::File, V>) -> Self {
        newest.history.retained.clear();
        let name = newest.name.clone();
        Self::bare(host, &name, newest.history, newest.file, newest.name)
    }
}

/// Where a file says that it belongs. It is not believed before its frames verify there.
fn place_of<H: Host>(file: &H::File, name: &str) -> Result<Option<Place>> {
    let most = HEADER + 8 * 16 + 16 * BLOCK;
    let bytes = file.read(0, most as u32).map_err(|error| read_failed(name, error))?;
    let Some(head) = bytes.get(..HEADER).and_then(|head| <&[u8; HEADER]>::try_from(head).ok()) else {
        return Ok(None);
    };
    let header = match FrameHeader::decode_anywhere(head) {
        Ok(header) => header,
        Err(HeaderError::Version(version)) => return Err(Error::UnknownFormat(version.into())),
        Err(_) => return Ok(None),
    };
    let start = HEADER + header.table() as usize;
    let payload = bytes.get(start..start.saturating_add(header.payload() as usize));
    Ok(payload.and_then(SegmentHeader::place_of))
}
