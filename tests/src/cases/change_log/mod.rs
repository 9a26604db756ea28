//! Cases about change logs.

mod admin;
mod compact;
mod crash;
mod damage;
mod faults;
mod kit;
mod open;
mod race;
mod record;
mod recover;
mod seldom;

use super::Case;

/// All of them.
pub(super) fn tables() -> Vec<Case> {
    let tables = [
        record::CASES,
        open::CASES,
        recover::CASES,
        race::CASES,
        crash::CASES,
        damage::CASES,
        compact::CASES,
        faults::CASES,
        admin::CASES,
        seldom::CASES,
    ];
    tables.concat()
}
