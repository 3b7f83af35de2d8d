use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{VerifyOptions, verify};
use crate::presets::gpt_oss::{ExpertFormat, Shape};
use crate::{
    CancelToken, CkptSink, Error, Event, ExecOptions, Executor, Experts, MANIFEST, Observer, Phase,
    Plan, PlanOptions, Policy, Source, Synthetic,
};

fn source() -> Source {
    Source::synthetic(Synthetic::new(Shape::tiny(), ExpertFormat::Mxfp4, 3))
}

fn convert(source: &Source, policy: &Policy, folder: &Path) {
    let sink = CkptSink { crc: true };
    let plan = Plan::new(source, policy, &sink, &PlanOptions::default()).unwrap();
    Executor::default().run(&plan, source, folder, |_| Ok(Vec::new()), &()).unwrap();
}

#[derive(Debug, Default)]
struct Seen {
    started: AtomicU64,
    advanced: AtomicU64,
    tensors: AtomicU64,
    finished: AtomicU64,
}

impl Observer for Seen {
    fn on(&self, event: &Event<'_>) {
        match event {
            Event::Started { phase: Phase::Verify, bytes } => {
                self.started.fetch_add(*bytes, Relaxed);
            }
            Event::Advanced { bytes } => {
                self.advanced.fetch_add(*bytes, Relaxed);
            }
            Event::Tensor { .. } => {
                self.tensors.fetch_add(1, Relaxed);
            }
            Event::Finished { phase: Phase::Verify } => {
                self.finished.fetch_add(1, Relaxed);
            }
            event => panic!("{event:?}"),
        }
    }
}

#[test]
fn the_result_does_not_depend_on_threads_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    let source = source();
    let policy = Policy { experts: Experts::Dequantize, ..Policy::default() };
    convert(&source, &policy, folder.path());
    let other = Source::synthetic(Synthetic::new(Shape::tiny(), ExpertFormat::Mxfp4, 4));
    let mut first = None;
    for threads in [1, 2, 5, usize::MAX] {
        for memory in [0, 1 << 20, 256 << 20] {
            let options = VerifyOptions {
                against: Some(&source),
                threads: NonZero::new(threads).unwrap(),
                memory,
                ..VerifyOptions::default()
            };
            let seen = Seen::default();
            let right = verify(folder.path(), &options, &seen).unwrap();
            assert!(right.is_right(), "{:?}", right.findings);
            let checked = right.checked;
            assert!(checked.crc && checked.digests && checked.values, "{checked:?}");
            // All of the file but its checksum is read once.
            assert_eq!(right.bytes_read + mindspore_ckpt::TRAILER_LEN as u64, right.bytes);
            assert_eq!(seen.started.load(Relaxed), right.bytes_read);
            assert_eq!(seen.advanced.load(Relaxed), right.bytes_read);
            assert_eq!(seen.tensors.load(Relaxed), right.tensors as u64);
            assert_eq!(seen.finished.load(Relaxed), 1);

            let options = VerifyOptions { against: Some(&other), ..options };
            let wrong = verify(folder.path(), &options, &()).unwrap();
            assert_eq!(wrong.errors, wrong.tensors as u64);
            assert_eq!(first.get_or_insert(wrong.findings.clone()), &wrong.findings);
        }
    }
}

#[test]
fn what_is_read_ahead_of_one_part_is_not_taken_for_another() {
    // One tensor a part, so that all begin at about the same byte; some are large enough to be
    // read past the page cache, where the file system allows that.
    let folder = tempfile::tempdir().unwrap();
    let shape = Shape { hidden: 256, intermediate: 256, vocab: 4096, ..Shape::tiny() };
    let source = Source::synthetic(Synthetic::new(shape, ExpertFormat::Mxfp4, 5));
    let options = PlanOptions { max_file_size: Some(1), ..PlanOptions::default() };
    let plan = Plan::new(&source, &Policy::default(), &CkptSink { crc: true }, &options).unwrap();
    assert_eq!(plan.files.len(), plan.tensors.len());
    // Reading them back would leave parts of them in the page cache.
    let executor = Executor::new(ExecOptions { verify: false, ..ExecOptions::default() });
    executor.run(&plan, &source, folder.path(), |_| Ok(Vec::new()), &()).unwrap();
    let options = VerifyOptions { against: Some(&source), ..VerifyOptions::default() };
    let right = verify(folder.path(), &options, &()).unwrap();
    assert!(right.is_right(), "{:?}", right.findings);
}

#[test]
fn it_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    convert(&source(), &Policy::default(), folder.path());
    let cancel = CancelToken::default();
    cancel.cancel();
    let options = VerifyOptions { cancel, ..VerifyOptions::default() };
    let stopped = verify(folder.path(), &options, &());
    assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
}

#[test]
fn a_source_that_shrinks_is_a_finding() {
    let (weights, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    convert(&source(), &Policy::default(), weights.path());
    let against = Source::open(weights.path()).unwrap();
    convert(&against, &Policy::default(), folder.path());
    let file = against.files()[0].path();
    let whole = fs::read(file).unwrap();
    fs::write(file, &whole[..whole.len() / 2]).unwrap();
    let options = VerifyOptions { against: Some(&against), ..VerifyOptions::default() };
    let found = verify(folder.path(), &options, &()).unwrap();
    assert!(!found.is_right());
    let message = "cannot be compared with the source: ";
    assert!(found.findings.iter().any(|finding| finding.message.contains(message)));
    // The checkpoint itself is as it was.
    assert!(verify(folder.path(), &VerifyOptions::default(), &()).unwrap().is_right());
}

#[test]
fn what_is_in_a_missing_part_is_not_called_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (source, path) = (source(), |name: &str| folder.path().join(name));
    let options = PlanOptions {
        max_file_size: Some(200_000),
        stem: Some("m".to_owned()),
        ..PlanOptions::default()
    };
    let plan = Plan::new(&source, &Policy::default(), &CkptSink::default(), &options).unwrap();
    assert_eq!(plan.files.len(), 3);
    Executor::default().run(&plan, &source, folder.path(), |_| Ok(Vec::new()), &()).unwrap();
    let found = || {
        let options = VerifyOptions { against: Some(&source), ..VerifyOptions::default() };
        verify(folder.path(), &options, &()).unwrap()
    };
    let has = |found: &super::Verification, text: &str| {
        found.findings.iter().any(|finding| finding.message.contains(text))
    };
    let (left_out, unknown) = ("is in no tensor of the checkpoint", "cannot be told");
    fs::remove_file(path("m-00002-of-00003.ckpt")).unwrap();

    // The manifest knows what was in it.
    let listed = found();
    assert!(!has(&listed, left_out) && !has(&listed, unknown), "{:?}", listed.findings);
    // Without one nobody does: neither by the index nor by the numbers of the other parts.
    for (gone, missing) in
        [(MANIFEST, "the index says that it holds"), ("m.ckpt.index.json", "by the numbers")]
    {
        fs::remove_file(path(gone)).unwrap();
        let found = found();
        assert!(!has(&found, left_out) && has(&found, unknown), "{:?}", found.findings);
        assert!(has(&found, missing), "{:?}", found.findings);
        assert_eq!(found.errors, 1, "the missing part");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_need_not_be_utf_8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join(OsStr::from_bytes(b"m\xff"));
    convert(&source(), &Policy::default(), &inner);
    let right = verify(&inner, &VerifyOptions::default(), &()).unwrap();
    assert!(right.is_right() && right.checked.manifest, "{:?}", right.findings);
    let file = inner.join(&right.files[0]);
    fs::rename(&file, inner.join(OsStr::from_bytes(b"n\xff.ckpt"))).unwrap();
    let renamed = verify(&inner, &VerifyOptions::default(), &()).unwrap();
    assert!(!renamed.checked.manifest);
    assert!(serde_json::to_string(&renamed).unwrap().contains("n\u{fffd}.ckpt"));
}

#[test]
fn a_device_is_no_checkpoint_and_an_index_needs_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("weights.json");
    fs::write(&json, "{}").unwrap();
    for path in [json.as_path(), Path::new("/dev/null")] {
        let refused = verify(path, &VerifyOptions::default(), &());
        assert!(matches!(refused, Err(Error::NoCheckpoint { .. })), "{refused:?}");
    }
}
