//! The Annals suite: what every implementation of the logs must do, and worlds that are as bad as the contract allows.
//!
//! * [`cases`]: conformance cases, a table of claims. `annals conformance` lists the same table.
//! * [`campaign`]: random runs, crash and fault sweeps, bit flips; each from a printed seed.
//! * [`fuzz`]: what the fuzzer runs, from any bytes.
//! * [`model`]: the naive journal that knows every answer.
//! * [`event`]: the event log under test, and its model.
//! * [`raft`]: the same for Raft logs: trait, native subject, model.
//! * [`sim`]: the simulated disk under all of them.
//! * [`subject`]: the traits that stand between these and an implementation; [`native`] is the library itself. The
//!   component is another subject, in the host's tests. There is no wasmtime here.
//!
//! `ANNALS_SEED` chooses the seed of a run, `ANNALS_FULL=1` makes campaigns do everything, `ANNALS_CASE` picks cases by a
//! part of their name.

pub mod campaign;
pub mod cases;
pub mod change_log;
pub mod event;
pub mod fuzz;
pub mod model;
pub mod native;
pub mod raft;
pub mod rng;
pub mod sim;
pub mod subject;

/// The seed of a run: `ANNALS_SEED` if it is set (decimal), otherwise `default`. Print it.
pub fn seed(default: u64) -> u64 {
    std::env::var("ANNALS_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
