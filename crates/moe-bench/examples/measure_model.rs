//! Measures a model on the processor, and writes a page of charts.

use std::env::args_os;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use moe_bench::{Grid, ModelFacts, Rates, Report, Schedule, Style, Thresholds, Watch, measure};
use moe_engine::{Model, Options};

/// ```sh
/// cargo run --release -p moe-bench --example measure_model -- path/to/gpt-oss-20b report.html
/// ```
fn main() -> ExitCode {
    let mut paths = args_os().skip(1).map(PathBuf::from);
    let (Some(model), Some(page)) = (paths.next(), paths.next()) else {
        eprintln!("usage: measure_model MODEL PAGE");
        return ExitCode::from(2);
    };
    match run(&model, &page) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(path: &Path, page: &Path) -> Result<(), Box<dyn Error>> {
    let model = Model::open(path, &Options::default())?;
    let grid = Grid { batches: vec![1, 4], prompts: vec![32, 64], generate: 16 };
    let schedule = Schedule { warmup: 1, runs: 3, seed: 0 };
    let facts = ModelFacts::of(&model, path.display().to_string(), false);
    let mut report = Report::new("measure_model", facts, schedule, Some(Rates::measure()?));
    let watch = Watch::start();
    for case in grid.cases() {
        report.push(measure(&model, &case, &schedule, &mut ())?);
    }
    report.noise = watch.noise();
    print!("{}", report.to_text(Style::Plain, &Thresholds::default()));
    fs::write(page, report.to_html())?;
    Ok(())
}
