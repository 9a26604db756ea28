//! Whole files as items. They are opened one after the other, each when its turn comes.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    vec,
};

use annals::limits::ITEM_BYTES;

use super::input::{BATCH_BYTES, BATCH_ITEMS, InputError, Items, Source};

/// Files that are still to be read.
pub(crate) struct Files {
    paths: vec::IntoIter<PathBuf>,
    failure: Option<InputError>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    read: u64,
}

impl Files {
    /// In this order; `-` is standard input.
    pub(crate) fn new(paths: Vec<PathBuf>) -> Files {
        Files { paths: paths.into_iter(), failure: None, bytes: Vec::new(), ends: Vec::new(), read: 0 }
    }

    /// Appends a file to the batch.
    fn take(&mut self, path: &Path) -> Result<(), InputError> {
        let file = |error| InputError::File(path.to_owned(), error);
        let input: Box<dyn Read> = match path.as_os_str() == "-" {
            true => Box::new(io::stdin()),
            false => Box::new(File::open(path).map_err(file)?),
        };
        let start = self.bytes.len();
        let read = input.take(ITEM_BYTES as u64 + 1).read_to_end(&mut self.bytes);
        if let Err(error) = read {
            self.bytes.truncate(start);
            return Err(file(error));
        }
        let length = self.bytes.len() - start;
        if length > ITEM_BYTES {
            self.bytes.truncate(start);
            return Err(InputError::LongFile(path.to_owned()));
        }
        // A batch stays far below 4 GiB.
        self.ends.push(self.bytes.len() as u32);
        self.read += length as u64;
        Ok(())
    }
}

impl Source for Files {
    fn next_batch(&mut self, max: usize) -> Result<Option<Items<'_>>, InputError> {
        let max = max.clamp(1, BATCH_ITEMS);
        self.bytes.clear();
        self.ends.clear();
        while self.ends.len() < max && self.bytes.len() < BATCH_BYTES {
            let Some(path) = self.paths.next() else { break };
            if let Err(failure) = self.take(&path) {
                self.failure = Some(failure);
                self.paths = Vec::new().into_iter();
            }
        }
        match self.failure.take_if(|_| self.ends.is_empty()) {
            Some(failure) => Err(failure),
            None if self.ends.is_empty() => Ok(None),
            None => Ok(Some(Items { ends: &self.ends, bytes: &self.bytes })),
        }
    }

    fn read(&self) -> u64 {
        self.read
    }
}
