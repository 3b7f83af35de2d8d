//! Converts a safetensors checkpoint to MindSpore, with floats in f32.

use std::env::args_os;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ckpt_convert::{
    CkptSink, Error, Executor, FloatTarget, Plan, PlanOptions, Policy, Report, Source, side_files,
};
use lowfloat::DType;

/// ```sh
/// cargo run --release -p ckpt-convert --example to_mindspore -- path/to/gpt-oss-20b out
/// ```
fn main() -> ExitCode {
    let mut paths = args_os().skip(1).map(PathBuf::from);
    let (Some(input), Some(out)) = (paths.next(), paths.next()) else {
        eprintln!("usage: to_mindspore INPUT OUT");
        return ExitCode::from(2);
    };
    match convert(&input, &out) {
        Ok(report) => {
            for file in &report.files {
                println!("{}", file.name);
            }
            println!("{} bytes in {:.1} s", report.bytes, report.write_seconds);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn convert(input: &Path, out: &Path) -> Result<Report, Error> {
    let source = Source::open(input)?;
    let policy = Policy { floats: FloatTarget::To(DType::F32), ..Policy::default() };
    let plan = Plan::new(&source, &policy, &CkptSink::default(), &PlanOptions::default())?;
    let side = |manifest: &_| side_files(&source, &policy, manifest);
    Executor::default().run(&plan, &source, out, side, &())
}
