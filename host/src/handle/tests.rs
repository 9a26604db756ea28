//! The generic handle over the one log that needs no other part of this crate: the journal of the component.

use super::*;
use crate::{
    bindings::exports::annals::log::types::Limits,
    journal::Options,
    storage::{self, Cell, File, Lock, Memory, PendingSync, Swap},
};
use std::sync::atomic::{AtomicBool, Ordering};

/// A journal whose calls all go to the component.
enum Plain {}

impl Log for Plain {
    type Options = Options;
    type Known = u64;

    fn open(annals: &Annals, store: &mut Store<State>, name: &str, options: &Options) -> Answer<ResourceAny> {
        annals.annals_log_journal().journal().call_open(store, name, options.to_wit())
    }

    fn again(options: &Options) -> Options {
        options.again()
    }

    fn is_read_only(options: &Options) -> bool {
        options.mode == crate::Mode::ReadOnly
    }

    fn ask(live: &mut Live) -> Result<u64, Error> {
        live.call(|annals, store, log| annals.annals_log_journal().journal().call_size(store, log))
    }
}

/// Memory whose writes panic, or fail, when told.
#[derive(Clone)]
struct Bad {
    memory: Memory,
    panics: Arc<AtomicBool>,
    fails: Arc<AtomicBool>,
}

struct BadFile(Box<dyn File>, Bad);

impl Bad {
    fn new() -> Bad {
        Bad { memory: Memory::new(), panics: Arc::default(), fails: Arc::default() }
    }
}

impl Storage for Bad {
    fn is_durable(&self) -> bool {
        false
    }
    fn create(&self, name: &str) -> storage::Result<Box<dyn File>> {
        Ok(Box::new(BadFile(self.memory.create(name)?, self.clone())))
    }
    fn open(&self, name: &str) -> storage::Result<Box<dyn File>> {
        Ok(Box::new(BadFile(self.memory.open(name)?, self.clone())))
    }
    fn remove(&self, name: &str) -> storage::Result<()> {
        self.memory.remove(name)
    }
    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> storage::Result<Vec<String>> {
        self.memory.list(prefix, after, max)
    }
    fn list_cells(&self, prefix: &str, after: Option<&str>, max: u32) -> storage::Result<Vec<String>> {
        self.memory.list_cells(prefix, after, max)
    }
    fn read_cell(&self, name: &str) -> storage::Result<Option<Cell>> {
        self.memory.read_cell(name)
    }
    fn swap_cell(&self, name: &str, expected: Option<u64>, value: Option<&[u8]>) -> storage::Result<Swap> {
        self.memory.swap_cell(name, expected, value)
    }
    fn lock(&self, name: &str, wait_ms: u32) -> storage::Result<Box<dyn Lock>> {
        self.memory.lock(name, wait_ms)
    }
}

impl File for BadFile {
    fn size(&self) -> storage::Result<u64> {
        self.0.size()
    }
    fn read(&self, offset: u64, len: u32) -> storage::Result<Vec<u8>> {
        self.0.read(offset, len)
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> storage::Result<()> {
        assert!(!self.1.panics.load(Ordering::Relaxed), "told to");
        match self.1.fails.load(Ordering::Relaxed) {
            true => Err(storage::Error::Io("told to".into())),
            false => self.0.write(offset, bytes),
        }
    }
    fn reserve(&self, size: u64) -> storage::Result<()> {
        self.0.reserve(size)
    }
    fn truncate(&self, size: u64) -> storage::Result<()> {
        self.0.truncate(size)
    }
    fn sync(&self) -> storage::Result<()> {
        self.0.sync()
    }
    fn begin_sync(&self) -> storage::Result<Arc<dyn PendingSync>> {
        self.0.begin_sync()
    }
}

const TICKET: TicketCalls = TicketCalls {
    poll: |annals, store, ticket| annals.annals_log_journal().sync_ticket().call_poll(store, ticket),
    wait: |annals, store, ticket| annals.annals_log_journal().sync_ticket().call_wait(store, ticket),
};

fn runtime() -> Runtime {
    Runtime::new().unwrap()
}

fn open(runtime: &Runtime, storage: &Bad, options: &Options) -> Result<Handle<Plain>, Error> {
    Handle::open(runtime, Arc::new(storage.clone()), "log", options)
}

fn append(handle: &Handle<Plain>, item: &[u8]) -> Result<u64, Error> {
    handle.learning(
        |annals, store, log| annals.annals_log_journal().journal().call_append(store, log, item),
        |size, position| *size = position + 1,
    )
}

fn flush(handle: &Handle<Plain>) -> Result<(), Error> {
    handle.call(|annals, store, log| annals.annals_log_journal().journal().call_flush(store, log))
}

fn rewind(handle: &Handle<Plain>, size: u64) -> Result<(), Error> {
    handle.changing(|annals, store, log| annals.annals_log_journal().journal().call_rewind(store, log, size))
}

fn reader(handle: &Handle<Plain>) -> Result<Child, Error> {
    handle.child(|annals, store, log| annals.annals_log_journal().journal().call_replay(store, log, 0))
}

fn next(reader: &Child) -> Result<Option<Vec<u8>>, Error> {
    let limits = Limits { count: 1, bytes: 1 };
    reader.checked(
        |annals, store, reader| annals.annals_log_journal().reader().call_next(store, reader, limits),
        |batch| Ok(batch.map(|batch| batch.bytes)),
    )
}

fn close(handle: &Handle<Plain>) -> Result<(), Error> {
    handle
        .close(|annals, store, log| annals.annals_log_journal().journal().call_close(store, log))
        .map(|_| ())
}

#[test]
fn what_is_known_follows_every_call_that_changes_it() {
    let storage = Bad::new();
    let log = open(&runtime(), &storage, &Options::create()).unwrap();
    assert_eq!((log.name(), log.options()), ("log", &Options::create()));
    assert_eq!((log.known(), append(&log, b"a"), append(&log, b"b")), (Ok(0), Ok(0), Ok(1)));
    assert_eq!((log.known(), rewind(&log, 1), log.clone().known()), (Ok(2), Ok(()), Ok(1)));
    assert!(matches!(rewind(&log, 9), Err(Error::InvalidRewind(_))), "a mistake closes nothing");
    assert_eq!(log.known(), Ok(1));
    let token = log
        .begin_sync(
            |annals, store, log| annals.annals_log_journal().journal().call_begin_sync(store, log),
            TICKET,
        )
        .unwrap();
    assert_eq!(token.wait().map(Some), token.poll());
    assert_eq!((close(&log), log.known(), close(&log)), (Ok(()), Err(Error::Closed), Err(Error::Closed)));
    assert_eq!(token.poll(), Err(Error::Closed));
}

#[test]
fn a_panic_beneath_a_call_closes_the_log_and_its_children_and_lets_go_of_the_lock() {
    let (runtime, storage) = (runtime(), Bad::new());
    let log = open(&runtime, &storage, &Options::create()).unwrap();
    append(&log, b"a").unwrap();
    flush(&log).unwrap();
    let reader = reader(&log).unwrap();
    append(&log, b"b").unwrap();
    storage.panics.store(true, Ordering::Relaxed);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| flush(&log)));
    assert!(panicked.is_err());
    storage.panics.store(false, Ordering::Relaxed);
    assert_eq!(
        (log.known(), flush(&log), next(&reader)),
        (Err(Error::Closed), Err(Error::Closed), Err(Error::Closed))
    );
    assert_eq!(log.rather(Error::NotFound), Error::Closed);
    let again = log.reopen().unwrap();
    assert_eq!(again.known(), Ok(1), "what was handed over is there, what was not is not");
}

#[test]
fn a_failed_write_closes_the_log_until_it_is_opened_again() {
    let (runtime, storage) = (runtime(), Bad::new());
    let log = open(&runtime, &storage, &Options::create()).unwrap();
    append(&log, b"a").unwrap();
    storage.fails.store(true, Ordering::Relaxed);
    assert!(matches!(flush(&log), Err(Error::Storage(_))));
    assert_eq!(log.known(), Err(Error::Closed));
    storage.fails.store(false, Ordering::Relaxed);
    let again = log.reopen().unwrap();
    append(&again, b"b").unwrap();
    let third = again.reopen().unwrap();
    assert_eq!((again.known(), third.known()), (Err(Error::Closed), Ok(1)));
}

#[test]
fn dropping_the_last_clone_hands_over_what_waits_and_lets_go_of_the_lock() {
    let (runtime, storage) = (runtime(), Bad::new());
    let log = open(&runtime, &storage, &Options::create()).unwrap();
    let clone = log.clone();
    append(&log, b"a").unwrap();
    drop(log);
    assert_eq!(open(&runtime, &storage, &Options::open()).err(), Some(Error::Locked));
    drop(clone);
    let log = open(&runtime, &storage, &Options::open()).unwrap();
    assert_eq!(log.known(), Ok(1));
}

#[test]
fn a_reader_may_outlive_its_log_and_go_before_it() {
    let (runtime, storage) = (runtime(), Bad::new());
    let log = open(&runtime, &storage, &Options::create()).unwrap();
    append(&log, b"a").unwrap();
    let (first, second) = (reader(&log).unwrap(), reader(&log).unwrap());
    drop(first);
    assert_eq!(next(&second), Ok(Some(b"a".to_vec())));
    drop(log);
    assert_eq!(next(&second), Err(Error::Closed));
    drop(second);
    assert!(open(&runtime, &storage, &Options::open()).is_ok());
}

#[test]
fn a_resource_without_a_log_keeps_its_instance_until_it_is_dropped() {
    let (runtime, storage) = (runtime(), Bad::new());
    let alone = || {
        Child::alone(&runtime, Arc::new(storage.clone()), |annals, store| {
            annals.annals_log_journal().journal().call_open(store, "log", Options::new().to_wit())
        })
    };
    let child = alone().unwrap();
    let append = |child: &Child| {
        child.call(|annals, store, log| annals.annals_log_journal().journal().call_append(store, log, b"a"))
    };
    assert_eq!((append(&child), append(&child)), (Ok(0), Ok(1)));
    assert_eq!(alone().err(), Some(Error::Locked));
    drop(child);
    assert_eq!(append(&alone().unwrap()), Ok(2));
}

#[test]
fn nothing_can_be_written_comes_before_what_is_wrong_with_an_argument() {
    let (runtime, storage) = (runtime(), Bad::new());
    let log = open(&runtime, &storage, &Options::create()).unwrap();
    assert_eq!(log.rather(Error::NotFound), Error::NotFound);
    close(&log).unwrap();
    let log = open(&runtime, &storage, &Options::read_only()).unwrap();
    assert_eq!(log.rather(Error::NotFound), Error::ReadOnly);
}
