//! What running a case gave.

use serde::{Deserialize, Serialize};

use crate::{Case, Ceiling, DeviceSensed, Memory, Spread, Work, percentile};

/// The times of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Seconds from the prompts to the first token of every sequence.
    pub first_token: f64,
    /// Seconds of each later step, a token for every sequence.
    pub steps: Vec<f64>,
    /// Joules of the processor packages, where they can be read.
    pub joules: Option<f64>,
    /// Joules of all accelerators, where their power is known: its integral over the run.
    #[serde(default)]
    pub device_joules: Option<f64>,
}

impl Run {
    /// Seconds of all later steps.
    #[must_use]
    pub fn decode(&self) -> f64 {
        self.steps.iter().sum()
    }

    /// Seconds of the whole run.
    #[must_use]
    pub fn latency(&self) -> f64 {
        self.first_token + self.decode()
    }
}

/// A case, its runs, and what they say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cell {
    /// The model's precision: `f32`, `bf16` or `f16`.
    pub precision: String,
    /// What was run.
    pub case: Case,
    /// Each counted run.
    pub runs: Vec<Run>,
    /// What the prompts take in one run.
    pub prefill: Work,
    /// What the later tokens take in one run.
    pub decode: Work,
    /// Memory of the process at the end.
    pub memory: Memory,
    /// Memory of the machine in bytes, 0 where unknown.
    pub machine_memory: u64,
    /// Bytes taken on an accelerator, if there is one.
    pub device_memory: Option<u64>,
    /// What the sensors of each accelerator said, if they were read.
    #[serde(default)]
    pub sensed: Vec<DeviceSensed>,
    /// The share of the machine's limit that the prompts' median run reached.
    pub prefill_share: Option<f64>,
    /// The same of the later tokens.
    pub decode_share: Option<f64>,
}

impl Cell {
    /// Generated tokens a second, of all sequences, over the whole run: the recipe's throughput.
    #[must_use]
    pub fn throughput(&self) -> Spread {
        let tokens = self.tokens();
        self.over_runs(|run| tokens / run.latency())
    }

    /// Seconds of a whole run.
    #[must_use]
    pub fn latency(&self) -> Spread {
        self.over_runs(Run::latency)
    }

    /// Seconds of a run for each token of a sequence: the recipe's token time.
    #[must_use]
    pub fn token_time(&self) -> Spread {
        self.over_runs(|run| run.latency() / self.case.generate as f64)
    }

    /// Seconds to the first token.
    #[must_use]
    pub fn first_token(&self) -> Spread {
        self.over_runs(|run| run.first_token)
    }

    /// Prompt tokens a second, of all sequences.
    #[must_use]
    pub fn prefill_rate(&self) -> Spread {
        let tokens = (self.case.batch * self.case.prompt) as f64;
        self.over_runs(|run| tokens / run.first_token)
    }

    /// Tokens a second after the first ones, of all sequences; `None` if none were generated.
    #[must_use]
    pub fn decode_rate(&self) -> Option<Spread> {
        let tokens = (self.case.batch * (self.case.generate - 1)) as f64;
        (self.case.generate > 1).then(|| self.over_runs(|run| tokens / run.decode()))
    }

    /// Tokens a second after the first one that each sequence sees.
    #[must_use]
    pub fn rate_per_user(&self) -> Option<f64> {
        Some(self.decode_rate()?.median / self.case.batch as f64)
    }

    /// The 50th, 95th and 99th percentile of the seconds between tokens, over all runs; `None` if there was one token.
    #[must_use]
    pub fn between_tokens(&self) -> Option<[f64; 3]> {
        let mut steps: Vec<_> = self.runs.iter().flat_map(|run| &run.steps).copied().collect();
        steps.sort_by(f64::total_cmp);
        (!steps.is_empty()).then(|| [50.0, 95.0, 99.0].map(|percent| percentile(&steps, percent)))
    }

    /// Joules of the processor packages for each generated token, where they can be read.
    #[must_use]
    pub fn joules_per_token(&self) -> Option<f64> {
        Some(self.median_of(|run| run.joules)? / self.tokens())
    }

    /// Joules of all accelerators in a run, where their power is known.
    #[must_use]
    pub fn device_joules(&self) -> Option<f64> {
        self.median_of(|run| run.device_joules)
    }

    /// The same for each generated token.
    #[must_use]
    pub fn device_joules_per_token(&self) -> Option<f64> {
        Some(self.device_joules()? / self.tokens())
    }

    /// Generated tokens of a run, of all sequences.
    pub(crate) fn tokens(&self) -> f64 {
        (self.case.batch * self.case.generate) as f64
    }

    /// The median of what every run has.
    fn median_of(&self, of: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
        let values: Option<Vec<_>> = self.runs.iter().map(of).collect();
        values.filter(|values| !values.is_empty()).map(|values| Spread::of(&values).median)
    }

    /// What the process has of the machine's memory, in per cent; `None` where unknown.
    #[must_use]
    pub fn memory_percent(&self) -> Option<f64> {
        let known = self.machine_memory > 0 && self.memory.resident > 0;
        known.then(|| 100.0 * self.memory.resident as f64 / self.machine_memory as f64)
    }

    pub(crate) fn judge(&mut self, ceiling: Option<&Ceiling>) {
        let seconds =
            |of: fn(&Run) -> f64| Spread::of(&self.runs.iter().map(of).collect::<Vec<_>>()).median;
        let prefill = seconds(|run| run.first_token);
        let decode = seconds(Run::decode);
        self.prefill_share = ceiling.and_then(|ceiling| ceiling.share(&self.prefill, prefill));
        self.decode_share = ceiling.and_then(|ceiling| ceiling.share(&self.decode, decode));
    }

    fn over_runs(&self, of: impl Fn(&Run) -> f64) -> Spread {
        Spread::of(&self.runs.iter().map(of).collect::<Vec<_>>())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Three runs, the first the fastest.
    pub(crate) fn cell() -> Cell {
        let run = |first_token, step| Run {
            first_token,
            steps: vec![step; 3],
            joules: Some(8.0),
            device_joules: None,
        };
        Cell {
            precision: "bf16".to_owned(),
            case: Case { batch: 2, prompt: 8, generate: 4 },
            runs: vec![run(0.5, 0.1), run(0.7, 0.3), run(0.6, 0.2)],
            prefill: Work { bytes: 100, flops: 600 },
            decode: Work { bytes: 300, flops: 60 },
            memory: Memory { peak: 30, resident: 20, anonymous: 10 },
            machine_memory: 200,
            device_memory: None,
            sensed: Vec::new(),
            prefill_share: None,
            decode_share: None,
        }
    }

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn the_recipes_figures() {
        let cell = cell();
        assert!(near(cell.latency().median, 1.2));
        assert!(near(cell.throughput().median, 8.0 / 1.2));
        assert!(near(cell.token_time().median, 0.3));
        assert!(near(cell.memory_percent().expect("known"), 10.0));
    }

    #[test]
    fn phases_apart() {
        let cell = cell();
        assert!(near(cell.prefill_rate().median, 16.0 / 0.6));
        assert!(near(cell.decode_rate().expect("decoded").median, 10.0));
        assert!(near(cell.rate_per_user().expect("decoded"), 5.0));
        let [p50, p95, p99] = cell.between_tokens().expect("decoded");
        assert!(near(p50, 0.2) && p50 < p95 && p95 <= p99);
        assert!(near(cell.joules_per_token().expect("known"), 1.0));
    }

    #[test]
    fn energy_of_accelerators_is_that_of_all_runs() {
        let mut cell = cell();
        assert_eq!((cell.device_joules(), cell.device_joules_per_token()), (None, None));
        for (run, joules) in cell.runs.iter_mut().zip([100.0, 300.0, 200.0]) {
            run.device_joules = Some(joules);
        }
        assert!(near(cell.device_joules().expect("known"), 200.0));
        assert!(near(cell.device_joules_per_token().expect("known"), 25.0));
        cell.runs[1].device_joules = None;
        assert_eq!(cell.device_joules(), None);
    }

    #[test]
    fn one_token_has_no_second_phase() {
        let mut cell = cell();
        cell.case.generate = 1;
        cell.runs.iter_mut().for_each(|run| run.steps.clear());
        assert_eq!((cell.decode_rate(), cell.rate_per_user()), (None, None));
        assert_eq!(cell.between_tokens(), None);
    }

    #[test]
    fn shares_of_the_limit() {
        let mut cell = cell();
        let ceiling = Ceiling {
            bytes_per_second: 1000.0,
            flops_per_second: 2000.0,
            arithmetic: "f32".to_owned(),
        };
        cell.judge(Some(&ceiling));
        // 600 operations take 0.3 s and took 0.6; 300 bytes take 0.3 s and took 0.6.
        assert!(near(cell.prefill_share.expect("a share"), 0.5));
        assert!(near(cell.decode_share.expect("a share"), 0.5));
    }
}
