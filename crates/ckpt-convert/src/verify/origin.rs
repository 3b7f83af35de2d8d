//! What every tensor must have been made from, and how.

use std::collections::HashSet;

use lowfloat::{DType, can_cast};

use super::finding::{Check, Finding, Findings};
use super::listing::Listing;
use super::parts::Parts;
use super::structure::Part;
use crate::manifest::ManifestTensor;
use crate::plan::PlanTensor;
use crate::presets::gpt_oss::{
    ExpertLayout, Mxfp4Role, dense_shape, is_dense, mxfp4_partner, packed_shapes, pair_fits,
};
use crate::source::{LeftOut, LeftOutKind};
use crate::transform::Transform;
use crate::{Source, SourceTensor};

/// How the source gives this tensor: by the manifest's word, without one by its name.
pub(super) fn of(
    tensor: &SourceTensor,
    entry: Option<&ManifestTensor>,
    against: &Source,
) -> Result<PlanTensor, String> {
    let transform = match entry {
        Some(entry) => by_manifest(tensor, entry, against),
        None => by_name(tensor, against),
    }?;
    Ok(PlanTensor {
        name: tensor.name.clone(),
        dtype: tensor.dtype,
        shape: tensor.shape.clone(),
        bytes: tensor.bytes,
        transform,
    })
}

fn by_manifest(
    tensor: &SourceTensor,
    entry: &ManifestTensor,
    against: &Source,
) -> Result<Transform, String> {
    let mut inputs = Vec::with_capacity(entry.from.len());
    for name in &entry.from {
        let input = against.find(name).ok_or_else(|| {
            format!("the manifest says it was made from {name:?}, which is not in the source")
        })?;
        inputs.push(input);
    }
    match inputs[..] {
        [from] => from_one(tensor, from, against),
        [blocks, scales] => dequantized(tensor, blocks, scales, against),
        _ => Err(format!("the manifest names {} tensors that it was made from", inputs.len())),
    }
}

fn by_name(tensor: &SourceTensor, against: &Source) -> Result<Transform, String> {
    let name = &tensor.name;
    if let Some(from) = against.find(name) {
        return from_one(tensor, from, against);
    }
    for layout in ExpertLayout::ALL {
        let half = |role| against.find(&layout.half(name, role));
        if let (Some(blocks), Some(scales)) = (half(Mxfp4Role::Blocks), half(Mxfp4Role::Scales)) {
            return dequantized(tensor, blocks, scales, against);
        }
    }
    match mxfp4_partner(name).and_then(|(_, stem)| against.find(stem)) {
        Some(from) => from_one(tensor, from, against),
        None => Err("not in the source under this name, nor what it could be made from; if \
                     tensors were renamed, the manifest is needed"
            .to_owned()),
    }
}

/// A copy, a cast, or a half of what packing gives.
fn from_one(tensor: &SourceTensor, from: usize, against: &Source) -> Result<Transform, String> {
    let input = &against.tensors()[from];
    if tensor.shape == input.shape {
        if tensor.dtype == input.dtype {
            return Ok(Transform::Copy { from });
        }
        let bytewise = tensor.dtype.size().is_some() && input.dtype.size().is_some();
        return if bytewise && can_cast(input.dtype, tensor.dtype) {
            Ok(Transform::Cast { from })
        } else {
            let (is, was) = (tensor.dtype, input.dtype);
            Err(format!(
                "{is}, but {:?} of the source is {was}, which does not become {is}",
                input.name
            ))
        };
    }
    packed(tensor, from, input).ok_or_else(|| {
        format!(
            "{} {:?}, but {:?} of the source is {} {:?}",
            tensor.dtype, tensor.shape, input.name, input.dtype, input.shape
        )
    })
}

fn packed(tensor: &SourceTensor, from: usize, input: &SourceTensor) -> Option<Transform> {
    if !is_dense(input.dtype) || tensor.dtype != DType::U8 {
        return None;
    }
    let layout = ExpertLayout::of_dense(&input.name);
    let transposed = layout.is_some_and(ExpertLayout::is_transposed);
    let shapes = packed_shapes(&input.shape, transposed)?;
    if tensor.shape == shapes.scales {
        return Some(Transform::PackScales { from, transposed });
    }
    (tensor.shape == shapes.blocks).then_some(Transform::PackBlocks { from, transposed })
}

fn dequantized(
    tensor: &SourceTensor,
    blocks: usize,
    scales: usize,
    against: &Source,
) -> Result<Transform, String> {
    let (packed, factors) = (&against.tensors()[blocks], &against.tensors()[scales]);
    if !pair_fits(packed, factors) {
        return Err(format!(
            "{:?} and {:?} of the source are no MXFP4 blocks and scales",
            packed.name, factors.name
        ));
    }
    if !is_dense(tensor.dtype) {
        return Err(format!("{}, which MXFP4 does not become", tensor.dtype));
    }
    let (shape, transposed) = dense_shape(&packed.name, &factors.shape);
    if tensor.shape != shape {
        return Err(format!(
            "the shape is {:?}, but {:?} of the source makes {shape:?}",
            tensor.shape, packed.name
        ));
    }
    Ok(Transform::Dequantize { blocks, scales, transposed })
}

/// Reports the tensors of the source that are in no tensor of the checkpoint.
pub(super) fn unused(
    used: &HashSet<usize>,
    against: &Source,
    listing: Option<&Listing<'_>>,
    (parts, all): (&Parts, &[Part]),
    findings: &mut Findings,
) {
    let unread = parts.missing > 0 || all.iter().any(|part| part.source.is_none());
    if listing.is_none() && (unread || !parts.whole) {
        let message = "whether every tensor of the source is in the checkpoint cannot be told: \
                       not all of its parts could be read";
        findings.add(Finding::warning(Check::Values, message.to_owned()));
        return;
    }
    let mut named = HashSet::new();
    if let Some(listing) = listing {
        let tensors = listing.manifest.tensors.iter();
        named.extend(tensors.flat_map(|tensor| &tensor.from).map(String::as_str));
        named.extend(listing.manifest.dropped.iter().map(String::as_str));
    }
    for (index, tensor) in against.tensors().iter().enumerate() {
        let name = tensor.name.as_str();
        if used.contains(&index) || is_named(name, &named) {
            continue;
        }
        let message = match listing {
            Some(_) => format!(
                "tensor {name:?} of the source is in no tensor of the checkpoint, and no rule \
                 dropped it"
            ),
            None => format!(
                "tensor {name:?} of the source is in no tensor of the checkpoint (if a rule \
                 dropped or renamed it, the manifest is needed)"
            ),
        };
        findings.add(Finding::error(Check::Values, message).tensor(name));
    }
    let others: HashSet<_> = all.iter().flat_map(|part| &part.others).collect();
    for entry in against.left_out().iter().filter(|entry| !named.contains(entry.name.as_str())) {
        let LeftOut { name, kind, .. } = entry;
        let finding = if others.contains(name) {
            let message = format!("{name:?}, {kind}, was not compared with that of the source");
            Finding::warning(Check::Values, message)
        } else {
            let message = format!("{name:?} of the source, {kind}, is not in the checkpoint");
            match kind {
                // No conversion keeps it, and the manifests of earlier ones do not list it.
                LeftOutKind::Text => Finding::warning(Check::Values, message),
                _ if listing.is_some() => {
                    let message = message + ", and no rule dropped it";
                    Finding::error(Check::Values, message)
                }
                _ => {
                    let message = message + " (if a rule dropped it, the manifest is needed)";
                    Finding::error(Check::Values, message)
                }
            }
        };
        findings.add(finding.tensor(name));
    }
}

/// Rules drop tensors under the names that dequantising or packing would give them.
fn is_named(name: &str, named: &HashSet<&str>) -> bool {
    if named.contains(name) {
        return true;
    }
    match mxfp4_partner(name) {
        Some((_, stem)) => named.contains(stem),
        None => ExpertLayout::ALL
            .iter()
            .any(|layout| named.contains(layout.half(name, Mxfp4Role::Blocks).as_str())),
    }
}

/// `cast from BF16 "model.norm.weight"`: what a tensor was compared with.
pub(super) fn describe(plan: &PlanTensor, against: Option<&Source>) -> String {
    let input = |index: usize| {
        let tensor = against.and_then(|against| against.tensors().get(index));
        tensor.map_or(String::new(), |tensor| format!("{} {:?}", tensor.dtype, tensor.name))
    };
    match plan.transform {
        Transform::Copy { from } => format!("copied from {}", input(from)),
        Transform::Cast { from } => format!("cast from {}", input(from)),
        Transform::Dequantize { blocks, transposed: true, .. } => {
            format!("dequantised from {}, transposed", input(blocks))
        }
        Transform::Dequantize { blocks, .. } => format!("dequantised from {}", input(blocks)),
        Transform::PackBlocks { from, .. } | Transform::PackScales { from, .. } => {
            format!("packed from {}", input(from))
        }
    }
}
