//! Parts of a log: record logs of their own that share one root. A part is a generation of the log's files; which parts
//! there are, and who may write them, is known to the log that uses them, not here.
//!
//! Invariant: a part is created once and written by its creator only; opening one never changes it.

use super::life::{self, remove_file};
use super::{Create, RecordLog, View, failed};
use crate::error::{Error, Result, Token};
use crate::format::names::{self, FileName};
use crate::format::root::Root;
use crate::storage::Host;
use alloc::collections::BTreeSet;
use alloc::string::String;

impl<H: Host, V: View> RecordLog<H, V> {
    /// A new part, which is the root's generation. Nothing of it may be there. `lock` is held until it is closed.
    pub(crate) fn create_part(
        host: H,
        name: &str,
        root: &Root,
        lock: H::Lock,
        create: &Create<V>,
    ) -> Result<Self> {
        Self::first(host, name, life::place(root, 1), lock, create)
    }

    /// The part that is the root's generation, for reading only. A writer may be at work, so what looks damaged is
    /// looked at twice. Refused unless it contains the token.
    pub(crate) fn open_part(host: &H, name: &str, root: &Root, expect: Option<Token>) -> Result<Self> {
        match Self::read_only_at(host.clone(), name, root, expect) {
            Ok(log) if log.damage.is_empty() => Ok(log),
            _ => Self::read_only_at(host.clone(), name, root, expect),
        }
    }

    /// The generation that its files bear.
    pub(crate) fn generation(&self) -> u64 {
        self.place.generation
    }

    /// Name of the newest file.
    pub(crate) fn file_name(&self) -> &str {
        &self.file_name
    }

    /// Number of the newest segment.
    pub(crate) fn segment(&self) -> u64 {
        self.place.segment
    }
}

/// Removes the files of the part that is the root's generation.
pub(crate) fn remove_part<H: Host>(host: &H, name: &str, root: &Root) -> Result<()> {
    for text in life::file_names(host, name)? {
        if FileName::parse(&text).is_some_and(|f| f.id == root.id && f.generation == root.generation) {
            remove_file(host, &text)?;
        }
    }
    Ok(())
}

/// The generations that this log has files of, and its files that make no sense.
pub(crate) fn parts<H: Host>(host: &H, name: &str, id: u128) -> Result<(BTreeSet<u64>, BTreeSet<String>)> {
    let (mut generations, mut strays) = (BTreeSet::new(), BTreeSet::new());
    for text in life::file_names(host, name)? {
        match FileName::parse(&text) {
            Some(file) if file.id == id => {
                generations.insert(file.generation);
            }
            _ => {
                strays.insert(text);
            }
        }
    }
    Ok((generations, strays))
}

/// Names of the cells that a log has besides its root.
pub(crate) fn side_cells<H: Host>(host: &H, name: &str) -> Result<alloc::vec::Vec<String>> {
    let prefix = names::instances(name);
    life::pages(&prefix, |after| host.list_cells(&prefix, after, life::PAGE))
}

/// Takes a lock of this name.
pub(crate) fn lock<H: Host>(host: &H, lock: &str, wait_ms: u32) -> Result<H::Lock> {
    host.lock(lock, wait_ms).map_err(|e| failed("locking", lock, e))
}

/// The root of a log of this kind, live, counted up by one generation; made if there is none. The caller holds the lock.
pub(crate) fn next_generation<H: Host>(
    host: &H,
    name: &str,
    kind: crate::format::root::Kind,
    accept: impl FnOnce(Option<&Root>) -> Result<()>,
) -> Result<Root> {
    use crate::format::root::State;
    let live = life::settle(host, name)?;
    if let Some(root) = live.as_ref().filter(|root| root.kind != kind) {
        return Err(Error::OtherKind(root.kind.name().into()));
    }
    accept(live.as_ref())?;
    let (expected, root) = match life::read_root(host, name)? {
        Some(rooted) => {
            let generation = rooted.root.generation.checked_add(1);
            let generation = generation.ok_or(Error::Other("no generations left".into()))?;
            (Some(rooted.version), Root { generation, ..rooted.root })
        }
        None => {
            let id = u128::from(host.draw()) << 64 | u128::from(host.draw());
            (None, Root { state: State::Live, kind, id, generation: 1 })
        }
    };
    life::swap_root(host, name, expected, Some(&root))?;
    Ok(root)
}
