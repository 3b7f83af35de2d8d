//! What the examples share about talking to a person: printing, sizes, progress, the way out.

// Each example uses its own part.
#![allow(dead_code, unreachable_pub, unused_imports, unused_macros)]

mod progress;
mod size;
mod start;

pub use progress::Progress;
pub use size::{bytes, parse_bytes, rate};
pub use start::arguments;

use std::cell::Cell;
use std::error::Error;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

thread_local! {
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Lets this thread say nothing any more: others do the same and say it.
pub fn silence() {
    SILENT.set(true);
}

/// Whether another thread says what this one would.
pub fn is_silent() -> bool {
    SILENT.get()
}

/// What an example's work returns.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Ends a program: quietly and with 0, or with the error on standard error and 1.
pub fn exit(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints a line as `println!` does; use `?` on it.
macro_rules! say {
    ($($text:tt)*) => { $crate::terminal::print(&(format!($($text)*) + "\n")) };
}
pub(crate) use say;

/// Prints results on standard output. That whoever reads has seen enough (`… | head`) is no error:
/// the work goes on without them.
pub fn print(text: &str) -> io::Result<()> {
    if SILENT.get() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            Err(io::Error::new(error.kind(), format!("cannot write to standard output: {error}")))
        }
        Ok(()) => Ok(()),
    }
}

/// Prints a line on standard error, which nobody needs to read.
pub fn complain(text: &str) {
    if SILENT.get() {
        return;
    }
    let _ = writeln!(io::stderr().lock(), "{text}");
}
