//! Pictures of the figures, as SVG.

use crate::{contenders::Who, curves::Drawn, rounds::Measured, rows::Unit};
use anyhow::{Result, anyhow};
use plotters::prelude::*;

const FONT: &str = "sans-serif";
/// Pixels.
const WIDTH: u32 = 1000;
const LINE: u32 = 30;
const LEGEND: u32 = 70;

/// What an error of the library says.
fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

fn color(who: Who) -> RGBColor {
    match who {
        Who::Raw => RGBColor(120, 120, 120),
        Who::Native => RGBColor(90, 160, 90),
        Who::Component => RGBColor(0, 0, 0),
        Who::Commonware => RGBColor(31, 119, 180),
        Who::RaftEngine => RGBColor(214, 39, 40),
        Who::OkayWal => RGBColor(148, 103, 189),
        Who::CommitLog => RGBColor(140, 86, 75),
        Who::Fjall => RGBColor(23, 190, 207),
        Who::Redb => RGBColor(188, 189, 34),
        Who::Sqlite => RGBColor(227, 119, 194),
        Who::DEngine => RGBColor(255, 127, 14),
        Who::Azoth => RGBColor(44, 80, 160),
        Who::Slipstream => RGBColor(160, 60, 100),
    }
}

/// Rows that can be drawn: a time of the component and of somebody else.
fn comparable(measured: &[Measured]) -> Vec<&Measured> {
    let comparable = |row: &&Measured| {
        let times = row.figures.iter().filter(|figure| figure.outcome.is_ok()).count();
        matches!(row.row.unit, Unit::Time(_)) && row.median(Who::Component).is_some() && times > 1
    };
    measured.iter().filter(comparable).collect()
}

/// What others take in multiples of what the component takes: a line for each row, a dot for each contender.
pub(crate) fn ratios(measured: &[Measured]) -> Result<String> {
    let rows = comparable(measured);
    let ratio = |row: &Measured, who: Who| Some(row.median(who)? / row.median(Who::Component)?);
    let all: Vec<f64> =
        rows.iter().flat_map(|row| row.row.who.iter().filter_map(|who| ratio(row, *who))).collect();
    let lowest = all.iter().copied().fold(0.5, f64::min) / 1.3;
    let highest = all.iter().copied().fold(2.0, f64::max) * 1.3;
    let mut text = String::new();
    {
        let height = LINE * rows.len() as u32 + 60 + LEGEND;
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        // The first row on top.
        let lines = rows.len() as f64..0.0;
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .margin_top(12 + LEGEND)
            .x_label_area_size(34)
            .y_label_area_size(430)
            .build_cartesian_2d((lowest..highest).log_scale(), lines)
            .map_err(failed)?;
        let title = |line: &f64| rows.get(*line as usize).map_or("", |row| row.row.title).to_owned();
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .y_labels(0)
            .x_label_formatter(&|ratio| format!("{ratio}"))
            .label_style((FONT, 13))
            .draw()
            .map_err(failed)?;
        let black = ShapeStyle::from(&BLACK);
        chart
            .draw_series([PathElement::new(vec![(1.0, 0.0), (1.0, rows.len() as f64)], black)])
            .map_err(failed)?;
        for (number, row) in rows.iter().enumerate() {
            let middle = number as f64 + 0.5;
            let (_, y) = chart.backend_coord(&(1.0, middle));
            area.draw_text(&title(&(number as f64)), &(FONT, 13).into_text_style(&area), (12, y - 7))
                .map_err(failed)?;
            let gray = RGBColor(225, 225, 225).stroke_width(1);
            chart
                .draw_series([PathElement::new(vec![(lowest, middle), (highest, middle)], gray)])
                .map_err(failed)?;
            for who in row.row.who {
                let Some(ratio) = ratio(row, *who) else { continue };
                let dot = Circle::new((ratio, middle), 5, color(*who).filled());
                chart.draw_series([dot]).map_err(failed)?;
            }
        }
        let caption = "Time taken ÷ time of the component, on a logarithmic scale: whoever is to the right of 1 is slower";
        area.draw_text(caption, &(FONT, 17).into_text_style(&area), (12, 10)).map_err(failed)?;
        let taking_part = |who: &Who| rows.iter().any(|row| row.median(*who).is_some());
        for (number, who) in Who::ALL.iter().filter(|who| taking_part(who)).enumerate() {
            let (x, y) = (20 + 140 * (number as i32 % 7), 44 + 20 * (number as i32 / 7));
            area.draw(&Circle::new((x, y), 5, color(*who).filled())).map_err(failed)?;
            area.draw_text(who.name(), &(FONT, 13).into_text_style(&area), (x + 10, y - 7))
                .map_err(failed)?;
        }
        area.present().map_err(failed)?;
    }
    Ok(text)
}

/// Curves, one below the other, both axes logarithmic.
pub(crate) fn curves(drawn: &[Drawn]) -> Result<String> {
    let mut text = String::new();
    {
        let height = 260;
        let size = (WIDTH, height * drawn.len() as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        for (curve, area) in drawn.iter().zip(area.split_evenly((drawn.len(), 1))) {
            one(curve, &area)?;
        }
        area.present().map_err(failed)?;
    }
    Ok(text)
}

fn one(curve: &Drawn, area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Result<()> {
    let bounds = |values: Vec<f64>| {
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = values.iter().copied().fold(0.0, f64::max);
        lowest / 4.0..highest * 4.0
    };
    let xs = bounds(curve.points.iter().map(|point| point.0 as f64).collect());
    let ys = bounds(curve.points.iter().map(|point| point.1).collect());
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{}: {}", curve.title, curve.verdict()), (FONT, 16))
        .margin(12)
        .x_label_area_size(38)
        .y_label_area_size(80)
        .build_cartesian_2d(xs.log_scale(), ys.log_scale())
        .map_err(failed)?;
    chart
        .configure_mesh()
        .y_labels(4)
        .x_desc(curve.against)
        .x_label_formatter(&|x| format!("{x}"))
        .y_label_formatter(&|y| Unit::Time("").show(*y))
        .light_line_style(WHITE)
        .label_style((FONT, 12))
        .draw()
        .map_err(failed)?;
    let points = || curve.points.iter().map(|(x, y)| (*x as f64, *y));
    let style = color(Who::Commonware);
    chart.draw_series(LineSeries::new(points(), style.stroke_width(2))).map_err(failed)?;
    chart.draw_series(points().map(|at| Circle::new(at, 4, style.filled()))).map_err(failed)?;
    Ok(())
}
