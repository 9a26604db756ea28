//! What the component imports: `annals:storage`, `wasi:clocks/wall-clock` and `wasi:random/random`, for any linker.
//!
//! [`Runtime`](crate::Runtime) uses this for the logs of Rust programs. A host of other components that uses the logs
//! from them links the component itself: keep a [`Context`] and a `ResourceTable` in the store's state, and call
//! [`add_to_linker`], or [`add_to_linker_async`] for a linker whose instances are called with `async`.
//! [`bindings`](crate::bindings) has the exports as Rust; `examples/embed.rs` is all of it in one page.
//!
//! ```
//! use annals::{link, storage::Memory};
//! use std::sync::Arc;
//! use wasmtime::{Engine, component::{Linker, ResourceTable}};
//!
//! struct State { logs: link::Context, table: ResourceTable }
//!
//! # fn main() -> wasmtime::Result<()> {
//! let mut linker = Linker::<State>::new(&Engine::default());
//! link::add_to_linker(&mut linker, |state| link::View { context: &mut state.logs, table: &mut state.table })?;
//! let context = link::Context::new(Arc::new(Memory::new()));
//! # drop(context);
//! # Ok(())
//! # }
//! ```
//!
//! What the component asks for is not trusted: names are checked, sizes and amounts are bounded ([`Quota`]), and nothing
//! here panics on it. Instances over one storage can reach all of its logs: give components that must not touch each
//! other's logs a storage each. Memory and time are bounded by the store, handles by the table: set its capacity.

mod asynchronous;
mod offload;
pub(crate) mod quota;
mod serve;
mod synchronous;

pub use offload::Job;
pub use quota::{Account, Overrun, Quota};

use crate::{
    bindings::{annals::storage::storage as wit, asynchronous::annals::storage::storage as async_wit},
    environment::{Clock, Random, SystemClock, SystemRandom},
    error::Bound,
    storage::{self, Storage},
};
use offload::{Offload, Running};
use quota::Charged;
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Instant,
};
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::{clocks::wall_clock, random::random};

/// Most random bytes at once.
const RANDOM_BYTES: u64 = 1 << 16;

/// What the imports of one component instance reach.
///
/// ```
/// use annals::{environment::{FixedClock, SeededRandom}, link::{Account, Context, Quota}, storage::Memory};
/// use std::{sync::Arc, time::{Duration, Instant}};
///
/// let context = Context::new(Arc::new(Memory::new())).quota(Quota::default()).max_file_bytes(64 << 20);
/// let context = context.account(Account::default()); // a clone of it for each context over this storage
/// let mut context = context.clock(Arc::new(FixedClock::new(0))).random(Arc::new(SeededRandom::new(1)));
///
/// context.begin_call(Some(Instant::now() + Duration::from_secs(10)));
/// // ... the call into the component ...
/// assert_eq!(context.overrun(), None);
/// ```
pub struct Context {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    quota: Quota,
    account: Account,
    offload: Option<Offload>,
    /// What was started and may still be running: a lock is not let go before it has ended.
    running: Arc<Running>,
    /// Files that are open, by name.
    open: HashMap<String, Weak<Charged>>,
    /// Calls of the storage since the call into the component began; none if nobody tells when one begins.
    calls: Option<u64>,
    deadline: Option<Instant>,
    overrun: Option<Overrun>,
}

impl Context {
    /// Serves `storage`, with the clock and the randomness of the system and the default [`Quota`].
    pub fn new(storage: Arc<dyn Storage>) -> Context {
        Context {
            storage,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            quota: Quota::default(),
            account: Account::default(),
            offload: None,
            running: Arc::default(),
            open: HashMap::new(),
            calls: None,
            deadline: None,
            overrun: None,
        }
    }

    /// Uses another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Context {
        self.clock = clock;
        self
    }

    /// Uses other randomness.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Context {
        self.random = random;
        self
    }

    /// Size above which no file may grow; 4 GiB unless told. Beyond it the answer is out-of-space.
    #[must_use]
    pub fn max_file_bytes(mut self, bytes: u64) -> Context {
        self.quota.file_bytes = bytes;
        self
    }

    /// Sets what the component may take.
    #[must_use]
    pub fn quota(mut self, quota: Quota) -> Context {
        self.quota = quota;
        self
    }

    /// Counts what is in use together with other contexts over the same storage.
    #[must_use]
    pub fn account(mut self, account: Account) -> Context {
        self.account = account;
        self
    }

    /// Hands calls of the storage, which may block, to `spawn` instead of making them in place: a thread pool, or an
    /// executor's threads for blocking work. Only matters with [`add_to_linker_async`]. A job that `spawn` drops instead
    /// of running it answers the component with an i/o error.
    ///
    /// ```
    /// use annals::{link::Context, storage::Memory};
    /// use std::{sync::Arc, thread};
    ///
    /// // With Tokio: |job| drop(tokio::task::spawn_blocking(job))
    /// Context::new(Arc::new(Memory::new())).offload(|job| drop(thread::spawn(job)));
    /// ```
    #[must_use]
    pub fn offload(mut self, spawn: impl Fn(Job) + Send + Sync + 'static) -> Context {
        self.offload = Some(Arc::new(spawn));
        self
    }

    /// To be told before each call into the component: calls of the storage are counted from here on, and no lock is
    /// waited for beyond `deadline`. Without it, they are not counted, and [`overrun`](Context::overrun) is the last one
    /// ever.
    pub fn begin_call(&mut self, deadline: Option<Instant>) {
        (self.calls, self.deadline, self.overrun) = (Some(0), deadline, None);
    }

    /// What the component was refused since [`begin_call`](Context::begin_call), if anything.
    pub fn overrun(&self) -> Option<Overrun> {
        self.overrun
    }

    /// The sync that was started last, if it may still be running.
    pub(crate) fn last_sync(&self) -> Option<Arc<dyn storage::PendingSync>> {
        self.running.last()
    }

    /// Notes an overrun, and what the component is told about it.
    fn over(&mut self, what: Bound, allowed: u64) -> storage::Error {
        let overrun = Overrun { what, allowed };
        self.overrun = Some(overrun);
        quota::told(overrun)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.running.wait();
    }
}

/// What the imports work on during a call: parts of the store's state.
///
/// ```
/// use annals::link::{Context, View};
///
/// struct State { logs: Context, table: wasmtime::component::ResourceTable }
///
/// fn view(state: &mut State) -> View<'_> {
///     View { context: &mut state.logs, table: &mut state.table }
/// }
/// ```
pub struct View<'a> {
    /// What they reach.
    pub context: &'a mut Context,
    /// Where their resources live.
    pub table: &'a mut ResourceTable,
}

/// A file that the component has open.
pub struct OpenFile {
    file: Arc<dyn storage::File>,
    charged: Arc<Charged>,
}

/// A sync that the component has started.
pub struct Pending(Arc<dyn storage::PendingSync>);

/// A lock that the component holds. What its holder has started ends before it is let go, in whichever order a store
/// drops its parts.
pub struct HeldLock {
    running: Arc<Running>,
    #[expect(dead_code, reason = "held for its drop")]
    lock: Box<dyn storage::Lock>,
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        self.running.wait();
    }
}

/// How the imports find their [`View`] in a store's state.
struct HasView;

impl HasData for HasView {
    type Data<'a> = View<'a>;
}

/// Adds everything that the component imports.
///
/// ```
/// # use annals::link::{self, Context, View};
/// # use wasmtime::{Engine, component::{Linker, ResourceTable}};
/// # struct State { logs: Context, table: ResourceTable }
/// # fn view(state: &mut State) -> View<'_> {
/// #     View { context: &mut state.logs, table: &mut state.table }
/// # }
/// let mut linker = Linker::<State>::new(&Engine::default());
/// link::add_to_linker(&mut linker, view)?; // `view` as at `View`
/// assert!(link::add_to_linker(&mut linker, view).is_err()); // it is there already
/// # Ok::<(), wasmtime::Error>(())
/// ```
///
/// # Errors
/// When the linker has one of the three interfaces already: allow shadowing, or add [`add_storage_to_linker`] only.
pub fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> View<'_>,
) -> wasmtime::Result<()> {
    add_storage_to_linker(linker, view)?;
    add_environment_to_linker(linker, view)
}

/// Adds `annals:storage` only, for linkers that have clock and randomness from WASI.
///
/// ```
/// # use annals::link::{self, Context, View};
/// # use wasmtime::{Engine, component::{Linker, ResourceTable}};
/// # struct State { logs: Context, table: ResourceTable }
/// # fn view(state: &mut State) -> View<'_> {
/// #     View { context: &mut state.logs, table: &mut state.table }
/// # }
/// let mut linker = Linker::<State>::new(&Engine::default());
/// link::add_storage_to_linker(&mut linker, view)?; // `view` as at `View`
/// # Ok::<(), wasmtime::Error>(())
/// ```
///
/// # Errors
/// When the linker has it already.
pub fn add_storage_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> View<'_>,
) -> wasmtime::Result<()> {
    wit::add_to_linker::<T, HasView>(linker, view)
}

/// The same as [`add_to_linker`], for components that are called with `async`: calls of the storage are awaited, and
/// other tasks run meanwhile if the context was told where to make them ([`Context::offload`]).
///
/// A call that is dropped while it waits leaves the instance unusable, as a trap does; what it asked of the storage goes
/// on to its end, and locks are held until then.
///
/// ```
/// use annals::{link, storage::Memory};
/// use wasmtime::{Engine, component::{Linker, ResourceTable}};
///
/// struct State { logs: link::Context, table: ResourceTable }
///
/// # fn main() -> wasmtime::Result<()> {
/// let mut linker = Linker::<State>::new(&Engine::default());
/// link::add_to_linker_async(&mut linker, |state| link::View { context: &mut state.logs, table: &mut state.table })?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`add_to_linker`].
pub fn add_to_linker_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> View<'_>,
) -> wasmtime::Result<()> {
    add_storage_to_linker_async(linker, view)?;
    add_environment_to_linker(linker, view)
}

/// The same as [`add_storage_to_linker`], for components that are called with `async`.
///
/// ```
/// # use annals::link::{self, Context, View};
/// # use wasmtime::{Engine, component::{Linker, ResourceTable}};
/// # struct State { logs: Context, table: ResourceTable }
/// # fn view(state: &mut State) -> View<'_> {
/// #     View { context: &mut state.logs, table: &mut state.table }
/// # }
/// let mut linker = Linker::<State>::new(&Engine::default());
/// link::add_storage_to_linker_async(&mut linker, view)?; // `view` as at `View`
/// # Ok::<(), wasmtime::Error>(())
/// ```
///
/// # Errors
/// When the linker has it already.
pub fn add_storage_to_linker_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> View<'_>,
) -> wasmtime::Result<()> {
    async_wit::add_to_linker::<T, HasView>(linker, view)
}

/// Clock and randomness never wait, so they are the same in both.
fn add_environment_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> View<'_>,
) -> wasmtime::Result<()> {
    wall_clock::add_to_linker::<T, HasView>(linker, view)?;
    random::add_to_linker::<T, HasView>(linker, view)
}
