//! A plain C program, linked against the folders and loading from them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use ascend_sim::layout::{Cann, Layout, lay_out};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client.c");

/// The libraries that a program links against, by release.
fn libraries(cann: Cann) -> &'static [&'static str] {
    match cann {
        Cann::V8_3 => &["ascendcl", "nnopbase", "opapi"],
        Cann::V8_5 => &["acl_rt", "nnopbase", "opapi_math", "opapi_nn"],
    }
}

/// Compiles the program, `None` where there is no C compiler.
fn compile(dir: &Path, name: &str, arguments: &[OsString]) -> Option<PathBuf> {
    let program = dir.join(name);
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", SOURCE, "-o"]).arg(&program);
    let output = match command.args(arguments).arg("-lm").output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: no cc on this machine, so no C program can be compiled");
            return None;
        }
        output => output.unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(program)
}

fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

fn linked(dir: &Path, folder: &Path, cann: Cann) -> Option<PathBuf> {
    let mut arguments = vec![OsString::from("-L"), folder.into()];
    arguments.extend(libraries(cann).iter().map(|name| format!("-l{name}").into()));
    compile(dir, "linked", &arguments)
}

#[test]
fn a_linked_program_runs_on_both_releases() {
    let dir = tempfile::tempdir().unwrap();
    for cann in [Cann::V8_3, Cann::V8_5] {
        let folder = lay_out(dir.path(), cann).unwrap();
        let Some(program) = linked(dir.path(), &folder, cann) else { return };
        let (code, text) = run(Command::new(program).env("LD_LIBRARY_PATH", &folder));
        assert_eq!(code, Some(0), "{text}");
        for line in ["device 0 is Ascend910B3", "as computed here", "refused: E", "done"] {
            assert!(text.contains(line), "{text}");
        }
    }
}

#[test]
fn a_loading_program_runs_on_both_releases() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["-DLOADED", "-ldl"].map(OsString::from);
    let Some(program) = compile(dir.path(), "loading", &arguments) else { return };
    for cann in [Cann::V8_3, Cann::V8_5] {
        let folder = lay_out(dir.path(), cann).unwrap();
        let paths = libraries(cann).iter().map(|name| folder.join(format!("lib{name}.so")));
        let (code, text) = run(Command::new(&program).args(paths));
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("done"), "{text}");
    }
}

/// The environment describes the machine for a C program too, and one library can be changed under it.
#[test]
fn a_linked_program_meets_other_machines() {
    let dir = tempfile::tempdir().unwrap();
    let folder = lay_out(dir.path(), Cann::V8_5).unwrap();
    let Some(program) = linked(dir.path(), &folder, Cann::V8_5) else { return };
    let on = |folder: &Path, name: &str, value: &str| {
        run(Command::new(&program).env("LD_LIBRARY_PATH", folder).env(name, value))
    };
    let (code, text) = on(&folder, "ASCEND_SIM_SOC", "Ascend910B4");
    assert!(code == Some(0) && text.contains("Ascend910B4"), "{text}");
    let (code, text) = on(&folder, "ASCEND_SIM_FAULTS", "malloc:2");
    assert!(code == Some(1) && text.contains("207001"), "{text}");
    let (code, text) = on(&folder, "ASCEND_SIM_FAULTS", "kernel:1=507015");
    assert!(
        code == Some(1) && text.contains("aclrtSynchronizeStream") && text.contains("507015"),
        "{text}"
    );

    let stub = Layout::new(Cann::V8_5).stub().write(dir.path().join("stub")).unwrap();
    let (code, text) = on(&stub, "ASCEND_SIM_SOC", "Ascend910B3");
    assert!(code == Some(1) && text.contains("100039"), "{text}");
    let broken = Layout::new(Cann::V8_5).without("libopapi_nn.so").write(dir.path().join("broken"));
    let (code, text) = on(&broken.unwrap(), "ASCEND_SIM_SOC", "Ascend910B3");
    assert!(code != Some(0) && text.contains("libopapi_nn.so"), "{text}");
}
