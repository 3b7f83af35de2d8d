//! Lays out both folders of libraries: `cargo run -p ascend-sim -- DIR`.

use std::path::PathBuf;
use std::process::ExitCode;

use ascend_sim::layout::{Cann, Layout};

const USAGE: &str = "\
Writes the libraries of a simulated Ascend installation.

Usage: ascend-sim-layout [OPTIONS] DIR

  DIR               gets the folders 8.3 and 8.5; what is in them is replaced
  --cann 8.3|8.5    only this one
  --stub            libraries that answer 100039, as those of a \"devlib\" folder do
  --missing NAME    leave this function out of every library (may be repeated)
  --without FILE    leave this library out (may be repeated)
  --core FILE       the core to put beside them, libascend_sim.so
";

fn main() -> ExitCode {
    match run(std::env::args_os().skip(1)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
    }
}

/// Does what the arguments say, and gives what to print.
fn run(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Result<String, String> {
    let mut dir = None;
    let mut releases = vec![Cann::V8_3, Cann::V8_5];
    let mut changes: Vec<Box<dyn Fn(Layout) -> Layout>> = Vec::new();
    while let Some(argument) = arguments.next() {
        let option = argument.to_string_lossy().into_owned();
        let mut value =
            || arguments.next().ok_or_else(|| format!("{option} needs a value\n\n{USAGE}"));
        match option.as_str() {
            "-h" | "--help" => return Ok(USAGE.to_owned()),
            "--cann" => {
                releases = match value()?.to_string_lossy().as_ref() {
                    "8.3" => vec![Cann::V8_3],
                    "8.5" => vec![Cann::V8_5],
                    other => return Err(format!("--cann is 8.3 or 8.5, not {other}\n\n{USAGE}")),
                }
            }
            "--stub" => changes.push(Box::new(Layout::stub)),
            "--missing" => {
                let name = value()?.to_string_lossy().into_owned();
                changes.push(Box::new(move |layout| layout.missing(name.clone())));
            }
            "--without" => {
                let name = value()?.to_string_lossy().into_owned();
                changes.push(Box::new(move |layout| layout.without(name.clone())));
            }
            "--core" => {
                let path = PathBuf::from(value()?);
                changes.push(Box::new(move |layout| layout.core(path.clone())));
            }
            unknown if unknown.starts_with('-') => {
                return Err(format!("no option {unknown}\n\n{USAGE}"));
            }
            _ if dir.is_some() => return Err(format!("one DIR, not two\n\n{USAGE}")),
            _ => dir = Some(PathBuf::from(argument)),
        }
    }
    let dir = dir.ok_or_else(|| format!("no DIR\n\n{USAGE}"))?;
    let mut text = String::new();
    for cann in releases {
        let layout = changes.iter().fold(Layout::new(cann), |layout, change| change(layout));
        let folder = layout.write(&dir).map_err(|error| error.to_string())?;
        text.push_str(&folder.display().to_string());
        text.push('\n');
    }
    Ok(text)
}
