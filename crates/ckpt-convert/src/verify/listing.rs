//! The manifest against the parts.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use mindspore_ckpt::TensorSpec;
use serde_json::Value;

use super::contents::offset_in_file;
use super::finding::{Check, Finding, Findings};
use super::parts::Parts;
use super::structure::{Part, spec};
use crate::folder::name_of;
use crate::manifest::{MANIFEST, Manifest, ManifestTensor};
use crate::{Result, SourceTensor};

/// Reads the manifest that was named, or the one beside the checkpoint if it is of it.
pub(super) fn find(
    parts: &Parts,
    named: Option<&Path>,
    findings: &mut Findings,
) -> Result<Option<(PathBuf, Manifest)>> {
    if let Some(path) = named {
        return Ok(Some((path.to_owned(), Manifest::read(path)?)));
    }
    let path = parts.folder.join(MANIFEST);
    if !path.is_file() {
        return Ok(None);
    }
    let files: Vec<_> = parts.files.iter().map(|file| name_of(file)).collect();
    match Manifest::read(&path) {
        Ok(manifest)
            if manifest.files.iter().any(|file| files.iter().any(|name| *name == file.name)) =>
        {
            return Ok(Some((path, manifest)));
        }
        Ok(_) => {
            let message = "this manifest beside the checkpoint is of other files; it was not used";
            findings.add(Finding::warning(Check::Manifest, message.to_owned()).file(&path));
        }
        Err(_) if is_of_something_else(&path) => {
            let message = "not the manifest of a conversion; it was not used";
            findings.add(Finding::warning(Check::Manifest, message.to_owned()).file(&path));
        }
        // A damaged manifest may stand beside a damaged checkpoint.
        Err(error) => {
            findings.add(Finding::error(Check::Manifest, error.to_string()).file(&path));
        }
    }
    Ok(None)
}

/// True for JSON that many programs call `manifest.json`.
fn is_of_something_else(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    serde_json::from_slice::<Value>(&bytes).is_ok_and(|value| value.get("tensors").is_none())
}

/// A manifest, ready to be asked.
#[derive(Debug)]
pub(super) struct Listing<'a> {
    path: &'a Path,
    pub(super) manifest: &'a Manifest,
    by_file: HashMap<&'a str, HashMap<&'a str, &'a ManifestTensor>>,
    /// What the manifest calls the only file, where that is not its name.
    renamed: Option<&'a str>,
}

impl<'a> Listing<'a> {
    pub(super) fn new(path: &'a Path, manifest: &'a Manifest, parts: &Parts) -> Self {
        let mut by_file: HashMap<_, HashMap<_, _>> = HashMap::new();
        for tensor in &manifest.tensors {
            by_file.entry(tensor.file.as_str()).or_default().insert(tensor.name.as_str(), tensor);
        }
        let renamed = match (&manifest.files[..], &parts.files[..]) {
            ([listed], [file]) if *listed.name != *name_of(file) => Some(listed.name.as_str()),
            _ => None,
        };
        Self { path, manifest, by_file, renamed }
    }

    /// The entry of a tensor of this file.
    pub(super) fn find(&self, file: &str, tensor: &str) -> Option<&'a ManifestTensor> {
        self.by_file.get(self.renamed.unwrap_or(file))?.get(tensor).copied()
    }

    /// The tensors of this file, for the crate of its format.
    pub(super) fn specs(&self, file: &str) -> Vec<TensorSpec> {
        let tensors = self.by_file.get(self.renamed.unwrap_or(file)).into_iter().flatten();
        tensors.filter_map(|(_, tensor)| spec(tensor)).collect()
    }

    /// Compares everything but the digests.
    pub(super) fn check(&self, parts: &Parts, all: &[Part], findings: &mut Findings) {
        self.check_itself(findings);
        let mut elsewhere = 0;
        for listed in &self.manifest.files {
            let called = |part: &&Part| self.renamed.is_some() || part.name == listed.name;
            match all.iter().find(called) {
                Some(part) => self.check_file(part, listed.bytes, all, findings),
                None if parts.whole => {
                    let tensors = self.by_file.get(listed.name.as_str()).map_or(0, HashMap::len);
                    let message = format!(
                        "the file is missing; the manifest lists it with {tensors} tensor(s)"
                    );
                    let finding = Finding::error(Check::Manifest, message);
                    findings.add(finding.file(&parts.folder.join(&listed.name)));
                }
                None => elsewhere += 1,
            }
        }
        if elsewhere > 0 {
            let message = format!(
                "{elsewhere} other part(s) of the manifest were not verified; name the folder \
                 or the index to verify all"
            );
            findings.add(Finding::warning(Check::Manifest, message).file(self.path));
        }
        if let (Some(listed), [part]) = (self.renamed, all) {
            let message = format!("the manifest calls this file {listed:?}");
            findings.add(Finding::warning(Check::Manifest, message).file(&part.path));
            return;
        }
        let listed: HashSet<_> = self.manifest.files.iter().map(|file| &file.name).collect();
        for part in all.iter().filter(|part| !listed.contains(&part.name)) {
            let message = "the manifest does not list this file".to_owned();
            findings.add(Finding::error(Check::Manifest, message).file(&part.path));
        }
    }

    /// A manifest that was put together by hand may contradict itself.
    fn check_itself(&self, findings: &mut Findings) {
        let mut names = HashSet::new();
        let files: HashSet<_> = self.manifest.files.iter().map(|file| &file.name).collect();
        for tensor in &self.manifest.tensors {
            let mut wrong = |message: String| {
                let finding = Finding::error(Check::Manifest, message);
                findings.add(finding.file(self.path).tensor(&tensor.name));
            };
            if !names.insert(&tensor.name) {
                wrong(format!("the manifest lists tensor {:?} twice", tensor.name));
            }
            if !files.contains(&tensor.file) {
                wrong(format!(
                    "the manifest puts tensor {:?} into {:?}, which is none of its files",
                    tensor.name, tensor.file
                ));
            }
        }
    }

    fn check_file(&self, part: &Part, bytes: u64, all: &[Part], findings: &mut Findings) {
        if part.bytes != bytes {
            let message = format!("{} bytes, but the manifest says {bytes}", part.bytes);
            findings.add(Finding::error(Check::Manifest, message).file(&part.path));
        }
        let Some(source) = &part.source else { return };
        let listed = self.renamed.unwrap_or(&part.name);
        for expected in self.manifest.tensors.iter().filter(|tensor| tensor.file == listed) {
            let name = &expected.name;
            if let Some(index) = source.find(name) {
                check_tensor(part, &source.tensors()[index], expected, findings);
                continue;
            }
            let other = all.iter().find(|other| other.find(name).is_some());
            let message = match other {
                Some(other) => {
                    format!("tensor {name:?} is in {}, not here as the manifest says", other.name)
                }
                None => format!("tensor {name:?} is missing; the manifest lists it"),
            };
            let finding = Finding::error(Check::Manifest, message);
            findings.add(finding.file(&part.path).tensor(name));
        }
        let names = source.tensors().iter().map(|tensor| &tensor.name).chain(&part.others);
        for name in names.filter(|name| self.find(&part.name, name).is_none()) {
            let message = format!("tensor {name:?} is in the file, but not in the manifest");
            let finding = Finding::error(Check::Manifest, message);
            findings.add(finding.file(&part.path).tensor(name));
        }
    }
}

fn check_tensor(
    part: &Part,
    tensor: &SourceTensor,
    expected: &ManifestTensor,
    findings: &mut Findings,
) {
    let mut differs = |what: &str, found: String, expected: String| {
        let message = format!(
            "tensor {:?}: {what} is {found}, but the manifest says {expected}",
            tensor.name
        );
        let finding = Finding::error(Check::Manifest, message).file(&part.path);
        findings.add(finding.tensor(&tensor.name).at(offset_in_file(tensor, 0)));
    };
    if tensor.dtype != expected.dtype {
        differs("the type", tensor.dtype.to_string(), expected.dtype.to_string());
    }
    if tensor.shape != expected.shape {
        differs("the shape", format!("{:?}", tensor.shape), format!("{:?}", expected.shape));
    }
}
