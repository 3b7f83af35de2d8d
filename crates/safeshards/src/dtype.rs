//! Element types as the safetensors format has them.

use lowfloat::DType;
use safetensors::Dtype;

/// The type with exactly this name in a header; `None` for names that are not of the format.
pub(crate) fn from_name(name: &str) -> Option<DType> {
    DType::ALL.into_iter().find(|&dtype| dtype.name() == name && upstream(dtype).is_some())
}

/// Bits of a tensor's data, with the overflow rules of upstream; `None` on overflow.
///
/// Upstream multiplies from the left, so that a zero does not excuse an overflow before it.
pub(crate) fn bits(dtype: DType, shape: &[usize]) -> Option<u64> {
    let elements = shape.iter().try_fold(1_u64, |product, &dim| product.checked_mul(dim as u64))?;
    elements.checked_mul(u64::from(dtype.bits()))
}

/// Upstream's type, whose order decides the order of tensors in a file; `None` where the format
/// lacks it.
pub(crate) fn upstream(dtype: DType) -> Option<Dtype> {
    Some(match dtype {
        DType::Bool => Dtype::BOOL,
        DType::U8 => Dtype::U8,
        DType::I8 => Dtype::I8,
        DType::U16 => Dtype::U16,
        DType::I16 => Dtype::I16,
        DType::U32 => Dtype::U32,
        DType::I32 => Dtype::I32,
        DType::U64 => Dtype::U64,
        DType::I64 => Dtype::I64,
        DType::F4 => Dtype::F4,
        DType::F6E2M3 => Dtype::F6_E2M3,
        DType::F6E3M2 => Dtype::F6_E3M2,
        DType::F8E4M3 => Dtype::F8_E4M3,
        DType::F8E5M2 => Dtype::F8_E5M2,
        DType::F8E8M0 => Dtype::F8_E8M0,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::C64 => Dtype::C64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_agrees_with_upstream() {
        for dtype in DType::ALL {
            let Some(theirs) = upstream(dtype) else {
                assert_eq!(dtype, DType::C128);
                assert_eq!(from_name(dtype.name()), None);
                continue;
            };
            assert_eq!(theirs.to_string(), dtype.name());
            assert_eq!(theirs.bitsize() as u64, u64::from(dtype.bits()));
            assert_eq!(from_name(dtype.name()), Some(dtype));
        }
        assert_eq!(from_name("bf16"), None);
    }

    #[test]
    fn sizes_overflow_as_upstream_does() {
        assert_eq!(bits(DType::F32, &[]), Some(32));
        assert_eq!(bits(DType::F32, &[3, 0]), Some(0));
        assert_eq!(bits(DType::F32, &[usize::MAX, usize::MAX, 0]), None);
        assert_eq!(bits(DType::F32, &[usize::MAX]), None);
    }
}
