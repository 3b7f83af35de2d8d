//! `aclnnInplaceIndexCopy`.

use super::outside;
use crate::kernel::{Cost, Kernel, Reject};
use crate::ops::access::{elements, integers, width, write_elements_at};
use crate::ops::check::{Check, INDICES, MOVABLE};
use crate::profile::Site;
use crate::tensor::Tensor;

/// Writes slice `i` of `source` to slice `index[i]` of a dimension; of equal indices the last wins here.
pub(crate) fn inplace_index_copy(
    site: &Site,
    self_ref: Tensor,
    dim: i64,
    index: Tensor,
    source: Tensor,
) -> Result<Kernel, Reject> {
    const OPERATOR: &str = "aclnnInplaceIndexCopy";
    let check = Check::new(site, OPERATOR);
    check.output("selfRef", &self_ref)?;
    check.input("index", &index)?;
    check.input("source", &source)?;
    check.dtype("selfRef", &self_ref, MOVABLE)?;
    check.same_dtype("source", &source, "selfRef", &self_ref)?;
    check.dtype("index", &index, INDICES)?;
    check.rank("selfRef", &self_ref, 1..=8)?;
    check.rank("index", &index, 1..=1)?;
    let dim = check.dim("dim", dim, self_ref.shape.len())?;
    let mut expected = self_ref.shape.clone();
    expected[dim] = index.shape[0];
    check.shape("source", &source, &expected)?;
    let inner = self_ref.shape[dim + 1..].iter().product::<i64>();
    let extent = self_ref.shape[dim];
    let cost = Cost::of(&[&index, &source, &source], 0);
    Ok(Kernel::new(cost, move |mem| {
        let places = integers(mem, &index)?;
        let bytes = elements(mem, &source)?;
        let each = inner as usize * width(self_ref.dtype);
        if each == 0 {
            return Ok(());
        }
        for (at, bytes) in bytes.chunks_exact(each).enumerate() {
            let (outer, place) = ((at / places.len()) as i64, places[at % places.len()]);
            if !(0..extent).contains(&place) {
                return Err(outside(OPERATOR, "index", place, extent));
            }
            let first = (outer * extent + place) * inner;
            write_elements_at(mem, &self_ref, first as usize, bytes)?;
        }
        Ok(())
    }))
}
