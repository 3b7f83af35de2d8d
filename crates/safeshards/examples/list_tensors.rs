//! Lists the tensors of a checkpoint: name, element type, shape, bytes and file.

use std::error::Error;
use std::ffi::OsString;
use std::io::{BufWriter, Write, stdout};
use std::process::ExitCode;

use safeshards::Checkpoint;

/// ```sh
/// cargo run --release -p safeshards --example list_tensors -- path/to/gpt-oss-20b
/// ```
fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: list_tensors PATH");
        return ExitCode::from(2);
    };
    match list(path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn list(path: OsString) -> Result<(), Box<dyn Error>> {
    let checkpoint = Checkpoint::open(path)?;

    let mut out = BufWriter::new(stdout().lock());
    for tensor in checkpoint.tensors() {
        let file = tensor.shard().path().file_name().unwrap_or_default();
        writeln!(
            out,
            "{}\t{}\t{:?}\t{}\t{}",
            tensor.name(),
            tensor.dtype(),
            tensor.shape(),
            tensor.byte_len(),
            file.display()
        )?;
    }
    let (tensors, shards) = (checkpoint.len(), checkpoint.shards().len());
    writeln!(out, "{tensors} tensors, {} bytes, {shards} shards", checkpoint.total_bytes())?;
    out.flush()?;
    for warning in checkpoint.warnings() {
        eprintln!("warning: {warning}");
    }
    Ok(())
}
