//! Inputs to start from: what the golden bytes hold, as each target takes it, and some drawn ones.

use super::TARGETS;
use super::forge::Frames;
use crate::rng::SplitMix64;
use crate::sim::SimDisk;
use annals_logs::format::HEADER;

/// Drawn inputs of a target, and how long they are.
const DRAWN: u64 = 24;
const DRAWN_BYTES: u64 = 600;

/// The storage in a golden file: lines `cell NAME` or `file NAME`, then bytes as hexadecimal digits.
///
/// # Panics
/// It is not such a text.
pub fn golden(text: &str) -> SimDisk {
    let disk = SimDisk::new(1);
    let mut parts: Vec<(&str, &str, Vec<u8>)> = Vec::new();
    for line in text.lines() {
        match (line.split_once(' '), parts.last_mut()) {
            (Some((kind, name)), _) => parts.push((kind, name, Vec::new())),
            (None, Some((_, _, bytes))) => bytes.extend((0..line.len()).step_by(2).map(|at| {
                u8::from_str_radix(&line[at..at + 2], 16).unwrap_or_else(|_| panic!("no digits: {line}"))
            })),
            (None, None) => panic!("bytes of nothing: {line}"),
        }
    }
    for (kind, name, bytes) in parts {
        if kind == "cell" {
            disk.put_cell(name, &bytes);
        } else {
            disk.put_file(name, bytes.len() as u64);
            disk.overwrite(name, 0, &bytes);
        }
    }
    disk
}

/// Inputs of this target, from golden storages.
pub fn of(target: &str, golden: &[SimDisk]) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = golden.iter().flat_map(|disk| stored(target, disk)).collect();
    let number = TARGETS.iter().position(|(name, _)| *name == target).unwrap_or_default() as u64;
    seeds.extend((0..DRAWN).map(|part| {
        let mut rng = SplitMix64::new(SplitMix64::derive(number, part));
        let len = 1 + rng.below(DRAWN_BYTES) as usize;
        rng.bytes(len)
    }));
    seeds
}

fn stored(target: &str, disk: &SimDisk) -> Vec<Vec<u8>> {
    let after = |choices: &[u8], bytes: &[u8]| [choices, bytes].concat();
    let frames = || Frames::of(disk).into_iter().flat_map(|file| file.frames);
    match target {
        // Ten choices that stand for short names and small numbers, then any text.
        "names" => disk
            .file_names()
            .iter()
            .chain(&disk.cell_names())
            .map(|name| after(&[0; 10], name.as_bytes()))
            .collect(),
        // As it is, and with its check made anew.
        "cells" => {
            let values: Vec<Vec<u8>> =
                disk.cell_names().iter().filter_map(|name| disk.cell_value(name)).collect();
            let forged =
                values.iter().map(|value| after(&[1], &value[1..value.len().saturating_sub(8).max(1)]));
            values.iter().map(|value| after(&[0], value)).chain(forged).collect()
        }
        "frames" => {
            let raw = disk.file_names().into_iter().flat_map(|name| {
                let bytes = disk.file_bytes(&name);
                bytes.chunks(HEADER).take(4).map(<[u8]>::to_vec).collect::<Vec<_>>()
            });
            let raw = raw.map(|bytes| after(&[0], &bytes));
            raw.chain(frames().map(|(_, payload)| after(&[0; HEADER + 2], &payload))).collect()
        }
        "structures" => frames().map(|(_, payload)| after(&[0], &payload)).collect(),
        _ => Vec::new(),
    }
}
