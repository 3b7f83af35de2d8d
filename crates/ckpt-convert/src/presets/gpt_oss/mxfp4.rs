//! Expert weights, dense and packed as MXFP4: what the names and shapes of either say of the other.
//!
//! A packed weight is a stack of matrices `[rows, columns]` (outputs, inputs) with blocks of 32
//! along the columns: its scales are `[.., rows, columns / 32]`, its blocks `[.., rows,
//! columns / 32, 16]`. Whether its dense form is `[.., rows, columns]` or transposed is a matter of
//! the [`ExpertLayout`].

use lowfloat::{DType, mxfp4};

use crate::SourceTensor;

/// What a tensor holds of an MXFP4 weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mxfp4Role {
    /// The 4-bit codes, 32 to a block of 16 bytes.
    Blocks,
    /// One power-of-two scale a block.
    Scales,
}

/// Tells the two halves of an MXFP4 weight by name: `X_blocks` with `X_scales` (hub) and `X.blocks`
/// with `X.scales` (original), and gives the stem `X` that both share. `None` for other names.
///
/// ```
/// use ckpt_convert::presets::gpt_oss::{Mxfp4Role, mxfp4_partner};
///
/// assert_eq!(mxfp4_partner("down_proj_blocks"), Some((Mxfp4Role::Blocks, "down_proj")));
/// assert_eq!(mxfp4_partner("mlp1_weight.scales"), Some((Mxfp4Role::Scales, "mlp1_weight")));
/// assert_eq!(mxfp4_partner("norm.scale"), None);
/// ```
#[must_use]
pub fn mxfp4_partner(name: &str) -> Option<(Mxfp4Role, &str)> {
    ExpertLayout::of_packed(name).map(|(_, role, stem)| (role, stem))
}

/// `X_scales` for `X_blocks` and the other way round, in either spelling.
pub(crate) fn partner_name(name: &str) -> Option<String> {
    let (layout, role, stem) = ExpertLayout::of_packed(name)?;
    let partner = match role {
        Mxfp4Role::Blocks => Mxfp4Role::Scales,
        Mxfp4Role::Scales => Mxfp4Role::Blocks,
    };
    Some(layout.half(stem, partner))
}

/// True when `blocks` is [.., groups, 16] and `scales` [.., groups].
pub(crate) fn pair_fits(blocks: &SourceTensor, scales: &SourceTensor) -> bool {
    let Some((&last, groups)) = blocks.shape.split_last() else { return false };
    blocks.dtype == DType::U8
        && scales.dtype == DType::U8
        && last == mxfp4::BLOCK_BYTES
        && groups == scales.shape
        && !groups.is_empty()
}

/// How a checkpoint keeps the weights of experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpertLayout {
    /// Hugging Face: `X_blocks` and `X_scales`, dense `X` transposed: `[.., columns, rows]`.
    HuggingFace,
    /// OpenAI: `X.blocks` and `X.scales`, dense `X` `[.., rows, columns]`.
    OpenAi,
}

impl ExpertLayout {
    pub(crate) const ALL: [Self; 2] = [Self::HuggingFace, Self::OpenAi];

    /// The layout of a dense weight, by its name.
    pub(crate) fn of_dense(name: &str) -> Option<Self> {
        match name.rsplit('.').next()? {
            "gate_up_proj" | "down_proj" => Some(Self::HuggingFace),
            "mlp1_weight" | "mlp2_weight" => Some(Self::OpenAi),
            _ => None,
        }
    }

    /// The layout of half of a packed weight, which half it is, and the name of the dense form.
    fn of_packed(name: &str) -> Option<(Self, Mxfp4Role, &str)> {
        let halves = [(Mxfp4Role::Blocks, "blocks"), (Mxfp4Role::Scales, "scales")];
        let (role, stem) =
            halves.into_iter().find_map(|(role, half)| Some((role, name.strip_suffix(half)?)))?;
        let (layout, stem) = Self::ALL
            .into_iter()
            .find_map(|layout| Some((layout, stem.strip_suffix(layout.separator())?)))?;
        (!stem.is_empty()).then_some((layout, role, stem))
    }

    /// The name of half of the packed form of `stem`.
    pub(crate) fn half(self, stem: &str, role: Mxfp4Role) -> String {
        let half = match role {
            Mxfp4Role::Blocks => "blocks",
            Mxfp4Role::Scales => "scales",
        };
        format!("{stem}{}{half}", self.separator())
    }

    /// True when the rows of a packed weight are the columns of the dense one.
    pub(crate) fn is_transposed(self) -> bool {
        self == Self::HuggingFace
    }

    fn separator(self) -> char {
        match self {
            Self::HuggingFace => '_',
            Self::OpenAi => '.',
        }
    }
}

/// True for the types that MXFP4 is packed from and becomes.
pub(crate) fn is_dense(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::BF16 | DType::F16)
}

/// The dense form of a packed weight, from the name of its blocks and the shape of its scales: its
/// shape, and whether it is transposed. A vector never is.
pub(crate) fn dense_shape(blocks: &str, scales: &[usize]) -> (Vec<usize>, bool) {
    let mut shape = scales.to_vec();
    if let Some(groups) = shape.last_mut() {
        *groups = groups.saturating_mul(mxfp4::BLOCK);
    }
    let layout = ExpertLayout::of_packed(blocks).map(|(layout, ..)| layout);
    let transposed = layout.is_some_and(ExpertLayout::is_transposed) && swap_last_two(&mut shape);
    (shape, transposed)
}

/// The shapes of both halves of a packed weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PackedShapes {
    pub(crate) blocks: Vec<usize>,
    pub(crate) scales: Vec<usize>,
}

/// The packed form of a dense weight; `None` where its columns do not come to whole blocks.
pub(crate) fn packed_shapes(dense: &[usize], transposed: bool) -> Option<PackedShapes> {
    let mut scales = dense.to_vec();
    if transposed && !swap_last_two(&mut scales) {
        return None;
    }
    let groups = scales.last_mut().filter(|columns| columns.is_multiple_of(mxfp4::BLOCK))?;
    *groups /= mxfp4::BLOCK;
    let blocks = scales.iter().copied().chain([mxfp4::BLOCK_BYTES]).collect();
    Some(PackedShapes { blocks, scales })
}

fn swap_last_two(shape: &mut [usize]) -> bool {
    match shape {
        [.., rows, columns] => {
            std::mem::swap(rows, columns);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ExpertFormat, Shape, tensors};
    use super::*;

    #[test]
    fn partners_share_a_stem() {
        let all = tensors(&Shape::tiny(), ExpertFormat::Mxfp4);
        let of = |role| {
            let mut stems: Vec<&str> = all
                .iter()
                .filter_map(|t| mxfp4_partner(&t.name))
                .filter(|(found, _)| *found == role)
                .map(|(_, stem)| stem)
                .collect();
            stems.sort_unstable();
            stems
        };
        assert_eq!(of(Mxfp4Role::Blocks).len(), 8);
        assert_eq!(of(Mxfp4Role::Blocks), of(Mxfp4Role::Scales));
        for name in ["blocks", "_blocks", ".scales", "xblocks", "x_block", "x_scales_"] {
            assert_eq!(mxfp4_partner(name), None, "{name}");
        }
    }

    #[test]
    fn dense_and_packed_shapes_of_either_layout() {
        let (hub, original) = ("x.gate_up_proj_blocks", "x.mlp1_weight.blocks");
        assert_eq!(dense_shape(hub, &[8, 128, 2]), (vec![8, 64, 128], true));
        assert_eq!(dense_shape(original, &[8, 128, 2]), (vec![8, 128, 64], false));
        assert_eq!(dense_shape(hub, &[2]), (vec![64], false));
        assert_eq!(dense_shape(hub, &[0, 1, usize::MAX]), (vec![0, usize::MAX, 1], true));
        let packed = |dense: &[usize], transposed| {
            packed_shapes(dense, transposed).map(|shapes| (shapes.blocks, shapes.scales))
        };
        let shapes = Some((vec![8, 128, 2, 16], vec![8, 128, 2]));
        assert_eq!(packed(&[8, 64, 128], true), shapes);
        assert_eq!(packed(&[8, 128, 64], false), shapes);
        assert_eq!(packed(&[64], false), Some((vec![2, 16], vec![2])));
        for (dense, transposed) in [(&[][..], false), (&[64], true), (&[8, 33], false)] {
            assert_eq!(packed(dense, transposed), None, "{dense:?}");
        }
    }

    /// The shapes of the presets are written down apart from the rule.
    #[test]
    fn dense_and_packed_forms_of_a_model() {
        let shape = Shape::tiny();
        let (packed, dense) =
            (tensors(&shape, ExpertFormat::Mxfp4), tensors(&shape, ExpertFormat::Bf16));
        let find = |name: &str| packed.iter().find(|tensor| tensor.name == name).unwrap();
        let experts =
            dense.iter().filter_map(|tensor| Some((tensor, ExpertLayout::of_dense(&tensor.name)?)));
        assert_eq!(experts.clone().count(), 8);
        for (dense, layout) in experts {
            let [blocks, scales] = [Mxfp4Role::Blocks, Mxfp4Role::Scales]
                .map(|role| find(&layout.half(&dense.name, role)));
            assert_eq!(dense_shape(&blocks.name, &scales.shape), (dense.shape.clone(), true));
            let shapes = packed_shapes(&dense.shape, layout.is_transposed()).unwrap();
            assert_eq!((&shapes.blocks, &shapes.scales), (&blocks.shape, &scales.shape));
            assert_eq!(partner_name(&blocks.name).as_ref(), Some(&scales.name));
            assert_eq!(partner_name(&scales.name).as_ref(), Some(&blocks.name));
        }
    }
}
