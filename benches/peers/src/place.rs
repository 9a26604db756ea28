//! Where the work is done: a directory of its own on the disk to measure, removed at the end.

use crate::contenders::{Kind, Who};
use annals::{
    Runtime,
    storage::{Directory, Memory, Storage},
};
use anyhow::{Context as _, Result};
use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// See above.
pub(crate) struct Place {
    root: PathBuf,
    pub(crate) runtime: Runtime,
    /// Where Annals works.
    pub(crate) storage: Arc<dyn Storage>,
    memory: Arc<dyn Storage>,
}

impl Place {
    /// Makes the directory, in `base`.
    pub(crate) fn new(base: &Path) -> Result<Place> {
        let root = base.join(format!("annals-peers-{}", std::process::id()));
        fs::create_dir_all(&root).with_context(|| format!("cannot work in {}", base.display()))?;
        let storage = Directory::open(root.join("annals"))?;
        Ok(Place {
            root,
            runtime: Runtime::new()?,
            storage: Arc::new(storage),
            memory: Arc::new(Memory::new()),
        })
    }

    /// The provider that logs of this kind are in.
    pub(crate) fn storage(&self, kind: Kind) -> Arc<dyn Storage> {
        if kind == Kind::InMemory { self.memory.clone() } else { self.storage.clone() }
    }

    /// The directory of a peer's log.
    pub(crate) fn directory(&self, who: Who, name: &str) -> Result<PathBuf> {
        let directory = self.root.join(format!("{who:?}-{name}"));
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// Bytes that the files of a log take on the disk.
    pub(crate) fn bytes(&self, who: Who, name: &str) -> Result<u64> {
        let annals = matches!(who, Who::Raw | Who::Native | Who::Component);
        // The files of all logs of Annals lie in one directory; their names begin with that of their log.
        let ours = |file: &str| !annals || file.starts_with(&format!("{name}."));
        let root = if annals { "annals".to_owned() } else { format!("{who:?}-{name}") };
        let (mut directories, mut bytes) = (vec![self.root.join(root)], 0);
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    directories.push(entry.path());
                } else if ours(&entry.file_name().to_string_lossy()) {
                    bytes += entry.metadata()?.blocks() * 512;
                }
            }
        }
        Ok(bytes)
    }

    /// Removes a log that was closed, whoever wrote it.
    pub(crate) fn remove(&self, kind: Kind, who: Who, name: &str) -> Result<()> {
        let (runtime, storage) = (&self.runtime, self.storage(kind));
        match (who, kind) {
            (Who::Raw, _) => storage.remove(&format!("raw-{name}"))?,
            (Who::Native | Who::Component, Kind::Journal | Kind::OneFile | Kind::InMemory) => {
                runtime.destroy_journal(storage, name)?
            }
            (Who::Native | Who::Component, Kind::Raft) => runtime.destroy_raft_log(storage, name)?,
            (Who::Native | Who::Component, Kind::Events) => runtime.destroy_event_log(storage, name)?,
            (Who::Native | Who::Component, Kind::Snapshot) => runtime.destroy_snapshot(storage, name)?,
            _ => {}
        }
        match fs::remove_dir_all(self.root.join(format!("{who:?}-{name}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // If it cannot be removed, its name tells whoever looks whose it was.
        let _ = fs::remove_dir_all(&self.root);
    }
}
