//! `annals event rotate`, `archive` and `read-archive`: sealed files, copies of them, and what is in those.
//!
//! A copy is made beside its destination, synced, read from end to end as `read-archive` would, and only then given its
//! name: what has the name is whole.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use annals::{Error, Runtime, admin::Kind, storage::Directory};
use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::super::{
    Outcome, Place,
    args::log_name,
    common, failure,
    output::{Bytes, Output, Reader},
};
use super::{Writing, changing, finish, read::Range};

/// Seal the file that is written to, and begin the next one
///
/// Prints where the sealed file is ('sealed PATH'). It can be copied; it leaves the log only by delete-range.
#[derive(Args)]
pub(crate) struct Rotate {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    #[command(flatten)]
    writing: Writing,
}

/// Runs `event rotate`.
pub(crate) fn rotate(place: &Place, args: &Rotate, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = changing(place, &args.log, &args.writing)?;
    let sealed = log.rotate().map_err(|error| place.failed("rotate", &args.log, error))?;
    match sealed.path {
        Some(path) => out.line(format_args!("sealed {}", path.display()))?,
        None => out.line(format_args!("sealed {}", sealed.file))?,
    }
    finish(place, &log, out)
}

/// Copy sealed files of an event log
///
/// Changes nothing in the log, which may be in use. Each copy is read and checked before it gets its name, and can then be
/// read without the log by read-archive. Prints 'archived PATH' for each.
#[derive(Args)]
pub(crate) struct Archive {
    /// Name of the log
    #[arg(value_parser = log_name)]
    log: String,
    /// Files to copy, as rotate and inspect print them [default: all sealed ones that are not there yet]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Directory to copy them to; it is made if it does not exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Runs `event archive`.
pub(crate) fn archive(place: &Place, args: &Archive, out: &mut Output) -> anyhow::Result<Outcome> {
    common::look_at(place, &args.log, Kind::EventLog)?;
    let segments = place.admin()?.segments(&args.log);
    let segments = segments.map_err(|error| place.failed("look at", &args.log, error))?;
    let sealed: Vec<String> =
        segments.iter().filter(|segment| segment.sealed).map(|segment| segment.file.clone()).collect();
    let mut chosen = Vec::new();
    for file in &args.files {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match segments.iter().find(|segment| segment.file == name) {
            Some(segment) if segment.sealed => chosen.push(name),
            Some(_) => bail!("cannot archive '{name}': it is not sealed yet; 'event rotate' seals it"),
            None => bail!("cannot archive '{}': log '{}' has no such file", file.display(), args.log),
        }
    }
    let all = args.files.is_empty();
    fs::create_dir_all(&args.to).with_context(|| format!("cannot make directory '{}'", args.to.display()))?;
    let directory = Directory::open_existing(&place.dir).map_err(|error| anyhow!(error))?;
    for name in if all { &sealed } else { &chosen } {
        let (from, to) = (directory.path_of(name).map_err(|error| anyhow!(error))?, args.to.join(name));
        match to.symlink_metadata().is_ok() {
            true if all => continue,
            true => bail!("cannot archive '{name}': '{}' is there already", to.display()),
            false => copy(&place.runtime, &from, &to, out)?,
        }
        out.line(format_args!("archived {}", to.display()))?;
    }
    Ok(Outcome::Fine)
}

/// Copies a sealed file to a place where nothing is.
fn copy(runtime: &Runtime, from: &Path, to: &Path, out: &mut Output) -> anyhow::Result<()> {
    let part = to.with_extension("part");
    let cannot = || format!("cannot copy '{}' to '{}'", from.display(), to.display());
    let copied = fill(from, &part, out).with_context(cannot).and_then(|()| {
        check(runtime, &part).with_context(cannot)?;
        fs::rename(&part, to).with_context(cannot)?;
        let parent = to.parent().unwrap_or(Path::new("."));
        File::open(parent).and_then(|directory| directory.sync_all()).with_context(cannot)
    });
    out.end_progress();
    if copied.is_err() {
        // What is not whole is of no use. If it cannot be removed either, its name says what it is.
        let _ = fs::remove_file(&part);
    }
    copied
}

fn fill(from: &Path, part: &Path, out: &mut Output) -> anyhow::Result<()> {
    let mut source = File::open(from)?;
    out.start_progress("copying", Some(source.metadata()?.len()));
    let mut target = File::create(part)?;
    let (mut chunk, mut done) = (vec![0; 1 << 20], 0);
    loop {
        let count = source.read(&mut chunk)?;
        if count == 0 {
            target.sync_all()?;
            return Ok(());
        }
        target.write_all(&chunk[..count])?;
        done += count as u64;
        out.progress(done);
    }
}

/// That a copy is whole.
fn check(runtime: &Runtime, part: &Path) -> anyhow::Result<()> {
    for batch in runtime.event_archive_file(part)? {
        batch?;
    }
    Ok(())
}

/// Print the events of a sealed file, or of a copy of one, on its own
///
/// The file may lie anywhere and have any name; its log need not be there, nor any --dir. Every byte is checked. Damaged
/// events are named on standard error and passed over; the exit code is then 1.
#[derive(Args)]
pub(crate) struct ReadArchive {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    range: Range,
}

/// Runs `event read-archive`.
pub(crate) fn read_archive(
    runtime: &Runtime,
    args: &ReadArchive,
    out: &mut Output,
) -> anyhow::Result<Outcome> {
    args.range.check()?;
    let name = args.file.display();
    let failed = |error| {
        let told = match error {
            Error::NotFound => return anyhow!("cannot read '{name}': there is no such file"),
            Error::Damaged(damage) => {
                return failure::damaged(format!(
                    "cannot read '{name}': {}; is it a sealed file of an event log, and whole?",
                    failure::place(&damage)
                ));
            }
            error => error,
        };
        anyhow!("cannot read '{name}': {told}")
    };
    let bytes = fs::metadata(&args.file).map_or(0, |metadata| metadata.len());
    let events = runtime.event_archive_file(&args.file).map_err(failed)?;
    let (start, end) = (args.range.start.unwrap_or(0), args.range.end.unwrap_or(u64::MAX));
    let (mut printed, mut outcome) = (Vec::new(), Outcome::Fine);
    for batch in events {
        match batch {
            Ok(batch) => {
                printed.clear();
                for (id, event) in batch.iter().filter(|(id, _)| (start..end).contains(id)) {
                    args.range.output.put([("id", id)], event, &mut printed);
                }
                if out.bytes(&printed)? == Reader::Gone {
                    break;
                }
            }
            Err(Error::Damaged(damage)) => {
                out.note(format_args!("'{name}' ({}) is damaged: {}", Bytes(bytes), failure::place(&damage)));
                outcome = Outcome::Damage;
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(outcome)
}
