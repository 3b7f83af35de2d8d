//! Whose folder it is: two runs at once, results that are there, inputs in the way.

use std::fs;
use std::sync::Mutex;

use ckpt_convert::{Error, SafetensorsSink};

use crate::job::{
    Files, Job, On, a_tensor, assert_done, assert_files, assert_nothing_final, everything, files,
    small_weights,
};

#[test]
fn two_runs_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(small_weights(&folder.path().join("in")));
    let (out, expected) = (folder.path().join("out"), job.reference());
    let seen = Mutex::new(Vec::new());
    let others = || {
        let errors = [job.run(&out), job.resume(&out), job.overwrite(&out)];
        seen.lock().unwrap().extend(errors.into_iter().map(Result::unwrap_err));
    };
    job.run_as(&out, |_| {}, &On::new(2, a_tensor, others)).unwrap();
    let errors = seen.into_inner().unwrap();
    assert_eq!(errors.len(), 3);
    for error in errors {
        assert!(matches!(error, Error::Locked { .. }), "{error}");
    }
    assert_done(&out, &expected, "the first run took no notice");
}

#[test]
fn a_result_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let weights = small_weights(&folder.path().join("in"));
    let (job, out) = (Job::new(&weights), folder.path().join("out"));
    job.run(&out).unwrap();
    let done = everything(&out);
    let error = job.run(&out).unwrap_err();
    assert!(matches!(error, Error::OutputExists { .. }), "{error}");
    assert!(error.to_string().contains("model.ckpt exists already"), "{error}");
    assert_done(&out, &done, "refused");
    // Of another form, so only the manifest is in the way.
    let other = Job::new(&weights).with_sink(SafetensorsSink::hugging_face());
    assert!(matches!(other.run(&out), Err(Error::OutputExists { .. })));
    assert_done(&out, &done, "refused");
}

/// A side file of someone else is no less worth than the weights.
#[test]
fn someones_small_file_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let weights = small_weights(&folder.path().join("in"));
    for name in ["tokenizer.json", "model_config.json", "parameter_names.txt"] {
        let (job, out) = (Job::new(&weights), tempfile::tempdir().unwrap());
        fs::write(out.path().join(name), "mine").unwrap();
        let error = job.run(out.path()).expect_err(name);
        assert!(matches!(&error, Error::OutputExists { path } if path.ends_with(name)), "{error}");
        let mine = Files::from([(name.to_owned(), b"mine".to_vec())]);
        assert_files(&files(out.path()), &mine, name);
        fs::remove_file(out.path().join(name)).unwrap();
        match job.run(out.path()) {
            Err(Error::Unfinished { .. }) => drop(job.resume(out.path()).unwrap()),
            other => drop(other.unwrap()),
        }
        assert_done(out.path(), &job.reference(), name);
    }
}

/// Put there while an interrupted run waited to be resumed.
#[test]
fn a_file_that_came_later() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(small_weights(&folder.path().join("in")));
    let (out, expected) = (folder.path().join("out"), job.reference());
    job.interrupt(&out, 3, a_tensor);
    fs::write(out.join("model.ckpt"), "someone's").unwrap();
    let error = job.resume(&out).unwrap_err();
    assert!(matches!(error, Error::OutputExists { .. }), "{error}");
    assert_eq!(fs::read(out.join("model.ckpt")).unwrap(), b"someone's");
    fs::remove_file(out.join("model.ckpt")).unwrap();
    job.resume(&out).unwrap();
    assert_done(&out, &expected, "out of the way");
}

#[test]
fn a_ckpt_beside_itself() {
    let folder = tempfile::tempdir().unwrap();
    let weights = small_weights(&folder.path().join("in"));
    let out = folder.path().join("out");
    Job::new(&weights).run(&out).unwrap();
    let done = everything(&out);
    // In place of itself: refused, whatever is allowed.
    let itself = Job::new(out.join("model.ckpt"));
    for result in [itself.run(&out), itself.overwrite(&out)] {
        assert!(matches!(result, Err(Error::OutputInsideInput { .. })), "{result:?}");
        assert_done(&out, &done, "refused");
    }
    // As another format, over the earlier result's manifest: the source stays.
    let other = Job::new(out.join("model.ckpt")).with_sink(SafetensorsSink::hugging_face());
    other.overwrite(&out).unwrap();
    let after = everything(&out);
    assert!(after.contains_key("model.safetensors"));
    testkit::assert_bytes("the source", &after["model.ckpt"], &done["model.ckpt"]);
}

/// The index is as much a part of the source as the shards.
#[test]
fn an_index_is_not_replaced() {
    let tiny = testkit::Tiny::builder().build();
    let before = everything(tiny.path());
    let index = tiny.path().join("model.safetensors.index.json");
    let job = Job::new(&index).with_sink(SafetensorsSink::hugging_face()).in_parts(50_000);
    for result in [job.run(tiny.path()), job.overwrite(tiny.path())] {
        let error = result.unwrap_err();
        assert!(
            matches!(error, Error::OutputInsideInput { .. } | Error::OutputExists { .. }),
            "{error}"
        );
        assert_files(&everything(tiny.path()), &before, "refused");
    }
}

#[test]
fn names_stay_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let weights = small_weights(&folder.path().join("in"));
    let out = folder.path().join("deep").join("out");
    let absolute = folder.path().join("deep").join("model");
    let stems = ["../model", "a/b", "", "..", "nul\0", "back\\slash", absolute.to_str().unwrap()];
    for stem in stems {
        let mut job = Job::new(&weights);
        job.plan.stem = Some(stem.to_owned());
        let error = job.run(&out).expect_err(stem);
        assert!(matches!(error, Error::Plan { .. }), "{stem:?}: {error}");
        assert!(!folder.path().join("deep").exists(), "{stem:?}: nothing was made");
    }
    assert_nothing_final(&folder.path().join("deep"), "outside");
}

/// A temporary name may be taken by a link or a second name of something precious.
#[cfg(unix)]
#[test]
fn a_partial_file_that_is_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(small_weights(&folder.path().join("in")));
    let expected = job.reference();
    for name in ["model.ckpt.partial", "model_config.json.partial"] {
        for hard in [false, true] {
            let out = tempfile::tempdir().unwrap();
            let precious = folder.path().join("precious");
            fs::write(&precious, "gold").unwrap();
            let link = out.path().join(name);
            if hard {
                fs::hard_link(&precious, link).unwrap();
            } else {
                std::os::unix::fs::symlink(&precious, link).unwrap();
            }
            job.run(out.path()).unwrap();
            assert_eq!(fs::read(&precious).unwrap(), b"gold", "{name}");
            assert_done(out.path(), &expected, name);
        }
    }
}
