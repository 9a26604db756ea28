//! Opening for reading only: no lock, no change, and no refusal where something can still be read.

use super::history::{ranges, remove};
use super::index::Lost;
use super::life::{self, Files};
use super::open::{Newest, Request, damaged};
use super::recovery::Verdict;
use super::scan::Scanner;
use super::survey::Survey;
use super::window::{file_size, read_failed};
use super::{RecordLog, View, place_name, read};
use crate::error::{Bounds, Damage, Error, Result, Token};
use crate::format::frame::{Kind, Place};
use crate::format::names::{self, FileName};
use crate::format::root::{self, Root, State};
use crate::format::segment::{SegmentHeader, SegmentRange};
use crate::storage::Host;
use alloc::vec::Vec;

/// Whether there are files that bear the log's name.
pub(crate) fn has_files<H: Host>(host: &H, name: &str) -> Result<bool> {
    Ok(!life::file_names(host, name)?.is_empty())
}

/// The kind that the header of some segment of a log says it is.
pub(crate) fn kind_in_files<H: Host>(host: &H, name: &str) -> Option<root::Kind> {
    life::file_names(host, name).ok()?.into_iter().find_map(|text| {
        let FileName { id: log, generation, segment, .. } = FileName::parse(&text)?;
        let (place, file) = (Place { log, generation, segment }, host.open(&text).ok()?);
        let first = Scanner::without_fill(&file, &text, place).ok()?.frame_at(0).ok()?.ok()?;
        let header = SegmentHeader::decode(&first.payload, place)?;
        (first.header.kind == Kind::Header).then_some(header.kind)
    })
}

impl<H: Host, V: View> RecordLog<H, V> {
    pub(super) fn open_read_only(host: H, name: &str, request: &Request<'_, V>) -> Result<Self> {
        // A writer may be at work: what looks damaged is looked at twice.
        let first = Self::read_only_once(host.clone(), name, request);
        let log = match first {
            Ok(log) if log.damage.is_empty() => log,
            Err(error @ (Error::NotFound | Error::OtherKind(_))) => return Err(error),
            _ => Self::read_only_once(host, name, request)?,
        };
        (request.accept)(&log.history.header, log.view())?;
        Ok(log)
    }

    fn read_only_once(host: H, name: &str, request: &Request<'_, V>) -> Result<Self> {
        let (root, root_damage) = Self::root_or_guess(&host, name)?;
        if root.kind != V::KIND {
            return Err(Error::OtherKind(root.kind.name().into()));
        }
        let mut log = Self::read_only_at(host, name, &root, request.expect)?;
        log.damage.extend(root_damage);
        Ok(log)
    }

    /// The log with this root, whatever its cell says.
    pub(super) fn read_only_at(host: H, name: &str, root: &Root, expect: Option<Token>) -> Result<Self> {
        let mut log = match Self::newest(&host, name, root, expect) {
            Ok((newest, files, _)) => Self::assemble(host.clone(), name, newest, &files),
            Err(error) => Err(error),
        };
        if let Err(Error::Damaged(damage)) = &log {
            log = Self::salvage(host, name, root, damage.clone());
        }
        let mut log = log?;
        log.check_token(expect)?;
        let dead = log.dead_by_rewind()?;
        log.older.retain(|n| !dead.contains(n));
        let size = log.next();
        log.damage = log.damage.drain(..).map(|damage| damage.within(size)).collect();
        Ok(log)
    }

    /// The root; if its cell cannot be read, what the names of the files say, if they agree.
    fn root_or_guess(host: &H, name: &str) -> Result<(Root, Option<Damage>)> {
        let error = match life::read_root(host, name) {
            Ok(Some(rooted)) if rooted.root.state == State::Live => return Ok((rooted.root, None)),
            Ok(Some(_)) => return Err(Error::NotFound),
            Ok(None) => match life::file_names(host, name)?.into_iter().next() {
                Some(_) => damaged(&names::root(name), 0, "the root cell of the log is missing"),
                None => return Err(Error::NotFound),
            },
            Err(error) => error,
        };
        let damage = match &error {
            Error::Damaged(damage) => damage.clone(),
            Error::Storage(what) => {
                let (file, what) = (names::root(name), what.clone());
                Damage { file, offset: 0, lowest: None, next: None, what }
            }
            _ => return Err(error),
        };
        if let Some(kind) = kind_in_files(host, name).filter(|kind| *kind != V::KIND) {
            return Err(Error::OtherKind(kind.name().into()));
        }
        let mut logs: Vec<(u128, u64)> = Vec::new();
        for text in life::file_names(host, name)? {
            if let Some(file) = FileName::parse(&text) {
                logs.push((file.id, file.generation));
            }
        }
        logs.dedup();
        match logs[..] {
            [(id, generation)] => {
                Ok((Root { state: State::Live, kind: V::KIND, id, generation }, Some(damage)))
            }
            _ => Err(error),
        }
    }

    /// A damaged log, as far as it can be read.
    fn salvage(host: H, name: &str, root: &Root, found: Damage) -> Result<Self> {
        let files = Files::list(&host, name, root.id, root.generation)?;
        let mut before = None;
        let mut last = None;
        // The newest two segments: the older one tells what a damaged header of the newer one does not.
        let tail = files.segments.len().saturating_sub(2);
        for &number in files.segments.get(tail..).unwrap_or(&[]) {
            let place = life::place(root, number);
            let file_name = place_name(name, place);
            let file = host.open(&file_name).map_err(|e| read_failed(&file_name, e))?;
            let mut scanner = Scanner::without_fill(&file, &file_name, place)?;
            let newest = files.segments.last() == Some(&number);
            let mut survey = Survey::<V>::new(&mut scanner, before.take(), !newest, None)?;
            survey.run(&mut scanner)?;
            let size = file_size(&file, &file_name)?;
            before = Some(survey.history.clone());
            last = Some((file, file_name, size, survey.history, survey.damage, survey.cut_short, number));
        }
        let Some((file, name_of_file, size, mut history, mut damage, mut cut_short, number)) = last else {
            return Err(Error::Damaged(found));
        };
        if history.header.segment != number {
            // The newest header is gone: what it would have retained is what the one before did, and that one.
            let earlier = history.header.segment;
            history.retained.push(SegmentRange { first: earlier, last: earlier });
        }
        let mut missing = history.retained.clone();
        remove(&mut missing, &ranges(files.segments.iter().copied()));
        remove(&mut history.retained, &missing);
        // A footer with no segment behind it, or a segment of which no frame is left: nobody knows what else there was.
        let mut found = found;
        if history.tip.kind == Kind::Footer || history.tip.number == 0 {
            found.lowest = Some(history.view.next());
            cut_short = Some(found.clone());
        }
        if !damage.iter().any(|d| d.file == found.file && d.offset == found.offset) {
            damage.insert(0, found);
        }
        let newest = Newest {
            file,
            name: name_of_file,
            size,
            start: None,
            spare: None,
            history,
            verdict: Verdict::Refuse,
            bad: None,
        };
        let mut log = Self::assemble(host, name, newest, &files)?;
        log.clean = false;
        log.damage = damage;
        log.cut_short = cut_short;
        for gone in missing {
            log.lose_segments(gone)?;
        }
        Ok(log)
    }

    /// Works out which positions missing segments held: from the end of the one before, or what they may have superseded
    /// of it, to the floor of the one behind.
    fn lose_segments(&mut self, gone: SegmentRange) -> Result<()> {
        let after = self.after(gone.last)?;
        let end = match &after {
            _ if V::DENSE => self.owned_below(gone.last)?,
            Some(after) => after.next,
            None => self.view().next(),
        };
        let start = match after {
            Some(after)
                if V::DENSE
                    && gone.first == gone.last
                    && self.older.first().is_some_and(|n| *n < gone.first) =>
            {
                after.low.min(self.before(gone.first, 8)?.view.next())
            }
            // Nothing older, or a lost header that would tell what was superseded.
            _ => self.view().boundary(),
        };
        let bounds = Bounds { start: start.max(self.view().boundary()).min(end), end };
        let file = self.segment_name(gone.first);
        let damage = Damage {
            lowest: (bounds.start < bounds.end).then_some(bounds.start),
            next: (bounds.start < bounds.end && end < self.view().next()).then_some(end),
            ..read::missing(&file)
        };
        self.damage.retain(|d| d.file != file);
        self.damage.push(damage.clone());
        self.lost.push((gone.last, Lost { bounds, damage }));
        Ok(())
    }
}
