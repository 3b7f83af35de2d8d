//! From a source and a policy to a plan.

use std::collections::HashMap;
use std::ops::Range;

use lowfloat::{DType, can_cast, mxfp4};

use super::{Plan, PlanFile, PlanOptions, PlanTensor, identity};
use crate::folder::is_plain_name;
use crate::presets::gpt_oss::{
    ExpertLayout, Mxfp4Role, dense_shape, is_dense, mxfp4_partner, packed_shapes, pair_fits,
    partner_name,
};
use crate::rule::LONGEST_NAME;
use crate::sink::{SegmentKind, Sink};
use crate::source::{LeftOut, LeftOutKind, SourceTensor, elements};
use crate::transform::Transform;
use crate::{Error, Experts, Policy, Problem, Result, Source};

pub(super) fn plan(
    source: &Source,
    policy: &Policy,
    sink: &dyn Sink,
    options: &PlanOptions,
) -> Result<Plan> {
    let mut builder =
        Builder { source, policy, problems: Vec::new(), made: Vec::new(), dropped: Vec::new() };
    for index in 0..source.tensors().len() {
        builder.tensor(index);
    }
    for entry in source.left_out() {
        builder.left_out(entry);
    }
    builder.check(sink);
    let Builder { problems, made, dropped, .. } = builder;
    if !problems.is_empty() {
        return Err(Error::Plan { problems });
    }
    let stem = options.stem.clone().unwrap_or_else(|| crate::stem_for(source));
    let parts = match &options.files {
        Some(files) => given(files, made.len())?,
        None => split(&made, sink, &stem, options.max_file_size),
    };
    let index = sink.index_name(&stem, parts.len());
    for name in parts.iter().map(|(name, _)| name).chain(&index).chain([&stem]) {
        if !is_plain_name(name) {
            let problems = vec![Problem::FileName { name: name.clone() }];
            return Err(Error::Plan { problems });
        }
    }
    let (files, tensors) = lay_out(&made, sink, parts)?;
    let mut plan = Plan {
        format: sink.format().to_owned(),
        warnings: warnings(source, sink, &files, options),
        files,
        tensors,
        index,
        dropped,
        identity: String::new(),
        policy: policy.describe(),
    };
    plan.identity = identity::of(&plan, source)?;
    Ok(plan)
}

struct Builder<'a> {
    source: &'a Source,
    policy: &'a Policy,
    problems: Vec<Problem>,
    made: Vec<PlanTensor>,
    dropped: Vec<String>,
}

impl Builder<'_> {
    /// Decides what becomes of one source tensor.
    fn tensor(&mut self, index: usize) {
        let tensor = &self.source.tensors()[index];
        match self.policy.experts {
            Experts::Dequantize if is_mxfp4(tensor) => self.dequantize(index),
            Experts::Quantize if dense_expert(tensor).is_some() => self.quantize(index),
            _ => self.plain(index),
        }
    }

    /// Text is no part of the model and goes with a warning; whatever else would be missed.
    fn left_out(&mut self, entry: &LeftOut) {
        if entry.kind == LeftOutKind::Text {
            self.dropped.push(entry.name.clone());
        } else if self.takes(&entry.name) {
            self.problems.push(Problem::Unstorable {
                tensor: entry.name.clone(),
                reason: format!("{}, which has no counterpart; drop it by rule", entry.kind),
            });
        }
    }

    fn plain(&mut self, index: usize) {
        let tensor = &self.source.tensors()[index];
        if !self.takes(&tensor.name) {
            return;
        }
        let dtype = self.policy.dtype_for(&tensor.name, tensor.dtype);
        let transform = if dtype == tensor.dtype {
            Transform::Copy { from: index }
        } else {
            Transform::Cast { from: index }
        };
        if dtype != tensor.dtype && !can_cast(tensor.dtype, dtype) {
            let (tensor, from) = (tensor.name.clone(), tensor.dtype);
            self.problems.push(Problem::NoCast { tensor, from, to: dtype });
            return;
        }
        self.make(&tensor.name, dtype, tensor.shape.clone(), transform);
    }

    /// Blocks are where the dense tensor takes its place; scales vanish into it.
    fn dequantize(&mut self, index: usize) {
        let tensor = &self.source.tensors()[index];
        let Some((role, stem)) = mxfp4_partner(&tensor.name) else { return };
        let partner = partner_name(&tensor.name).unwrap_or_default();
        let Some(other) = self.source.find(&partner) else {
            self.problems.push(Problem::Unpaired { tensor: tensor.name.clone(), missing: partner });
            return;
        };
        if role == Mxfp4Role::Scales {
            return;
        }
        let scales = &self.source.tensors()[other];
        if !pair_fits(tensor, scales) {
            self.problems.push(Problem::Shape {
                tensor: tensor.name.clone(),
                actual: tensor.shape.clone(),
                expected: format!("that of {:?}, {:?}, with 16 added", scales.name, scales.shape),
            });
            return;
        }
        if !self.takes(stem) {
            return;
        }
        let dtype = self.policy.dense_dtype_for(stem);
        if !is_dense(dtype) {
            let tensor = stem.to_owned();
            self.problems.push(Problem::NoCast { tensor, from: DType::F4, to: dtype });
            return;
        }
        let (shape, transposed) = dense_shape(&tensor.name, &scales.shape);
        let transform = Transform::Dequantize { blocks: index, scales: other, transposed };
        self.make(stem, dtype, shape, transform);
    }

    fn quantize(&mut self, index: usize) {
        let tensor = &self.source.tensors()[index];
        let Some(layout) = dense_expert(tensor) else { return };
        let transposed = layout.is_transposed();
        let Some(shapes) = packed_shapes(&tensor.shape, transposed) else {
            self.problems.push(Problem::Shape {
                tensor: tensor.name.clone(),
                actual: tensor.shape.clone(),
                expected: format!("an input extent that is a multiple of {}", mxfp4::BLOCK),
            });
            return;
        };
        let name = layout.half(&tensor.name, Mxfp4Role::Scales);
        if self.takes(&name) {
            let transform = Transform::PackScales { from: index, transposed };
            self.make(&name, DType::U8, shapes.scales, transform);
        }
        let name = layout.half(&tensor.name, Mxfp4Role::Blocks);
        if self.takes(&name) {
            let transform = Transform::PackBlocks { from: index, transposed };
            self.make(&name, DType::U8, shapes.blocks, transform);
        }
    }

    fn takes(&mut self, name: &str) -> bool {
        let takes = self.policy.rules.takes(name);
        if !takes {
            self.dropped.push(name.to_owned());
        }
        takes
    }

    fn make(&mut self, name: &str, dtype: DType, shape: Vec<usize>, transform: Transform) {
        let name = self.policy.rules.rename(name);
        match dtype.bytes_for(elements(&shape)) {
            Some(bytes) => self.made.push(PlanTensor { name, dtype, shape, bytes, transform }),
            None => self.problems.push(Problem::Unstorable {
                tensor: name,
                reason: format!("{shape:?} elements of {dtype} do not fill whole bytes"),
            }),
        }
    }

    /// Looks at the tensors together, and with the eyes of the output format.
    fn check(&mut self, sink: &dyn Sink) {
        let mut seen: HashMap<&str, &PlanTensor> = HashMap::new();
        let input = |tensor: &PlanTensor| {
            let first = tensor.transform.inputs().first().copied();
            first.map(|first| self.source.tensors()[first].name.clone()).unwrap_or_default()
        };
        for tensor in &self.made {
            if tensor.name.len() > LONGEST_NAME {
                let reason = format!("a name of {} bytes, made by renaming", tensor.name.len());
                let start = tensor.name.chars().take(64).collect::<String>() + "…";
                self.problems.push(Problem::Unstorable { tensor: start, reason });
                continue;
            }
            if let Some(other) = seen.insert(&tensor.name, tensor) {
                self.problems.push(Problem::SameName {
                    name: tensor.name.clone(),
                    first: input(other),
                    second: input(tensor),
                });
            }
            if let Err(reason) = sink.admit(tensor) {
                self.problems.push(Problem::Unstorable { tensor: tensor.name.clone(), reason });
            }
        }
        if self.made.is_empty() && self.problems.is_empty() {
            let none = match self.source.tensors().len() {
                0 => "the checkpoint has no tensors".to_owned(),
                count => format!("the rules leave out all {count} tensors"),
            };
            self.problems.push(Problem::Nothing(none));
        }
    }
}

fn is_mxfp4(tensor: &SourceTensor) -> bool {
    tensor.dtype == DType::U8 && mxfp4_partner(&tensor.name).is_some()
}

/// The layout of a dense expert weight: `X.experts.gate_up_proj` `[E, in, out]`, or `mlp1_weight`
/// `[E, out, in]`.
fn dense_expert(tensor: &SourceTensor) -> Option<ExpertLayout> {
    let dense = is_dense(tensor.dtype) && tensor.shape.len() == 3;
    ExpertLayout::of_dense(&tensor.name).filter(|_| dense)
}

/// A file's name and the tensors in it.
type Part = (String, Range<usize>);

fn lay_out(
    made: &[PlanTensor],
    sink: &dyn Sink,
    parts: Vec<Part>,
) -> Result<(Vec<PlanFile>, Vec<PlanTensor>)> {
    let mut files = Vec::with_capacity(parts.len());
    let mut tensors = Vec::with_capacity(made.len());
    for (name, range) in parts {
        let members: Vec<_> = made[range].iter().collect();
        let mut layout = sink.layout(&members)?;
        // From here on tensors are counted through the plan, in the order of their bytes.
        let first = tensors.len();
        let mut place = vec![None; members.len()];
        for segment in &mut layout.segments {
            if let SegmentKind::Content { tensor, .. } = &mut segment.kind {
                let at = *place[*tensor].get_or_insert_with(|| {
                    tensors.push(members[*tensor].clone());
                    tensors.len() - 1
                });
                *tensor = at;
            }
        }
        let (bytes, tensors) = (layout.total_len(), first..tensors.len());
        files.push(PlanFile { name, bytes, tensors, layout });
    }
    Ok((files, tensors))
}

fn split(made: &[PlanTensor], sink: &dyn Sink, stem: &str, max: Option<u64>) -> Vec<Part> {
    let max = max.unwrap_or(u64::MAX);
    let mut ranges = Vec::new();
    let (mut start, mut bytes) = (0, sink.bytes_beside());
    for (index, tensor) in made.iter().enumerate() {
        let more = sink.bytes_in_file(tensor);
        if index > start && bytes.saturating_add(more) > max {
            ranges.push(start..index);
            (start, bytes) = (index, sink.bytes_beside());
        }
        bytes = bytes.saturating_add(more);
    }
    ranges.push(start..made.len());
    let count = ranges.len();
    let named = |(part, range)| (sink.file_name(stem, part, count), range);
    ranges.into_iter().enumerate().map(named).collect()
}

fn given(files: &[(String, usize)], tensors: usize) -> Result<Vec<Part>> {
    let mut start = 0;
    let parts: Vec<_> = files
        .iter()
        .map(|(name, count)| {
            let range = start..start + count;
            start = range.end;
            (name.clone(), range)
        })
        .collect();
    if start != tensors {
        let reason = format!("the files given take {start} tensors, but there are {tensors}");
        return Err(Error::Plan { problems: vec![Problem::Nothing(reason)] });
    }
    Ok(parts)
}

/// The size up to which every protobuf implementation reads a file.
const PROTOBUF_LIMIT: u64 = (1 << 31) - 1;

fn warnings(
    source: &Source,
    sink: &dyn Sink,
    files: &[PlanFile],
    options: &PlanOptions,
) -> Vec<String> {
    let mut warnings = source.warnings().to_vec();
    if let Some(max) = options.max_file_size {
        let larger = files.iter().filter(|file| file.bytes > max);
        warnings.extend(larger.map(|file| {
            format!(
                "{} has {} bytes, more than the limit: its one tensor is larger",
                file.name, file.bytes
            )
        }));
    }
    if sink.format() == "ckpt" && files.iter().any(|file| file.bytes > PROTOBUF_LIMIT) {
        warnings.push(format!(
            "a .ckpt file of more than {PROTOBUF_LIMIT} bytes loads only with protobuf's Python \
             implementation, MindSpore's default; parts of at most that size load with all"
        ));
    }
    warnings
}
