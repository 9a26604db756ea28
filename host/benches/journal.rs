//! Benchmarks of the journal in memory, to see what a change does to the code: `cargo bench -p annals`.
//!
//! Beside the native library and plain files on a real disk, `annals bench` measures the same.

use annals::{Batch, Journal, Limits, Runtime, journal::Options, storage::Memory};
use divan::{Bencher, black_box, counter::ItemsCount};
use std::sync::{Arc, LazyLock};

const ITEM: [u8; 100] = [7; 100];
const ITEMS: u64 = 100_000;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("the component starts"));
static FULL: LazyLock<Memory> = LazyLock::new(|| {
    let memory = Memory::new();
    let log = open(&memory);
    let (ends, bytes) = batch(1000);
    for _ in 0..ITEMS / 1000 {
        log.append_packed(&ends, &bytes).expect("there is memory");
    }
    log.close().expect("it closes");
    memory
});

fn main() {
    divan::main();
}

fn open(memory: &Memory) -> Journal {
    let options = Options::new().sync_sections(false);
    RUNTIME.journal(Arc::new(memory.clone()), "log", &options).expect("it opens")
}

fn batch(count: u32) -> (Vec<u32>, Vec<u8>) {
    ((1..=count).map(|n| n * 100).collect(), ITEM.repeat(count as usize))
}

#[divan::bench]
fn open_and_close(bencher: Bencher<'_, '_>) {
    let memory = Memory::new();
    drop(open(&memory).close());
    bencher.bench_local(|| open(&memory).close().expect("it closes"));
}

#[divan::bench(args = [1, 10, 1000])]
fn append_batch(bencher: Bencher<'_, '_>, count: u32) {
    let (ends, bytes) = batch(count);
    bencher.counter(ItemsCount::new(1000_u32)).with_inputs(|| open(&Memory::new())).bench_local_values(
        |log| {
            (0..1000 / count).for_each(|_| drop(black_box(log.append_packed(&ends, &bytes))));
            log
        },
    );
}

#[divan::bench]
fn append_direct(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(1000_u32)).with_inputs(|| open(&Memory::new())).bench_local_values(
        |log| {
            (0..1000).for_each(|_| drop(black_box(log.append(&ITEM))));
            log
        },
    );
}

#[divan::bench]
fn append_gathered(bencher: Bencher<'_, '_>) {
    let inputs = || open(&Memory::new()).appender().expect("it is open");
    bencher.counter(ItemsCount::new(10_000_u32)).with_inputs(inputs).bench_local_values(|appender| {
        (0..10_000).for_each(|_| drop(black_box(appender.append(&ITEM))));
        let _ = appender.flush();
        appender
    });
}

#[divan::bench]
fn size(bencher: Bencher<'_, '_>) {
    let log = open(&FULL.fork());
    bencher.bench_local(|| log.size());
}

#[divan::bench]
fn read_cached(bencher: Bencher<'_, '_>) {
    let log = open(&FULL.fork());
    bencher.bench_local(|| log.read(black_box(ITEMS / 2)));
}

#[divan::bench]
fn read_random(bencher: Bencher<'_, '_>) {
    let (log, mut n) = (open(&FULL.fork()), 0_u64);
    bencher.bench_local(|| {
        n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
        log.read(n % ITEMS)
    });
}

#[divan::bench]
fn read_ten_thousand(bencher: Bencher<'_, '_>) {
    let log = open(&FULL.fork());
    bencher
        .counter(ItemsCount::new(10_000_u32))
        .bench_local(|| log.read_range(ITEMS / 2, Limits::new(10_000, u32::MAX)).map(|batch| batch.len()));
}

#[divan::bench]
fn replay_batches(bencher: Bencher<'_, '_>) {
    let log = open(&FULL.fork());
    let bytes = |batch: &Batch| batch.iter().map(|(_, item)| item.len()).sum::<usize>();
    bencher.counter(ItemsCount::new(ITEMS)).bench_local(|| {
        log.replay(0).map(|replay| replay.flatten().map(|batch| bytes(&batch)).sum::<usize>())
    });
}

#[divan::bench]
fn replay_items(bencher: Bencher<'_, '_>) {
    let log = open(&FULL.fork());
    bencher
        .counter(ItemsCount::new(ITEMS))
        .bench_local(|| log.items(0).map(|items| items.flatten().map(|item| item.len()).sum::<usize>()));
}
