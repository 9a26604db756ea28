//! Tests of logs that are not dense: random frames with gaps, overwriting and truncation, over many segments, against a
//! map.

use super::*;
use crate::error::Bounds;
use crate::storage::{Cell, Clock, File, PendingSync, Random, Storage, Swap};
use crate::types::Mode;
use alloc::rc::Rc;
use core::cell::RefCell;
use std::prelude::v1::*;

#[derive(Default)]
struct Disk {
    files: BTreeMap<String, Rc<RefCell<Vec<u8>>>>,
    cells: BTreeMap<String, Cell>,
    draws: u64,
    versions: u64,
}

/// A storage in memory that never fails.
#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Disk>>);

struct Bytes(Rc<RefCell<Vec<u8>>>);
struct Done;

type Answer<T> = core::result::Result<T, StorageError>;

impl PendingSync for Done {
    fn poll(&self) -> Option<Answer<()>> {
        Some(Ok(()))
    }
    fn wait(&self) -> Answer<()> {
        Ok(())
    }
}

impl File for Bytes {
    type Pending = Done;
    fn size(&self) -> Answer<u64> {
        Ok(self.0.borrow().len() as u64)
    }
    fn read(&self, offset: u64, len: u32) -> Answer<Vec<u8>> {
        let bytes = self.0.borrow();
        let start = bytes.len().min(offset as usize);
        Ok(bytes[start..bytes.len().min(start + len as usize)].to_vec())
    }
    fn write(&self, offset: u64, new: &[u8]) -> Answer<()> {
        let mut bytes = self.0.borrow_mut();
        let end = offset as usize + new.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset as usize..end].copy_from_slice(new);
        Ok(())
    }
    fn reserve(&self, size: u64) -> Answer<()> {
        let mut bytes = self.0.borrow_mut();
        if bytes.len() < size as usize {
            bytes.resize(size as usize, 0);
        }
        Ok(())
    }
    fn truncate(&self, size: u64) -> Answer<()> {
        self.0.borrow_mut().truncate(size as usize);
        Ok(())
    }
    fn sync(&self) -> Answer<()> {
        Ok(())
    }
    fn begin_sync(&self) -> Answer<Done> {
        Ok(Done)
    }
}

impl Storage for Memory {
    type File = Bytes;
    type Lock = ();
    fn is_durable(&self) -> bool {
        true
    }
    fn create(&self, name: &str) -> Answer<Bytes> {
        let file = Rc::<RefCell<Vec<u8>>>::default();
        self.0.borrow_mut().files.insert(name.into(), file.clone());
        Ok(Bytes(file))
    }
    fn open(&self, name: &str) -> Answer<Bytes> {
        self.0.borrow().files.get(name).cloned().map(Bytes).ok_or(StorageError::NotFound)
    }
    fn remove(&self, name: &str) -> Answer<()> {
        self.0.borrow_mut().files.remove(name).map(drop).ok_or(StorageError::NotFound)
    }
    fn list(&self, prefix: &str, after: Option<&str>, max: u32) -> Answer<Vec<String>> {
        let disk = self.0.borrow();
        let names = disk.files.keys().filter(|n| n.starts_with(prefix) && Some(n.as_str()) > after);
        Ok(names.take(max as usize).cloned().collect())
    }
    fn list_cells(&self, _: &str, _: Option<&str>, _: u32) -> Answer<Vec<String>> {
        Ok(Vec::new())
    }
    fn read_cell(&self, name: &str) -> Answer<Option<Cell>> {
        Ok(self.0.borrow().cells.get(name).cloned())
    }
    fn swap_cell(&self, name: &str, _: Option<u64>, value: Option<&[u8]>) -> Answer<Swap> {
        let mut disk = self.0.borrow_mut();
        disk.versions += 1;
        let version = disk.versions;
        match value {
            Some(value) => disk.cells.insert(name.into(), Cell { version, value: value.to_vec() }),
            None => disk.cells.remove(name),
        };
        Ok(Swap::Swapped(version))
    }
    fn lock(&self, _: &str, _: u32) -> Answer<()> {
        Ok(())
    }
}

impl Clock for Memory {
    fn now_ms(&self) -> u64 {
        0
    }
}

impl Random for Memory {
    fn draw(&self) -> u64 {
        let mut disk = self.0.borrow_mut();
        disk.draws += 1;
        disk.draws
    }
}

/// The next position, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sparse(u64);

impl View for Sparse {
    const KIND: root::Kind = root::Kind::RaftLog;
    const DENSE: bool = false;
    fn blank() -> Self {
        Sparse(0)
    }
    fn restore(_: &[u8], saved: &[u8]) -> Option<Self> {
        Some(Sparse(u64::from_le_bytes(saved.try_into().ok()?)))
    }
    fn save(&self) -> Vec<u8> {
        self.0.to_le_bytes().to_vec()
    }
    fn next(&self) -> u64 {
        self.0
    }
    fn boundary(&self) -> u64 {
        0
    }
    fn items(&mut self, frame: &FrameHeader) -> bool {
        match frame.kind {
            Kind::Truncate => self.0 = frame.end,
            _ => self.0 = self.0.max(frame.end),
        }
        true
    }
    fn meta(&mut self, _: &[u8]) -> bool {
        true
    }
    fn skip_to(&mut self, next: u64) {
        self.0 = next;
    }
}

use crate::format::frame::Kind;

fn open(host: &Memory, mode: Mode) -> RecordLog<Memory, Sparse> {
    let create = Create { segment_bytes: 6000, options: Vec::new(), view: Sparse(0) };
    let request = Request { mode, expect: None, lock_wait_ms: 0, create, accept: &|_, _| Ok(()) };
    RecordLog::open(host.clone(), "a", &request).unwrap()
}

fn write(log: &mut RecordLog<Memory, Sparse>, kind: Kind, items: &[(u64, Vec<u8>)], first: u64) {
    let ids: Vec<u64> = items.iter().map(|(id, _)| *id).collect();
    let (mut ends, mut bytes) = (Vec::new(), Vec::new());
    for (_, item) in items {
        bytes.extend_from_slice(item);
        ends.extend((bytes.len() as u32).to_le_bytes());
    }
    let parts: [&[u8]; 2] = [&ends, &bytes];
    let ids = (!ids.is_empty()).then_some(&ids[..]);
    log.write_frame(&NewFrame { kind, first, count: items.len() as u32, ids, parts: &parts, kept: false })
        .unwrap();
}

fn contents(log: &mut RecordLog<Memory, Sparse>, from: u64, below: u64, count: u64) -> Vec<(u64, Vec<u8>)> {
    let (mut all, mut at) = (Vec::new(), from);
    while at < below {
        let (mut ids, mut ends, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        at = log.read_sparse(at, below, count, 500, Lane::Stream, &mut ids, &mut ends, &mut bytes).unwrap();
        let mut start = 0;
        for (id, end) in ids.into_iter().zip(ends) {
            all.push((id, bytes[start..end as usize].to_vec()));
            start = end as usize;
        }
    }
    all
}

#[test]
fn frames_with_gaps_overwriting_and_truncation_read_as_a_map_does() {
    for seed in 1..60u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut below = |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % n
        };
        let host = Memory::default();
        let mut log = open(&host, Mode::OpenOrCreate);
        let mut model: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let (mut next, mut stamp) = (0u64, 0u64);
        for _ in 0..120 {
            stamp += 1;
            let item =
                |n: u64| (n, [stamp.to_le_bytes().to_vec(), vec![n as u8; (stamp % 90) as usize]].concat());
            match below(10) {
                0..4 => {
                    let mut items = Vec::new();
                    let mut id = next + below(3) * below(5);
                    for _ in 0..=below(5) {
                        items.push(item(id));
                        id += 1 + below(4) / 3 * below(6);
                    }
                    write(&mut log, Kind::Append, &items, items[0].0);
                    next = items.last().unwrap().0 + 1;
                    model.extend(items);
                }
                4..7 if next > 0 => {
                    let mut items = Vec::new();
                    let mut id = below(next);
                    for _ in 0..=below(4) {
                        items.push(item(id));
                        id += 1 + below(4) / 3 * below(4);
                    }
                    write(&mut log, Kind::Put, &items, items[0].0);
                    next = next.max(items.last().unwrap().0 + 1);
                    model.extend(items);
                }
                7 if below(3) == 0 => {
                    let first = next - below(next + 1).min(12);
                    let items: Vec<_> = (0..below(3)).map(|n| item(first + n)).collect();
                    write(&mut log, Kind::Truncate, &items, first);
                    let _ = model.split_off(&first);
                    next = first + items.len() as u64;
                    model.extend(items);
                }
                8 => {
                    if below(2) == 0 {
                        log.close().unwrap();
                    }
                    drop(log);
                    log = open(&host, Mode::Open);
                }
                _ => {}
            }
            assert_eq!(log.view().0, next);
            let (from, to) = (below(next + 1), below(next + 1));
            let wanted: Vec<_> =
                model.range(from..to.max(from)).map(|(id, item)| (*id, item.clone())).collect();
            let found = contents(&mut log, from, to, 1 + below(9));
            let differ = found.iter().zip(&wanted).find(|(a, b)| a != b);
            assert!(found == wanted, "seed {seed}, {from}..{to}: {differ:?}");
            assert_eq!(log.count_between(from, to.max(from)).unwrap(), wanted.len() as u64);
            assert_eq!(
                log.last_below(from, to.max(from)).unwrap(),
                wanted.last().map(|(id, _)| *id),
                "seed {seed}"
            );
        }
        let all: Vec<_> = model.iter().map(|(id, item)| (*id, item.clone())).collect();
        assert_eq!(contents(&mut open(&host, Mode::ReadOnly), 0, next, 1000), all);
        let live: Vec<_> = all.iter().map(|(id, _)| *id).collect();
        let mut log = open(&host, Mode::Open);
        let dead = log
            .dead(u64::MAX, &|bounds| {
                let inside = live.iter().filter(|id| bounds.start <= **id && **id < bounds.end);
                inside.map(|id| Bounds { start: *id, end: id + 1 }).collect()
            })
            .unwrap();
        let count = dead.len();
        log.write_meta_without(Vec::new(), dead).unwrap();
        if next > 0 {
            assert_eq!(contents(&mut log, 0, next, 1000), all, "seed {seed}, without {count} segments");
        }
    }
}
