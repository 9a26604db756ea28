//! Opening a log: for writing, with recovery, and for reading only, where nothing is changed.
//!
//! Reads the newest segment: its header, then its last frame if that has an index, else all of it. Everything is decided
//! before anything is changed; then, in this order: the torn tail is cut, what no promise covers is written again and
//! synced, leftovers are removed. Only then is anything served.

use super::history::{FIRST_FRAME, History, remove};
use super::index::Lost;
use super::life::{self, Files};
use super::recovery::{self, NewestVerdict, Verdict};
use super::scan::{Bad, Scanner};
use super::survey::{Survey, promised};
use super::window::read_failed;
use super::write::SegmentFile;
use super::{RecordLog, View, Waiting, Writer, failed, place_name};
use crate::error::{Bounds, Damage, Error, Result, Token};
use crate::format::frame::{Kind, Place};
use crate::format::root::{Root, State};
use crate::format::segment::{SegmentHeader, SegmentRange};
use crate::storage::{File, Host};
use crate::types::Mode;
use alloc::{format, string::String, vec::Vec};

/// What a new log is made with.
pub(crate) struct Create<V> {
    pub(crate) segment_bytes: u64,
    pub(crate) options: Vec<u8>,
    pub(crate) view: V,
}

/// How to open a log.
pub(crate) struct Request<'a, V> {
    pub(crate) mode: Mode,
    pub(crate) expect: Option<Token>,
    pub(crate) lock_wait_ms: u32,
    pub(crate) create: Create<V>,
    /// Whether the caller accepts the log as it was made; asked before anything is changed.
    pub(crate) accept: &'a dyn Fn(&SegmentHeader, &V) -> Result<()>,
}

/// The newest segment, read to the end of what verifies.
struct Newest<F, V> {
    file: F,
    name: String,
    size: u64,
    /// What the header promises: segment and offset.
    start: Option<(u64, u64)>,
    /// A later file that a roll began.
    spare: Option<u64>,
    history: History<V>,
    /// What stands behind, and what to make of it.
    verdict: Verdict,
    bad: Option<Bad>,
}

fn damaged(file: &str, offset: u64, what: &str) -> Error {
    Error::Damaged(Damage { file: file.into(), offset, lowest: None, next: None, what: what.into() })
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// Opens, creates or recovers a log.
    pub(crate) fn open(host: H, name: &str, request: &Request<'_, V>) -> Result<Self> {
        life::check_name(name)?;
        if request.mode == Mode::ReadOnly {
            return Self::open_read_only(host, name, request);
        }
        let lock = life::lock(&host, name, request.lock_wait_ms)?;
        let live = life::settle(&host, name)?;
        match (&live, request.mode) {
            (Some(root), _) if root.kind != V::KIND => return Err(Error::OtherKind(root.kind.name().into())),
            (Some(_), Mode::Create) => return Err(Error::Exists),
            (None, Mode::Open) => return Err(Error::NotFound),
            _ => {}
        }
        if let Some(root) = live {
            let newest = Self::newest(&host, name, &root, request.expect)?;
            let mut log = Self::assemble(host, name, &root, newest.0, newest.1)?;
            log.check_token(request.expect)?;
            (request.accept)(&log.history.header, log.view())?;
            log.repair(lock, newest.2)?;
            return Ok(log);
        }
        if request.expect.is_some() {
            return Err(Error::NotFound); // a new log has no history
        }
        Self::create(host, name, lock, &request.create)
    }

    fn create(host: H, name: &str, lock: H::Lock, create: &Create<V>) -> Result<Self> {
        let id = u128::from(host.draw()) << 64 | u128::from(host.draw());
        let root = Root { state: State::Creating, kind: V::KIND, id, generation: 0 };
        let version = life::begin(&host, name, &root)?;
        let place = life::place(&root, 1);
        let epoch = host.draw();
        let new = SegmentFile::first(&host, name, place, epoch, create)?;
        life::commit(&host, name, version, &root)?;
        let tip = new.history.tip.address();
        Ok(RecordLog {
            name: name.into(),
            place,
            history: new.history,
            file: Some(new.file),
            file_name: new.name,
            start: None,
            older: Vec::new(),
            sealed: Vec::new(),
            floors: Default::default(),
            windows: Default::default(),
            cursor: None,
            waiting: Waiting::default(),
            writer: Some(Writer {
                _lock: lock,
                epoch,
                epoch_starts: false,
                durable: tip,
                fill: new.fill,
                spare: None,
                dying: Vec::new(),
            }),
            damage: Vec::new(),
            lost: Vec::new(),
            clean: true,
            host,
        })
    }

    /// Finds the newest segment and reads it. Changes nothing.
    fn newest(
        host: &H,
        name: &str,
        root: &Root,
        expect: Option<Token>,
    ) -> Result<(Newest<H::File, V>, Files, Repair)> {
        let files = Files::list(host, name, root.id, root.generation)?;
        let mut spare = None;
        for (i, &number) in files.segments.iter().enumerate().rev() {
            let place = life::place(root, number);
            let file_name = place_name(name, place);
            let file = host.open(&file_name).map_err(|e| read_failed(&file_name, e))?;
            let mut scanner = Scanner::without_fill(&file, &file_name, place)?;
            let first = scanner.frame_at(0)?;
            if let Ok(frame) = &first
                && let Some(header) = History::<V>::header(frame, place)
            {
                let read = read_strictly(&mut scanner, header, frame, expect, root.id)?;
                let newest = Newest {
                    start: Some((frame.header.promise.segment, frame.header.promise.offset)),
                    size: file.size().map_err(|e| read_failed(&file_name, e))?,
                    history: read.history,
                    verdict: read.verdict,
                    bad: read.bad,
                    name: file_name,
                    file,
                    spare,
                };
                return Self::judge(newest, files, expect);
            }
            let (torn, version) = match &first {
                Ok(_) => (false, None),
                Err(bad) => (scanner.zeros_from(0)? || scanner.torn(bad)?, bad.version),
            };
            if let Some(version) = version {
                return Err(Error::UnknownFormat(version.into()));
            }
            let facts = recovery::Newest {
                header: false,
                frames: first.is_ok() || scanner.next_header(8)?.is_some(),
                torn,
                follows: spare.is_none()
                    && i > 0
                    && files.segments.get(i - 1) == Some(&number.saturating_sub(1)),
            };
            if recovery::newest(facts) != NewestVerdict::Spare {
                let mut error = damaged(&file_name, 0, "the header of a segment is damaged");
                if let (Error::Damaged(damage), true) = (&mut error, files.segments.len() == 1) {
                    damage.lowest = Some(0);
                }
                return Err(error);
            }
            spare = Some(number);
        }
        let file = place_name(name, life::place(root, 1));
        Err(damaged(&file, 0, "no file of this log has a header"))
    }

    /// Checks what only all facts together tell.
    fn judge(
        newest: Newest<H::File, V>,
        files: Files,
        expect: Option<Token>,
    ) -> Result<(Newest<H::File, V>, Files, Repair)> {
        let tip = &newest.history.tip;
        match newest.verdict {
            Verdict::Keep | Verdict::Cut => {}
            Verdict::Refuse => {
                let Some(bad) = &newest.bad else {
                    // Nothing stands there, but the token says that something should.
                    let last = Token { log: tip.place.log, frame: tip.number, check: tip.chain };
                    return Err(expect
                        .map_or(damaged(&newest.name, tip.offset, "frames are missing"), |_| {
                            Error::RolledBack(last)
                        }));
                };
                if let Some(version) = bad.version {
                    return Err(Error::UnknownFormat(version.into()));
                }
                let mut scanner = Scanner::without_fill(&newest.file, &newest.name, tip.place)?;
                let mut survey = Survey::<V>::new(&mut scanner, None, false, None)?;
                survey.run(&mut scanner)?;
                let found = survey.damage.into_iter().find(|d| d.offset >= bad.offset);
                return Err(found.map_or_else(|| damaged(&newest.name, bad.offset, bad.what), Error::Damaged));
            }
        }
        if tip.kind == Kind::Footer && newest.spare.is_none() {
            let next = Place { segment: tip.place.segment.saturating_add(1), ..tip.place };
            let log = crate::format::names::FileName::parse(&newest.name).map_or_else(String::new, |n| n.log);
            return Err(damaged(&place_name(&log, next), 0, "the file of the next segment is missing"));
        }
        let repair = Repair { cut: newest.verdict == Verdict::Cut, size: newest.size, spare: newest.spare };
        Ok((newest, files, repair))
    }

    /// A log that can be read. Changes nothing.
    fn assemble(host: H, name: &str, root: &Root, newest: Newest<H::File, V>, files: Files) -> Result<Self> {
        let Newest { file, name: file_name, history, size, spare, start, .. } = newest;
        let clean = history.tip.kind == Kind::Seal && size == history.tip.offset && spare.is_none();
        let mut log = RecordLog {
            host,
            name: name.into(),
            place: life::place(root, history.tip.place.segment),
            history,
            file: Some(file),
            file_name,
            start,
            older: Vec::new(),
            sealed: Vec::new(),
            floors: Default::default(),
            windows: Default::default(),
            cursor: None,
            waiting: Waiting::default(),
            writer: None,
            damage: Vec::new(),
            lost: Vec::new(),
            clean,
        };
        log.find_older(&files)?;
        Ok(log)
    }

    /// Which of the files are older segments that are retained. Missing ones are damage.
    fn find_older(&mut self, files: &Files) -> Result<()> {
        let retained = &self.history.retained;
        let kept = |n: &&u64| retained.iter().any(|r| r.first <= **n && **n <= r.last);
        self.older = files.segments.iter().filter(kept).copied().collect();
        for range in retained {
            let mut expected = range.first;
            for number in self.older.iter().filter(|n| range.first <= **n && **n <= range.last) {
                if *number != expected {
                    break;
                }
                expected += 1;
            }
            if expected <= range.last {
                return Err(damaged(&self.segment_name(expected), 0, "the file is missing"));
            }
        }
        Ok(())
    }

    /// Makes a log that was read ready for writing. See the module's description.
    fn repair(&mut self, lock: H::Lock, repair: Repair) -> Result<()> {
        let (tip, place) = (self.history.tip.clone(), self.place);
        let file_name = self.file_name.clone();
        if repair.cut {
            self.file()?.truncate(tip.offset).map_err(|e| failed("cutting", &file_name, e))?;
        }
        // What the promises of the frames cover was durable before they were written; the rest may be in memory only.
        let promised = if tip.promise.segment == place.segment { tip.promise.offset } else { 0 };
        self.write_again(promised.min(tip.last), tip.offset)?;
        self.file()?.sync().map_err(|e| failed("syncing", &file_name, e))?;
        if let Some(spare) = repair.spare {
            self.empty(spare)?;
        }
        self.trim_before()?;
        let files = Files::list(&self.host, &self.name, place.log, place.generation)?;
        for number in files.segments {
            if number < place.segment && self.older.binary_search(&number).is_err() {
                life::remove_file(&self.host, &self.segment_name(number))?;
            }
        }
        let dying = self.dead_by_rewind()?;
        self.older.retain(|n| !dying.contains(n));
        self.writer = Some(Writer {
            _lock: lock,
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
    fn write_again(&mut self, from: u64, to: u64) -> Result<()> {
        let (file, name) = (self.file()?, &self.file_name);
        let mut scanner = Scanner::new(file, name, self.place, to);
        let (mut start, mut bytes) = (from, Vec::new());
        let mut offset = from;
        while offset < to {
            let copied = scanner.copy_frame(offset, &mut |at, part| {
                if bytes.len() + part.len() > (1 << 20) && !bytes.is_empty() {
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
        if file.size().map_err(|e| read_failed(&name, e))? > 0 {
            file.truncate(0).map_err(|e| failed("cutting", &name, e))?;
        }
        Ok(())
    }

    /// Cuts zeros that a crash left behind the footer of the segment before.
    fn trim_before(&self) -> Result<()> {
        let before = self.place.segment - 1;
        let promise = self.start;
        if self.older.last() != Some(&before) || promise.map(|p| p.0) != Some(before) {
            return Ok(());
        }
        let (name, end) = (self.segment_name(before), promise.map_or(0, |p| p.1));
        let file = self.host.open(&name).map_err(|e| failed("opening", &name, e))?;
        let size = file.size().map_err(|e| read_failed(&name, e))?;
        let place = Place { segment: before, ..self.place };
        if size > end && Scanner::new(&file, &name, place, size).zeros_from(end)? {
            file.truncate(end).map_err(|e| failed("cutting", &name, e))?;
        }
        Ok(())
    }

    /// Older segments that a rewind left without anything that can be read.
    fn dead_by_rewind(&mut self) -> Result<Vec<u64>> {
        let began = V::restore(&self.history.header.options, &self.history.header.checkpoint.view);
        let floor = self.history.index.floor;
        let mut dead = Vec::new();
        if began.is_some_and(|view| floor < view.next()) {
            for number in self.older.clone().into_iter().rev() {
                if self.floor(number)? < floor {
                    break;
                }
                dead.push(number);
            }
            dead.reverse();
        }
        Ok(dead)
    }

    fn open_read_only(host: H, name: &str, request: &Request<'_, V>) -> Result<Self> {
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
        let mut log = match Self::newest(&host, name, &root, request.expect) {
            Ok((newest, files, _)) => Self::assemble(host.clone(), name, &root, newest, files),
            Err(error) => Err(error),
        };
        if let Err(Error::Damaged(damage)) = &log {
            log = Self::salvage(host, name, &root, damage.clone());
        }
        let mut log = log?;
        log.check_token(request.expect)?;
        let dead = log.dead_by_rewind()?;
        log.older.retain(|n| !dead.contains(n));
        log.damage.extend(root_damage);
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
                Some(file) => damaged(&file, 0, "a file of a log that has no root cell"),
                None => return Err(Error::NotFound),
            },
            Err(error) => error,
        };
        let damage = match &error {
            Error::Damaged(damage) => damage.clone(),
            Error::Storage(what) => {
                let (file, what) = (crate::format::names::root(name), what.clone());
                Damage { file, offset: 0, lowest: None, next: None, what }
            }
            _ => return Err(error),
        };
        let mut logs: Vec<(u128, u64)> = Vec::new();
        for text in life::file_names(host, name)? {
            if let Some(file) = crate::format::names::FileName::parse(&text) {
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
            let size = file.size().map_err(|e| read_failed(&file_name, e))?;
            if let Some(history) = survey.history {
                before = Some(history.clone());
                if newest || survey.offset > 0 {
                    last = Some((file, file_name, size, history, survey.damage, number));
                }
            }
        }
        let Some((file, name_of_file, size, mut history, mut damage, number)) = last else {
            return Err(Error::Damaged(found));
        };
        if history.header.segment != number {
            // The newest header is gone: what it would have retained is what the one before did, and that one.
            let earlier = history.header.segment;
            history.retained.push(SegmentRange { first: earlier, last: earlier });
        }
        let missing: Vec<_> = super::history::ranges(
            (history.retained.iter().flat_map(|r| r.first..=r.last.min(r.first.saturating_add(1 << 20))))
                .filter(|n| files.segments.binary_search(n).is_err()),
        );
        remove(&mut history.retained, &missing);
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
        let mut log = Self::assemble(host, name, root, newest, files)?;
        log.clean = false;
        log.damage = damage;
        for gone in missing {
            log.lose_segments(gone)?;
        }
        Ok(log)
    }

    /// Works out which positions missing segments held: from the end of the one before, or what they may have superseded
    /// of it, to the floor of the one behind.
    fn lose_segments(&mut self, gone: SegmentRange) -> Result<()> {
        let end = self.owned_below(gone.last)?;
        let after = self.after(gone.last)?;
        let start = match after {
            Some(after) if gone.first == gone.last && self.older.first().is_some_and(|n| *n < gone.first) => {
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
            ..super::read::missing(&file)
        };
        self.damage.retain(|d| d.file != file);
        self.damage.push(damage.clone());
        self.lost.push(Lost { bounds, damage });
        Ok(())
    }

    pub(super) fn segment_name(&self, number: u64) -> String {
        place_name(&self.name, Place { segment: number, ..self.place })
    }
}

/// What opening for writing has to do.
struct Repair {
    cut: bool,
    size: u64,
    spare: Option<u64>,
}

struct Read<V> {
    history: History<V>,
    verdict: Verdict,
    bad: Option<Bad>,
}

/// Reads the newest segment to the end of what verifies and judges what stands behind.
fn read_strictly<F: File, V: View>(
    scanner: &mut Scanner<'_, F>,
    header: SegmentHeader,
    first: &super::scan::Frame,
    expect: Option<Token>,
    id: u128,
) -> Result<Read<V>> {
    let mut history = match from_last_index(scanner, &header)? {
        Some(history) => history,
        None => History::begin(first, scanner.place)
            .ok_or_else(|| damaged(scanner.name, 0, "the header of a segment makes no sense"))?,
    };
    let bad = loop {
        match scanner.frame_at(history.tip.offset)? {
            Ok(frame) => {
                if history.follows(&frame.header)
                    && history.apply(&frame.header, frame.offset, Some(&frame.payload))
                {
                    continue;
                }
                // It verifies, but not here in the history: no tear makes such a frame.
                break Bad {
                    offset: frame.offset,
                    header: Some(frame.header),
                    version: None,
                    failing: alloc::vec![frame.offset..frame.offset],
                    what: "a frame does not continue the one before",
                };
            }
            Err(bad) => break bad,
        }
    };
    let zeros = scanner.zeros_from(bad.offset)?;
    let token = expect.is_some_and(|t| t.log == id && t.frame > history.tip.number);
    let facts = recovery::Tail {
        newest: true,
        promised: token || !zeros && promised(scanner, &bad)?,
        zeros,
        torn: !zeros && scanner.torn(&bad)?,
    };
    let verdict = recovery::tail(facts);
    Ok(Read { history, verdict, bad: (!zeros).then_some(bad) })
}

/// The history at the last frame, if that has an index and all before it that it does not promise verifies.
fn from_last_index<F: File, V: View>(
    scanner: &mut Scanner<'_, F>,
    header: &SegmentHeader,
) -> Result<Option<History<V>>> {
    let Some(last) = scanner.last_index()? else { return Ok(None) };
    let Some(mut history) = History::<V>::at_index(header.clone(), &last, scanner.place) else {
        return Ok(None);
    };
    let promise = last.header.promise;
    let promised = if promise.segment == scanner.place.segment { promise.offset } else { 0 };
    if promised < FIRST_FRAME || promised > last.offset {
        return Ok(None);
    }
    let (mut offset, mut before) = (promised, None);
    while offset < last.offset {
        let Ok(frame) = scanner.frame_at(offset)? else { return Ok(None) };
        let follows = before.is_none_or(|(number, chain)| {
            frame.header.number == number + 1 && frame.header.previous == chain
        });
        if !follows {
            return Ok(None);
        }
        before = Some((frame.header.number, frame.header.chain));
        offset = frame.end();
    }
    let joins = before
        .is_none_or(|(number, chain)| last.header.number == number + 1 && last.header.previous == chain);
    if offset != last.offset || !joins {
        return Ok(None);
    }
    history.tip.promise = promise;
    Ok(Some(history))
}
