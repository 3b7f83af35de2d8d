//! Repacked weights in a file beside the model.

use std::fs;
use std::path::{Path, PathBuf};

use lowfloat::DType;
use moe_engine::{Error, Feed, Model, Options, Precision, Repack};
use tempfile::{TempDir, tempdir};
use testkit::{Layout, Shape, Sharding, Tensor, Tensors, Tiny, TinyBuilder, safetensors};

use crate::models::{bits, tokens};

const FORMS: [Repack; 2] = [Repack::Coded, Repack::Int8];
const QUERY: &str = "model.layers.1.self_attn.q_proj.weight";

/// A model with large matrices whose rows are no whole groups, and with small ones.
fn builder() -> TinyBuilder {
    let tiny = Shape { layers: 2, hidden: 576, head_dim: 64, vocab: 1024, ..Shape::tiny() };
    Tiny::builder().shape(tiny)
}

/// The same with weights so small that their upper bytes are rare.
fn tiny() -> Tiny {
    changed(|_| {})
}

/// The same with something changed.
fn changed(change: impl FnOnce(&mut Tensors)) -> Tiny {
    let tiny = builder().sharding(Sharding::Single).build();
    let mut tensors = tiny.tensors().clone();
    for (_, tensor) in tensors.iter_mut().filter(|(name, _)| name.ends_with("weight")) {
        for (upper, weight) in (0..40).zip(tensor.bytes.chunks_mut(194)) {
            weight[1] = upper;
        }
    }
    change(&mut tensors);
    safetensors::write(&tiny.files()[0], &tensors, None);
    tiny
}

fn options(form: Repack, file: Option<&Path>) -> Options {
    let repack_file = file.map(Path::to_owned);
    Options { dense: Some(form), repack_file, threads: Some(2), ..Options::default() }
}

fn open(tiny: &Tiny, form: Repack, file: &Path) -> Result<Model, Error> {
    Model::open(tiny.path(), &options(form, Some(file)))
}

fn logits(model: &Model) -> Vec<u32> {
    let mut session = model.session().unwrap();
    let prompt = model.evaluate(&mut session, &tokens(9, 1)).unwrap();
    let next = model.evaluate(&mut session, &[7]).unwrap();
    bits(&[prompt, next].concat())
}

#[test]
fn logits_are_the_same_with_the_file_and_without() {
    let (hub, original) = (builder().build(), builder().layout(Layout::Original).build());
    let folder = tempdir().unwrap();
    for form in FORMS {
        // A folder that is not there yet, and a name without an extension.
        let path = folder.path().join(format!("{form:?}")).join("repacked");
        let mut written = None;
        for precision in Precision::ALL {
            let with = |tiny: &Tiny, file| {
                Model::open(tiny.path(), &Options { precision, ..options(form, file) }).unwrap()
            };
            let expected = logits(&with(&hub, None));
            // The file is there from the second time on, for every precision.
            for (time, tiny) in [&hub, &hub, &original].into_iter().enumerate() {
                let said = logits(&with(tiny, Some(&path)));
                assert!(said == expected, "{form:?}, {precision}, time {time}");
                let state =
                    (fs::read(&path).unwrap(), path.metadata().unwrap().modified().unwrap());
                let before = written.get_or_insert_with(|| state.clone());
                assert!(*before == state, "nothing is written again");
            }
        }
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "no temporary files");
        let mut expected: Vec<_> = [0, 1]
            .iter()
            .flat_map(|layer| {
                ["q", "o"].map(|part| format!("model.layers.{layer}.self_attn.{part}_proj.weight"))
            })
            .chain(["lm_head.weight".to_owned()])
            .collect();
        expected.sort();
        let parts = match form {
            Repack::Coded => &["ends", "escapes", "rows", "table"][..],
            Repack::Int8 => &["codes", "scales"],
        };
        let names: Vec<_> = safetensors::read(&path).into_keys().collect();
        let all = expected.iter();
        let all = all.flat_map(|name| parts.iter().map(move |part| format!("{name}.{part}")));
        assert_eq!(names, all.collect::<Vec<_>>());
    }
}

#[test]
fn rare_upper_bytes_come_back_from_the_file() {
    let (tiny, folder) = (tiny(), tempdir().unwrap());
    let path = folder.path().join("x");
    for precision in Precision::ALL {
        let with = |options| logits(&Model::open(tiny.path(), &options).unwrap());
        let stored = Options { precision, threads: Some(1), ..Options::default() };
        let coded = Options { precision, ..options(Repack::Coded, Some(&path)) };
        assert!(with(stored) == with(coded), "{precision}");
    }
    for (name, tensor) in safetensors::read(&path) {
        assert!(!tensor.bytes.is_empty(), "{name}");
    }
}

#[test]
fn fewer_bytes_are_read_from_the_first_token_on() {
    let (tiny, folder) = (builder().build(), tempdir().unwrap());
    for form in FORMS {
        let path = folder.path().join(format!("{form:?}"));
        let bytes = |options| {
            let model = Model::open(tiny.path(), &options).unwrap();
            let mut session = model.session().unwrap();
            let mut feeds = [Feed::new(&mut session, &[1])];
            model.forward(&mut feeds, &mut ()).unwrap().weight_bytes
        };
        let stored = bytes(Options::default());
        let lazily = bytes(options(form, None));
        assert!(lazily < stored);
        assert_eq!(bytes(options(form, Some(&path))), lazily);
    }
}

#[test]
fn sessions_do_not_know_of_the_file() {
    let (tiny, folder) = (builder().build(), tempdir().unwrap());
    let (file, saved) = (folder.path().join("file"), folder.path().join("session"));
    for form in FORMS {
        let path = file.with_extension(format!("{form:?}"));
        let lazily = Model::open(tiny.path(), &options(form, None)).unwrap();
        let mut session = lazily.session().unwrap();
        lazily.evaluate(&mut session, &[1, 2, 3]).unwrap();
        lazily.save_session(&session, &saved).unwrap();
        for _ in 0..2 {
            assert!(open(&tiny, form, &path).unwrap().load_session(&saved).is_ok(), "{form:?}");
        }
    }
}

#[test]
fn what_the_form_does_not_suit_is_not_in_the_file() {
    let tiny = changed(|tensors| {
        let head = tensors.get_mut("lm_head.weight").unwrap();
        let wide = head.bytes.as_chunks::<2>().0.iter().flat_map(|&[a, b]| [0, 0, a, b]);
        let bytes = wide.collect();
        *head = Tensor { dtype: DType::F32, shape: head.shape.clone(), bytes };
    });
    let folder = tempdir().unwrap();
    let path = folder.path().join("x");
    let expected = logits(&Model::open(tiny.path(), &options(Repack::Coded, None)).unwrap());
    for _ in 0..2 {
        assert!(logits(&open(&tiny, Repack::Coded, &path).unwrap()) == expected);
    }
    let tensors = safetensors::read(&path);
    assert!(!tensors.is_empty() && tensors.keys().all(|name| !name.starts_with("lm_head")));
}

#[test]
fn a_weight_that_is_not_finite_is_refused_by_the_name_of_its_tensor() {
    let tiny = changed(|tensors| {
        let bytes = &mut tensors.get_mut(QUERY).unwrap().bytes;
        bytes[2 * 576 + 6..][..2].copy_from_slice(&[0x80, 0x7F]);
    });
    let folder = tempdir().unwrap();
    let error = open(&tiny, Repack::Int8, &folder.path().join("x")).unwrap_err().to_string();
    assert!(error.contains(&format!("x: cannot be made: {QUERY}: row 1, column 3")), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A file with the model that it belongs to.
struct Made {
    tiny: Tiny,
    form: Repack,
    path: PathBuf,
    folder: TempDir,
}

impl Made {
    fn new(form: Repack) -> Self {
        let (tiny, folder) = (tiny(), tempdir().unwrap());
        let path = folder.path().join("kept");
        open(&tiny, form, &path).unwrap();
        Self { tiny, form, path, folder }
    }

    /// The error about other bytes under a name; it names the file, which stays as it is.
    #[track_caller]
    fn refused(&self, bytes: &[u8]) -> String {
        let path = self.folder.path().join("other");
        fs::write(&path, bytes).unwrap();
        let error = open(&self.tiny, self.form, &path).expect_err("it is refused");
        assert!(matches!(error, Error::RepackFile { .. }), "{error}");
        let error = error.to_string();
        assert!(error.starts_with(path.to_str().unwrap()), "{error}");
        assert!(fs::read(&path).unwrap() == bytes, "it is left as it was");
        error
    }

    /// The error after changing something in the file.
    #[track_caller]
    fn changed(&self, change: impl FnOnce(&mut Tensors, &mut serde_json::Value)) -> String {
        let path = self.folder.path().join("changed");
        self.write_changed(&path, change);
        let error = self.refused(&fs::read(path).unwrap());
        assert!(error.contains("deleted") || error.contains("delete it"), "{error}");
        error
    }

    fn write_changed(
        &self,
        path: &Path,
        change: impl FnOnce(&mut Tensors, &mut serde_json::Value),
    ) {
        let bytes = fs::read(&self.path).unwrap();
        let header = &bytes[8..self.data()];
        let header: serde_json::Value = serde_json::from_slice(header).unwrap();
        let mut metadata = header["__metadata__"].clone();
        let mut tensors = safetensors::read(&self.path);
        change(&mut tensors, &mut metadata);
        safetensors::write(path, &tensors, Some(&metadata));
    }

    /// Where the header ends.
    fn data(&self) -> usize {
        let bytes = fs::read(&self.path).unwrap();
        8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
    }
}

#[test]
fn it_is_the_weights_of_the_file_that_are_used() {
    for (form, part) in [(Repack::Coded, "table"), (Repack::Int8, "scales")] {
        let made = Made::new(form);
        let path = made.folder.path().join("other");
        made.write_changed(&path, |tensors, _| {
            tensors.get_mut(&format!("{QUERY}.{part}")).unwrap().bytes.rotate_left(1);
        });
        let said = [&made.path, &path].map(|path| logits(&open(&made.tiny, form, path).unwrap()));
        assert!(said[0] != said[1], "{form:?}");
    }
}

#[test]
fn files_of_other_weights_are_refused() {
    let made = Made::new(Repack::Coded);
    let refused = |tiny: &Tiny| {
        let before = fs::read(&made.path).unwrap();
        let error = open(tiny, made.form, &made.path).expect_err("it is refused").to_string();
        assert!(fs::read(&made.path).unwrap() == before);
        assert!(error.starts_with(made.path.to_str().unwrap()), "{error}");
        for part in ["of other weights: expected the source", "found", "may be deleted"] {
            assert!(error.contains(part), "{error}");
        }
    };
    refused(&builder().seed(1).build());
    // The same norms, and a fine-tune of one matrix.
    refused(&changed(|tensors| {
        tensors.get_mut(QUERY).unwrap().bytes.iter_mut().step_by(2).for_each(|byte| *byte ^= 1);
    }));
    // The last row alone, which is one of those looked at.
    refused(&changed(|tensors| {
        *tensors.get_mut("lm_head.weight").unwrap().bytes.iter_mut().nth_back(1).unwrap() ^= 1;
    }));
    refused(&changed(|tensors| {
        tensors.get_mut("model.norm.weight").unwrap().bytes[0] ^= 1;
    }));
    // The same weights elsewhere.
    open(&tiny(), made.form, &made.path).unwrap();
}

#[test]
fn files_of_another_form_or_version_are_refused() {
    for (form, other, names) in [
        (Repack::Coded, Repack::Int8, ["int8", "coded"]),
        (Repack::Int8, Repack::Coded, ["coded", "int8"]),
    ] {
        let made = Made::new(form);
        let error = open(&made.tiny, other, &made.path).unwrap_err().to_string();
        let [expected, found] = names;
        let expected =
            format!("expected the form {expected:?}, found {found:?}; it may be deleted");
        assert!(error.contains(&expected), "{error}");
    }
    let made = Made::new(Repack::Int8);
    for (key, value) in [
        ("format", "moe-engine repacked weights 2".into()),
        ("format", "moe-engine session 1".into()),
        ("format", serde_json::Value::Null),
        ("form", serde_json::Value::Null),
        ("source", serde_json::Value::Null),
    ] {
        let error = made.changed(|_, metadata| match &value {
            serde_json::Value::Null => drop(metadata.as_object_mut().unwrap().remove(key)),
            value => metadata[key] = value.clone(),
        });
        let found = value.as_str().unwrap_or("none");
        assert!(error.contains(&format!("expected the {key} ")), "{error}");
        assert!(error.contains(&format!("found {found:?}")), "{error}");
    }
}

#[test]
fn strangers_are_refused() {
    let made = Made::new(Repack::Coded);
    let weights = fs::read(&made.tiny.files()[0]).unwrap();
    let error = made.refused(&weights);
    assert!(error.contains("found \"none\"; give another name"), "{error}");
    made.refused(b"");
    made.refused(b"a letter to a friend, who will not want it to be overwritten");
    let error = open(&made.tiny, made.form, made.folder.path()).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

#[test]
fn files_that_were_cut_are_refused() {
    for form in FORMS {
        let made = Made::new(form);
        let (bytes, data) = (fs::read(&made.path).unwrap(), made.data());
        let tensors = safetensors::read(&made.path);
        let mut ends: Vec<_> = tensors.values().map(|tensor| tensor.bytes.len()).collect();
        ends.sort_unstable();
        let lengths = (0..data).step_by(29).chain([7, 8, 9, data - 1, data, data + 1]);
        let lengths = lengths.chain(ends.into_iter().map(|end| data + end));
        for len in lengths.chain((data..bytes.len()).step_by(99_991)).chain([bytes.len() - 1]) {
            made.refused(&bytes[..len]);
        }
        made.refused(&[&bytes[..], &[0]].concat());
    }
}

#[test]
fn headers_that_were_changed_are_refused() {
    for form in FORMS {
        let made = Made::new(form);
        let bytes = fs::read(&made.path).unwrap();
        for at in (0..made.data()).filter(|at| at % 11 == 0 || *at < 8) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            made.refused(&bytes);
        }
    }
}

#[test]
fn contents_that_do_not_fit_are_refused() {
    let made = Made::new(Repack::Coded);
    for part in ["rows", "table", "ends", "escapes"] {
        let name = format!("{QUERY}.{part}");
        let error = made.changed(|tensors, _| drop(tensors.remove(&name)));
        assert!(error.contains(QUERY), "{error}");
        let error = made.changed(|tensors, _| {
            let tensor = tensors.get_mut(&name).unwrap();
            tensor.dtype = if part == "ends" { DType::F32 } else { DType::I8 };
        });
        assert!(error.contains(&name) && error.contains("expected U"), "{error}");
        let error = made.changed(|tensors, _| {
            let tensor = tensors.get_mut(&name).unwrap();
            let size = if part == "ends" { 4 } else { 1 };
            let row = tensor.shape[1..].iter().product::<usize>() * size;
            tensor.shape[0] += 1;
            tensor.bytes.extend(vec![0; row]);
        });
        assert!(error.contains(&name) && error.contains("expected ["), "{error}");
    }
    // A row that is too long.
    let error = made.changed(|tensors, _| {
        let tensor = tensors.get_mut(&format!("{QUERY}.rows")).unwrap();
        tensor.shape[1] += 1;
        tensor.bytes.extend(vec![0; tensor.shape[0]]);
    });
    assert!(error.contains("bytes of a coded row"), "{error}");
    let ends = |change: fn(&mut [[u8; 4]])| {
        made.changed(|tensors, _| {
            let ends = tensors.get_mut("lm_head.weight.ends").unwrap();
            change(ends.bytes.as_chunks_mut().0);
        })
    };
    let error = ends(|ends| ends[0] = u32::MAX.to_le_bytes());
    assert!(error.contains("ends of escapes"), "{error}");
    let error = ends(|ends| *ends.last_mut().unwrap() = u32::MAX.to_le_bytes());
    assert!(error.contains("lm_head.weight.escapes"), "{error}");
    let error = made.changed(|tensors, _| {
        let escapes = tensors.get_mut("lm_head.weight.escapes").unwrap();
        assert!(!escapes.bytes.is_empty(), "the head has escapes");
        escapes.bytes[1..4].fill(0xFF);
    });
    assert!(error.contains("column of an escape"), "{error}");
    let error = made.changed(|tensors, _| {
        let table = tensors[&format!("{QUERY}.table")].clone();
        tensors.insert("model.layers.2.self_attn.q_proj.weight.table".to_owned(), table);
    });
    assert!(error.contains("model.layers.2.self_attn.q_proj.weight.table [16]"), "{error}");

    let made = Made::new(Repack::Int8);
    for part in ["codes", "scales"] {
        let name = format!("{QUERY}.{part}");
        let error = made.changed(|tensors, _| drop(tensors.remove(&name)));
        assert!(error.contains(QUERY), "{error}");
        let error = made.changed(|tensors, _| {
            let tensor = tensors.get_mut(&name).unwrap();
            tensor.shape[1] -= 1;
            tensor.bytes.truncate(tensor.shape[0] * tensor.shape[1]);
        });
        assert!(error.contains(QUERY) && error.contains(part), "{error}");
        let error = made.changed(|tensors, _| {
            let tensor = tensors.get_mut(&name).unwrap();
            tensor.bytes.clear();
            tensor.shape = vec![0, 1 << 40];
        });
        assert!(error.contains(&name), "{error}");
    }
}

/// Contents decide on results only.
#[test]
fn any_contents_of_the_right_shape_do_no_harm() {
    for form in FORMS {
        let made = Made::new(form);
        let path = made.folder.path().join("any");
        let mut opened = 0;
        for seed in 0..20_u32 {
            made.write_changed(&path, |tensors, _| {
                let mut state = seed;
                for (name, tensor) in tensors {
                    // Where escapes end has to be right for anything to be looked at.
                    let (_, part) = name.rsplit_once('.').unwrap();
                    if part == "ends" || (part == "escapes" && seed % 2 == 0) {
                        continue;
                    }
                    for byte in &mut tensor.bytes {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        *byte = (state >> 24) as u8;
                    }
                }
            });
            let Ok(model) = open(&made.tiny, form, &path) else { continue };
            opened += 1;
            let mut session = model.session().unwrap();
            // NaN is an error, which is no panic.
            let _ = model.evaluate(&mut session, &tokens(3, 1));
        }
        assert!(opened >= 10, "{form:?}: {opened}");
    }
}

#[test]
fn a_file_without_a_form_is_refused() {
    let (tiny, folder) = (builder().build(), tempdir().unwrap());
    let path = folder.path().join("x");
    let options = Options { dense: None, ..options(Repack::Coded, Some(&path)) };
    let error = Model::open(tiny.path(), &options).unwrap_err();
    assert!(matches!(error, Error::Option { option: "repack_file", .. }), "{error}");
    assert!(!path.exists());
}

#[test]
fn places_that_cannot_be_written() {
    let tiny = builder().build();
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let mut places = vec![file.join("under a file")];
    if cfg!(target_os = "linux") {
        places.push("/proc/none/x".into());
        places.push("/proc/x".into());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        places.push(link);
    }
    for path in places {
        let error = open(&tiny, Repack::Int8, &path).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
    // There it would be a part of the model from then on.
    for path in [tiny.path().join("x.safetensors"), tiny.path().join(".").join("y.ckpt")] {
        let error = open(&tiny, Repack::Int8, &path).unwrap_err().to_string();
        assert!(error.contains("would be taken for weights of the model"), "{error}");
        assert!(!path.exists());
    }
    for path in [tiny.path().join("x.repacked"), folder.path().join("x.safetensors")] {
        for _ in 0..2 {
            open(&tiny, Repack::Int8, &path).unwrap();
        }
    }
}
