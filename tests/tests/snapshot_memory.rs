//! With values on disk the memory holds keys and positions only: everything that goes through a fold ten times as large
//! as a limit stays within the limit.
//!
//! The simulated disk is memory too. What it holds is subtracted: it is known by what the files have.

use annals_logs::types::{Limits, Mode};
use annals_tests::native::native;
use annals_tests::sim::SimDisk;
use annals_tests::subject::Subject;
use annals_tests::subject::snapshot::{Options, Update};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, counting.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it passes everything on.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(now, Relaxed);
        // SAFETY: as for this function.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as for this function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// The cache of verified blocks has 8 MiB of it.
const LIMIT: usize = 12 << 20;
const VALUE: usize = 50_000;
const COUNT: u32 = 2700;
const LOG: &str = "large";

/// Runs something, and panics if it needs more memory than the limit besides what `kept` more it leaves on the disk.
fn within_limit<T>(what: &str, kept: usize, run: impl FnOnce() -> T) -> T {
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    let out = run();
    let most = MOST.load(Relaxed).saturating_sub(before);
    println!("{what}: {most} bytes at most, {kept} may be the disk's");
    assert!(most < LIMIT + kept, "{what}: {most} bytes");
    out
}

fn options(mode: Mode) -> Options {
    Options { mode, values_on_disk: true, compact_at: Some(u64::MAX), ..Options::default() }
}

fn iterate(subject: &dyn Subject, mode: Mode) {
    let snapshot = subject.snapshots().open(LOG, &options(mode)).unwrap();
    let range = snapshot.range(b"").unwrap();
    let (mut count, mut bytes) = (0, 0);
    while let Some(entries) = range.next(Limits { count: 100, bytes: 500_000 }).unwrap() {
        for (_, value, _) in entries.iter() {
            (count, bytes) = (count + 1, bytes + value.len());
        }
    }
    assert_eq!(count, COUNT);
    assert!(bytes > 10 * LIMIT, "{bytes}");
}

#[test]
fn a_fold_of_ten_times_the_limit_is_opened_iterated_and_exported_within_the_limit() {
    let subject = native(SimDisk::new(1));
    let snapshot = subject.snapshots().open(LOG, &options(Mode::Create)).unwrap();
    // In an order that is not that of the keys.
    for number in 0..COUNT {
        let key = (number.wrapping_mul(7919) % COUNT).to_be_bytes();
        let value = vec![number as u8; VALUE];
        snapshot.apply(&[Update::Put { key: &key, value: &value, version: b"v" }], b"c").unwrap();
    }
    drop(snapshot);
    for mode in [Mode::Open, Mode::ReadOnly] {
        within_limit("opening and iterating", 0, || iterate(&*subject, mode));
    }
    let size = COUNT as usize * (VALUE + 100);
    let snapshot =
        within_limit("opening", 0, || subject.snapshots().open(LOG, &options(Mode::Open)).unwrap());
    // The simulated disk keeps a sector that is not yet synced twice.
    within_limit("compacting", 2 * size + (2 << 20), || snapshot.compact().unwrap());
    within_limit("iterating after compaction", 0, || iterate(&*subject, Mode::ReadOnly));
    let mut files = 0;
    within_limit("exporting", 0, || {
        let export = snapshot.export().unwrap();
        while let Some(chunk) = export.next(200_000).unwrap() {
            files += chunk.bytes.len();
        }
        assert_eq!(export.manifest().unwrap().files.len(), 1 + files.div_ceil(64 << 20));
    });
    assert!(files > 10 * LIMIT);
}
