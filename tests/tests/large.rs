//! Opening costs the same however large the log is. Items of zeros make large logs cheap on the sparse disk.

#[path = "large/raft.rs"]
mod raft;

use annals_logs::types::Mode;
use annals_tests::native::native;
use annals_tests::sim::{Crash, SimDisk};
use annals_tests::subject::{Options, options};
use std::io::{Write, stdout};

/// One mebibyte: the most that opening a cleanly closed log may read.
const MOST: u64 = 1 << 20;

/// A journal of `batches` batches of `count` items of `len` zeros.
fn journal(disk: &SimDisk, segment: u64, batches: u64, count: u32, len: u32) -> u64 {
    let subject = native(disk.clone());
    let large = Options {
        mode: Mode::Create,
        items_per_section: Some(1 << 40),
        segment_bytes: Some(segment),
        ..Options::default()
    };
    let journal = subject.open("large", &large).unwrap();
    let ends: Vec<u32> = (1..=count).map(|item| item * len).collect();
    let bytes = vec![0; (count * len) as usize];
    for batch in 0..batches {
        assert_eq!(journal.append_packed(&ends, &bytes).unwrap(), batch * u64::from(count));
    }
    journal.close().unwrap();
    batches * u64::from(count)
}

fn opens_cheaply(disk: &SimDisk, size: u64, len: usize) {
    for mode in [Mode::Open, Mode::ReadOnly] {
        let subject = native(disk.fork());
        let journal = subject.open("large", &options(mode)).unwrap();
        let read = subject.disk().counters().bytes_read;
        let _ = writeln!(stdout(), "{} bytes, {mode:?}: {read} bytes read", disk.used());
        assert!(read <= MOST, "{mode:?} of {} bytes read {read}", disk.used());
        assert_eq!(journal.size().unwrap(), size);
        for position in [0, size / 3, size - 1] {
            assert_eq!(journal.read(position).unwrap(), vec![0; len]);
        }
        drop(journal);
    }
}

#[test]
fn a_clean_journal_of_ten_million_items_opens_reading_at_most_a_mebibyte() {
    let disk = SimDisk::new(1);
    let size = journal(&disk, 16 << 20, 20, 500_000, 100);
    assert_eq!(size, 10_000_000);
    opens_cheaply(&disk, size, 100);
}

#[test]
fn a_clean_journal_of_segments_of_a_gigabyte_opens_reading_at_most_a_mebibyte() {
    let gigabytes = if std::env::var_os("ANNALS_FULL").is_some() { 100 } else { 10 };
    let disk = SimDisk::new(1);
    let size = journal(&disk, 1 << 30, gigabytes * 16, 4, 16 << 20);
    assert!(disk.used() >= gigabytes << 30);
    opens_cheaply(&disk, size, 16 << 20);
}

#[test]
fn after_a_crash_opening_reads_the_newest_segment_once_more() {
    let disk = SimDisk::new(1);
    let size = journal(&disk, 16 << 20, 20, 50_000, 100);
    let subject = native(disk.clone());
    let journal = subject.open("large", &options(Mode::Open)).unwrap();
    for number in 0..40 {
        let item = vec![number | 1; 100_000];
        journal.append_batch(&[&item]).unwrap();
        journal.sync_data().unwrap();
    }
    let after = native(disk.reboot(Crash::Process));
    let journal = after.open("large", &options(Mode::Open)).unwrap();
    let read = after.disk().counters().bytes_read;
    assert_eq!(journal.size().unwrap(), size + 40);
    let newest = after.disk().file_names().pop().unwrap();
    let newest = after.disk().file_size(&newest);
    let _ = writeln!(stdout(), "newest segment of {newest} bytes: {read} bytes read");
    assert!(read <= MOST + newest, "{read} bytes read, the newest segment has {newest}");
}
