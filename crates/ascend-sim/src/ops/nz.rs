//! Weights in blocks: `FRACTAL_NZ`, cut into blocks of 16 rows by 32 bytes.

use super::access::{BLOCK_ROW_BITS, BLOCK_ROWS, ceil};
use super::check::Check;
use crate::dtype::DataType;
use crate::kernel::Reject;
use crate::tensor::{FRACTAL_NZ, ND, Tensor};

/// Elements of a block's row, 32 bytes of this type.
pub(super) fn block_width(dtype: DataType) -> i64 {
    BLOCK_ROW_BITS / dtype.bits().cast_signed()
}

/// Extents of the memory that a matrix, or a batch of them, needs in blocks of rows of `width` elements.
pub(super) fn blocked_storage(shape: &[i64], width: i64) -> Vec<i64> {
    let (batch, matrix) = shape.split_at(shape.len() - 2);
    let mut storage = batch.to_vec();
    storage.extend([ceil(matrix[1], width), ceil(matrix[0], BLOCK_ROWS), BLOCK_ROWS, width]);
    storage
}

/// The same memory without knowledge of blocks: as the plain products of 8.3 read a weight in blocks.
pub(super) fn mistaken_for_rows(tensor: &Tensor) -> Tensor {
    Tensor { format: ND, ..tensor.clone() }
}

impl Check {
    /// A weight in blocks: its storage has two dimensions more than its view, and room for it.
    pub(super) fn nz(&self, name: &str, tensor: &Tensor) -> Result<(), Reject> {
        self.blocked(name, tensor)?;
        let got = format_args!("in format {}", tensor.format);
        let expected = format_args!("FRACTAL_NZ ({FRACTAL_NZ})");
        self.require(tensor.format == FRACTAL_NZ, name, got, expected)?;
        self.rank(name, tensor, 2..=6)?;
        self.require(tensor.offset == 0, name, format_args!("at offset {}", tensor.offset), "0")?;
        let rank = tensor.shape.len();
        // With one row or one column nothing tells a matrix from its transpose.
        let got = format_args!("of shape {:?}", tensor.shape);
        let matrix = tensor.shape[rank - 2..].iter().all(|&extent| extent > 1);
        self.require(matrix, name, got, "more than one row and column in blocks")?;
        let base = if tensor.exchanged() { tensor.transposed() } else { tensor.clone() };
        // Blocks of 4 bits are 16 elements wide on the chips without integer units for them.
        let widths = [block_width(tensor.dtype), BLOCK_ROWS];
        let width = tensor.storage.last().copied().filter(|width| widths.contains(width));
        let least = blocked_storage(&base.shape, width.unwrap_or(widths[0]));
        let fits = tensor.storage.len() == rank + 2
            && tensor.storage[rank..] == least[rank..]
            && tensor.storage.iter().zip(&least).all(|(has, needs)| has >= needs);
        let got = format_args!("of storage {:?}", tensor.storage);
        self.require(fits, name, got, format_args!("{least:?} or more blocks"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{A2, Device};

    #[test]
    fn storage_is_whole_blocks() {
        assert_eq!(blocked_storage(&[20, 40], 16), [3, 2, 16, 16]);
        assert_eq!(blocked_storage(&[2, 16, 64], 32), [2, 2, 1, 16, 32]);
        let widths = [DataType::F32, DataType::Bf16, DataType::I8, DataType::I4].map(block_width);
        assert_eq!(widths, [8, 16, 32, 64]);
    }

    #[test]
    fn other_storage_is_refused() {
        let device = Device::default();
        let check = Check::new(&A2, "aclnnTest");
        let storage = device.empty(DataType::F16, &[3, 2, 16, 16]);
        let good = Tensor {
            shape: vec![20, 40],
            strides: vec![40, 1],
            format: FRACTAL_NZ,
            ..storage.clone()
        };
        check.nz("w", &good).unwrap();
        check.nz("w", &good.transposed()).unwrap();
        let refused = |tensor: Tensor, text: &str| {
            let reject = check.nz("w", &tensor).unwrap_err();
            assert!(reject.message.contains(text), "{reject:?}");
        };
        refused(Tensor { format: ND, ..good.clone() }, "format 2");
        refused(Tensor { storage: vec![20, 40], ..good.clone() }, "[3, 2, 16, 16]");
        refused(Tensor { storage: vec![2, 2, 16, 16], ..good.clone() }, "storage [2, 2");
        refused(Tensor { storage: vec![3, 2, 16, 32], ..good.clone() }, "[3, 2, 16, 16]");
        refused(Tensor { offset: 16, ..good.clone() }, "offset 16");
        refused(Tensor { shape: vec![1, 40], ..good }, "more than one row");
    }
}
