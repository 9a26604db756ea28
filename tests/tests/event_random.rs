//! Random calls of the native event log against its model.
use annals_logs::types::{Limits, Mode};
use annals_tests::event::model::Model;
use annals_tests::event::subject::{EventSubject, Options, Policy, options};
use annals_tests::native::native;
use annals_tests::rng::SplitMix64;
use annals_tests::sim::SimDisk;

fn event(rng: &mut SplitMix64, id: u64, long: bool) -> Vec<u8> {
    let mut bytes = format!("event-{id}-{}", if rng.chance(3) { 1 } else { 0 }).into_bytes();
    if long {
        bytes.resize(bytes.len() + (id * 37 % 3000) as usize, b'x');
    }
    bytes
}

#[test]
fn random_calls_answer_as_the_model() {
    let base = annals_tests::seed(1);
    let runs = std::env::var("RUNS").ok().and_then(|r| r.parse().ok()).unwrap_or(60u64);
    for run in 0..runs {
        let mut rng = SplitMix64::new(base * 1000 + run);
        let disk = SimDisk::new(run);
        let subject = native(disk.clone());
        let policy = [Policy::Buffered, Policy::Flushed, Policy::Synced][rng.below(3) as usize];
        let shared = policy != Policy::Buffered && rng.chance(50);
        let opts = |mode| Options { policy, shared, ..options(mode) };
        let handles = if shared { 1 + rng.below(3) as usize } else { 1 };
        let mut logs: Vec<Box<dyn EventSubject>> = Vec::new();
        logs.push(subject.events().open("e", &opts(Mode::Create)).unwrap());
        for _ in 1..handles {
            logs.push(subject.events().open("e", &opts(Mode::Open)).unwrap());
        }
        let mut model = Model::default();
        let mut its = Vec::new();
        let mut note = Vec::new();
        for step in 0..300 {
            let at = rng.below(logs.len() as u64) as usize;
            let log = &logs[at];
            let next = model.next();
            let long = rng.chance(30);
            let what = rng.below(100);
            note.push(format!("{step}: {what} @{at} next {next}"));
            let ctx = |s: &str| {
                format!(
                    "seed {} step {step} ({what}) {s}; {policy:?} shared {shared}; {}",
                    base * 1000 + run,
                    note[note.len().saturating_sub(5)..].join(" | ")
                )
            };
            match what {
                0..30 => {
                    let id =
                        if rng.chance(70) { next + rng.below(3) * rng.below(4) } else { rng.below(next + 1) };
                    let e = event(&mut rng, id, long);
                    assert_eq!(log.append_with_id(id, &e), model.append(id, &e), "{}", ctx("append"));
                }
                30..50 => {
                    let id =
                        if rng.chance(60) { next + rng.below(2) * rng.below(4) } else { rng.below(next + 1) };
                    let es: Vec<Vec<u8>> =
                        (0..1 + rng.below(8)).map(|n| event(&mut rng, id + n, long)).collect();
                    let slices: Vec<&[u8]> = es.iter().map(|e| &e[..]).collect();
                    assert_eq!(
                        log.append_batch_with_ids(id, &slices),
                        model.append_batch(id, &slices),
                        "{}",
                        ctx("batch")
                    );
                }
                50..60 => {
                    let (a, b) = (rng.below(next + 3), rng.below(8));
                    let (a, b) =
                        if rng.chance(80) { (a, a.saturating_add(b)) } else { (a, a.saturating_sub(b)) };
                    assert_eq!(
                        log.delete_range(a, b),
                        Ok(model.delete_range(a, b)),
                        "{} {a}..={b}",
                        ctx("delete")
                    );
                }
                60..62 if rng.chance(40) => {
                    let (a, b) = (0, rng.below(next + 1));
                    assert_eq!(log.delete_range(a, b), Ok(model.delete_range(a, b)), "{}", ctx("delete"));
                }
                62..68 => {
                    let _ = log.rotate();
                }
                68..76 => {
                    let (a, b) = (rng.below(next + 2), rng.chance(50).then(|| rng.below(next + 5)));
                    its.push((at, log.iterate(a, b).unwrap(), model.iterate(a, b)));
                }
                76..88 if !its.is_empty() => {
                    let n = rng.below(its.len() as u64) as usize;
                    let (_, it, mit) = &mut its[n];
                    let limits = Limits { count: rng.below(6) as u32, bytes: rng.below(3000) as u32 };
                    let answer = it.next(limits);
                    model.check_next(mit, limits, &answer).map_err(|e| ctx(&e)).unwrap();
                }
                88..92 => {
                    log.sync().unwrap();
                }
                92..94 => {
                    let closed = rng.chance(60);
                    if !closed {
                        log.flush().unwrap();
                    }
                    if closed {
                        log.close().unwrap();
                    }
                    its.retain(|(n, _, _)| *n != at);
                    // Drop first, then open.
                    let others: Vec<_> =
                        logs.drain(..).enumerate().filter(|(n, _)| *n != at).map(|(_, l)| l).collect();
                    its.iter_mut().for_each(|(n, _, _)| {
                        if *n > at {
                            *n -= 1
                        }
                    });
                    logs = others;
                    logs.push(
                        subject
                            .events()
                            .open("e", &opts(Mode::Open))
                            .unwrap_or_else(|e| panic!("{} {e:?}", ctx("open"))),
                    );
                }
                _ => {
                    let id = rng.below(next + 2);
                    assert_eq!(
                        log.get(id).map_err(|e| panic!("{} {e:?}", ctx("get"))).unwrap().as_deref(),
                        model.get(id).map(|i| &**i),
                        "{}",
                        ctx("get")
                    );
                }
            }
            let log = &logs[rng.below(logs.len() as u64) as usize];
            assert_eq!(log.next_event_id(), Ok(model.next()), "{}", ctx("next"));
            assert_eq!(log.oldest_event_id(), Ok(model.oldest()), "{}", ctx("oldest"));
            assert_eq!(log.newest_event_id(), Ok(model.newest()), "{}", ctx("newest"));
            if step % 20 == 0 {
                let s = log.stats().unwrap();
                assert!(model.same_stats(&s), "{} {s:?} {model:?}", ctx("stats"));
            }
        }
        drop(its);
        for log in logs.drain(..) {
            log.close().unwrap();
        }
        assert_eq!(subject.verify("e").unwrap(), vec![], "seed {}", base * 1000 + run);
    }
}
