//! Telling where two tensors differ.

use lowfloat::DType;

use crate::manifest::hex;

/// Which elements of a tensor differ, counted as its bytes go by in order.
#[derive(Debug)]
pub(super) struct Difference {
    /// Bytes of an element; one where elements are smaller.
    size: u64,
    first: Option<u64>,
    last: Option<u64>,
    count: u64,
}

impl Difference {
    pub(super) fn new(dtype: DType) -> Self {
        Self { size: unit(dtype), first: None, last: None, count: 0 }
    }

    /// Looks at the bytes from `start` on.
    pub(super) fn add(&mut self, start: u64, actual: &[u8], expected: &[u8]) {
        if actual == expected {
            return;
        }
        for (at, (actual, expected)) in (start..).zip(actual.iter().zip(expected)) {
            let element = at / self.size;
            if actual != expected && self.last != Some(element) {
                self.first.get_or_insert(element);
                self.last = Some(element);
                self.count += 1;
            }
        }
    }

    /// The first element that differs, and how many do.
    pub(super) fn found(&self) -> Option<(u64, u64)> {
        self.first.map(|first| (first, self.count))
    }
}

/// Bytes in which a tensor is counted.
pub(super) fn unit(dtype: DType) -> u64 {
    dtype.size().unwrap_or(1) as u64
}

/// `[3, 17]`: the place of an element in its tensor. Empty for a scalar, and where elements are
/// smaller than bytes.
pub(super) fn place(element: u64, dtype: DType, shape: &[usize]) -> String {
    if dtype.size().is_none() || shape.is_empty() {
        return String::new();
    }
    let mut rest = element;
    let mut indexes: Vec<_> = shape
        .iter()
        .rev()
        .map(|&extent| {
            let extent = (extent as u64).max(1);
            let index = rest % extent;
            rest /= extent;
            index
        })
        .collect();
    indexes.reverse();
    format!("{indexes:?}")
}

/// An element for people: its value, and for floating-point numbers its bits.
pub(super) fn show(dtype: DType, bytes: &[u8]) -> String {
    let bits = hex(&bytes.iter().rev().copied().collect::<Vec<_>>());
    let plain = match (dtype, bytes) {
        (DType::U8, &[byte]) => return format!("{byte:#04x}"),
        (DType::I8, &[byte]) => Some(byte.cast_signed().to_string()),
        (DType::I16, &[a, b]) => Some(i16::from_le_bytes([a, b]).to_string()),
        (DType::U16, &[a, b]) => Some(u16::from_le_bytes([a, b]).to_string()),
        (DType::I32, &[a, b, c, d]) => Some(i32::from_le_bytes([a, b, c, d]).to_string()),
        (DType::U32, &[a, b, c, d]) => Some(u32::from_le_bytes([a, b, c, d]).to_string()),
        (DType::I64, bytes) => {
            bytes.try_into().ok().map(|bytes| i64::from_le_bytes(bytes).to_string())
        }
        (DType::U64, bytes) => {
            bytes.try_into().ok().map(|bytes| u64::from_le_bytes(bytes).to_string())
        }
        _ => None,
    };
    let shown = plain.or_else(|| {
        if let (DType::F64, Ok(bytes)) = (dtype, bytes.try_into()) {
            return Some(f64::from_le_bytes(bytes).to_string());
        }
        let mut value = [0; 4];
        lowfloat::cast_bytes(dtype, bytes, DType::F32, &mut value).ok()?;
        Some(f32::from_le_bytes(value).to_string())
    });
    match shown {
        Some(shown) if dtype.is_float() => format!("{shown} (bits 0x{bits})"),
        Some(shown) => shown,
        None => format!("0x{bits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_once_however_bytes_are_cut() {
        let expected: Vec<u8> = (0..24).collect();
        let mut actual = expected.clone();
        for at in [9, 10, 11, 16] {
            actual[at] ^= 0x80;
        }
        for cut in 0..=24 {
            let mut difference = Difference::new(DType::F32);
            difference.add(0, &actual[..cut], &expected[..cut]);
            difference.add(cut as u64, &actual[cut..], &expected[cut..]);
            assert_eq!(difference.found(), Some((2, 2)), "cut at {cut}");
        }
        let mut difference = Difference::new(DType::F32);
        difference.add(0, &expected, &expected);
        assert_eq!(difference.found(), None);
    }

    #[test]
    fn places_are_row_major() {
        assert_eq!(place(0, DType::U8, &[2, 3, 4]), "[0, 0, 0]");
        assert_eq!(place(23, DType::U8, &[2, 3, 4]), "[1, 2, 3]");
        assert_eq!(place(5, DType::U8, &[2, 3, 4]), "[0, 1, 1]");
        assert_eq!(place(0, DType::F32, &[]), "");
        assert_eq!(place(3, DType::F4, &[8]), "");
    }

    #[test]
    fn values_are_shown_with_their_bits() {
        assert_eq!(show(DType::BF16, &[0x80, 0x3f]), "1 (bits 0x3f80)");
        assert_eq!(show(DType::F16, &[0x00, 0x80]), "-0 (bits 0x8000)");
        assert_eq!(show(DType::F32, &[0, 0, 0xc0, 0x7f]), "NaN (bits 0x7fc00000)");
        assert_eq!(show(DType::F64, &2.5_f64.to_le_bytes()), "2.5 (bits 0x4004000000000000)");
        assert_eq!(show(DType::U8, &[0x2b]), "0x2b");
        assert_eq!(show(DType::I64, &(-7_i64).to_le_bytes()), "-7");
        assert_eq!(show(DType::Bool, &[1]), "0x01");
        assert_eq!(show(DType::C64, &[1, 0, 0, 0, 0, 0, 0, 2]), "0x0200000000000001");
    }
}
