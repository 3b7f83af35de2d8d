//! Saying everything that is wrong with a checkpoint.

mod checksum;
mod compare;
mod contents;
mod finding;
mod listing;
mod origin;
mod parts;
mod structure;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use crate::{CancelToken, Observer, Result, Source};
use contents::TensorJob;
use finding::Findings;
use listing::Listing;
use parts::Parts;
use structure::Part;

pub use finding::{Check, Finding, Severity};

/// What [`verify()`] shall compare a checkpoint with, and how.
#[derive(Clone, Debug)]
pub struct VerifyOptions<'a> {
    /// The source that every value must come from, bit for bit after the conversion that types,
    /// shapes and names tell (copy, cast, MXFP4 made dense, dense packed as MXFP4).
    pub against: Option<&'a Source>,
    /// The manifest; `None` takes the `manifest.json` beside the checkpoint, if it is of it.
    pub manifest: Option<PathBuf>,
    /// Threads that hash and compare, at most 1024; one more reads meanwhile.
    pub threads: NonZero<usize>,
    /// Bytes that buffers may take together.
    pub memory: u64,
    /// Stops from outside.
    pub cancel: CancelToken,
}

impl Default for VerifyOptions<'_> {
    fn default() -> Self {
        Self {
            against: None,
            manifest: None,
            threads: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
            memory: 256 << 20,
            cancel: CancelToken::default(),
        }
    }
}

/// What [`verify()`] found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// The names of the files that were looked at.
    pub files: Vec<String>,
    /// Tensors in them, as far as they could be told.
    pub tensors: usize,
    /// Bytes of the files.
    pub bytes: u64,
    /// Bytes of them that were read, headers aside: none where there was nothing to compare them
    /// with.
    pub bytes_read: u64,
    /// All that was found, in the order of the checks and of the files; at most 10,000.
    pub findings: Vec<Finding>,
    /// Errors, those beyond the list included.
    pub errors: u64,
    /// Warnings, those beyond the list included.
    pub warnings: u64,
    /// What was looked at.
    pub checked: Checked,
    /// How long it took.
    pub seconds: f64,
}

/// What was looked at.
#[expect(clippy::struct_excessive_bools, reason = "one for each check, and any may be alone")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Checked {
    /// Every header and length, to the last byte of every part.
    pub structure: bool,
    /// Every part ended with a CRC trailer, which was compared.
    pub crc: bool,
    /// Names, types and shapes were compared with a manifest.
    pub manifest: bool,
    /// The SHA-256 of every tensor was compared with the manifest: no structure was broken.
    pub digests: bool,
    /// Every value was compared with the source's: no structure was broken.
    pub values: bool,
}

impl Verification {
    /// True when the checkpoint would load and be right, as far as that was [checked](Checked): no
    /// errors. Without a manifest or a source, changed values and a file cut between two tensors
    /// do not show.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.errors == 0
    }
}

/// Checks a checkpoint: a `.ckpt` or `.safetensors` file, a folder of parts, or their index.
///
/// - **Structure**: every record, length, name and type of a `.ckpt` file by
///   [`mindspore_ckpt::verify()`], every header of a safetensors file; whether all parts are there,
///   the index is right, and no name is in two of them. A file that MindSpore would not load is an
///   error here.
/// - **Checksum**, where a `.ckpt` file ends with one.
/// - **Manifest**: missing and additional tensors, types, shapes, files, and the SHA-256 of every
///   tensor. Only this (or the source) shows changed values and a file cut between two tensors.
/// - **Values**, given [`VerifyOptions::against`]: every value, exactly. With a manifest, by the
///   source tensors it names; else by names, so a checkpoint with renamed tensors needs it. Tensors
///   of the source that are in no tensor of the checkpoint are errors unless the manifest says that
///   a rule dropped them.
///
/// It goes on after a fault wherever it can; tensors of a `.ckpt` or safetensors file whose
/// structure is broken are not read, though. Memory does not grow with the checkpoint.
///
/// ```
/// use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape};
/// use ckpt_convert::{
///     CkptSink, Executor, Plan, PlanOptions, Policy, Source, Synthetic, VerifyOptions, verify,
/// };
///
/// let source = Source::synthetic(Synthetic::new(Shape::tiny(), ExpertFormat::Mxfp4, 7));
/// let sink = CkptSink::default();
/// let plan = Plan::new(&source, &Policy::default(), &sink, &PlanOptions::default())?;
/// let folder = tempfile::tempdir()?;
/// Executor::default().run(&plan, &source, folder.path(), |_| Ok(Vec::new()), &())?;
///
/// let options = VerifyOptions { against: Some(&source), ..VerifyOptions::default() };
/// let verification = verify(folder.path(), &options, &())?;
/// assert!(verification.is_right());
/// assert!(verification.checked.manifest && verification.checked.values);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What keeps anything from being checked: there is no checkpoint at `path`, the manifest that was
/// named cannot be read, [`Error::Cancelled`](crate::Error::Cancelled). Whatever is wrong with the
/// checkpoint is a finding.
pub fn verify(
    path: impl AsRef<Path>,
    options: &VerifyOptions<'_>,
    observer: &dyn Observer,
) -> Result<Verification> {
    let started = Instant::now();
    let mut findings = Findings::default();
    let parts = Parts::find(path.as_ref(), &mut findings)?;
    let manifest = listing::find(&parts, options.manifest.as_deref(), &mut findings)?;
    let listing = manifest.as_ref().map(|(path, manifest)| Listing::new(path, manifest, &parts));
    let all = structure::check(&parts, listing.as_ref(), &mut findings);
    if let Some(listing) = &listing {
        listing.check(&parts, &all, &mut findings);
    }
    let jobs = jobs(&parts, &all, listing.as_ref(), options.against, &mut findings);
    let bytes_read = contents::read(&all, jobs, options, observer, &mut findings)?;
    let sound = all.iter().all(|part| part.source.is_some());
    Ok(Verification {
        files: all.iter().map(|part| part.name.clone()).collect(),
        tensors: all.iter().map(|part| part.counted).sum(),
        bytes: all.iter().map(|part| part.bytes).sum(),
        bytes_read,
        checked: Checked {
            structure: true,
            crc: !all.is_empty()
                && all.iter().all(|part| part.crc_checked || part.stored_crc.is_some()),
            manifest: listing.is_some(),
            digests: listing.is_some() && sound,
            values: options.against.is_some() && sound,
        },
        findings: findings.list,
        errors: findings.errors,
        warnings: findings.warnings,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The tensors whose contents tell something, and what they are compared with.
fn jobs(
    parts: &Parts,
    all: &[Part],
    listing: Option<&Listing<'_>>,
    against: Option<&Source>,
    findings: &mut Findings,
) -> Vec<TensorJob> {
    let mut jobs = Vec::new();
    let mut used = HashSet::new();
    for (number, part) in all.iter().enumerate() {
        if part.source.is_none() && (listing.is_some() || against.is_some()) {
            let message = "the contents of its tensors were not compared: first the structure";
            let finding = Finding::warning(Check::Values, message.to_owned());
            findings.add(finding.file(&part.path));
        }
        for (index, tensor) in part.tensors().iter().enumerate() {
            let entry = listing.and_then(|listing| listing.find(&part.name, &tensor.name));
            // Of another type or shape the digest is another one anyway.
            let same =
                entry.filter(|entry| entry.dtype == tensor.dtype && entry.shape == tensor.shape);
            let sha256 = same.map(|entry| entry.sha256.clone());
            let expected = against.and_then(|against| match origin::of(tensor, entry, against) {
                Ok(plan) => {
                    used.extend(plan.transform.inputs());
                    Some(plan)
                }
                Err(reason) => {
                    let message = format!("tensor {:?}: {reason}", tensor.name);
                    let finding = Finding::error(Check::Values, message).file(&part.path);
                    findings.add(finding.tensor(&tensor.name));
                    None
                }
            });
            if sha256.is_some() || expected.is_some() || part.stored_crc.is_some() {
                jobs.push(TensorJob { part: number, tensor: index, sha256, expected });
            }
        }
    }
    if let Some(against) = against {
        origin::unused(&used, against, listing, (parts, all), findings);
    }
    jobs
}
