//! The snapshot: the fold of a stream of changes, and the cursor in the stream at which it is exact.
//!
//! A [`Snapshot`] is a handle on one instance of the component. Clones share it; one call runs at a time. Once it is
//! closed, by [`close`](Snapshot::close) or a failure, [`reopen`](Snapshot::reopen) gives a new one.
//!
//! | to | use |
//! |---|---|
//! | apply a batch with its cursor | [`Snapshot::apply`], or [`Snapshot::apply_packed`] for batches that grow bit by bit |
//! | read one key | [`Snapshot::get`] |
//! | read many in order | [`Snapshot::entries`] one by one, [`Snapshot::range`] in bulk |
//! | write the fold to a directory | [`Snapshot::export_to`], or [`Export::to_directory`] with progress |
//! | make a log of such a directory | [`Artifact::open`], then [`Artifact::import`] |
//! | move an artifact in some other way | [`Snapshot::export`], [`Runtime::import_snapshot`](crate::Runtime::import_snapshot) |
//!
//! Inside: `artifact` is the manifest and how its bytes cross; `artifact/staging` and `artifact/tree` are all that
//! touches directories outside of the storage.

mod artifact;
mod entries;
mod handle;
mod options;
mod range;
mod updates;

#[cfg(unix)]
pub use artifact::Artifact;
pub use artifact::{ArtifactFile, ArtifactPath, Chunk, Export, Import, ImportError, Manifest};
pub use entries::{Entries, Entry, EntryRef};
pub use handle::{Snapshot, Stats};
pub use options::Options;
pub use range::{EntryStream, Range};
pub use updates::{Update, UpdateKind, Updates};
