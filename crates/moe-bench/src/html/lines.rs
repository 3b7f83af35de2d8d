//! Lines over a logarithmic axis.

use std::fmt::Write;

use super::axis::{Axis, label};
use super::escape;
use crate::Spread;
use crate::columns::number;

/// A chart: one figure over another.
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: &'static str,
    pub(super) unit: &'static str,
    pub(super) series: Vec<Series>,
}

/// A line.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<Point>,
}

/// A median with what lies around it.
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: Spread,
}

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 84.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 40.0;
/// Colours that the style sheet has.
pub(super) const COLOURS: usize = 6;

impl Chart {
    pub(super) fn render(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let most = points().map(|point| point.y.max).fold(0.0, f64::max);
        let y = Axis::linear(most, (HEIGHT - BOTTOM, TOP));
        let (low, high) = points().fold((f64::INFINITY, 0.0f64), |(low, high), point| {
            (low.min(point.x), high.max(point.x))
        });
        let x = Axis::log((low, high), (LEFT + 10.0, WIDTH - RIGHT));
        let mut svg = format!(
            "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">",
            escape(&self.title)
        );
        for mark in y.marks() {
            let at = y.at(mark);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text class=\"mark end\" x=\"{}\" y=\"{:.1}\">{}</text>",
                WIDTH - RIGHT + 6.0,
                LEFT - 6.0,
                at + 4.0,
                label(mark),
            );
        }
        let mut lengths: Vec<_> = points().map(|point| point.x).collect();
        lengths.sort_by(f64::total_cmp);
        lengths.dedup();
        for length in lengths {
            let _ = write!(
                svg,
                "<text class=\"mark mid\" x=\"{:.1}\" y=\"{}\">{}</text>",
                x.at(length),
                HEIGHT - BOTTOM + 16.0,
                label(length),
            );
        }
        let _ = write!(
            svg,
            "<text class=\"mark mid\" x=\"{}\" y=\"{}\">{}</text>",
            f64::midpoint(LEFT, WIDTH - RIGHT),
            HEIGHT - 6.0,
            self.x,
        );
        let mut lowest = HEIGHT - BOTTOM + 14.0;
        let mut order: Vec<_> = self.series.iter().enumerate().collect();
        // Names stand at the ends of the lines, from the lowest up, and do not touch.
        let end = |series: &Series| series.points.last().map_or(0.0, |point| point.y.median);
        order.sort_by(|(_, left), (_, right)| end(left).total_cmp(&end(right)));
        for (index, series) in order {
            let name = y.at(end(series)).min(lowest - 13.0);
            lowest = name;
            self.line(&mut svg, index, series, (&x, &y), name);
        }
        svg + "</svg></figure>"
    }

    fn line(
        &self,
        svg: &mut String,
        index: usize,
        series: &Series,
        (x, y): (&Axis, &Axis),
        name: f64,
    ) {
        let _ = write!(svg, "<g class=\"c{}\">", index % COLOURS);
        let path: Vec<_> = series
            .points
            .iter()
            .map(|point| format!("{:.1},{:.1}", x.at(point.x), y.at(point.y.median)))
            .collect();
        let _ = write!(svg, "<polyline points=\"{}\"/>", path.join(" "));
        for Point { x: length, y: spread } in &series.points {
            let at = x.at(*length);
            let _ = write!(
                svg,
                "<line class=\"whisker\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
                 <circle cx=\"{at:.1}\" cy=\"{:.1}\" r=\"3.5\"><title>{}, {}: {} {} ({} to {})</title></circle>",
                y.at(spread.min),
                y.at(spread.max),
                y.at(spread.median),
                escape(&series.name),
                label(*length),
                number(spread.median),
                self.unit,
                number(spread.min),
                number(spread.max),
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\">{}</text></g>",
            WIDTH - RIGHT + 10.0,
            name + 4.0,
            escape(&series.name),
        );
    }
}
