//! The compiled component, and instances of it.
//!
//! Compiling takes a fraction of a second and happens once per [`Runtime`]; an instance takes microseconds. Every opened
//! log gets an instance and a store of its own, so a failure in one never reaches another. The component is not trusted with
//! the host: its memory, its handles, what it stores, how often it calls and, if asked for, its time are bounded by
//! [`Config`]; whatever goes beyond is an [`Error::Limit`] for the caller.

mod memory;

pub(crate) use memory::Memory;

use crate::{
    admin::Admin,
    bindings::{Annals, AnnalsPre},
    cache, convert,
    environment::{Clock, Random, SystemClock, SystemRandom},
    error::{Bound, Cause, Error},
    journal::{self, Journal},
    limits,
    link::{self, Overrun, Quota, quota::Accounts},
    storage::Storage,
};
use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use wasmtime::{
    Engine, Store, Trap,
    component::{Component, Linker, ResourceTable},
};

/// How often the clock that bounds calls ticks.
const TICK: Duration = Duration::from_millis(10);

/// How to run the component, and how much of its host it may take. The defaults are far above what a log needs and far
/// below what would hurt; beyond a maximum the answer is [`Error::Limit`], and other logs go on.
///
/// ```
/// use annals::{Config, Error, Runtime, error::Bound, journal::Options, storage::Memory};
/// use annals::environment::{SystemClock, SystemRandom};
/// use std::{sync::Arc, time::Duration};
///
/// # fn main() -> Result<(), Error> {
/// let config = Config::new().clock(Arc::new(SystemClock)).random(Arc::new(SystemRandom)); // as by default
/// let config = config.memory_bytes(256 << 20).handles(1000).call_time(Duration::from_secs(60));
/// let runtime = Runtime::with_config(config.max_file_bytes(64 << 20).stored_bytes(1 << 20))?;
/// let log = runtime.journal(Arc::new(Memory::new()), "small", &Options::default())?;
/// let full = loop {
///     if let Err(error) = log.append_batch(&[[0; 1000]; 100]) {
///         break error;
///     }
/// };
/// assert_eq!(full, Error::Limit { what: Bound::StoredBytes, allowed: 1 << 20 });
/// log.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    memory_bytes: usize,
    handles: usize,
    call_bytes: usize,
    call_time: Option<Duration>,
    quota: Quota,
    cache: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            memory_bytes: 1 << 30,
            handles: 16 << 10,
            call_bytes: 256 << 20,
            call_time: None,
            quota: Quota::default(),
            cache: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }
}

impl Config {
    /// The defaults.
    pub fn new() -> Config {
        Config::default()
    }

    /// Memory that one opened log may use; 1 GiB unless told. Beyond it, a call fails with [`Bound::Memory`].
    #[must_use]
    pub fn memory_bytes(mut self, bytes: usize) -> Config {
        self.memory_bytes = bytes;
        self
    }

    /// Files, syncs, locks and readers that one opened log may have; 16,384 unless told. Beyond it, a call fails with
    /// [`Bound::Handles`] or [`Error::Trap`].
    #[must_use]
    pub fn handles(mut self, handles: usize) -> Config {
        self.handles = handles;
        self
    }

    /// Size above which no file of a log may grow; 4 GiB unless told. Beyond it, a call fails with
    /// [`Bound::FileBytes`].
    #[must_use]
    pub fn max_file_bytes(mut self, bytes: u64) -> Config {
        self.quota.file_bytes = bytes;
        self
    }

    /// Bytes that all files of a storage may have together, whichever log of this runtime wrote them; 1 TiB unless told.
    /// Beyond it, a call fails with [`Bound::StoredBytes`]; pruning and destroying make room. Two storages are the same
    /// if they are the same `Arc`.
    #[must_use]
    pub fn stored_bytes(mut self, bytes: u64) -> Config {
        self.quota.stored_bytes = bytes;
        self
    }

    /// Sets all maxima of the storage at once: bytes, files, cells, locks, bytes of one transfer, calls of the storage
    /// during one call. Each has its [`Bound`].
    ///
    /// ```
    /// let mut quota = annals::link::Quota::default();
    /// (quota.files, quota.calls) = (1000, 100_000);
    /// let config = annals::Config::new().quota(quota);
    /// ```
    #[must_use]
    pub fn quota(mut self, quota: Quota) -> Config {
        self.quota = quota;
        self
    }

    /// Time after which a call into the component is stopped, as a guard against endless loops; unlimited unless told.
    /// Time that the call waits for the storage counts, so be generous, and so does the wait for a lock, which ends then.
    /// A stopped call fails with [`Bound::Time`]. A thread that ticks every 10 ms runs for as long as the runtime is in
    /// use.
    #[must_use]
    pub fn call_time(mut self, time: Duration) -> Config {
        self.call_time = Some(time);
        self
    }

    /// Keeps the compiled component in the directory `dir`, which is made if it is missing, so that the next program
    /// starts in milliseconds: see the module [`crate::cache`] for whom this trusts. Not kept unless told.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("annals-cache-doc-{}", std::process::id()));
    /// let config = annals::Config::new().cache(&dir);
    /// annals::Runtime::with_config(config.clone())?; // compiles
    /// annals::Runtime::with_config(config)?; // does not
    /// # std::fs::remove_dir_all(dir).unwrap();
    /// # Ok::<(), annals::Error>(())
    /// ```
    #[must_use]
    pub fn cache(mut self, dir: impl Into<PathBuf>) -> Config {
        self.cache = Some(dir.into());
        self
    }

    /// Where the component gets the time from; the system unless told.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Config {
        self.clock = clock;
        self
    }

    /// Where the component gets random numbers from; the system unless told.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Config {
        self.random = random;
        self
    }

    /// What the imports of an instance over `storage` reach.
    pub(crate) fn context(&self, storage: Arc<dyn Storage>) -> link::Context {
        link::Context::new(storage)
            .clock(self.clock.clone())
            .random(self.random.clone())
            .quota(self.quota.clone())
    }

    /// The compiled form of `bytes`, from the cache if there is one.
    pub(crate) fn component(&self, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        match &self.cache {
            Some(dir) => cache::component(engine, bytes, dir),
            None => Component::new(engine, bytes),
        }
    }

    /// See [`handles`](Config::handles).
    pub(crate) fn handle_count(&self) -> usize {
        self.handles
    }

    /// Bytes that one call may bring out of a component.
    pub(crate) fn call_byte_count(&self) -> usize {
        self.call_bytes
    }
}

/// The compiled component. Cloning it is cheap and compiles nothing.
///
/// ```
/// # use annals::{COMPONENT, Config, Runtime, environment::*, journal::Options, storage::Memory};
/// # use std::sync::Arc;
/// let runtime = Runtime::new()?; // or `Runtime::from_component(COMPONENT)`, for one of your own
/// let runtime = runtime.with_clock(Arc::new(FixedClock::new(0))).with_random(Arc::new(SeededRandom::new(1)));
/// let storage = Arc::new(Memory::new());
/// runtime.journal(storage.clone(), "log", &Options::default())?.close()?;
/// assert_eq!(runtime.admin(storage.clone())?.list()?.len(), 1);
/// runtime.destroy_journal(storage, "log")?;
/// let small = Runtime::compile(COMPONENT, Config::new().stored_bytes(1 << 20))?;
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone)]
pub struct Runtime {
    component: AnnalsPre<State>,
    config: Config,
    accounts: Accounts,
}

impl Runtime {
    /// Compiles the component that belongs to this library.
    ///
    /// # Errors
    /// [`Error::Setup`].
    pub fn new() -> Result<Runtime, Error> {
        Runtime::with_config(Config::default())
    }

    /// The same, with other limits, clock or randomness.
    ///
    /// # Errors
    /// [`Error::Setup`].
    pub fn with_config(config: Config) -> Result<Runtime, Error> {
        Runtime::compile(crate::COMPONENT, config)
    }

    /// Compiles another component with the same interfaces.
    ///
    /// # Errors
    /// [`Error::Setup`].
    pub fn from_component(bytes: &[u8]) -> Result<Runtime, Error> {
        Runtime::compile(bytes, Config::default())
    }

    /// Compiles another component with the same interfaces, with other limits, clock or randomness.
    ///
    /// # Errors
    /// [`Error::Setup`].
    pub fn compile(bytes: &[u8], config: Config) -> Result<Runtime, Error> {
        let component = precompile(bytes, &config).map_err(|error| Error::Setup(Cause::new(error)))?;
        if config.call_time.is_some() {
            tick(component.engine()).map_err(|error| Error::Setup(Cause::new(error)))?;
        }
        Ok(Runtime { component, config, accounts: Accounts::default() })
    }

    /// The same compiled component, for instances with this clock from now on.
    #[must_use]
    pub fn with_clock(&self, clock: Arc<dyn Clock>) -> Runtime {
        Runtime { config: self.config.clone().clock(clock), ..self.clone() }
    }

    /// The same compiled component, for instances with this randomness from now on.
    #[must_use]
    pub fn with_random(&self, random: Arc<dyn Random>) -> Runtime {
        Runtime { config: self.config.clone().random(random), ..self.clone() }
    }

    /// Creates, opens or recovers a journal, as `options` say.
    ///
    /// Whatever a journal that was opened for writing reports is durable. A torn tail, which only a crash leaves behind,
    /// is cut.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`Exists`](Error::Exists), [`Locked`](Error::Locked),
    /// [`OtherKind`](Error::OtherKind), [`OptionsDiffer`](Error::OptionsDiffer), [`TooLarge`](Error::TooLarge),
    /// [`InvalidArgument`](Error::InvalidArgument), [`RolledBack`](Error::RolledBack), [`Damaged`](Error::Damaged),
    /// [`UnknownFormat`](Error::UnknownFormat): nothing was changed. [`Storage`](Error::Storage) and
    /// [`OutOfSpace`](Error::OutOfSpace): creation or recovery may be half done; the next open finishes it.
    pub fn journal(
        &self,
        storage: Arc<dyn Storage>,
        name: &str,
        options: &journal::Options,
    ) -> Result<Journal, Error> {
        Journal::open(self, storage, name, options)
    }

    /// Removes a journal and its files, durably. A crash in the middle is finished by the next open or destroy.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`Locked`](Error::Locked), [`OtherKind`](Error::OtherKind),
    /// [`TooLarge`](Error::TooLarge), [`InvalidArgument`](Error::InvalidArgument), [`Damaged`](Error::Damaged),
    /// [`UnknownFormat`](Error::UnknownFormat): nothing was changed. [`Storage`](Error::Storage): it may be half done;
    /// call it again.
    pub fn destroy_journal(&self, storage: Arc<dyn Storage>, name: &str) -> Result<(), Error> {
        limits::name(name)?;
        self.instance(storage)?.call(|annals, store| annals.annals_log_journal().call_destroy(store, name))
    }

    /// What an operator asks of any log in the storage, without locks or changes.
    ///
    /// # Errors
    /// [`Error::Setup`].
    pub fn admin(&self, storage: Arc<dyn Storage>) -> Result<Admin, Error> {
        Ok(Admin::new(self.instance(storage)?))
    }

    /// A new instance over `storage`.
    pub(crate) fn instance(&self, storage: Arc<dyn Storage>) -> Result<Instance, Error> {
        let config = &self.config;
        let context = config.context(storage.clone()).account(self.accounts.of(&storage));
        let mut table = ResourceTable::new();
        table.set_max_capacity(config.handles);
        let memory = Memory::new(config);
        let mut store = Store::new(self.component.engine(), State { context, table, memory });
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(config.call_bytes);
        store.set_max_component_handles(config.handles.saturating_add(LENT));
        wind_up(&mut store, config.call_time);
        match self.component.instantiate(&mut store) {
            Ok(annals) => Ok(Instance { store, annals, call_time: config.call_time, trapped: false }),
            Err(error) => Err(match overrun(&error, &store, config.call_time) {
                Some(overrun) => overrun.into(),
                None => Error::Setup(Cause::new(error)),
            }),
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("config", &self.config).finish_non_exhaustive()
    }
}

/// An engine for components, with or without a clock that can stop them.
pub(crate) fn engine(stoppable: bool) -> wasmtime::Result<Engine> {
    let mut engine = wasmtime::Config::new();
    engine.wasm_component_model(true).epoch_interruption(stoppable);
    Engine::new(&engine)
}

fn precompile(bytes: &[u8], config: &Config) -> wasmtime::Result<AnnalsPre<State>> {
    let engine = engine(config.call_time.is_some())?;
    let component = config.component(&engine, bytes)?;
    let mut linker = Linker::new(&engine);
    link::add_to_linker(&mut linker, |state: &mut State| link::View {
        context: &mut state.context,
        table: &mut state.table,
    })?;
    AnnalsPre::new(linker.instantiate_pre(&component)?)
}

/// Handles that calls may lend beyond those that are counted. Without them an instance with as many handles as it may have
/// could not even use one: instead of being told that there are too many, it would trap.
pub(crate) const LENT: usize = 16;

/// Advances the clock that bounds calls, for as long as the engine is in use.
fn tick(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let run = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new().name("annals-clock".into()).spawn(run).map(drop)
}

/// What the imports of an instance work on.
pub(crate) struct State {
    pub(crate) context: link::Context,
    table: ResourceTable,
    memory: Memory,
}

/// One instance of the component. Once it has trapped it must not be used again.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    annals: Annals,
    call_time: Option<Duration>,
    trapped: bool,
}

impl Instance {
    /// Calls into the component, and tells its answers from its failures.
    pub(crate) fn call<T>(
        &mut self,
        call: impl FnOnce(&Annals, &mut Store<State>) -> wasmtime::Result<Result<T, WitError>>,
    ) -> Result<T, Error> {
        wind_up(&mut self.store, self.call_time);
        match call(&self.annals, &mut self.store) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.refused(convert::error(error))),
            Err(trap) => Err(self.stopped(trap)),
        }
    }

    /// Drops a resource of the component.
    pub(crate) fn drop_resource(&mut self, resource: wasmtime::component::ResourceAny) -> Result<(), Error> {
        wind_up(&mut self.store, self.call_time);
        resource.resource_drop(&mut self.store).map_err(|trap| self.stopped(trap))
    }

    /// Whether the component was stopped: then its state is lost.
    pub(crate) fn trapped(&self) -> bool {
        self.trapped
    }

    /// What the component answers when the host has refused it something says less than what that was.
    fn refused(&self, error: Error) -> Error {
        let State { context, memory, .. } = self.store.data();
        match (&error, context.overrun(), memory.overrun()) {
            (Error::OutOfSpace | Error::Storage(_) | Error::Other(_), Some(overrun), _) => overrun.into(),
            (Error::Other(_), None, Some(overrun)) => overrun.into(),
            _ => error,
        }
    }

    fn stopped(&mut self, trap: wasmtime::Error) -> Error {
        self.trapped = true;
        match overrun(&trap, &self.store, self.call_time) {
            Some(overrun) => overrun.into(),
            None => Error::Trap(Cause::new(trap)),
        }
    }
}

impl From<Overrun> for Error {
    fn from(Overrun { what, allowed }: Overrun) -> Error {
        Error::Limit { what, allowed }
    }
}

/// Gives the next call its time, and counts anew what is counted by call.
fn wind_up(store: &mut Store<State>, call_time: Option<Duration>) {
    if let Some(time) = call_time {
        let ticks = time.as_millis().div_ceil(TICK.as_millis());
        store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX >> 1));
    }
    let State { context, memory, .. } = store.data_mut();
    context.begin_call(call_time.and_then(|time| Instant::now().checked_add(time)));
    memory.begin_call();
}

/// Which limit the component was stopped at, if it was at one.
fn overrun(trap: &wasmtime::Error, store: &Store<State>, call_time: Option<Duration>) -> Option<Overrun> {
    if let Some(overrun) = trap.downcast_ref::<Overrun>() {
        return Some(*overrun);
    }
    if trap.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        let allowed = call_time.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        return Some(Overrun { what: Bound::Time, allowed });
    }
    store.data().memory.overrun()
}

/// The component's error.
pub(crate) type WitError = crate::bindings::exports::annals::log::types::Error;
