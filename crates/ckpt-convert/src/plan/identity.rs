//! What makes two plans the same conversion.

use std::fs;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use super::Plan;
use crate::manifest::hex;
use crate::{Error, Result, Source};

/// Bumped when the same plan would be carried out to other bytes.
const VERSION: u32 = 1;

pub(super) fn of(plan: &Plan, source: &Source) -> Result<String> {
    let mut digest = Sha256::new();
    let mut line = |text: String| digest.update((text + "\n").as_bytes());
    line(format!("version {VERSION} format {}", plan.format));
    plan.policy.iter().cloned().for_each(&mut line);
    line(format!("source {:?} {:?}", source.kind(), source.seed()));
    for file in source.files() {
        let metadata = fs::metadata(file.path()).map_err(Error::io("read", file.path()))?;
        let modified =
            metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        line(format!("source {} {} {modified:?}", file.path().display(), metadata.len()));
    }
    for file in &plan.files {
        line(format!("file {:?} {} {:?}", file.name, file.bytes, file.tensors));
    }
    for tensor in &plan.tensors {
        line(format!(
            "tensor {:?} {} {:?} {:?}",
            tensor.name, tensor.dtype, tensor.shape, tensor.transform
        ));
    }
    Ok(hex(&digest.finalize()))
}
