//! Makes shared libraries for tests, where there is a C compiler.

// Each test uses its own part.
#![allow(dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles C to a shared library, or says that it cannot: then the test has nothing to load.
pub fn library(folder: &Path, soname: &str, source: &str) -> Option<PathBuf> {
    let c = folder.join(format!("{soname}.c"));
    std::fs::write(&c, source).expect("a file in a new folder");
    let library = folder.join(soname);
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&c).status();
    match compiled {
        Ok(status) if status.success() => Some(library),
        other => {
            eprintln!("skipped: no C compiler here ({other:?})");
            None
        }
    }
}

/// A runtime whose version is 1.2.3.
pub const RUNTIME: &str = "
    int aclrtGetVersion(int *a, int *b, int *c) { *a = 1; *b = 2; *c = 3; return 0; }
";
/// A library without a function.
pub const EMPTY: &str = "int made_for_a_test(void) { return 0; }";
