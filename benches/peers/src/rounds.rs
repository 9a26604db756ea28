//! Rounds: contenders take turns, so that a disk that is slow for a while is slow for everyone; medians are kept.

use crate::{
    bench::{Bench, Turn},
    contenders::Who,
    rows::Row,
};
use indicatif::ProgressBar;

/// What came out of a row.
pub(crate) struct Measured {
    pub(crate) row: &'static Row,
    /// In the order of the row's contenders.
    pub(crate) figures: Vec<Figure>,
}

/// What came out for one contender.
pub(crate) struct Figure {
    pub(crate) who: Who,
    /// Median, lowest and highest of all rounds; or why there are none.
    pub(crate) outcome: Result<Spread, String>,
}

/// The rounds of one contender.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Spread {
    /// Of these values; none if there are none.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Spread> {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0,
            _ => *values.get(middle)?,
        };
        Some(Spread { median, lowest: *values.first()?, highest: *values.last()? })
    }
}

impl Measured {
    /// The median of a contender.
    pub(crate) fn median(&self, who: Who) -> Option<f64> {
        let figure = self.figures.iter().find(|figure| figure.who == who)?;
        figure.outcome.as_ref().ok().map(|spread| spread.median)
    }
}

/// Runs all rounds of a row, with the contenders in whose names one of these texts is, if there are any. A contender that
/// fails once is left out from there on, and the table says why.
pub(crate) fn run(
    bench: &Bench,
    row: &'static Row,
    only: &[String],
    rounds: usize,
    bar: &ProgressBar,
) -> Measured {
    let chosen = |who: &Who| only.is_empty() || only.iter().any(|text| who.name().contains(text.as_str()));
    let all: Vec<Who> = row.who.iter().copied().filter(chosen).collect();
    let mut values: Vec<Result<Vec<f64>, String>> = all.iter().map(|_| Ok(Vec::new())).collect();
    for round in 0..rounds {
        for turn in 0..all.len() {
            let index = (turn + round) % all.len();
            let who = all[index];
            if let Ok(some) = &mut values[index] {
                bar.set_message(format!("{}: {}", row.id, who.name()));
                match (row.run)(bench, Turn { who, round }) {
                    Ok(value) => some.push(value),
                    Err(error) => values[index] = Err(format!("{error:#}")),
                }
            }
            bar.inc(1);
        }
    }
    let none = || "no rounds".to_owned();
    let figures = all.into_iter().zip(values);
    let figures = figures
        .map(|(who, values)| Figure {
            who,
            outcome: values.and_then(|values| Spread::of(values).ok_or_else(none)),
        })
        .collect();
    Measured { row, figures }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_ones() {
        let spread = |values: &[f64]| Spread::of(values.to_vec());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, lowest: 1.0, highest: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]).map(|spread| spread.median), Some(2.5));
        assert_eq!(spread(&[7.0]).map(|spread| spread.median), Some(7.0));
        assert_eq!(spread(&[]), None);
    }
}
