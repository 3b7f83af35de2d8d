//! What is run.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// One combination: so many sequences together, with prompts of so many tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Case {
    /// Sequences that go through the model together.
    pub batch: usize,
    /// Tokens of each prompt.
    pub prompt: usize,
    /// Tokens that each sequence goes on with.
    pub generate: usize,
}

/// All combinations of some batches and prompt lengths.
///
/// ```
/// let grid = moe_bench::Grid { batches: vec![1, 2], prompts: vec![64, 128], generate: 32 };
/// let cases: Vec<_> = grid.cases().map(|case| (case.batch, case.prompt)).collect();
/// assert_eq!(cases, [(1, 64), (1, 128), (2, 64), (2, 128)]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Sequences that go through the model together.
    pub batches: Vec<usize>,
    /// Tokens of each prompt.
    pub prompts: Vec<usize>,
    /// Tokens that each sequence goes on with.
    pub generate: usize,
}

impl Grid {
    /// Batch by batch, each with every length.
    pub fn cases(&self) -> impl Iterator<Item = Case> + '_ {
        self.batches.iter().flat_map(move |&batch| {
            let case = move |&prompt| Case { batch, prompt, generate: self.generate };
            self.prompts.iter().map(case)
        })
    }
}

/// How often a case is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Runs that are not counted, first.
    pub warmup: usize,
    /// Runs that are.
    pub runs: usize,
    /// What the prompts' tokens are drawn with.
    pub seed: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { warmup: 3, runs: 6, seed: 0 }
    }
}

impl Case {
    /// Whether it can be run on a model of so many positions.
    pub(crate) fn check(&self, schedule: &Schedule, positions: usize) -> Result<()> {
        let counts = [
            ("batch", self.batch),
            ("prompt length", self.prompt),
            ("number of tokens to generate", self.generate),
            ("number of runs", schedule.runs),
        ];
        if let Some((what, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(Error::Case { what, reason: "is 0, expected at least 1".to_owned() });
        }
        let length = self.prompt.saturating_add(self.generate);
        if length > positions {
            let reason =
                format!("and generated tokens are {length}, the model has {positions} positions");
            return Err(Error::Case { what: "prompt length", reason });
        }
        Ok(())
    }
}
