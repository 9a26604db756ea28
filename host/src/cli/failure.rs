//! Errors in words for someone at a terminal: what could not be done, why, and what to do next.
//!
//! The library's errors speak to programmers ("open it read-only"); here they name commands and options instead.

use std::{fmt, path::Path};

use annals::{Damage, Error};

/// An error of the library, told for this command.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    damage: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// What `error` means while `doing` ("open log 'x'") in the directory `dir`.
pub(crate) fn told(doing: &str, dir: &Path, error: Error) -> anyhow::Error {
    let verify = format!("annals --dir {} verify", dir.display());
    let why = match &error {
        Error::Locked => "another program has it open for writing; wait until that has finished, or give \
             --lock-wait MS to wait here"
            .to_owned(),
        Error::Damaged(damage) => format!(
            "{}; nothing was changed. '{verify}' shows all damage, commands that only read print what is \
             intact; restore the directory from a copy",
            place(damage)
        ),
        Error::RolledBack(last) => format!(
            "it does not contain the expected token: it was rolled back, shortened or swapped (its last token is \
             {last}); restore the directory from a copy, or leave out --expect-token to accept what is there"
        ),
        Error::Exists => "there is one of that name; choose another name".to_owned(),
        Error::Closed => "it was closed by an earlier failure; start the command again".to_owned(),
        Error::Trap(cause) | Error::Setup(cause) => format!("{error} ({cause:?})"),
        _ => error.to_string(),
    };
    let damage = matches!(error, Error::Damaged(_) | Error::RolledBack(_));
    Failure { text: format!("cannot {doing}: {why}"), damage }.into()
}

/// Damage, told in these words.
pub(crate) fn damaged(text: String) -> anyhow::Error {
    Failure { text, damage: true }.into()
}

/// Where damage is and what it costs, on one line.
pub(crate) fn place(damage: &Damage) -> String {
    let Damage { file, offset, lowest, next, what } = damage;
    let cost = match (lowest, next) {
        (None, _) => "no item lost".to_owned(),
        (Some(lowest), Some(next)) => format!("lowest lost {lowest}, next intact {next}"),
        (Some(lowest), None) => format!("lowest lost {lowest}, nothing intact behind it"),
    };
    format!("{file} offset {offset}: {what}; {cost}")
}

/// All that is known about an error, outermost first.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

/// 1 if the error is damage, 2 for any other.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    let damage = error.chain().any(|error| error.downcast_ref::<Failure>().is_some_and(|told| told.damage));
    if damage { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damage() -> Damage {
        Damage { file: "f".into(), offset: 512, lowest: Some(3), next: None, what: "check fails".into() }
    }

    #[test]
    fn only_damage_exits_with_1_whatever_was_said_about_it() {
        let dir = Path::new("d");
        let code = |error| exit_code(&told("open log 'x'", dir, error).context("stopped"));
        assert_eq!(code(Error::Damaged(damage())), 1);
        for error in
            [Error::NotFound, Error::Locked, Error::OutOfSpace, Error::UnknownFormat(2), Error::Closed]
        {
            assert_eq!(code(error), 2);
        }
    }

    #[test]
    fn damage_is_told_with_its_place_and_cost() {
        assert_eq!(place(&damage()), "f offset 512: check fails; lowest lost 3, nothing intact behind it");
        let cheap = Damage { lowest: None, ..damage() };
        assert_eq!(place(&cheap), "f offset 512: check fails; no item lost");
        let bounded = Damage { next: Some(9), ..damage() };
        assert_eq!(place(&bounded), "f offset 512: check fails; lowest lost 3, next intact 9");
    }
}
