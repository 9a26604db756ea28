//! What a crash leaves.

use super::body;
use super::disk::{Disk, Kept};
use super::plan::{Crash, Survivors};
use crate::rng::SplitMix64;
use std::sync::Arc;

impl Disk {
    /// What the next start would find if the process died now.
    pub(super) fn copy(&self) -> Disk {
        let mut new = Disk::new(0);
        new.names = self.names.clone();
        let kept = self.names.values().filter_map(|id| Some((*id, self.files.get(id)?)));
        new.files = kept
            .map(|(id, kept)| (id, Kept { body: kept.body.clone(), named: true, ..Kept::default() }))
            .collect();
        new.cells = self.cells.clone();
        new.next = self.next;
        new.next_version = self.next_version;
        new.rng = self.rng.clone();
        new.now_ms = self.now_ms;
        new.durable = self.durable;
        new.quota = self.quota;
        new.polls = self.polls;
        new.check_locks = self.check_locks;
        new.lies = self.lies;
        new
    }

    /// What the next start would find after this crash.
    pub(super) fn after(&self, crash: Crash) -> Disk {
        let mut new = self.copy();
        let Crash::Power { survivors, size } = crash else { return new };
        let (seed, mut choice) = match survivors {
            Survivors::Random(seed) => (seed, 0),
            Survivors::Choice(number) => (0, number),
            _ => (0, 0),
        };
        let mut rng = SplitMix64::new(seed);
        let mut index = 0;
        for id in self.names.values() {
            let Some(kept) = new.files.get_mut(id).filter(|kept| kept.body.loses_something()) else {
                continue;
            };
            let mut sizes = SplitMix64::new(rng.draw());
            let survivor = |_, versions: u64| {
                index += 1;
                match survivors {
                    Survivors::None => body::Kept::Old,
                    Survivors::All => body::Kept::New,
                    Survivors::Only(one) if one == index - 1 => body::Kept::New,
                    Survivors::Only(_) => body::Kept::Old,
                    Survivors::AllBut(one) if one == index - 1 => body::Kept::Old,
                    Survivors::AllBut(_) => body::Kept::New,
                    Survivors::Random(_) => body::Kept::Any(rng.draw()),
                    Survivors::Choice(_) => {
                        let digit = choice % (versions + 1);
                        choice /= versions + 1;
                        body::Kept::Any(digit)
                    }
                }
            };
            kept.body = Arc::new(kept.body.after_power_loss(survivor, size, &mut sizes));
        }
        new
    }
}
