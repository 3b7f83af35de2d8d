//! `aclnnInplaceZero`.

use super::access;
use super::check::Check;
use crate::kernel::{Cost, Kernel, Reject};
use crate::profile::Site;
use crate::tensor::Tensor;

/// Zeros every element of the view.
pub(super) fn inplace_zero(site: &Site, self_ref: Tensor) -> Result<Kernel, Reject> {
    Check::new(site, "aclnnInplaceZero").output("selfRef", &self_ref)?;
    let bytes = self_ref.len() as u64 * self_ref.dtype.bits() / 8;
    let zeros = vec![0; self_ref.len()];
    Ok(Kernel::new(Cost { bytes, flops: 0 }, move |mem| {
        access::write_integers(mem, &self_ref, &zeros)
    }))
}
