//! The handle: every call, its checks, and what it promises.

use super::{Change, InstanceInfo, Options, Recovered, Scan, heart::Heart};
use crate::{
    bindings::Annals,
    convert,
    error::{Class, Error},
    handle::{Answer, Handle, Live, Log},
    limits,
    runtime::{Runtime, State},
    storage::Storage,
    token::Token,
    types::Mode,
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use wasmtime::{Store, component::ResourceAny};

/// How often a heart beats if nothing else was asked for, in milliseconds.
const HEARTBEAT_MS: u32 = 30_000;

/// What makes a log a change log.
enum Kind {}

impl Log for Kind {
    type Options = Options;
    type Known = ();

    fn open(annals: &Annals, store: &mut Store<State>, name: &str, options: &Options) -> Answer<ResourceAny> {
        annals.annals_log_change_log().change_log().call_open(store, name, &options.to_wit())
    }

    fn again(options: &Options) -> Options {
        options.again()
    }

    fn is_read_only(options: &Options) -> bool {
        options.mode == Mode::ReadOnly
    }

    /// Looks for a change that may not be there, which reads nothing.
    fn ask(live: &mut Live) -> Result<(), Error> {
        let there = live.call(|annals, store, log| {
            annals.annals_log_change_log().change_log().call_get(store, log, None, &[])
        });
        match there {
            Err(error) if error.class() == Class::Storage => Err(error),
            _ => Ok(()),
        }
    }
}

/// An instance of a change log.
///
/// Clones share it; dropping the last one is like dying: its changes stay outstanding until somebody
/// [recovers](ChangeLog::recover) them, or opens the log under its name. [`close`](ChangeLog::close) leaves in order.
///
/// *Durability*: what [`record`](ChangeLog::record), [`remove`](ChangeLog::remove) and `recover` did is durable when they
/// return. When they fail, what they were to do may be done or not. No change is both acknowledged and missed by those who
/// recover after a crash, and none that was removed comes back.
///
/// ```
/// use annals::{Runtime, change_log::{Change, Options}, storage::Memory};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), annals::Error> {
/// # let (runtime, storage) = (Runtime::new()?, Arc::new(Memory::new()));
/// let log = runtime.change_log(storage.clone(), "uploads", &Options::new())?;
/// log.record(b"17", &Change::new(b"blobs/17"))?;
/// // … writes the blob …, and dies before it is in the index:
/// drop(log);
///
/// let log = runtime.change_log(storage, "uploads", &Options::new())?;
/// let dead = log.recover(0)?;
/// assert_eq!((dead.len(), dead[0].changes), (1, 1));
/// for left in log.scan(false)? {
///     let left = left?;
///     // … removes the blob at left.change.payload …
///     log.remove(Some(&left.origin), &left.id)?;
/// }
/// log.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ChangeLog {
    inner: Arc<Inner>,
}

/// The heart is declared first: it ends before the last handle does.
struct Inner {
    heart: Mutex<Option<Heart>>,
    handle: Handle<Kind>,
    instance: String,
}

impl ChangeLog {
    fn open(
        runtime: &Runtime,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &Options,
    ) -> Result<ChangeLog, Error> {
        limits::name(name)?;
        options.instance.as_deref().map_or(Ok(()), limits::name)?;
        let mut live =
            Live::open(runtime, storage.clone(), |annals, store| Kind::open(annals, store, name, options))?;
        let instance = live.call(|annals, store, log| {
            annals.annals_log_change_log().change_log().call_instance(store, log).map(Ok)
        })?;
        // Opened again, it is to get back what it has recorded.
        let named = (!instance.is_empty()).then(|| instance.clone());
        let options = Options { instance: named, ..options.clone() };
        let handle = Handle::of(live, runtime, storage, name, &options)?;
        let heart = match options.background_heartbeat && options.mode != Mode::ReadOnly {
            true => {
                let third = options.heartbeat_ms.unwrap_or(HEARTBEAT_MS).div_ceil(3).max(1);
                let weak = handle.downgrade();
                let beat = move || weak.upgrade().map_or(Err(Error::Closed), |handle| beat(&handle));
                Some(Heart::start(Duration::from_millis(third.into()), beat)?)
            }
            false => None,
        };
        Ok(ChangeLog { inner: Arc::new(Inner { heart: Mutex::new(heart), handle, instance }) })
    }

    /// Opens the log again under the name of this instance, after a failure or a close, and gets back what it had
    /// recorded. This handle and its clones are closed first if they are not, as if they had died.
    ///
    /// ```
    /// # use annals::{Error, Runtime, change_log::{Change, Options}, storage::Memory};
    /// # let log = Runtime::new()?.change_log(std::sync::Arc::new(Memory::new()), "steps", &Options::create())?;
    /// log.record(b"1", &Change::new(b"blobs/1"))?;
    /// let again = log.reopen()?;
    /// assert_eq!((again.instance(), log.get(None, b"1")), (log.instance(), Err(Error::Closed)));
    /// assert_eq!(again.get(None, b"1")?, Some(Change::new(b"blobs/1")));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Runtime::change_log`].
    pub fn reopen(&self) -> Result<ChangeLog, Error> {
        self.stop_heart();
        let (runtime, storage) = self.inner.handle.end();
        let handle = &self.inner.handle;
        ChangeLog::open(&runtime, storage, handle.name(), &handle.options().again())
    }

    /// The name of the log.
    pub fn name(&self) -> &str {
        self.inner.handle.name()
    }

    /// The name of this instance; empty if all are shown.
    pub fn instance(&self) -> &str {
        &self.inner.instance
    }

    /// Records a change, durably. The same id again replaces it; that is also how its payload or its time changes.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge), [`ReadOnly`](Error::ReadOnly), [`OutOfSpace`](Error::OutOfSpace): nothing was
    /// changed. [`Fenced`](Error::Fenced): another instance declared this one dead; it may or may not have taken this
    /// change over. [`Storage`](Error::Storage), [`Trap`](Error::Trap): the log is closed; whether the change is there
    /// shows when it is opened again.
    pub fn record(&self, id: &[u8], change: &Change) -> Result<(), Error> {
        let handle = &self.inner.handle;
        let check = || limits::key(id).and_then(|()| limits::item(&change.payload));
        check().map_err(|error| handle.rather(error))?;
        let change = change.to_wit();
        handle.call(|annals, store, log| {
            annals.annals_log_change_log().change_log().call_record(store, log, id, &change)
        })
    }

    /// Removes a change, durably: the step is done, or cleaned up. True if it was there. `origin` is the instance that an
    /// adopted change came from; none means this one. It works on a full disk.
    ///
    /// # Errors
    /// As [`record`](ChangeLog::record), but for the disk.
    pub fn remove(&self, origin: Option<&str>, id: &[u8]) -> Result<bool, Error> {
        let handle = &self.inner.handle;
        check(origin, id).map_err(|error| handle.rather(error))?;
        handle.call(|annals, store, log| {
            annals.annals_log_change_log().change_log().call_remove(store, log, origin, id)
        })
    }

    /// The change, if it is outstanding in this instance; deferred ones too.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge), [`Damaged`](Error::Damaged), [`Storage`](Error::Storage): nothing was changed.
    pub fn get(&self, origin: Option<&str>, id: &[u8]) -> Result<Option<Change>, Error> {
        check(origin, id)?;
        let change = self.inner.handle.call(|annals, store, log| {
            annals.annals_log_change_log().change_log().call_get(store, log, origin, id)
        })?;
        Ok(change.map(Change::of))
    }

    /// Streams what is outstanding in this instance as of now. Changes that are not to be cleaned up yet are left out
    /// unless `include_deferred`.
    ///
    /// ```
    /// # use annals::{Runtime, change_log::{Change, Options}, storage::Memory};
    /// # let log = Runtime::new()?.change_log(std::sync::Arc::new(Memory::new()), "steps", &Options::create())?;
    /// log.record(b"1", &Change::new(b"now"))?;
    /// log.record(b"2", &Change::new(b"much later").cleanup_after_ms(u64::MAX))?;
    /// assert_eq!((log.scan(false)?.count(), log.scan(true)?.count()), (1, 2));
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Closed`](Error::Closed).
    pub fn scan(&self, include_deferred: bool) -> Result<Scan, Error> {
        let reader = self.inner.handle.child(|annals, store, log| {
            annals.annals_log_change_log().change_log().call_scan(store, log, include_deferred)
        })?;
        Ok(Scan::new(reader))
    }

    /// Shows that the holder is alive. It touches no change. With
    /// [`background_heartbeat`](Options::background_heartbeat) a thread does this.
    ///
    /// # Errors
    /// [`Fenced`](Error::Fenced): that was doubted already. [`ReadOnly`](Error::ReadOnly), [`Storage`](Error::Storage).
    pub fn heartbeat(&self) -> Result<(), Error> {
        beat(&self.inner.handle)
    }

    /// Declares every other instance dead whose last heartbeat is `stale_after_ms` or more ago, or ahead, or that was
    /// closed, takes over the changes of those that nobody else does, and removes their files. They then show in
    /// [`scan`](ChangeLog::scan). Returns whom it dealt with, and all damage.
    ///
    /// An instance that was alive all the same finds itself fenced, so a small value costs work, never a change. Choose it
    /// larger than anybody's `heartbeat_ms`.
    ///
    /// # Errors
    /// [`Fenced`](Error::Fenced), [`ReadOnly`](Error::ReadOnly), [`OutOfSpace`](Error::OutOfSpace),
    /// [`Storage`](Error::Storage), [`Trap`](Error::Trap). Call it again, after [`reopen`](ChangeLog::reopen) if the log
    /// is closed: it goes on where it stopped.
    pub fn recover(&self, stale_after_ms: u64) -> Result<Vec<Recovered>, Error> {
        let recovered = self.inner.handle.call(|annals, store, log| {
            annals.annals_log_change_log().change_log().call_recover(store, log, stale_after_ms)
        })?;
        Ok(recovered.into_iter().map(Recovered::of).collect())
    }

    /// Gives up what is left of damaged instances of that name, after [`recover`](ChangeLog::recover) has reported them.
    /// True if there were any.
    ///
    /// # Errors
    /// [`Fenced`](Error::Fenced), [`ReadOnly`](Error::ReadOnly), [`Storage`](Error::Storage), [`Trap`](Error::Trap).
    pub fn discard(&self, instance: &str) -> Result<bool, Error> {
        let handle = &self.inner.handle;
        limits::name(instance).map_err(|error| handle.rather(error))?;
        handle.call(|annals, store, log| {
            annals.annals_log_change_log().change_log().call_discard(store, log, instance)
        })
    }

    /// Leaves. Without outstanding changes the instance is gone; with some, it waits to be recovered by anybody at once,
    /// or by whoever uses its name again. Afterwards every call on this handle and its clones answers
    /// [`Closed`](Error::Closed), whatever this one returned.
    ///
    /// # Errors
    /// [`Fenced`](Error::Fenced), [`Storage`](Error::Storage), [`Trap`](Error::Trap); closed in any case.
    pub fn close(&self) -> Result<Token, Error> {
        self.stop_heart();
        self.inner
            .handle
            .close(|annals, store, log| annals.annals_log_change_log().change_log().call_close(store, log))
            .map(convert::token)
    }

    fn stop_heart(&self) {
        let heart = self.inner.heart.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(heart);
    }
}

fn beat(handle: &Handle<Kind>) -> Result<(), Error> {
    handle.call(|annals, store, log| annals.annals_log_change_log().change_log().call_heartbeat(store, log))
}

fn check(origin: Option<&str>, id: &[u8]) -> Result<(), Error> {
    origin.map_or(Ok(()), limits::name)?;
    limits::key(id)
}

impl fmt::Debug for ChangeLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeLog")
            .field("name", &self.name())
            .field("instance", &self.instance())
            .field("open", &self.inner.handle.known().is_ok())
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Opens a change log as an instance, as `options` say. Whatever it reports is durable.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`Exists`](Error::Exists), [`Locked`](Error::Locked): an instance of that name is
    /// open. [`OtherKind`](Error::OtherKind), [`TooLarge`](Error::TooLarge), [`InvalidArgument`](Error::InvalidArgument),
    /// [`RolledBack`](Error::RolledBack), [`Damaged`](Error::Damaged): an earlier use of the name is.
    /// [`UnknownFormat`](Error::UnknownFormat). With all of these nothing was changed. [`Storage`](Error::Storage) and
    /// [`OutOfSpace`](Error::OutOfSpace): creation or recovery may be half done; the next open finishes it.
    /// [`Setup`](Error::Setup): no thread could be made for the heartbeat.
    pub fn change_log(
        &self,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &Options,
    ) -> Result<ChangeLog, Error> {
        ChangeLog::open(self, storage, name, options)
    }

    /// All instances of a change log that hold something. Changes nothing and takes no lock.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`OtherKind`](Error::OtherKind), [`TooLarge`](Error::TooLarge),
    /// [`InvalidArgument`](Error::InvalidArgument), [`Storage`](Error::Storage).
    pub fn instances(&self, storage: Arc<dyn Storage>, name: &str) -> Result<Vec<InstanceInfo>, Error> {
        limits::name(name)?;
        let instances = self
            .instance(storage)?
            .call(|annals, store| annals.annals_log_change_log().call_instances(store, name))?;
        Ok(instances.into_iter().map(InstanceInfo::of).collect())
    }

    /// Removes a change log, its files and all changes, durably. A crash in the middle is finished by the next open or
    /// destroy.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`Locked`](Error::Locked): an instance is open. [`OtherKind`](Error::OtherKind),
    /// [`TooLarge`](Error::TooLarge), [`InvalidArgument`](Error::InvalidArgument), [`Damaged`](Error::Damaged),
    /// [`UnknownFormat`](Error::UnknownFormat): nothing was changed. [`Storage`](Error::Storage): it may be half done;
    /// call it again.
    pub fn destroy_change_log(&self, storage: Arc<dyn Storage>, name: &str) -> Result<(), Error> {
        limits::name(name)?;
        self.instance(storage)?.call(|annals, store| annals.annals_log_change_log().call_destroy(store, name))
    }
}

/// Handles go anywhere.
const _: () = {
    const fn anywhere<T: fmt::Debug + Send + Sync + 'static>() {}
    const fn shared<T: Clone + fmt::Debug + Send + Sync + 'static>() {}
    shared::<ChangeLog>();
    shared::<Options>();
    anywhere::<Scan>();
};
