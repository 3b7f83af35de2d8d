//! Bytes of elements to numbers and back.

use lowfloat::{DType, E2M1, E8M0, cast_bytes};

use crate::dtype::DataType;

/// The name that `lowfloat` has for a type that it converts.
fn float_type(dtype: DataType) -> Option<DType> {
    Some(match dtype {
        DataType::F64 => DType::F64,
        DataType::F32 => DType::F32,
        DataType::F16 => DType::F16,
        DataType::Bf16 => DType::BF16,
        DataType::F8E4M3 => DType::F8E4M3,
        DataType::F8E5M2 => DType::F8E5M2,
        _ => return None,
    })
}

pub(super) fn to_floats(dtype: DataType, bytes: &[u8]) -> Vec<f32> {
    if let Some(from) = float_type(dtype) {
        let count = bytes.len() / super::width(dtype);
        let mut wide = vec![0; count * 4];
        // Both lengths are whole elements and the types are among those that convert.
        let converted = cast_bytes(from, bytes, DType::F32, &mut wide);
        debug_assert!(converted.is_ok());
        return wide.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
    }
    match dtype {
        DataType::E8M0 => bytes.iter().map(|&bits| E8M0::from_bits(bits).to_f32()).collect(),
        DataType::F4E2M1 => bytes.iter().map(|&bits| E2M1::from_bits(bits).to_f32()).collect(),
        _ => to_integers(dtype, bytes).into_iter().map(|value| value as f32).collect(),
    }
}

pub(super) fn to_integers(dtype: DataType, bytes: &[u8]) -> Vec<i64> {
    match dtype {
        // The low half is signed: two's complement.
        DataType::I4 => {
            bytes.iter().map(|&bits| i64::from((bits << 4).cast_signed() >> 4)).collect()
        }
        DataType::I8 => bytes.iter().map(|&value| i64::from(value.cast_signed())).collect(),
        DataType::U8 => bytes.iter().map(|&value| i64::from(value)).collect(),
        DataType::Bool => bytes.iter().map(|&value| i64::from(value != 0)).collect(),
        DataType::I16 => each(bytes, |value| i16::from_le_bytes(value).into()),
        DataType::U16 => each(bytes, |value| u16::from_le_bytes(value).into()),
        DataType::I32 => each(bytes, |value| i32::from_le_bytes(value).into()),
        DataType::U32 => each(bytes, |value| u32::from_le_bytes(value).into()),
        DataType::I64 | DataType::U64 => each(bytes, i64::from_le_bytes),
        DataType::F64 => each(bytes, |value| f64::from_le_bytes(value) as i64),
        _ => to_floats(dtype, bytes).into_iter().map(|value| value as i64).collect(),
    }
}

pub(super) fn from_floats(dtype: DataType, values: &[f32]) -> Vec<u8> {
    if let Some(to) = float_type(dtype) {
        let wide = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
        let mut bytes = vec![0; values.len() * super::width(dtype)];
        let converted = cast_bytes(DType::F32, &wide, to, &mut bytes);
        debug_assert!(converted.is_ok());
        return bytes;
    }
    match dtype {
        DataType::F4E2M1 => values.iter().map(|&value| E2M1::from_f32(value).to_bits()).collect(),
        DataType::E8M0 => values.iter().map(|&value| power_of_two(value)).collect(),
        DataType::Bool => values.iter().map(|&value| u8::from(value != 0.0)).collect(),
        DataType::I64 => values.iter().flat_map(|value| nearest(*value).to_le_bytes()).collect(),
        DataType::U64 => {
            values.iter().flat_map(|value| (value.round_ties_even() as u64).to_le_bytes()).collect()
        }
        _ => {
            let (low, high) = limits(dtype);
            let whole =
                values.iter().map(|&value| nearest(value).clamp(low, high)).collect::<Vec<_>>();
            from_integers(dtype, &whole)
        }
    }
}

pub(super) fn from_integers(dtype: DataType, values: &[i64]) -> Vec<u8> {
    match dtype {
        DataType::I4 => values.iter().map(|&value| value as u8 & 0x0F).collect(),
        DataType::I8 | DataType::U8 => values.iter().map(|&value| value as u8).collect(),
        DataType::Bool => values.iter().map(|&value| u8::from(value != 0)).collect(),
        DataType::I16 | DataType::U16 => {
            values.iter().flat_map(|&value| (value as u16).to_le_bytes()).collect()
        }
        DataType::I32 | DataType::U32 => {
            values.iter().flat_map(|&value| (value as u32).to_le_bytes()).collect()
        }
        DataType::I64 | DataType::U64 => {
            values.iter().flat_map(|value| value.to_le_bytes()).collect()
        }
        DataType::F64 => values.iter().flat_map(|&value| (value as f64).to_le_bytes()).collect(),
        _ => {
            let floats = values.iter().map(|&value| value as f32).collect::<Vec<_>>();
            from_floats(dtype, &floats)
        }
    }
}

fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> i64) -> Vec<i64> {
    bytes.as_chunks::<N>().0.iter().map(|&bytes| value(bytes)).collect()
}

fn nearest(value: f32) -> i64 {
    value.round_ties_even() as i64
}

/// The exponent of a positive float, cut: scales are powers of two. What has none is the NaN of the format.
fn power_of_two(value: f32) -> u8 {
    let nan = u8::MAX;
    if value.is_finite() && value > 0.0 { (value.to_bits() >> 23) as u8 } else { nan }
}

/// The smallest and largest value of an integer type of up to 32 bits.
fn limits(dtype: DataType) -> (i64, i64) {
    match dtype {
        DataType::I4 => (-8, 7),
        DataType::I8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::U8 => (0, u8::MAX.into()),
        DataType::I16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::U16 => (0, u16::MAX.into()),
        DataType::I32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::U32 => (0, u32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    }
}
