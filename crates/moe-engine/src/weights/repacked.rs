//! Dense weights in fewer bytes, in a file beside the model; `docs/formats/repacked.md` has its format.

mod read;
mod source;
mod write;

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use moe_kernels::{Matrix, Repack};
use safeshards::Bytes;

use super::Weights;
use crate::backend::MANY_ROWS;
use crate::{Error, Result};

/// What `format` in the metadata begins with; the version follows.
const FORMAT: &str = "moe-engine repacked weights ";
const VERSION: &str = "1";

/// Puts the matrices of a file in the place of the stored ones; makes the file first if it is not there, on all
/// threads of the current pool. `folder` is that of the model.
pub(crate) fn keep(weights: &mut Weights, form: Repack, path: &Path, folder: &Path) -> Result<()> {
    let source = source::digest(weights);
    let mut matrices = matrices(weights);
    match fs::metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            check_place(path, folder)?;
            write::write(&matrices, form, &source, path)?;
        }
        Err(error) => return Err(Error::io("open", path)(error)),
    }
    read::replace(&mut matrices, form, &source, path)
}

/// The matrices that such a file may hold, by the hub's names.
fn matrices(weights: &mut Weights) -> Vec<(String, &mut Matrix<Bytes>)> {
    let mut matrices = Vec::new();
    for (layer, weights) in weights.layers.iter_mut().enumerate() {
        for (part, linear) in [
            ("q", &mut weights.query),
            ("k", &mut weights.key),
            ("v", &mut weights.value),
            ("o", &mut weights.output),
        ] {
            let name = format!("model.layers.{layer}.self_attn.{part}_proj.weight");
            matrices.push((name, &mut linear.weight));
        }
    }
    matrices.push(("lm_head.weight".to_owned(), &mut weights.head.weight));
    matrices.retain(|(_, matrix)| matrix.rows() >= MANY_ROWS);
    matrices
}

/// In the model's own folder, a file that ends like its weights would be taken for a part of them.
fn check_place(path: &Path, folder: &Path) -> Result<()> {
    let or_here = |folder: &Path| match folder {
        empty if empty.as_os_str().is_empty() => Path::new(".").canonicalize(),
        folder => folder.canonicalize(),
    };
    let beside = or_here(path.parent().unwrap_or(Path::new("")));
    let end = path.extension().and_then(OsStr::to_str);
    let Some(end @ ("safetensors" | "ckpt")) = end else { return Ok(()) };
    match (beside, or_here(folder)) {
        (Ok(beside), Ok(folder)) if beside == folder => {
            let reason = format!(
                "would be taken for weights of the model: expected a name in its folder that does not end in .{end}"
            );
            Err(Error::RepackFile { path: path.to_owned(), reason })
        }
        _ => Ok(()),
    }
}

/// What the metadata call a form.
fn name(form: Repack) -> &'static str {
    match form {
        Repack::Coded => "coded",
        Repack::Int8 => "int8",
    }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
