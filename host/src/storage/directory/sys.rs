//! System calls, relative to held directories and without following symbolic links.

use super::super::{Error, Result, check_name};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use std::{
    fs,
    io::{self, ErrorKind},
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

const FILE: Mode = Mode::RUSR.union(Mode::WUSR);
const DIRECTORY: Mode = Mode::RWXU;
/// Neither through a link, nor into a child process, nor stuck on a pipe.
const SAFE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// What an error of the system is to a log.
pub(super) fn failure(error: impl Into<io::Error>) -> Error {
    let error = error.into();
    match error.kind() {
        ErrorKind::NotFound => Error::NotFound,
        ErrorKind::AlreadyExists => Error::Exists,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Error::OutOfSpace,
        _ => Error::Io(error.to_string()),
    }
}

/// Retries a call that a signal interrupted.
pub(super) fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.map_err(failure),
        }
    }
}

/// Makes the directory and those above it that are missing, each durably.
pub(super) fn create_root(path: &Path) -> Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && fs::symlink_metadata(path).is_err())
        .collect();
    for path in missing.into_iter().rev() {
        match retry(|| rustix::fs::mkdir(path, DIRECTORY)) {
            Ok(()) | Err(Error::Exists) => {}
            Err(error) => return Err(error),
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_directory(&open_directory(parent.unwrap_or(Path::new(".")))?)?;
    }
    Ok(())
}

/// The root may be reached through links: whoever names it vouches for it.
pub(super) fn open_directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retry(|| rustix::fs::open(path, flags, Mode::empty()))
}

pub(super) fn open_directory_at(parent: &OwnedFd, name: &str) -> Result<OwnedFd> {
    retry(|| rustix::fs::openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | SAFE, Mode::empty()))
}

pub(super) fn create_directory(parent: &OwnedFd, name: &str) -> Result<()> {
    match retry(|| rustix::fs::mkdirat(parent, name, DIRECTORY)) {
        Ok(()) | Err(Error::Exists) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes names in it durable. On a read-only file system they are.
pub(super) fn sync_directory(directory: &OwnedFd) -> Result<()> {
    match retry(|| match rustix::fs::fsync(directory) {
        Err(rustix::io::Errno::ROFS) => Ok(()),
        result => result,
    }) {
        Err(error) => Err(Error::Io(format!("cannot sync the directory: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// A new, empty file.
pub(super) fn create(directory: &OwnedFd, name: &str) -> Result<fs::File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | SAFE;
    retry(|| rustix::fs::openat(directory, name, flags, FILE)).map(fs::File::from)
}

/// An existing file, for writing too where that is possible.
pub(super) fn open(directory: &OwnedFd, name: &str) -> Result<fs::File> {
    use rustix::io::Errno;
    let open = |access| retry_raw(|| rustix::fs::openat(directory, name, access | SAFE, Mode::empty()));
    let opened = match open(OFlags::RDWR) {
        Err(Errno::ROFS | Errno::ACCESS | Errno::PERM) => open(OFlags::RDONLY),
        opened => opened,
    };
    let fd = match opened {
        Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => {
            return Err(not_plain(name, "it is no regular file"));
        }
        opened => fs::File::from(opened.map_err(failure)?),
    };
    check_plain(&fd, name)?;
    Ok(fd)
}

/// The file that a lock is on; made if it is missing.
pub(super) fn open_lock(directory: &OwnedFd, name: &str) -> Result<fs::File> {
    let flags = OFlags::RDWR | OFlags::CREATE | SAFE;
    let fd = retry(|| rustix::fs::openat(directory, name, flags, FILE)).map(fs::File::from)?;
    check_plain(&fd, name)?;
    Ok(fd)
}

fn retry_raw<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return result,
        }
    }
}

fn not_plain(name: &str, why: &str) -> Error {
    Error::Io(format!("{name} is refused: {why}"))
}

fn check_plain(fd: impl AsFd, name: &str) -> Result<()> {
    let stat = retry(|| rustix::fs::fstat(fd.as_fd()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(not_plain(name, "it is no regular file"));
    }
    if stat.st_nlink > 1 {
        return Err(not_plain(
            name,
            "it has another hard link, which writing here would change too; copy it",
        ));
    }
    Ok(())
}

/// Whether the file system says that it has not got so many bytes: spares filling it up to find out.
pub(super) fn obviously_too_much(file: &fs::File, bytes: u64) -> bool {
    retry(|| rustix::fs::fstatvfs(file))
        .is_ok_and(|there| bytes > there.f_bfree.saturating_mul(there.f_frsize))
}

/// Makes the file longer, with space that is its own and reads as zeros. False if the file system cannot.
pub(super) fn allocate(file: &fs::File, from: u64, to: u64) -> Result<bool> {
    use rustix::{fs::FallocateFlags, io::Errno};
    match retry_raw(|| rustix::fs::fallocate(file, FallocateFlags::empty(), from, to - from)) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(error) => Err(failure(error)),
    }
}

/// Size of what has that name, not through a link; 0 if there is none any more.
pub(super) fn size_of(directory: &OwnedFd, name: &str) -> Result<u64> {
    match retry(|| rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)) {
        Ok(stat) => Ok(u64::try_from(stat.st_size).unwrap_or_default()),
        Err(Error::NotFound) => Ok(0),
        Err(error) => Err(error),
    }
}

pub(super) fn unlink(directory: &OwnedFd, name: &str) -> Result<()> {
    retry(|| rustix::fs::unlinkat(directory, name, AtFlags::empty()))
}

pub(super) fn rename(directory: &OwnedFd, from: &str, to: &str) -> Result<()> {
    retry(|| rustix::fs::renameat(directory, from, directory, to))
}

/// Names of the regular files in there that follow the rules for names; with `all`, those that start with a dot too.
pub(super) fn names(directory: &OwnedFd, all: bool) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory).map_err(failure)? {
        let entry = entry.map_err(failure)?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        let plain = matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown);
        let rules = if all { name.strip_prefix('.').unwrap_or(name) } else { name };
        if plain && check_name(rules).is_ok() {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

pub(super) fn copy(from: &OwnedFd, to: &OwnedFd, name: &str) -> Result<()> {
    let mut source = match open(from, name) {
        // Removed since it was listed.
        Err(Error::NotFound) => return Ok(()),
        source => source?,
    };
    let mut copy = match create(to, name) {
        Err(Error::Exists) => {
            unlink(to, name)?;
            create(to, name)?
        }
        copy => copy?,
    };
    io::copy(&mut source, &mut copy).map_err(failure)?;
    copy.sync_all().map_err(failure)
}
