//! Conversions of slices.

use core::mem::MaybeUninit;

use crate::arch::{self, Format, Level, Writes};
use crate::{CastError, DType, Element, Fp8, on_level};

/// Converts every element of `src` into `dst`, which must be as long.
///
/// Rounds to nearest, ties to even. What is too large becomes infinite ([`F8E4M3`](crate::F8E4M3),
/// which has no infinity: NaN). One thread; results do not depend on the CPU.
///
/// # Errors
///
/// [`CastError::Length`] where the lengths differ; nothing is written then.
///
/// ```
/// use lowfloat::{bf16, cast};
///
/// let src = [bf16::from_f32(1.5), bf16::from_f32(-2.0)];
/// let mut dst = [0f32; 2];
/// cast(&src, &mut dst)?;
/// assert_eq!(dst, [1.5, -2.0]);
/// # Ok::<(), lowfloat::CastError>(())
/// ```
pub fn cast<S: Element, D: Element>(src: &[S], dst: &mut [D]) -> Result<(), CastError> {
    check_lengths::<S, D>(src.len(), dst.len())?;
    cast_bytes(S::DTYPE, bytemuck::cast_slice(src), D::DTYPE, bytemuck::cast_slice_mut(dst))
}

/// As [`cast`] to 8-bit floats, but what is too large, and infinities, become the largest finite
/// value of their sign. NaNs stay NaNs.
///
/// # Errors
///
/// [`CastError::Length`] where the lengths differ; nothing is written then.
///
/// ```
/// use lowfloat::{F8E4M3, cast_saturating};
///
/// let mut dst = [F8E4M3::ZERO; 2];
/// cast_saturating(&[1e9f32, 0.1], &mut dst)?;
/// assert_eq!(dst.map(F8E4M3::to_f32), [448.0, 0.1015625]);
/// # Ok::<(), lowfloat::CastError>(())
/// ```
pub fn cast_saturating<S: Element, D: Fp8>(src: &[S], dst: &mut [D]) -> Result<(), CastError> {
    check_lengths::<S, D>(src.len(), dst.len())?;
    let dst = bytemuck::cast_slice_mut(dst);
    cast_bytes_saturating(S::DTYPE, bytemuck::cast_slice(src), D::DTYPE, dst)
}

/// As [`cast`] into memory that holds nothing yet; gives it back with the values.
///
/// # Errors
///
/// [`CastError::Length`] where the lengths differ; nothing is written then.
///
/// ```
/// use lowfloat::{cast_uninit, f16};
///
/// let src = [f16::ONE; 3];
/// let mut dst = Vec::<f32>::with_capacity(3);
/// let values = cast_uninit(&src, &mut dst.spare_capacity_mut()[..3])?;
/// assert_eq!(values, [1.0; 3]);
/// # Ok::<(), lowfloat::CastError>(())
/// ```
#[allow(unsafe_code)]
pub fn cast_uninit<'a, S: Element, D: Element>(
    src: &[S],
    dst: &'a mut [MaybeUninit<D>],
) -> Result<&'a mut [D], CastError> {
    check_lengths::<S, D>(src.len(), dst.len())?;
    let bytes = bytemuck::cast_slice(src);
    let plan = Plan::new(S::DTYPE, bytes.len(), D::DTYPE, size_of_val(dst), false)?;
    plan.run(Level::current(), bytes, arch::uninit_bytes(dst));
    // SAFETY: the plan checked that `dst` is exactly as long as the result, and all is written.
    Ok(unsafe { arch::assume_init(dst) })
}

/// Converts little-endian elements: `src` holds elements of `from`, `dst` takes as many of `to`.
///
/// Both may have any alignment; that costs next to nothing. Conversions are those of [`cast`];
/// where both types are the same, whatever they are, the bytes are copied. One thread.
///
/// # Errors
///
/// [`CastError::Unsupported`] where [`can_cast`] is false, [`CastError::Ragged`] where `src` does
/// not hold whole elements, [`CastError::Length`] (in bytes) where `dst` has the wrong length.
/// Nothing is written then.
///
/// ```
/// use lowfloat::{DType, cast_bytes};
///
/// let mut dst = [0; 8];
/// cast_bytes(DType::BF16, &[0x80, 0x3F, 0x00, 0xC0], DType::F32, &mut dst)?;
/// assert_eq!(dst, [0, 0, 0x80, 0x3F, 0, 0, 0x00, 0xC0]); // 1, -2
/// # Ok::<(), lowfloat::CastError>(())
/// ```
pub fn cast_bytes(from: DType, src: &[u8], to: DType, dst: &mut [u8]) -> Result<(), CastError> {
    on_level::cast_bytes(Level::current(), from, src, to, dst)
}

/// As [`cast_bytes`], but where `to` is an 8-bit float, what is too large, and infinities, become
/// the largest finite value of their sign.
///
/// # Errors
///
/// Those of [`cast_bytes`].
pub fn cast_bytes_saturating(
    from: DType,
    src: &[u8],
    to: DType,
    dst: &mut [u8],
) -> Result<(), CastError> {
    on_level::cast_bytes_saturating(Level::current(), from, src, to, dst)
}

/// True where [`cast_bytes`] converts `from` to `to`: any two of F64, F32, F16, BF16, `F8_E4M3`,
/// `F8_E5M2`, and every type to itself.
#[must_use]
pub const fn can_cast(from: DType, to: DType) -> bool {
    from as u8 == to as u8 || (Format::of(from).is_some() && Format::of(to).is_some())
}

/// A conversion whose types and lengths have been checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// `None`: the types are the same, copy.
    formats: Option<(Format, Format)>,
    pub(crate) writes: Writes,
}

impl Plan {
    pub(crate) fn new(
        from: DType,
        src_len: usize,
        to: DType,
        dst_len: usize,
        saturate: bool,
    ) -> Result<Self, CastError> {
        let check = |expected| match dst_len {
            actual if actual == expected => Ok(()),
            actual => Err(CastError::Length { from, to, expected, actual }),
        };
        let writes = Writes::for_len(dst_len);
        if from == to {
            check(src_len)?;
            return Ok(Self { formats: None, writes });
        }
        let unsupported = CastError::Unsupported { from, to };
        let source = Format::of(from).ok_or(unsupported)?;
        let target = Format::of(to).ok_or(unsupported)?;
        if !src_len.is_multiple_of(source.size()) {
            return Err(CastError::Ragged { from, bytes: src_len });
        }
        // A slice is at most isize::MAX bytes, so eight times its length may overflow.
        check((src_len / source.size()).saturating_mul(target.size()))?;
        let target = if saturate { target.saturating() } else { target };
        Ok(Self { formats: Some((source, target)), writes })
    }

    /// Fills `dst`, which must have the length that was checked (or a part that corresponds to
    /// `src`).
    pub(crate) fn run(self, level: Level, src: &[u8], dst: &mut [MaybeUninit<u8>]) {
        match self.formats {
            None => arch::copy(src, dst),
            Some((from, to)) => arch::cast(level, from, to, src, dst, self.writes),
        }
    }
}

fn check_lengths<S: Element, D: Element>(expected: usize, actual: usize) -> Result<(), CastError> {
    if expected == actual {
        return Ok(());
    }
    Err(CastError::Length { from: S::DTYPE, to: D::DTYPE, expected, actual })
}
