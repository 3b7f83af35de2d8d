//! Where a model is computed.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;

use ascend_acl::Ascend;
use ascend_acl::rt::Device;
use clap::Args;
use moe_engine::backend::{Backend, ExpertForm, Npu, NpuOptions, Plan, Ranks};
use moe_engine::weights::Weights;
use moe_engine::{Config, Model, Options, Precision, locate};

use crate::terminal::{self, Outcome, complain, print};

/// Where a model is computed, and how it lies there.
#[derive(Args, Clone, Debug)]
pub struct DeviceArgs {
    /// Where to compute: cpu, npu (an Ascend NPU), npu:N (the N-th one), or auto (an NPU if there is one). Nothing
    /// ever runs elsewhere than asked for
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    device: Place,
    /// Several NPUs that share the experts, such as 0,1
    #[arg(long, value_name = "N,N", value_delimiter = ',', conflicts_with = "device")]
    devices: Vec<i32>,
    /// Several NPUs share attention too, and the cache: each has a part of the heads
    #[arg(long)]
    tensor_parallel: bool,
    /// The form of the experts' weights on an NPU: bf16, int8, int4 or mxfp4 [default: the best exact one of the chip]
    #[arg(long, value_name = "FORM")]
    experts: Option<ExpertForm>,
    /// Positions that the cache of an NPU has room for, of all sequences together [default: the model's longest context, or
    /// what there is room for]
    #[arg(long, value_name = "N")]
    kv_positions: Option<usize>,
    /// Queue every operator of every token on an NPU, instead of replaying graphs
    #[arg(long)]
    no_graphs: bool,
    /// Print what an NPU would do and hold, and do nothing
    #[arg(long)]
    plan: bool,
    /// This process is one of so many that share the experts, each with an NPU of its own
    #[arg(long, value_name = "N", requires = "root_info")]
    ranks: Option<usize>,
    /// Which of them this process is, from 0
    #[arg(long, value_name = "N", default_value_t = 0, requires = "ranks")]
    rank: usize,
    /// A file by which they find each other: rank 0 writes it
    #[arg(long, value_name = "FILE", requires = "ranks")]
    root_info: Option<PathBuf>,
}

/// A kind of device, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Cpu,
    Npu(i32),
    Auto,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is none, expected cpu, npu, npu:N or auto");
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "npu" => Ok(Self::Npu(0)),
            None if text == "auto" => Ok(Self::Auto),
            Some(("npu", number)) => {
                let number: u16 = number.parse().map_err(|_| wrong())?;
                Ok(Self::Npu(number.into()))
            }
            _ => Err(wrong()),
        }
    }
}

/// What an example does with a model, wherever that is computed. On several devices every one does it, and the first
/// one says what comes of it.
pub trait Task: Sync {
    fn run<B: Backend>(&self, model: &Model<B>) -> Outcome;
}

impl DeviceArgs {
    /// Whether an NPU is asked for.
    pub fn is_npu(&self) -> bool {
        matches!(self.device, Place::Npu(_)) || !self.devices.is_empty() || self.ranks.is_some()
    }

    /// The NPUs that this process computes on.
    pub fn npus(&self) -> Vec<i32> {
        match self.device {
            _ if !self.devices.is_empty() => self.devices.clone(),
            Place::Npu(id) => vec![id],
            // Of a process that is one of several.
            _ => self.ranks.map(|_| self.options().device).into_iter().collect(),
        }
    }

    /// Whether several devices do the same, in this process or in others.
    pub fn is_shared(&self) -> bool {
        self.devices.len() > 1 || self.ranks.is_some()
    }

    /// The same, with "auto" decided.
    pub fn decided(&self) -> Self {
        let device = match self.device {
            Place::Auto => usable(),
            device => device,
        };
        Self { device, ..self.clone() }
    }

    /// The precision where none is asked for.
    pub fn precision(&self) -> Precision {
        if self.is_npu() { Precision::Bf16 } else { Precision::F32 }
    }

    /// Whether only the plan is asked for.
    pub fn plans(&self) -> bool {
        self.plan
    }

    /// The chip of the NPU that is asked for, if one is.
    pub fn chip(&self) -> Result<Option<String>, Box<dyn Error>> {
        if !self.is_npu() {
            return Ok(None);
        }
        let device = Device::open(&Ascend::load()?, self.options().device)?;
        Ok(Some(device.soc_name()?.to_owned()))
    }

    fn options(&self) -> NpuOptions {
        let mut options = NpuOptions::default();
        if let Some(&device) = self.devices.first() {
            options.device = device;
        } else if let Place::Npu(device) = self.device {
            options.device = device;
        }
        options.experts = self.experts;
        options.tensor_parallel = self.tensor_parallel;
        options.kv_positions = self.kv_positions;
        options.graphs = !self.no_graphs;
        options.devices = self.ranks.unwrap_or(self.devices.len()).max(1);
        options
    }

    /// Opens a checkpoint and does the task with it, or shows the plan.
    pub fn run(&self, path: &Path, options: &Options, task: &impl Task) -> Outcome {
        if self.plan {
            return self.show_plan(path, options);
        }
        if !self.is_npu() {
            let first = options.repack_file.as_deref().filter(|file| !file.exists());
            if let Some(file) = first {
                complain(&format!("repacking weights for {} ...", file.display()));
            }
            let model = Model::open(path, options)?;
            if let Some(file) = first {
                complain(&format!("repacked weights kept in {}", file.display()));
            }
            return task.run(&model);
        }
        let given = [
            (options.dense.is_some(), "--dense, --repack"),
            (options.activations != moe_engine::Activations::Exact, "--activations"),
        ];
        if let Some((_, option)) = given.iter().find(|(given, _)| *given) {
            return Err(format!("{option}: is for the processor; an NPU has --experts").into());
        }
        let ascend = Ascend::load()?;
        if let (Some(ranks), Some(file)) = (self.ranks, &self.root_info) {
            if self.rank >= ranks {
                return Err(format!("--rank {}: expected one below {ranks}", self.rank).into());
            }
            let device = self.options().device;
            let ranks = Ranks::join(&ascend, device, self.rank, ranks, file)?;
            return self.on_npu(ascend, path, options, Some(ranks), task);
        }
        if self.devices.len() < 2 {
            let one = self.devices.first().map_or(self.device, |&id| Place::Npu(id));
            let one = Self { device: one, devices: Vec::new(), ..self.clone() };
            return one.on_npu(ascend, path, options, None, task);
        }
        let mut ranks = Ranks::of(&ascend, &self.devices)?.into_iter();
        let Some(first) = ranks.next() else { return Ok(()) };
        thread::scope(|scope| {
            let others: Vec<_> = ranks
                .map(|rank| {
                    scope.spawn(move || {
                        terminal::silence();
                        let outcome = self.on_npu(ascend, path, options, Some(rank), task);
                        outcome.map_err(|error| error.to_string())
                    })
                })
                .collect();
            let outcome = self.on_npu(ascend, path, options, Some(first), task);
            let mut errors: Vec<_> =
                outcome.err().map(|error| error.to_string()).into_iter().collect();
            for other in others {
                match other.join() {
                    Ok(outcome) => errors.extend(outcome.err()),
                    Err(_) => errors.push("a device's thread panicked".to_owned()),
                }
            }
            errors.dedup();
            if errors.is_empty() { Ok(()) } else { Err(errors.join("\n").into()) }
        })
    }

    /// Prints what the device would do.
    pub fn show_plan(&self, path: &Path, options: &Options) -> Outcome {
        if !self.is_npu() {
            return Err("--plan: of which NPU? give --device npu".into());
        }
        Ok(print(&self.planned(path, options)?.to_string())?)
    }

    /// What the device would do.
    pub fn planned(&self, path: &Path, options: &Options) -> Result<Plan, Box<dyn Error>> {
        let (path, folder) = locate(path)?;
        let config = Config::open(folder)?;
        let weights = Weights::open(path, &config, options.check)?;
        Ok(Npu::plan(&Ascend::load()?, &config, &weights, options, &self.options())?)
    }

    fn on_npu(
        &self,
        ascend: Ascend,
        path: &Path,
        options: &Options,
        ranks: Option<Ranks>,
        task: &impl Task,
    ) -> Outcome {
        let model = Model::open_npu(path, &ascend, options, &self.options(), ranks)?;
        let npu = model.backend();
        complain(&format!("on {}", npu.capabilities().device));
        let form = npu.planned().experts;
        if !form.is_exact() {
            let percent = 100.0 * npu.rounding_error();
            complain(&format!("weights of experts are {percent:.2} % from exact (RMS) in {form}"));
        }
        task.run(&model)
    }
}

/// The first NPU if one can be used, else the processor; says which.
fn usable() -> Place {
    match Ascend::load().and_then(|ascend| Device::open(&ascend, 0)) {
        Ok(_) => Place::Npu(0),
        Err(error) => {
            complain(&format!("on the processor: no NPU can be used here ({error})"));
            Place::Cpu
        }
    }
}
