//! Writes the conversion tables that `tests/judge/dtypes.py` compares with `ml_dtypes` and numpy.
//!
//! ```text
//! cargo run -p lowfloat --example dump_tables -- target/tables
//! python crates/lowfloat/tests/judge/dtypes.py target/tables
//! ```

use std::path::PathBuf;
use std::{env, fs, io};

#[path = "../tests/judge/tables.rs"]
#[allow(clippy::cast_possible_truncation)]
mod tables;

fn main() -> io::Result<()> {
    let Some(dir) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("usage: dump_tables DIRECTORY"));
    };
    fs::create_dir_all(&dir)?;
    for table in tables::all() {
        fs::write(dir.join(&table.name).with_extension("bin"), table.bytes)?;
    }
    Ok(())
}
