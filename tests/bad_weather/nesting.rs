//! Outputs that lie where the input lies.

use std::fs;
use std::path::Path;

use testkit::Tiny;

use crate::run::{assert_done, command, converts, message, refused, tree};

const INSIDE: &str = "is inside the input";

#[test]
fn equal_or_below() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = Tiny::builder().build_in(folder.path().join("in"));
    fs::create_dir(folder.path().join("beside")).unwrap();
    let before = tree(folder.path());
    for out in [
        "in",
        "in/",
        "in/out",
        "in/deep/er/out",
        "in/.",
        "in/../in/out",
        "beside/../in",
        "beside/../in/new/../out",
        "new/../in/out",
        "new/er/../../in",
        "in/new/../../in",
    ] {
        for force in ["--no-verify", "--force"] {
            let text = refused(&[&tiny.path(), &folder.path().join(out), &force]);
            assert!(text.contains(INSIDE), "{out}: {text}");
            assert_done(folder.path(), &before, out);
        }
    }
    // Seen from within, with relative paths.
    for (input, out) in [(".", "."), (".", "out"), ("../in", "out"), (".", "../in/out")] {
        let run = command(&[&input, &out]).current_dir(tiny.path()).output().unwrap();
        assert!(message(&run, 1).contains(INSIDE), "{input} {out}");
        assert_done(folder.path(), &before, out);
    }
    // A name that only starts the same is another folder.
    converts(&[&tiny.path(), &folder.path().join("in-converted")]);
    converts(&[&tiny.path(), &folder.path().join("in/../in2")]);
}

#[cfg(unix)]
#[test]
fn through_links() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let tiny = Tiny::builder().build_in(folder.path().join("in"));
    let at = |path: &str| folder.path().join(path);
    fs::create_dir(at("in/below")).unwrap();
    symlink(at("in"), at("to-in")).unwrap();
    symlink("in/below", at("to-below")).unwrap();
    symlink(at("to-in"), at("to-link")).unwrap();
    let before = tree(folder.path());
    for input in ["in", "to-in", "to-link"] {
        for out in
            ["in", "to-in", "to-link", "to-in/out", "to-link/new/../out", "to-below", "to-below/.."]
        {
            let text = refused(&[&at(input), &at(out), &"--force"]);
            assert!(text.contains(INSIDE), "{input} to {out}: {text}");
            assert_done(folder.path(), &before, out);
        }
    }
    drop(tiny);
}

#[test]
fn a_ckpt_beside_itself() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    converts(&[&tiny.path(), &at("made"), &"--name", &"m"]);
    fs::create_dir(at("bare")).unwrap();
    fs::copy(at("made/m.ckpt"), at("bare/m.ckpt")).unwrap();
    let before = tree(&at("bare"));

    let text = refused(&[&at("bare/m.ckpt"), &at("bare"), &"--name", &"m", &"--force"]);
    assert!(text.contains(INSIDE), "{text}");
    assert_done(&at("bare"), &before, "refused");
    let beside = || command(&[&"m.ckpt", &".", &"--dtype", &"keep", &"--json"]);
    let run = beside().args(["--name", "m"]).current_dir(at("bare")).output().unwrap();
    assert!(message(&run, 1).contains(INSIDE));
    assert_done(&at("bare"), &before, "refused");

    let run = beside().args(["--name", "n"]).current_dir(at("bare")).output().unwrap();
    crate::run::report(&run);
    let after = tree(&at("bare"));
    assert_eq!(after[Path::new("m.ckpt")], before[Path::new("m.ckpt")]);
    assert_eq!(after[Path::new("n.ckpt")], before[Path::new("m.ckpt")], "kept as it was");
}

/// The folder's own configuration is not rewritten by converting a file of it beside itself.
#[test]
fn a_configuration_beside_the_ckpt() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    converts(&[&tiny.path(), &made, &"--name", &"m"]);
    fs::remove_file(made.join("manifest.json")).unwrap();
    let before = crate::run::finals(&made);
    let args: [&dyn AsRef<std::ffi::OsStr>; 4] = [&made.join("m.ckpt"), &made, &"--dtype", &"bf16"];
    let text = message(&command(&args).args(["--name", "n"]).output().unwrap(), 1);
    assert!(text.contains("exists already and was left as it is"), "{text}");
    crate::run::assert_trees(&crate::run::finals(&made), &before, "refused");
}
