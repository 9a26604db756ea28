//! What the figures should be, and whether they are.

use crate::{contenders::Who, rounds::Measured, rows::Unit};

use Who::{Azoth, Commonware, Component, DEngine, Fjall, Native, OkayWal, RaftEngine, Raw, Slipstream};

/// A target for one contender in one row.
pub(crate) struct Target {
    pub(crate) row: &'static str,
    pub(crate) who: Who,
    pub(crate) claim: Claim,
}

/// What should hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Claim {
    /// At most so many times what another one takes.
    Within(f64, Who),
    /// At least so many times as fast as another one.
    Faster(f64, Who),
    /// At most so many times what the fastest of the others takes.
    OfBest(f64),
    /// At most this, in the unit of the row.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

/// What came out.
pub(crate) struct Verdict {
    pub(crate) target: &'static Target,
    /// In words what should hold.
    pub(crate) wanted: String,
    /// What was measured for it; none if a figure is missing.
    pub(crate) measured: Option<String>,
    pub(crate) met: Option<bool>,
}

const fn target(row: &'static str, claim: Claim) -> Target {
    Target { row, who: Component, claim }
}

/// All of them, from issue 6.
pub(crate) const TARGETS: &[Target] = &[
    target("append-batch", Claim::Within(1.3, Native)),
    target("append-batch", Claim::Faster(3.0, Commonware)),
    target("append-batch", Claim::Faster(3.0, RaftEngine)),
    target("append-gathered", Claim::AtMost(25.0)),
    target("append-direct", Claim::AtMost(300.0)),
    // The same without a disk, which shows what the boundary costs.
    target("append-batch-memory", Claim::Within(1.3, Native)),
    target("append-gathered-memory", Claim::AtMost(25.0)),
    target("append-direct-memory", Claim::AtMost(300.0)),
    target("append-synced", Claim::Within(1.1, Raw)),
    target("append-synced", Claim::Faster(2.0, Commonware)),
    target("append-synced", Claim::Faster(2.0, OkayWal)),
    target("replay", Claim::Within(1.6, Native)),
    target("replay", Claim::Faster(2.5, Commonware)),
    target("range", Claim::AtMost(350e3)),
    target("read-cached", Claim::AtMost(350.0)),
    target("read-random", Claim::OfBest(1.2)),
    target("read-many", Claim::AtMost(150.0)),
    target("open-large", Claim::AtMost(10e6)),
    target("open-memory", Claim::AtMost(200e3)),
    target("verify", Claim::AtLeast(2e9)),
    target("recovery", Claim::Within(2.0, Native)),
    target("recovery", Claim::Faster(1.0, Commonware)),
    target("recovery", Claim::Faster(1.0, RaftEngine)),
    // 10 M entries in a second.
    target("raft-persist", Claim::AtMost(100.0)),
    target("raft-persist", Claim::Faster(10.0, DEngine)),
    target("raft-range", Claim::AtMost(500e3)),
    target("raft-range", Claim::Faster(10.0, DEngine)),
    // 10 and 20 M events in a second.
    target("event-append", Claim::AtMost(100.0)),
    target("event-append", Claim::Faster(5.0, Azoth)),
    target("event-iterate", Claim::AtMost(50.0)),
    target("event-iterate", Claim::Faster(5.0, Azoth)),
    target("event-get", Claim::AtMost(1500.0)),
    target("event-get", Claim::Faster(5.0, Azoth)),
    // A million keys in a second.
    target("snapshot-apply", Claim::AtMost(1000.0)),
    target("snapshot-apply", Claim::Faster(1.0, Fjall)),
    target("snapshot-apply", Claim::Faster(1.0, Slipstream)),
    target("snapshot-apply-synced", Claim::Faster(1.0, Fjall)),
    target("snapshot-get", Claim::AtMost(1000.0)),
    target("snapshot-get", Claim::Faster(1.0, Fjall)),
    target("snapshot-get", Claim::Faster(1.0, Slipstream)),
    target("snapshot-scan", Claim::AtMost(100e3)),
    target("snapshot-scan", Claim::Faster(1.0, Fjall)),
    target("snapshot-scan", Claim::Faster(1.0, Slipstream)),
    target("threads", Claim::AtLeast(1.8)),
    target("threads-memory", Claim::AtLeast(1.8)),
    target("group-commit", Claim::AtLeast(20.0)),
    target("memory", Claim::AtMost(16.0 * 1_048_576.0)),
    target("disk", Claim::AtMost(1.05)),
];

/// Judges all targets whose rows were measured.
pub(crate) fn judge(measured: &[Measured]) -> Vec<Verdict> {
    let row = |target: &'static Target| measured.iter().find(|measured| measured.row.id == target.row);
    TARGETS.iter().filter_map(|target| Some(verdict(target, row(target)?))).collect()
}

fn verdict(target: &'static Target, measured: &Measured) -> Verdict {
    let (unit, ours) = (measured.row.unit, measured.median(target.who));
    let ratio = |other: Option<f64>, invert: bool| {
        let (ours, other) = (ours?, other?);
        let better = matches!(unit, Unit::Rate) != invert;
        Some(if better { other / ours } else { ours / other })
    };
    let times = |ratio: f64| format!("{ratio:.2} ×");
    let (wanted, value, met): (String, Option<String>, Option<bool>) = match target.claim {
        Claim::Within(factor, other) => {
            let ratio = ratio(measured.median(other), false);
            let wanted = format!("≤ {factor} × {}", other.name());
            (wanted, ratio.map(times), ratio.map(|ratio| ratio <= factor))
        }
        Claim::Faster(factor, other) => {
            let ratio = ratio(measured.median(other), true);
            let wanted = match factor {
                1.0 => format!("faster than {}", other.name()),
                _ => format!("≥ {factor} × as fast as {}", other.name()),
            };
            let met = |ratio| if factor == 1.0 { ratio > 1.0 } else { ratio >= factor };
            (wanted, ratio.map(times), ratio.map(met))
        }
        Claim::OfBest(factor) => {
            let peers = measured.figures.iter().map(|figure| figure.who);
            let peers = peers.filter(|who| !matches!(who, Native | Component | Raw));
            let best = peers.filter_map(|who| Some((who, measured.median(who)?)));
            let best = best.min_by(|a, b| a.1.total_cmp(&b.1));
            let ratio = ratio(best.map(|best| best.1), false);
            let of = best.map_or(String::new(), |best| format!(" ({})", best.0.name()));
            (
                format!("≤ {factor} × the fastest peer{of}"),
                ratio.map(times),
                ratio.map(|ratio| ratio <= factor),
            )
        }
        Claim::AtMost(limit) => (
            format!("≤ {}", unit.show(limit)),
            ours.map(|ours| unit.show(ours)),
            ours.map(|ours| ours <= limit),
        ),
        Claim::AtLeast(limit) => (
            format!("≥ {}", unit.show(limit)),
            ours.map(|ours| unit.show(ours)),
            ours.map(|ours| ours >= limit),
        ),
    };
    Verdict { target, wanted, measured: value, met }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rounds::{Figure, Spread},
        rows::Row,
    };

    fn judged(unit: Unit, claim: Claim, medians: &[(Who, f64)]) -> Option<bool> {
        let run = |_: &crate::bench::Bench, _: crate::bench::Turn| Ok(0.0);
        let row: &'static Row = Box::leak(Box::new(Row { id: "row", title: "", unit, who: &[], run }));
        let spread = |median| Spread { median, lowest: median, highest: median };
        let figure = |(who, median): &(Who, f64)| Figure { who: *who, outcome: Ok(spread(*median)) };
        let measured = Measured { row, figures: medians.iter().map(figure).collect() };
        let target: &'static Target = Box::leak(Box::new(target("row", claim)));
        verdict(target, &measured).met
    }

    #[test]
    fn targets_are_judged_as_they_are_said() {
        let time = |claim, component, other| {
            judged(Unit::Time(""), claim, &[(Component, component), (Commonware, other)])
        };
        assert_eq!(time(Claim::Within(1.3, Commonware), 13.0, 10.0), Some(true));
        assert_eq!(time(Claim::Within(1.3, Commonware), 13.1, 10.0), Some(false));
        assert_eq!(time(Claim::Faster(3.0, Commonware), 10.0, 30.0), Some(true));
        assert_eq!(time(Claim::Faster(3.0, Commonware), 10.0, 29.0), Some(false));
        assert_eq!(time(Claim::Faster(1.0, Commonware), 10.0, 10.0), Some(false), "faster, not as fast");
        assert_eq!(time(Claim::AtMost(10.0), 10.0, 1.0), Some(true));
        assert_eq!(time(Claim::AtMost(9.9), 10.0, 1.0), Some(false));
        assert_eq!(time(Claim::Within(1.3, RaftEngine), 1.0, 1.0), None, "who is missing is not beaten");
        let rate = |claim, component, other| {
            judged(Unit::Rate, claim, &[(Component, component), (Commonware, other)])
        };
        assert_eq!(rate(Claim::AtLeast(2e9), 2e9, 1.0), Some(true));
        assert_eq!(rate(Claim::Faster(2.0, Commonware), 20.0, 10.0), Some(true));
        assert_eq!(rate(Claim::Faster(2.0, Commonware), 10.0, 10.0), Some(false));
        let all = [(Component, 12.0), (Native, 1.0), (Commonware, 30.0), (RaftEngine, 10.0)];
        assert_eq!(judged(Unit::Time(""), Claim::OfBest(1.2), &all), Some(true));
        assert_eq!(judged(Unit::Time(""), Claim::OfBest(1.1), &all), Some(false));
    }

    #[test]
    fn every_target_is_about_a_row_and_those_who_take_part_in_it() {
        for Target { row, who, claim } in TARGETS {
            let found = crate::rows::all().find(|other| other.id == *row);
            let part = found.map_or(&[][..], |found| found.who);
            assert!(part.contains(who), "{row}");
            if let Claim::Within(_, other) | Claim::Faster(_, other) = claim {
                assert!(part.contains(other), "{row}: {}", other.name());
            }
        }
    }
}
