//! Group commit: many threads wait for durability, one sync serves all of them.
//!
//! Whoever wants something durable joins the group that is forming. When no sync is under way, one of its members leads
//! it: appends the items of all members as one frame, begins a sync and waits for it, while the next group forms. When
//! the sync has ended, a member of that next group is told to lead, then everyone in this one is told the outcome. A
//! failed sync fails its whole group, and the next one finds the journal closed.
//!
//! Those who were just served often come again at once. A leader waits for as many as there were in the last group, but
//! no longer than a fraction of what a sync takes; so a single thread never waits for anyone.

use super::{
    front::Packed,
    inner::{Inner, JournalCalls as _, begin_sync, ticket},
};
use crate::{
    error::Error,
    handle::{Home as _, Live},
    limits,
    token::Token,
};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long a leader waits for others at most, whatever a sync takes.
const PATIENCE: Duration = Duration::from_millis(1);

/// The groups of a journal.
#[derive(Default)]
pub(super) struct Commits {
    state: Mutex<Groups>,
    /// Somebody joined.
    joined: Condvar,
    /// A full group has set out, so that another one forms.
    left: Condvar,
}

#[derive(Default)]
struct Groups {
    forming: Option<Forming>,
    /// Somebody leads, or was told to.
    led: bool,
    /// Members of the last group, and how long its sync took.
    last: usize,
    took: Duration,
}

/// A group that can be joined.
#[derive(Default)]
struct Forming {
    items: Packed,
    members: usize,
    group: Arc<Group>,
}

impl Forming {
    fn has_room(&self, item: &[u8]) -> bool {
        self.items.bytes.len() + item.len() <= limits::BATCH_BYTES
            && self.items.ends.len() < limits::BATCH_COUNT
    }
}

/// What the members of a group wait for.
#[derive(Default)]
struct Group {
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Clone, Default)]
enum Stage {
    #[default]
    Waiting,
    /// One of the members shall lead.
    Leaderless,
    Over(Result<Done, Error>),
}

/// Position of the group's first item, and the token of its sync.
#[derive(Clone, Copy)]
struct Done {
    first: u64,
    token: Token,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Group {
    fn set(&self, stage: Stage) {
        let one = matches!(stage, Stage::Leaderless);
        *lock(&self.stage) = stage;
        if one { self.changed.notify_one() } else { self.changed.notify_all() }
    }

    /// The outcome; none for the one who shall lead.
    fn wait(&self) -> Option<Result<Done, Error>> {
        let mut stage = lock(&self.stage);
        loop {
            match &*stage {
                Stage::Waiting => {
                    stage = self.changed.wait(stage).unwrap_or_else(PoisonError::into_inner);
                }
                Stage::Leaderless => {
                    *stage = Stage::Waiting;
                    return None;
                }
                Stage::Over(outcome) => return Some(outcome.clone()),
            }
        }
    }
}

/// Tells the members how it ended, and the next group to set out, even if the leader panics.
struct Leading<'a> {
    commits: &'a Commits,
    group: Arc<Group>,
    members: usize,
    started: Instant,
    outcome: Result<Done, Error>,
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        let mut groups = lock(&self.commits.state);
        groups.last = self.members;
        groups.took = self.started.elapsed();
        let next = groups.forming.as_ref().map(|forming| forming.group.clone());
        groups.led = next.is_some();
        drop(groups);
        if let Some(next) = next {
            next.set(Stage::Leaderless);
        }
        self.group.set(Stage::Over(self.outcome.clone()));
    }
}

impl Commits {
    /// Appends an item; its position once it is durable.
    pub(super) fn append(&self, journal: &Arc<Inner>, item: &[u8]) -> Result<u64, Error> {
        let (index, outcome) = self.join(journal, Some(item));
        outcome.map(|done| done.first.saturating_add(index as u64))
    }

    /// Waits until everything before is durable.
    pub(super) fn commit(&self, journal: &Arc<Inner>) -> Result<Token, Error> {
        self.join(journal, None).1.map(|done| done.token)
    }

    fn join(&self, journal: &Arc<Inner>, item: Option<&[u8]>) -> (usize, Result<Done, Error>) {
        let mut groups = lock(&self.state);
        while let (Some(item), Some(forming)) = (item, &groups.forming)
            && !forming.has_room(item)
        {
            groups = self.left.wait(groups).unwrap_or_else(PoisonError::into_inner);
        }
        let forming = groups.forming.get_or_insert_default();
        let index = forming.items.ends.len();
        if let Some(item) = item {
            forming.items.add(item);
        }
        forming.members += 1;
        let group = forming.group.clone();
        let led = std::mem::replace(&mut groups.led, true);
        drop(groups);
        self.joined.notify_one();
        let outcome = match led {
            true => group.wait(),
            false => None,
        };
        (index, outcome.unwrap_or_else(|| self.lead(journal)))
    }

    /// Leads the group that is forming: the leader's own.
    fn lead(&self, journal: &Arc<Inner>) -> Result<Done, Error> {
        let Some(Forming { items, members, group }) = self.set_out() else { return Err(Error::Closed) };
        let (commits, started) = (self, Instant::now());
        let mut leading = Leading { commits, group, members, started, outcome: Err(Error::Closed) };
        leading.outcome = carry_out(journal, &items);
        leading.outcome.clone()
    }

    /// Waits a moment for more members, then closes the group to others.
    fn set_out(&self) -> Option<Forming> {
        let mut groups = lock(&self.state);
        let (expected, until) = (groups.last, Instant::now() + (groups.took / 4).min(PATIENCE));
        while groups.forming.as_ref().is_some_and(|forming| forming.members < expected) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            groups = self.joined.wait_timeout(groups, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let forming = groups.forming.take();
        drop(groups);
        self.left.notify_all();
        forming
    }
}

/// Appends the items of a group and makes them durable.
fn carry_out(journal: &Arc<Inner>, items: &Packed) -> Result<Done, Error> {
    let begin = |live: &mut Live| {
        let count = items.ends.len() as u64;
        let append = |live: &mut Live| live.append_packed(&items.ends, &items.bytes);
        let first = match count {
            0 => journal.hand_over(live).map(|()| 0),
            _ => journal.appending(live, count, append),
        };
        Ok((first?, begin_sync(live)?))
    };
    let (first, begun) = journal.with_live(begin)?;
    let token = ticket(journal, begun).wait()?;
    Ok(Done { first, token })
}
