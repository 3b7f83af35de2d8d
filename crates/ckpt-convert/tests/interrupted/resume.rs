//! Stopped at every point, then resumed.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use ckpt_convert::presets::gpt_oss::Shape;
use ckpt_convert::{CkptSink, Experts, JOURNAL, Policy, SafetensorsSink};
use testkit::Tiny;

use crate::job::{
    Files, Job, On, a_tensor, an_end, any, assert_done, assert_files, assert_nothing_final,
    everything, files, scratch, small_weights,
};

/// Events of an undisturbed run.
fn events(job: &Job) -> usize {
    let count = AtomicUsize::new(0);
    let out = scratch();
    let counted = Counter(&count);
    job.run_as(out.path(), |_| {}, &counted).unwrap();
    count.load(SeqCst)
}

#[derive(Debug)]
struct Counter<'a>(&'a AtomicUsize);

impl ckpt_convert::Observer for Counter<'_> {
    fn on(&self, _: &ckpt_convert::Event<'_>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Stops after every event in turn and resumes; returns the most that was taken over.
fn stop_everywhere(job: &Job) -> u64 {
    let before = everything(&job.weights);
    let expected = job.reference();
    let mut most = 0;
    for nth in 0..events(job) {
        let out = scratch();
        let what = format!("stopped at event {nth}");
        match job.stop_at(out.path(), nth, any) {
            // Too late: all was read back.
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.to_string(), "cancelled");
                assert_nothing_final(out.path(), &what);
                assert!(out.path().join(JOURNAL).exists(), "{what}");
                let report = job.resume(out.path()).expect(&what);
                most = most.max(report.resumed_bytes);
                assert!(report.resumed_bytes <= report.bytes, "{what}");
            }
        }
        assert_done(out.path(), &expected, &what);
    }
    assert_files(&everything(&job.weights), &before, "the source");
    most
}

#[test]
fn one_ckpt() {
    let tiny = Tiny::builder().shape(Shape::tiny().with_layers(1)).build();
    let job = Job::new(tiny.path());
    let bytes = job.reference()["model.ckpt"].len() as u64;
    assert_eq!(stop_everywhere(&job), bytes, "a stop while reading back keeps everything");
}

#[test]
fn with_a_checksum_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(small_weights(&folder.path().join("in")))
        .in_parts(150_000)
        .with_sink(CkptSink { crc: true });
    assert!(job.reference().len() > 5, "several parts");
    assert!(stop_everywhere(&job) > 300_000);
}

#[test]
fn safetensors() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(small_weights(&folder.path().join("in")))
        .with_sink(SafetensorsSink::hugging_face());
    assert!(stop_everywhere(&job) > 300_000);
}

#[test]
fn packing_counts_every_block_once() {
    let shape = Shape::tiny().with_layers(1);
    let experts = ckpt_convert::presets::gpt_oss::ExpertFormat::Bf16;
    let tiny = Tiny::builder().shape(shape).experts(experts).build();
    let mut job = Job::new(tiny.path());
    job.policy = Policy { experts: Experts::Quantize, ..Policy::default() };
    let out = scratch();
    let expected = job.run(out.path()).unwrap().packing.expect("packed experts");
    for nth in 0..22 {
        let out = scratch();
        if job.stop_at(out.path(), nth, a_tensor).is_err() {
            let report = job.resume(out.path()).unwrap();
            assert_eq!(report.packing.unwrap().blocks, expected.blocks, "after tensor {nth}");
            assert_eq!(report.packing.unwrap().exact_blocks, expected.exact_blocks);
        }
    }
}

/// What a `kill -9` leaves at any moment is what a copy of the folder holds at that moment.
#[test]
fn killed_everywhere() {
    let folder = scratch();
    let job = Job::new(small_weights(&folder.path().join("in"))).in_parts(150_000);
    let expected = job.reference();
    for nth in 0..events(&job) {
        let (out, left) = (scratch(), scratch());
        let copy = || copy_folder(out.path(), left.path());
        job.run_as(out.path(), |_| {}, &On::new(nth, any, copy)).unwrap();
        let what = format!("killed at event {nth}");
        assert_nothing_final(left.path(), &what);
        job.resume(left.path()).expect(&what);
        assert_done(left.path(), &expected, &what);
    }
}

/// The journal goes first: what it speaks of is in the files already.
fn copy_folder(from: &Path, to: &Path) {
    fs::copy(from.join(JOURNAL), to.join(JOURNAL)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != JOURNAL {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(small_weights(&folder.path().join("in"))).in_parts(150_000);
    let expected = job.reference();
    let out = folder.path().join("out");
    job.interrupt(&out, 0, a_tensor);
    let mut stops = 1;
    let resume = |options: &mut ckpt_convert::ExecOptions| options.resume = true;
    loop {
        let cancel = ckpt_convert::CancelToken::default();
        let stop = cancel.clone();
        // The first tensor that this run finishes is its last but what is under way.
        let observer = On::new(1, a_tensor, move || stop.cancel());
        let with = |options: &mut ckpt_convert::ExecOptions| {
            resume(options);
            options.cancel = cancel;
        };
        if job.run_as(&out, with, &observer).is_ok() {
            break;
        }
        stops += 1;
        assert_nothing_final(&out, "stopped again");
        assert!(stops < 50, "it never ends");
    }
    assert_done(&out, &expected, "after all");
}

#[test]
fn other_threads_memory_and_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(small_weights(&folder.path().join("in")));
    let expected = job.reference();
    for memory in [0, 1 << 20, 3 << 20, 256 << 20] {
        let out = tempfile::tempdir().unwrap();
        job.interrupt(out.path(), 4, a_tensor);
        let change = |options: &mut ckpt_convert::ExecOptions| {
            options.resume = true;
            options.memory = memory;
            options.threads = 5.try_into().unwrap();
            options.checkpoint_bytes = u64::MAX;
            options.verify = false;
        };
        job.run_as(out.path(), change, &()).unwrap();
        assert_done(out.path(), &expected, &format!("resumed with {memory} bytes"));
    }
}

#[cfg(unix)]
#[test]
fn finished_parts_are_not_written_again() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::new(small_weights(&folder.path().join("in"))).in_parts(1);
    job.exec.checkpoint_bytes = u64::MAX;
    let (out, expected) = (folder.path().join("out"), job.reference());
    job.interrupt(&out, 3, a_tensor);
    let look = |name: &str| {
        let metadata = fs::metadata(out.join(name)).unwrap();
        (metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len())
    };
    let part = |part: usize| format!("model-{part:05}-of-00006.ckpt");
    let partial = |number: usize| format!("{}.partial", part(number));
    let before: Vec<_> = (1..=4).map(|number| look(&partial(number))).collect();
    let report = job.resume(&out).unwrap();
    let after: Vec<_> = (1..=4).map(|number| look(&part(number))).collect();
    assert_eq!(after, before);
    assert_eq!(report.resumed_bytes, before.iter().map(|look| look.3).sum::<u64>());
    assert_done(&out, &expected, "resumed");
}

#[test]
fn read_back_alone_is_left_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(small_weights(&folder.path().join("in")));
    let (out, expected) = (folder.path().join("out"), job.reference());
    job.interrupt(&out, 0, an_end);
    let report = job.resume(&out).unwrap();
    assert_eq!(report.resumed_bytes, report.bytes);
    assert!(report.verify_seconds.is_some());
    assert_done(&out, &expected, "resumed");
}

#[test]
fn nothing_to_resume() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(small_weights(&folder.path().join("in")));
    let out = folder.path().join("out");
    let error = job.resume(&out).unwrap_err();
    assert!(
        error.to_string().ends_with("cannot resume: no interrupted conversion here"),
        "{error}"
    );
    assert_files(&everything(&out), &Files::new(), "nothing is left");
    job.run(&out).unwrap();
    let done = files(&out);
    assert!(job.resume(&out).is_err(), "a finished conversion");
    assert_done(&out, &done, "still there");
}

#[test]
fn interrupted_needs_a_decision() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(small_weights(&folder.path().join("in")));
    let (out, expected) = (folder.path().join("out"), job.reference());
    job.interrupt(&out, 3, a_tensor);
    let left = everything(&out);
    let error = job.run(&out).unwrap_err();
    assert!(
        error.to_string().contains("was interrupted; resume it, or allow overwriting"),
        "{error}"
    );
    assert_files(&everything(&out), &left, "refused, so nothing changed");
    job.overwrite(&out).unwrap();
    assert_done(&out, &expected, "started anew");
}
