//! Cases about event logs.

mod kit;
mod shared;

use super::Case;

/// All of them.
pub(super) fn tables() -> Vec<Case> {
    [shared::CASES].concat()
}
