//! The component in hosts with their own engine, linker and store: the example, and one that calls it with `async`.

mod common;

use annals::{
    COMPONENT,
    bindings::asynchronous::{
        Annals,
        exports::annals::log::{journal::Options, types::Mode},
    },
    link::{self, View},
    storage::{Memory, Storage},
};
use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};
use wasmtime::{
    Engine, Store,
    component::{Component, Linker, ResourceTable},
};

#[path = "../examples/embed.rs"]
#[allow(dead_code, reason = "its main asks for arguments")]
mod embed;

struct State {
    logs: link::Context,
    table: ResourceTable,
}

/// Runs one future on this thread, and counts how often it had to wait.
fn block_on<T>(future: impl Future<Output = T>) -> (T, u32) {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Unpark>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    let mut waited = 0;
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return (output, waited),
            Poll::Pending => {
                waited += 1;
                thread::park();
            }
        }
    }
}

fn options() -> Options {
    Options {
        mode: Mode::OpenOrCreate,
        start_at: None,
        expect: None,
        items_per_section: None,
        segment_bytes: None,
        compression: None,
        sync_sections: None,
        write_buffer: None,
        lock_wait_ms: 0,
    }
}

async fn instantiate(context: link::Context) -> (Store<State>, Annals) {
    let engine = Engine::default();
    let component = Component::new(&engine, COMPONENT).unwrap();
    let mut linker = Linker::<State>::new(&engine);
    link::add_to_linker_async(&mut linker, |state| View {
        context: &mut state.logs,
        table: &mut state.table,
    })
    .unwrap();
    let mut store = Store::new(&engine, State { logs: context, table: ResourceTable::new() });
    let annals = Annals::instantiate_async(&mut store, &component, &linker).await.unwrap();
    (store, annals)
}

async fn use_a_journal(context: link::Context) {
    let (mut store, annals) = instantiate(context).await;
    let journal = annals.annals_log_journal().journal();
    let log = journal.call_open(&mut store, "log", options()).await.unwrap().unwrap();
    let position = journal.call_append(&mut store, log, b"item").await.unwrap().unwrap();
    journal.call_sync(&mut store, log).await.unwrap().unwrap();
    assert_eq!(journal.call_read(&mut store, log, position).await.unwrap().unwrap(), b"item");
    journal.call_close(&mut store, log).await.unwrap().unwrap();
    log.resource_drop_async(&mut store).await.unwrap();
}

#[test]
fn the_example_runs_and_leaves_a_log() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("embed-example");
    let _ = std::fs::remove_dir_all(&path);
    embed::run(&path).unwrap();
    embed::run(&path).unwrap();
    let storage = Arc::new(annals::storage::Directory::open_existing(&path).unwrap());
    let log = annals::Runtime::new().unwrap().admin(storage).unwrap().info("greetings").unwrap();
    assert_eq!((log.items, log.clean), (2, true));
    std::fs::remove_dir_all(&path).unwrap();
}

#[test]
fn an_async_host_waits_only_for_what_it_sends_elsewhere() {
    let memory = Memory::new();
    let ((), waited) = block_on(use_a_journal(link::Context::new(Arc::new(memory.clone()))));
    assert_eq!(waited, 0, "without a place for calls they are made in place");

    let jobs = Arc::new(AtomicU32::new(0));
    let counted = jobs.clone();
    let context = link::Context::new(Arc::new(memory.clone())).offload(move |job| {
        counted.fetch_add(1, Ordering::Relaxed);
        drop(thread::spawn(move || {
            thread::sleep(Duration::from_millis(2));
            job();
        }));
    });
    let ((), waited) = block_on(use_a_journal(context));
    let jobs = jobs.load(Ordering::Relaxed);
    println!("{jobs} calls were made elsewhere, {waited} waits");
    assert!(jobs > 10 && waited >= jobs / 2, "{jobs} jobs, {waited} waits");
    assert_eq!(memory.list("", None, 9).unwrap().len(), 1);
}

#[test]
fn a_job_that_is_dropped_is_an_error_and_not_a_hang() {
    let context = link::Context::new(Arc::new(Memory::new())).offload(drop);
    block_on(async {
        let (mut store, annals) = instantiate(context).await;
        let journal = annals.annals_log_journal().journal();
        let opened = journal.call_open(&mut store, "log", options()).await.unwrap();
        assert!(opened.is_err(), "nothing was called, so nothing can have been opened");
    });
}

#[test]
fn a_lock_outlives_a_call_that_was_given_up() {
    let memory = Memory::new();
    let (start, started) = std::sync::mpsc::channel::<link::Job>();
    let context = link::Context::new(Arc::new(memory.clone())).offload(move |job| start.send(job).unwrap());
    let worker = thread::spawn(move || {
        let mut locked = false;
        for job in started {
            // Locking is quick; the first call after it is slow.
            let free = memory.lock("log.log", 0).is_ok();
            if !free && !locked {
                locked = true;
                thread::sleep(Duration::from_millis(300));
                assert!(
                    memory.lock("log.log", 0).is_err(),
                    "the lock was let go before its holder's call had ended"
                );
            }
            job();
        }
        locked
    });
    let waker = Waker::noop();
    {
        let mut future = Box::pin(async {
            let (mut store, annals) = instantiate(context).await;
            annals
                .annals_log_journal()
                .journal()
                .call_open(&mut store, "log", options())
                .await
                .unwrap()
                .unwrap();
        });
        for _ in 0..20 {
            assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
            thread::sleep(Duration::from_millis(10));
        }
    } // given up, while the slow call is running
    assert!(worker.join().unwrap(), "the lock was never seen held");
}
