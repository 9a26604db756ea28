//! An open journal with its streams and its ticket, and how operations are done to it.

use super::Trouble;
use super::op::{Answer, Op};
use crate::model::Model;
use crate::subject::{JournalSubject, ReaderSubject, TicketSubject};
use annals_logs::error::{Error, Token};
use annals_logs::types::{Items, Limits, unpack};

/// An open journal.
pub struct Handle {
    // Dropped in this order.
    streams: Vec<Stream>,
    ticket: Option<Box<dyn TicketSubject>>,
    pub(super) journal: Box<dyn JournalSubject>,
}

/// A stream, and what the model knows about it.
struct Stream {
    reader: Box<dyn ReaderSubject>,
    next: u64,
    end: u64,
    /// Lowest size that the journal was rewound to since.
    cut: u64,
    over: bool,
}

type Performed = Result<(Answer, Option<Token>), Trouble>;

impl Handle {
    pub(super) fn new(journal: Box<dyn JournalSubject>) -> Self {
        Self { streams: Vec::new(), ticket: None, journal }
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn perform(&mut self, model: &Model, op: &Op) -> Performed {
        let right = (Answer::Right, None);
        match op {
            Op::Append(item) => Ok((Answer::Position(self.journal.append(item)?), None)),
            Op::Batch(items) => {
                let items: Vec<&[u8]> = items.iter().map(|item| &**item).collect();
                Ok((Answer::Position(self.append_batch(&items)?), None))
            }
            Op::Prune(min) => Ok((Answer::Moved(self.journal.prune(*min)?), None)),
            Op::Rewind(size) => {
                if (model.boundary()..model.size()).contains(size) {
                    self.streams.iter_mut().for_each(|stream| stream.cut = stream.cut.min(*size));
                }
                self.journal.rewind(*size)?;
                Ok(right)
            }
            Op::Flush => {
                self.journal.flush()?;
                Ok(right)
            }
            Op::SyncData => Ok((Answer::Right, Some(self.journal.sync_data()?))),
            Op::Sync => Ok((Answer::Right, Some(self.journal.sync()?))),
            Op::BeginSync => {
                self.ticket = Some(self.journal.begin_sync()?);
                Ok(right)
            }
            Op::WaitSync => {
                let token = self.ticket.take().map(|ticket| ticket.wait()).transpose()?;
                Ok((Answer::Right, token))
            }
            Op::Read(position) => Ok((Answer::Item(self.journal.read(*position)?), None)),
            Op::ReadMany(positions, bytes) => {
                let items = self.journal.read_many(positions, *bytes)?;
                check_items(model, positions, *bytes, &items)?;
                Ok(right)
            }
            Op::Range(start, limits) => {
                let batch = self.journal.read_range(*start, *limits)?;
                model.check_batch(*start, model.size(), *limits, &batch)?;
                Ok(right)
            }
            Op::Replay(start) => {
                let reader = self.journal.replay(*start)?;
                let (next, end) = (*start, model.size());
                self.streams.push(Stream { reader, next, end, cut: u64::MAX, over: false });
                Ok(right)
            }
            Op::Next(stream, limits) => {
                if *stream < self.streams.len() {
                    let mut stream = self.streams.swap_remove(*stream);
                    let outcome = stream.next(model, *limits);
                    self.streams.push(stream);
                    outcome?;
                }
                Ok(right)
            }
        }
    }

    /// Both forms of a batch, by turns.
    fn append_batch(&self, items: &[&[u8]]) -> Result<u64, Error> {
        if items.len().is_multiple_of(2) {
            return self.journal.append_batch(items);
        }
        let mut ends = Vec::new();
        let mut bytes = Vec::new();
        for item in items {
            bytes.extend_from_slice(item);
            ends.push(bytes.len() as u32);
        }
        self.journal.append_packed(&ends, &bytes)
    }
}

impl Stream {
    fn next(&mut self, model: &Model, limits: Limits) -> Result<(), Trouble> {
        let (next, end, cut) = (self.next, self.end, self.cut);
        match self.reader.next(limits) {
            Ok(Some(batch)) if !self.over && next < end.min(cut) && next >= model.boundary() => {
                model.check_batch(next, end.min(cut), limits, &batch)?;
                self.next += unpack(&batch.ends, &batch.bytes).count() as u64;
                Ok(())
            }
            Ok(None) if self.over || next >= end => Ok(()),
            Err(Error::OutOfRange(_)) if next >= cut => {
                self.over = true;
                Ok(())
            }
            Err(Error::Pruned(_)) if next < model.boundary() => {
                self.over = true;
                Ok(())
            }
            Err(error) => Err(Trouble::Refused(error)),
            other => Err(Trouble::Wrong(format!("stream at {next} of {end}, cut at {cut}: got {other:?}"))),
        }
    }
}

/// As many as the bytes allow, but one at least, in the order asked for.
fn check_items(model: &Model, positions: &[u64], bytes: u32, items: &Items) -> Result<(), String> {
    let mut right = Items::default();
    for position in positions {
        let item = model.item(*position).cloned().unwrap_or_default();
        let end = right.bytes.len() + item.len();
        if !right.ids.is_empty() && end > bytes as usize {
            break;
        }
        right.ids.push(*position);
        right.bytes.extend_from_slice(&item);
        right.ends.push(end as u32);
    }
    if *items == right { Ok(()) } else { Err(format!("got {:?}, wanted {:?}", items.ids, right.ids)) }
}
