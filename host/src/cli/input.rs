//! Input as items, packed into batches: what the formats of an input have in common.
//!
//! A batch is handed out when it is large enough, when it holds as many items as the caller wants, when the input ends
//! or fails, and when the input would have to be waited for: lines from a terminal, from `tail -f` or from a program that
//! waits for an answer do not wait here for others to come. Whatever precedes a failure is handed out before the failure
//! is told.

use std::{
    fmt,
    fs::{File, Metadata},
    io,
    path::{Path, PathBuf},
};

use annals::limits::ITEM_BYTES;
use anyhow::{Context as _, bail};
use clap::ValueEnum;

use super::{files::Files, lines::Lines, output::Count, prefixed::Prefixed, reading::Reading};

/// Most items in one batch.
pub(crate) const BATCH_ITEMS: usize = 8192;
/// A batch is handed out once it holds this many bytes.
pub(crate) const BATCH_BYTES: usize = 256 << 10;
/// How much is read at once.
pub(crate) const CHUNK: usize = 128 << 10;

/// Items, packed: item `i` is `bytes[ends[i-1]..ends[i]]`. At least one.
pub(crate) struct Items<'a> {
    /// Where each item ends.
    pub(crate) ends: &'a [u32],
    /// The items, one behind the other.
    pub(crate) bytes: &'a [u8],
}

/// An input of some format.
pub(crate) trait Source {
    /// The next items, at least one and at most `max`; none at the end.
    ///
    /// # Errors
    /// An item that is too long, or an input that cannot be read: every whole item before it was returned by earlier
    /// calls, and later calls return none.
    fn next_batch(&mut self, max: usize) -> Result<Option<Items<'_>>, InputError>;
    /// Number of bytes read so far.
    fn read(&self) -> u64;
}

/// How items stand in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Each line is an item; LF ends it and is not part of it
    Lines,
    /// Before each item stands its length: 4 bytes, little-endian
    Prefixed,
    /// Each FILE as a whole is one item
    Files,
}

/// Why an input cannot be read on.
#[derive(Debug)]
pub(crate) enum InputError {
    /// A line is longer than an item may be; its number, from 1.
    LongLine(u64),
    /// Reading failed behind so many whole lines.
    Lines(u64, io::Error),
    /// An item is said to be longer than an item may be; its number, from 1, and its length.
    LongItem(u64, u32),
    /// The input ends inside an item or its length; its number, from 1.
    Short(u64),
    /// Reading failed behind so many whole items.
    Items(u64, io::Error),
    /// A file is longer than an item may be.
    LongFile(PathBuf),
    /// A file cannot be read.
    File(PathBuf, io::Error),
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = format_args!("{ITEM_BYTES} bytes (16 MiB), the maximum of one item");
        match self {
            InputError::LongLine(line) => write!(f, "line {line} is longer than {most}"),
            InputError::Lines(lines, _) => write!(f, "reading failed behind line {lines}"),
            InputError::LongItem(item, length) => write!(
                f,
                "item {item} is said to have {length} bytes, more than {most}; is every item preceded by its length, \
                 4 bytes, little-endian?"
            ),
            InputError::Short(item) => write!(f, "the input ends inside item {item}"),
            InputError::Items(items, _) => write!(f, "reading failed behind {}", Count(*items, "item")),
            InputError::LongFile(path) => write!(f, "{} is longer than {most}", name(path)),
            InputError::File(path, _) => write!(f, "cannot read {}", name(path)),
        }
    }
}

impl std::error::Error for InputError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            InputError::Lines(_, error) | InputError::Items(_, error) | InputError::File(_, error) => {
                Some(error)
            }
            _ => None,
        }
    }
}

/// Files or standard input, item by item.
pub(crate) struct Input {
    /// What a person calls it.
    pub(crate) name: String,
    /// Its size, where it has one.
    pub(crate) bytes: Option<u64>,
    /// Its items.
    pub(crate) items: Box<dyn Source>,
}

impl Input {
    /// Opens a file whose lines are items; `-` is standard input.
    ///
    /// # Errors
    /// It does not exist, cannot be read, or is a directory.
    pub(crate) fn lines(path: &Path) -> anyhow::Result<Input> {
        let (input, bytes) = open(path)?;
        Ok(Input { name: name(path), bytes, items: Box::new(Lines::new(input)) })
    }

    /// Opens files of any format; `-` is standard input.
    ///
    /// # Errors
    /// One does not exist, cannot be read, or is a directory; or there are several where the format takes one.
    pub(crate) fn open(paths: &[PathBuf], format: Format) -> anyhow::Result<Input> {
        match (format, paths) {
            (Format::Lines, [path]) => Input::lines(path),
            (Format::Prefixed, [path]) => {
                let (input, bytes) = open(path)?;
                Ok(Input { name: name(path), bytes, items: Box::new(Prefixed::new(input)) })
            }
            (Format::Files, [_, ..]) => Input::files(paths),
            _ => bail!(
                "{} files are named where one is wanted; append them one after the other, or give --input files to \
                 append each as one item",
                paths.len()
            ),
        }
    }

    /// Looks at all files, so that a wrong name is found before anything is made.
    fn files(paths: &[PathBuf]) -> anyhow::Result<Input> {
        let mut total = Some(0);
        for path in paths {
            // A pipe can be opened only once.
            let pipe = path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
            let bytes = if pipe { None } else { open(path)?.1 };
            if bytes.is_some_and(|bytes| bytes > ITEM_BYTES as u64) {
                bail!("cannot append: {}", InputError::LongFile(path.clone()));
            }
            total = total.zip(bytes).map(|(total, bytes)| total + bytes);
        }
        let name = match paths {
            [path] => name(path),
            _ => Count(paths.len() as u64, "file").to_string(),
        };
        Ok(Input { name, bytes: total, items: Box::new(Files::new(paths.to_vec())) })
    }
}

/// Opens a file or standard input, and says how long it is, where that is known.
fn open(path: &Path) -> anyhow::Result<(Box<dyn Reading>, Option<u64>)> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(io::stdin()), None));
    }
    let name = name(path);
    let cannot = || format!("cannot read {name}");
    let file = File::open(path).with_context(cannot)?;
    let metadata = file.metadata().with_context(cannot)?;
    if metadata.is_dir() {
        bail!("cannot read {name}: it is a directory; name a file, or - for standard input");
    }
    let bytes = Some(metadata).filter(Metadata::is_file).map(|metadata| metadata.len());
    Ok((Box::new(file), bytes))
}

/// What a person calls it.
fn name(path: &Path) -> String {
    match path.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => format!("'{}'", path.display()),
    }
}
