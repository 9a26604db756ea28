//! What an instance may take of its host's memory.

use super::Config;
use crate::{error::Bound, link::Overrun};
use wasmtime::ResourceLimiter;

/// Bounds the memory of all parts of an instance together, and how many parts there are.
pub(crate) struct Memory {
    allowed: usize,
    used: usize,
    refused: bool,
    parts: Parts,
}

/// Most parts of an instance.
struct Parts {
    instances: usize,
    tables: usize,
    memories: usize,
    /// Elements of one table of functions; each takes a few bytes of the host.
    table_elements: usize,
}

/// For the component that holds the logs.
const FEW: Parts = Parts { instances: 32, tables: 16, memories: 4, table_elements: 100_000 };
/// For apps: an interpreter is linked from dozens of modules.
const MANY: Parts = Parts { instances: 1000, tables: 1000, memories: 100, table_elements: 1_000_000 };

impl Memory {
    /// For the component that holds the logs.
    pub(crate) fn new(config: &Config) -> Memory {
        Memory { allowed: config.memory_bytes, used: 0, refused: false, parts: FEW }
    }

    /// For an app and the logs that it uses.
    pub(crate) fn for_apps(config: &Config) -> Memory {
        Memory { parts: MANY, ..Memory::new(config) }
    }

    /// The limit, if more was asked for.
    pub(crate) fn overrun(&self) -> Option<Overrun> {
        let overrun = Overrun { what: Bound::Memory, allowed: self.allowed as u64 };
        self.refused.then_some(overrun)
    }

    /// What was refused before is told no more.
    pub(crate) fn begin_call(&mut self) {
        self.refused = false;
    }

    fn grow(&mut self, more: usize) -> bool {
        let sum = self.used.checked_add(more).filter(|sum| *sum <= self.allowed);
        self.used = sum.unwrap_or(self.used);
        self.refused |= sum.is_none();
        sum.is_some()
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.parts.table_elements)
    }

    fn instances(&self) -> usize {
        self.parts.instances
    }

    fn tables(&self) -> usize {
        self.parts.tables
    }

    fn memories(&self) -> usize {
        self.parts.memories
    }
}
