//! Every part by itself, and the parts together.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mindspore_ckpt::{FindingKind, Reader, Severity, TensorSpec};

use super::finding::{Check, Finding, Findings};
use super::listing::Listing;
use super::parts::Parts;
use crate::folder::{Format, name_of};
use crate::{Error, ManifestTensor, Source, SourceTensor};

/// One file of the checkpoint.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) name: String,
    /// Its length; 0 where that cannot be told.
    pub(super) bytes: u64,
    /// Its tensors; `None` where its structure is broken.
    pub(super) source: Option<Source>,
    /// How many tensors it has, as far as they can be told.
    pub(super) counted: usize,
    /// Entries that are no tensors of numbers.
    pub(super) others: Vec<String>,
    /// The checksum at its end, still to be compared.
    pub(super) stored_crc: Option<u32>,
    /// True when its checksum was compared already.
    pub(super) crc_checked: bool,
}

impl Part {
    /// Tensors whose place is known.
    pub(super) fn tensors(&self) -> &[SourceTensor] {
        self.source.as_ref().map_or(&[], Source::tensors)
    }

    /// The tensor of this name.
    pub(super) fn find(&self, name: &str) -> Option<&SourceTensor> {
        let source = self.source.as_ref()?;
        source.find(name).map(|index| &source.tensors()[index])
    }
}

/// Opens every part and says all that is wrong with it.
pub(super) fn check(
    parts: &Parts,
    listing: Option<&Listing<'_>>,
    findings: &mut Findings,
) -> Vec<Part> {
    let mut all: Vec<_> =
        parts.files.iter().map(|path| part(path, parts.format, listing, findings)).collect();
    // Every part is a source of its own, and there may be more of them than descriptors.
    let readers = Arc::default();
    all.iter_mut().filter_map(|part| part.source.as_mut()).for_each(|part| part.share(&readers));
    duplicates(&all, findings);
    check_index(parts, &all, findings);
    all
}

fn part(
    path: &Path,
    format: Format,
    listing: Option<&Listing<'_>>,
    findings: &mut Findings,
) -> Part {
    let name = name_of(path).into_owned();
    let bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
    let opened = Source::open(path);
    let errors = findings.errors;
    let mut part = Part {
        path: path.to_owned(),
        name,
        bytes,
        source: None,
        counted: 0,
        others: Vec::new(),
        stored_crc: None,
        crc_checked: false,
    };
    if format == Format::Ckpt {
        // A broken file is summed here and now; a sound one while its tensors are read.
        ckpt(&mut part, opened.is_err(), listing, findings);
    }
    match opened {
        Ok(source) => {
            if format == Format::Safetensors {
                let odd = source.warnings().iter().cloned();
                part.counted = source.tensors().len();
                findings.extend(odd.map(|odd| Finding::warning(Check::Structure, odd).file(path)));
            }
            part.source = Some(source);
        }
        Err(error) if findings.errors == errors => {
            findings.add(Finding::error(Check::Structure, error.to_string()).file(path));
        }
        Err(_) => {}
    }
    part
}

/// The rules of the format, by its own crate.
fn ckpt(part: &mut Part, broken: bool, listing: Option<&Listing<'_>>, findings: &mut Findings) {
    // In a broken file only that crate still finds tensors.
    let expected = listing.filter(|_| broken).map(|listing| listing.specs(&part.name));
    let options = mindspore_ckpt::VerifyOptions { crc: broken, expected: expected.as_deref() };
    let verification = match mindspore_ckpt::verify(&part.path, &options) {
        Ok(verification) => verification,
        Err(error) => {
            findings.add(Finding::error(Check::Structure, error.to_string()).file(&part.path));
            return;
        }
    };
    part.crc_checked = verification.crc_checked;
    part.counted = verification.tensors;
    let errors = findings.errors;
    for found in verification.findings {
        let severity = match found.kind {
            // Nothing is wrong with such a file, but MindSpore does not load it, or not so.
            FindingKind::RefusedDtype | FindingKind::EmptyVector | FindingKind::FileName => {
                Severity::Error
            }
            _ => found.severity,
        };
        findings.add(Finding {
            severity,
            check: check_of(found.kind),
            file: Some(part.path.clone()),
            tensor: found.tensor,
            offset: found.offset,
            message: found.message,
        });
    }
    if verification.omitted > 0 {
        let message = format!("{} more findings were left out", verification.omitted);
        let finding = if findings.errors == errors {
            Finding::warning(Check::Structure, message)
        } else {
            Finding::error(Check::Structure, message)
        };
        findings.add(finding.file(&part.path));
    }
    if let Ok(reader) = Reader::open(&part.path) {
        part.stored_crc = reader.crc().filter(|_| !part.crc_checked);
        let entries = reader.entries().iter();
        let others = entries.filter(|entry| entry.dtype().to_dtype().is_none());
        part.others = others.map(|entry| entry.name().to_owned()).collect();
        part.others.extend(reader.maps().iter().map(|map| map.name.clone()));
    }
}

fn check_of(kind: FindingKind) -> Check {
    match kind {
        FindingKind::CrcMismatch | FindingKind::BadTrailer => Check::Crc,
        FindingKind::Missing
        | FindingKind::Unexpected
        | FindingKind::WrongDtype
        | FindingKind::WrongShape => Check::Manifest,
        _ => Check::Structure,
    }
}

fn duplicates(parts: &[Part], findings: &mut Findings) {
    let mut seen: HashMap<&str, &Path> = HashMap::new();
    for part in parts {
        let tensors = part.tensors().iter().map(|tensor| tensor.name.as_str());
        for name in tensors.chain(part.others.iter().map(String::as_str)) {
            if let Some(first) = seen.insert(name, &part.path) {
                let error = Error::DuplicateTensor {
                    name: name.to_owned(),
                    first: first.to_owned(),
                    second: part.path.clone(),
                };
                let finding = Finding::error(Check::Structure, error.to_string());
                findings.add(finding.file(&part.path).tensor(name));
            }
        }
    }
}

/// Compares the index with what the parts hold.
fn check_index(parts: &Parts, all: &[Part], findings: &mut Findings) {
    let Some((path, Some(index))) = &parts.index else { return };
    let errors = findings.errors;
    for part in all {
        let (Some(listed), Some(source)) = (index.get(&part.name), &part.source) else { continue };
        let others = |name: &str| part.others.iter().any(|other| other == name);
        for name in listed.iter().filter(|name| source.find(name).is_none() && !others(name)) {
            let elsewhere = all.iter().find(|part| part.find(name).is_some());
            let instead =
                elsewhere.map_or("nowhere".to_owned(), |part| format!("in {}", part.name));
            let message = format!("tensor {name:?} should be in {}, but is {instead}", part.name);
            findings.add(Finding::error(Check::Index, message).file(path).tensor(name));
        }
        for tensor in source.tensors().iter().filter(|tensor| !listed.contains(&tensor.name)) {
            let name = &tensor.name;
            let message = format!("tensor {name:?} is in {}, but not listed as there", part.name);
            findings.add(Finding::error(Check::Index, message).file(path).tensor(name));
        }
    }
    // The crate of the format knows more about an index: doubled keys, odd totals.
    if parts.format == Format::Safetensors && errors == findings.errors {
        match safeshards::OpenOptions::new().mmap(false).open(path) {
            Ok(checkpoint) => {
                let odd = checkpoint.warnings().iter();
                findings.extend(
                    odd.map(|odd| Finding::warning(Check::Index, odd.to_string()).file(path)),
                );
            }
            Err(_) if findings.errors > 0 => {}
            Err(error) => {
                findings.add(Finding::error(Check::Index, error.to_string()).file(path));
            }
        }
    }
}

/// What the crate of the format compares tensors with.
pub(super) fn spec(tensor: &ManifestTensor) -> Option<TensorSpec> {
    let dtype = mindspore_ckpt::Dtype::try_from(tensor.dtype).ok()?;
    let dims = tensor.shape.iter().map(|&extent| extent as u64).collect();
    Some(TensorSpec { name: tensor.name.clone(), dtype, dims })
}
