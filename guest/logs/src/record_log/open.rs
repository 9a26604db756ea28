//! Opening a log: for writing, with recovery, and for reading only, where nothing is changed.
//!
//! Reads the newest segment: its header, then its last frame if that has an index, else all of it. Everything is decided
//! before anything is changed; then, in this order: the torn tail is cut, what no promise covers is written again and
//! synced, leftovers are removed. Only then is anything served.

use super::history::{FIRST_FRAME, History};
use super::life::{self, Files};
use super::recovery::{self, NewestVerdict, Verdict};
use super::repair::Repair;
use super::scan::{Bad, Scanner};
use super::survey::{Survey, promised};
use super::window::{file_size, read_failed};
use super::write::SegmentFile;
use super::{RecordLog, Unborn, View, Waiting, Writer, place_name};
use crate::error::{Damage, Error, Result, Token};
use crate::format::frame::{Kind, Place};
use crate::format::root::{Root, State};
use crate::format::segment::SegmentHeader;
use crate::storage::{File, Host};
use crate::types::Mode;
use alloc::{string::String, vec::Vec};

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

impl<'a, V: 'a> Request<'a, V> {
    /// To look at a log as it is; `view` is that of a log without frames.
    pub(crate) fn reading(view: V) -> Self {
        Request {
            mode: Mode::ReadOnly,
            expect: None,
            lock_wait_ms: 0,
            create: Create { segment_bytes: 0, options: Vec::new(), view },
            accept: &|_, _| Ok(()),
        }
    }
}

/// The newest segment, read to the end of what verifies.
pub(super) struct Newest<F, V> {
    pub(super) file: F,
    pub(super) name: String,
    pub(super) size: u64,
    /// What the header promises: segment and offset.
    pub(super) start: Option<(u64, u64)>,
    /// A later file that a roll began.
    pub(super) spare: Option<u64>,
    pub(super) history: History<V>,
    /// What stands behind, and what to make of it.
    pub(super) verdict: Verdict,
    pub(super) bad: Option<Bad>,
}

/// Damage that costs no particular item.
pub(super) fn damaged(file: &str, offset: u64, what: &str) -> Error {
    Error::Damaged(Damage { file: file.into(), offset, lowest: None, next: None, what: what.into() })
}

impl<H: Host, V: View> RecordLog<H, V> {
    /// Opens, creates or recovers a log.
    pub(crate) fn open(host: H, name: &str, request: &Request<'_, V>) -> Result<Self> {
        Self::open_examined(host, name, request, &mut |_| Ok(()))
    }

    /// The same; `examine` reads the log before anything is changed, and may refuse it.
    pub(crate) fn open_examined(
        host: H,
        name: &str,
        request: &Request<'_, V>,
        examine: &mut dyn FnMut(&mut Self) -> Result<()>,
    ) -> Result<Self> {
        life::check_name(name)?;
        if request.mode == Mode::ReadOnly {
            let mut log = Self::open_read_only(host, name, request)?;
            examine(&mut log)?;
            return Ok(log);
        }
        let lock = life::lock(&host, name, request.lock_wait_ms)?;
        let live = life::settle_expecting(&host, name, request.expect)?;
        match (&live, request.mode) {
            (Some(root), _) if root.kind != V::KIND => return Err(Error::OtherKind(root.kind.name().into())),
            (Some(_), Mode::Create) => return Err(Error::Exists),
            (None, Mode::Open) => return Err(Error::NotFound),
            _ => {}
        }
        if let Some(root) = live {
            let (newest, files, repair) = Self::newest(&host, name, &root, request.expect)?;
            let mut log = Self::assemble(host, name, newest, &files)?;
            log.check_token(request.expect)?;
            (request.accept)(&log.history.header, log.view())?;
            examine(&mut log)?;
            log.repair(lock, repair, &files)?;
            return Ok(log);
        }
        if request.expect.is_some() {
            return Err(Error::NotFound); // a new log has no history
        }
        let (log, unborn) = Self::begin(host, name, lock, &request.create)?;
        unborn.commit(&log.host, name)?;
        Ok(log)
    }

    /// Begins a log that is not there before it is committed.
    pub(super) fn begin(host: H, name: &str, lock: H::Lock, create: &Create<V>) -> Result<(Self, Unborn)> {
        let id = u128::from(host.draw()) << 64 | u128::from(host.draw());
        let root = Root { state: State::Creating, kind: V::KIND, id, generation: 0 };
        let version = life::begin(&host, name, &root)?;
        let log = Self::first(host, name, life::place(&root, 1), lock, create)?;
        Ok((log, Unborn { root, version }))
    }

    /// A new log with its first file. Who holds `lock` is the only one to write to it.
    pub(super) fn first(
        host: H,
        name: &str,
        place: Place,
        lock: H::Lock,
        create: &Create<V>,
    ) -> Result<Self> {
        let epoch = host.draw();
        let new = SegmentFile::first(&host, name, place, epoch, create, (0, place.log))?;
        let durable = new.history.tip.address();
        let mut log = Self::bare(host, name, new.history, new.file, new.name);
        log.writer = Some(Writer {
            lock: Some(lock),
            shared: None,
            epoch,
            epoch_starts: false,
            durable,
            fill: new.fill,
            spare: None,
            dying: Vec::new(),
        });
        log.clean = true;
        Ok(log)
    }

    /// A log of which only the newest segment is known, for reading.
    pub(super) fn bare(host: H, name: &str, history: History<V>, file: H::File, file_name: String) -> Self {
        RecordLog {
            host,
            name: name.into(),
            place: history.tip.place,
            history,
            file: Some(file),
            file_name,
            start: None,
            older: Vec::new(),
            sealed: Default::default(),
            uses: 0,
            extents: Default::default(),
            windows: Default::default(),
            blocks: Default::default(),
            frames: Default::default(),
            cursor: None,
            waiting: Waiting::default(),
            scratch: Vec::new(),
            compress: false,
            writer: None,
            damage: Vec::new(),
            lost: Vec::new(),
            cut_short: None,
            syncs: Default::default(),
            begun: 0,
            ended: 0,
            clean: false,
        }
    }

    /// Finds the newest segment and reads it. Changes nothing.
    pub(super) fn newest(
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
                    size: file_size(&file, &file_name)?,
                    history: read.history,
                    verdict: read.verdict,
                    bad: read.bad,
                    name: file_name,
                    file,
                    spare,
                };
                let repair = Self::judge(name, &newest, expect)?;
                return Ok((newest, files, repair));
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
    fn judge(name: &str, newest: &Newest<H::File, V>, expect: Option<Token>) -> Result<Repair> {
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
                // A torn frame that only the token promises is no damage to a survey.
                let torn = || {
                    let items = bad.header.as_ref().is_none_or(|header| header.kind.has_items());
                    let lowest = items.then(|| newest.history.view.next());
                    let (file, what) = (newest.name.clone(), bad.what.into());
                    Damage { file, offset: bad.offset, lowest, next: None, what }
                };
                return Err(Error::Damaged(found.unwrap_or_else(torn)));
            }
        }
        if tip.kind == Kind::Footer && newest.spare.is_none() {
            let next = Place { segment: tip.place.segment.saturating_add(1), ..tip.place };
            return Err(damaged(&place_name(name, next), 0, "the file of the next segment is missing"));
        }
        Ok(Repair { cut: newest.verdict == Verdict::Cut, size: newest.size, spare: newest.spare })
    }

    /// A log that can be read. Changes nothing.
    pub(super) fn assemble(host: H, name: &str, newest: Newest<H::File, V>, files: &Files) -> Result<Self> {
        let Newest { file, name: file_name, history, size, spare, start, .. } = newest;
        let clean = history.tip.kind == Kind::Seal && size == history.tip.offset && spare.is_none();
        let mut log = Self::bare(host, name, history, file, file_name);
        (log.start, log.clean) = (start, clean);
        log.find_older(files)?;
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

    pub(super) fn segment_name(&self, number: u64) -> String {
        place_name(&self.name, Place { segment: number, ..self.place })
    }
}

/// The newest segment, and what stands behind its last frame.
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
