//! Commands that are killed with SIGKILL at some moment: what the kill loops share.
//!
//! There is a loop for each of the five logs. `ANNALS_KILL_ROUNDS` says how many rounds they do together (200); each
//! ends with a line of counts, and the last one with their sum. `ANNALS_KILL_SEED` repeats the choices of an earlier run,
//! not its timing. All of them, and nothing else:
//! `ANNALS_KILL_ROUNDS=10000 cargo test -p annals --test cli kill -- --nocapture`.

use crate::place::Place;
use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _, stdout},
    ops::Range,
    process::Stdio,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in the range, which must not be empty.
    pub(crate) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.within(0..from.len() as u64) as usize]
    }
}

/// How far a killed process had come.
pub(crate) struct Killed {
    /// What it printed.
    pub(crate) lines: Vec<String>,
    /// It had ended by itself before.
    pub(crate) done: bool,
}

impl Killed {
    /// The first number of the last `durable` line: what it acknowledged.
    pub(crate) fn durable(&self) -> u64 {
        let last = self.lines.iter().rev().find_map(|line| line.strip_prefix("durable "));
        let number = last.and_then(|line| line.split(' ').next());
        number.map_or(0, |number| number.parse().expect("a number"))
    }
}

/// When to kill.
#[derive(Clone, Copy)]
pub(crate) enum When {
    /// So long after the start.
    Started(Duration),
    /// So long after it printed something.
    Printed(Duration),
}

impl When {
    /// From the start of a process to a while after it began to change something, whatever the machine's speed is now:
    /// `some` is what another command takes.
    pub(crate) fn early(random: &mut Random, some: impl FnOnce()) -> When {
        let started = Instant::now();
        some();
        When::Started(started.elapsed().mul_f64(random.within(300..2500) as f64 / 1000.0))
    }
}

/// Starts a command, feeds it lines, leaves its input open, and kills it.
pub(crate) fn kill(
    place: &Place,
    args: &[&str],
    lines: impl Iterator<Item = String> + Send + 'static,
    round: u32,
    when: When,
) -> Killed {
    let mut child = place.command(args).stdin(Stdio::piped()).spawn().expect("annals starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let (stop, stopped) = mpsc::channel::<()>();
    let feeder = thread::spawn(move || {
        for line in lines {
            if stdin.write_all(line.as_bytes()).is_err() {
                return;
            }
        }
        let _ = stopped.recv();
    });
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let (print, printed) = mpsc::channel();
    let reader = thread::spawn(move || {
        for line in stdout.lines() {
            let _ = print.send(line.expect("UTF-8"));
        }
    });
    let (mut printed_lines, mut silent) = (Vec::new(), false);
    match when {
        When::Started(delay) => thread::sleep(delay),
        When::Printed(delay) => {
            // A command that was fed and says nothing keeps something back; one did (see `trouble.rs`).
            match printed.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => printed_lines.push(line),
                Err(RecvTimeoutError::Disconnected) => {}
                Err(RecvTimeoutError::Timeout) => silent = true,
            }
            thread::sleep(delay);
        }
    }
    child.kill().expect("annals can be killed");
    let status = child.wait().expect("annals can be waited for");
    drop(stop);
    feeder.join().expect("the feeder does not panic");
    reader.join().expect("the reader does not panic");
    printed_lines.extend(printed);
    let mut stderr = String::new();
    child.stderr.take().expect("stderr is piped").read_to_string(&mut stderr).expect("UTF-8");
    assert_eq!(stderr, "", "annals {args:?} had something to complain about");
    assert!(status.success() || status.code().is_none(), "annals {args:?} failed: {status}");
    assert!(!silent, "annals {args:?} was fed, and said nothing for a minute");
    let killed = Killed { lines: printed_lines, done: status.success() };
    println!(
        "round {round}: {}, {} lines, durable {}, {}",
        args.join(" "),
        killed.lines.len(),
        killed.durable(),
        if killed.done { "ended" } else { "killed" }
    );
    killed
}

pub(crate) fn variable(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Choices: those of `ANNALS_KILL_SEED`, or new ones.
pub(crate) fn choices() -> Random {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock behind 1970");
    let seed = variable("ANNALS_KILL_SEED").unwrap_or(now.as_nanos() as u64);
    println!("ANNALS_KILL_SEED={seed}");
    Random(seed)
}

/// What a kill loop did. Whatever is lost or wrong makes it panic at once, so that nobody counts it.
#[derive(Default)]
pub(crate) struct Tally {
    log: &'static str,
    pub(crate) rounds: u32,
    /// Processes that were killed; some had ended before.
    kills: u32,
    /// Items, entries, updates and so on that a process acknowledged before it was killed.
    acknowledged: u64,
    /// Kills of processes that had done more than they had acknowledged.
    behind: u64,
}

/// The loops that have come to their end.
static ENDED: Mutex<Vec<Tally>> = Mutex::new(Vec::new());
const LOOPS: u32 = 5;

impl Tally {
    /// The share of one loop in the rounds.
    pub(crate) fn new(log: &'static str) -> Tally {
        let rounds = variable("ANNALS_KILL_ROUNDS").unwrap_or(200);
        let rounds = u32::try_from(rounds).expect("fewer rounds").div_ceil(LOOPS);
        println!("{log}: {rounds} rounds");
        Tally { log, rounds, ..Tally::default() }
    }

    /// A process was killed.
    pub(crate) fn killed(&mut self, killed: &Killed) {
        self.kills += u32::from(!killed.done);
    }

    /// It had acknowledged so much, and done so much.
    pub(crate) fn acknowledged(&mut self, acknowledged: u64, done: u64) {
        self.acknowledged += acknowledged;
        self.behind += u64::from(done > acknowledged);
    }

    fn print(&self) {
        let Tally { log, rounds, kills, acknowledged, behind } = self;
        // Not by println, which a test that passes keeps to itself.
        let _ = writeln!(
            stdout(),
            "kill -9, {log}: {rounds} rounds, {kills} killed, {acknowledged} acknowledged, {behind} killed behind an \
             acknowledgement, 0 lost, 0 wrong"
        );
    }

    /// The loop has found nothing lost and nothing wrong.
    pub(crate) fn end(self) {
        self.print();
        let mut ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push(self);
        if ended.len() == LOOPS as usize {
            let sum = |of: fn(&Tally) -> u64| ended.iter().map(of).sum();
            let all = Tally {
                log: "all five",
                rounds: ended.iter().map(|tally| tally.rounds).sum(),
                kills: ended.iter().map(|tally| tally.kills).sum(),
                acknowledged: sum(|tally| tally.acknowledged),
                behind: sum(|tally| tally.behind),
            };
            all.print();
        }
    }
}
