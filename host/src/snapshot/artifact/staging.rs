//! Exports to directories: all of it, durable, under its name, or nothing.
//!
//! The payload and then the manifest are written to a hidden directory beside the destination and synced; renaming that
//! is the commit point. A kernel lock on the hidden directory tells one whose export is under way from one that a crash
//! left behind, which is emptied and used.

use super::{ArtifactPath, Export, Manifest, read::MANIFEST, tree};
use crate::{convert, error::Error};
use rustix::{
    fs::{AtFlags, FlockOperation, Mode, OFlags},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// How much crosses at once.
const CHUNK: u32 = 1 << 20;

/// Exports to `destination`.
pub(super) fn export(
    export: &Export,
    destination: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<Manifest, Error> {
    let files = export.files()?;
    let total = files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.size));
    let mut staging = Staging::make(destination)?;
    let mut payload = Payload { staging: &staging, files: &files, next: 0, open: None };
    let mut done = 0;
    while let Some(chunk) = export.next_chunk(CHUNK)? {
        payload.write(&chunk.path, &chunk.bytes)?;
        done += chunk.bytes.len() as u64;
        progress(done, total);
    }
    payload.finish()?;
    let manifest = export.manifest()?;
    let same = |(file, declared): (&ArtifactPath, &super::ArtifactFile)| {
        (&file.path, file.size) == (&declared.path, declared.size)
    };
    if files.len() != manifest.files.len() || !files.iter().zip(&manifest.files).all(same) {
        return Err(convert::nonsense("a manifest"));
    }
    staging.write_manifest(&manifest)?;
    staging.publish()?;
    Ok(manifest)
}

/// The hidden directory.
struct Staging {
    /// The directory in which the destination is to appear.
    parent: OwnedFd,
    parent_path: PathBuf,
    /// Name of the destination in there.
    name: String,
    /// Held locked.
    directory: OwnedFd,
    published: bool,
}

impl Staging {
    fn make(destination: &Path) -> Result<Staging, Error> {
        let no_name = || {
            let what = format!("'{}' names no directory that could be made", destination.display());
            Error::InvalidArgument(what)
        };
        let name = destination.file_name().and_then(|name| name.to_str()).ok_or_else(no_name)?.to_owned();
        let above = destination.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent_path = above.unwrap_or(Path::new(".")).to_owned();
        let parent = tree::open_root(&parent_path).map_err(|errno| failed("open", &parent_path, errno))?;
        match tree::retry(|| rustix::fs::statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW)) {
            Ok(_) => return Err(Error::Exists),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed("look at", destination, errno)),
        }
        let directory = hold(&parent, &parent_path, &hidden(&name))?;
        let staging = Staging { parent, parent_path, name, directory, published: false };
        clear(&staging.directory).map_err(|errno| failed("empty", &staging.path(""), errno))?;
        Ok(staging)
    }

    /// What a person calls something in there.
    fn path(&self, inside: &str) -> PathBuf {
        self.parent_path.join(hidden(&self.name)).join(inside)
    }

    /// A new file at a plain path, with the directories above it.
    fn create(&self, path: &str) -> Result<File, Error> {
        let at = |doing| move |errno| failed(doing, &self.path(path), errno);
        let mut parts: Vec<&str> = path.split('/').collect();
        let name = parts.pop().unwrap_or_default();
        let mut held = None;
        for part in parts {
            let parent = held.as_ref().unwrap_or(&self.directory);
            match tree::retry(|| rustix::fs::mkdirat(parent, part, Mode::RWXU)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(at("make a directory for")(errno)),
            }
            let opened = tree::open_directory(parent, part).map_err(|problem| match problem {
                tree::Problem::Failed(errno) => at("make a directory for")(errno),
                _ => at("make a directory for")(Errno::NOTDIR),
            })?;
            held = Some(opened);
        }
        let parent = held.as_ref().unwrap_or(&self.directory);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        tree::retry(|| rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR))
            .map(File::from)
            .map_err(at("make"))
    }

    /// Makes names durable in every directory above these files.
    fn sync_directories(&self, files: &[ArtifactPath]) -> Result<(), Error> {
        let above = files
            .iter()
            .flat_map(|file| file.path.match_indices('/').map(|(slash, _)| file.path[..slash].to_owned()));
        for path in above.collect::<std::collections::BTreeSet<_>>() {
            let mut directory = None;
            for part in path.split('/') {
                let parent = directory.as_ref().unwrap_or(&self.directory);
                let opened = tree::open_directory(parent, part);
                directory = Some(opened.map_err(|_| failed("open", &self.path(&path), Errno::NOTDIR))?);
            }
            if let Some(directory) = directory {
                sync(&directory).map_err(|errno| failed("sync", &self.path(&path), errno))?;
            }
        }
        Ok(())
    }

    /// Last of all, and durable with everything before it.
    fn write_manifest(&self, manifest: &Manifest) -> Result<(), Error> {
        let mut file = self.create(MANIFEST)?;
        let written = file.write_all(&manifest.to_json()).and_then(|()| file.sync_all());
        written.map_err(|error| failed("write", &self.path(MANIFEST), error))?;
        sync(&self.directory).map_err(|errno| failed("sync", &self.path(""), errno))
    }

    /// Gives it its name, durably.
    fn publish(&mut self) -> Result<(), Error> {
        let destination = self.parent_path.join(&self.name);
        match rename(&self.parent, &hidden(&self.name), &self.name) {
            Ok(()) => self.published = true,
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => return Err(Error::Exists),
            Err(errno) => return Err(failed("rename to", &destination, errno)),
        }
        sync(&self.parent).map_err(|errno| failed("sync the directory above", &destination, errno))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.published {
            // If this fails, the next export to the same place does it.
            let _ = clear(&self.directory);
            let _ = rustix::fs::unlinkat(&self.parent, hidden(&self.name), AtFlags::REMOVEDIR);
        }
    }
}

/// The files, one after the other.
struct Payload<'a> {
    staging: &'a Staging,
    files: &'a [ArtifactPath],
    /// How many of them were begun.
    next: usize,
    open: Option<(&'a ArtifactPath, File)>,
}

impl Payload<'_> {
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        while self.open.as_ref().is_none_or(|(file, _)| file.path != path) {
            if !self.begin()? {
                return Err(convert::nonsense("a chunk of an artifact"));
            }
        }
        let Some((file, open)) = &mut self.open else { return Ok(()) };
        open.write_all(bytes).map_err(|error| failed("write", &self.staging.path(&file.path), error))
    }

    /// Ends one file and begins the next; false if there is none. The component names the files, but is not trusted with
    /// paths.
    fn begin(&mut self) -> Result<bool, Error> {
        self.end()?;
        let Some(file) = self.files.get(self.next) else { return Ok(false) };
        if !tree::is_plain(&file.path) {
            return Err(convert::nonsense("a path of an artifact"));
        }
        self.open = Some((file, self.staging.create(&file.path)?));
        self.next += 1;
        Ok(true)
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some((file, open)) = self.open.take() else { return Ok(()) };
        let synced = open.sync_all().and_then(|()| open.metadata());
        let size = synced.map_err(|error| failed("sync", &self.staging.path(&file.path), error))?.len();
        match size == file.size {
            true => Ok(()),
            false => Err(convert::nonsense("a file of an artifact")),
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        while self.begin()? {}
        self.staging.sync_directories(self.files)
    }
}

fn hidden(name: &str) -> String {
    format!(".{name}.partial")
}

/// Makes, or takes over, the hidden directory, and locks it. Whoever renames or removes it holds its lock, so once it is
/// locked and still has its name, it is ours.
fn hold(parent: &OwnedFd, parent_path: &Path, name: &str) -> Result<OwnedFd, Error> {
    let at = |doing| move |errno| failed(doing, &parent_path.join(name), errno);
    loop {
        match tree::retry(|| rustix::fs::mkdirat(parent, name, Mode::RWXU)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(at("make")(errno)),
        }
        let directory = match tree::open_directory(parent, name) {
            Ok(directory) => directory,
            Err(tree::Problem::Missing) => continue,
            Err(tree::Problem::Other) => return Err(at("use")(Errno::NOTDIR)),
            Err(tree::Problem::Failed(errno)) => return Err(at("open")(errno)),
        };
        match tree::retry(|| rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(Error::Locked),
            Err(errno) => return Err(at("lock")(errno)),
        }
        let ours = tree::retry(|| rustix::fs::fstat(&directory)).map_err(at("look at"))?;
        match tree::retry(|| rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)) {
            Ok(named) if (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino) => return Ok(directory),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(at("look at")(errno)),
        }
    }
}

/// Removes everything in there; links are removed, not followed.
fn clear(directory: &OwnedFd) -> rustix::io::Result<()> {
    for (name, file_type, _) in tree::entries(directory)? {
        let mut flags = AtFlags::empty();
        if file_type == rustix::fs::FileType::Directory {
            let open = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            clear(&rustix::fs::openat(directory, &*name, open, Mode::empty())?)?;
            flags = AtFlags::REMOVEDIR;
        }
        rustix::fs::unlinkat(directory, &*name, flags)?;
    }
    Ok(())
}

/// Never over something that is there, as far as the system can do that.
fn rename(parent: &OwnedFd, from: &str, to: &str) -> rustix::io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    match rustix::fs::renameat_with(parent, from, parent, to, rustix::fs::RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        result => return result,
    }
    rustix::fs::renameat(parent, from, parent, to)
}

fn sync(directory: &OwnedFd) -> rustix::io::Result<()> {
    tree::retry(|| rustix::fs::fsync(directory))
}

fn failed(doing: &str, path: &Path, error: impl Into<io::Error>) -> Error {
    let error = error.into();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Error::OutOfSpace
        }
        _ => Error::Storage(format!("cannot {doing} '{}': {error}", path.display())),
    }
}
