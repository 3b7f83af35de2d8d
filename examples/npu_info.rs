//! Shows the Ascend devices of this machine and what can be done with them, or what is missing.

mod terminal;

use std::fmt::{Display, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use ascend_acl::{Device, Probe, Step, probe, probe_folder};
use clap::Parser;
use terminal::{bytes, complain};

/// Show Ascend devices, libraries, operators, and which of them gpt-oss would use.
///
/// Looks where ASCEND_ACL_PATH says, else where CANN is installed. Exits with 2 if there is no device to
/// be used, and then says what to install.
// A terminal shows no backticks.
#[allow(clippy::doc_markdown)]
#[derive(Parser)]
struct Args {
    /// The folder of the libraries [default: ASCEND_ACL_PATH, or where CANN is installed]
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Print one JSON object with everything
    #[arg(long)]
    json: bool,
    /// List every operator and every missing function
    #[arg(long)]
    all: bool,
}

/// There is nothing to run on.
const NO_DEVICE: u8 = 2;

// cargo run --example npu_info
// ASCEND_ACL_PATH=sim/8.5 cargo run --example npu_info -- --json
fn main() -> ExitCode {
    let args = terminal::arguments::<Args>();
    let probe = args.folder.as_ref().map_or_else(probe, probe_folder);
    let printed = if args.json {
        serde_json::to_string_pretty(&probe).map_err(std::io::Error::from)
    } else {
        Ok(report(&probe, args.all).trim_end().to_owned())
    };
    let printed = printed.and_then(|text| terminal::print(&(text + "\n")));
    match printed {
        Ok(()) if probe.usable => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(NO_DEVICE),
        Err(error) => {
            complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn report(probe: &Probe, all: bool) -> String {
    let mut text = String::new();
    if probe.simulated {
        text += "Simulated: no figure below is of real hardware.\n\n";
    }
    if !probe.devices.is_empty() {
        text += &devices(probe);
    }
    section(
        &mut text,
        "Libraries",
        probe
            .libraries
            .iter()
            .map(|library| format!("{:<26} {}", library.soname, library.file.display())),
    );
    section(
        &mut text,
        "Versions",
        probe.versions.iter().map(|version| format!("{:<26} {}", version.part, version.version)),
    );
    section(&mut text, "Tried and not found", probe.tried.iter().filter(|_| all || !probe.usable));
    section(&mut text, "Steps of gpt-oss", probe.steps.iter().map(step));
    if !probe.operators.is_empty() {
        let there = probe.operators.iter().filter(|operator| operator.available).count();
        let _ = writeln!(text, "\n{there} of {} known operators", probe.operators.len());
    }
    if all {
        section(
            &mut text,
            "Operators",
            probe.operators.iter().map(|operator| {
                let there = if operator.available { "yes" } else { "no" };
                format!("{there:<4} {:<40} since {}", operator.name, operator.since)
            }),
        );
        section(
            &mut text,
            "Missing functions",
            probe
                .missing_functions
                .iter()
                .map(|function| format!("{:<45} since {}", function.name, function.since)),
        );
    }
    let variables = probe.variables.iter();
    section(&mut text, "Variables", variables.map(|v| format!("{}={}", v.name, v.value)));
    section(&mut text, "Problems", probe.problems.iter());
    if !probe.usable {
        text += "\nNo Ascend device can be used here.\n";
    }
    section(&mut text, "What to do", probe.advice.iter());
    text.trim_start().to_owned()
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = impl Display>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "\n{title}");
    }
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
}

/// The columns of `npu-smi info`.
fn devices(probe: &Probe) -> String {
    let head =
        ["NPU", "Name", "Health", "Power(W)", "Temp(C)", "AICore(%)", "HBM-Usage(MB)", "Free"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(probe.devices.iter().map(|device| row(probe, device)));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        for (cell, &width) in row.iter().zip(&widths) {
            let _ = write!(text, "{cell:<width$}  ");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    for device in &probe.devices {
        section(&mut text, &format!("Unknown of NPU {}", device.id), device.problems.iter());
    }
    text
}

fn row(probe: &Probe, device: &Device) -> [String; 8] {
    let name = probe.soc.as_deref().or(device.name.as_deref());
    let health = device.health.or(device.in_order.map(|good| if good { "OK" } else { "Alarm" }));
    let used = device.hbm.used_on_card.zip(device.hbm.on_card);
    let free = device.hbm.free.zip(device.hbm.total);
    [
        device.id.to_string(),
        shown(name),
        shown(health),
        shown(device.power_w.map(|watts| format!("{watts:.1}"))),
        shown(device.temperature_c),
        shown(device.utilisation.cube),
        shown(used.map(|(used, all)| format!("{} / {}", used >> 20, all >> 20))),
        shown(free.map(|(free, total)| format!("{} of {}", bytes(free), bytes(total)))),
    ]
}

fn shown(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn step(step: &Step) -> String {
    let names = |names: &[&str]| {
        names.iter().map(|name| name.trim_start_matches("aclnn")).collect::<Vec<_>>().join(" + ")
    };
    let uses = match step.uses {
        Some(0) => names(step.choices[0].operators),
        Some(at) => {
            let missing = names(&step.choices[0].missing);
            format!("{} (no {missing})", names(step.choices[at].operators))
        }
        None => {
            let ways: Vec<_> = step.choices.iter().map(|choice| names(&choice.missing)).collect();
            format!("impossible: no {}", ways.join(", nor "))
        }
    };
    format!("{:<30} {uses}", step.name)
}
