//! The power is cut while all five logs work on a real file system.
//!
//! An ext4 lies on a disk that remembers every write and every flush. Afterwards images of that disk are made as it may
//! have been at some moment: everything that was flushed, and any part of what was not. Each is mounted, which replays
//! the journal of the file system, and looked at: what was promised before that moment is there, everything else was
//! asked for, nothing is damaged, and all logs go on. So this covers what no simulated disk can: names in directories,
//! the order of renames, and what ext4 makes of them.
//!
//! Needs root, FUSE and loop devices; elsewhere it says so and counts as passed, unless `ANNALS_TEST_NEED_MOUNT=1`.
//! 40 images; `ANNALS_POWER_IMAGES=1000` makes it more. `ANNALS_SEED` repeats what is done and what is cut; when the
//! kernel writes what back is up to the kernel. An image that fails the test is kept.
#![cfg(target_os = "linux")]

mod check;
#[path = "../common/mod.rs"]
mod common;
mod contents;
mod dense;
mod device;
mod fuse;
mod images;
mod keyed;
mod mount;
mod timeline;
mod world;

use annals::Runtime;
use check::Wanted;
use common::Random;
use device::{Event, Recorder};
use images::{Images, Part};
use mount::{Place, Recorded, Slot};
use std::{
    collections::{BTreeMap, HashSet, hash_map::DefaultHasher},
    env, fs,
    hash::{Hash, Hasher},
    io::Write,
    path::Path,
    sync::LazyLock,
    time::Instant,
};
use world::{Actor, World};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Things that are done in one run, and most images that are made of it.
const TURNS: u64 = 150;
const IMAGES: u64 = 250;

fn say(what: &str) {
    // Not by println, which a test that passes keeps to itself.
    let _ = writeln!(std::io::stdout(), "power cut: {what}");
}

/// What was done once, and what the disk saw of it.
struct Run {
    before: Vec<u8>,
    events: Vec<Event>,
    wanted: Wanted,
}

/// Uses all five logs on a disk that remembers; or why that cannot be done here.
fn run(place: &Place, seed: u64, turns: u64) -> Result<Run, String> {
    let before = place.empty()?;
    let recorder = Recorder::new(before.clone());
    let mounted = Recorded::mount(place, &recorder)?;
    let mut world = World::new(&RUNTIME, &recorder, &mounted.root, seed);
    let mut actors: [Box<dyn Actor>; 5] = [
        Box::new(dense::Positions::new(&mut world)),
        Box::new(dense::Indexes::new(&mut world)),
        Box::new(keyed::Ids::new(&mut world)),
        Box::new(keyed::Keys::new(&mut world)),
        Box::new(keyed::Steps::new(&mut world)),
    ];
    for _ in 0..turns {
        let actor = world.random.below(5) as usize;
        actors[actor].turn(&mut world);
    }
    let done = recorder.now();
    drop(actors);
    let World { timelines: logs, exports, directory, .. } = world;
    // What is open below it would keep it mounted.
    drop(directory);
    drop(mounted);
    let mut events = recorder.take();
    events.truncate(done);
    Ok(Run { before, events, wanted: Wanted { logs, exports } })
}

/// Where to cut: just when something had been promised (by each log and export as often), just before a flush, or
/// anywhere; a third each.
fn cuts(run: &Run, count: u64, random: &mut Random) -> Vec<usize> {
    let mut any = |of: usize| random.below(of as u64) as usize;
    let promises: Vec<Vec<usize>> =
        run.wanted.promises().into_iter().filter(|of_one| !of_one.is_empty()).collect();
    let is_flush = |at: &usize| matches!(run.events[*at], Event::Flush);
    let flushes: Vec<usize> = (0..run.events.len()).filter(is_flush).collect();
    let mut cuts: Vec<usize> = (0..count)
        .map(|number| match number % 3 {
            0 => {
                let of_one = &promises[any(promises.len())];
                of_one[any(of_one.len())].min(run.events.len())
            }
            1 => flushes[any(flushes.len())],
            _ => any(run.events.len() + 1),
        })
        .collect();
    cuts.sort_unstable();
    cuts
}

/// What was looked at.
#[derive(Debug, Default)]
struct Counts {
    images: u64,
    /// Those with something that was not flushed.
    unflushed: u64,
    parts: BTreeMap<String, u64>,
    distinct: HashSet<u64>,
}

/// Makes images of a run and checks each; one that fails is kept.
fn check(
    place: &Place,
    run: &Run,
    (count, seed): (u64, u64),
    kept: &Path,
    counts: &mut Counts,
) -> Result<(), String> {
    let (slot, mut random) = (Slot::new(place), Random(seed));
    let mut images = Images::new(run.before.clone(), &run.events);
    for cut in cuts(run, count, &mut random) {
        let part = Part::ALL[random.below(Part::ALL.len() as u64) as usize];
        let image = images.at(cut, part, &mut random);
        let mut hash = DefaultHasher::new();
        image.hash(&mut hash);
        counts.images += 1;
        counts.unflushed += u64::from(images.pending(cut) > 0);
        *counts.parts.entry(format!("{part:?}")).or_default() += 1;
        counts.distinct.insert(hash.finish());
        let checked = slot.mount(&image).and_then(|mounted| {
            let checked = run.wanted.check(&RUNTIME, &slot.root, cut);
            drop(mounted);
            checked
        });
        if let Err(what) = checked {
            let _ = fs::write(kept, &image);
            return Err(format!(
                "cut behind event {cut} of {}, {part:?} of {} that were not flushed: {what}; image {}",
                run.events.len(),
                images.pending(cut),
                kept.display()
            ));
        }
    }
    Ok(())
}

fn number(name: &str, usual: u64) -> u64 {
    let told = env::var(name).ok();
    told.map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// The run, unless there can be none here.
fn possible(place: &Place, seed: u64, turns: u64) -> Option<Run> {
    match run(place, seed, turns) {
        Ok(run) => Some(run),
        Err(why) => {
            assert!(env::var_os("ANNALS_TEST_NEED_MOUNT").is_none(), "no disk can be recorded here: {why}");
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: no disk can be recorded here (needs root, FUSE and loop devices): {why}"
            );
            None
        }
    }
}

#[test]
fn whatever_was_promised_survives_a_cut_of_the_power() {
    let (images, mut seed) = (number("ANNALS_POWER_IMAGES", 40), number("ANNALS_SEED", 20_251_120));
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("power-cut.img");
    let (mut counts, start) = (Counts::default(), Instant::now());
    while counts.images < images {
        let place = Place::new();
        let count = (images - counts.images).min(IMAGES);
        say(&format!("ANNALS_SEED={seed}"));
        let Some(run) = possible(&place, seed, TURNS) else { return };
        let flushes = run.events.iter().filter(|event| matches!(event, Event::Flush)).count();
        let promises: usize = run.wanted.promises().iter().map(Vec::len).sum();
        say(&format!("{} events, {flushes} flushes, {promises} promises", run.events.len()));
        assert!(flushes > promises / 2, "flushes do not arrive at the disk");
        if let Err(what) = check(&place, &run, (count, seed), &kept, &mut counts) {
            panic!("power cut, ANNALS_SEED={seed}: {what}");
        }
        seed += 1;
    }
    say(&format!(
        "{} images ({} distinct, {} with something not flushed; {:?}) in {:?}: nothing lost, nothing wrong",
        counts.images,
        counts.distinct.len(),
        counts.unflushed,
        counts.parts,
        start.elapsed()
    ));
}

/// The same check with a disk that flushes only now and then: it must not pass.
#[test]
fn a_disk_that_lies_about_flushes_is_noticed() {
    let (place, seed) = (Place::new(), number("ANNALS_SEED", 20_251_120));
    let Some(mut run) = possible(&place, seed, 40) else { return };
    let flushes = run.events.iter_mut().filter(|event| matches!(event, Event::Flush));
    for (_, flush) in flushes.enumerate().filter(|(number, _)| number % 10 > 0) {
        *flush = Event::Write(0, Box::default());
    }
    let checked =
        check(&place, &run, (30, seed), &place.directory("kept").join("image"), &mut Counts::default());
    let what = checked.expect_err("nobody noticed that the disk lied");
    say(&format!("noticed: {what}"));
}
