//! The roofline: what each phase computes a byte, and how fast it did, under what the machine can do.

use std::fmt::Write;

use super::axis::{Axis, label};
use super::escape;
use super::lines::COLOURS;
use crate::columns::{number, percent};
use crate::{Cell, Report, Work};

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
    class: usize,
    work: Work,
    rate: f64,
    share: Option<f64>,
}

pub(super) fn render(report: &Report) -> String {
    let Some(ceiling) = &report.ceiling else { return String::new() };
    let dots: Vec<_> = report.cells.iter().flat_map(phases).collect();
    if dots.is_empty() {
        return String::new();
    }
    let (memory, arithmetic) = (ceiling.bytes_per_second, ceiling.flops_per_second);
    let ridge = arithmetic / memory;
    let xs = || dots.iter().map(|dot| dot.work.intensity()).chain([ridge]);
    let low = xs().fold(f64::INFINITY, f64::min) / 2.0;
    let high = xs().fold(0.0, f64::max) * 2.0;
    let slowest = dots.iter().map(|dot| dot.rate).fold(low * memory, f64::min);
    let x = Axis::log((low, high), (LEFT, WIDTH - RIGHT));
    let y = Axis::log((slowest / 2.0, arithmetic * 2.0), (HEIGHT - BOTTOM, TOP));
    let mut svg = format!("<figure class=\"wide\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
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
        "<polyline class=\"roof\" points=\"{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\"/>\
         <text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\">{} GFLOP/s, {}</text>\
         <text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\">{} GB/s</text>\
         <text class=\"mark mid\" x=\"{}\" y=\"{}\">operations a byte</text>\
         <text class=\"mark\" x=\"6\" y=\"{}\">GFLOP/s</text>",
        x.at(low),
        y.at(low * memory),
        x.at(ridge),
        y.at(arithmetic),
        x.at(high),
        y.at(arithmetic),
        x.at(ridge) + 6.0,
        y.at(arithmetic) - 6.0,
        number(arithmetic / 1e9),
        escape(&ceiling.arithmetic),
        x.at(low) + 14.0,
        y.at(low * memory * 1.25) - 10.0,
        number(memory / 1e9),
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 8.0,
        TOP - 4.0,
    );
    for dot in &dots {
        let case = &dot.cell.case;
        let _ = write!(
            svg,
            "<g class=\"c{}\"><circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\">\
             <title>{} of {}, batch {}, {} tokens: {} GFLOP/s, {} of the limit</title></circle></g>",
            dot.class % COLOURS,
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
    svg + "</svg><figcaption><span class=\"key c0\">prompts</span> <span class=\"key c1\">later \
           tokens</span>; the line is the limit</figcaption></figure>"
}

fn phases(cell: &Cell) -> impl Iterator<Item = Dot<'_>> {
    let dot = move |phase, class, work: Work, share: Option<f64>, seconds: f64| Dot {
        cell,
        phase,
        class,
        work,
        rate: work.flops as f64 / seconds,
        share,
    };
    let prefill = dot("prompts", 0, cell.prefill, cell.prefill_share, cell.first_token().median);
    let steps = cell.latency().median - cell.first_token().median;
    let decode = dot("later tokens", 1, cell.decode, cell.decode_share, steps);
    [prefill, decode].into_iter().filter(|dot| dot.rate.is_finite() && dot.rate > 0.0 && dot.work.bytes > 0)
}
