//! commonware-storage: its contiguous journal of items of variable length.
//!
//! Configured as its own benchmarks do (1 MiB write and replay buffers, 10,000 cached pages, 100,000 items in a blob). It
//! lives in a runtime of its own, on a thread of its own, which is asked once for a whole row's work. Durable means
//! `commit`, the cheapest call that its documentation says survives a crash.

use crate::{
    items::{Seen, Table},
    kinds::numbered::{Append, How, Numbered, Read},
};
use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use commonware_runtime::{
    BLOB_PAGE_SIZE, ReadOptions, Runner as _, Supervisor as _,
    buffer::paged::{CacheRef, page_size},
    tokio::{Config, Context, Runner},
};
use commonware_storage::journal::contiguous::{
    Contiguous as _, Many,
    variable::{self, Config as JournalConfig},
};
use futures_util::{StreamExt as _, pin_mut};
use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::Path,
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

const BUFFER: NonZeroUsize = NonZeroUsize::new(1 << 20).expect("not zero");
const CACHED_PAGES: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
const ITEMS_PER_BLOB: NonZeroU64 = NonZeroU64::new(100_000).expect("not zero");

type Log = variable::Journal<Context, Bytes>;

enum Ask {
    Append(Append),
    Sync,
    Commit,
    Read(Read, Seen),
    Close,
}

type Answer = Result<(Duration, Option<Seen>)>;

/// A journal on its thread.
pub(crate) struct Commonware {
    asks: Sender<Ask>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
}

impl Commonware {
    /// Opens it, with everything in one file if asked for, and says how long the journal alone took, without its runtime.
    pub(crate) fn open(directory: &Path, one_file: bool) -> Result<(Commonware, Duration)> {
        let (asks, asked) = channel();
        let (answer, answers) = channel();
        let config = Config::new().with_storage_directory(directory);
        let thread = std::thread::spawn(move || {
            Runner::new(config).start(|context| async move {
                // Whoever asks no longer waits for answers once it is gone.
                let _ =
                    serve(context, one_file, &asked, &answer).await.map_err(|error| answer.send(Err(error)));
            });
        });
        let log = Commonware { asks, answers, thread: Some(thread) };
        let (took, _) = log.answer()?;
        Ok((log, took))
    }

    fn answer(&self) -> Answer {
        self.answers.recv().context("the thread of the journal has ended")?
    }

    fn ask(&self, ask: Ask) -> Answer {
        self.asks.send(ask).map_err(|_| anyhow!("the thread of the journal has ended"))?;
        self.answer()
    }
}

impl Drop for Commonware {
    fn drop(&mut self) {
        let _ = self.asks.send(Ask::Close);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Numbered for Commonware {
    fn append(&mut self, work: &Append) -> Result<Duration> {
        Ok(self.ask(Ask::Append(work.clone()))?.0)
    }

    fn sync(&mut self) -> Result<()> {
        self.ask(Ask::Sync).map(drop)
    }

    fn read(&mut self, work: &Read, seen: &mut Seen) -> Result<Duration> {
        let given = std::mem::replace(seen, Seen::quick());
        let (took, read) = self.ask(Ask::Read(work.clone(), given))?;
        *seen = read.context("it says nothing of what it read")?;
        Ok(took)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.ask(Ask::Sync).map(drop)
    }

    fn leave(self: Box<Self>) -> Result<()> {
        // Durable, but opening it has to read it: only `sync` says how far that need not be.
        self.ask(Ask::Commit).map(drop)
    }
}

async fn serve(
    context: Context,
    one_file: bool,
    asked: &Receiver<Ask>,
    answer: &Sender<Answer>,
) -> Result<()> {
    let config = JournalConfig {
        partition: "log".into(),
        items_per_section: if one_file { NonZeroU64::MAX } else { ITEMS_PER_BLOB },
        compression: None,
        codec_config: (..).into(),
        page_cache: CacheRef::new(page_size(BLOB_PAGE_SIZE), CACHED_PAGES),
        write_buffer: BUFFER,
        replay_buffer: BUFFER,
    };
    let start = Instant::now();
    let mut log = Log::init(context.child("storage"), config).await?;
    answer.send(Ok((start.elapsed(), None)))?;
    while let Ok(ask) = asked.recv() {
        let (again, done) = match ask {
            Ask::Append(work) => {
                let (again, took) = append(log, &work).await?;
                (again, (took, None))
            }
            Ask::Commit => (log.commit().await?, (Duration::ZERO, None)),
            Ask::Sync => (log.sync().await?, (Duration::ZERO, None)),
            Ask::Read(work, mut seen) => {
                let took = read(&log, &work, &mut seen).await?;
                (log, (took, Some(seen)))
            }
            Ask::Close => break,
        };
        log = again;
        answer.send(Ok(done))?;
    }
    Ok(())
}

async fn append(mut log: Log, work: &Append) -> Result<(Log, Duration)> {
    let table: &Table = &work.table;
    let items = table.map(Bytes::copy_from_slice);
    let at = |position: u64| position as usize % items.len();
    let end = work.first + work.count;
    let start = Instant::now();
    match work.how {
        How::Batches(size) | How::Synced(size) => {
            for first in (work.first..end).step_by(size as usize) {
                let batch = &items[at(first)..at(first) + size as usize];
                (log, _) = log.append_many(Many::Flat(batch)).await?;
                if matches!(work.how, How::Synced(_)) {
                    log = log.commit().await?;
                }
            }
        }
        How::Gathered | How::Direct => {
            for position in work.first..end {
                (log, _) = log.append(&items[at(position)]).await?;
            }
        }
    }
    Ok((log, start.elapsed()))
}

async fn replay(log: &Log, first: u64, end: u64, seen: &mut Seen) -> Result<()> {
    let stream = log.replay(first..end, BUFFER, ReadOptions::default()).await?;
    pin_mut!(stream);
    while let Some(batch) = stream.next().await {
        batch?.items.iter().for_each(|item| seen.add(item));
    }
    Ok(())
}

async fn read(log: &Log, work: &Read, seen: &mut Seen) -> Result<Duration> {
    let start = Instant::now();
    match work {
        Read::All(count) => replay(log, 0, *count, seen).await?,
        Read::Ranges(starts, count) => {
            for first in starts.iter() {
                replay(log, *first, first + count, seen).await?;
            }
        }
        Read::Each(positions) => {
            for position in positions.iter() {
                let item: Bytes = log.read(*position).await?;
                seen.add(&item);
            }
        }
        Read::Many(positions, count) => {
            for some in positions.chunks(*count) {
                if !some.is_sorted() {
                    bail!("it reads many items in ascending order only");
                }
                log.read_many(some).await?.iter().for_each(|item| seen.add(item));
            }
        }
    }
    Ok(start.elapsed())
}
