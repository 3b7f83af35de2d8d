//! Sessions in files.

use std::fs;
use std::path::{Path, PathBuf};

use moe_engine::{Error, Model, Precision, Session};
use tempfile::tempdir;
use testkit::{Tensors, Tiny, safetensors};

use crate::models::{PAGE, bits, every_kind, open, plain, tokens};

fn begun(model: &Model, len: usize) -> Session {
    let mut session = model.session().unwrap();
    if len > 0 {
        model.evaluate(&mut session, &tokens(len, 1)).unwrap();
    }
    session
}

#[test]
fn a_saved_session_goes_on() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("talk.session");
    for tiny in every_kind() {
        for precision in Precision::ALL {
            let model = open(&tiny, precision, 512, 2);
            // Another model in memory, of the same files.
            let again = open(&tiny, precision, 3, 1);
            for len in [0, 1, 8, PAGE - 1, PAGE, PAGE + 1, 77, 130] {
                let mut session = begun(&model, len);
                model.save_session(&session, &path).unwrap();
                let mut loaded = again.load_session(&path).unwrap();
                assert_eq!(loaded.tokens(), session.tokens());
                assert_eq!(loaded.evaluated(), len, "nothing is computed again");
                for step in 0..3 {
                    let new = tokens(1 + 11 * step, 5 + step as u64);
                    let expected = model.evaluate(&mut session, &new).unwrap();
                    let logits = again.evaluate(&mut loaded, &new).unwrap();
                    assert!(bits(&logits) == bits(&expected), "{precision}, {len} tokens");
                }
                let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
                assert_eq!(left.len(), 1, "no temporary files");
            }
        }
    }
}

/// Of the last tokens nothing is computed: that is saved too.
#[test]
fn a_truncated_session_is_saved_as_it_is() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x");
    let model = plain(&every_kind()[0]);
    let mut session = begun(&model, 100);
    model.truncate(&mut session, 40).unwrap();
    model.save_session(&session, &path).unwrap();
    let mut loaded = model.load_session(&path).unwrap();
    assert_eq!((loaded.len(), loaded.evaluated()), (40, 0));
    let expected = model.evaluate(&mut session, &[3]).unwrap();
    assert!(bits(&model.evaluate(&mut loaded, &[3]).unwrap()) == bits(&expected));
}

fn refused(model: &Model, path: &Path) -> Error {
    model.load_session(path).expect_err("it is refused")
}

fn reason(error: &Error) -> &str {
    let Error::SessionFile { reason, .. } = error else { panic!("another error: {error}") };
    reason
}

#[test]
fn strangers_are_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x");
    let kinds = every_kind();
    let model = plain(&kinds[0]);
    model.save_session(&begun(&model, 20), &path).unwrap();
    let same_sizes = Tiny::builder().seed(1).build();
    for other in [
        plain(&kinds[1]),
        open(&kinds[0], Precision::Bf16, 512, 2),
        plain(&same_sizes),
        plain(&turned(&kinds[0])),
        plain(&merged(&kinds[0])),
    ] {
        let error = refused(&other, &path);
        assert_eq!(reason(&error), "is of another model or precision");
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
        let mut session = begun(&model, 20);
        assert!(other.evaluate(&mut session, &[1]).is_err());
    }
    // A weights file is a safetensors file too.
    let weights = kinds[0].files()[0].clone();
    assert_eq!(reason(&refused(&model, &weights)), "is no saved session");
    let error = refused(&model, &folder.path().join("none"));
    assert!(matches!(error, Error::Safetensors(_)), "{error}");
}

/// The same weights with another rotary embedding.
fn turned(tiny: &Tiny) -> Tiny {
    let copy = Tiny::builder().build();
    let path = copy.path().join("config.json");
    let config = fs::read_to_string(&path).unwrap();
    let changed = config.replace("150000", "140000");
    assert_ne!(config, changed);
    assert_eq!(copy.tensors(), tiny.tensors());
    fs::write(&path, changed).unwrap();
    copy
}

/// The same norms and sinks; only the queries differ, as after merging a fine-tune.
fn merged(tiny: &Tiny) -> Tiny {
    let copy = Tiny::builder().sharding(testkit::Sharding::Single).build();
    let mut tensors = tiny.tensors().clone();
    let weights = tensors.get_mut("model.layers.2.self_attn.q_proj.weight").unwrap();
    for value in weights.bytes.chunks_exact_mut(2) {
        value[0] ^= 1;
    }
    safetensors::write(&copy.files()[0], &tensors, None);
    copy
}

/// A saved session of 40 tokens, of which sliding layers have given up the first page.
struct Saved {
    model: Model,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Saved {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let (model, path) = (plain(&every_kind()[0]), folder.path().join("x.session"));
        model.save_session(&begun(&model, 40), &path).unwrap();
        Self { model, path, _folder: folder }
    }

    /// The error after changing something in the file.
    fn changed(&self, change: impl FnOnce(&mut Tensors, &mut serde_json::Value)) -> Error {
        let bytes = fs::read(&self.path).unwrap();
        let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + len]).unwrap();
        let mut metadata = header["__metadata__"].clone();
        let mut tensors = safetensors::read(&self.path);
        change(&mut tensors, &mut metadata);
        let path = self.path.with_extension("changed");
        safetensors::write(&path, &tensors, Some(&metadata));
        let error = refused(&self.model, &path);
        assert!(error.to_string().contains("x.changed"), "{error}");
        error
    }
}

#[test]
fn files_that_were_cut_are_refused() {
    let saved = Saved::new();
    let bytes = fs::read(&saved.path).unwrap();
    let cut = saved.path.with_extension("cut");
    for len in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        fs::write(&cut, &bytes[..len]).unwrap();
        let error = refused(&saved.model, &cut);
        assert!(error.to_string().contains("x.cut"), "{error}");
    }
}

#[test]
fn files_that_were_changed_are_refused() {
    let saved = Saved::new();
    let bytes = fs::read(&saved.path).unwrap();
    let changed = saved.path.with_extension("changed");
    for at in (0..bytes.len()).step_by(61).chain([bytes.len() - 1]) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        fs::write(&changed, &bytes).unwrap();
        let error = refused(&saved.model, &changed);
        assert!(error.to_string().contains("x.changed"), "byte {at}: {error}");
    }
}

#[test]
fn contents_that_do_not_fit_are_refused() {
    let saved = Saved::new();
    let error = saved.changed(|tensors, _| {
        tensors.remove("layers.2.keys");
    });
    assert!(error.to_string().contains("layers.2.keys"), "{error}");
    let error = saved.changed(|tensors, _| {
        let keys = tensors.get_mut("layers.1.keys").unwrap();
        keys.shape[0] -= 1;
        keys.bytes.truncate(keys.bytes.len() - 2 * 16 * 4);
    });
    assert!(reason(&error).contains("layer 1"), "{error}");
    let error = saved.changed(|_, metadata| metadata["evaluated"] = "41".into());
    assert!(reason(&error).contains("how far"), "{error}");
    let error = saved.changed(|_, metadata| metadata["evaluated"] = "39".into());
    assert!(reason(&error).contains("layer 0"), "{error}");
    let error = saved.changed(|_, metadata| metadata["layers.2.first"] = "0".into());
    assert!(reason(&error).contains("layer 2"), "{error}");
    let error = saved.changed(|_, metadata| {
        metadata.as_object_mut().unwrap().remove("layers.3.first");
    });
    assert!(reason(&error).contains("layer 3"), "{error}");
    // -1, and an id that the model does not have.
    for id in [-1_i64, 384] {
        let error = saved.changed(|tensors, _| {
            tensors.get_mut("tokens").unwrap().bytes[8..16].copy_from_slice(&id.to_le_bytes());
        });
        assert!(reason(&error).contains("token 1 "), "{error}");
    }
}
