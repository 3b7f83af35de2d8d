//! What moved since an earlier report.

use std::fmt;

use crate::{Cell, Report, Spread};

/// Two reports beside each other, case by case.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Every figure of every case that both have.
    pub changes: Vec<Change>,
    /// What makes the two hard to compare: other machines, models or schedules.
    pub caveats: Vec<String>,
    /// Cases of one report that the other one lacks.
    pub unmatched: usize,
}

/// One figure of one case, before and now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// Precision, batch, prompt length.
    pub case: String,
    /// Which figure: `prefill`, `decode` or `throughput`.
    pub figure: &'static str,
    /// Now over before, of the medians of tokens a second: above 1 is faster.
    pub ratio: f64,
    /// Whether the runs of both lie apart: every one of one side above every one of the other, and the medians by more
    /// than the wider spread.
    pub beyond_noise: bool,
}

pub(crate) fn compare(now: &Report, earlier: &Report) -> Comparison {
    let mut caveats = Vec::new();
    let mut same = |what: &str, same: bool| {
        if !same {
            caveats.push(format!("{what} differ"));
        }
    };
    same("the machines", now.machine == earlier.machine);
    same("the models", now.model.name == earlier.model.name);
    same("the devices", now.model.device == earlier.model.device);
    same("the schedules", now.schedule == earlier.schedule);
    let mut changes = Vec::new();
    let mut matched = 0;
    for cell in &now.cells {
        let twin = |other: &&Cell| other.case == cell.case && other.precision == cell.precision;
        let Some(before) = earlier.cells.iter().find(twin) else { continue };
        matched += 1;
        let case = format!(
            "{}, batch {}, {} + {} tokens",
            cell.precision, cell.case.batch, cell.case.prompt, cell.case.generate
        );
        let figures = [
            ("throughput", Some((cell.throughput(), before.throughput()))),
            ("prefill", Some((cell.prefill_rate(), before.prefill_rate()))),
            ("decode", cell.decode_rate().zip(before.decode_rate())),
        ];
        let known = figures.into_iter().filter_map(|(figure, spreads)| Some((figure, spreads?)));
        changes.extend(known.map(|(figure, (now, before))| Change {
            case: case.clone(),
            figure,
            ratio: now.median / before.median,
            beyond_noise: apart(&now, &before),
        }));
    }
    let unmatched = now.cells.len() + earlier.cells.len() - 2 * matched;
    Comparison { changes, caveats, unmatched }
}

fn apart(a: &Spread, b: &Spread) -> bool {
    let wider = (a.max - a.min).max(b.max - b.min) / 2.0;
    (a.min > b.max || b.min > a.max) && (a.median - b.median).abs() > wider
}

impl fmt::Display for Comparison {
    /// What moved beyond the noise, a line each; or that nothing did.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for caveat in &self.caveats {
            writeln!(f, "caution: {caveat}")?;
        }
        if self.unmatched > 0 {
            writeln!(f, "caution: {} cases are in one of the reports only", self.unmatched)?;
        }
        let mut moved = 0;
        for change in self.changes.iter().filter(|change| change.beyond_noise) {
            moved += 1;
            let (word, ratio) = if change.ratio >= 1.0 {
                ("faster", change.ratio)
            } else {
                ("slower", change.ratio)
            };
            writeln!(f, "{}: {} {ratio:.2}x as before, {word}", change.case, change.figure)?;
        }
        write!(f, "{moved} of {} figures moved beyond the noise", self.changes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    fn faster(factor: f64) -> Report {
        let mut report = report();
        for run in report.cells.iter_mut().flat_map(|cell| &mut cell.runs) {
            run.first_token /= factor;
            run.steps.iter_mut().for_each(|step| *step /= factor);
        }
        report
    }

    #[test]
    fn the_same_has_not_moved() {
        let comparison = report().compare(&report());
        assert!(comparison.changes.iter().all(|change| !change.beyond_noise));
        assert!((comparison.changes[0].ratio - 1.0).abs() < 1e-12);
        assert!(comparison.to_string().starts_with("0 of 3 figures moved"));
    }

    #[test]
    fn within_the_spread_is_noise() {
        let comparison = faster(1.1).compare(&report());
        assert!(comparison.changes.iter().all(|change| !change.beyond_noise), "{comparison}");
    }

    #[test]
    fn far_away_has_moved() {
        let comparison = faster(20.0).compare(&report());
        assert!(comparison.changes.iter().all(|change| change.beyond_noise), "{comparison}");
        assert!(comparison.to_string().contains("prefill 20.00x as before, faster"));
        let comparison = report().compare(&faster(20.0));
        assert!(comparison.to_string().contains("slower"));
    }

    #[test]
    fn other_machines_are_said() {
        let mut other = report();
        other.machine.cores += 1;
        other.cells[0].case.prompt += 1;
        let text = report().compare(&other).to_string();
        assert!(text.contains("the machines differ"));
        assert!(text.contains("2 cases are in one of the reports only"));
    }
}
