//! Compiled components on disk, so that a program need not compile them at each start.
//!
//! ```text
//! DIR/KEY       "ANNCODE1", the key (32 bytes), XXH3-128 of the rest (16 bytes), wasmtime's precompiled form
//! DIR/.new-*    one that is being written; renamed when it is complete
//! ```
//!
//! The key is BLAKE3 over the component and wasmtime's compatibility hash (its version, settings and the processor's
//! features). Whatever is missing, damaged or does not fit is compiled anew, silently, and stored again if that works.
//!
//! **Trust.** Precompiled code is machine code: whoever can write to it can run anything in this process. So it is used
//! only if the directory and the file belong to the user that runs this process, nobody else may write to the file or
//! even look into the directory, and neither is reached through a symbolic link in its last step. Whoever passes that is
//! this user, or root, and needs no cache to run code as this user. The checksum is against damage, not against them.
//! There is no cache where there are no such permissions (outside Unix).

use std::path::PathBuf;

/// Where the `annals` command keeps compiled components: what `ANNALS_CACHE` says (`off`, or empty: nowhere), else
/// `$XDG_CACHE_HOME/annals`, else `~/.cache/annals`.
///
/// ```
/// let config = annals::Config::new();
/// let config = match annals::cache::default_dir() {
///     Some(dir) => config.cache(dir),
///     None => config,
/// };
/// ```
pub fn default_dir() -> Option<PathBuf> {
    place(|name| std::env::var_os(name).map(PathBuf::from))
}

fn place(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if let Some(told) = variable("ANNALS_CACHE") {
        let off = told.as_os_str().is_empty() || told.as_os_str() == "off";
        return (!off).then_some(told);
    }
    let absolute = |path: &PathBuf| path.is_absolute();
    let base = variable("XDG_CACHE_HOME").filter(absolute);
    let base = base.or_else(|| Some(variable("HOME").filter(absolute)?.join(".cache")))?;
    Some(base.join("annals"))
}

#[cfg(unix)]
pub(crate) use unix::component;

#[cfg(not(unix))]
pub(crate) fn component(
    engine: &wasmtime::Engine,
    bytes: &[u8],
    _dir: &std::path::Path,
) -> wasmtime::Result<wasmtime::component::Component> {
    wasmtime::component::Component::new(engine, bytes)
}

#[cfg(unix)]
mod unix {
    use rustix::{
        fs::{FileType, Mode, OFlags, Stat},
        io::Errno,
    };
    use std::{
        fmt::Write as _,
        fs,
        hash::{Hash, Hasher},
        io::{self, Read, Write},
        os::fd::OwnedFd,
        path::Path,
    };
    use wasmtime::{Engine, component::Component};
    use xxhash_rust::xxh3::xxh3_128;

    const MAGIC: &[u8; 8] = b"ANNCODE1";
    const HEADER: usize = 8 + 32 + 16;
    /// Larger ones are not ours.
    const MAX_BYTES: u64 = 1 << 30;
    /// How many are kept.
    const KEEP: usize = 16;

    /// The compiled form of `bytes`: from the cache, or compiled and stored there.
    pub(crate) fn component(engine: &Engine, bytes: &[u8], dir: &Path) -> wasmtime::Result<Component> {
        let key = key(engine, bytes);
        let place = open_dir(dir).ok();
        let stored = place.as_ref().and_then(|place| load(place, &key));
        if let Some(component) = stored.and_then(|code| deserialize(engine, &code).ok()) {
            return Ok(component);
        }
        let component = Component::new(engine, bytes)?;
        // That it cannot be stored costs time at the next start, and nothing else.
        if let (Some(place), Ok(code)) = (place, component.serialize()) {
            let _ = store(&place, &key, &code);
        }
        Ok(component)
    }

    #[allow(unsafe_code)]
    fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
        // SAFETY: `code` must be what `Component::serialize` returned. It was read whole from a file that only this user
        // could write, in a directory that only this user could enter, and carries the checksum and the key that `store`
        // gave it, so it is what `store` wrote; wasmtime itself checks its version and settings.
        unsafe { Component::deserialize(engine, code) }
    }

    struct ToBlake3(blake3::Hasher);

    impl Hasher for ToBlake3 {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }

    fn key(engine: &Engine, bytes: &[u8]) -> blake3::Hash {
        let mut hasher = ToBlake3(blake3::Hasher::new());
        hasher.0.update(&(bytes.len() as u64).to_le_bytes());
        hasher.0.update(bytes);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.0.finalize()
    }

    fn name(key: &blake3::Hash) -> String {
        key.to_hex().to_string()
    }

    /// Whether it belongs to this user, and nobody else has these permissions.
    fn ours(stat: &Stat, kind: FileType, others: Mode) -> bool {
        FileType::from_raw_mode(stat.st_mode) == kind
            && stat.st_uid == rustix::process::geteuid().as_raw()
            && !Mode::from_raw_mode(stat.st_mode).intersects(others)
    }

    fn refused() -> io::Error {
        io::Error::from(io::ErrorKind::PermissionDenied)
    }

    fn open_dir(dir: &Path) -> io::Result<OwnedFd> {
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent)?;
        }
        match rustix::fs::mkdir(dir, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(dir, flags, Mode::empty())?;
        match ours(&rustix::fs::fstat(&fd)?, FileType::Directory, Mode::RWXG | Mode::RWXO) {
            true => Ok(fd),
            false => Err(refused()),
        }
    }

    fn load(place: &OwnedFd, key: &blake3::Hash) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::openat(place, name(key), flags, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&fd).ok()?;
        let size = u64::try_from(stat.st_size).ok().filter(|size| *size <= MAX_BYTES)?;
        if !ours(&stat, FileType::RegularFile, Mode::WGRP | Mode::WOTH) {
            return None;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).ok()?.checked_add(1)?);
        fs::File::from(fd).take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        if header(key, bytes.get(HEADER..)?) != bytes.get(..HEADER)? {
            return None;
        }
        bytes.drain(..HEADER);
        Some(bytes)
    }

    fn header(key: &blake3::Hash, code: &[u8]) -> Vec<u8> {
        [&MAGIC[..], key.as_bytes(), &xxh3_128(code).to_le_bytes()].concat()
    }

    fn store(place: &OwnedFd, key: &blake3::Hash, code: &[u8]) -> io::Result<()> {
        let mut new = String::from(".new-");
        write!(new, "{:016x}", getrandom::u64().map_err(io::Error::other)?).map_err(io::Error::other)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = fs::File::from(rustix::fs::openat(place, &new, flags, Mode::RUSR.union(Mode::WUSR))?);
        let written = file.write_all(&header(key, code)).and_then(|()| file.write_all(code));
        // Not synced: what a crash leaves half-written fails its check.
        let stored = written.and_then(|()| Ok(rustix::fs::renameat(place, &new, place, name(key))?));
        if stored.is_err() {
            let _ = rustix::fs::unlinkat(place, &new, rustix::fs::AtFlags::empty());
        }
        stored?;
        forget_oldest(place)
    }

    /// Keeps the newest ones: other versions and components leave theirs behind, and so do crashes.
    fn forget_oldest(place: &OwnedFd) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(place)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            let key = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            if key || name.starts_with(".new-") {
                let stat = rustix::fs::statat(place, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
                entries.push((stat.st_mtime, name.to_owned()));
            }
        }
        entries.sort_unstable();
        let old = entries.len().saturating_sub(KEEP);
        for (_, name) in entries.into_iter().take(old) {
            let _ = rustix::fs::unlinkat(place, name, rustix::fs::AtFlags::empty());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_where_the_environment_says() {
        let with = |variables: &'static [(&str, &str)]| {
            place(move |name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| PathBuf::from(value))
            })
        };
        assert_eq!(with(&[("ANNALS_CACHE", "off"), ("HOME", "/home/u")]), None);
        assert_eq!(with(&[("ANNALS_CACHE", ""), ("HOME", "/home/u")]), None);
        assert_eq!(with(&[("ANNALS_CACHE", "here"), ("HOME", "/home/u")]), Some("here".into()));
        assert_eq!(with(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/home/u")]), Some("/x/annals".into()));
        assert_eq!(
            with(&[("XDG_CACHE_HOME", "relative"), ("HOME", "/home/u")]),
            Some("/home/u/.cache/annals".into())
        );
        assert_eq!(with(&[]), None);
    }
}
