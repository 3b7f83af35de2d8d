//! What `bench` measures, and the measuring.

mod sensors;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ascend_acl::Ascend;
use moe_bench::{
    Case, Cell, Grid, ModelFacts, Profile, Profiled, Progress, Report, Sampler, Schedule, Step,
    measure_sensed, profile, roofline,
};
use moe_engine::backend::{Backend, Cpu, Plan};
use moe_engine::weights::Weights;
use moe_engine::{Activations, Config, Model, Options, Precision, Repack, locate};
use tempfile::TempDir;

use crate::model::{DeviceArgs, Task, is_synthetic, larger_shape, write_weights};
use crate::terminal::{self, Outcome, complain};

/// The checkpoint that is measured.
pub(crate) struct Subject {
    path: PathBuf,
    /// Of its configuration.
    folder: PathBuf,
    name: String,
    synthetic: bool,
    /// Holds the synthetic model.
    _made: Option<TempDir>,
}

impl Subject {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A given one, or a small one that is made.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        if let Some(path) = path {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            let synthetic = is_synthetic(path);
            let (path, folder) = locate(path)?;
            return Ok(Self { path, folder, name, synthetic, _made: None });
        }
        complain("making a small synthetic model ...");
        let made = tempfile::tempdir()?;
        write_weights(&larger_shape(), made.path())?;
        let name = "small synthetic model".to_owned();
        let (path, folder) = locate(made.path())?;
        Ok(Self { path, folder, name, synthetic: true, _made: Some(made) })
    }
}

/// How it is measured.
pub(crate) struct Bench<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) device: &'a DeviceArgs,
    /// Of all precisions.
    pub(crate) options: Options,
    pub(crate) schedule: Schedule,
    pub(crate) interrupted: Arc<AtomicBool>,
}

/// Every case of a precision, and what came of it.
struct Sweep<'a> {
    bench: &'a Bench<'a>,
    precision: Precision,
    grid: &'a Grid,
    sampler: Option<Sampler>,
    cells: Mutex<Vec<Cell>>,
}

impl Task for Sweep<'_> {
    fn run<B: Backend>(&self, model: &Model<B>) -> Outcome {
        for case in self.grid.cases() {
            if self.bench.cancelled() {
                break;
            }
            let mut lines =
                Lines { precision: self.precision, interrupted: &self.bench.interrupted };
            // Every device has the same cases; the first one's count, and it reads the sensors of all.
            let sampler = self.sampler.as_ref().filter(|_| !terminal::is_silent());
            match measure_sensed(model, &case, &self.bench.schedule, sampler, &mut lines) {
                Ok(cell) if !terminal::is_silent() => {
                    self.cells.lock().map_err(|_| "a measurement panicked")?.push(cell);
                }
                Ok(_) => {}
                Err(moe_bench::Error::Model(moe_engine::Error::Cancelled)) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Bench<'_> {
    /// How the model is opened for a precision.
    pub(crate) fn options(&self, precision: Precision) -> Options {
        Options { precision, ..self.options.clone() }
    }

    /// The model's sizes.
    pub(crate) fn facts(&self, precision: Precision) -> Result<ModelFacts, Box<dyn Error>> {
        let config = Config::open(&self.subject.folder)?;
        let device = if self.device.chip()?.is_some() {
            self.plan()?.1
        } else {
            let cpu = Cpu::new(&config, precision, self.options.threads)?;
            cpu.capabilities().device + &forms(&self.options)
        };
        Ok(ModelFacts::from_config(&config, &*self.subject.name, self.subject.synthetic, device))
    }

    fn plan(&self) -> Result<(Plan, String), Box<dyn Error>> {
        let plan = self.device.planned(&self.subject.path, &self.options(Precision::Bf16))?;
        let simulated = if Ascend::load()?.is_simulated() { "simulated " } else { "" };
        let name = format!("{simulated}{}, experts in {}", plan.soc, plan.experts);
        Ok((plan, name))
    }

    /// What a step of so many sequences would take of each chip.
    pub(crate) fn roofline(
        &self,
        batches: &[usize],
        keys: usize,
    ) -> Result<String, Box<dyn Error>> {
        let (plan, _) = self.plan()?;
        let step = |&sequences: &usize| {
            let cost = plan.step(sequences, keys);
            Step { sequences, bytes: cost.bytes, flops: cost.flops, launches: cost.launches }
        };
        Ok(roofline(&batches.iter().map(step).collect::<Vec<_>>()))
    }

    /// Every case of a precision.
    pub(crate) fn sweep(&self, precision: Precision, grid: &Grid, report: &mut Report) -> Outcome {
        let npus = self.device.npus();
        let sampler = (!npus.is_empty()).then(|| sensors::of_npus(&npus)).transpose()?;
        report.sensors = sampler.as_ref().map(Sampler::facts);
        let cells = Mutex::new(Vec::new());
        let sweep = Sweep { bench: self, precision, grid, sampler, cells };
        let outcome = self.device.run(&self.subject.path, &self.options(precision), &sweep);
        let cells = sweep.cells.into_inner().map_err(|_| "a measurement panicked")?;
        for cell in cells {
            report.push(cell);
        }
        outcome
    }

    /// Where the time of the first case goes.
    pub(crate) fn profile(
        &self,
        precision: Precision,
        grid: &Grid,
        report: &mut Report,
    ) -> Outcome {
        let Some(case) = grid.cases().next().filter(|_| !self.cancelled()) else { return Ok(()) };
        let options = self.options(precision);
        let path = &self.subject.path;
        let config = Config::open(&self.subject.folder)?;
        let weights = Weights::open(path, &config, false)?;
        let cpu = Cpu::new(&config, precision, options.threads)?.with_dense(options.dense);
        let backend = Profiled::new(cpu);
        let model = Model::with_backend(path, config, weights, backend, &options)?;
        let steps = profile(&model, &case, self.schedule.seed)?;
        report.profiles.push(Profile { precision: precision.name().to_owned(), case, steps });
        Ok(())
    }

    /// Whether Ctrl-C was pressed.
    pub(crate) fn cancelled(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// What is not as it is stored, and not exact, as words behind a device.
fn forms(options: &Options) -> String {
    let dense = match options.dense {
        None => "",
        Some(Repack::Coded) => ", dense weights in 12 bits",
        Some(Repack::Int8) => ", dense weights in int8",
    };
    let activations = match options.activations {
        Activations::Exact => "",
        Activations::Int8 => ", activations of experts in int8",
    };
    format!("{dense}{activations}")
}

/// A line a case.
struct Lines<'a> {
    precision: Precision,
    interrupted: &'a AtomicBool,
}

impl Progress for Lines<'_> {
    fn run(&mut self, case: &Case, done: usize, total: usize) {
        if done == total {
            let precision = self.precision;
            let Case { batch, prompt, generate } = case;
            complain(&format!(
                "{precision}, batch {batch}, {prompt} + {generate} tokens: measured"
            ));
        }
    }

    fn cancelled(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
