//! Exporting.

use super::kit::*;
use crate::sim::{Call, Fault};
use crate::subject::snapshot::{ArtifactFile, ArtifactReaderSubject, Manifest};

pub(super) const CASES: &[Case] = &[
    case!(equal_folds_export_equal_bytes, "S21"),
    case!(an_export_says_what_it_is, "S22"),
    case!(an_export_knows_its_files_before_it_reads_them, "S22"),
    case!(chunks_keep_their_limit_and_their_file, "H18", "S22"),
    case!(an_export_shows_the_fold_as_of_its_beginning, "S10", "S22"),
    case!(the_manifest_comes_last, "S22"),
    case!(an_empty_fold_is_exported, "S21", "S22"),
    case!(a_large_fold_is_split_into_files_of_bounded_size, "S22", "S20"),
    case!(a_failed_read_of_an_export_can_be_repeated, "D10.5"),
    case!(damage_ends_an_export, "D11.4", "S22"),
];

/// An artifact in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Artifact {
    pub(super) manifest: Manifest,
    pub(super) files: Vec<(String, Vec<u8>)>,
}

/// Reads an export to its end.
pub(super) fn read(export: &dyn ArtifactReaderSubject, most: u32) -> Result<Artifact, String> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let paths = export.files().fine()?;
    for path in &paths {
        files.push((path.path.clone(), Vec::new()));
    }
    let mut at = 0;
    while let Some(chunk) = export.next(most).fine()? {
        ensure!(!chunk.bytes.is_empty() && chunk.bytes.len() <= most.max(1) as usize);
        while files.get(at).is_some_and(|(path, _)| *path != chunk.path) {
            at += 1;
        }
        let file = files.get_mut(at).ok_or("a chunk of another file, or out of order")?;
        file.1.extend(chunk.bytes);
    }
    same(export.next(most).fine()?, None)?;
    for ((_, bytes), path) in files.iter().zip(&paths) {
        same(bytes.len() as u64, path.size)?;
    }
    let manifest = export.manifest().fine()?;
    for (file, (path, bytes)) in manifest.files.iter().zip(&files) {
        let blake3 = blake3::hash(bytes).as_bytes().to_vec();
        same(file, &ArtifactFile { path: path.clone(), size: bytes.len() as u64, blake3 })?;
    }
    same(manifest.files.len(), files.len())?;
    Ok(Artifact { manifest, files })
}

/// Exports a snapshot.
pub(super) fn export(snapshot: &dyn SnapshotSubject) -> Result<Artifact, String> {
    read(&*snapshot.export().fine()?, 10_000)
}

/// The entries as an artifact has them.
pub(super) fn encoded(model: &Fold) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, (value, version)) in &model.entries {
        for part in [key, value, version] {
            bytes.extend((part.len() as u32).to_le_bytes());
        }
        for part in [key, value, version] {
            bytes.extend(part);
        }
    }
    bytes
}

fn equal_folds_export_equal_bytes(subject: &dyn Subject) -> Outcome {
    let mut artifacts = Vec::new();
    for history in 0..6 {
        let side = fork(subject);
        let values_on_disk = history % 2 == 1;
        let snapshot = open_with(&*side, &Options { values_on_disk, ..options(Mode::Create) })?;
        let mut model = Fold::default();
        let numbers: Vec<u64> = if history < 3 { (0..30).collect() } else { (0..30).rev().collect() };
        for number in numbers {
            if history > 1 {
                put_many(&*snapshot, &mut model, (number, number + 3), 5, 100)?;
            }
            put_many(&*snapshot, &mut model, (number, number + 1), 7, 400)?;
            if history == 4 && number == 9 {
                snapshot.compact().fine()?;
            }
        }
        apply(&*snapshot, &mut model, &[delete(&key(30)), delete(&key(31)), delete(&key(32))], "the end")?;
        side.disk().set_now_ms(1000 * history);
        artifacts.push(export(&*snapshot)?);
        let wanted = vec![
            ("data/cursor".to_string(), b"the end".to_vec()),
            ("data/entries-00000000".to_string(), encoded(&model)),
        ];
        let last = artifacts.last().map(|artifact| artifact.files.clone());
        // Deleting 30, 31 and 32 leaves what was put last at 0 to 29.
        ensure!(history > 1 || last == Some(wanted), "history {history}");
    }
    for other in &artifacts[1..2] {
        same(&other.files, &artifacts[0].files)?;
        same(&other.manifest.files, &artifacts[0].manifest.files)?;
    }
    for other in &artifacts[4..] {
        same(&other.files, &artifacts[3].files)?;
    }
    Ok(())
}

fn an_export_says_what_it_is(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 10), 1, 50)?;
    subject.disk().set_now_ms(1_700_000_123_999);
    let artifact = export(&*snapshot)?;
    let Manifest { schema_version, backend, backend_version, cursor, created_at_unix, files } =
        artifact.manifest;
    same((schema_version, backend.as_str(), backend_version.as_str()), (1, "annals-snapshot", "1"))?;
    same((cursor, created_at_unix), (b"at-1".to_vec(), 1_700_000_123))?;
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    same(paths, vec!["data/cursor", "data/entries-00000000"])?;
    same(&artifact.files[1].1, &encoded(&model))
}

fn an_export_knows_its_files_before_it_reads_them(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &on_disk(Mode::Create))?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 20), 1, 3000)?;
    subject.disk().reset_counters();
    let export = snapshot.export().fine()?;
    let files = export.files().fine()?;
    same(subject.disk().counters().bytes_read, 0)?;
    let sizes: Vec<u64> = files.iter().map(|file| file.size).collect();
    same(sizes, vec![4, encoded(&model).len() as u64])
}

fn chunks_keep_their_limit_and_their_file(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 7), 1, 150)?;
    let whole = export(&*snapshot)?;
    for most in [0, 1, 2, 11, 12, 13, 175, 1000, u32::MAX] {
        // `read` checks what each chunk is.
        same(&read(&*snapshot.export().fine()?, most)?.files, &whole.files)?;
    }
    Ok(())
}

fn an_export_shows_the_fold_as_of_its_beginning(subject: &dyn Subject) -> Outcome {
    for values_on_disk in [false, true] {
        let side = fork(subject);
        let snapshot = open_with(&*side, &Options { values_on_disk, ..options(Mode::Create) })?;
        let mut model = Fold::default();
        put_many(&*snapshot, &mut model, (0, 20), 1, 500)?;
        let before = encoded(&model);
        let export = snapshot.export().fine()?;
        let other = snapshot.export().fine()?;
        same(export.next(u32::MAX).fine()?.map(|chunk| chunk.bytes), Some(b"at-1".to_vec()))?;
        let mut found = export.next(700).fine()?.ok_or("an early end")?.bytes;
        put_many(&*snapshot, &mut model, (0, 25), 2, 300)?;
        snapshot.compact().fine()?;
        put_many(&*snapshot, &mut model, (10, 15), 3, 900)?;
        while let Some(chunk) = export.next(700).fine()? {
            found.extend(chunk.bytes);
        }
        ensure!(found == before);
        same(export.manifest().fine()?.cursor, b"at-1".to_vec())?;
        same(&read(&*other, 5000)?.files[1].1, &before)?;
        same(&super::artifact::export(&*snapshot)?.files[1].1, &encoded(&model))?;
    }
    Ok(())
}

fn the_manifest_comes_last(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    snapshot.apply(&[put("a", "1")], b"x").fine()?;
    let export = snapshot.export().fine()?;
    refused!(export.manifest(), Error::InvalidArgument(_));
    while export.next(5).fine()?.is_some() {
        refused!(export.manifest(), Error::InvalidArgument(_));
    }
    same(export.manifest().fine()?, export.manifest().fine()?)
}

fn an_empty_fold_is_exported(subject: &dyn Subject) -> Outcome {
    let snapshot = create(subject)?;
    let artifact = export(&*snapshot)?;
    same(artifact.files, vec![("data/cursor".into(), vec![])])?;
    snapshot.apply(&[], b"here").fine()?;
    same(export(&*snapshot)?.files, vec![("data/cursor".into(), b"here".to_vec())])
}

fn a_large_fold_is_split_into_files_of_bounded_size(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &Options { segment_bytes: Some(64 << 20), ..on_disk(Mode::Create) })?;
    // Four of them are just as long as a file may be, with the lengths and the key that stand before each.
    let large = vec![3; (16 << 20) - 13];
    for (name, value) in [("a", &large[..]), ("b", &large), ("c", &large), ("d", &large), ("e", b"")] {
        snapshot.apply(&[Update::Put { key: name.as_bytes(), value, version: b"" }], b"x").fine()?;
    }
    let export = snapshot.export().fine()?;
    let files = export.files().fine()?;
    let sizes: Vec<(&str, u64)> = files.iter().map(|file| (file.path.as_str(), file.size)).collect();
    let wanted = vec![("data/cursor", 1), ("data/entries-00000000", 64 << 20), ("data/entries-00000001", 13)];
    same(sizes, wanted)?;
    let artifact = read(&*export, 4 << 20)?;
    snapshot.close().fine()?;
    subject.snapshots().destroy(LOG).fine()?;
    super::import::import(subject, &artifact, 4 << 20)?;
    let snapshot = open_with(subject, &on_disk(Mode::Open))?;
    same(snapshot.get(b"d").fine()?.map(|entry| entry.value == large), Some(true))?;
    same(snapshot.stats().fine()?.entries, 5)?;
    drop(snapshot);
    subject.snapshots().destroy(LOG).fine()
}

fn a_failed_read_of_an_export_can_be_repeated(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &on_disk(Mode::Create))?;
    let mut model = Fold::default();
    for turn in 0..5 {
        put_many(&*snapshot, &mut model, (turn * 5, turn * 5 + 5), turn, 8000)?;
    }
    let export = snapshot.export().fine()?;
    let (mut found, mut failures) = (Vec::new(), 0);
    subject.disk().inject(Fault::next(Call::Read).after(3));
    loop {
        match export.next(10_000) {
            Ok(Some(chunk)) => found.extend(chunk.bytes),
            Ok(None) => break,
            Err(Error::Storage(_)) => failures += 1,
            Err(other) => return Err(format!("{other:?}")),
        }
    }
    same(failures, 1)?;
    ensure!(found[4..] == encoded(&model));
    export.manifest().fine().map(drop)
}

fn damage_ends_an_export(subject: &dyn Subject) -> Outcome {
    let snapshot = open_with(subject, &on_disk(Mode::Create))?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 20), 1, 5000)?;
    let (file, offset) = super::super::kit::find(subject.disk(), &value(12, 1, 40))?;
    subject.disk().flip_bit(&file, (offset + 3000) * 8);
    let export = snapshot.export().fine()?;
    let ended = loop {
        match export.next(1000) {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    refused!(ended, Error::Damaged(_));
    refused!(export.next(1000), Error::Damaged(_));
    refused!(export.manifest(), Error::InvalidArgument(_));
    Ok(())
}
