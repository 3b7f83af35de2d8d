//! Where the time of a token goes.

mod profiled;
mod step;

use moe_engine::Model;
use moe_engine::backend::Backend;

use crate::{Case, Schedule, measure};

pub use profiled::Profiled;
pub use step::{StepKind, StepTime};

/// Where the time of one run of a case goes, in the order of [`StepKind::ALL`]. The sums are the times of the run.
///
/// ```
/// # let folder = testkit::Tiny::builder().build();
/// use moe_bench::{Case, Profiled, StepKind, profile};
/// use moe_engine::backend::Cpu;
/// use moe_engine::weights::Weights;
/// use moe_engine::{Config, Model, Options};
///
/// let options = Options::default();
/// let config = Config::open(folder.path())?;
/// let weights = Weights::open(folder.path(), &config, false)?;
/// let backend = Profiled::new(Cpu::new(&config, options.precision, None)?);
/// let model = Model::with_backend(folder.path(), config, weights, backend, &options)?;
/// let steps = profile(&model, &Case { batch: 1, prompt: 4, generate: 4 }, 0)?;
/// let experts = steps.iter().find(|time| time.step == StepKind::Experts).unwrap();
/// assert!(experts.prefill > 0.0 && experts.decode > 0.0);
/// # Ok::<(), moe_bench::Error>(())
/// ```
///
/// # Errors
/// Those of [`measure`](crate::measure).
pub fn profile<B: Backend>(
    model: &Model<Profiled<B>>,
    case: &Case,
    seed: u64,
) -> crate::Result<Vec<StepTime>> {
    let schedule = Schedule { warmup: 1, runs: 1, seed };
    case.check(&schedule, model.config().max_positions)?;
    let mut phases = [[0.0; StepKind::ALL.len()]; 2];
    for _ in 0..=schedule.warmup {
        let backend = model.backend();
        backend.take();
        let run = measure::once(model, case, seed, &mut || phases[0] = backend.take())?;
        phases[1] = backend.take();
        for (phase, total) in phases.iter_mut().zip([run.first_token, run.decode()]) {
            let known: f64 = phase.iter().sum();
            phase[StepKind::Rest as usize] = (total - known).max(0.0);
        }
    }
    let times = StepKind::ALL.into_iter().enumerate();
    Ok(times
        .map(|(index, step)| StepTime { step, prefill: phases[0][index], decode: phases[1][index] })
        .collect())
}

#[cfg(test)]
mod tests {
    use moe_engine::backend::Cpu;
    use moe_engine::weights::Weights;
    use moe_engine::{Config, Options};
    use testkit::Tiny;

    use super::*;

    fn profiled(folder: &std::path::Path) -> Model<Profiled<Cpu>> {
        let options = Options::default();
        let config = Config::open(folder).expect("a configuration");
        let weights = Weights::open(folder, &config, false).expect("weights");
        let cpu = Cpu::new(&config, options.precision, None).expect("a backend");
        Model::with_backend(folder, config, weights, Profiled::new(cpu), &options).expect("a model")
    }

    #[test]
    fn watching_changes_nothing() {
        let folder = Tiny::builder().build();
        let watched = profiled(folder.path());
        let model = Model::open(folder.path(), &Options::default()).expect("a model");
        let tokens = [1, 2, 3];
        let mut session = watched.session().expect("a session");
        let logits = watched.evaluate(&mut session, &tokens).expect("logits");
        let mut session = model.session().expect("a session");
        assert_eq!(logits, model.evaluate(&mut session, &tokens).expect("logits"));
    }

    #[test]
    fn every_step_has_a_time_in_both_phases() {
        let folder = Tiny::builder().build();
        let case = Case { batch: 2, prompt: 6, generate: 3 };
        let steps = profile(&profiled(folder.path()), &case, 0).expect("times");
        assert_eq!(steps.iter().map(|time| time.step).collect::<Vec<_>>(), StepKind::ALL);
        for time in steps {
            let measured = time.prefill > 0.0 && time.decode > 0.0;
            assert!(measured || time.step == StepKind::Rest, "{time:?}");
        }
    }
}
