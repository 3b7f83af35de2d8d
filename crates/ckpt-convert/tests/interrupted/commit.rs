//! Stopped while the files get their names.

use std::fs;
use std::path::Path;

use ckpt_convert::{CkptSink, Error, JOURNAL, SafetensorsSink, Source};

use crate::job::{
    Files, Job, a_tensor, an_end, assert_done, assert_files, everything, files, scratch,
    small_weights,
};

/// A folder where a file should go stops a commit there.
fn in_the_way(out: &Path, name: &str) {
    fs::create_dir_all(out.join(name).join("inside")).unwrap();
}

fn out_of_the_way(out: &Path, name: &str) {
    fs::remove_dir_all(out.join(name)).unwrap();
}

#[test]
fn every_name_refused_once() {
    let folder = scratch();
    let job = Job::new(small_weights(&folder.path().join("in"))).in_parts(150_000);
    let expected = job.reference();
    for name in expected.keys() {
        let out = scratch();
        job.interrupt(out.path(), 0, an_end);
        in_the_way(out.path(), name);
        let error = job.resume(out.path()).expect_err(name);
        assert!(error.to_string().contains(name.as_str()), "{name}: {error}");
        assert!(out.path().join(JOURNAL).exists(), "{name}: can be resumed");
        // Whatever has its final name is whole.
        for (done, bytes) in files(out.path()) {
            testkit::assert_bytes(&format!("{name}: {done}"), &bytes, &expected[&done]);
        }
        out_of_the_way(out.path(), name);
        let report = job.resume(out.path()).expect(name);
        assert_eq!(report.resumed_bytes, report.bytes, "{name}: nothing is written twice");
        assert_done(out.path(), &expected, name);
    }
}

/// An earlier result and another conversion that is to replace it.
fn two_jobs(folder: &Path) -> [Job; 2] {
    let weights = small_weights(&folder.join("in"));
    let second = Job::new(&weights).with_sink(CkptSink { crc: true });
    [Job::new(&weights).in_parts(150_000), second]
}

#[test]
fn a_failed_overwrite_leaves_the_old_result() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = two_jobs(folder.path());
    let out = folder.path().join("out");
    first.run(&out).unwrap();
    let old = everything(&out);
    for nth in 0..7 {
        let cancel = ckpt_convert::CancelToken::default();
        let stop = cancel.clone();
        let observer = crate::job::On::new(nth, a_tensor, move || stop.cancel());
        let change = |options: &mut ckpt_convert::ExecOptions| {
            options.overwrite = true;
            options.cancel = cancel;
        };
        if second.run_as(&out, change, &observer).is_err() {
            assert_files(&files(&out), &old, "stopped");
        }
    }
    second.overwrite(&out).unwrap();
    assert_done(&out, &second.reference(), "nothing of the old result is left");
}

#[test]
fn an_overwrite_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = two_jobs(folder.path());
    for (first, second) in [(&first, &second), (&second, &first)] {
        let expected = second.reference();
        let out = tempfile::tempdir().unwrap();
        first.run(out.path()).unwrap();
        let old = files(out.path());
        stop_overwrite(second, out.path());
        assert_files(&files(out.path()), &old, "stopped");
        second.resume(out.path()).unwrap();
        assert_done(out.path(), &expected, "resumed");
        assert!(Source::open(out.path()).is_ok(), "the folder can be read");
    }
}

fn stop_overwrite(job: &Job, out: &Path) {
    let cancel = ckpt_convert::CancelToken::default();
    let stop = cancel.clone();
    let observer = crate::job::On::new(4, a_tensor, move || stop.cancel());
    let change = |options: &mut ckpt_convert::ExecOptions| {
        options.overwrite = true;
        options.cancel = cancel;
    };
    assert!(matches!(job.run_as(out, change, &observer), Err(Error::Cancelled)));
}

/// Stopped between two names, so that old and new are side by side: resuming clears up.
#[test]
fn an_overwrite_stopped_between_names() {
    let folder = tempfile::tempdir().unwrap();
    let [second, first] = two_jobs(folder.path());
    let expected = second.reference();
    // Not the manifest: it is how the old result is known.
    let small = ["model.ckpt.index.json", "model_config.json", "parameter_names.txt"];
    for name in small {
        let out = tempfile::tempdir().unwrap();
        first.run(out.path()).unwrap();
        let _ = fs::remove_file(out.path().join(name));
        in_the_way(out.path(), name);
        second.overwrite(out.path()).expect_err(name);
        out_of_the_way(out.path(), name);
        second.resume(out.path()).expect(name);
        assert_done(out.path(), &expected, name);
    }
}

/// From parts to one file, and to another format: no index may point at what is gone.
#[test]
fn replaced_by_another_form() {
    let folder = tempfile::tempdir().unwrap();
    let weights = small_weights(&folder.path().join("in"));
    let out = folder.path().join("out");
    Job::new(&weights).in_parts(1).run(&out).unwrap();
    for job in [
        Job::new(&weights),
        Job::new(&weights).in_parts(150_000).with_sink(SafetensorsSink::mindspore()),
        Job::new(&weights).with_sink(SafetensorsSink::hugging_face()),
        Job::new(&weights).in_parts(100_000),
    ] {
        job.overwrite(&out).unwrap();
        assert_done(&out, &job.reference(), "replaced");
        assert!(Source::open(&out).is_ok(), "the folder can be read");
    }
}

/// An old file of the same name and length is not taken for the new one.
#[test]
fn the_old_result_is_not_taken_for_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let weights = small_weights(&old);
    small_weights(&new);
    let mut bytes = fs::read(new.join("model.safetensors")).unwrap();
    *bytes.last_mut().unwrap() ^= 0x10;
    fs::write(new.join("model.safetensors"), bytes).unwrap();
    let (first, second) = (Job::new(weights), Job::new(new));
    let (out, expected) = (folder.path().join("out"), second.reference());
    first.run(&out).unwrap();
    let cancel = ckpt_convert::CancelToken::default();
    let stop = cancel.clone();
    let observer = crate::job::On::new(0, an_end, move || stop.cancel());
    let change = |options: &mut ckpt_convert::ExecOptions| {
        options.overwrite = true;
        options.cancel = cancel;
    };
    assert!(second.run_as(&out, change, &observer).is_err());
    fs::remove_file(out.join("model.ckpt.partial")).unwrap();
    let change = |options: &mut ckpt_convert::ExecOptions| {
        options.resume = true;
        options.verify = false;
    };
    second.run_as(&out, change, &()).unwrap();
    assert_done(&out, &expected, "made again");
}

/// A side file that cannot be made fails before anything has its name.
#[test]
fn side_files_fail_first() {
    use ckpt_convert::{ExecOptions, Executor, Plan, PlanOptions, Policy};
    let folder = tempfile::tempdir().unwrap();
    let weights = small_weights(&folder.path().join("in"));
    let out = folder.path().join("out");
    let source = Source::open(&weights).unwrap();
    let plan =
        Plan::new(&source, &Policy::default(), &CkptSink::default(), &PlanOptions::default())
            .unwrap();
    let side = |_: &_| Err(Error::Cancelled);
    let error = Executor::new(ExecOptions::default()).run(&plan, &source, &out, side, &());
    assert!(error.is_err());
    assert_files(&files(&out), &Files::new(), "no side files, no result");
}
