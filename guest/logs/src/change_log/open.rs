//! Opening a change log as a new instance. What is there is looked at before anything is changed.

use super::options::{HEARTBEAT_MS, SEGMENT_BYTES};
use super::{ChangeLog, Options, Own, Space, State, cell, fold, held::Held, orphan, view};
use crate::error::{Error, Result, Token};
use crate::format::instance::{Instance, Life};
use crate::format::names;
use crate::format::root::{Kind, Root};
use crate::record_log::{self, Create, RecordLog};
use crate::storage::{Host, Swap};
use crate::types::Mode;
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

/// Most instances with random names that are open at a time.
const SLOTS: u32 = 1 << 16;

impl<H: Host> ChangeLog<H> {
    /// Creates or opens a log as a new instance.
    pub fn open(host: H, name: &str, options: &Options) -> Result<Self> {
        record_log::check_name(name)?;
        options.check()?;
        if options.mode == Mode::ReadOnly {
            return view::open(host, name, options);
        }
        let (instance, slot, lock) = take_name(&host, name, options)?;
        // Held until the cell is there: files without a cell are leftovers to whoever sweeps.
        let root_lock = record_log::lock_root(&host, name)?;
        let root = record_log::next_generation(&host, name, Kind::ChangeLog, |live| {
            match (live, options.mode) {
                (Some(_), Mode::Create) => return Err(Error::Exists),
                (None, Mode::Open) => return Err(Error::NotFound),
                (None, _) if options.expect.is_some() => return Err(Error::NotFound),
                _ => {}
            }
            let Some(root) = live else { return Ok(()) };
            if let Some(damage) = orphan::older_root(&host, name, root)? {
                return Err(Error::Damaged(damage));
            }
            check_token(&host, name, root, options.expect)?;
            if slot.is_none() { check_earlier(&host, name, root, &instance) } else { Ok(()) }
        })?;
        let segment_bytes = options.segment_bytes.unwrap_or(SEGMENT_BYTES);
        let create = Create { segment_bytes, options: Vec::new(), view: State::default() };
        let log = RecordLog::create_part(host.clone(), name, &root, lock, &create)?;
        let says = Instance {
            log: root.id,
            slot,
            beat_ms: host.now_ms(),
            heartbeat_ms: options.heartbeat_ms.unwrap_or(HEARTBEAT_MS),
            frame: log.token().frame,
            check: log.token().check,
            life: Life::Live,
            damage: None,
        };
        let swapped = cell::swap(&host, name, (&instance, root.generation), None, Some(&says))?;
        let Swap::Swapped(version) = swapped else {
            return Err(Error::Storage(format!("there is a cell of epoch {} already", root.generation)));
        };
        drop(root_lock);
        let own = Own {
            cell: says,
            version,
            adopted: BTreeSet::new(),
            untidy: false,
            found: None,
            space: Space::new(log.segment()),
        };
        let (name, held, logs) = (name.into(), Held::default(), alloc::vec![log]);
        let own = Some(own);
        let mut log =
            ChangeLog { host, name, instance, root, logs, held, own, damage: Vec::new(), ended: None };
        if slot.is_none() {
            let earlier = log.instance.clone();
            // Its lock is held, so its holder is gone.
            log.take_over(&|instance| instance == earlier, &|instance, _| instance == earlier)?;
            // It was not there when it was looked at: then what is missing must not look as if it never was.
            if let Some(damage) = log.own()?.found.take() {
                return Err(Error::Damaged(damage));
            }
        }
        Ok(log)
    }
}

/// Takes the lock of the instance that the options name, or of one with a random name.
fn take_name<H: Host>(host: &H, name: &str, options: &Options) -> Result<(String, Option<u32>, H::Lock)> {
    if let Some(instance) = &options.instance {
        let lock = names::instance_lock(name, instance);
        let lock = record_log::lock(host, &lock, options.lock_wait_ms)?;
        return Ok((instance.clone(), None, lock));
    }
    // A lock for each random name would leave a file behind for each, for ever.
    for slot in 0..SLOTS {
        match record_log::lock(host, &names::slot_lock(name, slot), 0) {
            Ok(lock) => {
                let random = u128::from(host.draw()) << 64 | u128::from(host.draw());
                return Ok((format!("{random:032x}"), Some(slot), lock));
            }
            Err(Error::Locked) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Locked)
}

/// Refuses a log that is older than this token.
pub(super) fn check_token<H: Host>(host: &H, name: &str, root: &Root, expect: Option<Token>) -> Result<()> {
    let Some(token) = expect else { return Ok(()) };
    let last = Token { log: root.id, frame: root.generation, check: 0 };
    if token.log != root.id || token.frame > root.generation || token.frame == 0 {
        return Err(Error::RolledBack(last));
    }
    let mut cells = cell::all(host, name, root.id)?.into_iter();
    let Some(seen) = cells.find(|seen| seen.epoch == token.frame) else {
        return Ok(()); // taken over, or there was nothing to take over
    };
    let life = seen.says.as_ref().map(|says| &says.life);
    if token.check == 0 || matches!(life, Ok(Life::Claimed(_) | Life::Damaged(_))) {
        return Ok(());
    }
    let part = Root { generation: seen.epoch, ..root.clone() };
    let error = match RecordLog::<H, State>::open_part(host, name, &part, None) {
        Ok(log) if log.token().check == token.check => return Ok(()),
        Ok(_) => Error::RolledBack(last),
        Err(error) => error,
    };
    // While somebody takes it over, its files may go.
    let now = cell::look(host, name, root.id, &seen.instance, seen.epoch)?;
    if now.is_some_and(|now| now.version == seen.version) { Err(error) } else { Ok(()) }
}

/// Refuses if an earlier use of this name is damaged and nobody has saved yet what can be read of it.
fn check_earlier<H: Host>(host: &H, name: &str, root: &Root, instance: &str) -> Result<()> {
    for (holder, epoch) in cell::list(host, name)? {
        if holder != instance {
            continue;
        }
        let Some(seen) = cell::look(host, name, root.id, instance, epoch)? else { continue };
        match seen.says.as_ref().map(|says| &says.life) {
            Err(damage) => return Err(Error::Damaged(damage.clone())),
            Ok(Life::Live | Life::Closed) => {
                let part = Root { generation: epoch, ..root.clone() };
                if let Some(damage) = fold::read(host, name, &part, seen.end(root.id), 0)?.damage {
                    return Err(Error::Damaged(damage));
                }
            }
            Ok(Life::Claimed(_) | Life::Damaged(_)) => {}
        }
    }
    Ok(())
}

/// The locks of all instances, or `locked` if one is held.
pub(super) fn lock_all<H: Host>(host: &H, name: &str, root: &Root) -> Result<Vec<H::Lock>> {
    let mut wanted = BTreeSet::new();
    for seen in cell::all(host, name, root.id)? {
        wanted.insert(match seen.says.map(|says| says.slot) {
            Ok(Some(slot)) => names::slot_lock(name, slot),
            _ => names::instance_lock(name, &seen.instance),
        });
    }
    wanted.iter().map(|lock| record_log::lock(host, lock, 0)).collect()
}
