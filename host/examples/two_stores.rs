//! Two stores that change together: blobs in files, and an index that names them. Whatever moment the program is killed
//! at, after the next start every blob is in the index and every entry of the index has its blob. A change log does that:
//!
//! 1. record the intent: which key, which blob it gets, which one it had;
//! 2. write the new blob;
//! 3. change the index, which is the commit point;
//! 4. remove the old blob;
//! 5. remove the intent.
//!
//! At the start, whatever is still outstanding is finished: the index says which of the two blobs is an orphan.
//!
//! `cargo run -p annals --example two_stores -- DIR` takes lines from standard input: `put KEY TEXT`, `delete KEY`,
//! `list`.

use annals::{
    ChangeLog, Config, Error, Runtime, Snapshot,
    change_log::{self, Change},
    snapshot::{self, Update},
    storage::Directory,
};
use std::{
    fs::{self, File},
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// What can go wrong.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Both stores, and the log of what is about to be done to them.
pub(crate) struct Store {
    /// Key → name of the blob. Opened for writing, so nobody else works on the stores meanwhile.
    index: Snapshot,
    changes: ChangeLog,
    blobs: PathBuf,
    /// Counts the changes of this instance.
    next: u64,
}

/// What a change is about to do to a key: the payload of its record, as three words. No blob is `-`.
struct Intent {
    new: String,
    old: String,
    key: String,
}

impl Store {
    /// Opens the stores in `dir`, and finishes what others had begun when they died. Also, how many changes that were.
    pub(crate) fn open(dir: &Path) -> Result<(Store, u64)> {
        let blobs = dir.join("blobs");
        fs::create_dir_all(&blobs)?;
        // Compiled once, not at every start.
        let config = annals::cache::default_dir().into_iter().fold(Config::new(), Config::cache);
        let (runtime, storage) =
            (Runtime::with_config(config)?, Arc::new(Directory::open(dir.join("logs"))?));
        let index = runtime.snapshot(storage.clone(), "index", &snapshot::Options::new())?;
        let changes = runtime.change_log(storage, "changes", &change_log::Options::new())?;
        let mut store = Store { index, changes, blobs, next: 0 };
        let finished = store.recover()?;
        Ok((store, finished))
    }

    /// Takes over the changes of all other instances. They are dead: while they lived, the index was locked.
    fn recover(&mut self) -> Result<u64> {
        for dead in self.changes.recover(0)? {
            if let Some(damage) = dead.damaged {
                return Err(format!("instance {} is damaged: {damage}", dead.instance).into());
            }
        }
        let mut finished = 0;
        for outstanding in self.changes.scan(true)? {
            let outstanding = outstanding?;
            self.finish(&Intent::of(&outstanding.change)?)?;
            self.changes.remove(Some(&outstanding.origin), &outstanding.id)?;
            finished += 1;
        }
        Ok(finished)
    }

    /// Removes the blob that the index does not name. Doing so again is harmless.
    fn finish(&self, intent: &Intent) -> Result<()> {
        let named = self.blob_of(&intent.key)?;
        for blob in [&intent.new, &intent.old] {
            if blob != "-" && named.as_ref() != Some(blob) {
                self.remove_blob(blob)?;
            }
        }
        Ok(())
    }

    /// Gives a key this text. Durable when this returns.
    pub(crate) fn put(&mut self, key: &str, text: &str) -> Result<()> {
        let new = format!("{}-{}", self.changes.instance(), self.next);
        self.change(key, Some((&new, text)))
    }

    /// Takes a key away. Durable when this returns.
    pub(crate) fn delete(&mut self, key: &str) -> Result<()> {
        self.change(key, None)
    }

    fn change(&mut self, key: &str, new: Option<(&str, &str)>) -> Result<()> {
        let id = self.next.to_be_bytes();
        self.next += 1;
        let word = |blob: Option<&str>| blob.unwrap_or("-").to_owned();
        let old = self.blob_of(key)?;
        let intent =
            Intent { new: word(new.map(|(blob, _)| blob)), old: word(old.as_deref()), key: key.to_owned() };
        self.changes.record(&id, &intent.to_change())?;
        match new {
            Some((blob, text)) => {
                self.write_blob(blob, text)?;
                self.index.apply(&[Update::put(key.as_bytes(), blob.as_bytes())], b"")?;
            }
            None => drop(self.index.apply(&[Update::delete(key.as_bytes())], b"")?),
        }
        self.finish(&intent)?;
        self.changes.remove(None, &id)?;
        Ok(())
    }

    /// The blob that the index names for a key.
    fn blob_of(&self, key: &str) -> Result<Option<String>> {
        let entry = self.index.get(key.as_bytes())?;
        Ok(entry.map(|entry| String::from_utf8(entry.value)).transpose()?)
    }

    fn write_blob(&self, blob: &str, text: &str) -> io::Result<()> {
        let mut file = File::create_new(self.blobs.join(blob))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        File::open(&self.blobs)?.sync_all()
    }

    fn remove_blob(&self, blob: &str) -> io::Result<()> {
        match fs::remove_file(self.blobs.join(blob)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        File::open(&self.blobs)?.sync_all()
    }

    /// All keys with their texts, in order.
    ///
    /// # Errors
    /// An entry of the index has no blob, or a blob is in no entry.
    pub(crate) fn list(&self) -> Result<Vec<(String, String)>> {
        let mut orphans = std::collections::BTreeSet::new();
        for blob in fs::read_dir(&self.blobs)? {
            orphans.insert(blob?.file_name().into_string().map_err(|name| format!("{name:?}"))?);
        }
        let mut all = Vec::new();
        for entry in self.index.entries(b"")? {
            let entry = entry?;
            let (key, blob) = (String::from_utf8(entry.key)?, String::from_utf8(entry.value)?);
            let text = fs::read_to_string(self.blobs.join(&blob));
            all.push((key, text.map_err(|error| format!("dangling entry, blob {blob}: {error}"))?));
            orphans.remove(&blob);
        }
        match orphans.first() {
            Some(orphan) => Err(format!("orphan blob {orphan}").into()),
            None => Ok(all),
        }
    }

    /// Leaves in order.
    pub(crate) fn close(self) -> std::result::Result<(), Error> {
        self.changes.close()?;
        self.index.close()?;
        Ok(())
    }
}

impl Intent {
    fn to_change(&self) -> Change {
        Change::new(format!("{} {} {}", self.new, self.old, self.key))
    }

    fn of(change: &Change) -> Result<Intent> {
        let text = str::from_utf8(&change.payload)?;
        let mut words = text.splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().ok_or("no intent of this program");
        Ok(Intent { new: word()?, old: word()?, key: word()? })
    }
}

/// Does what the lines say; prints `done N` after each.
pub(crate) fn run(dir: &Path, lines: impl BufRead) -> Result<()> {
    let (mut store, finished) = Store::open(dir)?;
    println!("finished {finished}");
    for (number, line) in (1..).zip(lines.lines()) {
        let line = line?;
        let mut words = line.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("put"), Some(key), Some(text)) => store.put(key, text)?,
            (Some("delete"), Some(key), None) => store.delete(key)?,
            (Some("list"), None, None) => {
                for (key, text) in store.list()? {
                    println!("{key} {text}");
                }
            }
            _ => {
                return Err(format!("line {number} is neither put KEY TEXT, nor delete KEY, nor list").into());
            }
        }
        println!("done {number}");
    }
    Ok(store.close()?)
}

fn main() -> Result<()> {
    let dir = std::env::args_os().nth(1).ok_or("say where the stores are to be")?;
    run(dir.as_ref(), io::stdin().lock())
}
