//! Writing rows into caches.

use std::ffi::CStr;

use super::argument::Argument;
use super::call::launch;
use super::check::Check;
use super::dtype::INDICES;
use super::tensor::Tensor;
use crate::error::Result;
use crate::rt::Stream;

/// Writes keys and values of new tokens, `[tokens, heads, size]`, into paged caches, `[blocks, block_size, heads, size]`: slot `s` is row
/// `s % block_size` of block `s / block_size`, a negative one is passed over. `slots` int32 or int64 `[tokens]`. CANN 8.3.
///
/// Keys and values may be strided views. A slot beyond the cache is a fault on the device.
pub fn scatter_kv(
    stream: &Stream,
    (keys, values): (&Tensor, &Tensor),
    (key_cache, value_cache): (&Tensor, &Tensor),
    slots: &Tensor,
) -> Result<()> {
    let check = Check("aclnnScatterPaKvCache");
    check.rank("keys", keys, 3)?;
    check.shape("values", values, &[keys.dim(0), keys.dim(1), -1])?;
    check.shape("key_cache", key_cache, &[-1, -1, keys.dim(1), keys.dim(2)])?;
    let blocks = [key_cache.dim(0), key_cache.dim(1), values.dim(1), values.dim(2)];
    check.shape("value_cache", value_cache, &blocks)?;
    let all = [
        ("keys", keys),
        ("values", values),
        ("key_cache", key_cache),
        ("value_cache", value_cache),
    ];
    check.same_dtype(&all)?;
    check.dtype("slots", slots, INDICES)?;
    check.shape("slots", slots, &[keys.dim(0)])?;
    let (none, no_numbers): (Option<&Tensor>, Option<&[i64]>) = (None, None);
    let (mode, no_mode) = (c"Norm", Absent);
    launch!(
        stream,
        attention.aclnnScatterPaKvCache(
            keys,
            key_cache,
            slots,
            values,
            value_cache,
            none,
            none,
            none,
            mode,
            no_mode,
            no_numbers,
            no_numbers
        )
    )
}

/// A text that is not given.
struct Absent;

impl<'a> Argument<'a> for Absent {
    type Raw = <&'static CStr as Argument<'a>>::Raw;

    fn raw(self, _operands: &mut super::argument::Operands<'_, 'a>) -> Result<Self::Raw> {
        Ok(std::ptr::null_mut())
    }
}

/// Writes `updates` into `x` at places that the last axis of `indices` names by the first axes of `x`: with `indices` `[n, 1]`, row `updates[i]` to row
/// `indices[i]`. `indices` int32 or int64. What every release has for writing caches.
pub fn scatter_nd(stream: &Stream, x: &Tensor, indices: &Tensor, updates: &Tensor) -> Result<()> {
    let check = Check("aclnnScatterNdUpdate");
    check.dtype("indices", indices, INDICES)?;
    check.same_dtype(&[("x", x), ("updates", updates)])?;
    let named = indices.shape().last().copied().unwrap_or(0);
    let fits = indices.rank() > 0 && (1..=x.rank() as i64).contains(&named);
    check.require(
        fits,
        "indices",
        || format!("of shape {:?}", indices.shape()),
        || format!("a last axis of 1 to {}", x.rank()),
    )?;
    let (places, _) = indices.shape().split_at(indices.rank() - 1);
    let shape = [places, &x.shape()[named as usize..]].concat();
    check.shape("updates", updates, &shape)?;
    launch!(stream, attention.aclnnScatterNdUpdate(x, indices, updates))
}

/// Copies `source` to indices along an axis of `x`; `indices` int32 or int64 `[n]`.
pub fn index_copy(
    stream: &Stream,
    x: &Tensor,
    axis: usize,
    indices: &Tensor,
    source: &Tensor,
) -> Result<()> {
    let check = Check("aclnnInplaceIndexCopy");
    check.same_dtype(&[("x", x), ("source", source)])?;
    check.dtype("indices", indices, INDICES)?;
    check.rank("indices", indices, 1)?;
    let along = check.axis("axis", axis, x)?;
    let mut shape = x.shape().to_vec();
    shape[axis] = indices.dim(0);
    check.shape("source", source, &shape)?;
    launch!(stream, attention.aclnnInplaceIndexCopy(x, along, indices, source))
}
