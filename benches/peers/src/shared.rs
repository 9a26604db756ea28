//! What `annals bench` has already: the native library over a provider of the host, and plain file writes.
//!
//! The same source, so that there is one of each.

#![allow(
    dead_code,
    reason = "this crate measures more than `annals bench`, and not everything in the same way"
)]

/// Bytes of an item.
pub(crate) const ITEM: usize = 100;
/// Items of a batch.
pub(crate) const BATCH: usize = 1000;

#[path = "../../../host/src/bench/native.rs"]
pub(crate) mod native;
#[path = "../../../host/src/bench/raw.rs"]
pub(crate) mod raw;
#[path = "../../../host/src/bench/subject.rs"]
pub(crate) mod subject;

/// A plain file over this provider.
pub(crate) fn plain(
    storage: &std::sync::Arc<dyn annals::storage::Storage>,
    name: &str,
) -> Result<Box<dyn subject::Subject>, annals::Error> {
    Ok(Box::new(raw::Raw::open(storage, name)?))
}
