//! What every program begins with.

use std::env;
use std::io;
use std::process;

use clap::{Arg, Parser, value_parser};
use clap_complete::Shell;
use tracing_subscriber::EnvFilter;

use super::complain;

const COMPLETIONS: &str = "completions";

/// The arguments of the program. `--help` and `--completions` end it here, and so do arguments that are not understood. What
/// `RUST_LOG` asks for is told on standard error from now on: nothing, if it is not set.
pub fn arguments<A: Parser>() -> A {
    log();
    let completions = Arg::new(COMPLETIONS)
        .long(COMPLETIONS)
        .value_name("SHELL")
        .help("Print what makes a shell complete these options, and do nothing else")
        .value_parser(value_parser!(Shell))
        .exclusive(true);
    let mut command = A::command().arg(completions);
    let matches = command.clone().get_matches();
    if let Some(&shell) = matches.get_one::<Shell>(COMPLETIONS) {
        clap_complete::generate(shell, &mut command, name(), &mut io::stdout());
        process::exit(0);
    }
    A::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// What the program was started as.
fn name() -> String {
    let program = env::current_exe().ok();
    let stem = program.as_deref().and_then(|program| program.file_stem());
    stem.map_or_else(|| "example".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn log() {
    if env::var_os("RUST_LOG").is_none_or(|filter| filter.is_empty()) {
        return;
    }
    match EnvFilter::try_from_default_env() {
        Ok(filter) => {
            let subscriber = tracing_subscriber::fmt().with_env_filter(filter);
            // Only this program could have been first.
            let _ = subscriber.with_writer(io::stderr).with_ansi(false).try_init();
        }
        Err(error) => complain(&format!("RUST_LOG is not understood, and ignored: {error}")),
    }
}
