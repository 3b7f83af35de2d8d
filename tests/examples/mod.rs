//! Running the examples as a user does.

use std::env;
use std::process::Command;

/// A command that runs an example of this workspace, by the profile that the tests were built with.
///
/// `cargo test` builds the examples first, but `cargo test --test NAME` does not: run
/// `cargo build --examples` before it, or what is tested is missing or old.
///
/// # Panics
///
/// When the example is not built.
pub(crate) fn example(name: &str) -> Command {
    // target/debug/deps/inspect-0123456789abcdef → target/debug/examples/inspect
    let this = env::current_exe().expect("the path of this test");
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let built = this.ancestors().nth(2).map(|profile| profile.join("examples").join(file));
    match built {
        Some(path) if path.is_file() => Command::new(path),
        path => panic!("example {name} is not built ({path:?}): run cargo build --examples first"),
    }
}
