//! The handle: every call, its checks, and what it promises.

use super::{EntryStream, Export, Import, Manifest, Options, Range, Update, Updates, entries::Entry};
use crate::{
    bindings::{Annals, exports::annals::log::snapshot as wit},
    convert,
    error::{Class, Error},
    handle::{Answer, Handle, Live, Log},
    limits,
    runtime::{Runtime, State},
    storage::Storage,
    token::Token,
    types::Mode,
};
use std::{fmt, sync::Arc};
use wasmtime::{Store, component::ResourceAny};

/// What makes a log a snapshot.
enum Kind {}

impl Log for Kind {
    type Options = Options;
    /// The cursor, or why nobody knows it.
    type Known = Result<Vec<u8>, Error>;

    fn open(annals: &Annals, store: &mut Store<State>, name: &str, options: &Options) -> Answer<ResourceAny> {
        annals.annals_log_snapshot().snapshot().call_open(store, name, options.to_wit())
    }

    fn again(options: &Options) -> Options {
        options.again()
    }

    fn is_read_only(options: &Options) -> bool {
        options.mode == Mode::ReadOnly
    }

    fn ask(live: &mut Live) -> Result<Result<Vec<u8>, Error>, Error> {
        match live.call(|annals, store, log| annals.annals_log_snapshot().snapshot().call_cursor(store, log))
        {
            Err(error) if error.class() == Class::Damage => Ok(Err(error)),
            answer => answer.map(Ok),
        }
    }
}

/// What there is in a snapshot.
///
/// ```
/// # use annals::{Runtime, snapshot::{Options, Update}, storage::Memory};
/// # let fold = Runtime::new()?.snapshot(std::sync::Arc::new(Memory::new()), "fold", &Options::create())?;
/// fold.apply(&[Update::put(b"a", b"1")], b"")?;
/// fold.apply(&[Update::put(b"a", b"2")], b"")?;
/// assert_eq!((fold.stats()?.entries, fold.stats()?.generation), (1, 0));
/// fold.compact()?;
/// assert_eq!(fold.stats()?.generation, 1);
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Keys in the fold.
    pub entries: u64,
    /// Bytes of frames that hold the newest put of some key.
    pub live_bytes: u64,
    /// Bytes of frames that a compaction would free.
    pub dead_bytes: u64,
    /// Number of compactions that the log has been through.
    pub generation: u64,
}

/// An open snapshot: the fold of a stream of changes.
///
/// Clones share it; dropping the last one lets go of the lock, but syncs nothing and reports nothing: call
/// [`close`](Snapshot::close) for both.
///
/// *Durability*: a batch is durable, together with its cursor, when [`apply`](Snapshot::apply) returns, unless the log was
/// opened [`relaxed`](Options::relaxed); then it is in the hands of the storage, and durable after
/// [`sync`](Snapshot::sync) or `close`. A batch and its cursor are there as a whole or not at all after any crash.
///
/// ```
/// use annals::{Runtime, snapshot::{Options, Update}, storage::Memory};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), annals::Error> {
/// let fold = Runtime::new()?.snapshot(Arc::new(Memory::new()), "users", &Options::default())?;
/// assert_eq!(fold.cursor()?, b""); // nothing was applied: read the stream from its beginning
/// fold.apply(&[Update::put(b"ann", b"admin"), Update::put(b"bob", b"guest")], b"offset 2")?;
/// fold.apply(&[Update::delete(b"bob")], b"offset 3")?;
///
/// assert_eq!((fold.name(), fold.cursor()?), ("users", b"offset 3".to_vec()));
/// assert_eq!(fold.get(b"ann")?.map(|entry| entry.value), Some(b"admin".to_vec()));
/// assert_eq!(fold.get(b"bob")?, None);
/// for entry in fold.entries(b"")? {
///     println!("{}", String::from_utf8_lossy(&entry?.key));
/// }
/// fold.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Snapshot {
    handle: Handle<Kind>,
}

impl Snapshot {
    /// Opens the log again, after a failure or a close, and recovers it. This handle and its clones are closed first if
    /// they are not.
    ///
    /// ```
    /// # use annals::{Error, Runtime, snapshot::Options, storage::Memory};
    /// # let fold = Runtime::new()?.snapshot(std::sync::Arc::new(Memory::new()), "fold", &Options::create())?;
    /// fold.apply(&[], b"7")?;
    /// let again = fold.reopen()?;
    /// assert_eq!((again.cursor()?, fold.cursor()), (b"7".to_vec(), Err(Error::Closed)));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Runtime::snapshot`].
    pub fn reopen(&self) -> Result<Snapshot, Error> {
        Ok(Snapshot { handle: self.handle.reopen()? })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.handle.name()
    }

    /// The cursor of the newest batch; empty if there is none. Answered from memory.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed). [`Damaged`](Error::Damaged): the log was opened read-only, and its newest batch may be
    /// lost.
    pub fn cursor(&self) -> Result<Vec<u8>, Error> {
        self.handle.known()?
    }

    /// Applies updates in the given order and moves the cursor, as one frame: after a crash all of it is there or none.
    /// Durable when this returns; the token is its proof. If the log was opened relaxed, it is in the hands of the
    /// storage, and there is no token.
    ///
    /// No updates are fine: the cursor moves. The cursor may be any, also the same again or an empty one. Applying a batch
    /// again is harmless.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge), [`ReadOnly`](Error::ReadOnly), [`OutOfSpace`](Error::OutOfSpace): nothing was
    /// changed. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the log is closed; whether the batch is there shows
    /// when it is opened again.
    pub fn apply(&self, updates: &[Update<'_>], cursor: &[u8]) -> Result<Option<Token>, Error> {
        let pack = || {
            limits::cursor(cursor)?;
            limits::count(updates.len())?;
            let mut packed = Updates::new();
            updates.iter().try_for_each(|update| packed.push(*update))?;
            Ok(packed)
        };
        let packed = pack().map_err(|error| self.handle.rather(error))?;
        self.apply_packed(&packed, cursor)
    }

    /// The same for packed updates.
    ///
    /// ```
    /// # use annals::{Runtime, snapshot::{Options, Update, Updates}, storage::Memory};
    /// # let fold = Runtime::new()?.snapshot(std::sync::Arc::new(Memory::new()), "fold", &Options::create())?;
    /// let mut updates = Updates::new();
    /// for number in 0..1000_u32 {
    ///     updates.push(Update::put(&number.to_be_bytes(), b"some value"))?;
    /// }
    /// fold.apply_packed(&updates, b"1000")?;
    /// assert_eq!(fold.stats()?.entries, 1000);
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`apply`](Snapshot::apply); [`InvalidArgument`](Error::InvalidArgument) if the parts do not fit together.
    pub fn apply_packed(&self, updates: &Updates, cursor: &[u8]) -> Result<Option<Token>, Error> {
        let check = || {
            limits::cursor(cursor)?;
            limits::count(updates.len())?;
            limits::batch_bytes(updates.bytes())
        };
        check().map_err(|error| self.handle.rather(error))?;
        let token = self.handle.learning(
            |annals, store, log| {
                let snapshot = annals.annals_log_snapshot().snapshot();
                snapshot.call_apply_packed(store, log, &updates.0, cursor)
            },
            |known, _| *known = Ok(cursor.to_vec()),
        )?;
        Ok(token.map(convert::token))
    }

    /// What a key has; none if it is not in the fold.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge), [`Damaged`](Error::Damaged), [`Storage`](Error::Storage): nothing was changed.
    pub fn get(&self, key: &[u8]) -> Result<Option<Entry>, Error> {
        limits::key(key)?;
        let entry = self
            .handle
            .call(|annals, store, log| annals.annals_log_snapshot().snapshot().call_get(store, log, key))?;
        let own = |wit::Entry { key, value, version }| Entry { key, value, version };
        Ok(entry.map(own))
    }

    /// Streams the entries whose keys start with `prefix`, as of now and in ascending order of keys, in batches. The
    /// empty prefix means all of them.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge), [`Closed`](Error::Closed).
    pub fn range(&self, prefix: &[u8]) -> Result<Range, Error> {
        limits::key(prefix)?;
        let reader = self.handle.child(|annals, store, log| {
            annals.annals_log_snapshot().snapshot().call_range(store, log, prefix)
        })?;
        Ok(Range::new(reader))
    }

    /// The same, one by one.
    ///
    /// # Errors
    /// As [`range`](Snapshot::range).
    pub fn entries(&self, prefix: &[u8]) -> Result<EntryStream, Error> {
        self.range(prefix).map(EntryStream::new)
    }

    /// Whether any key is in the fold.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed). [`Damaged`](Error::Damaged): the log was opened read-only, and nobody knows.
    pub fn has_entries(&self) -> Result<bool, Error> {
        self.handle
            .call(|annals, store, log| annals.annals_log_snapshot().snapshot().call_has_entries(store, log))
    }

    /// What there is.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed). [`Damaged`](Error::Damaged): the log was opened read-only, and nobody knows.
    pub fn stats(&self) -> Result<Stats, Error> {
        let stats = self
            .handle
            .call(|annals, store, log| annals.annals_log_snapshot().snapshot().call_stats(store, log))?;
        let wit::Stats { entries, live_bytes, dead_bytes, generation } = stats;
        Ok(Stats { entries, live_bytes, dead_bytes, generation })
    }

    /// Writes the fold anew and drops everything else. The fold, the cursor and the tokens stay what they were; all of it
    /// is durable when this returns. After a crash the log is as before or as after.
    ///
    /// # Errors
    /// [`ReadOnly`](Error::ReadOnly), [`OutOfSpace`](Error::OutOfSpace), [`Storage`](Error::Storage): nothing was changed.
    /// Where it is not known whether it failed, the log is closed.
    pub fn compact(&self) -> Result<(), Error> {
        self.handle
            .call(|annals, store, log| annals.annals_log_snapshot().snapshot().call_compact(store, log))
    }

    /// Begins to export the fold as of now, as bytes.
    ///
    /// # Errors
    /// [`Closed`](Error::Closed). [`Damaged`](Error::Damaged): an artifact of this fold would lack what is lost.
    pub fn export(&self) -> Result<Export, Error> {
        let reader = self.handle.child(|annals, store, log| {
            annals.annals_log_snapshot().snapshot().call_export_artifact(store, log)
        })?;
        Ok(Export::new(reader))
    }

    /// Exports the fold as of now to the directory `path`, which must not exist, and its parent must. It appears there
    /// whole and durable, or, after a failure or a crash, not at all.
    ///
    /// ```
    /// # use annals::{Runtime, snapshot::{Artifact, Options, Update}, storage::Memory};
    /// # let (runtime, storage) = (Runtime::new()?, std::sync::Arc::new(Memory::new()));
    /// # let fold = runtime.snapshot(storage.clone(), "fold", &Options::create())?;
    /// # let dir = std::env::temp_dir().join(format!("annals-doc-export-{}", std::process::id()));
    /// fold.apply(&[Update::put(b"a", b"1")], b"9")?;
    /// let manifest = fold.export_to(&dir)?;
    /// assert_eq!(manifest.cursor, b"9");
    ///
    /// Artifact::open(&dir)?.import(&runtime, storage.clone(), "copy", None, |_| {})?;
    /// assert_eq!(runtime.snapshot(storage, "copy", &Options::open())?.get(b"a")?, fold.get(b"a")?);
    /// # std::fs::remove_dir_all(dir).unwrap();
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`export`](Snapshot::export) and [`Export::to_directory`].
    #[cfg(unix)]
    pub fn export_to(&self, path: impl AsRef<std::path::Path>) -> Result<Manifest, Error> {
        self.export()?.to_directory(path, |_, _| {})
    }

    /// Makes every batch before it durable.
    ///
    /// # Errors
    /// [`ReadOnly`](Error::ReadOnly). [`Storage`](Error::Storage), [`Trap`](Error::Trap): the log is closed.
    pub fn sync(&self) -> Result<Token, Error> {
        self.handle
            .call(|annals, store, log| annals.annals_log_snapshot().snapshot().call_sync(store, log))
            .map(convert::token)
    }

    /// Syncs, seals the log, and lets go of the lock. Afterwards every call on this handle and its clones answers
    /// [`Closed`](Error::Closed), whatever this one returned.
    ///
    /// # Errors
    /// As [`sync`](Snapshot::sync), but the log is closed in any case.
    pub fn close(&self) -> Result<Token, Error> {
        self.handle
            .close(|annals, store, log| annals.annals_log_snapshot().snapshot().call_close(store, log))
            .map(convert::token)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("name", &self.name())
            .field("open", &self.handle.known().is_ok())
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Creates, opens or recovers a snapshot, as `options` say, and reads all of it to rebuild the fold.
    ///
    /// Whatever a log that was opened for writing reports is durable. A torn tail, which only a crash leaves behind, is
    /// cut, and what an interrupted compaction left behind is removed.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`Exists`](Error::Exists), [`Locked`](Error::Locked),
    /// [`OtherKind`](Error::OtherKind), [`OptionsDiffer`](Error::OptionsDiffer), [`TooLarge`](Error::TooLarge),
    /// [`InvalidArgument`](Error::InvalidArgument), [`RolledBack`](Error::RolledBack), [`Damaged`](Error::Damaged),
    /// [`UnknownFormat`](Error::UnknownFormat): nothing was changed. [`Storage`](Error::Storage) and
    /// [`OutOfSpace`](Error::OutOfSpace): creation or recovery may be half done; the next open finishes it.
    pub fn snapshot(
        &self,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &Options,
    ) -> Result<Snapshot, Error> {
        Ok(Snapshot { handle: Handle::open(self, storage, name, options)? })
    }

    /// Removes a snapshot and its files, durably. A crash in the middle is finished by the next open or destroy.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`Locked`](Error::Locked), [`OtherKind`](Error::OtherKind),
    /// [`TooLarge`](Error::TooLarge), [`InvalidArgument`](Error::InvalidArgument), [`Damaged`](Error::Damaged),
    /// [`UnknownFormat`](Error::UnknownFormat): nothing was changed. [`Storage`](Error::Storage): it may be half done;
    /// call it again.
    pub fn destroy_snapshot(&self, storage: Arc<dyn Storage>, name: &str) -> Result<(), Error> {
        limits::name(name)?;
        self.instance(storage)?.call(|annals, store| annals.annals_log_snapshot().call_destroy(store, name))
    }

    /// Begins to import an artifact whose bytes come from anywhere; for one in a directory, see
    /// [`Artifact`](crate::snapshot::Artifact). There is no log of that name until [`Import::finish`] has returned.
    ///
    /// # Errors
    /// [`Exists`](Error::Exists): there is a log of that name. [`Locked`](Error::Locked): somebody works on it.
    /// [`Artifact`](Error::Artifact): the manifest makes no sense or is not one that this version knows.
    /// [`TooLarge`](Error::TooLarge), [`InvalidArgument`](Error::InvalidArgument): nothing was changed.
    pub fn import_snapshot(
        &self,
        storage: Arc<dyn Storage>,
        name: &str,
        manifest: &Manifest,
        segment_bytes: Option<u64>,
    ) -> Result<Import, Error> {
        Import::start(self, storage, name, manifest, segment_bytes)
    }
}

/// Handles go anywhere.
const _: () = {
    const fn anywhere<T: fmt::Debug + Send + Sync + 'static>() {}
    const fn shared<T: Clone + fmt::Debug + Send + Sync + 'static>() {}
    shared::<Snapshot>();
    shared::<Options>();
    anywhere::<Range>();
    anywhere::<EntryStream>();
    anywhere::<Export>();
    anywhere::<Import>();
};
