//! The thread that shows that the holder of an instance is alive.
//!
//! It holds the log only while it beats, so that dropping the last handle ends the instance at once. It ends with the
//! heart, when the log is closed or has failed, and when the instance was fenced: whoever uses it then is told so by every
//! call that would change something.

use crate::error::{Cause, Error};
use std::{
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

/// Beats until it is dropped.
pub(super) struct Heart {
    /// Dropping it tells the thread to end.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    /// Calls `beat` every `pause`, until it answers that the log is closed or the instance fenced.
    pub(super) fn start(
        pause: Duration,
        beat: impl Fn() -> Result<(), Error> + Send + 'static,
    ) -> Result<Heart, Error> {
        let (stop, stopped) = mpsc::channel();
        let run = move || {
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                // The storage may have failed for a moment. If that has closed the log, the next beat is told.
                if let Err(Error::Fenced | Error::Closed) = beat() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("annals-heartbeat".into()).spawn(run);
        let thread = thread.map_err(|error| Error::Setup(Cause::new(error)))?;
        Ok(Heart { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Heart {
    /// Waits for a beat that is under way, so that nothing is called afterwards.
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the storage beneath a beat has closed the log; that is told there.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    fn beats(until: u32, then: Error) -> u32 {
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let heart = Heart::start(Duration::from_millis(1), move || {
            match counted.fetch_add(1, Ordering::Relaxed) + 1 == until {
                true => Err(then.clone()),
                false => Ok(()),
            }
        });
        thread::sleep(Duration::from_millis(200));
        drop(heart);
        count.load(Ordering::Relaxed)
    }

    #[test]
    fn it_beats_until_fenced_or_closed_and_on_through_failures() {
        assert_eq!(beats(3, Error::Fenced), 3);
        assert_eq!(beats(3, Error::Closed), 3);
        assert!(beats(3, Error::Storage("told to".into())) > 3);
    }

    #[test]
    fn dropping_it_ends_it_at_once_and_for_good() {
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let beat = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        let started = std::time::Instant::now();
        drop(Heart::start(Duration::from_secs(3600), beat));
        assert!(started.elapsed() < Duration::from_secs(60));
        assert_eq!((count.load(Ordering::Relaxed), Arc::strong_count(&count)), (0, 1));
    }
}
