//! What an `aclScalar` holds.

use half::{bf16, f16};

use crate::dtype::DataType;

/// A value on the host, by its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scalar {
    pub(crate) dtype: DataType,
    /// The value; an integer beyond 2^53 is rounded here.
    pub(crate) real: f64,
    /// The value as an integer, cut towards zero; exact for every integer type.
    pub(crate) integer: i64,
}

impl Scalar {
    /// The value whose little-endian bytes these are; `None` where there are too few of them, or for a type that no
    /// scalar has.
    pub(crate) fn from_bytes(dtype: DataType, bytes: &[u8]) -> Option<Self> {
        fn first<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
            bytes.get(..N)?.try_into().ok()
        }
        let whole = |integer: i64| Self { dtype, real: integer as f64, integer };
        let float = |real: f64| Self { dtype, real, integer: real as i64 };
        Some(match dtype {
            DataType::F32 => float(f32::from_le_bytes(first(bytes)?).into()),
            DataType::F64 => float(f64::from_le_bytes(first(bytes)?)),
            DataType::F16 => float(f16::from_le_bytes(first(bytes)?).to_f64()),
            DataType::Bf16 => float(bf16::from_le_bytes(first(bytes)?).to_f64()),
            DataType::I8 => whole(i8::from_le_bytes(first(bytes)?).into()),
            DataType::U8 => whole(u8::from_le_bytes(first(bytes)?).into()),
            DataType::Bool => whole((u8::from_le_bytes(first(bytes)?) != 0).into()),
            DataType::I16 => whole(i16::from_le_bytes(first(bytes)?).into()),
            DataType::U16 => whole(u16::from_le_bytes(first(bytes)?).into()),
            DataType::I32 => whole(i32::from_le_bytes(first(bytes)?).into()),
            DataType::U32 => whole(u32::from_le_bytes(first(bytes)?).into()),
            DataType::I64 => whole(i64::from_le_bytes(first(bytes)?)),
            DataType::U64 => whole(u64::from_le_bytes(first(bytes)?).cast_signed()),
            DataType::I4
            | DataType::F8E5M2
            | DataType::F8E4M3
            | DataType::E8M0
            | DataType::F4E2M1 => return None,
        })
    }

    /// The value as kernels compute with it.
    pub(crate) fn float(self) -> f32 {
        self.real as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_by_their_type() {
        let scalar = Scalar::from_bytes(DataType::F32, &1.75f32.to_le_bytes()).unwrap();
        assert_eq!((scalar.real, scalar.integer), (1.75, 1));
        let scalar = Scalar::from_bytes(DataType::I64, &i64::MIN.to_le_bytes()).unwrap();
        assert_eq!(scalar.integer, i64::MIN);
        let scalar = Scalar::from_bytes(DataType::Bf16, &[0xC0, 0x3F]).unwrap();
        assert_eq!((scalar.real, scalar.integer), (1.5, 1));
        assert_eq!(Scalar::from_bytes(DataType::F64, &[0; 4]), None);
        assert_eq!(Scalar::from_bytes(DataType::I4, &[0; 8]), None);
    }
}
