//! `aclnnMoeTokenPermute` and `aclnnMoeTokenUnpermute`.

use super::init::{Rows, outside};
use super::rank::by_expert;
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, Reject};
use crate::ops::access::{floats, integers, write_elements_at, write_floats, write_integers};
use crate::ops::check::{Check, FLOATS, INDICES};
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

/// Most experts for a token.
const MOST_CHOSEN: i64 = 512;

/// Rows copied in the order of their indices; `num_out_tokens` keeps the first so many, as a slice's end does.
pub(crate) fn token_permute(
    site: &Site,
    tokens: Tensor,
    indices: Tensor,
    num_out_tokens: i64,
    padded_mode: bool,
    permuted: Tensor,
    sorted_indices: Tensor,
) -> Result<Kernel, Reject> {
    const OPERATOR: &str = "aclnnMoeTokenPermute";
    /// Indices are sorted as floats.
    const LIMIT: i64 = 16_777_215;
    let check = Check::new(site, OPERATOR);
    check.input("tokens", &tokens)?;
    check.input("indices", &indices)?;
    check.output("permuteTokensOut", &permuted)?;
    check.output("sortedIndicesOut", &sorted_indices)?;
    let bytes = check.soc == Soc::Ascend950 && tokens.dtype == DataType::I8;
    check.dtype("tokens", &tokens, if bytes { &[DataType::I8] } else { FLOATS })?;
    check.dtype("indices", &indices, INDICES)?;
    check.same_dtype("permuteTokensOut", &permuted, "tokens", &tokens)?;
    check.dtype("sortedIndicesOut", &sorted_indices, &[DataType::I32])?;
    check.tiling(!padded_mode, "paddedMode", padded_mode, "false")?;
    let shape = |tensor: &Tensor| format!("of shape {:?}", tensor.shape);
    check.tiling(tokens.shape.len() >= 2, "tokens", shape(&tokens), "2 dimensions or more")?;
    let ranks = (1..=2).contains(&indices.shape.len());
    let fits = ranks && indices.shape[0] == tokens.shape[0];
    check.tiling(fits, "indices", shape(&indices), "1 or 2 dimensions, a row for each token")?;
    let k = indices.shape.get(1).copied().unwrap_or(1);
    let expected = format_args!("1 to {MOST_CHOSEN} columns");
    check.tiling((1..=MOST_CHOSEN).contains(&k), "indices", shape(&indices), expected)?;
    let total = indices.len() as i64;
    let kept = match num_out_tokens {
        0 => total,
        1.. => total.min(num_out_tokens),
        ..0 => (total + num_out_tokens).max(0),
    };
    let width = tokens.shape[1..].iter().product::<i64>();
    let fits = permuted.shape.len() >= 2
        && permuted.shape[0] == kept
        && permuted.shape[1..].iter().product::<i64>() == width;
    let expected = format_args!("{kept} rows of {width}");
    check.tiling(fits, "permuteTokensOut", shape(&permuted), expected)?;
    let fits = sorted_indices.shape == [total];
    check.tiling(fits, "sortedIndicesOut", shape(&sorted_indices), format_args!("[{total}]"))?;
    let cost = Cost::of(&[&tokens, &permuted, &sorted_indices], 0);
    Ok(Kernel::new(cost, move |mem| {
        let experts = integers(mem, &indices)?;
        if let Some(&wrong) = experts.iter().find(|expert| !(0..LIMIT).contains(*expert)) {
            return Err(outside(OPERATOR, "indices", wrong, LIMIT as usize));
        }
        let from = Rows::read(mem, &tokens)?;
        let (mut to, mut places) = (Vec::new(), vec![0; experts.len()]);
        for (place, position) in by_expert(&experts).into_iter().enumerate() {
            places[position] = place as i64;
            if place < kept as usize {
                to.extend_from_slice(from.row(position / k as usize));
            }
        }
        write_elements_at(mem, &permuted, 0, &to)?;
        write_integers(mem, &sorted_indices, &places)
    }))
}

/// Rows back in the order of tokens, those of one token weighted and added.
pub(crate) fn token_unpermute(
    site: &Site,
    permuted: Tensor,
    sorted_indices: Tensor,
    probs: Option<Tensor>,
    padded_mode: bool,
    restore_shape: Option<Vec<i64>>,
    out: Tensor,
) -> Result<Kernel, Reject> {
    const OPERATOR: &str = "aclnnMoeTokenUnpermute";
    let check = Check::new(site, OPERATOR);
    check.input("permutedTokens", &permuted)?;
    check.input("sortedIndices", &sorted_indices)?;
    check.output("out", &out)?;
    check.dtype("permutedTokens", &permuted, FLOATS)?;
    check.dtype("sortedIndices", &sorted_indices, &[DataType::I32])?;
    check.same_dtype("out", &out, "permutedTokens", &permuted)?;
    check.tiling(!padded_mode, "paddedMode", padded_mode, "false")?;
    let given = restore_shape.is_some_and(|shape| !shape.is_empty());
    check.tiling(!given, "restoreShapeOptional", "given", "null")?;
    let shape = |tensor: &Tensor| format!("of shape {:?}", tensor.shape);
    check.tiling(out.shape.len() == 2, "out", shape(&out), "2 dimensions")?;
    let (rows, width) = (out.shape[0], out.shape[1]);
    let mut k = 1;
    if let Some(probs) = &probs {
        check.input("probsOptional", probs)?;
        check.dtype("probsOptional", probs, FLOATS)?;
        let fits = probs.shape.len() == 2 && probs.shape[0] == rows;
        check.tiling(fits, "probsOptional", shape(probs), format_args!("{rows} rows"))?;
        k = probs.shape[1];
        let expected = format_args!("1 to {MOST_CHOSEN} columns");
        check.tiling((1..=MOST_CHOSEN).contains(&k), "probsOptional", shape(probs), expected)?;
    }
    let total = rows * k;
    let expected = format_args!("[{total}]");
    let fits = sorted_indices.shape == [total];
    check.tiling(fits, "sortedIndices", shape(&sorted_indices), expected)?;
    // A permutation that kept only some tokens leaves fewer rows.
    let fits =
        permuted.shape.len() == 2 && permuted.shape[1] == width && permuted.shape[0] <= total;
    let expected = format_args!("at most {total} rows of {width}");
    check.tiling(fits, "permutedTokens", shape(&permuted), expected)?;
    let cost = Cost::of(&[&permuted, &out], 2 * permuted.len() as u64);
    Ok(Kernel::new(cost, move |mem| {
        let from = floats(mem, &permuted)?;
        let places = integers(mem, &sorted_indices)?;
        let probs = probs.as_ref().map(|probs| floats(mem, probs)).transpose()?;
        let width = width as usize;
        let mut sums = vec![0.0; out.len()];
        for (position, &place) in places.iter().enumerate() {
            let place = usize::try_from(place)
                .ok()
                .filter(|&place| place < total as usize)
                .ok_or_else(|| outside(OPERATOR, "sortedIndices", place, total as usize))?;
            let Some(row) = from.get(place * width..(place + 1) * width) else { continue };
            let weight = probs.as_ref().map_or(1.0, |probs| probs[position]);
            let sum = &mut sums[position / k as usize * width..][..width];
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * x);
        }
        write_floats(mem, &out, &sums)
    }))
}
