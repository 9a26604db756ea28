//! `annals snapshot export` and `import`: a fold as a directory, to be kept, carried, or made a log elsewhere.

use std::path::PathBuf;

use annals::{
    Error,
    error::ArtifactFault,
    snapshot::{Artifact, ImportError},
};
use anyhow::{anyhow, bail};
use clap::Args;

use super::{put_cursor, reading};
use crate::cli::{
    Outcome, Place,
    args::{Expecting, log_name, size},
    failure,
    output::{Bytes, Count, Output},
};

/// Write the entries and the cursor of a snapshot to a directory
///
/// The directory gets MANIFEST.json, which says what it is and holds a checksum of each file, and the files below data/.
/// Equal snapshots give equal files. It appears whole and durable, or not at all. The snapshot may be in use meanwhile; the
/// export shows it as it is at the start of the command. A damaged one is refused.
#[derive(Args)]
pub(crate) struct Export {
    /// Name of the snapshot
    #[arg(value_parser = log_name)]
    log: String,
    /// Directory to make; there must be nothing of that name, and the directory above must exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    expecting: Expecting,
}

/// Make a snapshot of a directory that an export wrote
///
/// Every byte is checked against the manifest before there is a snapshot of that name. What does not fit is refused, and
/// nothing is left behind.
#[derive(Args)]
pub(crate) struct Import {
    /// Name of the snapshot to make: 1 to 64 of a-z, 0-9 and -
    #[arg(value_parser = log_name)]
    log: String,
    /// Directory that an export wrote
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Size of a segment file; KiB, MiB or GiB may follow the number [default: 16MiB]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    segment_bytes: Option<u64>,
}

/// Runs `snapshot export`.
pub(crate) fn export(place: &Place, args: &Export, out: &mut Output) -> anyhow::Result<Outcome> {
    let (log, to) = (&args.log, args.to.display());
    // Before the log is read, which may take a while.
    if args.to.symlink_metadata().is_ok() {
        return Err(exists(args));
    }
    let snapshot = reading(place, log, &args.expecting)?;
    let export = snapshot.export().map_err(|error| place.failed("export", log, error))?;
    let mut begun = false;
    let exported = export.to_directory(&args.to, |done, total| {
        if !begun {
            out.start_progress("exporting", Some(total));
            begun = true;
        }
        out.progress(done);
    });
    out.end_progress();
    let manifest = match exported {
        Ok(manifest) => manifest,
        Err(Error::Exists) => return Err(exists(args)),
        Err(Error::Locked) => {
            bail!("cannot export to '{to}': another export to it is under way; wait for it")
        }
        Err(Error::InvalidArgument(what)) => bail!("cannot export: {what}"),
        Err(Error::OutOfSpace) => bail!("cannot export to '{to}': no room left there"),
        Err(Error::Storage(why)) => bail!("cannot export log '{log}' to '{to}': {why}"),
        Err(error) => return Err(place.failed("export", log, error)),
    };
    let files = Count(manifest.files.len() as u64, "file");
    out.line(format_args!("exported {files}, {}", Bytes(manifest.bytes())))?;
    put_cursor(&manifest.cursor, out)?;
    Ok(Outcome::Fine)
}

fn exists(args: &Export) -> anyhow::Error {
    let to = args.to.display();
    anyhow!("cannot export to '{to}': there is something of that name; choose another, or remove it first")
}

/// Runs `snapshot import`.
pub(crate) fn import(place: &Place, args: &Import, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &args.log;
    // Before anything is made.
    let artifact = Artifact::open(&args.from).map_err(|refused| told(place, args, refused))?;
    let manifest = artifact.manifest();
    let storage = place.made()?;
    out.start_progress("importing", Some(manifest.bytes()));
    let imported =
        artifact.import(&place.runtime, storage, log, args.segment_bytes, |done| out.progress(done));
    out.end_progress();
    let token = imported.map_err(|refused| told(place, args, refused))?;
    let files = Count(manifest.files.len() as u64, "file");
    out.line(format_args!("imported {files}, {}", Bytes(manifest.bytes())))?;
    put_cursor(&manifest.cursor, out)?;
    out.line(format_args!("token {token}"))?;
    Ok(Outcome::Fine)
}

fn told(place: &Place, args: &Import, refused: ImportError) -> anyhow::Error {
    let (log, from) = (&args.log, args.from.display());
    let ImportError { error, what } = refused;
    match error {
        Error::Artifact(fault) => {
            let hint = match fault {
                ArtifactFault::SchemaVersion | ArtifactFault::BackendVersion => {
                    "use a newer version of Annals"
                }
                ArtifactFault::Backend => "import it with what made it",
                _ => "export it again",
            };
            anyhow!("cannot import '{from}': {what}: {fault}; nothing was imported, {hint}")
        }
        Error::Exists => {
            anyhow!("cannot import log '{log}': there is one of that name; choose another name")
        }
        // What the component says names files of the log, and so does what is said of the artifact.
        Error::Storage(why) => anyhow!("cannot import '{from}' as log '{log}': {what}: {why}"),
        error => failure::told(&format!("import log '{log}'"), &place.dir, error),
    }
}
