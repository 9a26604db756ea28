//! Whole storages with a change log: its instances, their cells and files.

use super::forge;
use super::images::{MOST_CALLS, forge_all, look, tamper};
use crate::campaign::draw::Draw;
use crate::campaign::flips::LONGEST_READ;
use crate::campaign::trial::LOG;
use crate::change_log::{Change, ChangeLogSubject, named, options};
use crate::native::native;
use crate::sim::{Crash, SimDisk};
use crate::subject::ALL;
use annals_logs::error::{Error, Result};
use annals_logs::format::instance::Instance;
use annals_logs::types::Mode;

/// A change log whose instances are open, left, dead and taken over.
fn filled() -> Result<SimDisk> {
    let subject = native(SimDisk::new(1));
    let open = |name| subject.open_change_log(LOG, &named(Mode::OpenOrCreate, name));
    let change = |payload: &[u8], cleanup_after_ms| Change { payload: payload.into(), cleanup_after_ms };
    let (dead, left) = (open("dead")?, open("left")?);
    dead.record(b"one", &change(b"first", Some(5)))?;
    dead.record(b"two", &change(b"", None))?;
    dead.remove(None, b"one")?;
    left.record(b"three", &change(&[0xA5; 5000], None))?;
    left.close()?;
    let log = open("log")?;
    log.recover(u64::MAX)?;
    log.record(b"filling", &change(&[1; 58_000], None))?;
    log.record(b"filling", &change(&[2; 8000], None))?;
    log.record(b"four", &change(b"short", Some(u64::MAX)))?;
    let disk = subject.disk().fork();
    disk.settle();
    Ok(disk)
}

thread_local! {
    static FILLED: SimDisk = filled().unwrap_or_else(|error| panic!("{error:?}"));
}

/// Accidents.
pub(super) fn damaged(draw: &mut Draw) {
    let disk = FILLED.with(SimDisk::fork);
    let many = 1 + draw.below(4);
    let told: Vec<String> = (0..many).map(|_| tamper(draw, &disk)).collect();
    if draw.chance(20) {
        let cells = disk.cell_names();
        let name = &cells[draw.below(cells.len() as u64) as usize];
        let bits = disk.cell_value(name).map_or(0, |value| value.len() as u64 * 8);
        disk.flip_cell_bit(name, draw.below(bits));
    }
    use_it(&disk);
    if let Err(what) = stable(&disk) {
        panic!("{told:?}: {what}");
    }
}

/// Forgeries.
pub(super) fn forged(draw: &mut Draw) {
    let disk = FILLED.with(SimDisk::fork);
    if draw.chance(40) {
        forge_cell(draw, &disk);
    }
    forge_all(draw, &disk);
    use_it(&disk);
}

fn forge_cell(draw: &mut Draw, disk: &SimDisk) {
    let cells: Vec<String> =
        disk.cell_names().into_iter().filter(|name| name.starts_with("change.")).collect();
    let Some(name) = cells.get(draw.below(cells.len() as u64) as usize) else { return };
    let value = disk.cell_value(name).unwrap_or_default();
    let Ok(instance) = Instance::decode(name, &value) else { return };
    let forged = match draw.below(6) {
        0 => Instance { frame: draw.number(), ..instance }.encode(name),
        1 => Instance { check: u128::from(draw.number()), ..instance }.encode(name),
        2 => Instance { beat_ms: draw.number(), ..instance }.encode(name),
        3 => Instance { log: u128::from(draw.number()), ..instance }.encode(name),
        4 => Instance { slot: Some(draw.number() as u32), ..instance }.encode(name),
        _ => {
            // Any bytes in place of some of them.
            let mut start = value[..value.len().saturating_sub(8)].to_vec();
            let from = draw.below(start.len() as u64) as usize;
            let len = draw.below(40) as usize;
            let bytes = draw.bytes(len);
            let end = (from + bytes.len()).min(start.len());
            start.splice(from..end, bytes);
            forge::cell(name, &start)
        }
    };
    disk.put_cell(name, &forged);
}

fn held(log: &dyn ChangeLogSubject) -> Result<Vec<String>> {
    let (scan, mut found) = (log.scan(true)?, Vec::new());
    // Damage is told once, and what is behind it is served.
    for _ in 0..1000 {
        match scan.next(ALL) {
            Ok(Some(some)) => found.extend(some.iter().map(|one| format!("{one:?}"))),
            Ok(None) => return Ok(found),
            Err(error @ Error::Damaged(_)) => found.push(format!("{error:?}")),
            Err(error) => return Err(error),
        }
    }
    panic!("a scan of a few changes does not end");
}

/// Looks, opens, takes over, reads and writes; nothing panics.
fn use_it(disk: &SimDisk) {
    let limited = || {
        let copy = disk.fork();
        copy.limit_calls(MOST_CALLS);
        copy
    };
    let copy = limited();
    look(&copy, &[LOG]);
    let before = copy.hash();
    let subject = native(copy.clone());
    let _ = subject.change_log_instances(LOG);
    if let Ok(log) = subject.open_change_log(LOG, &options(Mode::ReadOnly)) {
        let _ = held(&*log);
    }
    assert!(copy.hash() == before, "reading changed something");
    for name in ["dead", "log", "new"] {
        let copy = limited();
        let subject = native(copy.clone());
        if let Ok(log) = subject.open_change_log(LOG, &named(Mode::Open, name)) {
            let _ = (log.recover(0), held(&*log));
            let _ = log.record(b"more", &Change { payload: vec![7; 3000], cleanup_after_ms: None });
            let _ = (log.remove(Some("dead"), b"two"), log.heartbeat(), log.discard("dead"));
            let _ = (log.recover(0), held(&*log), log.close());
        }
        assert!(copy.counters().longest_read <= LONGEST_READ);
    }
}

/// What an instance took over it still holds when it is opened again.
fn stable(disk: &SimDisk) -> std::result::Result<(), String> {
    let disk = disk.fork();
    let take = |disk: &SimDisk| {
        let log = native(disk.clone()).open_change_log(LOG, &named(Mode::Open, "new"))?;
        log.recover(0)?;
        Ok::<_, Error>((held(&*log)?, log))
    };
    let Ok((first, log)) = take(&disk) else { return Ok(()) };
    for crash in [Crash::Process, Crash::LOSE_ALL] {
        let next = disk.fork().reboot(crash);
        let (second, _log) =
            take(&next).map_err(|error| format!("taken over again ({crash:?}): {error:?}"))?;
        if first != second {
            return Err(format!("taken over again ({crash:?}) it holds {second:?}, not {first:?}"));
        }
    }
    drop(log);
    Ok(())
}
