//! Other machines, each in a process of its own: the simulator reads its environment once.

use std::env;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Libraries for processes of one test.
pub(crate) struct Machines(TempDir);

impl Machines {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        ascend_sim::layout::lay_out(folder.path(), crate::CANN).unwrap();
        Self(folder)
    }

    /// An ignored test of this program, named from `npu` on, with some variables set.
    pub(crate) fn command(&self, test: &str, variables: &[(&str, &str)]) -> Command {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "--ignored", "--nocapture", &format!("npu::{test}")]);
        let folder = match crate::CANN {
            ascend_sim::layout::Cann::V8_3 => "8.3",
            ascend_sim::layout::Cann::V8_5 => "8.5",
        };
        child.env("ASCEND_ACL_PATH", self.0.path().join(folder));
        child.envs(variables.iter().copied());
        child
    }

    /// Runs it; gives what it prints.
    #[track_caller]
    pub(crate) fn run(&self, test: &str, variables: &[(&str, &str)]) -> String {
        let output = self.command(test, variables).output().unwrap();
        passed(&format!("{test} with {variables:?}"), &output)
    }
}

/// What a child has printed; fails if it failed.
#[track_caller]
pub(crate) fn passed(what: &str, output: &Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr);
    let good = output.status.success() && printed.contains("1 passed");
    assert!(good, "{what}: {}\n{printed}\n{words}", output.status);
    printed.into_owned()
}
