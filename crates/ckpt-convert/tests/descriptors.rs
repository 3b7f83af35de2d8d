//! Checkpoints of more parts than a process may have open files.
#![cfg(unix)]

use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use ckpt_convert::{
    CkptSink, ExecOptions, Executor, Plan, PlanOptions, Policy, SafetensorsSink, Sink, Source,
    VerifyOptions, verify,
};
use mindspore_ckpt::{Dtype, TensorSpec, Writer};

const PARTS: usize = 120;
const LIMITED: &str = "FEW_DESCRIPTORS";

/// Runs this test again with few descriptors; true in there.
fn limited(test: &str) -> bool {
    if env::var_os(LIMITED).is_some() {
        return true;
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 90 && exec \"$@\"", "sh"]).arg(env::current_exe().unwrap());
    let status = shell.args(["--exact", test]).env(LIMITED, "1").status().unwrap();
    assert!(status.success(), "with few descriptors: {status}");
    false
}

fn convert(from: &Path, to: &Path, sink: &dyn Sink, max_file_size: Option<u64>) {
    let source = Source::open(from).unwrap();
    let options = PlanOptions { max_file_size, ..PlanOptions::default() };
    let plan = Plan::new(&source, &Policy::default(), sink, &options).unwrap();
    let threads = NonZero::new(2).unwrap();
    let executor = Executor::new(ExecOptions { threads, ..ExecOptions::default() });
    executor.run(&plan, &source, to, |_| Ok(Vec::new()), &()).unwrap();

    let options = VerifyOptions { against: Some(&source), threads, ..VerifyOptions::default() };
    let right = verify(to, &options, &()).unwrap();
    assert!(right.is_right() && right.checked.values, "{:?}", right.findings);
}

#[test]
fn more_parts_than_descriptors() {
    if !limited("more_parts_than_descriptors") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [parts, shards] = ["parts", "shards"].map(|name| folder.path().join(name));
    fs::create_dir(&parts).unwrap();
    for part in 0..PARTS {
        let file = fs::File::create(parts.join(format!("{part:04}.ckpt"))).unwrap();
        let mut writer = Writer::new(file);
        let spec = TensorSpec::new(format!("w{part}"), Dtype::UInt8, [3]).unwrap();
        writer.write_tensor(spec, &[part as u8, 1, 2]).unwrap();
        writer.finish().unwrap();
    }
    // Many files from many, and one from many.
    convert(&parts, &shards, &SafetensorsSink::unmarked(), Some(1));
    convert(&shards, &folder.path().join("one"), &CkptSink::default(), None);
}
