//! Journals that are cut, of something else, or untrue.

use std::fs;
use std::path::Path;

use ckpt_convert::{Error, JOURNAL, SafetensorsSink};
use testkit::Tiny;

use crate::job::{
    Files, Job, a_tensor, an_end, assert_done, assert_files, assert_nothing_final, everything,
    files, scratch, small_weights,
};

fn put(files: &Files, folder: &Path) {
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

fn read(out: &Path) -> Vec<u8> {
    fs::read(out.join(JOURNAL)).unwrap()
}

/// Every byte at which a crash may cut the journal's last write, with tensors of no bytes around.
#[test]
fn cut_at_every_line_and_beside_it() {
    let folder = scratch();
    let weights = small_weights(&folder.path().join("in"));
    for job in [
        Job::new(&weights).with_sink(SafetensorsSink::hugging_face()),
        Job::new(&weights).in_parts(150_000),
    ] {
        let expected = job.reference();
        let out = scratch();
        job.interrupt(out.path(), 0, an_end);
        let (left, journal) = (everything(out.path()), read(out.path()));
        let ends: Vec<_> = (0..journal.len()).filter(|&at| journal[at] == b'\n').collect();
        assert!(ends.len() >= 8, "one of each tensor, and more");
        let cuts = ends.iter().flat_map(|&end| [end - 1, end, end + 1]).chain([0, 1]);
        for cut in cuts {
            let out = scratch();
            put(&left, out.path());
            fs::write(out.path().join(JOURNAL), &journal[..cut]).unwrap();
            let what = format!("cut to {cut} of {} bytes", journal.len());
            job.resume(out.path()).expect(&what);
            assert_done(out.path(), &expected, &what);
        }
    }
}

/// Killed before the journal said that the old result may go: it stays until that is said again.
#[test]
fn cut_before_leave_to_overwrite_is_told() {
    let folder = scratch();
    let weights = small_weights(&folder.path().join("in"));
    let (one, parts) = (Job::new(&weights), Job::new(&weights).in_parts(150_000));
    for (old, new) in [(&one, &one), (&one, &parts), (&parts, &one)] {
        for torn in ["", "{", "{\"conversion\":{\"version\":1"] {
            let out = scratch();
            old.run(out.path()).unwrap();
            let left = everything(out.path());
            fs::write(out.path().join(JOURNAL), torn).unwrap();
            for _ in 0..2 {
                let error = new.resume(out.path()).unwrap_err();
                assert!(matches!(error, Error::OutputExists { .. }), "{torn:?}: {error}");
                assert_files(&files(out.path()), &left, "refused, so the old result is there");
            }
            new.overwrite(out.path()).unwrap();
            assert_done(out.path(), &new.reference(), "allowed once more");
        }
    }
}

#[test]
fn of_another_conversion() {
    let folder = tempfile::tempdir().unwrap();
    let weights = small_weights(&folder.path().join("in"));
    let out = folder.path().join("out");
    let job = Job::new(&weights);
    job.interrupt(&out, 3, a_tensor);
    let left = everything(&out);
    let mut renamed = Job::new(&weights);
    renamed.policy.rules.add_rename("^a$=z").unwrap();
    let mut kept = Job::new(&weights);
    kept.policy.floats = ckpt_convert::FloatTarget::Keep;
    let crc = Job::new(&weights).with_sink(ckpt_convert::CkptSink { crc: true });
    for other in [renamed, kept, crc, Job::new(&weights).in_parts(1)] {
        let error = other.resume(&out).unwrap_err();
        assert!(matches!(error, Error::Journal { .. }), "{error}");
        assert!(error.to_string().contains("the source files, the options or the layout"));
        assert_files(&everything(&out), &left, "refused, so nothing changed");
    }
    job.resume(&out).unwrap();
}

#[test]
fn of_a_source_that_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let weights = small_weights(&folder.path().join("in"));
    let (job, out) = (Job::new(&weights), folder.path().join("out"));
    let model = weights.join("model.safetensors");
    job.interrupt(&out, 3, a_tensor);
    let left = everything(&out);
    let modified = fs::metadata(&model).unwrap().modified().unwrap();
    let touch = |time| fs::File::options().write(true).open(&model).unwrap().set_modified(time);
    touch(modified + std::time::Duration::from_micros(1)).unwrap();
    let error = job.resume(&out).unwrap_err();
    assert!(error.to_string().contains("of another conversion"), "{error}");
    assert_files(&everything(&out), &left, "refused, so nothing changed");
    touch(modified).unwrap();
    job.resume(&out).unwrap();
}

#[test]
fn not_a_journal() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, out) = (small_weights(&folder.path().join("in")), folder.path().join("out"));
    let job = Job::new(&weights);
    fs::create_dir(&out).unwrap();
    for text in [&b"{}\n"[..], b"hello\n", b"\n", b"\0\0\n", &[0xFF, 0xFE, 10], b"[1]\n{}\n"] {
        fs::write(out.join(JOURNAL), text).unwrap();
        let error = job.resume(&out).unwrap_err();
        assert!(matches!(error, Error::Journal { .. }), "{text:?}: {error}");
        assert!(matches!(job.run(&out), Err(Error::Unfinished { .. } | Error::Journal { .. })));
        assert_eq!(read(&out), text, "left as it was");
    }
    job.overwrite(&out).unwrap();
    assert_done(&out, &job.reference(), "started anew");
}

/// Whatever a journal claims, the result is right or there is none, and no panic.
#[test]
fn untrue() {
    let folder = scratch();
    let weights = small_weights(&folder.path().join("in"));
    let job = Job::new(&weights).with_sink(ckpt_convert::CkptSink { crc: true });
    let (out, expected) = (scratch(), job.reference());
    job.interrupt(out.path(), 0, an_end);
    let (left, journal) = (everything(out.path()), String::from_utf8(read(out.path())).unwrap());
    let lines: Vec<_> = journal.lines().collect();
    let mut tampered = Vec::new();
    for at in 1..lines.len() {
        let value: serde_json::Value = serde_json::from_str(lines[at]).unwrap();
        let mut with = |key: &str, new: serde_json::Value| {
            let mut changed = value.clone();
            let Some(field) = changed["tensor"].get_mut(key) else { return };
            *field = new;
            let mut lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
            lines[at] = changed.to_string();
            // Without the line of the file the tensors are what counts.
            lines.retain(|line| !line.contains("\"file\""));
            tampered.push((format!("line {at}: {key}"), lines));
        };
        for end in [0, 1, 7, 70_000, 200_000, 348_000, u64::MAX] {
            with("end", end.into());
        }
        for tensor in [0, 3, 5, 6, u64::from(u32::MAX)] {
            with("tensor", tensor.into());
        }
        with("sha256", "00".into());
        let mut missing: Vec<_> = lines.iter().map(ToString::to_string).collect();
        missing.remove(at);
        tampered.push((format!("line {at} missing"), missing));
        let mut doubled: Vec<_> = lines.iter().map(ToString::to_string).collect();
        doubled.insert(at, doubled[at].clone());
        tampered.push((format!("line {at} twice"), doubled));
    }
    let with_more = |more: &str| lines.iter().copied().chain([more]).map(str::to_owned).collect();
    for more in ["{\"file\":{\"file\":0}}", "{\"file\":{\"file\":99}}"] {
        tampered.push((more.to_owned(), with_more(more)));
    }
    let mut refused = 0;
    for (what, lines) in tampered {
        let out = scratch();
        put(&left, out.path());
        fs::write(out.path().join(JOURNAL), lines.join("\n") + "\n").unwrap();
        match job.resume(out.path()) {
            Ok(_) => assert_done(out.path(), &expected, &what),
            Err(Error::Journal { .. } | Error::ReadBack { .. } | Error::Malformed { .. }) => {
                refused += 1;
                assert_nothing_final(out.path(), &what);
            }
            Err(other) => panic!("{what}: {other}"),
        }
    }
    assert!(refused > 0, "a wrong digest, at least, shows when reading back");
}

/// Files cut, removed or swapped while no one looked.
#[test]
fn partial_files_behind_its_back() {
    let folder = scratch();
    let weights = small_weights(&folder.path().join("in"));
    let job = Job::new(&weights).in_parts(150_000).with_sink(ckpt_convert::CkptSink { crc: true });
    let expected = job.reference();
    let first = "model-00001-of-00004.ckpt.partial";
    for (stop, verb) in [(4, "tensor"), (0, "end")] {
        for len in [None, Some(0), Some(1), Some(65_536), Some(120_000), Some(120_050)] {
            let out = scratch();
            job.interrupt(out.path(), stop, if verb == "end" { an_end } else { a_tensor });
            let path = out.path().join(first);
            let whole = fs::metadata(&path).expect("the first part").len();
            match len {
                None => fs::remove_file(&path).unwrap(),
                Some(len) => {
                    assert!(len < whole);
                    fs::File::options().write(true).open(&path).unwrap().set_len(len).unwrap();
                }
            }
            // Stopped a second time, at once: what the journal said of the file no longer holds.
            for nth in [0, 2] {
                let cancel = ckpt_convert::CancelToken::default();
                let stop = cancel.clone();
                let observer = crate::job::On::new(nth, crate::job::any, move || stop.cancel());
                let change = |options: &mut ckpt_convert::ExecOptions| {
                    options.resume = true;
                    options.cancel = cancel;
                    options.checkpoint_bytes = u64::MAX;
                };
                let error = job.run_as(out.path(), change, &observer).unwrap_err();
                assert!(matches!(error, Error::Cancelled), "{error}");
            }
            let change = |options: &mut ckpt_convert::ExecOptions| {
                options.resume = true;
                options.verify = false;
            };
            let what = format!("stopped at {verb} {stop}, then left with {len:?}");
            job.run_as(out.path(), change, &()).expect(&what);
            assert_done(out.path(), &expected, &what);
        }
    }
}

/// A bit that the disk turned is seen, and the file does not get its name.
#[test]
fn a_turned_bit_is_found_by_reading_back() {
    let tiny = Tiny::builder().build();
    let (job, out) = (Job::new(tiny.path()), tempfile::tempdir().unwrap());
    job.interrupt(out.path(), 0, an_end);
    let path = out.path().join("model.ckpt.partial");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    let error = job.resume(out.path()).unwrap_err();
    assert!(matches!(error, Error::ReadBack { .. }), "{error}");
    assert!(error.to_string().contains("model.ckpt.partial: tensor \"model."), "{error}");
    assert_nothing_final(out.path(), "not as written");
    job.overwrite(out.path()).unwrap();
    assert_done(out.path(), &job.reference(), "written anew");
}
