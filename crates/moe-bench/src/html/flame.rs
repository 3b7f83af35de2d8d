//! Where the time of a token goes, as a bar of its steps.

use std::fmt::Write;

use super::escape;
use super::lines::COLOURS;
use crate::columns::number;
use crate::{Profile, Report, StepTime};

const WIDTH: f64 = 940.0;
const BAR: f64 = 34.0;
/// What a letter of a name takes: parts too narrow for theirs have it in their tip only.
const LETTER: f64 = 8.0;

pub(super) fn render(report: &Report) -> String {
    report.profiles.iter().map(profile).collect()
}

fn profile(profile: &Profile) -> String {
    let case = &profile.case;
    let prefill = bar("the prompts", profile, |time| time.prefill);
    let decode = bar("later tokens", profile, |time| time.decode);
    format!(
        "<figure class=\"wide\"><figcaption>{}, batch {}, {} + {} tokens</figcaption>{prefill}{decode}</figure>",
        escape(&profile.precision),
        case.batch,
        case.prompt,
        case.generate,
    )
}

fn bar(name: &str, profile: &Profile, seconds: fn(&StepTime) -> f64) -> String {
    let all: f64 = profile.steps.iter().map(seconds).sum();
    if all <= 0.0 {
        return String::new();
    }
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\"><text class=\"mark\" y=\"14\">{name}: {} ms</text>",
        BAR + 24.0,
        number(1e3 * all),
    );
    let mut left = 0.0;
    for (index, time) in profile.steps.iter().enumerate() {
        let share = seconds(time) / all;
        let width = WIDTH * share;
        let step = time.step.name();
        let _ = write!(
            svg,
            "<g class=\"c{}\"><rect x=\"{left:.1}\" y=\"20\" width=\"{width:.1}\" height=\"{BAR}\">\
             <title>{step}: {} ms, {:.1} %</title></rect></g>",
            index % COLOURS,
            number(1e3 * seconds(time)),
            100.0 * share,
        );
        let text = format!("{step} {:.0} %", 100.0 * share);
        if width >= LETTER * (text.len() + 2) as f64 {
            let _ = write!(
                svg,
                "<text class=\"on\" x=\"{:.1}\" y=\"{}\">{text}</text>",
                left + 7.0,
                20.0 + BAR / 2.0 + 4.0,
            );
        }
        left += width;
    }
    svg + "</svg>"
}
