//! The life of a log: its root cell and its files. Creation, destruction, and finishing what a crash left half done.
//!
//! The root cell is the commit point: a log is there from the swap to `live` to the swap to `destroying`. Files of a log
//! that is being created or destroyed are removed before its cell is; files without a cell are damage.

use super::{failed, side_cells, stale};
use crate::error::{Damage, Error, Limit, Result, Token};
use crate::format::frame::Place;
use crate::format::names::{self, FileName};
use crate::format::root::{Kind, Root, RootError, State};
use crate::storage::{Cell, Host, StorageError, Swap};
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

pub(super) const PAGE: u32 = 1000;

/// An error unless this is a name for a log.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.len() > names::MAX_NAME {
        let (allowed, got) = (names::MAX_NAME as u64, name.len() as u64);
        return Err(Error::TooLarge { what: Limit::Name, allowed, got });
    }
    if !names::is_log_name(name) {
        return Err(Error::InvalidArgument("name: a log name is 1 to 64 of a-z, 0-9 and -".into()));
    }
    Ok(())
}

/// The root cell of a log and what it says.
pub(super) struct Rooted {
    pub(super) root: Root,
    pub(super) version: u64,
}

fn decode(cell_name: &str, cell: &Cell) -> Result<Rooted> {
    match Root::decode(cell_name, &cell.value) {
        Ok(root) => Ok(Rooted { root, version: cell.version }),
        Err(RootError::Version(v)) => Err(Error::UnknownFormat(v.into())),
        Err(RootError::Damaged) => Err(Error::Damaged(Damage {
            file: cell_name.into(),
            offset: 0,
            lowest: None,
            next: None,
            what: "the root cell of the log is damaged".into(),
        })),
    }
}

/// The root cell, if there is one.
pub(super) fn read_root<H: Host>(host: &H, name: &str) -> Result<Option<Rooted>> {
    let cell_name = names::root(name);
    let cell = host.read_cell(&cell_name).map_err(|e| failed("reading cell", &cell_name, e))?;
    cell.map(|cell| decode(&cell_name, &cell)).transpose()
}

/// The root of a log, if it has one.
pub(crate) fn root_of<H: Host>(host: &H, name: &str) -> Result<Option<Root>> {
    check_name(name)?;
    Ok(read_root(host, name)?.map(|rooted| rooted.root))
}

/// Swaps the root cell; the holder of the lock is the only one to do so.
pub(super) fn swap_root<H: Host>(
    host: &H,
    name: &str,
    expected: Option<u64>,
    root: Option<&Root>,
) -> Result<u64> {
    let cell_name = names::root(name);
    let value = root.map(|root| root.encode(&cell_name));
    match host.swap_cell(&cell_name, expected, value.as_deref()) {
        Ok(Swap::Swapped(version)) => Ok(version),
        Ok(Swap::Stale(_)) => {
            Err(Error::Storage(format!("cell {cell_name} changed although its log is locked")))
        }
        Err(e) => Err(failed("swapping cell", &cell_name, e)),
    }
}

/// How a change of the root cell failed.
#[derive(Debug)]
pub(super) enum Turn {
    /// Nothing was changed.
    Unchanged(Error),
    /// Nobody knows.
    Unknown(Error),
}

impl Turn {
    pub(super) fn error(self) -> Error {
        match self {
            Turn::Unchanged(error) | Turn::Unknown(error) => error,
        }
    }
}

/// Swaps the root cell from what it was to what it is to be; after an error it looks what became of it.
pub(super) fn turn_root<H: Host>(
    host: &H,
    name: &str,
    from: &Rooted,
    to: &Root,
) -> core::result::Result<(), Turn> {
    let Err(error) = swap_root(host, name, Some(from.version), Some(to)) else { return Ok(()) };
    match read_root(host, name) {
        Ok(Some(is)) if is.root == *to => Ok(()),
        Ok(Some(is)) if is.root == from.root && is.version == from.version => Err(Turn::Unchanged(error)),
        _ => Err(Turn::Unknown(error)),
    }
}

/// Removes the files of some generations of a log.
pub(super) fn remove_generations<H: Host>(
    host: &H,
    name: &str,
    id: u128,
    gone: impl Fn(u64) -> bool,
) -> Result<()> {
    for text in file_names(host, name)? {
        if FileName::parse(&text).is_some_and(|file| file.id == id && gone(file.generation)) {
            remove_file(host, &text)?;
        }
    }
    Ok(())
}

/// Names in pages, checked: each page ascends and belongs to the prefix, so that a wrong answer cannot loop.
pub(super) fn pages(
    prefix: &str,
    mut next: impl FnMut(Option<&str>) -> core::result::Result<Vec<String>, StorageError>,
) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    loop {
        let page = next(names.last().map(String::as_str)).map_err(|e| failed("listing", prefix, e))?;
        let more = page.len() >= PAGE as usize;
        for name in page {
            if !name.starts_with(prefix) || names.last().is_some_and(|last| *last >= name) {
                return Err(Error::Storage(format!("listing {prefix}: names out of order")));
            }
            names.push(name);
        }
        if !more {
            return Ok(names);
        }
    }
}

/// Names of all logs that have a root cell, and of those that have only files left.
pub(crate) fn logs<H: Host>(host: &H) -> Result<Vec<String>> {
    let cells = pages(names::ROOT_PREFIX, |after| host.list_cells(names::ROOT_PREFIX, after, PAGE))?;
    let name = |cell: &String| cell.strip_prefix(names::ROOT_PREFIX).map(String::from);
    let mut found: BTreeSet<String> =
        cells.iter().filter_map(name).filter(|name| names::is_log_name(name)).collect();
    let files = pages("", |after| host.list("", after, PAGE))?;
    found.extend(files.iter().filter_map(|file| FileName::parse(file)).map(|file| file.log));
    Ok(found.into_iter().collect())
}

/// The files of a log name.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Segment numbers of the log itself, ascending.
    pub(crate) segments: Vec<u64>,
    /// Files of other generations of the log: an interrupted compaction left them behind.
    pub(crate) leftovers: Vec<String>,
    /// Everything else that bears the log's name.
    pub(crate) strays: Vec<String>,
}

/// Names of all files that bear the log's name.
pub(super) fn file_names<H: Host>(host: &H, name: &str) -> Result<Vec<String>> {
    let prefix = names::prefix(name);
    pages(&prefix, |after| host.list(&prefix, after, PAGE))
}

impl Files {
    /// The files of the log with this id and generation.
    pub(crate) fn list<H: Host>(host: &H, name: &str, id: u128, generation: u64) -> Result<Files> {
        let mut files = Files::default();
        for text in file_names(host, name)? {
            match FileName::parse(&text) {
                Some(file) if file.id == id && file.generation == generation => {
                    files.segments.push(file.segment)
                }
                Some(file) if file.id == id => files.leftovers.push(text),
                _ => files.strays.push(text),
            }
        }
        Ok(files)
    }
}

/// Removes a file; that it is gone already is fine.
pub(super) fn remove_file<H: Host>(host: &H, name: &str) -> Result<()> {
    match host.remove(name) {
        Ok(()) | Err(StorageError::NotFound) => Ok(()),
        Err(e) => Err(failed("removing", name, e)),
    }
}

/// Removes a cell, whatever it says.
fn remove_cell<H: Host>(host: &H, cell: &str) -> Result<()> {
    const ATTEMPTS: u32 = 10;
    for _ in 0..ATTEMPTS {
        let found = host.read_cell(cell).map_err(|e| failed("reading cell", cell, e))?;
        let Some(found) = found else { return Ok(()) };
        match host.swap_cell(cell, Some(found.version), None) {
            Ok(Swap::Swapped(_)) => return Ok(()),
            Ok(Swap::Stale(_)) => {}
            Err(e) => return Err(failed("removing cell", cell, e)),
        }
    }
    Err(Error::Storage(format!("removing cell {cell}: it keeps changing")))
}

/// Removes the files of a log that is not live, then its cells. The caller holds the lock.
pub(super) fn sweep<H: Host>(host: &H, name: &str, rooted: &Rooted) -> Result<()> {
    for text in file_names(host, name)? {
        if FileName::parse(&text).is_some_and(|file| file.id == rooted.root.id) {
            remove_file(host, &text)?;
        }
    }
    if rooted.root.kind == Kind::ChangeLog {
        for cell in side_cells(host, name)? {
            remove_cell(host, &cell)?;
        }
    }
    swap_root(host, name, Some(rooted.version), None).map(drop)
}

/// The live log of this name, if there is one; what a crash left half done is finished first. The caller holds the lock.
pub(super) fn settle<H: Host>(host: &H, name: &str) -> Result<Option<Root>> {
    settle_expecting(host, name, None)
}

/// The same. A log of which somebody has a token was live: a cell that says that it is being created is an old one.
pub(super) fn settle_expecting<H: Host>(host: &H, name: &str, expect: Option<Token>) -> Result<Option<Root>> {
    if let Some(rooted) = read_root(host, name)? {
        let root = &rooted.root;
        if root.state == State::Live {
            return Ok(Some(rooted.root));
        }
        if root.state == State::Creating {
            if expect.is_some_and(|token| token.log == root.id) {
                return Err(Error::RolledBack(Token { log: root.id, frame: 0, check: 0 }));
            }
            stale::check(host, name, root)?;
        }
        let own = |file: &String| FileName::parse(file).is_some_and(|file| file.id == rooted.root.id);
        if let Some(file) = file_names(host, name)?.into_iter().find(|file| !own(file)) {
            return Err(rootless(file));
        }
        sweep(host, name, &rooted)?;
    }
    match file_names(host, name)?.into_iter().next() {
        None => Ok(None),
        Some(file) => Err(rootless(file)),
    }
}

fn rootless(file: String) -> Error {
    let what = "a file of a log that has no root cell".into();
    Error::Damaged(Damage { file, offset: 0, lowest: None, next: None, what })
}

/// Begins a log: from now on files of this id are swept unless [`commit`] follows.
pub(super) fn begin<H: Host>(host: &H, name: &str, root: &Root) -> Result<u64> {
    swap_root(host, name, None, Some(root))
}

/// Makes a begun log live.
pub(super) fn commit<H: Host>(host: &H, name: &str, version: u64, root: &Root) -> Result<()> {
    swap_root(host, name, Some(version), Some(&Root { state: State::Live, ..root.clone() })).map(drop)
}

/// Takes the log's lock.
pub(super) fn lock<H: Host>(host: &H, name: &str, wait_ms: u32) -> Result<H::Lock> {
    let lock = names::root(name);
    host.lock(&lock, wait_ms).map_err(|e| failed("locking", &lock, e))
}

/// Removes a log of this kind. See `destroy` in WIT.
pub(crate) fn destroy<H: Host>(host: &H, name: &str, kind: Kind) -> Result<()> {
    destroy_unless(host, name, kind, 0, |_| Ok(()))
}

/// The same; a live log only if `check` allows it, and what that returns is kept until the log is gone.
pub(crate) fn destroy_unless<H: Host, T>(
    host: &H,
    name: &str,
    kind: Kind,
    wait_ms: u32,
    check: impl FnOnce(&Root) -> Result<T>,
) -> Result<()> {
    check_name(name)?;
    let _lock = lock(host, name, wait_ms)?;
    let Some(rooted) = read_root(host, name)? else {
        return settle(host, name).and(Err(Error::NotFound));
    };
    if rooted.root.state == State::Creating {
        stale::check(host, name, &rooted.root)?;
        sweep(host, name, &rooted)?;
        return Err(Error::NotFound);
    }
    if rooted.root.kind != kind {
        return Err(Error::OtherKind(rooted.root.kind.name().into()));
    }
    if rooted.root.state == State::Destroying {
        return sweep(host, name, &rooted);
    }
    let _kept = check(&rooted.root)?;
    let root = Root { state: State::Destroying, ..rooted.root };
    let version = swap_root(host, name, Some(rooted.version), Some(&root))?;
    sweep(host, name, &Rooted { root, version })
}

/// How long the lock of a log is waited for that is held for short steps only, in milliseconds.
pub(crate) const ROOT_WAIT_MS: u32 = 10_000;

/// Takes the lock of a log that is used by many at a time: it is held for creation, opening and destruction only.
pub(crate) fn lock_root<H: Host>(host: &H, name: &str) -> Result<H::Lock> {
    check_name(name)?;
    lock(host, name, ROOT_WAIT_MS)
}

/// The place of a log's segment.
pub(super) fn place(root: &Root, segment: u64) -> Place {
    Place { log: root.id, generation: root.generation, segment }
}
