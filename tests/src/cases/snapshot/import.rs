//! Importing: what becomes of an artifact, and of one that was tampered with.

use super::artifact::{Artifact, encoded, export};
use super::kit::*;
use crate::sim::{Call, Crash, CrashPlan, Fault, Point};
use crate::subject::snapshot::{ArtifactFile, ArtifactWriterSubject};
use annals_logs::error::ArtifactFault;

pub(super) const CASES: &[Case] = &[
    case!(an_imported_snapshot_is_the_exported_one, "S22"),
    case!(an_import_takes_pieces_of_any_size, "S22"),
    case!(an_imported_snapshot_goes_on_like_any, "S22"),
    case!(an_import_is_not_there_before_its_end, "S23"),
    case!(a_finished_import_is_durable, "S27"),
    case!(a_dropped_import_leaves_nothing, "S26"),
    case!(an_import_does_not_replace_a_log, "S25"),
    case!(a_manifest_that_makes_no_sense_is_refused, "S24"),
    case!(every_flipped_bit_of_a_payload_is_refused, "S23"),
    case!(files_that_do_not_fit_the_manifest_are_refused, "S23", "S26"),
    case!(another_cursor_is_refused, "S24"),
    case!(a_payload_that_makes_no_sense_is_refused, "S23"),
    case!(files_are_written_in_order, "S22", "X1"),
    case!(a_finished_import_answers_closed, "H24"),
    case!(a_crash_in_an_import_leaves_all_or_nothing, "S27"),
    case!(a_fault_at_any_call_of_an_import_leaves_all_or_nothing, "S26", "S27"),
];

fn start(subject: &dyn Subject, artifact: &Artifact) -> Result<Box<dyn ArtifactWriterSubject>, Error> {
    subject.snapshots().import(LOG, &artifact.manifest, Some(SEGMENT))
}

fn run(subject: &dyn Subject, artifact: &Artifact, piece: usize) -> Result<annals_logs::error::Token, Error> {
    let writer = start(subject, artifact)?;
    for (path, bytes) in &artifact.files {
        for piece in bytes.chunks(piece) {
            writer.write(path, piece)?;
        }
    }
    writer.finish()
}

/// Imports an artifact in pieces of that size.
pub(super) fn import(subject: &dyn Subject, artifact: &Artifact, piece: usize) -> Outcome {
    run(subject, artifact, piece).fine().map(drop)
}

/// Some fold, its artifact, and a subject on a disk without any log.
fn exported(subject: &dyn Subject) -> Result<(Fold, Artifact, Box<dyn Subject>), String> {
    let side = fork(subject);
    let snapshot = create(&*side)?;
    let mut model = Fold::default();
    put_many(&*snapshot, &mut model, (0, 40), 1, 300)?;
    put_many(&*snapshot, &mut model, (20, 50), 2, 2500)?;
    apply(&*snapshot, &mut model, &[delete(&key(3)), put("", ""), purge(&key(30))], "the cursor")?;
    Ok((model, export(&*snapshot)?, fork(subject)))
}

/// Nothing is there, and a log can be made.
fn nothing(subject: &dyn Subject) -> Outcome {
    refused!(subject.snapshots().open(LOG, &options(Mode::ReadOnly)), Error::NotFound);
    refused!(subject.snapshots().open(LOG, &options(Mode::Open)), Error::NotFound);
    same(subject.disk().file_names(), vec![])?;
    same(subject.disk().cell_names(), vec![])
}

fn an_imported_snapshot_is_the_exported_one(subject: &dyn Subject) -> Outcome {
    let (model, artifact, side) = exported(subject)?;
    let token = run(&*side, &artifact, 10_000).fine()?;
    same(side.verify(LOG).fine()?, vec![])?;
    ensure!(side.info(LOG).fine()?.clean);
    for values_on_disk in [false, true] {
        let opened = Options { values_on_disk, expect: Some(token), ..options(Mode::Open) };
        let snapshot = open_with(&*side, &opened)?;
        holds(&*snapshot, &model)?;
        same(snapshot.stats().fine()?.dead_bytes, 0)?;
        let again = export(&*snapshot)?;
        same(&again.files, &artifact.files)?;
        snapshot.close().fine()?;
    }
    Ok(())
}

fn an_import_takes_pieces_of_any_size(subject: &dyn Subject) -> Outcome {
    let (model, artifact, _) = exported(subject)?;
    for piece in [1, 5, 11, 12, 13, 313, 40_000, 10_000_000] {
        let side = fork(subject);
        import(&*side, &artifact, piece)?;
        holds(&*reopen(&*side)?, &model).map_err(|what| format!("pieces of {piece}: {what}"))?;
    }
    Ok(())
}

fn an_imported_snapshot_goes_on_like_any(subject: &dyn Subject) -> Outcome {
    let (mut model, artifact, side) = exported(subject)?;
    import(&*side, &artifact, 999)?;
    let snapshot = reopen(&*side)?;
    put_many(&*snapshot, &mut model, (10, 60), 8, 400)?;
    snapshot.compact().fine()?;
    put_many(&*snapshot, &mut model, (0, 5), 9, 400)?;
    holds(&*snapshot, &model)?;
    drop(snapshot);
    holds(&*reopen(&*crash(&*side, Crash::LOSE_ALL))?, &model)
}

fn an_import_is_not_there_before_its_end(subject: &dyn Subject) -> Outcome {
    let (model, artifact, side) = exported(subject)?;
    let writer = start(&*side, &artifact).fine()?;
    for (path, bytes) in &artifact.files {
        for piece in bytes.chunks(20_000) {
            writer.write(path, piece).fine()?;
            refused!(side.snapshots().open(LOG, &options(Mode::ReadOnly)), Error::NotFound);
            refused!(side.snapshots().open(LOG, &options(Mode::OpenOrCreate)), Error::Locked);
            refused!(start(&*side, &artifact), Error::Locked);
        }
    }
    refused!(side.snapshots().open(LOG, &options(Mode::ReadOnly)), Error::NotFound);
    writer.finish().fine()?;
    holds(&*reopen_read_only(&*side)?, &model)
}

fn a_finished_import_is_durable(subject: &dyn Subject) -> Outcome {
    let (model, artifact, side) = exported(subject)?;
    let token = run(&*side, &artifact, 10_000).fine()?;
    ensure!(side.disk().is_settled());
    let lost = crash(&*side, Crash::LOSE_ALL);
    holds(&*open_with(&*lost, &Options { expect: Some(token), ..options(Mode::Open) })?, &model)
}

fn a_dropped_import_leaves_nothing(subject: &dyn Subject) -> Outcome {
    let (_, artifact, side) = exported(subject)?;
    for written in 0..=artifact.files.len() {
        let writer = start(&*side, &artifact).fine()?;
        for (path, bytes) in &artifact.files[..written] {
            writer.write(path, bytes).fine()?;
        }
        drop(writer);
        nothing(&*side)?;
    }
    create(&*side).map(drop)
}

fn an_import_does_not_replace_a_log(subject: &dyn Subject) -> Outcome {
    let (_, artifact, side) = exported(subject)?;
    let mut model = Fold::default();
    let snapshot = create(&*side)?;
    apply(&*snapshot, &mut model, &[put("mine", "1")], "mine")?;
    refused!(start(&*side, &artifact), Error::Locked);
    snapshot.close().fine()?;
    let before = side.disk().hash();
    refused!(start(&*side, &artifact), Error::Exists);
    same(side.disk().hash(), before)?;
    holds(&*reopen(&*side)?, &model)?;
    side.open("journal", &crate::subject::options(Mode::Create)).fine()?.close().fine()?;
    refused!(side.snapshots().import("journal", &artifact.manifest, None), Error::Exists);
    refused!(side.snapshots().import("Bad", &artifact.manifest, None), Error::InvalidArgument(_));
    refused!(side.snapshots().import("other", &artifact.manifest, Some(5)), Error::InvalidArgument(_));
    Ok(())
}

fn a_manifest_that_makes_no_sense_is_refused(subject: &dyn Subject) -> Outcome {
    use ArtifactFault as Fault;
    let (_, artifact, side) = exported(subject)?;
    let with = |change: &dyn Fn(&mut Artifact)| {
        let mut artifact = artifact.clone();
        change(&mut artifact);
        artifact
    };
    let path = |path: &str| with(&|a| a.manifest.files[1].path = path.into());
    let mut bad = vec![
        (Fault::SchemaVersion, with(&|a| a.manifest.schema_version = 2)),
        (Fault::SchemaVersion, with(&|a| a.manifest.schema_version = 0)),
        (Fault::Backend, with(&|a| a.manifest.backend = "other".into())),
        (Fault::Backend, with(&|a| a.manifest.backend.push(' '))),
        (Fault::BackendVersion, with(&|a| a.manifest.backend_version = "2".into())),
        (Fault::BackendVersion, with(&|a| a.manifest.backend_version = "".into())),
        (Fault::Manifest, with(&|a| a.manifest.files.clear())),
        (Fault::Manifest, with(&|a| drop(a.manifest.files.remove(0)))),
        (Fault::Manifest, with(&|a| a.manifest.files.reverse())),
        (Fault::Manifest, with(&|a| a.manifest.files.push(a.manifest.files[1].clone()))),
        (Fault::Manifest, with(&|a| a.manifest.files.push(a.manifest.files[0].clone()))),
        (Fault::Manifest, with(&|a| a.manifest.files[1].path = "data/entries-00000001".into())),
        (Fault::Manifest, with(&|a| a.manifest.files[1].blake3.truncate(31))),
        (Fault::Manifest, with(&|a| a.manifest.files[0].blake3.push(0))),
        (Fault::Manifest, with(&|a| a.manifest.cursor = vec![1; 4097])),
    ];
    for trick in [
        "../data/entries-00000000",
        "data/../entries-00000000",
        "/data/entries-00000000",
        "data\\entries-00000000",
        "data/./entries-00000000",
        "data//entries-00000000",
        "data/entries-0",
        "entries-00000000",
        "MANIFEST.json",
        "data/",
        "data",
        "",
        "\0",
    ] {
        bad.push((Fault::Path, path(trick)));
    }
    for (fault, artifact) in bad {
        same(start(&*side, &artifact).err(), Some(Error::Artifact(fault)))
            .map_err(|what| format!("{:?}: {what}", artifact.manifest))?;
        nothing(&*side)?;
    }
    start(&*side, &artifact).fine().map(drop)
}

/// The import must end with this fault, whatever is done afterwards, and leave nothing.
fn ends_with(subject: &dyn Subject, artifact: &Artifact, fault: ArtifactFault) -> Outcome {
    let writer = start(subject, artifact).fine()?;
    let mut ended = None;
    for (path, bytes) in &artifact.files {
        if let Err(error) = writer.write(path, bytes) {
            ended = Some(error);
            break;
        }
    }
    let answer = if ended.is_none() { writer.finish().err() } else { ended };
    same(answer, Some(Error::Artifact(fault)))?;
    // The name is free at once, although the writer is still there.
    nothing(subject)?;
    refused!(writer.write("data/cursor", b"x"), Error::Closed);
    refused!(writer.finish(), Error::Closed);
    drop(writer);
    nothing(subject)
}

fn every_flipped_bit_of_a_payload_is_refused(subject: &dyn Subject) -> Outcome {
    let (_, artifact, side) = exported(subject)?;
    for file in 0..artifact.files.len() {
        let len = artifact.files[file].1.len();
        for byte in (0..len).step_by(1 + len / 40) {
            let mut artifact = artifact.clone();
            artifact.files[file].1[byte] ^= 1 << (byte % 8);
            ends_with(&*side, &artifact, ArtifactFault::Checksum)
                .map_err(|what| format!("file {file}, byte {byte}: {what}"))?;
        }
        let mut artifact = artifact.clone();
        artifact.manifest.files[file].blake3[7] ^= 1;
        ends_with(&*side, &artifact, ArtifactFault::Checksum)?;
    }
    Ok(())
}

fn files_that_do_not_fit_the_manifest_are_refused(subject: &dyn Subject) -> Outcome {
    let (_, artifact, side) = exported(subject)?;
    let with = |change: &dyn Fn(&mut Artifact)| {
        let mut artifact = artifact.clone();
        change(&mut artifact);
        artifact
    };
    for (fault, artifact) in [
        (ArtifactFault::Size, with(&|a| a.files[1].1.truncate(100))),
        (ArtifactFault::Size, with(&|a| a.files[1].1.push(0))),
        (ArtifactFault::Size, with(&|a| a.files[0].1.push(0))),
        (ArtifactFault::Size, with(&|a| a.files[1].1.clear())),
        (ArtifactFault::Size, with(&|a| a.manifest.files[1].size += 1)),
        (ArtifactFault::MissingFile, with(&|a| drop(a.files.pop()))),
        (ArtifactFault::MissingFile, with(&|a| a.files.clear())),
        (ArtifactFault::UndeclaredFile, with(&|a| a.files[1].0 = "data/entries-00000001".into())),
        (ArtifactFault::UndeclaredFile, with(&|a| a.files[0].0 = "../data/cursor".into())),
        (ArtifactFault::UndeclaredFile, with(&|a| a.files.push(("extra".into(), vec![])))),
    ] {
        ends_with(&*side, &artifact, fault)?;
    }
    let huge = with(&|a| a.manifest.files[1].size = u64::MAX);
    ends_with(&*side, &huge, ArtifactFault::Size)
}

fn another_cursor_is_refused(subject: &dyn Subject) -> Outcome {
    let (_, artifact, side) = exported(subject)?;
    for cursor in [&b""[..], b"x", b"the cursos", b"the curso", b"the cursor ", &[9; 4096]] {
        let mut artifact = artifact.clone();
        artifact.manifest.cursor = cursor.to_vec();
        ends_with(&*side, &artifact, ArtifactFault::Cursor)?;
    }
    let mut artifact = artifact.clone();
    artifact.files[0].1.clear();
    artifact.manifest.files[0] = declared("data/cursor", b"");
    let writer = start(&*side, &artifact).fine()?;
    refused!(writer.write("data/entries-00000000", b"x"), Error::Artifact(ArtifactFault::Cursor));
    nothing(&*side)
}

fn declared(path: &str, bytes: &[u8]) -> ArtifactFile {
    ArtifactFile {
        path: path.into(),
        size: bytes.len() as u64,
        blake3: blake3::hash(bytes).as_bytes().to_vec(),
    }
}

fn a_payload_that_makes_no_sense_is_refused(subject: &dyn Subject) -> Outcome {
    let (model, artifact, side) = exported(subject)?;
    let good = encoded(&model);
    let entry = |key: &[u8], value: u32, version: u32, rest: &[u8]| {
        let lengths = [key.len() as u32, value, version];
        [&lengths.map(u32::to_le_bytes).concat(), key, rest].concat()
    };
    let bad: Vec<Vec<u8>> = vec![
        good[..good.len() - 1].to_vec(),
        good[1..].to_vec(),
        [&good[..], b"x"].concat(),
        [&good[..], &good[..]].concat(),
        [entry(b"b", 0, 0, b""), entry(b"a", 0, 0, b"")].concat(),
        [entry(b"a", 0, 0, b""), entry(b"a", 0, 0, b"")].concat(),
        entry(b"a", (16 << 20) + 1, 0, b""),
        entry(b"a", u32::MAX, u32::MAX, b""),
        entry(b"a", 0, 4097, &[0; 4097]),
        entry(&[7; (64 << 10) + 1], 0, 0, b""),
        entry(b"a", 5, 0, b"four"),
    ];
    for bytes in bad {
        let mut artifact = artifact.clone();
        artifact.manifest.files[1] = declared("data/entries-00000000", &bytes);
        artifact.files[1].1 = bytes;
        ends_with(&*side, &artifact, ArtifactFault::Manifest)?;
    }
    Ok(())
}

fn files_are_written_in_order(subject: &dyn Subject) -> Outcome {
    let (model, artifact, side) = exported(subject)?;
    let writer = start(&*side, &artifact).fine()?;
    let [(cursor, bytes), (file, content)] = &artifact.files[..] else { return Err("not two files".into()) };
    refused!(writer.write(file, content), Error::InvalidArgument(_));
    writer.write(cursor, &bytes[..3]).fine()?;
    refused!(writer.write(file, content), Error::InvalidArgument(_));
    writer.write(cursor, b"").fine()?;
    writer.write(cursor, &bytes[3..]).fine()?;
    writer.write(cursor, b"").fine()?;
    writer.write(file, b"").fine()?;
    writer.write(file, content).fine()?;
    writer.finish().fine()?;
    holds(&*reopen(&*side)?, &model)
}

fn a_finished_import_answers_closed(subject: &dyn Subject) -> Outcome {
    let (model, artifact, side) = exported(subject)?;
    let writer = start(&*side, &artifact).fine()?;
    for (path, bytes) in &artifact.files {
        writer.write(path, bytes).fine()?;
    }
    writer.finish().fine()?;
    refused!(writer.finish(), Error::Closed);
    refused!(writer.write("data/cursor", b"x"), Error::Closed);
    let snapshot = reopen(&*side)?;
    drop(writer);
    holds(&*snapshot, &model)
}

fn a_crash_in_an_import_leaves_all_or_nothing(subject: &dyn Subject) -> Outcome {
    let (model, artifact, side) = exported(subject)?;
    for call in 1.. {
        for point in [Point::Before, Point::Partway(call), Point::After] {
            let disk = side.disk().fork();
            disk.plan_crash(CrashPlan { call, point });
            let ended = run(&*side.on(disk.clone()), &artifact, 50_000);
            let over = !disk.has_crashed();
            for crash_is in [Crash::Process, Crash::LOSE_ALL, Crash::ZEROS, Crash::random(call)] {
                let after = side.on(disk.reboot(crash_is));
                let found = match after.snapshots().open(LOG, &options(Mode::Open)) {
                    Ok(snapshot) => holds(&*snapshot, &model),
                    Err(Error::NotFound) if ended.is_err() => nothing(&*after),
                    Err(other) => Err(format!("{other:?}")),
                };
                found
                    .and_then(|()| open_with(&*after, &options(Mode::OpenOrCreate)).map(drop))
                    .map_err(|what| format!("call {call}, {point:?}, {crash_is:?}: {what}"))?;
            }
            if over {
                return ended.fine().map(drop);
            }
        }
    }
    Ok(())
}

fn a_fault_at_any_call_of_an_import_leaves_all_or_nothing(subject: &dyn Subject) -> Outcome {
    let (model, artifact, side) = exported(subject)?;
    for number in 1.. {
        let side = fork(&*side);
        side.disk().inject(Fault::at(number));
        let ended = run(&*side, &artifact, 50_000);
        let over = side.disk().clear_faults() > 0;
        match (&ended, side.snapshots().open(LOG, &options(Mode::Open))) {
            // A swap whose failure was looked into may have happened; a finished import is there for certain.
            (_, Ok(snapshot)) => holds(&*snapshot, &model)?,
            (Err(_), Err(Error::NotFound)) => nothing(&*side)?,
            (ended, opened) => return Err(format!("call {number}: {ended:?}, {:?}", opened.err())),
        }
        if over {
            ended.fine()?;
            break;
        }
    }
    // A swap that fails although it happens is seen to have happened.
    let (_, artifact, side) = exported(subject)?;
    side.disk().inject(Fault::next(Call::SwapCell).after(1).when(Point::After));
    run(&*side, &artifact, 50_000).fine()?;
    holds(&*reopen(&*side)?, &model)
}
