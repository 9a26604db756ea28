//! A naive snapshot: a map in memory. It knows what every read must answer.

use annals_logs::snapshot::{Update, UpdateKind};
use std::collections::BTreeMap;

/// Value and version of a key.
pub type Held = (Vec<u8>, Vec<u8>);

/// The entries of a snapshot and its cursor.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fold {
    /// What each key has.
    pub entries: BTreeMap<Vec<u8>, Held>,
    /// The cursor of the newest batch.
    pub cursor: Vec<u8>,
}

impl std::fmt::Debug for Fold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cursor = String::from_utf8_lossy(&self.cursor);
        write!(f, "{} entries at {cursor:?}:", self.entries.len())?;
        for (key, (value, version)) in self.entries.iter().take(12) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(12)]).into_owned();
            write!(f, " {}={}@{}", text(key), text(value), text(version))?;
        }
        Ok(())
    }
}

impl Fold {
    /// Applies updates and moves the cursor.
    pub fn apply(&mut self, updates: &[Update<'_>], cursor: &[u8]) {
        for update in updates {
            match *update {
                Update::Put { key, value, version } => {
                    self.entries.insert(key.to_vec(), (value.to_vec(), version.to_vec()));
                }
                Update::Delete { key, .. } | Update::Purge { key, .. } => {
                    self.entries.remove(key);
                }
            }
        }
        self.cursor = cursor.to_vec();
    }

    /// Entries whose keys have this prefix.
    pub fn with_prefix(&self, prefix: &[u8]) -> impl Iterator<Item = (&Vec<u8>, &Held)> {
        self.entries.iter().filter(move |(key, _)| key.starts_with(prefix))
    }
}

/// Updates as a packed list: kinds, ends and bytes.
pub fn pack(updates: &[Update<'_>]) -> (Vec<UpdateKind>, Vec<u32>, Vec<u8>) {
    let (mut kinds, mut ends, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for update in updates {
        kinds.push(match update {
            Update::Put { .. } => UpdateKind::Put,
            Update::Delete { .. } => UpdateKind::Delete,
            Update::Purge { .. } => UpdateKind::Purge,
        });
        for part in [update.key(), update.value(), update.version()] {
            bytes.extend_from_slice(part);
            ends.push(bytes.len() as u32);
        }
    }
    (kinds, ends, bytes)
}
