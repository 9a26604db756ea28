//! Artifacts in directories, as an import meets them: nothing in there is trusted.
//!
//! Three steps, each of which may refuse it. [`Artifact::open`] reads the manifest and compares names, types and sizes of
//! everything below the directory with it. [`Artifact::import`] then streams the files into the component, which
//! checks every byte against the manifest before there is a log. What changes in between is noticed by the last step.

use super::{
    ImportError, Manifest,
    tree::{self, Problem},
};
use crate::{
    error::{ArtifactFault, Error},
    runtime::Runtime,
    storage::Storage,
    token::Token,
};
use rustix::fs::FileType;
use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Name of the manifest.
pub(super) const MANIFEST: &str = "MANIFEST.json";
/// No manifest is larger: it would stand for 20 TB.
const MANIFEST_BYTES: u64 = 64 << 20;
/// How much of a file crosses at once.
const CHUNK: usize = 1 << 20;

/// An artifact in a directory, as [`Snapshot::export_to`](crate::Snapshot::export_to) writes it. Its manifest was read, and
/// names, types and sizes of its files are what that declares; their bytes are checked by the import.
///
/// ```
/// # use annals::{Error, Runtime, error::ArtifactFault, snapshot::{Artifact, Options, Update}, storage::Memory};
/// # let (runtime, storage) = (Runtime::new()?, std::sync::Arc::new(Memory::new()));
/// # let fold = runtime.snapshot(storage.clone(), "fold", &Options::create())?;
/// # let dir = std::env::temp_dir().join(format!("annals-doc-artifact-{}", std::process::id()));
/// fold.apply(&[Update::put(b"a", b"1")], b"9")?;
/// fold.export_to(&dir)?;
/// let artifact = Artifact::open(&dir)?;
/// let total = artifact.manifest().bytes();
/// artifact.import(&runtime, storage.clone(), "copy", None, |done| println!("{done} of {total} bytes"))?;
///
/// std::fs::write(dir.join("data/more"), "undeclared").unwrap();
/// let refused = Artifact::open(&dir).unwrap_err();
/// assert_eq!(refused.error, Error::Artifact(ArtifactFault::UndeclaredFile));
/// assert_eq!(&*refused.what, "data/more");
/// # std::fs::remove_dir_all(dir).unwrap();
/// # Ok::<(), Error>(())
/// ```
pub struct Artifact {
    path: PathBuf,
    root: OwnedFd,
    manifest: Manifest,
}

impl Artifact {
    /// Looks at the artifact in the directory `path`, which itself may be reached through links. Changes nothing.
    ///
    /// # Errors
    /// [`Artifact`](Error::Artifact): the manifest is missing, not well-formed or of another schema version; it declares a
    /// path that no export has; a file is undeclared, missing, of another size, or no file but a link, a directory, a pipe.
    /// [`Storage`](Error::Storage): the directory cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Artifact, ImportError> {
        let path = path.as_ref();
        let root = tree::open_root(path).map_err(|errno| failed(&path.display().to_string(), errno))?;
        let manifest = manifest(&root)?;
        let declared = declared(&manifest)?;
        check_tree(&root, declared)?;
        Ok(Artifact { path: path.to_owned(), root, manifest })
    }

    /// What it is.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Makes a snapshot of it, under a name that no log has, with this segment size if one is given. `progress` is told
    /// how many bytes are done. When this returns, the log is there, closed and durable; its token. After a crash there
    /// is no log of that name.
    ///
    /// # Errors
    /// [`Artifact`](Error::Artifact): it is of another backend or version, or some byte is not what the manifest says.
    /// [`Exists`](Error::Exists), [`Locked`](Error::Locked), [`TooLarge`](Error::TooLarge),
    /// [`InvalidArgument`](Error::InvalidArgument), [`OutOfSpace`](Error::OutOfSpace), [`Storage`](Error::Storage).
    /// Whichever it is, there is no log of that name that was not there before.
    pub fn import(
        &self,
        runtime: &Runtime,
        storage: Arc<dyn Storage>,
        name: &str,
        segment_bytes: Option<u64>,
        mut progress: impl FnMut(u64),
    ) -> Result<Token, ImportError> {
        let at = |what: &str| {
            let what: Box<str> = what.into();
            move |error| ImportError { error, what }
        };
        let import = runtime.import_snapshot(storage, name, &self.manifest, segment_bytes);
        let import = import.map_err(at(MANIFEST))?;
        let mut chunk = vec![0; CHUNK];
        let mut done = 0;
        for file in &self.manifest.files {
            let path = &*file.path;
            let mut source = tree::open_file(&self.root, path).map_err(|problem| told(path, problem))?;
            let mut left = file.size;
            loop {
                // One byte more than declared shows a file that has grown.
                let most = CHUNK.min(usize::try_from(left.saturating_add(1)).unwrap_or(CHUNK));
                let count = match source.read(&mut chunk[..most]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(at(path)(Error::Storage(error.to_string()))),
                    Ok(count) => count,
                };
                if count == 0 && left == 0 {
                    break;
                }
                let Some(rest) = left.checked_sub(count as u64).filter(|_| count > 0) else {
                    return Err(refused(ArtifactFault::Size, path));
                };
                import.write(path, &chunk[..count]).map_err(at(path))?;
                (left, done) = (rest, done + count as u64);
                progress(done);
            }
        }
        import.finish().map_err(at(MANIFEST))
    }
}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifact").field("path", &self.path).finish_non_exhaustive()
    }
}

fn refused(fault: ArtifactFault, what: &str) -> ImportError {
    ImportError { error: Error::Artifact(fault), what: what.into() }
}

fn failed(what: &str, error: impl Into<io::Error>) -> ImportError {
    ImportError { error: Error::Storage(error.into().to_string()), what: what.into() }
}

fn told(path: &str, problem: Problem) -> ImportError {
    match problem {
        Problem::Missing => refused(ArtifactFault::MissingFile, path),
        Problem::Other => refused(ArtifactFault::NotAFile, path),
        Problem::Failed(errno) => failed(path, errno),
    }
}

fn manifest(root: &OwnedFd) -> Result<Manifest, ImportError> {
    let file = tree::open_file(root, MANIFEST).map_err(|problem| match problem {
        Problem::Missing => refused(ArtifactFault::Manifest, "there is no MANIFEST.json"),
        problem => told(MANIFEST, problem),
    })?;
    let mut bytes = Vec::new();
    let read = file.take(MANIFEST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(MANIFEST, error))?;
    if bytes.len() as u64 > MANIFEST_BYTES {
        return Err(refused(ArtifactFault::Manifest, "MANIFEST.json has more than 64 MiB"));
    }
    Manifest::from_json(&bytes)
}

/// The declared files with their sizes. Nothing was opened yet: here paths are found out.
fn declared(manifest: &Manifest) -> Result<BTreeMap<&str, u64>, ImportError> {
    let mut declared = BTreeMap::new();
    for file in &manifest.files {
        if !tree::is_plain(&file.path) {
            return Err(refused(ArtifactFault::Path, &format!("{:?} in MANIFEST.json", file.path)));
        }
        if declared.insert(&*file.path, file.size).is_some() {
            let twice = format!("MANIFEST.json declares {} twice", file.path);
            return Err(refused(ArtifactFault::Manifest, &twice));
        }
    }
    Ok(declared)
}

/// Compares everything below `root` with what is declared.
fn check_tree(root: &OwnedFd, mut declared: BTreeMap<&str, u64>) -> Result<(), ImportError> {
    let parent = |path: &str, of: &BTreeMap<&str, u64>| {
        let inside = format!("{path}/");
        of.range(&*inside..).next().is_some_and(|(file, _)| file.starts_with(&inside))
    };
    let all = declared.clone();
    let root = root.try_clone().map_err(|error| failed("the artifact", error))?;
    let mut pending = vec![(String::new(), root)];
    while let Some((inside, directory)) = pending.pop() {
        for (name, file_type, size) in tree::entries(&directory).map_err(|errno| failed(&inside, errno))? {
            let path = format!("{inside}{}", String::from_utf8_lossy(&name));
            match file_type {
                FileType::RegularFile if path == MANIFEST => {}
                FileType::RegularFile => match declared.remove(&*path) {
                    None => return Err(refused(ArtifactFault::UndeclaredFile, &path)),
                    Some(declared) if declared != size => {
                        return Err(refused(ArtifactFault::Size, &path));
                    }
                    Some(_) => {}
                },
                FileType::Directory if parent(&path, &all) => {
                    // A name that is the beginning of a declared path is plain.
                    let opened = tree::open_directory(&directory, &String::from_utf8_lossy(&name));
                    let opened = opened.map_err(|problem| told(&path, problem))?;
                    pending.push((format!("{path}/"), opened));
                }
                _ => return Err(refused(ArtifactFault::NotAFile, &path)),
            }
        }
    }
    match declared.first_key_value() {
        Some((missing, _)) => Err(refused(ArtifactFault::MissingFile, missing)),
        None => Ok(()),
    }
}
