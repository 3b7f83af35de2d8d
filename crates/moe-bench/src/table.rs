//! Tables for a terminal.

use std::fmt::Write;

use crate::columns::{Table, number, tables};
use crate::{Case, Cell, Profile, Report, Run, SensorFacts};

/// Whether a table has colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    #[default]
    Plain,
    /// With the colour codes of terminals (ECMA-48).
    Coloured,
}

/// From where on a throughput is green, and below where it is red, in tokens a second; yellow between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// At least this is good.
    pub good: f64,
    /// Less than this is poor.
    pub poor: f64,
}

impl Default for Thresholds {
    /// What is faster than reading, and what is slower: five words a second are some seven tokens.
    fn default() -> Self {
        Self { good: 20.0, poor: 7.0 }
    }
}

const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";

pub(crate) fn render(report: &Report, style: Style, thresholds: &Thresholds) -> String {
    let mut text = facts(report).join("\n") + "\n\n";
    let colour = |cell: &Cell| match style {
        Style::Plain => None,
        Style::Coloured => {
            let throughput = cell.throughput().median;
            Some(match throughput {
                rate if rate >= thresholds.good => GREEN,
                rate if rate < thresholds.poor => RED,
                _ => YELLOW,
            })
        }
    };
    for table in tables(report) {
        rows(&mut text, &table, &colour);
        text.push('\n');
    }
    for profile in &report.profiles {
        steps(&mut text, profile);
    }
    text
}

/// A row a kind of step, with a bar for its share of decoding.
fn steps(text: &mut String, profile: &Profile) {
    const BAR: f64 = 40.0;
    let Case { batch, prompt, generate } = profile.case;
    let precision = &profile.precision;
    let _ = writeln!(text, "{precision}, batch {batch}, {prompt} + {generate} tokens, in ms:");
    let _ = writeln!(text, "{:>10}  {:>9}  {:>9}  decode", "step", "prompt", "a token");
    let tokens = (generate.saturating_sub(1)).max(1) as f64;
    let all: f64 = profile.steps.iter().map(|time| time.decode).sum();
    for time in &profile.steps {
        let share = if all > 0.0 { time.decode / all } else { 0.0 };
        let _ = writeln!(
            text,
            "{:>10}  {:>9}  {:>9}  {:>4.0} % {}",
            time.step.name(),
            number(1e3 * time.prefill),
            number(1e3 * time.decode / tokens),
            100.0 * share,
            "#".repeat((BAR * share).round() as usize),
        );
    }
    text.push('\n');
}

/// What a reader has to know before any figure, a line each.
pub(crate) fn facts(report: &Report) -> Vec<String> {
    let (machine, model) = (&report.machine, &report.model);
    let unknown = || "unknown processor".to_owned();
    let cpu = Some(&machine.cpu).filter(|cpu| !cpu.is_empty()).cloned().unwrap_or_else(unknown);
    let mut lines = vec![
        format!(
            "model    {}: {} layers, {} of {} experts, {} wide{}",
            model.name,
            model.layers,
            model.experts_per_token,
            model.experts,
            model.hidden,
            if model.synthetic { "; random weights" } else { "" },
        ),
        format!("device   {}", model.device),
        format!(
            "machine  {cpu}, {} cores, {:.0} GB, {}{}",
            machine.cores,
            machine.memory as f64 / 1e9,
            machine.system,
            if machine.virtual_machine { ", virtual" } else { "" },
        ),
    ];
    if let Some(rates) = &report.rates {
        let arithmetic = rates.arithmetic.iter();
        let arithmetic: Vec<_> =
            arithmetic.map(|(name, (all, _))| format!("{} GFLOP/s {name}", number(*all))).collect();
        let whence = if rates.data_sheet {
            "by its data sheet".to_owned()
        } else {
            format!("measured in this run, {} threads", rates.threads)
        };
        lines.push(format!(
            "limit    {} GB/s read, {}, {whence}",
            number(rates.read.0),
            arithmetic.join(", "),
        ));
    }
    let schedule = &report.schedule;
    lines.push(format!(
        "figures  medians of {} runs after {} that do not count; Std is that of the runs",
        schedule.runs, schedule.warmup,
    ));
    lines.extend(sensors(report));
    lines.extend(report.noise.warnings().into_iter().map(|warning| format!("noise    {warning}")));
    lines
}

/// Whose sensors were read, where energy comes from, and what is missing.
fn sensors(report: &Report) -> Vec<String> {
    let any = |of: fn(&Run) -> Option<f64>| {
        report.cells.iter().flat_map(|cell| &cell.runs).any(|run| of(run).is_some())
    };
    let mut energy = Vec::new();
    if any(|run| run.joules) {
        energy.push("CPU: counters of its packages (RAPL)".to_owned());
    }
    let mut lines = Vec::new();
    if let Some(SensorFacts { source, interval_ms, devices, missing }) = &report.sensors {
        let devices = devices.join(", ");
        lines.push(format!("sensors  {source}, {devices}, read every {interval_ms} ms"));
        if any(|run| run.device_joules) {
            energy.push(format!(
                "NPU: {source}, power sampled every {interval_ms} ms, its integral over a run"
            ));
        }
        lines.extend(missing.iter().map(|what| format!("unread   {what}")));
    }
    if !energy.is_empty() {
        lines.push(format!("energy   {}", energy.join("; ")));
    }
    lines
}

fn rows<'a>(text: &mut String, table: &Table<'_>, colour: &dyn Fn(&Cell) -> Option<&'a str>) {
    let width = |(index, title): (usize, &&str)| {
        let texts = table.rows.iter().map(|(_, row)| row[index].chars().count());
        texts.chain([title.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = table.titles.iter().enumerate().map(width).collect();
    let mut line = |texts: &mut dyn Iterator<Item = &str>, colour: Option<&str>| {
        let padded = texts.zip(&widths).map(|(text, &width)| format!("{text:>width$}"));
        let joined = padded.collect::<Vec<_>>().join("  ");
        let _ = match colour {
            Some(colour) => writeln!(text, "{colour}{joined}{RESET}"),
            None => writeln!(text, "{joined}"),
        };
    };
    line(&mut table.titles.iter().copied(), None);
    for (cell, row) in &table.rows {
        line(&mut row.iter().map(String::as_str), colour(cell));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn the_recipes_columns_come_first() {
        let text = report().to_text(Style::Plain, &Thresholds::default());
        let header = text.lines().find(|line| line.contains("Throughput")).expect("a header");
        let titles: Vec<_> = header.split("  ").map(str::trim).filter(|t| !t.is_empty()).collect();
        assert_eq!(
            titles,
            [
                "Precision",
                "Batch",
                "Seq Len",
                "Throughput (tok/s)",
                "Latency (s)",
                "CPU Mem (%)",
                "NPU Mem (MB)",
                "Token Time (s)",
                "Throughput Std"
            ]
        );
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn a_profile_has_a_row_a_step() {
        let text = report().to_text(Style::Plain, &Thresholds::default());
        let row = text.lines().find(|line| line.trim_start().starts_with("experts"));
        // 3 of the 4 seconds of 3 steps.
        assert_eq!(
            row.expect("a row"),
            format!("   experts       2000       1000    75 % {}", "#".repeat(30))
        );
    }

    #[test]
    fn columns_line_up() {
        let text = report().to_text(Style::Plain, &Thresholds::default());
        let mut widths = text
            .lines()
            .skip_while(|line| !line.contains("Throughput"))
            .take_while(|line| !line.is_empty())
            .map(|line| line.chars().count());
        let first = widths.next().expect("a header");
        assert!(widths.all(|width| width == first));
    }

    #[test]
    fn colours_follow_the_thresholds() {
        let good = Thresholds { good: 1.0, poor: 0.5 };
        assert!(report().to_text(Style::Coloured, &good).contains(GREEN));
        let poor = Thresholds { good: 1e9, poor: 1e8 };
        let text = report().to_text(Style::Coloured, &poor);
        assert!(text.contains(RED) && !text.contains(GREEN));
        let between = Thresholds { good: 1e9, poor: 0.0 };
        assert!(report().to_text(Style::Coloured, &between).contains(YELLOW));
    }
}
