//! Rows of types that are converted first: f32 and f16.

use lowfloat::{DType, cast_bytes};

use super::super::order::{GROUP, Order, Wide};
use super::{Group, Panel, PanelProducts, ROWS, Vectors};
use crate::arch::{Level, Out};

/// The products of rows with wide vectors in natural order, the same as with rows in bf16 of the same values.
pub(super) fn products(
    level: Level,
    dtype: DType,
    rows: &[&[u8]],
    vectors: Vectors<'_>,
    panel: &mut Panel,
    mut out: Out<'_>,
) {
    let (Vectors::Wide(vectors) | Vectors::ByLane(vectors, _)) = vectors else { return };
    let groups = vectors.first().map_or(0, |vector| vector.len());
    let Panel { wide, .. } = panel;
    for (block, rows) in rows.chunks(ROWS).enumerate() {
        let len = rows.len().next_multiple_of(4) * groups;
        if wide.len() < len {
            wide.resize(len, Wide::ZERO);
        }
        if groups > 0 {
            for (row, to) in rows.iter().zip(wide.chunks_exact_mut(groups)) {
                decode(dtype, row, to);
            }
        }
        let (first, rows) = (block * ROWS, rows.len());
        let products = PanelProducts { panel: wide, first, rows, vectors, out: &mut out };
        Wide::run(level, products);
    }
}

fn decode(dtype: DType, row: &[u8], to: &mut [Wide]) {
    let size = if dtype == DType::F32 { 4 } else { 2 };
    for (bytes, to) in row.chunks(GROUP * size).zip(to) {
        let mut elements = [0.0; GROUP];
        if let Some(elements) = elements.get_mut(..bytes.len() / size) {
            let done = cast_bytes(dtype, bytes, DType::F32, bytemuck::cast_slice_mut(elements));
            debug_assert!(done.is_ok(), "the lengths are the same");
        }
        *to = Wide::new(Order::Natural, &elements);
    }
}
