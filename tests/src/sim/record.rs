//! Which calls a run makes, so that a fault can be planned for each of them.

use super::{Call, SimDisk};
use std::sync::Arc;

impl SimDisk {
    /// Remembers every call from now on.
    pub fn record_calls(&self) {
        self.state().recorded = Some(Vec::new());
    }

    /// The calls since then: kind, and name of what was called.
    pub fn recorded_calls(&self) -> Vec<(Call, Arc<str>)> {
        self.state().recorded.clone().unwrap_or_default()
    }
}
