//! Saying everything that is wrong with a file.

use std::ffi::OsStr;
use std::path::Path;

use crate::advice::advise;
use crate::crc::{Trailer, checksum};
use crate::join::Joined;
use crate::scan::{Report, Scanned, scan};
use crate::{Error, Finding, FindingKind, Place, Result, Severity, Source, TensorSpec};

/// Findings of each severity that are kept; a hostile file could cause one for every few of its bytes.
const MAX_FINDINGS: usize = 1000;

/// A tensor that a file must hold, as its [`TensorSpec`] says.
pub type Expected = TensorSpec;

/// What [`verify()`] shall look at.
#[derive(Clone, Copy, Debug)]
pub struct VerifyOptions<'a> {
    /// Whether to compare the checksum with all bytes, where the file has one. Default yes. This
    /// is all that reads the contents.
    pub crc: bool,
    /// The tensors that must be there, and no others. Only this shows a file that was cut exactly
    /// between two records. Order does not count.
    pub expected: Option<&'a [Expected]>,
}

impl Default for VerifyOptions<'_> {
    fn default() -> Self {
        Self { crc: true, expected: None }
    }
}

/// What [`verify()`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// Tensors without a fault of their own.
    pub tensors: usize,
    /// Bytes of the file.
    pub bytes: u64,
    /// The findings, in file order for each stage: structure, checksum, expectations. At most
    /// 1,000 errors and 1,000 warnings.
    pub findings: Vec<Finding>,
    /// Findings that were left out of the list.
    pub omitted: u64,
    /// Whether a checksum was there and compared.
    pub crc_checked: bool,
    loadable: bool,
}

impl Verification {
    /// Whether a current MindSpore loads the file and gets the tensors that it holds: no errors,
    /// no type that MindSpore refuses, no shape that it turns into garbage.
    #[must_use]
    pub fn is_loadable(&self) -> bool {
        self.loadable
    }

    /// The findings that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }
}

/// Checks a file: every record, length, name and type, the checksum, and what was expected of it.
///
/// It goes on after a fault wherever the next record can still be found.
///
/// ```no_run
/// use mindspore_ckpt::{VerifyOptions, verify};
///
/// let verification = verify("gpt_oss_20b.ckpt", &VerifyOptions::default())?;
/// for finding in &verification.findings {
///     println!("{finding}");
/// }
/// assert!(verification.is_loadable());
/// # Ok::<(), mindspore_ckpt::Error>(())
/// ```
///
/// # Errors
///
/// Only what the operating system refuses; whatever is wrong with the file is a finding.
#[cfg(any(unix, windows))]
pub fn verify(path: impl AsRef<Path>, options: &VerifyOptions<'_>) -> Result<Verification> {
    let path = path.as_ref();
    let mut verification = std::fs::File::open(path)
        .map_err(Error::io("open", 0))
        .and_then(|file| verify_source(&file, options))
        .map_err(|error| error.in_file(path))?;
    if path.extension() != Some(OsStr::new("ckpt")) {
        let message = "MindSpore opens only files whose name ends in \".ckpt\"".to_owned();
        verification.findings.push(Finding::warning(FindingKind::FileName, message));
    }
    Ok(verification)
}

/// Checks what is not a file by name: a file that is open, or bytes in memory.
///
/// # Errors
///
/// As [`verify()`].
pub fn verify_source<S: Source + ?Sized>(
    source: &S,
    options: &VerifyOptions<'_>,
) -> Result<Verification> {
    let mut collect = Collect { loadable: true, ..Collect::default() };
    let scanned = scan(source, &mut collect)?;
    advise(&scanned, &mut collect);
    let crc_checked = check_trailer(source, &scanned, options.crc, &mut collect)?;
    if let Some(expected) = options.expected {
        check_expected(&scanned.joined, expected, &mut collect);
    }
    Ok(Verification {
        tensors: scanned.joined.entries.len(),
        bytes: scanned.size,
        findings: collect.findings,
        omitted: collect.omitted,
        crc_checked,
        loadable: collect.loadable,
    })
}

fn check_trailer<S: Source + ?Sized>(
    source: &S,
    scanned: &Scanned,
    compare: bool,
    collect: &mut Collect,
) -> Result<bool> {
    match scanned.trailer {
        Some(Trailer { offset, crc: None }) => {
            let why = "the number has more than 32 bits; it must be big-endian";
            collect.fault(Error::BadTrailer { place: Place::byte(offset), why })?;
            Ok(false)
        }
        Some(Trailer { offset, crc: Some(stored) }) if compare => {
            let computed = checksum(source, scanned.body_len)?;
            if computed != stored {
                let message = format!(
                    "byte {offset}: the checksum is {stored:#010x}, the bytes before it have \
                     {computed:#010x}"
                );
                collect.add(Finding::error(FindingKind::CrcMismatch, message).at(offset));
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn check_expected(joined: &Joined, expected: &[Expected], collect: &mut Collect) {
    let mut wanted = std::collections::HashSet::with_capacity(expected.len());
    for spec in expected {
        let name = spec.name.as_str();
        wanted.insert(name);
        let Some(seen) = joined.names.get(name) else {
            let message = format!("tensor {name:?}: expected, but not in the file");
            collect.add(Finding::error(FindingKind::Missing, message).of(name));
            continue;
        };
        // What has no entry has been found faulty, or is a map.
        let Some(entry) = seen.entry.and_then(|index| joined.entries.get(index)) else { continue };
        let mut differs = |kind, what: &str, found: String, expected: String| {
            let message = format!(
                "tensor {name:?}, byte {}: {what} is {found}; expected {expected}",
                entry.offset
            );
            collect.add(Finding::error(kind, message).at(entry.offset).of(name));
        };
        if entry.dtype() != spec.dtype {
            let (found, expected) = (entry.dtype().to_string(), spec.dtype.to_string());
            differs(FindingKind::WrongDtype, "the type", found, expected);
        }
        if entry.dims() != spec.dims {
            let (found, expected) = (format!("{:?}", entry.dims()), format!("{:?}", spec.dims));
            differs(FindingKind::WrongShape, "the shape", found, expected);
        }
    }
    let names = joined.entries.iter().map(|entry| (entry.name(), entry.offset));
    let maps = joined.maps.iter().map(|map| (map.name.as_str(), map.offset));
    for (name, offset) in names.chain(maps).filter(|(name, _)| !wanted.contains(name)) {
        let message = format!("tensor {name:?}, byte {offset}: in the file, but not expected");
        collect.add(Finding::error(FindingKind::Unexpected, message).at(offset).of(name));
    }
}

/// Keeps every finding and goes on.
#[derive(Debug, Default)]
struct Collect {
    findings: Vec<Finding>,
    /// Warnings and errors in the list.
    kept: [usize; 2],
    omitted: u64,
    loadable: bool,
}

impl Collect {
    fn add(&mut self, finding: Finding) {
        self.loadable &= finding.severity != Severity::Error
            && !matches!(finding.kind, FindingKind::RefusedDtype | FindingKind::EmptyVector);
        let kept = &mut self.kept[usize::from(finding.severity == Severity::Error)];
        if *kept < MAX_FINDINGS {
            *kept += 1;
            self.findings.push(finding);
        } else {
            self.omitted += 1;
        }
    }
}

impl Report for Collect {
    fn fault(&mut self, error: Error) -> Result<()> {
        if error.kind().is_none() {
            return Err(error);
        }
        self.add(Finding::from_error(&error));
        Ok(())
    }

    fn warn(&mut self, warning: Finding) {
        let severity = match warning.kind {
            FindingKind::Leftover | FindingKind::AmbiguousBf16 => Severity::Error,
            _ => warning.severity,
        };
        self.add(Finding { severity, ..warning });
    }
}
