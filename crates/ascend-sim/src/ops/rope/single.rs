//! `aclnnRotaryPositionEmbedding` and its second version: one tensor, to another.

use super::apply::row_of;
use super::rotate::Mode;
use crate::kernel::{Cost, Kernel, NO_TILING, Reject};
use crate::ops::access::{floats, write_floats};
use crate::ops::check::{Check, FLOATS};
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

/// Rotates rows: mode 0 is half, 1 interleave; on the 950 2 is quarter, 3 interleave-half.
pub(crate) fn rotary_position_embedding(
    site: &Site,
    x: Tensor,
    cos: Tensor,
    sin: Tensor,
    mode: i64,
    out: Tensor,
) -> Result<Kernel, Reject> {
    prepare(Check::new(site, "aclnnRotaryPositionEmbedding"), x, cos, sin, mode, None, out)
}

/// As the first version; before the 950 a matrix may say what is rotated to where.
pub(crate) fn rotary_position_embedding_v2(
    site: &Site,
    x: Tensor,
    cos: Tensor,
    sin: Tensor,
    mode: i64,
    rotate: Option<Tensor>,
    out: Tensor,
) -> Result<Kernel, Reject> {
    prepare(Check::new(site, "aclnnRotaryPositionEmbeddingV2"), x, cos, sin, mode, rotate, out)
}

fn prepare(
    check: Check,
    x: Tensor,
    cos: Tensor,
    sin: Tensor,
    mode: i64,
    rotate: Option<Tensor>,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let on_950 = check.soc == Soc::Ascend950;
    let mode = match mode {
        0 => Mode::Half,
        1 => Mode::Interleave,
        2 if on_950 => Mode::Quarter,
        3 if on_950 => Mode::InterleaveHalf,
        _ => {
            let expected = "0 (half) or 1 (interleave), on the 950 2 or 3 too";
            return Err(check.reject_as(NO_TILING, "mode", mode, expected));
        }
    };
    check.output("out", &out)?;
    for (name, tensor) in [("x", &x), ("cos", &cos), ("sin", &sin), ("out", &out)] {
        check.input(name, tensor)?;
        check.dtype(name, tensor, FLOATS)?;
        check.same_dtype(name, tensor, "x", &x)?;
        check.rank(name, tensor, 3..=4)?;
    }
    let shape = |tensor: &Tensor| format!("of shape {:?}", tensor.shape);
    let rank = x.shape.len();
    let width = x.shape[rank - 1];
    let most = if on_950 { 1024 } else { 895 };
    let fits = (1..=most).contains(&width) && width % mode.divisor() == 0;
    let expected =
        format_args!("a last dimension of at most {most}, divisible by {}", mode.divisor());
    check.tiling(fits, "x", shape(&x), expected)?;
    check.tiling(out.shape == x.shape, "out", shape(&out), "the shape of x")?;
    check.tiling(sin.shape == cos.shape, "sin", shape(&sin), "the shape of cos")?;
    let fits = cos.shape.len() == rank
        && cos.shape[rank - 1] == width
        && cos.shape.iter().zip(&x.shape).all(|(&table, &extent)| table == extent || table == 1);
    check.tiling(fits, "cos", shape(&cos), "the shape of x, or 1 where it is repeated")?;
    if let Some(rotate) = &rotate {
        check.input("rotate", rotate)?;
        check.same_dtype("rotate", rotate, "x", &x)?;
        check.tiling(!on_950, "rotate", "given", "null on the 950")?;
        let fits = rotate.shape == [width, width];
        check.tiling(fits, "rotate", shape(rotate), format_args!("[{width}, {width}]"))?;
    }
    let cost = Cost::of(&[&x, &cos, &sin, &out], 3 * x.len() as u64);
    Ok(Kernel::new(cost, move |mem| {
        let mut values = floats(mem, &x)?;
        let (cos_values, sin_values) = (floats(mem, &cos)?, floats(mem, &sin)?);
        let matrix = rotate.as_ref().map(|rotate| floats(mem, rotate)).transpose()?;
        let width = width as usize;
        for (at, row) in values.chunks_exact_mut(width).enumerate() {
            let from = row_of(at, &x.shape[..rank - 1], &cos.shape[..rank - 1]) * width;
            let (cos, sin) = (&cos_values[from..][..width], &sin_values[from..][..width]);
            let rotated = match &matrix {
                None => mode.rotate(row, cos, sin),
                Some(matrix) => (0..width)
                    .map(|column| {
                        let turned = (0..width).map(|at| row[at] * matrix[at * width + column]);
                        row[column] * cos[column] + turned.sum::<f32>() * sin[column]
                    })
                    .collect(),
            };
            row.copy_from_slice(&rotated);
        }
        write_floats(mem, &out, &values)
    }))
}
