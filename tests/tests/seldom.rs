//! What happens seldom or never by accident, on the native library: frames whose checks are right and whose contents are
//! not, other versions of the format, ends of what can be counted. `tests/coverage` found that nothing else comes here.

use annals_logs::error::{ArtifactFault, Error, Token};
use annals_logs::format::frame::{FrameHeader, Kind};
use annals_logs::format::names;
use annals_logs::format::segment::SegmentHeader;
use annals_logs::types::{Limits, Mode};
use annals_tests::change_log;
use annals_tests::event::subject as event;
use annals_tests::fuzz::forge::{self, Frames};
use annals_tests::native::native;
use annals_tests::raft;
use annals_tests::sim::{Call, Crash, Fault, SimDisk};
use annals_tests::subject::snapshot::{self, ArtifactFile, Manifest, Update};
use annals_tests::subject::{ALL, Options, options};

const LOG: &str = "seldom";

type Frame = (FrameHeader, Vec<u8>);

/// The same disk with one frame changed, all checks put right again.
fn forged(disk: &SimDisk, which: impl Fn(&FrameHeader) -> bool, change: impl Fn(&mut Frame)) -> SimDisk {
    let copy = disk.fork();
    let mut changed = 0;
    for mut file in Frames::of(&copy) {
        for frame in file.frames.iter_mut().filter(|(header, _)| which(header)).take(1) {
            change(frame);
            changed += 1;
        }
        file.write(&copy, false);
    }
    assert_eq!(changed, 1, "one frame is changed");
    copy
}

fn put_u32(payload: &mut [u8], at: usize, value: u32) {
    payload[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn is_damaged<T>(outcome: Result<T, Error>, what: &str) {
    match outcome {
        Err(Error::Damaged(_)) => {}
        Err(error) => panic!("{what}: {error:?}"),
        Ok(_) => panic!("{what}: it is served"),
    }
}

/// A journal with one batch of three items, compressed if asked for.
fn journal(compression: bool) -> SimDisk {
    let subject = native(SimDisk::new(1));
    let made = Options { compression: Some(compression), ..options(Mode::Create) };
    let log = subject.open(LOG, &made).unwrap();
    log.append_batch(&[b"one", b"two", &[7; 3000]]).unwrap();
    log.close().unwrap();
    subject.disk().fork()
}

#[test]
fn items_whose_ends_go_back_are_damage_although_their_checks_are_right() {
    let disk = journal(false);
    for (what, at, end) in [("goes back", 4, 2), ("lies behind the frame", 8, 4000)] {
        let bad = forged(&disk, |h| h.kind == Kind::Append, |frame| put_u32(&mut frame.1, at, end));
        let log = native(bad).open(LOG, &options(Mode::ReadOnly)).unwrap();
        is_damaged(log.read(at as u64 / 4), what);
    }
}

#[test]
fn compressed_bytes_that_are_none_are_damage_although_their_checks_are_right() {
    let disk = journal(true);
    for (what, change) in [
        ("a smaller size", &(|frame: &mut Frame| frame.0.decoded -= 1) as &dyn Fn(&mut Frame)),
        ("a larger size", &|frame: &mut Frame| frame.0.decoded += 1),
        ("no such thing", &|frame: &mut Frame| frame.1.fill(0xFF)),
    ] {
        let subject = native(forged(&disk, |h| h.kind == Kind::Append && h.codec == 1, change));
        let log = subject.open(LOG, &options(Mode::ReadOnly)).unwrap();
        is_damaged(log.read(0), what);
    }
    let file = disk.file_names().remove(0);
    let frame = native(disk.fork()).frames(&file).unwrap().into_iter().find(|f| f.kind == "append").unwrap();
    let flipped = disk.fork();
    flipped.flip_bit(&file, (frame.offset + 150) * 8);
    is_damaged(native(flipped).open(LOG, &options(Mode::ReadOnly)).unwrap().read(0), "a flipped bit");
}

#[test]
fn listed_ids_that_do_not_ascend_are_damage_although_their_checks_are_right() {
    let subject = native(SimDisk::new(1));
    let log = subject.events().open(LOG, &event::options(Mode::Create)).unwrap();
    log.append_with_id(2, b"two").unwrap();
    log.append_with_id(9, b"nine").unwrap();
    log.append_batch_with_ids(1, &[b"one", b"two", b"three"]).unwrap();
    drop(log);
    let disk = subject.disk().fork();
    // One and three are new: listed, among others.
    for id in [0u64, 3, 50] {
        let bad =
            forged(&disk, FrameHeader::scattered, |frame| frame.1[8..16].copy_from_slice(&id.to_le_bytes()));
        let subject = native(bad);
        assert!(!subject.verify(LOG).unwrap().is_empty(), "{id}");
        is_damaged(subject.events().open(LOG, &event::options(Mode::Open)), "for writing");
        let log = subject.events().open(LOG, &event::options(Mode::ReadOnly)).unwrap();
        assert_ne!(log.get(1), Ok(Some(b"three".to_vec())));
        assert_ne!(log.get(3), Ok(Some(b"one".to_vec())));
    }
}

#[test]
fn an_entry_without_a_term_is_damage() {
    let subject = native(SimDisk::new(1));
    let log = subject.open_raft(LOG, &raft::options(Mode::Create)).unwrap();
    log.persist(&[raft::entry(1, 1, *b"one")]).unwrap();
    log.close().unwrap();
    let bad = forged(
        subject.disk(),
        |h| h.kind == Kind::Append,
        |frame| {
            frame.1.truncate(7);
            put_u32(&mut frame.1, 0, 3);
        },
    );
    let log = native(bad).open_raft(LOG, &raft::options(Mode::ReadOnly)).unwrap();
    is_damaged(log.entry(1), "an entry of three bytes");
}

#[test]
fn items_of_a_snapshot_that_make_no_sense_are_damage() {
    let subject = native(SimDisk::new(1));
    let made = snapshot::Options { mode: Mode::Create, ..snapshot::Options::default() };
    let log = subject.snapshots().open(LOG, &made).unwrap();
    let put = |key, value| Update::Put { key, value, version: b"" };
    log.apply(&[put(b"a", b"1"), put(b"b", b"2")], b"c").unwrap();
    log.compact().unwrap();
    log.apply(&[put(b"d", b"3")], b"e").unwrap();
    log.apply(&[put(b"d", b"4"), put(b"e", b"4"), put(b"f", b"4")], b"g").unwrap();
    log.close().unwrap();
    let disk = subject.disk().fork();
    let opened = |mode| snapshot::Options { mode, ..snapshot::Options::default() };
    // Where items start; the fourth byte of one is its kind: 1 cursor, 2 fold, 3 entry, 4 put.
    let item = |frame: &Frame, number: usize| {
        let list = frame.0.lists() as usize;
        let ends = &frame.1[..list];
        match number {
            0 => list,
            _ => list + u32::from_le_bytes(ends[4 * number - 4..4 * number].try_into().unwrap()) as usize,
        }
    };
    let piece = |h: &FrameHeader| h.kind == Kind::Append && h.count == 3;
    let batch = |h: &FrameHeader| h.kind == Kind::Append && h.count == 2;
    let last_batch = |h: &FrameHeader| h.kind == Kind::Append && h.count == 4;
    let set = |number: usize, from: u8, to: u8| {
        move |frame: &mut Frame| {
            let at = item(frame, number) + 3;
            assert_eq!(frame.1[at], from);
            frame.1[at] = to;
        }
    };
    type Change<'a> = &'a dyn Fn(&mut Frame);
    type Which<'a> = &'a dyn Fn(&FrameHeader) -> bool;
    let cases: [(&str, Which<'_>, Change<'_>); 6] = [
        ("an unknown kind", &batch, &set(1, 4, 99)),
        ("no cursor first", &batch, &set(0, 1, 4)),
        ("an entry of a fold in a batch", &batch, &set(1, 4, 3)),
        ("a put in a fold", &piece, &set(1, 3, 4)),
        ("a piece of a fold behind a batch", &last_batch, &set(0, 1, 2)),
        ("keys of a fold that go back", &piece, &|frame| {
            let (from, to) = (item(frame, 1), item(frame, 2));
            let (first, next) = (frame.1[from..to].to_vec(), frame.1[to..2 * to - from].to_vec());
            frame.1[from..to].copy_from_slice(&next);
            frame.1[to..2 * to - from].copy_from_slice(&first);
        }),
    ];
    for (what, which, change) in cases {
        let bad = forged(&disk, which, change);
        is_damaged(native(bad.fork()).snapshots().open(LOG, &opened(Mode::Open)), what);
        // To look at it does not panic, and shows no key that was not there.
        if let Ok(log) = native(bad).snapshots().open(LOG, &opened(Mode::ReadOnly)) {
            for key in [b"a", b"b", b"d"] {
                if let Ok(Some(entry)) = log.get(key) {
                    assert!([b"1", b"2", b"3", b"4"].iter().any(|value| **value == *entry.value), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_change_that_makes_no_sense_is_damage_and_hides_no_other() {
    let subject = native(SimDisk::new(1));
    let change = |payload: &[u8]| change_log::Change { payload: payload.to_vec(), cleanup_after_ms: None };
    let log = subject.open_change_log("changes", &change_log::named(Mode::Create, "a")).unwrap();
    for id in [b"1", b"2", b"3"] {
        log.record(id, &change(id)).unwrap();
    }
    drop(log);
    // The first byte behind the list of one item says what kind it is.
    let bad = forged(
        subject.disk(),
        |h| h.kind == Kind::Append && h.first == 1,
        |frame| {
            let at = frame.0.lists() as usize;
            frame.1[at] = 0xEE;
        },
    );
    // The cell names a frame whose chain value is another one now: that is damage too, and comes first.
    let subject = native(bad);
    let log = subject.open_change_log("changes", &change_log::named(Mode::Open, "b")).unwrap();
    let recovered = log.recover(0).unwrap();
    assert_eq!(recovered.len(), 1);
    assert!(recovered[0].damaged.is_some() && recovered[0].changes == 2, "{recovered:?}");
    let found: Vec<bool> =
        [b"1", b"2", b"3"].map(|id| log.get(Some("a"), id).unwrap().is_some()).into_iter().collect();
    assert_eq!(found, [true, false, true]);
}

#[test]
fn options_that_make_no_sense_are_told() {
    let disk = forged(
        &journal(false),
        |h| h.kind == Kind::Header,
        |frame| {
            let place = SegmentHeader::place_of(&frame.1).unwrap();
            let mut header = SegmentHeader::decode(&frame.1, place).unwrap();
            header.options[0] = 0; // items in a section
            frame.1 = header.encode();
        },
    );
    assert!(matches!(native(disk).open(LOG, &options(Mode::Open)), Err(Error::Other(_))));
}

/// Makes the header of a frame one of version 2, with a CRC that is right.
fn of_version_2(disk: &SimDisk, offset: u64) -> SimDisk {
    let copy = disk.fork();
    let file = copy.file_names().remove(0);
    let mut header: Vec<u8> = copy.file_bytes(&file)[offset as usize..offset as usize + 144].to_vec();
    header[1] = 2;
    let crc = forge::crc(&header[..136]);
    header[136..140].copy_from_slice(&crc);
    copy.overwrite(&file, offset, &header);
    copy
}

#[test]
fn a_later_version_is_named_wherever_it_begins() {
    let subject = native(SimDisk::new(1));
    let log = subject.open(LOG, &options(Mode::Create)).unwrap();
    log.append(b"one").unwrap();
    log.flush().unwrap();
    let disk = subject.disk().fork();
    let file = disk.file_names().remove(0);
    let frames = subject.frames(&file).unwrap();
    for frame in frames {
        let newer = of_version_2(&disk, frame.offset);
        assert_eq!(
            native(newer).open(LOG, &options(Mode::Open)).err(),
            Some(Error::UnknownFormat(2)),
            "{frame:?}"
        );
    }
}

#[test]
fn a_header_that_says_nothing_is_damage_although_its_checks_are_right() {
    let subject = native(SimDisk::new(1));
    let log = subject.events().open(LOG, &event::options(Mode::Create)).unwrap();
    log.append_with_id(1, b"one").unwrap();
    let file = log.rotate().unwrap();
    let bad = forged(
        subject.disk(),
        |h| h.kind == Kind::Header && h.number == 1,
        |frame| frame.1.iter_mut().skip(1).for_each(|byte| *byte = 0xFF),
    );
    let subject = native(bad);
    // By its name it is known where its frames stand.
    let archive = subject.events().open_archive(&file).unwrap();
    is_damaged(archive.next(ALL), "the frame behind it");
    assert_eq!(archive.next(ALL), Ok(None));
    let found = subject.verify(LOG).unwrap();
    assert!(found.iter().any(|damage| damage.file == file && damage.offset == 0), "{found:?}");
}

#[test]
fn a_token_of_no_frame_is_in_no_history() {
    let subject = native(SimDisk::new(1));
    let token = subject.open(LOG, &options(Mode::Create)).unwrap().close().unwrap();
    let expect = Some(Token { frame: 0, ..token });
    let refused = subject.open(LOG, &Options { expect, ..options(Mode::Open) });
    assert!(matches!(refused, Err(Error::RolledBack(last)) if last == token));
    let log = subject.open_change_log("changes", &change_log::named(Mode::Create, "a")).unwrap();
    let token = log.close().unwrap();
    let opened = |mode, name| change_log::Options {
        expect: Some(Token { frame: 0, ..token }),
        ..change_log::named(mode, name)
    };
    assert!(matches!(
        subject.open_change_log("changes", &opened(Mode::Open, "a")),
        Err(Error::RolledBack(_))
    ));
    // Where a token is expected there must be a log.
    assert_eq!(
        subject.open_change_log("none", &opened(Mode::OpenOrCreate, "a")).err(),
        Some(Error::NotFound)
    );
}

#[test]
fn the_last_position_is_the_last_one() {
    let subject = native(SimDisk::new(1));
    let made = Options { start_at: Some(u64::MAX - 2), ..options(Mode::Create) };
    let log = subject.open(LOG, &made).unwrap();
    assert!(matches!(log.append_batch(&[b"one", b"two"]), Err(Error::InvalidArgument(_))));
    assert_eq!(log.append(b"last"), Ok(u64::MAX - 2));
    assert!(matches!(log.append(b"more"), Err(Error::InvalidArgument(_))));
    log.close().unwrap();
    let log = subject.open(LOG, &options(Mode::Open)).unwrap();
    assert_eq!((log.read(u64::MAX - 2), log.size()), (Ok(b"last".to_vec()), Ok(u64::MAX - 1)));
    let looking = Options { start_at: Some(1), ..options(Mode::ReadOnly) };
    assert!(matches!(subject.open(LOG, &looking), Err(Error::InvalidArgument(_))));
}

#[test]
fn everything_unpromised_is_written_again_however_much_it_is() {
    let subject = native(SimDisk::new(1));
    let made = Options { segment_bytes: Some(64 << 20), sync_sections: Some(false), ..options(Mode::Create) };
    let log = subject.open(LOG, &made).unwrap();
    log.sync().unwrap();
    let items: Vec<Vec<u8>> = (0..12u8).map(|number| vec![number + 1; 700_000]).collect();
    for item in &items {
        log.append_batch(&[item]).unwrap();
    }
    // A sync fails: what was written can be read, counts as written back, and is not on the disk.
    subject.disk().inject(Fault::next(Call::Sync));
    assert!(log.sync_data().is_err());
    drop(log);
    // Another process opens the log, then the power goes: what the open reported is durable.
    let disk = subject.disk().reboot(Crash::Process);
    let log = native(disk.clone()).open(LOG, &options(Mode::Open)).unwrap();
    let reported = log.size().unwrap();
    assert_eq!(reported, 12);
    let disk = disk.reboot(Crash::LOSE_ALL);
    let log = native(disk).open(LOG, &options(Mode::Open)).unwrap();
    assert_eq!(log.size(), Ok(reported));
    for (position, item) in (0..).zip(&items) {
        assert!(log.read(position).is_ok_and(|read| read == *item), "{position}");
    }
}

#[test]
fn an_artifact_is_taken_in_the_order_of_its_files_and_in_any_pieces() {
    let subject = native(SimDisk::new(1));
    let made = snapshot::Options { mode: Mode::Create, ..snapshot::Options::default() };
    let log = subject.snapshots().open(LOG, &made).unwrap();
    let long = [7; 300];
    let put = |key, value| Update::Put { key, value, version: b"v" };
    log.apply(&[put(b"a", b"1"), put(b"b", &long), put(b"c", b"")], b"cursor").unwrap();
    let export = log.export().unwrap();
    let (mut parts, mut files) = (Vec::new(), Vec::new());
    while let Some(chunk) = export.next(1 << 20).unwrap() {
        parts.push((chunk.path, chunk.bytes));
    }
    let manifest = export.manifest().unwrap();
    files.extend(manifest.files.iter().map(|file| file.path.clone()));
    let import = |name: &str, size: usize| {
        let writer = subject.snapshots().import(name, &manifest, None).unwrap();
        for (path, bytes) in &parts {
            for piece in bytes.chunks(size) {
                writer.write(path, piece)?;
            }
        }
        // Of a file that is whole nothing more is taken, but nothing at all may be given.
        writer.write(&files[0], b"")?;
        assert_eq!(writer.write(&files[0], b"x"), Err(Error::Artifact(ArtifactFault::Size)));
        writer.finish()
    };
    for size in 1..=40 {
        // What was refused ends the import.
        let _ = import("refused", size);
        let name = format!("of-{size}");
        let writer = subject.snapshots().import(&name, &manifest, None).unwrap();
        for (path, bytes) in &parts {
            bytes.chunks(size).for_each(|piece| writer.write(path, piece).unwrap());
        }
        writer.finish().unwrap();
        let copy = subject
            .snapshots()
            .open(&name, &snapshot::Options { mode: Mode::Open, ..Default::default() })
            .unwrap();
        assert_eq!(copy.get(b"b").unwrap().map(|entry| entry.value), Some(long.to_vec()), "{size}");
    }
    // Bytes that are no entries, or not in order, with the hash that belongs to them.
    let entry = |key: u8| [&[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0][..], &[key, b'x']].concat();
    let unordered = [entry(b'b'), entry(b'a'), entry(b'c')].concat();
    for nonsense in [&[0xFF; 40][..], &[1, 0, 0, 0], &parts.last().unwrap().1[..20], &unordered] {
        let mut lying: Manifest = manifest.clone();
        let last = lying.files.last_mut().unwrap();
        *last = ArtifactFile {
            size: nonsense.len() as u64,
            blake3: blake3::hash(nonsense).as_bytes().to_vec(),
            ..last.clone()
        };
        let writer = subject.snapshots().import("lying", &lying, None).unwrap();
        let (last, first) = parts.split_last().unwrap();
        first.iter().for_each(|(path, bytes)| writer.write(path, bytes).unwrap());
        let size = if nonsense.len() == unordered.len() { 20 } else { 7 };
        let wrote = nonsense.chunks(size).try_for_each(|piece| writer.write(&last.0, piece));
        let refused = wrote.and_then(|()| writer.finish().map(drop));
        assert_eq!(refused, Err(Error::Artifact(ArtifactFault::Manifest)));
        assert_eq!(subject.disk().cell_value(&names::root("lying")), None, "a refused import leaves no log");
    }
}

#[test]
fn reading_with_a_limit_of_one_at_the_end_is_no_damage() {
    let subject = native(journal(false));
    let log = subject.open(LOG, &options(Mode::ReadOnly)).unwrap();
    let one = Limits { count: 1, bytes: 1 };
    assert_eq!(log.read_range(2, one).unwrap().ends.len(), 1);
    assert_eq!(log.read_range(3, ALL).unwrap().ends.len(), 0);
}
