//! A journal of which parts may be damaged.

use crate::campaign::trial;
use crate::model::{Model, show};
use crate::subject::{ALL, FrameInfo, JournalSubject};
use annals_logs::error::Error;
use annals_logs::types::unpack;
use std::fmt::{Debug, Formatter};

/// What reading everything gave: an item, or none where it is damaged, for each position that the journal claims.
pub struct Seen {
    boundary: u64,
    items: Vec<Option<Vec<u8>>>,
    /// Items that reads serve, and of which a replay says that they are damaged.
    not_replayed: usize,
}

impl Seen {
    fn positions(&self) -> impl Iterator<Item = (u64, Option<&[u8]>)> {
        (self.boundary..).zip(self.items.iter().map(Option::as_deref))
    }
}

impl Debug for Seen {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let show = |item: &Option<Vec<u8>>| item.as_ref().map_or("damaged".into(), |item| show(item));
        write!(f, "from {}: {:?}", self.boundary, self.items.iter().map(show).collect::<Vec<_>>())
    }
}

impl trial::Seen<Model> for Seen {
    fn is_whole(&self) -> bool {
        self.items.iter().all(Option::is_some)
    }

    fn fits(&self, model: &Model) -> bool {
        let right = |position, item: &[u8]| model.item(position).is_some_and(|right| **right == *item);
        (self.boundary, self.boundary + self.items.len() as u64) == (model.boundary(), model.size())
            && self.positions().all(|(position, item)| item.is_none_or(|item| right(position, item)))
    }

    fn lost_outside(&self, frame: Option<&FrameInfo>) -> Option<String> {
        if self.not_replayed > 0 {
            return Some(format!("for a replay, {} more", self.not_replayed));
        }
        let own = frame.map_or(0..0, |frame| frame.first..frame.first + u64::from(frame.count));
        let mut lost = self.positions().filter(|(_, item)| item.is_none());
        let other = lost.find(|(position, _)| !own.contains(position));
        other.map(|(position, _)| format!("position {position} (the frame has {own:?})"))
    }

    fn never_there(&self, states: &[Model]) -> Option<String> {
        let once = |position, item: &[u8]| {
            states.iter().any(|state| state.item(position).is_some_and(|right| **right == *item))
        };
        let mut served = self.positions().filter_map(|(position, item)| Some((position, item?)));
        served
            .find(|(position, item)| !once(*position, item))
            .map(|(position, _)| format!("position {position}"))
    }
}

/// Reads everything, one by one and as a stream; both must serve the same.
pub(super) fn read(journal: &dyn JournalSubject) -> Result<Seen, String> {
    let say = |error: Error| format!("{error:?}");
    let (boundary, size) = (journal.boundary().map_err(say)?, journal.size().map_err(say)?);
    let mut items = Vec::new();
    for position in boundary..size {
        match journal.read(position) {
            Ok(item) => items.push(Some(item)),
            Err(Error::Damaged(_)) => items.push(None),
            Err(error) => return Err(format!("position {position}: {error:?}")),
        }
    }
    let reader = journal.replay(boundary).map_err(say)?;
    let (mut streamed, mut damaged) = (vec![None; items.len()], false);
    for _ in 0..1000 {
        match reader.next(ALL) {
            Ok(Some(batch)) => {
                for (position, item) in (batch.first..).zip(unpack(&batch.ends, &batch.bytes)) {
                    let index = position.checked_sub(boundary).ok_or("a batch below the boundary")?;
                    *streamed.get_mut(index as usize).ok_or("a batch above the size")? = Some(item.to_vec());
                }
            }
            Ok(None) => break,
            Err(Error::Damaged(_)) => damaged = true,
            Err(error) => return Err(format!("replay: {error:?}")),
        }
    }
    // A replay that is not told how far a damage reaches ends there.
    let not_replayed =
        streamed.iter().zip(&items).filter(|(shown, read)| shown.is_none() && read.is_some()).count();
    let wrong = streamed.iter().zip(&items).any(|(shown, read)| shown.is_some() && shown != read);
    if wrong || not_replayed > 0 && !damaged {
        let seen = |items| Seen { boundary, items, not_replayed };
        let (streamed, read) = (seen(streamed), seen(items));
        return Err(format!("a replay serves {streamed:?}, reads serve {read:?}"));
    }
    Ok(Seen { boundary, items, not_replayed })
}
