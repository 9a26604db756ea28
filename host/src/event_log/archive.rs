//! Sealed files that are read on their own: in a storage, or anywhere.

use super::Events;
use crate::{
    error::Error,
    handle::Child,
    runtime::Runtime,
    storage::{self, Cell, File, Lock, PendingSync, Storage, Swap},
};
use std::{
    fs,
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// What a file of any name is called towards the component.
const NAME: &str = "archive";

impl Runtime {
    /// Reads one sealed file of an event log on its own: the events that it held when it was sealed. Its log need not be
    /// there, and it may be a copy under any name. Every byte is checked first.
    ///
    /// ```
    /// # use annals::{Runtime, event_log::Options, storage::Memory};
    /// # let (runtime, storage) = (Runtime::new()?, std::sync::Arc::new(Memory::new()));
    /// # let log = runtime.event_log(storage.clone(), "log", &Options::create())?;
    /// log.append(1, b"sealed")?;
    /// let sealed = log.rotate()?;
    /// log.append(2, b"in the next file")?;
    /// let events = runtime.event_archive(storage, &sealed.file)?.collect::<Result<Vec<_>, _>>()?;
    /// assert!(events[0].iter().eq([(1, &b"sealed"[..])]));
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`OtherKind`](Error::OtherKind) if it is of another log,
    /// [`Damaged`](Error::Damaged) if it does not begin and end as a sealed file does (other damage is told by the
    /// stream), [`Storage`](Error::Storage): nothing was changed.
    pub fn event_archive(&self, storage: Arc<dyn Storage>, file: &str) -> Result<Events, Error> {
        let reader = Child::alone(self, storage, |annals, store| {
            annals.annals_log_event_log().call_open_archive(store, file)
        })?;
        Ok(Events::new(reader))
    }

    /// The same for a file that lies anywhere, such as an archived copy.
    ///
    /// ```no_run
    /// # use annals::Runtime;
    /// for batch in Runtime::new()?.event_archive_file("/archive/orders-2026-11.events")? {
    ///     for (id, event) in batch?.iter() {
    ///         println!("{id}: {} bytes", event.len());
    ///     }
    /// }
    /// # Ok::<(), annals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`event_archive`](Runtime::event_archive); [`Storage`](Error::Storage) if it is not a file, or cannot be read.
    pub fn event_archive_file(&self, path: impl AsRef<Path>) -> Result<Events, Error> {
        let path = path.as_ref();
        let failed = |error: io::Error| match error.kind() {
            ErrorKind::NotFound => Error::NotFound,
            _ => Error::Storage(format!("{}: {error}", path.display())),
        };
        // Opening a pipe would wait for its other end.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(Error::Storage(format!("{}: it is not a file", path.display())));
        }
        let file = fs::File::open(path).map_err(failed)?;
        self.event_archive(Arc::new(OneFile(Arc::new(Mutex::new(file)))), NAME)
    }
}

/// A storage that holds one file and takes no other.
struct OneFile(Arc<Mutex<fs::File>>);

fn refused<T>() -> storage::Result<T> {
    Err(storage::Error::Io("an archive is only read".into()))
}

fn failure(error: io::Error) -> storage::Error {
    storage::Error::Io(error.to_string())
}

impl Storage for OneFile {
    fn is_durable(&self) -> bool {
        false
    }
    fn create(&self, _name: &str) -> storage::Result<Box<dyn File>> {
        refused()
    }
    fn open(&self, name: &str) -> storage::Result<Box<dyn File>> {
        match name {
            NAME => Ok(Box::new(OneFile(self.0.clone()))),
            _ => Err(storage::Error::NotFound),
        }
    }
    fn remove(&self, _name: &str) -> storage::Result<()> {
        refused()
    }
    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> storage::Result<Vec<String>> {
        Ok(storage::page([NAME.to_owned()].into_iter(), prefix, after, max))
    }
    fn list_cells(&self, _prefix: &str, _after: Option<&str>, _max: u32) -> storage::Result<Vec<String>> {
        Ok(Vec::new())
    }
    fn read_cell(&self, _name: &str) -> storage::Result<Option<Cell>> {
        Ok(None)
    }
    fn swap_cell(&self, _name: &str, _expected: Option<u64>, _value: Option<&[u8]>) -> storage::Result<Swap> {
        refused()
    }
    fn lock(&self, _name: &str, _wait_ms: u32) -> storage::Result<Box<dyn Lock>> {
        refused()
    }
}

impl File for OneFile {
    fn size(&self) -> storage::Result<u64> {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.metadata().map(|metadata| metadata.len()).map_err(failure)
    }
    fn read(&self, offset: u64, len: u32) -> storage::Result<Vec<u8>> {
        // No more than there is: what is asked for may come from a damaged file.
        let there = self.size()?.saturating_sub(offset).min(u64::from(len));
        let mut bytes = Vec::new();
        let room = usize::try_from(there).unwrap_or(usize::MAX);
        bytes
            .try_reserve_exact(room)
            .map_err(|_| storage::Error::Io(format!("no memory to read {there} bytes")))?;
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset)).map_err(failure)?;
        (&mut *file).take(there).read_to_end(&mut bytes).map_err(failure)?;
        Ok(bytes)
    }
    fn write(&self, _offset: u64, _bytes: &[u8]) -> storage::Result<()> {
        refused()
    }
    fn reserve(&self, _size: u64) -> storage::Result<()> {
        refused()
    }
    fn truncate(&self, _size: u64) -> storage::Result<()> {
        refused()
    }
    fn sync(&self) -> storage::Result<()> {
        refused()
    }
    fn begin_sync(&self) -> storage::Result<Arc<dyn PendingSync>> {
        refused()
    }
}
