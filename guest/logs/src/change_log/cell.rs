//! The cells of instances: finding them, reading them, swapping them. Who may swap which and when is decided in
//! `recover`.

use super::options::{InstanceInfo, InstanceState};
use crate::error::{Damage, Error, Result, Token};
use crate::format::instance::{Claimer, Found, Instance, Life};
use crate::format::names;
use crate::format::root::RootError;
use crate::record_log::{failed, side_cells};
use crate::storage::{Cell, Host, Swap};
use alloc::{format, string::String, vec::Vec};

/// The cell of an instance, and what it says; the damage if that cannot be told.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) instance: String,
    pub(super) epoch: u64,
    pub(super) version: u64,
    pub(super) says: core::result::Result<Instance, Damage>,
}

/// What a cell of the log with this id says. One that is not understood is damaged, and nobody touches it.
pub(super) fn decode(log: u128, cell_name: &str, cell: &Cell) -> core::result::Result<Instance, Damage> {
    let damaged = |what: String| {
        let file = cell_name.into();
        Err(Damage { file, offset: 0, lowest: None, next: None, what })
    };
    match Instance::decode(cell_name, &cell.value) {
        Ok(says) if says.log == log => Ok(says),
        Ok(_) => damaged("the cell of an instance belongs to another log".into()),
        Err(RootError::Damaged) => damaged("the cell of an instance is damaged".into()),
        Err(RootError::Version(version)) => {
            damaged(format!("the cell of an instance has format version {version}, which is not known"))
        }
    }
}

/// The cell of an instance, if it is there.
pub(super) fn look<H: Host>(
    host: &H,
    name: &str,
    log: u128,
    instance: &str,
    epoch: u64,
) -> Result<Option<Seen>> {
    let cell_name = names::instance(name, instance, epoch);
    let (version, says) = match host.read_cell(&cell_name) {
        Ok(None) => return Ok(None),
        Ok(Some(cell)) => (cell.version, decode(log, &cell_name, &cell)),
        // What the storage knows to be damaged is as good as one that is not understood.
        Err(error) => match failed("reading cell", &cell_name, error) {
            Error::Damaged(damage) => (0, Err(damage)),
            error => return Err(error),
        },
    };
    Ok(Some(Seen { instance: instance.into(), epoch, version, says }))
}

/// Names and epochs of all instances that have a cell, by name and then epoch.
pub(super) fn list<H: Host>(host: &H, name: &str) -> Result<Vec<(String, u64)>> {
    let cells = side_cells(host, name)?;
    Ok(cells
        .iter()
        .filter_map(|cell| names::parse_instance(name, cell))
        .map(|(instance, epoch)| (instance.into(), epoch))
        .collect())
}

/// All cells, as they are one after the other.
pub(super) fn all<H: Host>(host: &H, name: &str, log: u128) -> Result<Vec<Seen>> {
    let mut seen = Vec::new();
    for (instance, epoch) in list(host, name)? {
        seen.extend(look(host, name, log, &instance, epoch)?);
    }
    Ok(seen)
}

/// Swaps a cell; the new version, or what is there instead.
pub(super) fn swap<H: Host>(
    host: &H,
    name: &str,
    (instance, epoch): (&str, u64),
    expected: Option<u64>,
    says: Option<&Instance>,
) -> Result<Swap> {
    let cell_name = names::instance(name, instance, epoch);
    let value = says.map(|says| says.encode(&cell_name));
    host.swap_cell(&cell_name, expected, value.as_deref()).map_err(|e| failed("swapping cell", &cell_name, e))
}

impl Seen {
    /// By whom it is claimed, if its changes are not taken over yet.
    pub(super) fn claimer(&self) -> Option<&Claimer> {
        match self.says.as_ref().map(|says| &says.life) {
            Ok(Life::Claimed(claimer)) => Some(claimer),
            _ => None,
        }
    }

    /// The last frame of its files that is known to have been durable.
    pub(super) fn end(&self, log: u128) -> Option<Token> {
        self.says.as_ref().ok().map(|says| Token { log, frame: says.frame, check: says.check })
    }

    /// Whether it was damaged when it was taken over; its files are only kept.
    pub(super) fn is_kept(&self) -> bool {
        self.says.as_ref().is_ok_and(|says| matches!(says.life, Life::Damaged(_)))
    }

    /// What is known to be wrong with it.
    pub(super) fn damage(&self) -> Option<Damage> {
        match &self.says {
            Ok(says) => says.damage.clone().map(Found::into_damage),
            Err(damage) => Some(damage.clone()),
        }
    }

    /// The instance at a glance.
    pub(super) fn info(&self) -> InstanceInfo {
        let (instance, epoch, damaged) = (self.instance.clone(), self.epoch, self.damage());
        let Ok(says) = &self.says else {
            let state = InstanceState::Live;
            let (claimed_by, heartbeat_at_ms, heartbeat_ms) = (None, 0, 0);
            return InstanceInfo {
                instance,
                epoch,
                state,
                claimed_by,
                heartbeat_at_ms,
                heartbeat_ms,
                damaged,
            };
        };
        let (state, claimed_by) = match &says.life {
            Life::Live => (InstanceState::Live, None),
            Life::Closed => (InstanceState::Closed, None),
            Life::Claimed(by) => (InstanceState::Claimed, Some(by.instance.clone())),
            Life::Damaged(by) => (InstanceState::Damaged, Some(by.instance.clone())),
        };
        let (heartbeat_at_ms, heartbeat_ms) = (says.beat_ms, says.heartbeat_ms);
        InstanceInfo { instance, epoch, state, claimed_by, heartbeat_at_ms, heartbeat_ms, damaged }
    }
}

impl Found {
    /// As a cell keeps it.
    pub(super) fn of(damage: &Damage) -> Found {
        let Damage { file, offset, lowest, next, what } = damage.clone();
        Found { file, offset, lowest, next, what }
    }

    fn into_damage(self) -> Damage {
        let Found { file, offset, lowest, next, what } = self;
        Damage { file, offset, lowest, next, what }
    }
}
