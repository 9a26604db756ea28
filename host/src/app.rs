//! Programs in any language that use the logs: components that import `annals:log`, run under wasmtime.
//!
//! An app is an ordinary WASI command: a component that exports `wasi:cli/run` (what the `main` of every toolchain becomes)
//! and imports any of the interfaces `annals:log/…` (the world `guest` in `wit/world.wit`), and WASI 0.2 as it likes. It is
//! [joined](join()) with the component that holds the logs into one component, so its handles of logs cross from the one
//! part to the other natively, and instantiated once per run. Each run has its own instance of the logs over the storage.
//!
//! An app is not trusted with the host: it gets arguments, environment, streams and directories as the caller gives them,
//! no network, and the memory, handles and storage that [`Config`] allows. It reaches all logs in the storage, though.

mod join;

pub use join::join;
pub use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use crate::{
    error::{Cause, Error},
    link,
    runtime::{Config, LENT, Memory, engine},
    storage::Storage,
};
use std::{fmt, sync::Arc};
use wasmtime::{
    Store,
    component::{Linker, ResourceTable},
};
use wasmtime_wasi::{I32Exit, WasiCtxView, WasiView, p2::bindings::sync::CommandPre};

/// A compiled app. Cloning it is cheap.
///
/// ```no_run
/// use annals::{COMPONENT, Config, app::{App, WasiCtxBuilder}, storage::Directory};
/// use std::sync::Arc;
///
/// let bytes = std::fs::read("app.wasm").unwrap();
/// let app = App::new(&bytes, COMPONENT, Config::new())?;
/// let wasi = WasiCtxBuilder::new().inherit_stdio().args(&["app", "argument"]).build();
/// let exit_code = app.run(Arc::new(Directory::open("data")?), wasi)?;
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone)]
pub struct App {
    command: CommandPre<State>,
    config: Config,
}

impl App {
    /// Joins an app with the component that holds the logs (mostly [`COMPONENT`](crate::COMPONENT)) and compiles both;
    /// [`Config::cache`] keeps the outcome.
    ///
    /// # Errors
    /// [`Error::Setup`]: it is no component, exports nothing to run, imports something that is not there or not in this
    /// version; which, is in the error's source.
    pub fn new(app: &[u8], component: &[u8], config: Config) -> Result<App, Error> {
        let joined = join(app, component)?;
        let command = compile(&joined, &config).map_err(|error| Error::Setup(Cause::new(error)))?;
        Ok(App { command, config })
    }

    /// Runs it to its end over `storage` and returns its exit code: that of its `main`, as far as WASI 0.2 can tell
    /// (0 or 1), or what it gave to `exit`. Logs that it has not closed by then are as after a crash: what was handed
    /// over is there, and the next open recovers it.
    ///
    /// # Errors
    /// [`Error::Trap`]: it was stopped. [`Error::Limit`]: it took more than the configuration allows.
    /// [`Error::Setup`]: it could not be started.
    pub fn run(&self, storage: Arc<dyn Storage>, wasi: WasiCtx) -> Result<i32, Error> {
        let config = &self.config;
        let context = config.context(storage);
        let mut table = ResourceTable::new();
        table.set_max_capacity(config.handle_count());
        let memory = Memory::for_apps(config);
        let mut store = Store::new(self.command.engine(), State { context, table, memory, wasi });
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(config.call_byte_count());
        store.set_max_component_handles(config.handle_count().saturating_add(LENT));
        let ran = self
            .command
            .instantiate(&mut store)
            .and_then(|command| command.wasi_cli_run().call_run(&mut store));
        match ran {
            Ok(Ok(())) => Ok(0),
            Ok(Err(())) => Ok(1),
            Err(error) => match (error.downcast_ref::<I32Exit>(), store.data().memory.overrun()) {
                (Some(I32Exit(code)), _) => Ok(*code),
                (None, Some(overrun)) => Err(overrun.into()),
                (None, None) => Err(Error::Trap(Cause::new(error))),
            },
        }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("config", &self.config).finish_non_exhaustive()
    }
}

fn compile(joined: &[u8], config: &Config) -> wasmtime::Result<CommandPre<State>> {
    // Time is not bounded: an app runs for as long as it likes.
    let engine = engine(false)?;
    let component = config.component(&engine, joined)?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    // Clock and randomness are the configuration's.
    linker.allow_shadowing(true);
    link::add_to_linker(&mut linker, |state: &mut State| link::View {
        context: &mut state.context,
        table: &mut state.table,
    })?;
    CommandPre::new(linker.instantiate_pre(&component)?)
}

/// What the imports of an app and of the logs work on.
struct State {
    context: link::Context,
    table: ResourceTable,
    memory: Memory,
    wasi: WasiCtx,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
