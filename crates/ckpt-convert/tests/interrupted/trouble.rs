//! Panics in what the caller brings, and bytes that change on the disk.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ckpt_convert::{Error, Event};

use crate::job::{
    Job, On, a_tensor, an_end, assert_done, assert_nothing_final, scratch, small_weights,
};

#[test]
fn a_panicking_observer_ends_the_run() {
    let folder = scratch();
    let job = Job::new(small_weights(&folder.path().join("in")));
    let advanced = |event: &Event<'_>| matches!(event, Event::Advanced { bytes } if *bytes > 0);
    for happens in [a_tensor, advanced] {
        let out = scratch();
        // In the thread that hashes, and in one that writes: neither may leave the others waiting.
        let observer = On::new(1, happens, || panic!("of the observer"));
        let run = || job.run_as(out.path(), |_| {}, &observer).map(drop);
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        assert_nothing_final(out.path(), "after a panic");
    }
}

#[test]
fn a_file_found_wrong_is_made_anew() {
    let folder = scratch();
    let job = Job::new(small_weights(&folder.path().join("in")));
    let expected = job.reference();
    let out = scratch();
    job.interrupt(out.path(), 0, an_end);
    let partial = out.path().join("model.ckpt.partial");
    let mut bytes = fs::read(&partial).unwrap();
    bytes[1000] ^= 1;
    fs::write(&partial, bytes).unwrap();

    let error = job.resume(out.path()).unwrap_err();
    assert!(matches!(error, Error::ReadBack { .. }), "{error}");
    assert_nothing_final(out.path(), "read back wrong");
    let report = job.resume(out.path()).unwrap();
    assert_eq!(report.resumed_bytes, 0, "the journal no longer trusts it");
    assert_done(out.path(), &expected, "made anew");
}

#[test]
fn starting_anew_leaves_nothing_of_the_run_it_forgets() {
    let folder = scratch();
    let weights = small_weights(&folder.path().join("in"));
    let (parts, one) = (Job::new(&weights).in_parts(100_000), Job::new(&weights));
    let out = scratch();
    parts.interrupt(out.path(), 2, a_tensor);
    assert!(fs::read_dir(out.path()).unwrap().count() > 1);
    one.overwrite(out.path()).unwrap();
    assert_done(out.path(), &one.reference(), "started anew");
}
