//! `aclnnRopeWithSinCosCache`: cosines and sines by position, from one table.

use super::rotate::Mode;
use crate::dtype::DataType;
use crate::kernel::{Cost, Fault, Kernel, NO_TILING, Reject};
use crate::ops::access::{floats, floats_at, integers, write_floats};
use crate::ops::check::{Check, FLOATS};
use crate::profile::Site;
use crate::tensor::Tensor;

/// Rotates the first elements of each head; a row of the table is cosines, then sines, half as many as are rotated of
/// each. With `mrope_section` a token has three or four positions, one for each section of the table's row.
pub(crate) fn rope_with_sin_cos_cache(
    site: &Site,
    positions: Tensor,
    query_in: Tensor,
    key_in: Tensor,
    cos_sin_cache: Tensor,
    mrope_section: Option<Vec<i64>>,
    head_size: i64,
    is_neox_style: bool,
    query_out: Tensor,
    key_out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, OPERATOR);
    check.input("positions", &positions)?;
    check.dtype("positions", &positions, &[DataType::I64])?;
    let shape = |tensor: &Tensor| format!("of shape {:?}", tensor.shape);
    for (name, tensor) in
        [("queryIn", &query_in), ("keyIn", &key_in), ("cosSinCache", &cos_sin_cache)]
    {
        check.input(name, tensor)?;
        check.dtype(name, tensor, FLOATS)?;
        check.same_dtype(name, tensor, "queryIn", &query_in)?;
        let fits = tensor.shape.len() == 2 && tensor.len() > 0;
        check.tiling(fits, name, shape(tensor), "2 dimensions, not empty")?;
    }
    let step = if query_in.dtype == DataType::F32 { 16 } else { 32 };
    let expected = format_args!("a multiple of {step}");
    check.tiling(head_size > 0 && head_size % step == 0, "headSize", head_size, expected)?;
    let turned = cos_sin_cache.shape[1];
    let expected = format_args!("rows of a multiple of {step}, at most {head_size}");
    let fits = turned % step == 0 && turned <= head_size;
    check.tiling(fits, "cosSinCache", shape(&cos_sin_cache), expected)?;
    let sections = mrope_section.filter(|sections| !sections.is_empty());
    let tokens = query_in.shape[0];
    let expected = match &sections {
        None => vec![tokens],
        Some(sections) => vec![sections.len() as i64, tokens],
    };
    let fits = positions.shape == expected;
    check.tiling(fits, "positions", shape(&positions), format_args!("{expected:?}"))?;
    if let Some(sections) = &sections {
        mrope(&check, sections, turned)?;
    }
    for (name, from, out_name, to) in
        [("queryIn", &query_in, "queryOut", &query_out), ("keyIn", &key_in, "keyOut", &key_out)]
    {
        check.output(out_name, to)?;
        check.same_dtype(out_name, to, name, from)?;
        let fits = from.shape[0] == tokens && from.shape[1] % head_size == 0;
        let expected = format_args!("{tokens} rows of heads of {head_size}");
        check.tiling(fits, name, shape(from), expected)?;
        check.tiling(
            to.shape == from.shape,
            out_name,
            shape(to),
            format_args!("that of {name}"),
        )?;
    }
    let mode = if is_neox_style { Mode::Half } else { Mode::Interleave };
    let cost = Cost::of(&[&query_in, &key_in, &query_out, &key_out], 0);
    Ok(Kernel::new(cost, move |mem| {
        let positions = integers(mem, &positions)?;
        let (tokens, turned) = (tokens as usize, turned as usize);
        let (mut queries, mut keys) = (floats(mem, &query_in)?, floats(mem, &key_in)?);
        let sections = sections.clone().unwrap_or_else(|| vec![turned as i64 / 2]);
        for token in 0..tokens {
            let (mut cos, mut sin) = (Vec::new(), Vec::new());
            for (section, &len) in sections.iter().enumerate() {
                let position = positions[section * tokens + token];
                let last = cos_sin_cache.shape[0];
                if !(0..last).contains(&position) {
                    let text = format!("positions has {position}, expected 0 to {}", last - 1);
                    return Err(Fault::vector(format!("{OPERATOR}: {text}")));
                }
                let row = floats_at(mem, &cos_sin_cache, position as usize * turned, turned)?;
                let from = cos.len();
                cos.extend_from_slice(&row[from..from + len as usize]);
                sin.extend_from_slice(&row[turned / 2 + from..][..len as usize]);
            }
            let (cos, sin) = (spread(&cos, mode), spread(&sin, mode));
            for values in [&mut queries, &mut keys] {
                let width = values.len() / tokens;
                for head in values[token * width..][..width].chunks_exact_mut(head_size as usize) {
                    let rotated = mode.rotate(&head[..turned], &cos, &sin);
                    head[..turned].copy_from_slice(&rotated);
                }
            }
        }
        write_floats(mem, &query_out, &queries)?;
        write_floats(mem, &key_out, &keys)
    }))
}

const OPERATOR: &str = "aclnnRopeWithSinCosCache";

/// The sections that the kernel was built for.
fn mrope(check: &Check, sections: &[i64], turned: i64) -> Result<(), Reject> {
    const BUILT: [&[i64]; 4] = [&[16, 24, 24], &[24, 20, 20], &[8, 12, 12], &[16, 16, 16, 16]];
    let fits = BUILT.contains(&sections) && sections.iter().sum::<i64>() * 2 == turned;
    let expected = format_args!("one of {BUILT:?} that adds up to {}", turned / 2);
    if fits {
        return Ok(());
    }
    Err(check.reject_as(NO_TILING, "mropeSection", format_args!("{sections:?}"), expected))
}

/// One angle for both elements of a pair.
fn spread(half: &[f32], mode: Mode) -> Vec<f32> {
    match mode {
        Mode::Interleave => half.iter().flat_map(|&value| [value, value]).collect(),
        _ => [half, half].concat(),
    }
}
