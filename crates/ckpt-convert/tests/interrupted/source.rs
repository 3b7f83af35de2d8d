//! Sources that change or vanish under a conversion.

use std::fs;
use std::path::PathBuf;

use ckpt_convert::{Error, JOURNAL};
use testkit::Tiny;

use crate::job::{Job, On, a_tensor, assert_done, assert_nothing_final};

fn last_shard(tiny: &Tiny) -> PathBuf {
    tiny.files().last().unwrap().clone()
}

#[test]
fn cut_while_it_is_read() {
    let tiny = Tiny::builder().build();
    let (job, out) = (Job::new(tiny.path()), tempfile::tempdir().unwrap());
    let (expected, shard) = (job.reference(), last_shard(&tiny));
    let bytes = fs::read(&shard).unwrap();
    let modified = fs::metadata(&shard).unwrap().modified().unwrap();
    let cut = || {
        let file = fs::File::options().write(true).open(&shard).unwrap();
        file.set_len(bytes.len() as u64 - 1000).unwrap();
    };
    let error = job.run_as(out.path(), |_| {}, &On::new(0, a_tensor, cut)).unwrap_err();
    let Error::SourceTruncated { path, expected: needed, actual } = &error else {
        panic!("{error}")
    };
    assert_eq!((path, *actual), (&shard, bytes.len() as u64 - 1000));
    assert!(needed > actual, "{error}");
    assert_nothing_final(out.path(), "the source ended early");
    assert!(out.path().join(JOURNAL).exists());

    fs::write(&shard, bytes).unwrap();
    fs::File::options().write(true).open(&shard).unwrap().set_modified(modified).unwrap();
    let report = job.resume(out.path()).unwrap();
    assert!(report.resumed_bytes > 0);
    assert_done(out.path(), &expected, "the source is back");
}

#[test]
fn removed_while_it_is_read() {
    let tiny = Tiny::builder().build();
    let (job, out) = (Job::new(tiny.path()), tempfile::tempdir().unwrap());
    let (expected, shard) = (job.reference(), last_shard(&tiny));
    let aside = tiny.path().join("aside");
    let remove = || fs::rename(&shard, &aside).unwrap();
    match job.run_as(out.path(), |_| {}, &On::new(0, a_tensor, remove)) {
        // It was open already: what is read is still there.
        Ok(_) => {}
        Err(error) => {
            assert!(matches!(error, Error::Io { action: "open", .. }), "{error}");
            assert_nothing_final(out.path(), "a shard was removed");
            assert!(job.resume(out.path()).is_err(), "it is still not there");
            fs::rename(&aside, &shard).unwrap();
            job.resume(out.path()).unwrap();
        }
    }
    assert_done(out.path(), &expected, "the source is back");
}

/// Bytes changed in place make a result of two minds; the changed time tells.
#[test]
fn changed_while_it_is_read() {
    let tiny = Tiny::builder().build();
    let (job, out) = (Job::new(tiny.path()), tempfile::tempdir().unwrap());
    let shard = last_shard(&tiny);
    let change = || {
        let mut bytes = fs::read(&shard).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&shard, bytes).unwrap();
    };
    let error = job.run_as(out.path(), |_| {}, &On::new(0, a_tensor, change)).unwrap_err();
    assert!(error.to_string().contains("changed"), "{error}");
    assert_nothing_final(out.path(), "neither the old nor the new");
}
