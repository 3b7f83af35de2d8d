//! The roofline: what each phase computes a byte, and how fast it did, under what the machine can do.

use std::fmt::Write;

use super::axis::{Axis, label};
use super::escape;
use crate::columns::{number, percent};
use crate::{Ceiling, Cell, Report, Work};

const WIDTH: f64 = 940.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 44.0;

/// A phase of a case.
struct Dot<'a> {
    cell: &'a Cell,
    phase: &'static str,
    class: &'static str,
    work: Work,
    /// Operations a second.
    rate: f64,
    share: Option<f64>,
}

pub(super) fn render(report: &Report) -> String {
    let ceilings = ceilings(report);
    let dots: Vec<_> = report.cells.iter().flat_map(phases).collect();
    let Some(highest) = ceilings.last().filter(|_| !dots.is_empty()) else {
        return String::new();
    };
    let (memory, most) = (highest.bytes_per_second, highest.flops_per_second);
    let intensities = || dots.iter().map(|dot| dot.work.intensity()).chain([most / memory]);
    let low = intensities().fold(f64::INFINITY, f64::min) / 2.0;
    let high = intensities().fold(0.0, f64::max) * 2.0;
    let slowest = dots.iter().map(|dot| dot.rate).fold(low * memory, f64::min);
    let x = Axis::log((low, high), (LEFT, WIDTH - RIGHT));
    let y = Axis::log((slowest / 2.0, most * 2.0), (HEIGHT - BOTTOM, TOP));
    let mut svg =
        format!("<figure class=\"wide\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
    marks(&mut svg, &x, &y);
    for ceiling in &ceilings {
        roof(&mut svg, ceiling, (low, high), &x, &y);
    }
    for point in &dots {
        dot(&mut svg, point, &x, &y);
    }
    svg + "</svg><figcaption><span class=\"key c0\">prompts</span> <span class=\"key c1\">later \
           tokens</span>; the lines are the limits</figcaption></figure>"
}

/// The different ones of all precisions, the highest last.
fn ceilings(report: &Report) -> Vec<Ceiling> {
    let mut ceilings: Vec<Ceiling> = Vec::new();
    for ceiling in report.cells.iter().filter_map(|cell| report.ceiling(&cell.precision)) {
        if !ceilings.contains(&ceiling) {
            ceilings.push(ceiling);
        }
    }
    ceilings.sort_by(|left, right| left.flops_per_second.total_cmp(&right.flops_per_second));
    ceilings
}

fn marks(svg: &mut String, x: &Axis, y: &Axis) {
    for mark in y.marks() {
        let at = y.at(mark);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"mark end\" x=\"{}\" y=\"{:.1}\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            label(mark / 1e9),
        );
    }
    for mark in x.marks() {
        let _ = write!(
            svg,
            "<text class=\"mark mid\" x=\"{:.1}\" y=\"{}\">{}</text>",
            x.at(mark),
            HEIGHT - BOTTOM + 16.0,
            label(mark),
        );
    }
    let _ = write!(
        svg,
        "<text class=\"mark mid\" x=\"{}\" y=\"{}\">operations a byte</text>\
         <text class=\"mark\" x=\"6\" y=\"{}\">GFLOP/s</text>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 8.0,
        TOP - 4.0,
    );
}

fn roof(svg: &mut String, ceiling: &Ceiling, (low, high): (f64, f64), x: &Axis, y: &Axis) {
    let (memory, arithmetic) = (ceiling.bytes_per_second, ceiling.flops_per_second);
    let ridge = arithmetic / memory;
    let corners = [(low, low * memory), (ridge, arithmetic), (high, arithmetic)];
    let corners =
        corners.map(|(intensity, rate)| format!("{:.1},{:.1}", x.at(intensity), y.at(rate)));
    // A label that begins far to the right would leave the chart: there it ends with the line.
    let right = x.at(ridge) > f64::midpoint(LEFT, WIDTH - RIGHT);
    let (class, place) = if right { ("mark end", x.at(high)) } else { ("mark", x.at(ridge) + 6.0) };
    let _ = write!(
        svg,
        "<polyline class=\"roof\" points=\"{}\"/>\
         <text class=\"{class}\" x=\"{place:.1}\" y=\"{:.1}\">{} GFLOP/s, {}</text>\
         <text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\">{} GB/s</text>",
        corners.join(" "),
        y.at(arithmetic) - 6.0,
        number(arithmetic / 1e9),
        escape(&ceiling.arithmetic),
        x.at(low) + 14.0,
        y.at(low * memory * 1.25) - 10.0,
        number(memory / 1e9),
    );
}

fn dot(svg: &mut String, dot: &Dot<'_>, x: &Axis, y: &Axis) {
    let case = &dot.cell.case;
    let _ = write!(
        svg,
        "<g class=\"{}\"><circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\">\
         <title>{} of {}, batch {}, {} tokens: {} GFLOP/s, {} of the limit</title></circle></g>",
        dot.class,
        x.at(dot.work.intensity()),
        y.at(dot.rate),
        dot.phase,
        escape(&dot.cell.precision),
        case.batch,
        case.prompt,
        number(dot.rate / 1e9),
        percent(dot.share),
    );
}

fn phases(cell: &Cell) -> impl Iterator<Item = Dot<'_>> {
    let first = cell.first_token().median;
    let prefill = Dot {
        cell,
        phase: "prompts",
        class: "c0",
        work: cell.prefill,
        rate: cell.prefill.flops as f64 / first,
        share: cell.prefill_share,
    };
    let decode = Dot {
        cell,
        phase: "later tokens",
        class: "c1",
        work: cell.decode,
        rate: cell.decode.flops as f64 / (cell.latency().median - first),
        share: cell.decode_share,
    };
    let drawable = |dot: &Dot<'_>| dot.rate.is_finite() && dot.rate > 0.0 && dot.work.bytes > 0;
    [prefill, decode].into_iter().filter(drawable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The roof of a machine whose ridge is at so many operations a byte.
    fn svg(ridge: f64) -> String {
        let ceiling = Ceiling {
            bytes_per_second: 1e9,
            flops_per_second: ridge * 1e9,
            arithmetic: "bf16".to_owned(),
        };
        let x = Axis::log((0.1, 1000.0), (LEFT, WIDTH - RIGHT));
        let y = Axis::log((1e6, ridge * 2e9), (HEIGHT - BOTTOM, TOP));
        let mut svg = String::new();
        roof(&mut svg, &ceiling, (0.1, 1000.0), &x, &y);
        svg
    }

    #[test]
    fn the_label_of_a_roof_stays_in_the_chart() {
        let end = format!("class=\"mark end\" x=\"{:.1}\"", WIDTH - RIGHT);
        assert!(svg(900.0).contains(&end), "{}", svg(900.0));
        assert!(!svg(1.0).contains("mark end"), "{}", svg(1.0));
    }
}
