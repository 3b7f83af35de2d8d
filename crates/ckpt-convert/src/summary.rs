//! What a checkpoint holds, added up.

mod config;
mod digest;
mod pattern;

pub use config::ConfigFacts;
pub use pattern::Pattern;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::num::NonZero;

use lowfloat::DType;
use serde::{Serialize, Serializer};

use crate::presets::gpt_oss::{Group, group_of, mxfp4_partner};
use crate::{Observer, Result, Source, SourceKind, SourceTensor};

/// What a checkpoint holds: every tensor, and totals by type, by part of the model and by file.
///
/// Serialized it is one JSON object with the fields as they stand here; the keys of `by_dtype` and
/// `by_group` are names (`BF16`, `experts`).
///
/// ```
/// use ckpt_convert::presets::gpt_oss::{ExpertFormat, Group, Shape};
/// use ckpt_convert::{Source, Summary, Synthetic};
///
/// let model = Synthetic::new(Shape::b20(), ExpertFormat::Mxfp4, 0);
/// let summary = Summary::of(&Source::synthetic(model));
/// assert_eq!(summary.num_tensors, 459);
/// assert_eq!(summary.parameters, 20_914_757_184);
/// assert_eq!(summary.by_group[&Group::Experts].bytes, 10_165_616_640);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// The path that was opened; empty for a synthetic source.
    pub path: String,
    /// `safetensors`, `ckpt` or `synthetic`.
    pub format: &'static str,
    /// Tensors.
    pub num_tensors: usize,
    /// Bytes of all tensors, headers left out.
    pub total_bytes: u64,
    /// Numbers that the model learnt: MXFP4 blocks count as the weights they hold, scales as none.
    pub parameters: u64,
    /// What `config.json` says of the model, where there is one.
    pub config: Option<ConfigFacts>,
    /// Totals by element type; types that no tensor has are left out.
    #[serde(serialize_with = "by_name")]
    pub by_dtype: BTreeMap<DType, Totals>,
    /// Totals by part of the model, found by the tensors' names; parts that no tensor belongs to
    /// are left out.
    #[serde(serialize_with = "by_name")]
    pub by_group: BTreeMap<Group, Totals>,
    /// The files, in reading order.
    pub files: Vec<FileSummary>,
    /// The tensors, in the order of [`Source::tensors`].
    pub tensors: Vec<TensorSummary>,
    /// What is odd but harmless.
    pub warnings: Vec<String>,
}

/// Several tensors together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Totals {
    /// How many tensors.
    pub tensors: usize,
    /// How many of [`Summary::parameters`] they hold.
    pub parameters: u64,
    /// Bytes of their content.
    pub bytes: u64,
}

/// One file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileSummary {
    /// Its name, without its folder.
    pub name: String,
    /// Its length, headers included.
    pub bytes: u64,
    /// How many tensors begin in it.
    pub tensors: usize,
}

/// One tensor of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TensorSummary {
    /// Its name.
    pub name: String,
    /// The type of its elements, under the name that safetensors files use (`BF16`).
    #[serde(serialize_with = "as_name")]
    pub dtype: DType,
    /// The type's name in the file (`BFloat16`), where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored_as: Option<&'static str>,
    /// Its shape, outermost dimension first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Bytes of its content.
    pub bytes: u64,
    /// How many of [`Summary::parameters`] it holds.
    pub parameters: u64,
    /// The part of the model that it belongs to.
    #[serde(serialize_with = "as_name")]
    pub group: Group,
    /// The name of the file that it begins in; `None` when it is made on the fly.
    pub file: Option<String>,
    /// SHA-256 of its little-endian content, in lower-case hexadecimal; `None` unless
    /// [asked for](Summary::with_digests).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Summary {
    /// Adds up what `source` knows already; no tensor is read.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        let mut files: Vec<_> = source
            .files()
            .iter()
            .map(|file| FileSummary { name: file.name(), bytes: file.len(), tensors: 0 })
            .collect();
        let mut by_dtype = BTreeMap::<_, Totals>::new();
        let mut by_group = BTreeMap::<_, Totals>::new();
        let mut tensors = Vec::with_capacity(source.tensors().len());
        for tensor in source.tensors() {
            let file = tensor.file.and_then(|file| files.get_mut(file));
            let file = file.map(|file| {
                file.tensors += 1;
                file.name.clone()
            });
            let tensor = TensorSummary::new(source, tensor, file);
            by_dtype.entry(tensor.dtype).or_default().add(&tensor);
            by_group.entry(tensor.group).or_default().add(&tensor);
            tensors.push(tensor);
        }
        let mut warnings = source.warnings().to_vec();
        warnings.extend(source.tensors().iter().filter_map(|tensor| unpaired(source, tensor)));
        Self {
            path: source.root().to_string_lossy().into_owned(),
            format: match source.kind() {
                SourceKind::Safetensors => "safetensors",
                SourceKind::MindSpore => "ckpt",
                SourceKind::Synthetic => "synthetic",
            },
            num_tensors: tensors.len(),
            total_bytes: source.total_bytes(),
            parameters: source.parameters(),
            config: source.config().map(|config| ConfigFacts::of(config, source.parameters())),
            by_dtype,
            by_group,
            files,
            tensors,
            warnings,
        }
    }

    /// As [`Summary::of`], with the SHA-256 of every tensor.
    ///
    /// Tensors are shared out to `threads` threads and one more; each reads a few MiB at a time,
    /// past the page cache what is not in it. `observer` is told as of a
    /// [`Phase::Hash`](crate::Phase::Hash).
    ///
    /// The digests are those of the content as [`Source`] gives it: the bytes in the file, in
    /// whatever slices, and for MindSpore's older form of bf16 (four bytes an element) the upper
    /// halves.
    ///
    /// # Errors
    /// When a file cannot be read, or became shorter after it was opened.
    pub fn with_digests(
        source: &Source,
        threads: NonZero<usize>,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let mut summary = Self::of(source);
        let digests = digest::digests(source, threads, observer)?;
        for (tensor, digest) in summary.tensors.iter_mut().zip(digests) {
            tensor.sha256 = Some(digest);
        }
        Ok(summary)
    }

    /// The tensors with those of all layers folded into one line; see [`Pattern`].
    #[must_use]
    pub fn patterns(&self) -> Vec<Pattern> {
        pattern::fold(&self.tensors)
    }
}

impl TensorSummary {
    fn new(source: &Source, tensor: &SourceTensor, file: Option<String>) -> Self {
        let stored_as = match source.kind() {
            SourceKind::MindSpore => mindspore_ckpt::Dtype::try_from(tensor.dtype).ok(),
            SourceKind::Safetensors | SourceKind::Synthetic => None,
        };
        Self {
            name: tensor.name.clone(),
            dtype: tensor.dtype,
            stored_as: stored_as
                .map(mindspore_ckpt::Dtype::name)
                .filter(|name| *name != tensor.dtype.name()),
            shape: tensor.shape.clone(),
            bytes: tensor.bytes,
            parameters: source.parameters_of(tensor),
            group: group_of(&tensor.name),
            file,
            sha256: None,
        }
    }
}

impl Totals {
    fn add(&mut self, tensor: &TensorSummary) {
        self.tensors += 1;
        self.parameters += tensor.parameters;
        self.bytes += tensor.bytes;
    }
}

/// Half of an MXFP4 weight has no meaning alone.
fn unpaired(source: &Source, tensor: &SourceTensor) -> Option<String> {
    mxfp4_partner(&tensor.name).filter(|_| tensor.dtype == DType::U8)?;
    let alone = source.mxfp4_role(tensor).is_none();
    alone.then(|| {
        format!(
            "tensor {:?}: named as half of an MXFP4 weight, but its other half is missing or does \
             not fit; counted as plain U8",
            tensor.name
        )
    })
}

fn by_name<K: Display, S: Serializer>(
    totals: &BTreeMap<K, Totals>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(totals.iter().map(|(key, totals)| (key.to_string(), totals)))
}

fn as_name<K: Display, S: Serializer>(key: &K, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

#[cfg(test)]
mod tests;
