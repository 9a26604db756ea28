//! Calls of the storage that run elsewhere, and what is still running.

use crate::storage::{Error, PendingSync, Result};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

/// A call of the storage, to be made on a thread that may block.
///
/// ```
/// fn spawn(job: annals::link::Job) {
///     std::thread::spawn(job);
/// }
/// spawn(Box::new(|| ()));
/// ```
pub type Job = Box<dyn FnOnce() + Send>;

/// Where they are made.
pub(super) type Offload = Arc<dyn Fn(Job) + Send + Sync>;

/// How many syncs one instance may have running; each may have a thread.
const SYNCS: usize = 16;

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was started and may still be running.
#[derive(Default)]
pub(super) struct Running(Mutex<Vec<Weak<dyn PendingSync>>>);

impl Running {
    /// The one that was started last.
    pub(super) fn last(&self) -> Option<Arc<dyn PendingSync>> {
        guard(&self.0).last()?.upgrade()
    }

    pub(super) fn remember(&self, started: &Arc<dyn PendingSync>) {
        let mut running = guard(&self.0);
        running.retain(|old| old.upgrade().is_some_and(|old| old.poll().is_none()));
        running.push(Arc::downgrade(started));
    }

    /// Waits until there is room for one more.
    pub(super) fn make_room(&self) {
        let oldest = {
            let mut running = guard(&self.0);
            running.retain(|old| old.upgrade().is_some_and(|old| old.poll().is_none()));
            if running.len() < SYNCS {
                return;
            }
            running.first().and_then(Weak::upgrade)
        };
        if let Some(oldest) = oldest {
            // Whoever started it is told how it ended; here only the end matters.
            let _ = oldest.wait();
        }
    }

    /// Waits for the end of all.
    pub(super) fn wait(&self) {
        let running = std::mem::take(&mut *guard(&self.0));
        for started in running.iter().filter_map(Weak::upgrade) {
            let _ = started.wait();
        }
    }
}

/// Makes a call where `offload` says, or here.
pub(super) async fn run<T: Send + 'static>(
    offload: Option<Offload>,
    running: Arc<Running>,
    call: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let Some(offload) = offload else { return call() };
    let elsewhere = Arc::new(Elsewhere::<T>::default());
    let known: Arc<dyn PendingSync> = elsewhere.clone();
    running.remember(&known);
    drop(known);
    let ends = Ends(elsewhere.clone());
    offload(Box::new(move || {
        let outcome = call();
        ends.0.end(outcome);
    }));
    Outcome(elsewhere).await
}

struct Elsewhere<T> {
    state: Mutex<State<T>>,
    ended: Condvar,
}

struct State<T> {
    outcome: Option<Result<T>>,
    has_ended: bool,
    waker: Option<Waker>,
}

impl<T> Default for Elsewhere<T> {
    fn default() -> Elsewhere<T> {
        let state = State { outcome: None, has_ended: false, waker: None };
        Elsewhere { state: Mutex::new(state), ended: Condvar::new() }
    }
}

impl<T> Elsewhere<T> {
    fn end(&self, outcome: Result<T>) {
        let waker = {
            let mut state = guard(&self.state);
            if state.has_ended {
                return;
            }
            state.outcome = Some(outcome);
            state.has_ended = true;
            state.waker.take()
        };
        self.ended.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: Send + 'static> PendingSync for Elsewhere<T> {
    fn poll(&self) -> Option<Result<()>> {
        guard(&self.state).has_ended.then_some(Ok(()))
    }

    fn wait(&self) -> Result<()> {
        let mut state = guard(&self.state);
        while !state.has_ended {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}

/// Ends it also when the job is dropped, or panics.
struct Ends<T>(Arc<Elsewhere<T>>);

impl<T> Drop for Ends<T> {
    fn drop(&mut self) {
        self.0.end(Err(Error::Io("the call was given up by where it was to be made".into())));
    }
}

struct Outcome<T>(Arc<Elsewhere<T>>);

impl<T> Future for Outcome<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let mut state = guard(&self.0.state);
        match state.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Ends when it is waited for.
    #[derive(Default)]
    struct Slow(AtomicU32);

    impl PendingSync for Slow {
        fn poll(&self) -> Option<Result<()>> {
            (self.0.load(Ordering::Relaxed) > 0).then_some(Ok(()))
        }
        fn wait(&self) -> Result<()> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    #[test]
    fn no_more_than_sixteen_run_at_once_and_the_oldest_is_waited_for() {
        let running = Running::default();
        let started: Vec<Arc<Slow>> = (0..100).map(|_| Arc::default()).collect();
        for (count, slow) in started.iter().enumerate() {
            running.make_room();
            let slow: Arc<dyn PendingSync> = slow.clone();
            running.remember(&slow);
            let still = started[..=count].iter().filter(|slow| slow.poll().is_none()).count();
            assert_eq!(still, (count + 1).min(SYNCS));
            assert!(started[..=count - (still - 1)].iter().rev().skip(1).all(|slow| slow.poll().is_some()));
        }
        running.wait();
        assert!(started.iter().all(|slow| slow.0.load(Ordering::Relaxed) == 1), "each was waited for once");
    }
}
