//! `annals verify`: the state of logs of all kinds, without locks or changes.
//!
//! It reads every byte. A log is healthy if nothing that was promised is missing and everything that can be read
//! is what was written. What a crash leaves behind is healthy too: the next open for writing recovers it.

use annals::{
    Admin, Damage, Error,
    admin::{LogInfo, State},
};
use clap::Args;
use serde_json::{Value, json};

use super::{
    Outcome, Place,
    args::log_name,
    failure, json,
    output::{Bytes, Count, Output, complain},
};

/// Arguments of `verify`.
#[derive(Args)]
pub(crate) struct Verify {
    /// Check only this log
    #[arg(value_parser = log_name)]
    log: Option<String>,
    /// Print a JSON array with one object per log
    #[arg(long)]
    json: bool,
}

/// Runs `verify`.
pub(crate) fn run(place: &Place, args: &Verify, out: &mut Output) -> anyhow::Result<Outcome> {
    let admin = place.admin()?;
    let logs = match &args.log {
        Some(log) => vec![log.clone()],
        None => names(place, &admin)?,
    };
    if logs.is_empty() && !args.json {
        out.line(format_args!("no logs in '{}'", place.dir.display()))?;
    }
    let mut outcome = Outcome::Fine;
    let mut failure = None;
    let mut told = Vec::new();
    for log in &logs {
        match check(place, &admin, log, out) {
            Ok(checked) => {
                if !checked.damages.is_empty() {
                    outcome = Outcome::Damage;
                }
                match args.json {
                    true => told.push(checked.json(log)),
                    false => checked.print(log, out)?,
                }
            }
            Err(error) if logs.len() == 1 => return Err(error),
            // The others are checked nevertheless. Damage found anywhere decides the exit code.
            Err(error) => {
                let error_told = failure::describe(&error);
                complain(&error_told);
                told.push(json!({ "name": log, "ok": false, "error": error_told }));
                failure = Some(error);
            }
        }
    }
    if args.json {
        out.line(Value::from(told))?;
    }
    match (outcome, failure) {
        (Outcome::Fine, Some(_)) => anyhow::bail!("not every log could be checked"),
        (outcome, _) => Ok(outcome),
    }
}

/// What a check found.
pub(crate) struct Checked {
    /// All damage.
    pub(crate) damages: Vec<Damage>,
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

    /// Prints each damage.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn print_damages(&self, log: &str, out: &mut Output) -> anyhow::Result<()> {
        for damage in &self.damages {
            out.line(format_args!("damaged {log}: {}", failure::place(damage)))?;
        }
        Ok(())
    }

    fn print(&self, log: &str, out: &mut Output) -> anyhow::Result<()> {
        self.print_damages(log, out)?;
        let summary = self.summary();
        match self.damages.len() as u64 {
            0 => out.line(format_args!("ok {log}: {summary}{}", self.remark)),
            damages => out.line(format_args!("{} in {log}: {summary}", Count(damages, "damage"))),
        }
    }

    fn json(&self, log: &str) -> Value {
        let remark = self.remark.trim_start_matches("; ");
        json!({
            "name": log,
            "ok": self.damages.is_empty(),
            "items": self.items,
            "checked_bytes": self.bytes,
            "remark": (!remark.is_empty()).then_some(remark),
            "damage": json::damages(&self.damages),
        })
    }
}

/// Checks every byte of a log.
///
/// # Errors
/// The log cannot be checked, for other reasons than damage.
pub(crate) fn check(place: &Place, admin: &Admin, log: &str, out: &mut Output) -> anyhow::Result<Checked> {
    let mut found = Vec::new();
    let mut live = true;
    let mut checked = Checked { damages: Vec::new(), bytes: 0, items: None, remark: "" };
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
    checked.damages = damages;
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
