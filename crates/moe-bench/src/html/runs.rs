//! How far the runs of a case lie apart.

use std::fmt::Write;

use super::escape;
use crate::columns::number;
use crate::{Cell, Report};

const WIDTH: f64 = 940.0;
const ROW: f64 = 18.0;
const LEFT: f64 = 210.0;
const RIGHT: f64 = 90.0;

pub(super) fn render(report: &Report) -> String {
    let most =
        report.cells.iter().flat_map(deviations).map(|(_, off)| off.abs()).fold(0.0, f64::max);
    if report.cells.is_empty() {
        return String::new();
    }
    // At least a few per cent, so that a quiet machine looks quiet.
    let most = (most * 1.1).max(0.05);
    let height = ROW * report.cells.len() as f64 + 30.0;
    let at = |off: f64| LEFT + (WIDTH - LEFT - RIGHT) * (off / most + 1.0) / 2.0;
    let mut svg =
        format!("<figure class=\"wide\"><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">");
    for (off, sign) in [(-most, ""), (0.0, ""), (most, "+")] {
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"4\" y2=\"{}\"/>\
             <text class=\"mark mid\" x=\"{x:.1}\" y=\"{}\">{sign}{:.0} %</text>",
            height - 24.0,
            height - 8.0,
            100.0 * off,
            x = at(off),
        );
    }
    for (row, cell) in report.cells.iter().enumerate() {
        let y = ROW * row as f64 + 14.0;
        let case = &cell.case;
        let _ = write!(
            svg,
            "<text class=\"mark end\" x=\"{}\" y=\"{:.1}\">{}, batch {}, {} tokens</text>",
            LEFT - 12.0,
            y + 4.0,
            escape(&cell.precision),
            case.batch,
            case.prompt,
        );
        for (rate, off) in deviations(cell) {
            let _ = write!(
                svg,
                "<g class=\"c0\"><circle class=\"run\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\">\
                 <title>{} tok/s</title></circle></g>",
                at(off),
                number(rate),
            );
        }
        let _ = write!(
            svg,
            "<text class=\"mark\" x=\"{}\" y=\"{:.1}\">{} tok/s</text>",
            WIDTH - RIGHT + 12.0,
            y + 4.0,
            number(cell.throughput().median),
        );
    }
    svg + "</svg><figcaption>Throughput of each run, beside the median of its case</figcaption></figure>"
}

/// The throughput of each run, and how far from the median of all it is.
fn deviations(cell: &Cell) -> Vec<(f64, f64)> {
    let median = cell.throughput().median;
    let tokens = (cell.case.batch * cell.case.generate) as f64;
    let rates = cell.runs.iter().map(|run| tokens / run.latency());
    rates
        .filter(|rate| rate.is_finite() && median > 0.0)
        .map(|rate| (rate, rate / median - 1.0))
        .collect()
}
