//! The compiled component, and instances of it.
//!
//! Compiling takes a fraction of a second and happens once per [`Runtime`]; an instance takes microseconds. Every opened
//! log gets an instance of its own, so a failure in one never reaches another. The component is not trusted with the
//! host: its memory, its handles and, if asked for, its time are bounded by [`Config`].

use crate::{
    admin::Admin,
    bindings::{Annals, AnnalsPre},
    convert,
    environment::{Clock, Random, SystemClock, SystemRandom},
    error::{Cause, Error},
    journal::{self, Journal},
    limits, link,
    storage::Storage,
};
use std::{fmt, sync::Arc, time::Duration};
use wasmtime::{
    Engine, Store, StoreLimits, StoreLimitsBuilder,
    component::{Component, Linker, ResourceTable},
};

/// How often the clock that bounds calls ticks.
const TICK: Duration = Duration::from_millis(10);

/// How to run the component.
#[derive(Clone, Debug)]
pub struct Config {
    memory_bytes: usize,
    handles: usize,
    max_file_bytes: u64,
    call_bytes: usize,
    call_time: Option<Duration>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            memory_bytes: 1 << 30,
            handles: 16 << 10,
            max_file_bytes: 4 << 30,
            call_bytes: 256 << 20,
            call_time: None,
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

    /// Memory that one opened log may use; 1 GiB unless told. Beyond it, calls fail with
    /// [`Error::Other`] or [`Error::Trap`].
    #[must_use]
    pub fn memory_bytes(mut self, bytes: usize) -> Config {
        self.memory_bytes = bytes;
        self
    }

    /// Files, syncs, locks and readers that one opened log may have; 16,384 unless told.
    #[must_use]
    pub fn handles(mut self, handles: usize) -> Config {
        self.handles = handles;
        self
    }

    /// Size above which no file of a log may grow; 4 GiB unless told. Beyond it the answer is
    /// [`Error::OutOfSpace`].
    #[must_use]
    pub fn max_file_bytes(mut self, bytes: u64) -> Config {
        self.max_file_bytes = bytes;
        self
    }

    /// Time after which a call into the component is stopped, as a guard against endless loops; unlimited unless told.
    /// Time that the call waits for the storage counts, so be generous. A stopped call fails with [`Error::Trap`].
    #[must_use]
    pub fn call_time(mut self, time: Duration) -> Config {
        self.call_time = Some(time);
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
}

/// The compiled component. Cloning it is cheap and compiles nothing.
#[derive(Clone)]
pub struct Runtime {
    component: AnnalsPre<State>,
    config: Config,
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
        Ok(Runtime { component, config })
    }

    /// The same compiled component, for instances with this clock from now on.
    #[must_use]
    pub fn with_clock(&self, clock: Arc<dyn Clock>) -> Runtime {
        Runtime { component: self.component.clone(), config: self.config.clone().clock(clock) }
    }

    /// The same compiled component, for instances with this randomness from now on.
    #[must_use]
    pub fn with_random(&self, random: Arc<dyn Random>) -> Runtime {
        Runtime { component: self.component.clone(), config: self.config.clone().random(random) }
    }

    /// Creates, opens or recovers a journal, as `options` say.
    ///
    /// Whatever a journal that was opened for writing reports is durable. A torn tail, which only a crash leaves behind,
    /// is cut.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`Exists`](Error::Exists), [`Locked`](Error::Locked),
    /// [`OtherKind`](Error::OtherKind), [`OptionsDiffer`](Error::OptionsDiffer),
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

    /// Removes a journal and its files. A crash in the middle is finished by the next open or destroy.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`Locked`](Error::Locked), [`OtherKind`](Error::OtherKind): nothing was changed.
    /// [`Storage`](Error::Storage): it may be half done; call it again.
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
        let context = link::Context::new(storage)
            .clock(config.clock.clone())
            .random(config.random.clone())
            .max_file_bytes(config.max_file_bytes);
        let mut table = ResourceTable::new();
        table.set_max_capacity(config.handles);
        let limits = StoreLimitsBuilder::new()
            .memory_size(config.memory_bytes)
            .memories(4)
            .tables(16)
            .table_elements(100_000)
            .instances(32)
            .build();
        let mut store = Store::new(self.component.engine(), State { context, table, limits });
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(config.call_bytes);
        store.set_max_component_handles(config.handles);
        let ticks = config
            .call_time
            .map(|time| u64::try_from(time.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX >> 1));
        if let Some(ticks) = ticks {
            store.set_epoch_deadline(ticks);
        }
        let annals =
            self.component.instantiate(&mut store).map_err(|error| Error::Setup(Cause::new(error)))?;
        Ok(Instance { store, annals, ticks })
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("config", &self.config).finish_non_exhaustive()
    }
}

fn precompile(bytes: &[u8], config: &Config) -> wasmtime::Result<AnnalsPre<State>> {
    let mut engine = wasmtime::Config::new();
    engine.wasm_component_model(true).epoch_interruption(config.call_time.is_some());
    let engine = Engine::new(&engine)?;
    let component = Component::new(&engine, bytes)?;
    let mut linker = Linker::new(&engine);
    link::add_to_linker(&mut linker, |state: &mut State| link::View {
        context: &mut state.context,
        table: &mut state.table,
    })?;
    AnnalsPre::new(linker.instantiate_pre(&component)?)
}

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

/// What the imports of an instance work on. The context is first, so that syncs have ended before locks are let go.
pub(crate) struct State {
    pub(crate) context: link::Context,
    table: ResourceTable,
    limits: StoreLimits,
}

/// One instance of the component. After a call that answered [`Error::Trap`] it must not be used again.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    annals: Annals,
    ticks: Option<u64>,
}

impl Instance {
    /// Calls into the component, and tells its answers from its failures.
    pub(crate) fn call<T>(
        &mut self,
        call: impl FnOnce(&Annals, &mut Store<State>) -> wasmtime::Result<Result<T, WitError>>,
    ) -> Result<T, Error> {
        self.wind_up();
        match call(&self.annals, &mut self.store) {
            Ok(answer) => answer.map_err(convert::error),
            Err(trap) => Err(Error::Trap(Cause::new(trap))),
        }
    }

    /// Drops a resource of the component.
    pub(crate) fn drop_resource(&mut self, resource: wasmtime::component::ResourceAny) -> Result<(), Error> {
        self.wind_up();
        resource.resource_drop(&mut self.store).map_err(|trap| Error::Trap(Cause::new(trap)))
    }

    fn wind_up(&mut self) {
        if let Some(ticks) = self.ticks {
            self.store.set_epoch_deadline(ticks);
        }
    }
}

/// The component's error.
pub(crate) type WitError = crate::bindings::exports::annals::log::types::Error;
