//! Cases about event logs.

mod append;
mod damage;
mod delete;
mod durability;
mod kit;
mod open;
mod read;
mod rotate;
mod shared;

use super::Case;

/// All of them.
pub(super) fn tables() -> Vec<Case> {
    let tables = [
        append::CASES,
        read::CASES,
        delete::CASES,
        rotate::CASES,
        durability::CASES,
        shared::CASES,
        open::CASES,
        damage::CASES,
    ];
    tables.concat()
}
