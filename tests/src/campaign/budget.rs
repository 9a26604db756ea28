//! How much campaigns do.

/// How much a campaign does.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Random runs.
    pub runs: u64,
    /// Operations of a random run.
    pub ops: u64,
    /// Random crashes tried at each point of a sweep.
    pub random_crashes: usize,
    /// Every how many distinct images a second crash is swept through their recovery.
    pub second_every: u64,
    /// Every how many distinct images are checked thoroughly.
    pub thorough_every: u64,
    /// Every how many calls of a script one fails.
    pub fault_every: usize,
    /// How often, of 100, a crash after a call is tried too (it differs little from one before the next call).
    pub after_percent: u64,
    /// How many times each log at rest is tampered with.
    pub garbage: u64,
    /// Every how many bits are flipped in files of more than 16 KiB (in smaller ones all are).
    pub bit_step: u64,
    /// How many bits of a large frame's body are flipped.
    pub sampled_bits: u64,
    /// Every how many of all these bits are tried.
    pub flip_every: usize,
}

impl Budget {
    /// Seconds in a debug build.
    pub const QUICK: Budget = Budget {
        runs: 300,
        ops: 150,
        random_crashes: 3,
        second_every: 4,
        thorough_every: 2,
        fault_every: 1,
        after_percent: 20,
        garbage: 1500,
        bit_step: 5,
        sampled_bits: 20,
        flip_every: 1,
    };
    /// A second or two: for a suite that runs again and again, as on mutants.
    pub const SHORT: Budget =
        Budget { runs: 60, ops: 120, garbage: 100, flip_every: 23, fault_every: 5, ..Budget::COMPONENT };
    /// A systematic part, for the component, whose instances take longer to start.
    pub const COMPONENT: Budget = Budget {
        runs: 40,
        ops: 100,
        random_crashes: 1,
        second_every: 40,
        thorough_every: 10,
        fault_every: 1,
        after_percent: 0,
        garbage: 100,
        bit_step: 5,
        sampled_bits: 20,
        flip_every: 41,
    };
    /// Everything; minutes.
    pub const FULL: Budget = Budget {
        runs: 20_000,
        ops: 300,
        random_crashes: 12,
        second_every: 1,
        thorough_every: 1,
        fault_every: 1,
        after_percent: 100,
        garbage: 200_000,
        bit_step: 1,
        sampled_bits: 5000,
        flip_every: 1,
    };
}
