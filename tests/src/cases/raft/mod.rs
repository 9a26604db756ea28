//! Cases about Raft logs.

mod admin;
mod batch;
mod damage;
mod durability;
mod faults;
mod hard;
mod kit;
mod open;
mod persist;
mod purge;
mod read;
mod seen;
mod truncate;

use super::Case;

pub(crate) use kit::contents as raft_contents;

/// All of them.
pub(super) fn tables() -> Vec<Case> {
    let tables = [
        persist::CASES,
        batch::CASES,
        read::CASES,
        truncate::CASES,
        purge::CASES,
        hard::CASES,
        seen::CASES,
        open::CASES,
        durability::CASES,
        damage::CASES,
        faults::CASES,
        admin::CASES,
    ];
    tables.concat()
}
