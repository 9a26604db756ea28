//! Golden bytes of a Raft log: `golden/raft-1.hex`.

use super::{compare, dump, load, path};
use annals_logs::types::Mode;
use annals_tests::native::native;
use annals_tests::raft::{Entry, HardState, LogId, entry, gappy, unpack};
use annals_tests::sim::SimDisk;
use annals_tests::subject::ALL;

const LOG: &str = "golden";

fn id(term: u64, index: u64) -> LogId {
    LogId { term, index }
}

fn hard() -> HardState {
    HardState { term: 3, vote: Some(7), extra: b"extra".to_vec() }
}

/// What is there in the end, boundary and hard state aside.
fn left() -> Vec<Entry> {
    vec![
        entry(3, 4, "four, again"),
        entry(1, 5, vec![0xA5; 5000]),
        entry(3, 6, "six, again"),
        entry(4, 7, "seven, instead"),
        entry(4, 9, ""),
    ]
}

/// Every kind of frame that a Raft log writes, but the footer.
fn small() -> SimDisk {
    let subject = native(SimDisk::new(3));
    let log = subject.open_raft(LOG, &gappy(Mode::Create)).unwrap();
    log.persist(&[entry(1, 1, "one"), entry(1, 2, "two"), entry(1, 3, "")]).unwrap();
    log.persist(&[entry(1, 4, "four"), entry(1, 5, vec![0xA5; 5000])]).unwrap();
    log.persist(&[entry(2, 6, "six"), entry(2, 8, "eight")]).unwrap();
    log.save_hard_state(&HardState { term: 2, ..HardState::default() }).unwrap();
    log.persist(&[entry(2, 3, "three, again"), entry(2, 4, "four, anew")]).unwrap();
    log.persist(&[entry(3, 4, "four, again"), entry(3, 6, "six, again")]).unwrap();
    log.replace_range(7, &[entry(4, 7, "seven, instead"), entry(4, 9, "")]).unwrap();
    log.persist(&[entry(4, 12, "twelve")]).unwrap();
    log.truncate(11).unwrap();
    log.purge(id(2, 3)).unwrap();
    log.save_hard_state(&hard()).unwrap();
    log.close().unwrap();
    subject.disk().fork()
}

#[test]
fn a_small_raft_log_is_written_byte_for_byte_as_ever() {
    compare("raft-1.hex", &dump(&small()));
}

#[test]
fn the_golden_raft_log_is_read_as_ever() {
    let golden = std::fs::read_to_string(path("raft-1.hex")).unwrap();
    for mode in [Mode::ReadOnly, Mode::Open] {
        let subject = native(load(&golden));
        assert_eq!(subject.verify(LOG).unwrap(), vec![]);
        let log = subject.open_raft(LOG, &annals_tests::raft::options(mode)).unwrap();
        assert_eq!(unpack(&log.get_entries(0, 99, ALL).unwrap()), left());
        assert_eq!((log.first_index().unwrap(), log.last_index().unwrap()), (Some(4), 9));
        assert_eq!(log.purge_boundary().unwrap(), Some(id(2, 3)));
        assert_eq!(log.load_hard_state().unwrap(), Some(hard()));
        let info = subject.info(LOG).unwrap();
        assert_eq!((info.clean || mode == Mode::Open, info.items, info.oldest), (true, 5, Some(4)));
    }
}
