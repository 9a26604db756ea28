//! Files below a held directory, reached part by part and never through a link.

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
};

/// Neither through a link, nor into a child process, nor stuck on a pipe.
const SAFE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// Why something cannot be opened.
#[derive(Debug)]
pub(super) enum Problem {
    /// There is none.
    Missing,
    /// It, or something on the way to it, is a link or of another type than it should be.
    Other,
    /// The system says so.
    Failed(Errno),
}

impl From<Errno> for Problem {
    fn from(errno: Errno) -> Problem {
        match errno {
            Errno::NOENT => Problem::Missing,
            Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::NXIO | Errno::MLINK => Problem::Other,
            errno => Problem::Failed(errno),
        }
    }
}

/// Retries a call that a signal interrupted.
pub(super) fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Whether a path is one that an export could have: below `data`, and of nothing but `a-z`, `0-9`, `-` between the `/`. So
/// it cannot lead elsewhere, and two of them never name one file, whatever the file system thinks of case.
pub(super) fn is_plain(path: &str) -> bool {
    let plain = |part: &str| {
        let narrow = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        (1..=64).contains(&part.len()) && part.bytes().all(narrow)
    };
    let mut parts = path.split('/');
    parts.next() == Some("data") && path.len() <= 256 && path.contains('/') && parts.all(plain)
}

/// The directory that the caller names: he may have reached it through links.
pub(super) fn open_root(path: &std::path::Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retry(|| rustix::fs::open(path, flags, Mode::empty()))
}

/// A directory in a directory.
pub(super) fn open_directory(parent: impl AsFd, name: &str) -> Result<OwnedFd, Problem> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | SAFE;
    Ok(retry(|| rustix::fs::openat(parent.as_fd(), name, flags, Mode::empty()))?)
}

/// The regular file at `path` below `root`, for reading.
pub(super) fn open_file(root: &OwnedFd, path: &str) -> Result<File, Problem> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    let mut held = None;
    for part in parts {
        held = Some(open_directory(held.as_ref().unwrap_or(root), part)?);
    }
    let parent = held.as_ref().unwrap_or(root);
    let fd = retry(|| rustix::fs::openat(parent, name, OFlags::RDONLY | SAFE, Mode::empty()))?;
    let stat = retry(|| rustix::fs::fstat(&fd))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(File::from(fd)),
        _ => Err(Problem::Other),
    }
}

/// What is in a directory: names, whatever they are, with types and sizes. Links are links.
pub(super) fn entries(directory: &OwnedFd) -> rustix::io::Result<Vec<(Vec<u8>, FileType, u64)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = retry(|| rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW))?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        found.push((name.to_bytes().to_vec(), FileType::from_raw_mode(stat.st_mode), size));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_an_export_could_have_are_plain() {
        for plain in ["data/cursor", "data/entries-00000000", "data/a/b"] {
            assert!(is_plain(plain), "{plain}");
        }
        for tricky in [
            "",
            "data",
            "data/",
            "/data/cursor",
            "data//cursor",
            "data/./cursor",
            "data/../cursor",
            "../data/cursor",
            "data/cursor/..",
            "data/cursor/",
            "data/Cursor",
            "DATA/cursor",
            "data/cursor\0",
            "data/cur\0sor",
            "data\\cursor",
            "data/c:",
            "data/cürsor",
            "data/cursor.",
            "MANIFEST.json",
            "other/cursor",
        ] {
            assert!(!is_plain(tricky), "{tricky:?}");
        }
        assert!(!is_plain(&format!("data/{}", "a".repeat(65))) && !is_plain(&"data/a".repeat(60)));
    }
}
