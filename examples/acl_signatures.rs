//! Lists the C functions that `ascend-acl` declares, to be compared with the vendor's headers.

mod terminal;

use std::process::ExitCode;

use ascend_acl::sys::{self, Signature};
use clap::Parser;
use serde_json::{Value, json};
use terminal::Outcome;

/// List the C functions that ascend-acl can call, as C spells them. Needs no Ascend software.
#[derive(Parser)]
struct Args {
    /// Print one JSON array, with an object for every function
    #[arg(long)]
    json: bool,
}

// cargo run --example acl_signatures
// cargo run --example acl_signatures -- --json
fn main() -> ExitCode {
    terminal::exit(run(&terminal::arguments::<Args>()))
}

fn run(args: &Args) -> Outcome {
    let text = if args.json {
        let all: Vec<_> = sys::signatures().map(object).collect();
        serde_json::to_string_pretty(&all)? + "\n"
    } else {
        sys::signatures().map(line).collect()
    };
    Ok(terminal::print(&text)?)
}

fn object(signature: &Signature) -> Value {
    let (names, types): (Vec<_>, Vec<_>) = signature.params().unzip();
    json!({
        "name": signature.name,
        "library": signature.library.soname(),
        "library_before_8_5": signature.library.soname_before_8_5(),
        "since": signature.since,
        "returns": signature.returns(),
        "params": types,
        "param_names": names,
        "prototype": signature.prototype(),
    })
}

fn line(signature: &Signature) -> String {
    let library = signature.library.soname();
    format!("{library:<24} {:<4} {}\n", signature.since, signature.prototype())
}
