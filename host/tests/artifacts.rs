//! Artifacts in directories: what an export writes, and every way of tampering with it, each refused with its fault and
//! with nothing left behind.

#![cfg(unix)]

use annals::{
    Error, Runtime, Snapshot,
    error::ArtifactFault,
    snapshot::{Artifact, Options, Update},
    storage::{Memory, Storage},
};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A directory for one test, removed at its end unless the test failed.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("artifacts-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Place(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Everything in there, links as such.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn fold(storage: &Arc<Memory>) -> Snapshot {
    let fold = RUNTIME.snapshot(storage.clone(), "fold", &Options::default()).unwrap();
    let value = vec![7; 100_000];
    let updates =
        [Update::put(b"a", b"1").version(b"v1"), Update::put(b"b", b""), Update::put(b"big", &value)];
    fold.apply(&updates, b"cursor 3").unwrap();
    fold
}

fn payload(artifact: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(artifact.join("data"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

fn import(artifact: &Path, storage: &Arc<Memory>) -> Result<annals::Token, Error> {
    let artifact = Artifact::open(artifact)?;
    Ok(artifact.import(&RUNTIME, storage.clone(), "copy", Some(64 << 10), |_| {})?)
}

#[test]
fn what_was_exported_is_imported_with_its_cursor() {
    let (place, storage) = (Place::new(), Arc::new(Memory::new()));
    let fold = fold(&storage);
    let (mut calls, mut last) = (0, (0, 0));
    let export = fold.export().unwrap();
    let manifest = export
        .to_directory(place.join("out"), |done, total| {
            calls += 1;
            last = (done, total);
        })
        .unwrap();
    assert_eq!(manifest.cursor, b"cursor 3");
    assert!(calls > 0 && last == (manifest.bytes(), manifest.bytes()));
    assert_eq!(place.names(), ["out"], "nothing beside it");
    let token = import(&place.join("out"), &storage).unwrap();
    let copy = RUNTIME.snapshot(storage.clone(), "copy", &Options::open().expect(token)).unwrap();
    assert_eq!(copy.cursor(), fold.cursor());
    assert!(copy.entries(b"").unwrap().eq(fold.entries(b"").unwrap()));
    assert_eq!(copy.get(b"a").unwrap().unwrap().version, b"v1");
    // An import does not replace a log, nor wait for it.
    assert_eq!(import(&place.join("out"), &storage), Err(Error::Locked));
    drop(copy);
    assert_eq!(import(&place.join("out"), &storage), Err(Error::Exists));
}

#[test]
fn an_empty_fold_without_a_cursor_is_an_artifact_too() {
    let (place, storage) = (Place::new(), Arc::new(Memory::new()));
    let fold = RUNTIME.snapshot(storage.clone(), "fold", &Options::default()).unwrap();
    fold.export_to(place.join("out")).unwrap();
    assert!(payload(&place.join("out")).contains(&("cursor".to_owned(), vec![])));
    import(&place.join("out"), &storage).unwrap();
    let copy = RUNTIME.snapshot(storage, "copy", &Options::open()).unwrap();
    assert_eq!((copy.cursor(), copy.has_entries()), (Ok(vec![]), Ok(false)));
}

#[test]
fn equal_folds_export_equal_bytes_whatever_their_past() {
    let place = Place::new();
    let one = fold(&Arc::new(Memory::new()));
    one.export_to(place.join("one")).unwrap();
    let other = RUNTIME.snapshot(Arc::new(Memory::new()), "other", &Options::default()).unwrap();
    for round in 0..20_u8 {
        other.apply(&[Update::put(b"gone", &[round]), Update::put(b"big", &[round; 100])], &[round]).unwrap();
    }
    other.apply(&[Update::delete(b"gone"), Update::put(b"big", &vec![7; 100_000])], b"").unwrap();
    other.compact().unwrap();
    other.apply(&[Update::put(b"b", b""), Update::put(b"a", b"1").version(b"v1")], b"cursor 3").unwrap();
    other.export_to(place.join("other")).unwrap();
    assert_eq!(payload(&place.join("one")), payload(&place.join("other")));
}

#[test]
fn an_export_never_replaces_anything() {
    let (place, fold) = (Place::new(), fold(&Arc::new(Memory::new())));
    let out = place.join("out");
    type Make = fn(&Path);
    let made: [Make; 5] = [
        |out| fs::write(out, "file").unwrap(),
        |out| fs::create_dir(out).unwrap(),
        |out| symlink("nowhere", out).unwrap(),
        |out| symlink("/tmp", out).unwrap(),
        |out| {
            fs::create_dir(out).unwrap();
            fs::write(out.join("inside"), "file").unwrap();
        },
    ];
    for make in made {
        make(&out);
        let before = fs::symlink_metadata(&out).unwrap();
        assert_eq!(fold.export_to(&out), Err(Error::Exists));
        assert_eq!(fs::symlink_metadata(&out).unwrap().modified().unwrap(), before.modified().unwrap());
        assert_eq!(place.names(), ["out"]);
        let _ = fs::remove_file(&out);
        let _ = fs::remove_dir_all(&out);
    }
    for path in ["missing/out", "missing/"] {
        assert!(fold.export_to(place.join(path)).is_err() || path.ends_with('/'), "{path}");
        let _ = fs::remove_dir_all(place.join("missing"));
    }
    assert!(matches!(fold.export_to("/"), Err(Error::InvalidArgument(_))));
    assert!(matches!(fold.export_to(place.join("..")), Err(Error::InvalidArgument(_))));
    fold.export_to(&out).unwrap();
}

#[test]
fn a_failed_export_leaves_nothing_behind() {
    let (place, storage) = (Place::new(), Arc::new(Memory::new()));
    let fold = fold(&storage);
    let export = fold.export().unwrap();
    let closing = fold.clone();
    let failed = export.to_directory(place.join("out"), |_, _| drop(closing.close()));
    assert_eq!(failed, Err(Error::Closed));
    assert_eq!(place.names(), Vec::<String>::new());
}

#[test]
fn what_a_crashed_export_left_is_used_and_a_running_one_is_left_alone() {
    let (place, fold) = (Place::new(), fold(&Arc::new(Memory::new())));
    let (out, hidden) = (place.join("out"), place.join(".out.partial"));
    fs::create_dir_all(hidden.join("data/deep")).unwrap();
    fs::write(hidden.join("data/entries-00000000"), "half").unwrap();
    fs::write(place.join("outside"), "untouched").unwrap();
    symlink(place.join("outside"), hidden.join("data/cursor")).unwrap();
    symlink(place.0.clone(), hidden.join("data/deep/up")).unwrap();
    // While somebody holds it, it is his.
    let held = fs::File::open(&hidden).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    assert_eq!(fold.export_to(&out), Err(Error::Locked));
    assert!(hidden.join("data/entries-00000000").exists());
    drop(held);
    fold.export_to(&out).unwrap();
    assert_eq!(place.names(), ["out", "outside"]);
    assert_eq!(fs::read(place.join("outside")).unwrap(), b"untouched");
    assert!(!fs::symlink_metadata(out.join("data/cursor")).unwrap().is_symlink());
    Artifact::open(&out).unwrap();
}

#[test]
fn an_export_takes_nothing_that_appears_meanwhile_and_shares_its_place_with_nobody() {
    let (place, fold) = (Place::new(), fold(&Arc::new(Memory::new())));
    let out = place.join("out");
    let mut seen = 0;
    let exported = fold.export().unwrap().to_directory(&out, |_, _| {
        if seen == 0 {
            assert_eq!(fold.export_to(&out), Err(Error::Locked), "another export has begun");
            fs::create_dir(&out).unwrap();
        }
        seen += 1;
    });
    assert_eq!((exported, seen > 0), (Err(Error::Exists), true));
    assert_eq!(place.names(), ["out"], "what it wrote is gone");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "somebody else's directory is as it was");
}

/// Replaces the first `from` in the manifest.
fn edit(out: &Path, from: &str, to: &str) {
    let path = out.join("MANIFEST.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Moves it out of the artifact and links to it from there.
fn link_away(out: &Path, name: &str) {
    let elsewhere = out.with_file_name("elsewhere");
    let _ = fs::remove_dir_all(&elsewhere);
    let _ = fs::remove_file(&elsewhere);
    fs::rename(out.join(name), &elsewhere).unwrap();
    symlink(&elsewhere, out.join(name)).unwrap();
}

const ENTRIES: &str = "data/entries-00000000";

#[test]
fn every_tampering_is_refused_with_its_fault_and_leaves_no_log() {
    use ArtifactFault as F;
    let (place, storage) = (Place::new(), Arc::new(Memory::new()));
    let good = place.join("good");
    fold(&storage).export_to(&good).unwrap();
    let entries = fs::metadata(good.join(ENTRIES)).unwrap().len();
    let manifest = fs::read_to_string(good.join("MANIFEST.json")).unwrap();
    let hash_of = |path: &str| {
        let behind = manifest.split_once(&format!("\"{path}\"")).unwrap().1;
        behind.split_once("\"blake3\": \"").unwrap().1[..64].to_owned()
    };
    let (cursor_hash, entries_hash) = (hash_of("data/cursor"), hash_of(ENTRIES));
    let other_cursor = "another!";
    type Tamper = Box<dyn Fn(&Path)>;
    let edited = |from: &str, to: &str| -> Tamper {
        let (from, to) = (from.to_owned(), to.to_owned());
        Box::new(move |out| edit(out, &from, &to))
    };
    let path = |to: &str| edited("\"data/cursor\"", &format!("\"{to}\""));
    let size = format!("\"size\": {entries}");
    let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    let table: Vec<(&str, ArtifactFault, Tamper)> = vec![
        ("a flipped bit", F::Checksum, Box::new(|out| flip(&out.join(ENTRIES)))),
        ("a flipped bit in the cursor", F::Checksum, Box::new(|out| flip(&out.join("data/cursor")))),
        ("another checksum", F::Checksum, edited(&entries_hash, &cursor_hash)),
        (
            "a byte more",
            F::Size,
            Box::new(|out| {
                let mut bytes = fs::read(out.join(ENTRIES)).unwrap();
                bytes.push(0);
                fs::write(out.join(ENTRIES), bytes).unwrap();
            }),
        ),
        (
            "a byte less",
            F::Size,
            Box::new(|out| {
                let bytes = fs::read(out.join(ENTRIES)).unwrap();
                fs::write(out.join(ENTRIES), &bytes[1..]).unwrap();
            }),
        ),
        ("another size declared", F::Size, edited(&size, &format!("\"size\": {}", entries + 1))),
        ("an endless size declared", F::Size, edited(&size, "\"size\": 18446744073709551615")),
        (
            "an undeclared file",
            F::UndeclaredFile,
            Box::new(|out| fs::write(out.join("data/more"), "").unwrap()),
        ),
        (
            "an undeclared file above",
            F::UndeclaredFile,
            Box::new(|out| fs::write(out.join("README"), "").unwrap()),
        ),
        ("a case twin", F::UndeclaredFile, Box::new(|out| fs::write(out.join("data/Cursor"), "").unwrap())),
        ("a missing file", F::MissingFile, Box::new(|out| fs::remove_file(out.join(ENTRIES)).unwrap())),
        (
            "a missing directory",
            F::MissingFile,
            Box::new(|out| fs::remove_dir_all(out.join("data")).unwrap()),
        ),
        ("a link for a file", F::NotAFile, Box::new(|out| link_away(out, ENTRIES))),
        ("a link for the manifest", F::NotAFile, Box::new(|out| link_away(out, "MANIFEST.json"))),
        ("a link in the middle of the path", F::NotAFile, Box::new(|out| link_away(out, "data"))),
        (
            "an undeclared link",
            F::NotAFile,
            Box::new(|out| symlink("/etc/passwd", out.join("data/more")).unwrap()),
        ),
        (
            "a directory for a file",
            F::NotAFile,
            Box::new(|out| {
                fs::remove_file(out.join("data/cursor")).unwrap();
                fs::create_dir(out.join("data/cursor")).unwrap();
            }),
        ),
        (
            "an undeclared directory",
            F::NotAFile,
            Box::new(|out| fs::create_dir(out.join("data/more")).unwrap()),
        ),
        (
            "a file for a directory",
            F::UndeclaredFile,
            Box::new(|out| {
                fs::remove_dir_all(out.join("data")).unwrap();
                fs::write(out.join("data"), "").unwrap();
            }),
        ),
        (
            "a pipe for a file",
            F::NotAFile,
            Box::new(|out| {
                fs::remove_file(out.join("data/cursor")).unwrap();
                assert!(Command::new("mkfifo").arg(out.join("data/cursor")).status().unwrap().success());
            }),
        ),
        ("a path above", F::Path, path("../good/data/cursor")),
        ("a path with ..", F::Path, path("data/../data/cursor")),
        ("an absolute path", F::Path, path("/etc/passwd")),
        ("a path with .", F::Path, path("data/./cursor")),
        ("a path with NUL", F::Path, path("data/cursor\\u0000")),
        ("a path in another case", F::Path, path("data/CURSOR")),
        ("an empty path", F::Path, path("")),
        ("a directory as path", F::Path, path("data/")),
        ("the manifest as path", F::Path, path("MANIFEST.json")),
        ("a path declared twice", F::Manifest, edited(ENTRIES, "data/cursor")),
        ("another backend", F::Backend, edited("annals-snapshot", "other")),
        (
            "another version",
            F::BackendVersion,
            edited("\"backend_version\": \"1\"", "\"backend_version\": \"2\""),
        ),
        ("another schema", F::SchemaVersion, edited("\"schema_version\": 1", "\"schema_version\": 2")),
        ("an unknown field", F::Manifest, edited("\"backend\"", "\"more\": 1, \"backend\"")),
        ("an unknown field of a file", F::Manifest, edited("\"path\"", "\"more\": 1, \"path\"")),
        ("no JSON", F::Manifest, edited("{", "")),
        ("no manifest", F::Manifest, Box::new(|out| fs::remove_file(out.join("MANIFEST.json")).unwrap())),
        ("another cursor declared", F::Cursor, edited("637572736f722033", "637572736f722034")),
        (
            "another cursor in the payload",
            F::Cursor,
            Box::new(move |out| {
                fs::write(out.join("data/cursor"), other_cursor).unwrap();
                edit(out, &cursor_hash, &hash(other_cursor.as_bytes()));
            }),
        ),
    ];
    for (name, fault, tamper) in &table {
        let out = place.join("out");
        let copied = Command::new("cp").arg("-a").arg(&good).arg(&out).status().unwrap();
        assert!(copied.success());
        tamper(&out);
        assert_eq!(import(&out, &storage), Err(Error::Artifact(*fault)), "{name}");
        let opened = RUNTIME.snapshot(storage.clone(), "copy", &Options::open());
        assert_eq!(opened.map(drop), Err(Error::NotFound), "{name} has left a log");
        let logs = RUNTIME.admin(storage.clone()).unwrap().list().unwrap();
        assert_eq!(logs.len(), 1, "{name}: {logs:?}");
        fs::remove_dir_all(&out).unwrap();
    }
    println!("{} ways of tampering refused", table.len());
    import(&good, &storage).unwrap();
}

#[test]
fn what_changes_between_the_look_and_the_import_is_noticed() {
    let (place, storage) = (Place::new(), Arc::new(Memory::new()));
    let good = place.join("good");
    fold(&storage).export_to(&good).unwrap();
    type Tamper = fn(&Path);
    let table: [(Tamper, ArtifactFault); 5] = [
        (|out| flip(&out.join(ENTRIES)), ArtifactFault::Checksum),
        (|out| fs::write(out.join(ENTRIES), "short").unwrap(), ArtifactFault::Size),
        (|out| link_away(out, ENTRIES), ArtifactFault::NotAFile),
        (|out| link_away(out, "data"), ArtifactFault::NotAFile),
        (|out| fs::remove_file(out.join(ENTRIES)).unwrap(), ArtifactFault::MissingFile),
    ];
    for (tamper, fault) in table {
        let out = place.join("out");
        assert!(Command::new("cp").arg("-a").arg(&good).arg(&out).status().unwrap().success());
        let artifact = Artifact::open(&out).unwrap();
        tamper(&out);
        let refused = artifact.import(&RUNTIME, storage.clone(), "copy", None, |_| {}).unwrap_err();
        assert_eq!(refused.error, Error::Artifact(fault));
        let opened = RUNTIME.snapshot(storage.clone(), "copy", &Options::open());
        assert_eq!(opened.map(drop), Err(Error::NotFound));
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn an_import_that_crashes_at_any_point_leaves_no_log() {
    let (place, storage) = (Place::new(), Arc::new(Memory::new()));
    let fold = fold(&storage);
    for number in 0..30_u8 {
        fold.apply(&[Update::put(&[number], &vec![number; 100_000])], b"more").unwrap();
    }
    fold.export_to(place.join("out")).unwrap();
    let mut crashed = Vec::new();
    let artifact = Artifact::open(place.join("out")).unwrap();
    let target = Arc::new(Memory::new());
    artifact
        .import(&RUNTIME, target.clone(), "copy", Some(64 << 10), |_| crashed.push(target.fork()))
        .unwrap();
    assert!(crashed.len() > 3);
    for storage in crashed {
        let storage: Arc<dyn Storage> = Arc::new(storage);
        let opened = RUNTIME.snapshot(storage.clone(), "copy", &Options::open());
        assert_eq!(opened.map(drop), Err(Error::NotFound));
        // And its name can be used.
        artifact.import(&RUNTIME, storage.clone(), "copy", None, |_| {}).unwrap();
        assert_eq!(
            RUNTIME.snapshot(storage, "copy", &Options::open()).unwrap().cursor(),
            Ok(b"more".to_vec())
        );
    }
}
