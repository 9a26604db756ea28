//! What is lost of a damaged log that was opened for reading only.
//!
//! A lost batch may have changed any key, so after it only those are certain that are changed again behind it. A lost part
//! of the fold that a compaction wrote is less: its keys ascend, so those that are lost lie between the neighbours.

use crate::error::Damage;
use alloc::{collections::BTreeSet, vec::Vec};

/// Keys between two others, or from the first or to the last one.
#[derive(Clone, Debug)]
struct Hole {
    after: Option<Vec<u8>>,
    before: Option<Vec<u8>>,
    damage: Damage,
}

/// What is lost.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    /// What was found first.
    pub(super) damage: Damage,
    /// Keys that certainly are not there.
    pub(super) gone: BTreeSet<Vec<u8>>,
    /// Why the cursor is not known.
    pub(super) cursor: Option<Damage>,
    /// Everything that is not known to be there or to be gone.
    all: bool,
    holes: Vec<Hole>,
}

impl Loss {
    pub(super) fn new(damage: &Damage) -> Loss {
        let (damage, gone, holes) = (damage.clone(), BTreeSet::new(), Vec::new());
        Loss { damage, gone, cursor: None, all: false, holes }
    }

    /// Whatever was certain is not any more.
    pub(super) fn all(&mut self) {
        (self.all, self.holes) = (true, Vec::new());
        self.gone.clear();
    }

    /// The keys between these two are lost.
    pub(super) fn hole(&mut self, after: Option<Vec<u8>>, before: Option<Vec<u8>>, damage: Damage) {
        if !self.all {
            self.holes.push(Hole { after, before, damage });
        }
    }

    /// The damage, if a key that is not there may be lost.
    pub(super) fn of(&self, key: &[u8]) -> Option<&Damage> {
        if self.gone.contains(key) {
            return None;
        }
        if self.all {
            return Some(&self.damage);
        }
        let within = |hole: &&Hole| {
            hole.after.as_deref().is_none_or(|after| after < key)
                && hole.before.as_deref().is_none_or(|before| key < before)
        };
        self.holes.iter().find(within).map(|hole| &hole.damage)
    }

    /// The damage, if a key with this prefix may be lost.
    pub(super) fn among(&self, prefix: &[u8]) -> Option<&Damage> {
        if self.all {
            return Some(&self.damage);
        }
        let within = |hole: &&Hole| {
            let begins = |after: &[u8]| after < prefix || after.starts_with(prefix);
            hole.after.as_deref().is_none_or(begins)
                && hole.before.as_deref().is_none_or(|before| prefix < before)
        };
        self.holes.iter().find(within).map(|hole| &hole.damage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
    }

    #[test]
    fn a_hole_costs_the_keys_between_its_neighbours() {
        let damage =
            Damage { file: "f".into(), offset: 1, lowest: None, next: None, what: "it was bitten".into() };
        let mut loss = Loss::new(&damage);
        loss.hole(key("bb"), key("dd"), damage.clone());
        for (text, lost) in
            [("a", false), ("bb", false), ("bba", true), ("c", true), ("dd", false), ("e", false)]
        {
            assert_eq!(loss.of(text.as_bytes()).is_some(), lost, "{text}");
        }
        for (text, lost) in [
            ("", true),
            ("a", false),
            ("b", true),
            ("bb", true),
            ("c", true),
            ("d", true),
            ("dd", false),
            ("e", false),
        ] {
            assert_eq!(loss.among(text.as_bytes()).is_some(), lost, "{text}");
        }
        loss.gone.insert(b"c".to_vec());
        assert!(loss.of(b"c").is_none() && loss.of(b"cc").is_some());
        loss.all();
        assert!(loss.of(b"c").is_some() && loss.of(b"a").is_some() && loss.among(b"a").is_some());
        loss.hole(None, None, damage);
        loss.gone.insert(b"c".to_vec());
        assert!(loss.of(b"c").is_none());
    }
}
