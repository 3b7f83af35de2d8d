//! `aclnnApplyRotaryPosEmb` and its second version: queries and keys in place.

use super::rotate::Mode;
use crate::kernel::{Cost, Fault, Kernel, NO_TILING, Reject};
use crate::memory::Memory;
use crate::ops::access::{floats, write_floats};
use crate::ops::check::{Check, FLOATS};
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

/// Rotates queries and keys by halves; layout 1 is BSND, 4 is TND.
pub(crate) fn apply_rotary_pos_emb(
    site: &Site,
    query: Tensor,
    key: Tensor,
    cos: Tensor,
    sin: Tensor,
    layout: i64,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnApplyRotaryPosEmb");
    prepare(check, query, key, cos, sin, layout, Mode::Half)
}

/// As the first version; on the 950 the modes "interleave" and "quarter" too.
pub(crate) fn apply_rotary_pos_emb_v2(
    site: &Site,
    query: Tensor,
    key: Tensor,
    cos: Tensor,
    sin: Tensor,
    layout: i64,
    rotary_mode: String,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnApplyRotaryPosEmbV2");
    let mode = match (rotary_mode.as_str(), check.soc) {
        ("half", _) => Mode::Half,
        ("interleave", Soc::Ascend950) => Mode::Interleave,
        ("quarter", Soc::Ascend950) => Mode::Quarter,
        _ => {
            let expected = "\"half\", on the 950 \"interleave\" or \"quarter\" too";
            return Err(check.reject("rotaryMode", format_args!("{rotary_mode:?}"), expected));
        }
    };
    prepare(check, query, key, cos, sin, layout, mode)
}

/// Where heads lie in a shape, by `layout`.
fn head_axis(check: &Check, layout: i64) -> Result<(usize, usize), Reject> {
    let on_950 = check.soc == Soc::Ascend950;
    match layout {
        1 => Ok((4, 2)),
        2 if on_950 => Ok((4, 2)),
        3 if on_950 => Ok((4, 1)),
        4 => Ok((3, 1)),
        _ => {
            let expected = "1 (BSND) or 4 (TND), on the 950 2 (SBND) or 3 (BNSD) too";
            Err(check.reject_as(NO_TILING, "layout", layout, expected))
        }
    }
}

fn prepare(
    check: Check,
    query: Tensor,
    key: Tensor,
    cos: Tensor,
    sin: Tensor,
    layout: i64,
    mode: Mode,
) -> Result<Kernel, Reject> {
    let (rank, heads) = head_axis(&check, layout)?;
    for (name, tensor) in [("queryRef", &query), ("keyRef", &key)] {
        check.output(name, tensor)?;
    }
    for (name, tensor) in [("queryRef", &query), ("keyRef", &key), ("cos", &cos), ("sin", &sin)] {
        check.input(name, tensor)?;
        check.dtype(name, tensor, FLOATS)?;
        check.same_dtype(name, tensor, "queryRef", &query)?;
        check.rank(name, tensor, rank..=rank)?;
        let got = format_args!("of shape {:?}", tensor.shape);
        check.require(tensor.len() > 0, name, got, "not empty")?;
    }
    let width = query.shape[rank - 1];
    let got = format_args!("of shape {:?}", query.shape);
    if check.soc == Soc::Ascend950 {
        let fits = width <= 1024 && width % mode.divisor() == 0;
        let expected =
            format_args!("a last dimension of at most 1024, divisible by {}", mode.divisor());
        check.require(fits, "queryRef", got, expected)?;
    } else {
        check.require(
            [64, 128].contains(&width),
            "queryRef",
            got,
            "a last dimension of 64 or 128",
        )?;
    }
    let mut expected = query.shape.clone();
    expected[heads] = key.shape[heads];
    check.shape("keyRef", &key, &expected)?;
    expected[heads] = 1;
    check.shape("sin", &sin, &cos.shape)?;
    if check.soc == Soc::Ascend950 {
        // Tables may hold one batch for all, and turn only the first elements of a row.
        let batch = usize::from(layout == 2);
        if rank == 4 && cos.shape[batch] == 1 {
            expected[batch] = 1;
        }
        let turned = cos.shape[rank - 1];
        if turned < width && turned % mode.divisor() == 0 {
            expected[rank - 1] = turned;
        }
    }
    check.shape("cos", &cos, &expected)?;
    let cost = Cost::of(&[&query, &query, &key, &key, &cos, &sin], 4 * query.len() as u64);
    Ok(Kernel::new(cost, move |mem| {
        let (cos_values, sin_values) = (floats(mem, &cos)?, floats(mem, &sin)?);
        for tensor in [&query, &key] {
            turn(mem, tensor, &cos.shape, &cos_values, &sin_values, mode)?;
        }
        Ok(())
    }))
}

fn turn(
    mem: &dyn Memory,
    tensor: &Tensor,
    table: &[i64],
    cos: &[f32],
    sin: &[f32],
    mode: Mode,
) -> Result<(), Fault> {
    let last = table.len() - 1;
    let (width, turned) = (tensor.shape[last] as usize, table[last] as usize);
    let mut values = floats(mem, tensor)?;
    for (at, row) in values.chunks_exact_mut(width).enumerate() {
        let from = row_of(at, &tensor.shape[..last], &table[..last]) * turned;
        let rotated = mode.rotate(&row[..turned], &cos[from..][..turned], &sin[from..][..turned]);
        row[..turned].copy_from_slice(&rotated);
    }
    write_floats(mem, tensor, &values)
}

/// The row of a table that is repeated over dimensions of extent 1.
pub(super) fn row_of(mut row: usize, shape: &[i64], table: &[i64]) -> usize {
    let (mut place, mut stride) = (0, 1);
    for (&extent, &of_table) in shape.iter().zip(table).rev() {
        let index = row % extent as usize;
        row /= extent as usize;
        if of_table > 1 {
            place += index * stride;
        }
        stride *= of_table as usize;
    }
    place
}
