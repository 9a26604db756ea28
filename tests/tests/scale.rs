//! The cost of opening does not grow with the log: bytes read from storage are counted, not timed.

use annals_logs::types::{Limits, Mode};
use annals_tests::native::native;
use annals_tests::sim::SimDisk;
use annals_tests::subject::{Options, Subject};

const LOG: &str = "big";

/// A journal of `batches` frames of `count` items of `bytes` zeros (so that the simulated disk stays small), closed.
fn closed(batches: u64, count: usize, bytes: usize) -> Box<dyn Subject> {
    let subject = native(SimDisk::new(annals_tests::seed(1)));
    let fixed = Options { sync_sections: Some(false), mode: Mode::Create, ..Options::default() };
    let journal = subject.open(LOG, &fixed).unwrap();
    let ends: Vec<u32> = (1..=count).map(|n| (n * bytes) as u32).collect();
    let zeros = vec![0; count * bytes];
    for batch in 0..batches {
        assert_eq!(journal.append_packed(&ends, &zeros).unwrap(), batch * count as u64);
    }
    journal.close().unwrap();
    subject
}

fn opens_within_a_mebibyte(subject: &dyn Subject, items: u64) {
    for mode in [Mode::ReadOnly, Mode::Open] {
        let disk = subject.disk();
        disk.reset_counters();
        let journal = subject.open(LOG, &Options { mode, ..Options::default() }).unwrap();
        let counters = disk.counters();
        println!("{mode:?}: {} bytes read to open {} bytes", counters.bytes_read, disk.used());
        assert!(counters.bytes_read <= 1 << 20, "{} bytes read", counters.bytes_read);
        assert_eq!(journal.size().unwrap(), items);
        // An item from anywhere costs little more.
        for position in [0, items / 3, items - 1] {
            disk.reset_counters();
            let batch = journal.read_range(position, Limits { count: 1, bytes: 1 }).unwrap();
            assert_eq!(batch.ends.len(), 1);
            assert!(disk.counters().bytes_read <= 2 << 20, "{} bytes", disk.counters().bytes_read);
        }
    }
}

#[test]
fn a_closed_journal_of_ten_million_items_opens_within_a_mebibyte() {
    let subject = closed(10_000, 1000, 100);
    assert!(subject.disk().used() > 1_000_000_000);
    opens_within_a_mebibyte(&*subject, 10_000_000);
}

#[test]
fn a_closed_journal_of_ten_gigabytes_opens_within_a_mebibyte() {
    let subject = closed(1250, 8, 1_000_000);
    assert!(subject.disk().used() > 10_000_000_000);
    opens_within_a_mebibyte(&*subject, 10_000);
}

#[test]
fn a_crashed_journal_is_read_from_its_newest_segment_only() {
    let subject = closed(1000, 1000, 100);
    let disk = subject.disk();
    let journal = subject.open(LOG, &Options { mode: Mode::Open, ..Options::default() }).unwrap();
    journal.append_batch(&[&[0; 100]]).unwrap();
    journal.sync_data().unwrap();
    let after = subject.on(disk.reboot(annals_tests::sim::Crash::LOSE_ALL));
    after.disk().reset_counters();
    let journal = after.open(LOG, &Options { mode: Mode::Open, ..Options::default() }).unwrap();
    assert_eq!(journal.size().unwrap(), 1_000_001);
    let read = after.disk().counters().bytes_read;
    // The segment, zeros ahead included, and what every open reads.
    println!("{read} bytes read after a crash");
    assert!(read <= (16 << 20) + (4 << 20) + (1 << 20), "{read} bytes read");
}
