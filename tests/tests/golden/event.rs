//! Golden bytes of an event log: `golden/event-log-1.hex`.

use super::{compare, dump, load, path};
use annals_logs::types::{Limits, Mode};
use annals_tests::event::subject as event;
use annals_tests::native::native;
use annals_tests::sim::SimDisk;

const LOG: &str = "golden";

/// Every kind of frame an event log writes, over two files.
fn events() -> SimDisk {
    let subject = native(SimDisk::new(3));
    let options = event::Options { rotate_at: Some(1 << 16), ..event::options(Mode::Create) };
    let log = subject.events().open(LOG, &options).unwrap();
    log.append_with_id(3, b"three").unwrap();
    log.append_batch_with_ids(5, &[b"five", b"", &[0xA5; 5000]]).unwrap();
    log.append_with_id(4, b"late").unwrap();
    log.append_with_id(9, b"nine").unwrap();
    log.append_batch_with_ids(7, &[&[0xA5; 5000], b"eight", b"nine", b"ten"]).unwrap();
    assert_eq!(log.delete_range(4, 5).unwrap(), 2);
    log.rotate().unwrap();
    log.append_with_id(1, b"one").unwrap();
    log.close().unwrap();
    let waiting = event::Options { policy: event::Policy::Buffered, ..event::options(Mode::Open) };
    let log = subject.events().open(LOG, &waiting).unwrap();
    log.append_with_id(20, b"twenty").unwrap();
    log.append_with_id(22, b"twenty-two").unwrap();
    log.close().unwrap();
    subject.disk().fork()
}

#[test]
fn an_event_log_is_written_byte_for_byte_as_ever() {
    compare("event-log-1.hex", &dump(&events()));
}

#[test]
fn the_golden_event_log_is_read_as_ever() {
    let golden = std::fs::read_to_string(path("event-log-1.hex")).unwrap();
    let disk = load(&golden);
    let archive = native(disk.fork()).events().open_archive(&disk.file_names()[0]).unwrap();
    let all = Limits { count: 100, bytes: 1 << 20 };
    assert_eq!(archive.next(all).unwrap().unwrap().ids, [3, 6, 7, 8, 9, 10]);
    for mode in [Mode::ReadOnly, Mode::Open] {
        let subject = native(disk.fork());
        assert_eq!(subject.verify(LOG).unwrap(), vec![]);
        let log = subject.events().open(LOG, &event::options(mode)).unwrap();
        assert_eq!(log.next_event_id().unwrap(), 23);
        let items = log.iterate(0, None).unwrap().next(all).unwrap().unwrap();
        assert_eq!(items.ids, [1, 3, 6, 7, 8, 9, 10, 20, 22]);
        assert_eq!(log.get(8).unwrap().unwrap(), b"eight");
        assert_eq!(log.get(4).unwrap(), None);
    }
}
