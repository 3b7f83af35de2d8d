//! All that was measured.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{
    Cell, Ceiling, Comparison, Error, Machine, ModelFacts, Noise, Result, Schedule, Style,
    Thresholds, baseline, csv, html, markdown, table,
};

/// What was measured, on what, and what disturbed: everything that the tables and the page show, and what is written
/// as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The form of this report, 1.
    pub version: u32,
    /// When it was made: seconds since 1970.
    pub unix_time: u64,
    /// The command that measures it again.
    pub command: String,
    /// Where.
    pub machine: Machine,
    /// What.
    pub model: ModelFacts,
    /// How often.
    pub schedule: Schedule,
    /// What the machine can do at most.
    pub ceiling: Option<Ceiling>,
    /// What disturbed.
    pub noise: Noise,
    /// The measurements.
    pub cells: Vec<Cell>,
}

/// The form of reports that this version writes.
const VERSION: u32 = 1;

impl Report {
    /// A report without measurements, made now, on this machine.
    #[must_use]
    pub fn new(
        command: impl Into<String>,
        model: ModelFacts,
        schedule: Schedule,
        ceiling: Option<Ceiling>,
    ) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            version: VERSION,
            unix_time: since.map_or(0, |since| since.as_secs()),
            command: command.into(),
            machine: Machine::here(),
            model,
            schedule,
            ceiling,
            noise: Noise::default(),
            cells: Vec::new(),
        }
    }

    /// Adds a measurement, and what share of the machine's limit it is.
    pub fn push(&mut self, mut cell: Cell) {
        cell.judge(self.ceiling.as_ref());
        self.cells.push(cell);
    }

    /// Reads a report that was written as [JSON](Self::to_json).
    ///
    /// # Errors
    /// [`Error::Read`], and [`Error::NoReport`] for anything else than a report of this form.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = fs::read_to_string(path)
            .map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let wrong = |reason| Error::NoReport { path: path.to_owned(), reason };
        let report: Self =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if report.version == VERSION {
            Ok(report)
        } else {
            Err(wrong(format!("its form is {}, expected {VERSION}", report.version)))
        }
    }

    /// All of it as JSON.
    ///
    /// # Errors
    /// Never, for what [`push`](Self::push) was given by [`measure`](crate::measure).
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// A row a measurement, with a header; seconds and bytes.
    #[must_use]
    pub fn to_csv(&self) -> String {
        csv::render(self)
    }

    /// The tables as Markdown, with the machine and the command.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }

    /// A page that stands alone: no scripts, no fonts, nothing from elsewhere.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::render(self)
    }

    /// The tables for a terminal, in colour if wanted.
    #[must_use]
    pub fn to_text(&self, style: Style, thresholds: &Thresholds) -> String {
        table::render(self, style, thresholds)
    }

    /// What moved since an earlier report.
    #[must_use]
    pub fn compare(&self, earlier: &Self) -> Comparison {
        baseline::compare(self, earlier)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Case, Memory, Run, Work};

    /// One case, three runs.
    pub(crate) fn report() -> Report {
        let run = |first_token, step| Run { first_token, steps: vec![step; 3], joules: None };
        let cell = Cell {
            precision: "bf16".to_owned(),
            case: Case { batch: 2, prompt: 8, generate: 4 },
            runs: vec![run(0.5, 0.1), run(0.7, 0.3), run(0.6, 0.2)],
            prefill: Work { bytes: 1_000_000_000, flops: 60_000_000_000 },
            decode: Work { bytes: 3_000_000_000, flops: 600_000_000 },
            memory: Memory { peak: 30_000_000, resident: 20_000_000, anonymous: 10_000_000 },
            machine_memory: 8_000_000_000,
            device_memory: None,
            prefill_share: None,
            decode_share: None,
        };
        let model = ModelFacts {
            name: "tiny".to_owned(),
            synthetic: true,
            device: "cpu, 2 threads".to_owned(),
            layers: 4,
            experts: 8,
            experts_per_token: 2,
            hidden: 64,
            vocab: 300,
            flops_per_token: 1000,
            flops_of_head: 100,
            flops_per_key: 10,
            window: (16, 2),
        };
        let ceiling = Ceiling {
            bytes_per_second: 2e10,
            flops_per_second: 2e11,
            arithmetic: "f32".to_owned(),
        };
        let schedule = Schedule { warmup: 1, runs: 3, seed: 0 };
        let mut report = Report::new("bench", model, schedule, Some(ceiling));
        report.push(cell);
        report
    }

    #[test]
    fn json_comes_back_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.json");
        fs::write(&path, report().to_json().expect("JSON")).expect("written");
        let mut read = Report::read(&path).expect("a report");
        read.unix_time = report().unix_time;
        assert_eq!(read, report());
    }

    #[test]
    fn other_files_are_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("other.json");
        let missing = Report::read(&path).expect_err("nothing there").to_string();
        assert!(missing.contains("other.json"), "{missing}");
        fs::write(&path, "{\"version\": 1}").expect("written");
        let error = Report::read(&path).expect_err("no report").to_string();
        assert!(error.contains("other.json") && error.contains("missing field"), "{error}");
        let later = report().to_json().expect("JSON").replace("\"version\": 1", "\"version\": 2");
        fs::write(&path, later).expect("written");
        let error = Report::read(&path).expect_err("another form").to_string();
        assert!(error.contains("form is 2, expected 1"), "{error}");
    }
}
