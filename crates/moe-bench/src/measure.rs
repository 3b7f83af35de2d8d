//! Running a case.

use std::time::Instant;

use moe_engine::backend::Backend;
use moe_engine::{At, Feed, Model, Observer, Session, Usage, Wanted};

use crate::process::Energy;
use crate::sensors::{Sampler, Samples};
use crate::{Case, Cell, DeviceSensed, Memory, ModelFacts, Result, Run, Schedule, machine};

/// Looks on while cases are run; every method does nothing unless it is implemented.
pub trait Progress {
    /// A run ends: `done` of `total`, those that are not counted among them.
    fn run(&mut self, _case: &Case, _done: usize, _total: usize) {}

    /// Whether to give up, asked before every token.
    fn cancelled(&self) -> bool {
        false
    }
}

impl Progress for () {}

/// Runs a case as often as the schedule says, each time on new sessions with the same prompts: tokens that
/// look random, the same for the same seed. Every sequence goes on with its most likely token, and none stops
/// early.
///
/// ```
/// # let folder = testkit::Tiny::builder().build();
/// use moe_bench::{Case, Schedule, measure};
/// use moe_engine::{Model, Options};
///
/// let model = Model::open(folder.path(), &Options::default())?;
/// let case = Case { batch: 2, prompt: 4, generate: 3 };
/// let schedule = Schedule { warmup: 1, runs: 2, seed: 0 };
/// let cell = measure(&model, &case, &schedule, &mut ())?;
/// assert_eq!((cell.runs.len(), cell.runs[0].steps.len()), (2, 2));
/// assert!(cell.throughput().median > 0.0);
/// # Ok::<(), moe_bench::Error>(())
/// ```
///
/// # Errors
/// [`Error::Case`](crate::Error::Case) for one that the model has no room for, and what the model fails with.
pub fn measure<B: Backend>(
    model: &Model<B>,
    case: &Case,
    schedule: &Schedule,
    progress: &mut (dyn Progress + Send),
) -> Result<Cell> {
    measure_sensed(model, case, schedule, None, progress)
}

/// The same, with the sensors of accelerators read during the runs that count, if they are given.
///
/// # Errors
/// Those of [`measure`]. What sensors do not tell is no error.
pub fn measure_sensed<B: Backend>(
    model: &Model<B>,
    case: &Case,
    schedule: &Schedule,
    sampler: Option<&Sampler>,
    progress: &mut (dyn Progress + Send),
) -> Result<Cell> {
    case.check(schedule, model.config().max_positions)?;
    let prompts = prompts(model.config().vocab, case, schedule.seed);
    let total = schedule.warmup + schedule.runs;
    let mut runs = Vec::with_capacity(schedule.runs);
    let mut sensed = Vec::new();
    let mut bytes = [0; 2];
    for done in 0..total {
        let counts = done >= schedule.warmup;
        let sampler = sampler.filter(|_| counts);
        let (run, usage, read) = run(model, case, &prompts, sampler, progress, &mut || {})?;
        progress.run(case, done + 1, total);
        if counts {
            bytes = usage.map(|usage| usage.weight_bytes + usage.kv_bytes);
            runs.push(run);
            sensed.extend(read);
        }
    }
    let [prefill, decode] = ModelFacts::of(model, "", false).work(case, bytes);
    Ok(Cell {
        precision: model.precision().name().to_owned(),
        case: *case,
        runs,
        prefill,
        decode,
        memory: Memory::now(),
        machine_memory: machine::total_memory(),
        device_memory: model.backend().memory_used(),
        sensed: sampler.map(|sampler| DeviceSensed::of_runs(sampler, &sensed)).unwrap_or_default(),
        prefill_share: None,
        decode_share: None,
    })
}

/// One run; `then` is called between its phases.
pub(crate) fn once<B: Backend>(
    model: &Model<B>,
    case: &Case,
    seed: u64,
    then: &mut dyn FnMut(),
) -> Result<Run> {
    let prompts = prompts(model.config().vocab, case, seed);
    Ok(run(model, case, &prompts, None, &mut (), then)?.0)
}

fn run<B: Backend>(
    model: &Model<B>,
    case: &Case,
    prompts: &[Vec<u32>],
    sampler: Option<&Sampler>,
    progress: &mut (dyn Progress + Send),
    then: &mut dyn FnMut(),
) -> Result<(Run, [Usage; 2], Option<Samples>)> {
    let sessions = prompts.iter().map(|_| model.session());
    let mut sessions = sessions.collect::<Result<Vec<_>, _>>()?;
    let mut next = Next { tokens: vec![0; prompts.len()], progress };
    let mut timed = || timed(model, case, &mut sessions, prompts, &mut next, then);
    let Some(sampler) = sampler else {
        let (run, usage) = timed()?;
        return Ok((run, usage, None));
    };
    let (done, read) = sampler.during(timed);
    let (mut run, usage) = done?;
    run.device_joules = read.all_joules();
    Ok((run, usage, Some(read)))
}

/// What a run is timed for.
fn timed<B: Backend>(
    model: &Model<B>,
    case: &Case,
    sessions: &mut [Session<B>],
    prompts: &[Vec<u32>],
    next: &mut Next<'_>,
    then: &mut dyn FnMut(),
) -> Result<(Run, [Usage; 2])> {
    let energy = Energy::now();
    let begin = Instant::now();
    let prompts: Vec<_> = prompts.iter().map(Vec::as_slice).collect();
    let prefill = advance(model, sessions, &prompts, next)?;
    let first_token = begin.elapsed().as_secs_f64();
    then();
    let mut steps = Vec::with_capacity(case.generate - 1);
    let mut decode = Usage::default();
    for _ in 1..case.generate {
        let begin = Instant::now();
        let tokens = next.tokens.clone();
        let tokens: Vec<_> = tokens.chunks(1).collect();
        decode += advance(model, sessions, &tokens, next)?;
        steps.push(begin.elapsed().as_secs_f64());
    }
    let joules = energy.zip(Energy::now()).map(|(before, after)| after.since(&before));
    Ok((Run { first_token, steps, joules, device_joules: None }, [prefill, decode]))
}

fn advance<B: Backend>(
    model: &Model<B>,
    sessions: &mut [Session<B>],
    tokens: &[&[u32]],
    next: &mut Next<'_>,
) -> Result<Usage> {
    let feeds = sessions.iter_mut().zip(tokens);
    // As a generation of most likely tokens has it: from an accelerator only they come.
    let below = model.config().vocab;
    let wanted =
        if model.backend().is_queued() { Wanted::Best { count: 1, below } } else { Wanted::Last };
    let feeds = feeds.map(|(session, tokens)| Feed::new(session, tokens).wanted(wanted));
    let mut feeds: Vec<_> = feeds.collect();
    Ok(model.forward(&mut feeds, next)?)
}

/// Keeps the most likely token of every sequence.
struct Next<'a> {
    tokens: Vec<u32>,
    progress: &'a mut (dyn Progress + Send),
}

impl Observer for Next<'_> {
    fn logits(&mut self, at: At, logits: &[f32]) {
        let likely = (0..).zip(logits).max_by(|(_, left), (_, right)| left.total_cmp(right));
        self.tokens[at.sequence] = likely.map_or(0, |(token, _)| token);
    }

    fn best(&mut self, at: At, best: &[(u32, f32)]) {
        self.tokens[at.sequence] = best.first().map_or(0, |(token, _)| *token);
    }

    fn cancelled(&self) -> bool {
        self.progress.cancelled()
    }
}

/// Tokens of a linear congruential generator (Knuth, MMIX), of its upper bits.
fn prompts(vocab: usize, case: &Case, seed: u64) -> Vec<Vec<u32>> {
    let mut state = seed;
    let mut token = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % vocab.max(1) as u64) as u32
    };
    (0..case.batch).map(|_| (0..case.prompt).map(|_| token()).collect()).collect()
}

#[cfg(test)]
mod tests {
    use moe_engine::Options;

    use super::*;
    use crate::{Reading, Sensors};

    /// 200 W, and nothing else.
    struct Steady;

    impl Sensors for Steady {
        fn device(&self) -> String {
            "npu:0".to_owned()
        }

        fn read(&self) -> Reading {
            Reading { power_w: Some(200.0), ..Reading::default() }
        }
    }

    #[test]
    fn energy_is_power_by_the_time_of_a_run() {
        let folder = testkit::Tiny::builder().build();
        let model = Model::open(folder.path(), &Options::default()).expect("a model");
        let case = Case { batch: 1, prompt: 4, generate: 3 };
        let schedule = Schedule { warmup: 2, runs: 3, seed: 0 };
        let sampler = Sampler::new("a test", vec![Box::new(Steady), Box::new(Steady)]);
        let sensed = measure_sensed(&model, &case, &schedule, Some(&sampler), &mut ());
        let cell = sensed.expect("a measurement");
        assert_eq!(cell.sensed.len(), 2);
        // Every counted run is read after it, and now and then within it.
        let power = cell.sensed[1].sensed.power_w.expect("power");
        let always = [power.min, power.max].map(|watts| (watts - 200.0).abs() < 1e-9);
        assert!(power.samples >= 3 && always == [true; 2], "{power:?}");
        assert_eq!(cell.sensed[1].sensed.temperature_c, None);
        assert_eq!(cell.sensed[1].joules.len(), 3);
        for run in &cell.runs {
            let joules = run.device_joules.expect("power is known");
            // The clock of the energy goes on for a moment after that of the last step.
            assert!(joules >= 400.0 * run.latency() && joules < 400.0 * (run.latency() + 1.0));
        }
        let unsensed = measure(&model, &case, &schedule, &mut ()).expect("a measurement");
        assert!(unsensed.sensed.is_empty() && unsensed.device_joules().is_none());
    }

    #[test]
    fn prompts_are_the_same_for_the_same_seed() {
        let case = Case { batch: 3, prompt: 50, generate: 1 };
        let tokens = prompts(100, &case, 7);
        assert_eq!(tokens, prompts(100, &case, 7));
        assert_ne!(tokens, prompts(100, &case, 8));
        assert_ne!(tokens[0], tokens[1]);
        assert!(tokens.iter().flatten().all(|&token| token < 100));
    }
}
