//! What an operator asks of any log, whatever its kind. Changes nothing and takes no lock, so a log may be in use
//! meanwhile; what is asked is then answered as of some moment during the call.

use crate::{
    bindings::exports::annals::log::admin as wit,
    convert,
    error::{Cause, Error},
    limits,
    runtime::Instance,
    token::Token,
    types::{Damage, Limits},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use wasmtime::component::ResourceAny;

/// The five logs.
///
/// ```
/// assert_eq!(annals::admin::Kind::EventLog.to_string(), "event-log");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Dense positions given by the log.
    Journal,
    /// Ids given by the caller.
    EventLog,
    /// What a Raft node must keep.
    RaftLog,
    /// Keys and values folded from a stream of changes.
    Snapshot,
    /// Intents of multi-step changes.
    ChangeLog,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Journal => "journal",
            Kind::EventLog => "event-log",
            Kind::RaftLog => "raft-log",
            Kind::Snapshot => "snapshot",
            Kind::ChangeLog => "change-log",
        })
    }
}

/// Where a log is in its life.
///
/// ```
/// assert_eq!(annals::admin::State::Live.to_string(), "live");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Its creation was not finished; the next open makes it anew.
    Creating,
    /// It can be opened.
    Live,
    /// Its destruction was not finished; the next open or destroy finishes it.
    Destroying,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Creating => "creating",
            State::Live => "live",
            State::Destroying => "destroying",
        })
    }
}

/// One log at a glance.
///
/// ```
/// # use annals::{Runtime, journal::Options, storage::Memory};
/// # let (runtime, storage) = (Runtime::new()?, std::sync::Arc::new(Memory::new()));
/// # runtime.journal(storage.clone(), "log", &Options::create())?.append_batch(&["a", "b"])?;
/// let info = runtime.admin(storage)?.info("log")?;
/// assert_eq!((info.items, info.oldest, info.next), (2, Some(0), 2));
/// assert!(info.damage.is_empty() && info.live_bytes <= info.bytes);
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogInfo {
    /// Its name.
    pub name: String,
    /// Which of the five it is.
    pub kind: Kind,
    /// Where it is in its life.
    pub state: State,
    /// Cleanly closed: the next open has nothing to recover.
    pub clean: bool,
    /// Items that can be read (damaged ones included).
    pub items: u64,
    /// Lowest position, id or index.
    pub oldest: Option<u64>,
    /// The one after the highest.
    pub next: u64,
    /// Unix time in milliseconds at which the newest segment was begun.
    pub begun_ms: u64,
    /// Bytes in its files, space reserved ahead included.
    pub bytes: u64,
    /// Bytes of those that hold frames with items that can be read.
    pub live_bytes: u64,
    /// Number of files.
    pub segments: u32,
    /// Token of its last frame.
    pub token: Option<Token>,
    /// What is wrong with it, as far as this look at it tells; [`Admin::verify`] reads everything.
    pub damage: Vec<Damage>,
}

/// One file of a log.
///
/// ```
/// # use annals::{Runtime, journal::Options, storage::Memory};
/// # let (runtime, storage) = (Runtime::new()?, std::sync::Arc::new(Memory::new()));
/// # runtime.journal(storage.clone(), "log", &Options::create())?.append_batch(&["a", "b"])?;
/// let segments = runtime.admin(storage)?.segments("log")?;
/// assert_eq!((segments.len(), segments[0].first, segments[0].next), (1, 0, 2));
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its name in the storage.
    pub file: String,
    /// Nothing will be added to it.
    pub sealed: bool,
    /// Its size, space reserved ahead included.
    pub bytes: u64,
    /// Bytes of frames with items that can be read.
    pub live_bytes: u64,
    /// Number of frames.
    pub frames: u64,
    /// Lowest position in it that can be read.
    pub first: u64,
    /// The position after the highest in it.
    pub next: u64,
}

/// One frame of a file.
///
/// ```
/// # use annals::{Runtime, journal::Options, storage::Memory};
/// # let (runtime, storage) = (Runtime::new()?, std::sync::Arc::new(Memory::new()));
/// # runtime.journal(storage.clone(), "log", &Options::create())?.append_batch(&["a", "b"])?;
/// let admin = runtime.admin(storage)?;
/// let file = &admin.segments("log")?[0].file;
/// let frames = admin.frames(file)?.collect::<Result<Vec<_>, _>>()?.concat();
/// assert!(frames.iter().any(|frame| frame.kind == "append" && (frame.first, frame.count) == (0, 2)));
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameInfo {
    /// Where it starts.
    pub offset: u64,
    /// Its number.
    pub number: u64,
    /// One of: header, append, put, truncate, meta, footer, seal.
    pub kind: String,
    /// Position of its first item.
    pub first: u64,
    /// Number of its items.
    pub count: u32,
    /// All of it, padding included.
    pub bytes: u32,
    /// Whether a later frame promises that it was durable.
    pub promised: bool,
    /// Whether any of its items can be read.
    pub live: bool,
}

/// How far a check has come.
///
/// ```
/// # use annals::{Runtime, journal::Options, storage::Memory};
/// # let (runtime, storage) = (Runtime::new()?, std::sync::Arc::new(Memory::new()));
/// # runtime.journal(storage.clone(), "log", &Options::create())?.append_batch(&["a", "b"])?;
/// for step in runtime.admin(storage)?.verify("log")? {
///     let step = step?;
///     println!("{} of {} bytes", step.checked, step.total);
/// }
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes checked so far.
    pub checked: u64,
    /// Bytes in all, as of the start.
    pub total: u64,
    /// Damage found by this step.
    pub damage: Vec<Damage>,
}

/// What an operator asks of any log. Clones share one instance of the component, apart from all open logs.
///
/// ```
/// # use annals::{Runtime, journal::Options, storage::Memory};
/// # let (runtime, storage) = (Runtime::new()?, std::sync::Arc::new(Memory::new()));
/// # runtime.journal(storage.clone(), "log", &Options::create())?.append_batch(&["a", "b"])?;
/// let admin = runtime.admin(storage)?;
/// for log in admin.list()? {
///     println!("{}, a {}, is {}: {} items", log.name, log.kind, log.state, log.items);
/// }
/// assert_eq!(admin.info("log")?.items, 2);
/// for segment in admin.segments("log")? {
///     for frames in admin.frames(&segment.file)? {
///         println!("{}: {} frames", segment.file, frames?.len());
///     }
/// }
/// assert!(admin.verify("log")?.run()?.damage.is_empty());
/// # Ok::<(), annals::Error>(())
/// ```
#[derive(Clone)]
pub struct Admin {
    inner: Arc<Mutex<Option<Box<Instance>>>>,
}

impl Admin {
    pub(crate) fn new(instance: Instance) -> Admin {
        Admin { inner: Arc::new(Mutex::new(Some(Box::new(instance)))) }
    }

    /// If the component traps, or the storage panics beneath it, the instance is dropped.
    fn with<T>(&self, work: impl FnOnce(&mut Instance) -> Result<T, Error>) -> Result<T, Error> {
        let mut slot = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut instance = slot.take().ok_or(Error::Closed)?;
        let answer = work(&mut instance);
        if !instance.trapped() && !matches!(answer, Err(Error::Trap(_))) {
            *slot = Some(instance);
        }
        answer
    }

    /// Every log in the storage, by name.
    ///
    /// # Errors
    /// [`Storage`](Error::Storage), [`Trap`](Error::Trap). A damaged log is listed, with its damage.
    pub fn list(&self) -> Result<Vec<LogInfo>, Error> {
        let logs =
            self.with(|instance| instance.call(|annals, store| annals.annals_log_admin().call_list(store)))?;
        Ok(logs.into_iter().map(log_info).collect())
    }

    /// One log. Reads as much as opening it does.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`TooLarge`](Error::TooLarge) for the name, [`Damaged`](Error::Damaged) if nothing
    /// can be told of it, [`Storage`](Error::Storage), [`Trap`](Error::Trap).
    pub fn info(&self, name: &str) -> Result<LogInfo, Error> {
        limits::name(name)?;
        self.with(|instance| instance.call(|annals, store| annals.annals_log_admin().call_info(store, name)))
            .map(log_info)
    }

    /// Its files, oldest first.
    ///
    /// # Errors
    /// As [`info`](Admin::info).
    pub fn segments(&self, name: &str) -> Result<Vec<SegmentInfo>, Error> {
        limits::name(name)?;
        let segments = self.with(|instance| {
            instance.call(|annals, store| annals.annals_log_admin().call_segments(store, name))
        })?;
        Ok(segments.into_iter().map(segment_info).collect())
    }

    /// Reads and checks every byte of a log, step by step.
    ///
    /// # Errors
    /// As [`info`](Admin::info).
    pub fn verify(&self, name: &str) -> Result<Verifier, Error> {
        limits::name(name)?;
        let resource = self.with(|instance| {
            instance.call(|annals, store| annals.annals_log_admin().call_verify(store, name))
        })?;
        Ok(Verifier(Stream::new(self, resource)))
    }

    /// The frames of one file, also of a damaged one: what does not verify is passed over.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`Storage`](Error::Storage), [`Trap`](Error::Trap).
    pub fn frames(&self, file: &str) -> Result<Frames, Error> {
        let resource = self.with(|instance| {
            instance.call(|annals, store| annals.annals_log_admin().call_frames(store, file))
        })?;
        Ok(Frames(Stream::new(self, resource)))
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// A resource of the component that is asked again and again until it has no more to say.
struct Stream {
    admin: Admin,
    resource: Option<ResourceAny>,
    limits: Limits,
}

impl Stream {
    fn new(admin: &Admin, resource: ResourceAny) -> Stream {
        Stream { admin: admin.clone(), resource: Some(resource), limits: Limits::default() }
    }

    fn next<T>(
        &mut self,
        ask: impl FnOnce(&mut Instance, ResourceAny, wit::Limits) -> Result<Option<T>, Error>,
    ) -> Option<Result<T, Error>> {
        let resource = self.resource?;
        let limits = convert::limits_to_wit(self.limits);
        let answer = self.admin.with(|instance| ask(instance, resource, limits)).transpose();
        if !matches!(answer, Some(Ok(_))) {
            self.end();
        }
        answer
    }

    fn end(&mut self) {
        if let Some(resource) = self.resource.take() {
            // If the instance is gone, so is the resource.
            let _ = self.admin.with(|instance| instance.drop_resource(resource));
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.end();
    }
}

/// A check under way: an iterator of its steps. An error is its last answer.
///
/// ```
/// # use annals::{Runtime, journal::Options, storage::Memory};
/// # let (runtime, storage) = (Runtime::new()?, std::sync::Arc::new(Memory::new()));
/// # runtime.journal(storage.clone(), "log", &Options::create())?.append_batch(&["a", "b"])?;
/// let small_steps = annals::Limits::new(1, 4 << 10);
/// let all = runtime.admin(storage)?.verify("log")?.limits(small_steps).run()?;
/// assert_eq!(all.checked, all.total);
/// # Ok::<(), annals::Error>(())
/// ```
pub struct Verifier(Stream);

impl Verifier {
    /// Sets about how many bytes one step checks; 1 MiB unless told.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Verifier {
        self.0.limits = limits;
        self
    }

    /// Checks everything that is left: how much that was, and all damage.
    ///
    /// # Errors
    /// [`Storage`](Error::Storage), [`Trap`](Error::Trap).
    pub fn run(self) -> Result<Progress, Error> {
        let mut all = Progress::default();
        for step in self {
            let step = step?;
            all.checked = step.checked;
            all.total = step.total;
            all.damage.extend(step.damage);
        }
        Ok(all)
    }
}

impl Iterator for Verifier {
    type Item = Result<Progress, Error>;

    fn next(&mut self) -> Option<Result<Progress, Error>> {
        self.0.next(|instance, resource, limits| {
            let step = instance.call(|annals, store| {
                annals.annals_log_admin().verifier().call_next(store, resource, limits)
            })?;
            Ok(step.map(|step| Progress {
                checked: step.checked,
                total: step.total,
                damage: step.damage.into_iter().map(convert::damage).collect(),
            }))
        })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// The frames of a file, in the order in which they stand there, some at a time. An error is the last answer.
///
/// ```
/// # use annals::{Runtime, journal::Options, storage::Memory};
/// # let (runtime, storage) = (Runtime::new()?, std::sync::Arc::new(Memory::new()));
/// # runtime.journal(storage.clone(), "log", &Options::create())?.append_batch(&["a", "b"])?;
/// let admin = runtime.admin(storage)?;
/// let file = &admin.segments("log")?[0].file;
/// for frames in admin.frames(file)?.limits(annals::Limits::new(1, 1 << 20)) {
///     assert_eq!(frames?.len(), 1);
/// }
/// # Ok::<(), annals::Error>(())
/// ```
pub struct Frames(Stream);

impl Frames {
    /// Sets how many frames one step gives.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Frames {
        self.0.limits = limits;
        self
    }
}

impl Iterator for Frames {
    type Item = Result<Vec<FrameInfo>, Error>;

    fn next(&mut self) -> Option<Result<Vec<FrameInfo>, Error>> {
        self.0.next(|instance, resource, limits| {
            let frames = instance.call(|annals, store| {
                annals.annals_log_admin().frame_reader().call_next(store, resource, limits)
            })?;
            frames.map(|frames| frames.into_iter().map(frame_info).collect()).transpose()
        })
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").finish_non_exhaustive()
    }
}

fn log_info(info: wit::LogInfo) -> LogInfo {
    LogInfo {
        name: info.name,
        kind: match info.kind {
            wit::Kind::Journal => Kind::Journal,
            wit::Kind::EventLog => Kind::EventLog,
            wit::Kind::RaftLog => Kind::RaftLog,
            wit::Kind::Snapshot => Kind::Snapshot,
            wit::Kind::ChangeLog => Kind::ChangeLog,
        },
        state: match info.state {
            wit::State::Creating => State::Creating,
            wit::State::Live => State::Live,
            wit::State::Destroying => State::Destroying,
        },
        clean: info.clean,
        items: info.items,
        oldest: info.oldest,
        next: info.next,
        begun_ms: info.begun_ms,
        bytes: info.bytes,
        live_bytes: info.live_bytes,
        segments: info.segments,
        token: info.token.map(convert::token),
        damage: info.damage.into_iter().map(convert::damage).collect(),
    }
}

fn segment_info(info: wit::SegmentInfo) -> SegmentInfo {
    let wit::SegmentInfo { file, sealed, bytes, live_bytes, frames, first, next } = info;
    SegmentInfo { file, sealed, bytes, live_bytes, frames, first, next }
}

fn frame_info(info: wit::FrameInfo) -> Result<FrameInfo, Error> {
    let wit::FrameInfo { offset, number, kind, first, count, bytes, promised, live } = info;
    if kind.len() > limits::NAME_BYTES {
        return Err(Error::Trap(Cause::new("the component answered an endless frame kind")));
    }
    Ok(FrameInfo { offset, number, kind, first, count, bytes, promised, live })
}
