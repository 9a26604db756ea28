//! Costs that grow with something, measured at several sizes of it, and whether they grow as they should.

mod changes;
mod journals;
mod snapshots;

use crate::{bench::Bench, report, rounds::Spread, rows::Unit};
use anyhow::{Context as _, Result};
use indicatif::ProgressBar;

/// How a cost should grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Not at all.
    Flat,
    /// As much as what it is measured against.
    Linear,
}

/// A cost to measure.
struct Curve {
    id: &'static str,
    title: &'static str,
    /// What grows.
    against: &'static str,
    should: Shape,
    /// How large it is made, from one to ten millions of something.
    sizes: &'static [u64],
    /// The time in nanoseconds at one size.
    measure: fn(&Bench, u64) -> Result<f64>,
}

/// A curve that was measured.
pub(crate) struct Drawn {
    id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) against: &'static str,
    should: Shape,
    /// Sizes and median times.
    pub(crate) points: Vec<(u64, f64)>,
}

fn all() -> impl Iterator<Item = &'static Curve> {
    [journals::CURVES, snapshots::CURVES, changes::CURVES].into_iter().flatten()
}

/// Names and titles of all curves.
pub(crate) fn list() -> Vec<(&'static str, &'static str)> {
    all().map(|curve| (curve.id, curve.title)).collect()
}

/// Exponents: what is still called flat, and what is still called linear.
const FLAT: f64 = 0.15;
const LINEAR: std::ops::RangeInclusive<f64> = 0.8..=1.2;

impl Drawn {
    /// By which power of the size the time grows: the slope of the line through the logarithms that fits best.
    fn exponent(&self) -> f64 {
        let logs: Vec<(f64, f64)> = self.points.iter().map(|(x, y)| ((*x as f64).ln(), y.ln())).collect();
        let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / logs.len() as f64;
        let (x_mean, y_mean) = (mean(|log| log.0), mean(|log| log.1));
        let together: f64 = logs.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
        let alone: f64 = logs.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
        together / alone
    }

    /// What it looks like, and whether it should.
    pub(crate) fn verdict(&self) -> String {
        let exponent = self.exponent();
        let looks = match exponent {
            _ if exponent.abs() <= FLAT => "flat",
            _ if LINEAR.contains(&exponent) => "linear",
            _ if exponent < FLAT => "falling",
            _ if exponent < *LINEAR.start() => "less than linear",
            _ => "more than linear",
        };
        let met = if self.met() { "as it should be" } else { "NOT as it should be" };
        format!("{looks} (power {exponent:.2}), {met}")
    }

    /// Whether it grows no faster than it should.
    pub(crate) fn met(&self) -> bool {
        match self.should {
            Shape::Flat => self.exponent() <= FLAT,
            Shape::Linear => self.exponent() <= *LINEAR.end(),
        }
    }
}

/// Measures all curves (those of these names, if any), the sizes taking turns in each round; `most` is the largest size.
pub(crate) fn measure(
    bench: &Bench,
    only: &[String],
    rounds: usize,
    most: u64,
    bar: &ProgressBar,
) -> Result<Vec<Drawn>> {
    let chosen: Vec<_> =
        all().filter(|curve| only.is_empty() || only.iter().any(|id| id == curve.id)).collect();
    bar.set_length((chosen.iter().map(|curve| curve.sizes.len()).sum::<usize>() * rounds) as u64);
    let mut drawn = Vec::new();
    for curve in chosen {
        let sizes: Vec<u64> = curve.sizes.iter().copied().filter(|size| *size <= most).collect();
        let mut times: Vec<Vec<f64>> = sizes.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            for turn in 0..sizes.len() {
                let index = (turn + round) % sizes.len();
                bar.set_message(format!("{}: {} {}", curve.id, sizes[index], curve.against));
                let time = (curve.measure)(bench, sizes[index]);
                times[index].push(time.with_context(|| format!("cannot measure '{}'", curve.id))?);
                bar.inc(1);
            }
        }
        let median = |times| Spread::of(times).map_or(f64::NAN, |spread| spread.median);
        let points = sizes.into_iter().zip(times.into_iter().map(median)).collect();
        let Curve { id, title, against, should, .. } = *curve;
        drawn.push(Drawn { id, title, against, should, points });
    }
    Ok(drawn)
}

/// The curves as tables.
pub(crate) fn markdown(drawn: &[Drawn]) -> String {
    let mut text = String::new();
    let mut verdicts = vec![["curve", "should be", "is"].map(str::to_owned).to_vec()];
    for curve in drawn {
        let should = match curve.should {
            Shape::Flat => "flat",
            Shape::Linear => "linear",
        };
        verdicts.push(vec![curve.title.to_owned(), should.to_owned(), curve.verdict()]);
    }
    text.push_str(&report::aligned(&verdicts));
    for curve in drawn {
        let mut lines = vec![vec![curve.against.to_owned(), "time".to_owned()]];
        lines.extend(curve.points.iter().map(|(x, y)| vec![x.to_string(), Unit::Time("").show(*y)]));
        text.push_str(&format!("\n### {} ({})\n\n{}", curve.title, curve.id, report::aligned(&lines)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Drawn, Shape};

    fn curve(should: Shape, time: impl Fn(f64) -> f64) -> Drawn {
        let points = [10_u64, 100, 1000, 10_000].map(|x| (x, time(x as f64))).to_vec();
        Drawn { id: "", title: "", against: "", should, points }
    }

    #[test]
    fn what_grows_is_told_from_what_does_not() {
        assert!(curve(Shape::Flat, |_| 7.0).verdict().starts_with("flat (power 0.00), as"));
        assert!(curve(Shape::Flat, |x| x.powf(0.1)).met());
        assert!(!curve(Shape::Flat, |x| x).met());
        assert!(curve(Shape::Flat, |x| x.sqrt()).verdict().starts_with("less than linear (power 0.50), NOT"));
        assert!(curve(Shape::Linear, |x| 3.0 * x).verdict().starts_with("linear (power 1.00), as"));
        assert!(curve(Shape::Linear, |_| 3.0).met());
        assert!(!curve(Shape::Linear, |x| x * x).met());
    }
}
