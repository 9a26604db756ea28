//! The Annals suite.
pub mod campaign;
pub mod cases;
pub mod model;
pub mod native;
pub mod rng;
pub mod sim;
pub mod subject;

/// The seed of a run: `ANNALS_SEED` if it is set (decimal), otherwise `default`. Print it.
pub fn seed(default: u64) -> u64 {
    std::env::var("ANNALS_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
