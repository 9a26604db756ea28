//! Claims about snapshots.

mod apply;
mod artifact;
mod compact;
mod crash;
mod damage;
mod durability;
mod import;
mod kit;
mod life;
mod open;
mod random;
mod range;

use super::Case;

/// All of them.
pub(super) fn cases() -> Vec<Case> {
    [
        apply::CASES,
        range::CASES,
        open::CASES,
        life::CASES,
        durability::CASES,
        compact::CASES,
        artifact::CASES,
        import::CASES,
        damage::CASES,
        crash::CASES,
        random::CASES,
    ]
    .concat()
}
