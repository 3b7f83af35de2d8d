//! What a sound file should still tell about itself: where some MindSpore stumbles over it.

use std::collections::BTreeMap;

use crate::scan::{Report, Scanned};
use crate::{Dtype, Entry, Finding, FindingKind, Support, TensorSpec};

/// What `np.frombuffer` and `reshape` of numpy before 2.0 allow.
const NUMPY_MAX_RANK: usize = 32;

/// The largest message of protobuf's C parsers.
const MAX_MESSAGE: u64 = (1 << 31) - 1;

/// Reports every warning that concerns a tensor or the file as a whole.
pub(crate) fn advise(scanned: &Scanned, report: &mut impl Report) {
    for entry in &scanned.joined.entries {
        advise_entry(entry, report);
    }
    advise_types(&scanned.joined.entries, report);
    if scanned.body_len > MAX_MESSAGE {
        let message = format!(
            "{} bytes are more than the C parsers of protobuf read (2^31 - 1); it loads only where \
             MindSpore uses protobuf's Python parser, as it does by default",
            scanned.body_len
        );
        report.warn(Finding::warning(FindingKind::LargeFile, message));
    }
    if let Some(trailer) = scanned.trailer {
        let message = format!(
            "byte {}: a CRC trailer, with which MindSpore before 2.3.0 cannot load the file",
            trailer.offset
        );
        report.warn(Finding::warning(FindingKind::CrcTrailer, message).at(trailer.offset));
    }
}

fn advise_entry(entry: &Entry, report: &mut impl Report) {
    let TensorSpec { name, dtype, dims } = &entry.spec;
    let mut warn = |kind, story: String| {
        let message = format!("tensor {name:?}, byte {}: {story}", entry.offset);
        report.warn(Finding::warning(kind, message).at(entry.offset).of(name));
    };
    if dtype.support() == Support::SaveOnly {
        warn(
            FindingKind::RefusedDtype,
            format!("MindSpore 2.10.0 saves {dtype} but refuses to load it"),
        );
    }
    if dims.len() > NUMPY_MAX_RANK {
        let rank = dims.len();
        warn(
            FindingKind::HighRank,
            format!("{rank} dimensions; MindSpore 2.0.0 loads at most {NUMPY_MAX_RANK}"),
        );
    }
    if let Some(story) = special_name(name) {
        warn(FindingKind::SpecialName, story.to_owned());
    }
}

fn special_name(name: &str) -> Option<&'static str> {
    const KEY: &str = ".__param_key__";
    let mut after = name.match_indices(KEY).map(|(at, _)| &name[at + KEY.len()..]);
    if after.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
        Some("MindSpore 2.10.0 strips \".__param_key__\" and what follows it from the name")
    } else if name == "random_op" {
        Some("MindSpore 2.0.0 loads \"random_op\" as bytes, and `load_param_into_net` drops it")
    } else if name.trim() != name {
        Some("MindSpore strips the spaces around a name from `Parameter.name`, not from the key")
    } else {
        None
    }
}

/// One warning for each type, not one for each tensor.
fn advise_types(entries: &[Entry], report: &mut impl Report) {
    let mut recent: BTreeMap<Dtype, (&str, usize, &Entry)> = BTreeMap::new();
    for entry in entries {
        if let Support::Since(version) = entry.dtype().support() {
            recent.entry(entry.dtype()).or_insert((version, 0, entry)).1 += 1;
        }
    }
    for (dtype, (version, count, first)) in recent {
        let message = format!(
            "{count} tensor(s) of type {dtype}, the first of them {:?}: loaded from MindSpore \
             {version} on, refused by 2.0.0",
            first.name()
        );
        report.warn(Finding::warning(FindingKind::RecentDtype, message).at(first.offset));
    }
}
