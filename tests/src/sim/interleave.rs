//! Somebody else's steps in between: what a test wants to happen right before a certain call, on the same disk.

use super::SimDisk;
use std::cell::RefCell;

struct Step {
    disk: u64,
    /// Calls that are still to come before it.
    left: u64,
    run: Box<dyn FnOnce()>,
}

thread_local! {
    /// Not in the disk, which other threads may share: steps belong to one test.
    static STEPS: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
}

impl SimDisk {
    /// Runs this before the `call`th call from now on (1 is the next one) that this thread makes. The calls of the step
    /// itself do not count for other steps.
    pub fn before_call(&self, call: u64, run: impl FnOnce() + 'static) {
        let step = Step { disk: self.id(), left: call, run: Box::new(run) };
        STEPS.with_borrow_mut(|steps| steps.push(step));
    }

    /// Forgets the steps that are still to come. Returns how many.
    pub fn forget_steps(&self) -> usize {
        STEPS.with_borrow_mut(|steps| {
            let had = steps.len();
            steps.retain(|step| step.disk != self.id());
            had - steps.len()
        })
    }

    /// A call begins. The disk's state is not held.
    pub(super) fn interleave(&self) {
        let due = STEPS.with_borrow_mut(|steps| {
            let mut due = None;
            for (at, step) in steps.iter_mut().enumerate().filter(|(_, step)| step.disk == self.id()) {
                step.left = step.left.saturating_sub(1);
                if step.left == 0 && due.is_none() {
                    due = Some(at);
                }
            }
            let due = due.map(|at| steps.remove(at));
            // While it runs the others wait.
            due.map(|due| (due, std::mem::take(steps)))
        });
        if let Some((due, waiting)) = due {
            (due.run)();
            STEPS.with_borrow_mut(|steps| steps.extend(waiting));
        }
    }
}
