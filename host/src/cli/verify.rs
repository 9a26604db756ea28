//! `annals verify` and `annals list`: the state of logs of all kinds, without locks or changes.
//!
//! `verify` reads every byte. A log is healthy if nothing that was promised is missing and everything that can be read
//! is what was written. What a crash leaves behind is healthy too: the next open for writing recovers it.

use annals::{
    Admin, Damage, Error,
    admin::{LogInfo, State},
};
use clap::Args;

use super::{
    Outcome, Place, failure,
    journal::log_name,
    output::{Bytes, Count, Output, complain},
};

/// Arguments of `verify`.
#[derive(Args)]
pub(crate) struct Verify {
    /// Check only this log
    #[arg(value_parser = log_name)]
    log: Option<String>,
}

/// Runs `verify`.
pub(crate) fn run(place: &Place, args: &Verify, out: &mut Output) -> anyhow::Result<Outcome> {
    let admin = place.admin()?;
    let logs = match &args.log {
        Some(log) => vec![log.clone()],
        None => names(place, &admin)?,
    };
    if logs.is_empty() {
        out.line(format_args!("no logs in '{}'", place.dir.display()))?;
    }
    let mut outcome = Outcome::Fine;
    let mut failure = None;
    for log in &logs {
        match check(place, &admin, log, out) {
            Ok(checked) if checked.damaged == 0 => {
                out.line(format_args!("ok {log}: {}{}", checked.summary(), checked.remark))?;
            }
            Ok(checked) => {
                let damages = Count(checked.damaged, "damage");
                out.line(format_args!("{damages} in {log}: {}", checked.summary()))?;
                outcome = Outcome::Damage;
            }
            Err(error) if logs.len() == 1 => return Err(error),
            // The others are checked nevertheless. Damage found anywhere decides the exit code.
            Err(error) => {
                complain(failure::describe(&error));
                failure = Some(error);
            }
        }
    }
    match (outcome, failure) {
        (Outcome::Fine, Some(_)) => anyhow::bail!("not every log could be checked"),
        (outcome, _) => Ok(outcome),
    }
}

/// What a check found.
pub(crate) struct Checked {
    /// Number of damaged places.
    pub(crate) damaged: u64,
    /// Bytes read.
    pub(crate) bytes: u64,
    /// Items that can be read, damaged ones included; none if even that cannot be told.
    items: Option<u64>,
    /// What else is to be said, as the end of a sentence.
    remark: &'static str,
}

impl Checked {
    fn summary(&self) -> String {
        match self.items {
            Some(items) => format!("{}, {} checked", Count(items, "item"), Bytes(self.bytes)),
            None => format!("{} checked", Bytes(self.bytes)),
        }
    }
}

/// Checks every byte of a log and prints each damage.
///
/// # Errors
/// The log cannot be checked, for other reasons than damage.
pub(crate) fn check(place: &Place, admin: &Admin, log: &str, out: &mut Output) -> anyhow::Result<Checked> {
    let mut found = Vec::new();
    let mut live = true;
    let mut checked = Checked { damaged: 0, bytes: 0, items: None, remark: "" };
    match admin.info(log) {
        Ok(info) => {
            checked.items = Some(info.items);
            checked.remark = remark(&info);
            live = info.state == State::Live;
            found = info.damage;
        }
        Err(Error::Damaged(damage)) => found.push(damage),
        Err(error) => return Err(place.told(&place.existing()?, "check", log, error)),
    }
    // A log that is only being made or removed holds nothing to check.
    let mut damages: Vec<Damage> = Vec::new();
    if live {
        let read = read_all(admin, log, &mut checked, &mut damages, out);
        out.end_progress();
        match read {
            Ok(()) => {}
            Err(Error::Damaged(damage)) => damages.push(damage),
            Err(error) => return Err(place.told(&place.existing()?, "check", log, error)),
        }
    }
    // Damage that the first look found mostly came out again, and more precisely, when everything was read.
    for damage in found {
        if !damages.iter().any(|known| (&known.file, known.offset) == (&damage.file, damage.offset)) {
            damages.push(damage);
        }
    }
    for damage in &damages {
        out.line(format_args!("damaged {log}: {}", failure::place(damage)))?;
    }
    checked.damaged = damages.len() as u64;
    Ok(checked)
}

fn read_all(
    admin: &Admin,
    log: &str,
    checked: &mut Checked,
    damages: &mut Vec<Damage>,
    out: &mut Output,
) -> Result<(), Error> {
    let mut shown = false;
    for progress in admin.verify(log)? {
        let progress = progress?;
        if !shown {
            out.start_progress("checking", Some(progress.total));
            shown = true;
        }
        checked.bytes = progress.checked;
        out.progress(progress.checked);
        damages.extend(progress.damage);
    }
    Ok(())
}

/// What has to be said about a log that is not damaged but not closed either.
fn remark(info: &LogInfo) -> &'static str {
    match info.state {
        State::Creating => "; its creation was not finished: the next open makes it anew",
        State::Destroying => "; its destruction was not finished: the next open or destroy finishes it",
        _ if info.clean => "",
        _ => {
            "; not closed cleanly: the next open for writing recovers it (or it is open for writing right now)"
        }
    }
}

/// Names of all logs.
fn names(place: &Place, admin: &Admin) -> anyhow::Result<Vec<String>> {
    let logs = admin.list().map_err(|error| failure::told("list the logs", &place.dir, error))?;
    Ok(logs.into_iter().map(|info| info.name).collect())
}

/// Runs `list`.
pub(crate) fn list(place: &Place, out: &mut Output) -> anyhow::Result<Outcome> {
    let logs = place.admin()?.list();
    let logs = logs.map_err(|error| failure::told("list the logs", &place.dir, error))?;
    if logs.is_empty() {
        out.line(format_args!("no logs in '{}'", place.dir.display()))?;
        return Ok(Outcome::Fine);
    }
    let mut rows = vec![["NAME", "KIND", "ITEMS", "NEXT", "BYTES", "STATE"].map(str::to_owned)];
    for info in &logs {
        rows.push([
            info.name.clone(),
            info.kind.to_string(),
            info.items.to_string(),
            info.next.to_string(),
            info.bytes.to_string(),
            state(info).to_owned(),
        ]);
    }
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let [name, kind, items, next, bytes, _] = widths;
    for row in &rows {
        let [a, b, c, d, e, f] = row;
        out.line(format_args!("{a:name$}  {b:kind$}  {c:>items$}  {d:>next$}  {e:>bytes$}  {f}"))?;
    }
    match logs.iter().all(|info| info.damage.is_empty()) {
        true => Ok(Outcome::Fine),
        false => Ok(Outcome::Damage),
    }
}

/// The state of a log in one or two words.
pub(crate) fn state(info: &LogInfo) -> &'static str {
    match info.state {
        _ if !info.damage.is_empty() => "damaged",
        State::Creating => "creating",
        State::Destroying => "destroying",
        _ if info.clean => "closed cleanly",
        _ => "open, or not closed cleanly",
    }
}
