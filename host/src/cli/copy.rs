//! `annals copy`: a journal, item by item, into another directory.
//!
//! The copy is a new log with a token of its own. It holds every item of the original at its position, or there is no
//! copy: one that could not be finished is removed again, and only that of a process that was killed stays behind.

use std::path::PathBuf;

use annals::{Error, Journal, Limits, Token, admin::Kind, journal::Options};
use anyhow::{Context as _, bail};
use clap::Args;

use super::{
    Outcome, Place,
    append::Making,
    args::{Expecting, log_name},
    failure,
    input::{BATCH_BYTES, BATCH_ITEMS},
    output::{Bytes, Count, Output},
};

/// Copy a journal, item by item, into another directory
///
/// Reads the journal as it is at the start of the command, also while it is in use, checks what it reads, and makes a new
/// journal with the same items at the same positions. Nothing is changed in the original, and a damaged one is refused.
/// Sections, segments and compression of the copy are the defaults unless given. At the end it prints the token of the
/// copy: without one, the copy is not whole.
#[derive(Args)]
pub(crate) struct Copy {
    /// Name of the journal
    #[arg(value_parser = log_name)]
    log: String,
    /// Directory to copy it to; it is made if it does not exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Name of the copy [default: the same]
    #[arg(long = "as", value_name = "NAME", value_parser = log_name)]
    name: Option<String>,
    #[command(flatten)]
    expecting: Expecting,
    #[command(flatten)]
    making: Making,
}

/// Runs `copy`.
pub(crate) fn run(place: &Place, copy: &Copy, out: &mut Output) -> anyhow::Result<Outcome> {
    let log = &copy.log;
    // Damage that costs the end of a log shows nowhere else.
    let storage = place.existing()?;
    let info = place.admin()?.info(log).map_err(|error| place.told(&storage, "copy", log, error))?;
    if info.kind != Kind::Journal {
        return Err(place.told(&storage, "copy", log, Error::OtherKind(info.kind.to_string())));
    }
    if let Some(damage) = info.damage.into_iter().next() {
        return Err(place.failed("copy", log, Error::Damaged(damage)));
    }
    let journal = place.reading(log, copy.expecting.apply(Options::read_only()))?;
    let bounds = journal.bounds().map_err(|error| place.failed("read", log, error))?;

    let to = Place { dir: copy.to.clone(), runtime: place.runtime.clone() };
    let name = copy.name.as_ref().unwrap_or(log);
    let target = to.made()?;
    let options = copy.making.apply(Options::create()).start_at(bounds.start);
    let made = match to.runtime.journal(target.clone(), name, &options) {
        Err(Error::Exists) => bail!(
            "cannot copy to log '{name}' in '{}': there is one of that name; choose another with --as NAME",
            to.dir.display()
        ),
        made => made.map_err(|error| to.failed("make", name, error))?,
    };
    out.start_counting("copying", bounds.end - bounds.start);
    let copied = all(place, log, &journal, (bounds.start, bounds.end), (&to, name, &made), out);
    out.end_progress();
    let (bytes, token) = match copied {
        Ok(copied) => copied,
        Err(error) => {
            drop(made);
            let removed = to.runtime.destroy_journal(target, name);
            let rest = match removed {
                Ok(()) => "nothing of the copy was kept".to_owned(),
                Err(error) => {
                    let error = failure::told(&format!("remove log '{name}'"), &to.dir, error);
                    format!("what was copied is not whole, and is still there ({error})")
                }
            };
            return Err(error).context(format!("copying log '{log}' stopped; {rest}"));
        }
    };
    let items = Count(bounds.end - bounds.start, "item");
    out.line(format_args!("copied {items}, {}, to log '{name}' in '{}'", Bytes(bytes), to.dir.display()))?;
    out.line(format_args!("boundary {}", bounds.start))?;
    out.line(format_args!("size {}", bounds.end))?;
    out.line(format_args!("token {token}"))?;
    Ok(Outcome::Fine)
}

/// Copies all items of a range and closes the copy. Returns the bytes of the items, and the token.
///
/// # Errors
/// Those of both journals. Damage is one of them.
fn all(
    place: &Place,
    log: &str,
    journal: &Journal,
    range: (u64, u64),
    (to, name, copy): (&Place, &str, &Journal),
    out: &mut Output,
) -> anyhow::Result<(u64, Token)> {
    let (start, end) = range;
    let failed = |error| place.failed("read", log, error);
    let append_failed = |error| to.failed("append to", name, error);
    let limits = Limits::new(BATCH_ITEMS as u32, BATCH_BYTES as u32);
    let (mut next, mut bytes) = (start, 0);
    for batch in journal.replay(start).map_err(failed)?.limits(limits) {
        let batch = batch.map_err(failed)?;
        let first = copy.append_packed(batch.ends(), batch.bytes()).map_err(append_failed)?;
        if first != next || batch.first != next {
            bail!("item {next} would become item {first}; the component does not keep its contract");
        }
        next = batch.next();
        bytes += batch.bytes().len() as u64;
        out.progress(next - start);
    }
    if next != end {
        bail!(
            "log '{log}' ended at position {next} instead of {end}; the component does not keep its contract"
        );
    }
    copy.sync().map_err(append_failed)?;
    let token = copy.close().map_err(|error| to.failed("close", name, error))?;
    Ok((bytes, token))
}
