//! Golden bytes of a change log: `golden/change-log-1.hex`.

use super::{compare, dump, load, path};
use annals_logs::types::{Limits, Mode};
use annals_tests::native::native;
use annals_tests::sim::SimDisk;

const LOG: &str = "golden";

/// Every kind of item and cell that a change log writes.
fn changes() -> SimDisk {
    use annals_tests::change_log::{Change, named};
    let subject = native(SimDisk::new(3));
    let open = |name| subject.open_change_log(LOG, &named(Mode::OpenOrCreate, name)).unwrap();
    let change =
        |payload: &[u8]| Change { payload: payload.into(), cleanup_after_ms: Some(1_800_000_000_000) };
    let (dead, left) = (open("dead"), open("left"));
    dead.record(b"one", &change(b"first")).unwrap();
    dead.record(b"two", &Change { cleanup_after_ms: None, ..change(b"") }).unwrap();
    assert!(dead.remove(None, b"one").unwrap());
    left.record(b"three", &change(&[0xA5; 5000])).unwrap();
    left.close().unwrap();
    let log = open("log");
    assert_eq!(log.recover(u64::MAX).unwrap().len(), 1);
    dead.close().unwrap();
    // The second one begins another file; what is outstanding moves there, and the first file goes.
    log.record(b"filling", &change(&[1; 58_000])).unwrap();
    log.record(b"filling", &change(&[2; 8000])).unwrap();
    log.record(b"filling", &change(b"short")).unwrap();
    log.close().unwrap();
    subject.disk().fork()
}

#[test]
fn a_change_log_is_written_byte_for_byte_as_ever() {
    compare("change-log-1.hex", &dump(&changes()));
}

#[test]
fn the_golden_change_log_is_read_as_ever() {
    let golden = std::fs::read_to_string(path("change-log-1.hex")).unwrap();
    let subject = native(load(&golden));
    assert_eq!(subject.verify(LOG).unwrap(), vec![]);
    let names = |log: &dyn annals_tests::change_log::ChangeLogSubject| -> Vec<(String, Vec<u8>, usize)> {
        let reader = log.scan(true).unwrap();
        let found = reader.next(Limits { count: 100, bytes: 1 << 20 }).unwrap().unwrap();
        found.into_iter().map(|o| (o.origin, o.id, o.change.payload.len())).collect()
    };
    let wanted = [("dead", &b"two"[..], 0), ("left", b"three", 5000), ("log", b"filling", 5)];
    let wanted = wanted.map(|(origin, id, len)| (origin.to_string(), id.to_vec(), len)).to_vec();
    let looking = annals_tests::change_log::options(Mode::ReadOnly);
    assert_eq!(names(&*subject.open_change_log(LOG, &looking).unwrap()), wanted);
    let log = subject.open_change_log(LOG, &annals_tests::change_log::named(Mode::Open, "log")).unwrap();
    log.recover(0).unwrap();
    assert_eq!(names(&*log), wanted);
}
