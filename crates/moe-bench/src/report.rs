//! All that was measured.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{
    Case, Ceiling, Cell, Comparison, Error, Machine, ModelFacts, Noise, Rates, Result, Schedule,
    SensorFacts, StepTime, Style, Thresholds, baseline, csv, html, markdown, table,
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
    pub rates: Option<Rates>,
    /// What disturbed.
    pub noise: Noise,
    /// Whose sensors were read while it ran, if any were.
    #[serde(default)]
    pub sensors: Option<SensorFacts>,
    /// The measurements.
    pub cells: Vec<Cell>,
    /// Where the time of a token goes, if it was looked at.
    #[serde(default)]
    pub profiles: Vec<Profile>,
}

/// Where the time of one run of a case went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The model's precision.
    pub precision: String,
    /// What was run.
    pub case: Case,
    /// Every kind of step.
    pub steps: Vec<StepTime>,
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
        rates: Option<Rates>,
    ) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            version: VERSION,
            unix_time: since.map_or(0, |since| since.as_secs()),
            command: command.into(),
            machine: Machine::here(),
            model,
            schedule,
            rates,
            noise: Noise::default(),
            sensors: None,
            cells: Vec::new(),
            profiles: Vec::new(),
        }
    }

    /// Adds a measurement, and what share of the machine's limit it is.
    pub fn push(&mut self, mut cell: Cell) {
        cell.judge(self.ceiling(&cell.precision).as_ref());
        self.cells.push(cell);
    }

    /// The machine's limits for a precision, if they were measured.
    #[must_use]
    pub fn ceiling(&self, precision: &str) -> Option<Ceiling> {
        self.rates.as_ref().map(|rates| Ceiling::of(rates, precision))
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
        let report: Self = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
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
    use crate::cell::tests::cell;
    use crate::{DeviceSensed, Sampled, Sensed, StepKind, Work};

    /// One case, three runs.
    pub(crate) fn report() -> Report {
        let prefill = Work { bytes: 1_000_000_000, flops: 60_000_000_000 };
        let decode = Work { bytes: 3_000_000_000, flops: 600_000_000 };
        let cell = Cell { prefill, decode, ..cell() };
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
        let rates = Rates {
            threads: 2,
            read: (20.0, 12.0),
            arithmetic: vec![
                ("f32 (AVX-512)".to_owned(), (200.0, 100.0)),
                ("bf16 (AVX-512 BF16)".to_owned(), (400.0, 200.0)),
            ],
            data_sheet: false,
        };
        let schedule = Schedule { warmup: 1, runs: 3, seed: 0 };
        let mut report = Report::new("bench", model, schedule, Some(rates));
        let case = cell.case;
        report.push(cell);
        let time = |step, prefill, decode| StepTime { step, prefill, decode };
        let steps = vec![time(StepKind::Attention, 1.0, 1.0), time(StepKind::Experts, 2.0, 3.0)];
        report.profiles.push(Profile { precision: "bf16".to_owned(), case, steps });
        report
    }

    /// The same on an NPU, whose sensors were read: some of them.
    pub(crate) fn sensed_report() -> Report {
        let mut report = report();
        report.sensors = Some(SensorFacts {
            source: "simulated DCMI".to_owned(),
            interval_ms: 100,
            devices: vec!["npu:0".to_owned()],
            missing: vec!["npu:0: no temperature".to_owned()],
        });
        let cell = &mut report.cells[0];
        let sensed = Sensed {
            power_w: Sampled::of(&[120.0, 250.0, 300.0]),
            hbm_used_bytes: Sampled::of(&[14e9]),
            ..Sensed::default()
        };
        let device = "npu:0".to_owned();
        cell.sensed.push(DeviceSensed { device, sensed, joules: vec![100.0, 300.0, 200.0] });
        for (run, joules) in cell.runs.iter_mut().zip([100.0, 300.0, 200.0]) {
            run.device_joules = Some(joules);
        }
        report
    }

    #[test]
    fn sensors_are_in_every_form() {
        let report = sensed_report();
        let text = report.to_text(Style::Plain, &Thresholds::default());
        let facts = [
            "sensors  simulated DCMI, npu:0, read every 100 ms",
            "unread   npu:0: no temperature",
            "energy   CPU: counters of its packages (RAPL); NPU: simulated DCMI, power sampled every 100 ms",
        ];
        for fact in facts {
            assert_eq!(text.matches(fact).count(), 1, "{fact}: {text}");
        }
        let header = text.lines().position(|line| line.contains("Power (W)")).expect("a table");
        let row = text.lines().nth(header + 1).expect("a row");
        let row: Vec<_> = row.split("  ").map(str::trim).filter(|text| !text.is_empty()).collect();
        let unread = "–";
        let (watts, none) = ("250 (120–300)", unread);
        let expected = [
            "bf16", "2", "8", "npu:0", watts, none, none, none, "14000", none, none, "200", "25.0",
            "3",
        ];
        assert_eq!(row, expected);
        let markdown = report.to_markdown();
        assert!(markdown.contains("| npu:0 | 250 (120–300) | – |"), "{markdown}");
        assert!(markdown.contains("- **energy**: CPU: counters"), "{markdown}");
        let page = report.to_html();
        for part in ["<td>250 (120–300)</td>", "J a token, NPU", "no temperature"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        let csv = report.to_csv();
        assert!(csv.contains(",200,25,250,120,300,,,14000000000,,3\r\n"), "{csv}");
    }

    #[test]
    fn nothing_is_said_of_sensors_that_are_not_there() {
        let mut report = report();
        report.cells[0].runs.iter_mut().for_each(|run| run.joules = None);
        let text = report.to_text(Style::Plain, &Thresholds::default());
        assert!(!text.contains("sensors") && !text.contains("energy"), "{text}");
        assert!(!text.contains("Power (W)"), "{text}");
    }

    #[test]
    fn reports_from_before_sensors_are_read() {
        let mut old: serde_json::Value =
            serde_json::from_str(&report().to_json().expect("JSON")).expect("JSON");
        let without = |value: &mut serde_json::Value, key: &str| {
            assert!(value.as_object_mut().expect("an object").remove(key).is_some(), "{key}");
        };
        without(&mut old, "sensors");
        without(&mut old["cells"][0], "sensed");
        for run in 0..3 {
            without(&mut old["cells"][0]["runs"][run], "device_joules");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("old.json");
        fs::write(&path, old.to_string()).expect("written");
        let read = Report::read(&path).expect("a report");
        let comparison = sensed_report().compare(&read);
        assert_eq!((comparison.changes.len(), comparison.caveats.len()), (3, 0));
    }

    #[test]
    fn json_comes_back_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.json");
        fs::write(&path, report().to_json().expect("JSON")).expect("written");
        let mut read = Report::read(&path).expect("a report");
        read.unix_time = report().unix_time;
        assert_eq!(read, report());
        fs::write(&path, sensed_report().to_json().expect("JSON")).expect("written");
        let mut read = Report::read(&path).expect("a report");
        read.unix_time = sensed_report().unix_time;
        assert_eq!(read, sensed_report());
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
