//! Golden bytes of format version 1: what was written once must be written so, and be readable, for ever.
//!
//! `golden/journal-1.hex` holds every byte of a small journal, written with a fixed seed and clock: a line `file NAME` or
//! `cell NAME`, then its bytes as hexadecimal digits. If a change of the format is meant, the version changes and a new
//! file joins this one. `ANNALS_BLESS=1` writes the files, for a new version only.

#[path = "golden/change.rs"]
mod change;
#[path = "golden/event.rs"]
mod event;
#[path = "golden/raft.rs"]
mod raft;

use annals_logs::journal::Options;
use annals_logs::types::{Limits, Mode};
use annals_tests::native::native;
use annals_tests::sim::SimDisk;
use annals_tests::subject::options;
use annals_tests::subject::snapshot::{self, Update};
use std::fmt::Write;
use std::path::PathBuf;

const LOG: &str = "golden";

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn dump(disk: &SimDisk) -> String {
    let mut text = String::new();
    let mut part = |kind: &str, name: &str, bytes: &[u8]| {
        writeln!(text, "{kind} {name}").unwrap();
        for line in bytes.chunks(32) {
            let digits: Vec<String> = line.iter().map(|b| format!("{b:02x}")).collect();
            writeln!(text, "{}", digits.concat()).unwrap();
        }
    };
    for name in disk.cell_names() {
        part("cell", &name, &disk.cell_value(&name).unwrap());
    }
    for name in disk.file_names() {
        part("file", &name, &disk.file_bytes(&name));
    }
    text
}

fn load(text: &str) -> SimDisk {
    let disk = SimDisk::new(1);
    let mut current: Option<(bool, String, Vec<u8>)> = None;
    let put = |part: Option<(bool, String, Vec<u8>)>| match part {
        Some((true, name, bytes)) => disk.put_cell(&name, &bytes),
        Some((false, name, bytes)) => {
            disk.put_file(&name, bytes.len() as u64);
            disk.overwrite(&name, 0, &bytes);
        }
        None => {}
    };
    for line in text.lines() {
        if let Some((kind, name)) = line.split_once(' ') {
            put(current.take());
            current = Some((kind == "cell", name.into(), Vec::new()));
        } else if let Some((_, _, bytes)) = &mut current {
            bytes.extend(
                (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()),
            );
        }
    }
    put(current);
    disk
}

/// Every kind of frame a journal writes, but the footer.
fn small() -> SimDisk {
    let subject = native(SimDisk::new(1));
    let fixed = Options { items_per_section: Some(4), segment_bytes: Some(1 << 16), ..options(Mode::Create) };
    let journal = subject.open(LOG, &fixed).unwrap();
    journal.append(b"zero").unwrap();
    journal.append(b"").unwrap();
    journal.append_batch(&[b"two", b"three"]).unwrap();
    journal.append_batch(&[&[0xA5; 5000]]).unwrap();
    journal.sync().unwrap();
    journal.rewind(4).unwrap();
    journal.append(b"again").unwrap();
    assert!(journal.prune(4).unwrap());
    journal.append(b"five").unwrap();
    journal.close().unwrap();
    subject.disk().fork()
}

/// The same with footers: several segments.
fn large() -> SimDisk {
    let subject = native(SimDisk::new(2));
    let fixed = Options { segment_bytes: Some(1 << 16), ..options(Mode::Create) };
    let journal = subject.open(LOG, &fixed).unwrap();
    for i in 0..40u8 {
        journal.append_batch(&[&[i; 3000], &[i; 2000]]).unwrap();
    }
    journal.close().unwrap();
    subject.disk().fork()
}

fn compare(name: &str, text: &str) {
    if std::env::var_os("ANNALS_BLESS").is_some() {
        std::fs::create_dir_all(path("")).unwrap();
        std::fs::write(path(name), text).unwrap();
    }
    let golden = std::fs::read_to_string(path(name)).unwrap();
    let different = golden.lines().zip(text.lines()).position(|(golden, now)| golden != now);
    assert_eq!(different, None, "{name}: first line that differs (from 0)");
    assert_eq!(golden.len(), text.len(), "{name}");
}

#[test]
fn a_small_journal_is_written_byte_for_byte_as_ever() {
    compare("journal-1.hex", &dump(&small()));
}

#[test]
fn footers_and_checkpoints_are_written_byte_for_byte_as_ever() {
    // The first and last bytes of each file: header, and footer or seal. The rest are items.
    let disk = large();
    let mut text = String::new();
    for name in disk.file_names() {
        let bytes = disk.file_bytes(&name);
        let ends = [&bytes[..256], &bytes[bytes.len() - 256..]].concat();
        let digits: Vec<String> = ends.iter().map(|b| format!("{b:02x}")).collect();
        writeln!(text, "{name} {}\n{}", bytes.len(), digits.concat()).unwrap();
    }
    compare("journal-1-segments.hex", &text);
}

#[test]
fn the_golden_journal_is_read_as_ever() {
    let golden = std::fs::read_to_string(path("journal-1.hex")).unwrap();
    for mode in [Mode::ReadOnly, Mode::Open] {
        let subject = native(load(&golden));
        assert_eq!(subject.verify(LOG).unwrap(), vec![]);
        let journal = subject.open(LOG, &options(mode)).unwrap();
        assert_eq!((journal.boundary().unwrap(), journal.size().unwrap()), (4, 6));
        let batch = journal.read_range(4, Limits { count: 10, bytes: 1000 }).unwrap();
        assert_eq!((batch.ends, batch.bytes), (vec![5, 9], b"againfive".to_vec()));
    }
}

/// A small snapshot: each kind of update, a piece of a fold, a batch behind it.
fn small_snapshot() -> SimDisk {
    let subject = native(SimDisk::new(3));
    let made = snapshot::Options {
        mode: Mode::Create,
        segment_bytes: Some(1 << 16),
        ..snapshot::Options::default()
    };
    let log = subject.snapshots().open(LOG, &made).unwrap();
    let put = |key, value, version| Update::Put { key, value, version };
    log.apply(&[put(b"a", b"one", b"1"), put(b"b", b"", b""), put(b"c", &[0xA5; 5000], b"3")], b"first")
        .unwrap();
    log.compact().unwrap();
    let gone = [Update::Delete { key: b"b", version: b"4" }, Update::Purge { key: b"c", version: b"5" }];
    log.apply(&gone, b"second").unwrap();
    log.apply(&[put(b"d", b"two", b"6")], b"").unwrap();
    log.close().unwrap();
    subject.disk().fork()
}

#[test]
fn a_small_snapshot_is_written_byte_for_byte_as_ever() {
    compare("snapshot-1.hex", &dump(&small_snapshot()));
}

#[test]
fn the_golden_snapshot_is_read_and_exported_as_ever() {
    let golden = std::fs::read_to_string(path("snapshot-1.hex")).unwrap();
    for mode in [Mode::ReadOnly, Mode::Open] {
        let subject = native(load(&golden));
        assert_eq!(subject.verify(LOG).unwrap(), vec![]);
        let opened = snapshot::Options { mode, ..snapshot::Options::default() };
        let log = subject.snapshots().open(LOG, &opened).unwrap();
        assert_eq!(log.cursor().unwrap(), b"");
        assert_eq!(log.get(b"a").unwrap().map(|entry| entry.version), Some(b"1".to_vec()));
        let export = log.export().unwrap();
        let mut bytes = Vec::new();
        while let Some(chunk) = export.next(10).unwrap() {
            assert_eq!(chunk.path, "data/entries-00000000");
            bytes.extend(chunk.bytes);
        }
        let entries = b"\x01\0\0\0\x03\0\0\0\x01\0\0\0aone1\x01\0\0\0\x03\0\0\0\x01\0\0\0dtwo6";
        assert_eq!(bytes, entries);
        let manifest = export.manifest().unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&manifest.files[0].blake3[..8]), "af1349b9f5f9a1a6"); // of nothing
        assert_eq!(manifest.files[1].blake3, blake3::hash(entries).as_bytes());
    }
}
