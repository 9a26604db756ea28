//! The compiled component on disk: it saves the compiling, and whatever is wrong with it is compiled anew.
#![cfg(unix)]

use annals::{Config, Runtime, journal::Options, storage::Memory};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cache-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Place(path)
    }

    fn cache(&self) -> PathBuf {
        self.0.join("some/where")
    }

    /// The one file in the cache.
    fn entry(&self) -> PathBuf {
        let mut entries: Vec<_> =
            fs::read_dir(self.cache()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries.remove(0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Starts with this cache, uses a journal, and tells how long starting took.
fn start(dir: &Path) -> Duration {
    let start = Instant::now();
    let runtime = Runtime::with_config(Config::new().cache(dir)).unwrap();
    let took = start.elapsed();
    let log = runtime.journal(Arc::new(Memory::new()), "log", &Options::default()).unwrap();
    assert_eq!(log.append(b"item"), Ok(0));
    took
}

#[test]
fn it_is_made_for_this_user_only_and_saves_the_compiling() {
    let place = Place::new("saves");
    let first = start(&place.cache());
    let entry = place.entry();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&place.cache()), mode(&entry)), (0o700, 0o600));
    let inode = fs::metadata(&entry).unwrap().ino();
    let second = (0..5).map(|_| start(&place.cache())).min().unwrap();
    println!("compiled {first:?}, from the cache {second:?}");
    assert!(second * 4 < first, "compiled {first:?}, from the cache {second:?}");
    assert_eq!(fs::metadata(place.entry()).unwrap().ino(), inode, "it was written again");
}

#[test]
fn whatever_is_damaged_is_compiled_anew_and_replaced() {
    let place = Place::new("damaged");
    start(&place.cache());
    let entry = place.entry();
    let good = fs::read(&entry).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let end = good.len() - 1;
    for bad in [
        flipped(9),
        flipped(41),
        flipped(end / 2),
        good[..end].to_vec(),
        Vec::new(),
        [&good[..], b"x"].concat(),
    ] {
        fs::write(&entry, &bad).unwrap();
        start(&place.cache());
        assert!(fs::read(&entry).unwrap() != bad, "it was not replaced");
        start(&place.cache());
    }
}

#[test]
fn what_others_could_have_written_is_not_run() {
    let place = Place::new("others");
    start(&place.cache());
    let entry = place.entry();
    let inode = || fs::metadata(&entry).unwrap().ino();
    // Marked by another inode: what is refused is replaced.
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(&entry, fs::Permissions::from_mode(mode)).unwrap();
        let before = inode();
        start(&place.cache());
        assert_ne!(inode(), before, "mode {mode:o} was trusted");
    }
    let moved = place.0.join("moved");
    fs::rename(&entry, &moved).unwrap();
    symlink(&moved, &entry).unwrap();
    start(&place.cache());
    assert!(fs::symlink_metadata(&entry).unwrap().is_file(), "a link was followed");

    // A directory that others can enter is neither read nor written.
    fs::set_permissions(place.cache(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(&entry).unwrap();
    start(&place.cache());
    assert!(!entry.exists());
    let link = place.0.join("link");
    fs::set_permissions(place.cache(), fs::Permissions::from_mode(0o700)).unwrap();
    symlink(place.cache(), &link).unwrap();
    start(&link);
    assert!(!entry.exists(), "a link to a directory was followed");
}

#[test]
fn a_cache_that_cannot_be_is_no_error() {
    let place = Place::new("cannot");
    fs::write(place.0.join("file"), "a file").unwrap();
    start(&place.0.join("file"));
    start(&place.0.join("file/below"));
    assert_eq!(fs::read(place.0.join("file")).unwrap(), b"a file");
}

#[test]
fn old_ones_are_forgotten_and_foreign_files_are_not() {
    let place = Place::new("old");
    start(&place.cache());
    let ours = place.entry();
    fs::write(place.cache().join("README"), "foreign").unwrap();
    for number in 0..40 {
        let old = place.cache().join(format!("{number:064x}"));
        fs::write(&old, "old").unwrap();
        fs::File::open(old).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    fs::remove_file(&ours).unwrap();
    start(&place.cache());
    assert!(ours.exists() && place.cache().join("README").exists());
    assert_eq!(fs::read_dir(place.cache()).unwrap().count(), 16 + 1);
}
