//! Dense weights in fewer bytes.

mod coded;
mod int8;

pub(crate) use coded::Coded;
pub use coded::CodedParts;
pub(crate) use int8::Int8;
pub use int8::Int8Parts;

use crate::matrix::Packing;
use crate::{Matrix, Result};

/// A form of dense weights that takes less to read than bf16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repack {
    /// bf16 in some twelve bits, without loss: a product has the same bits as with the weights as they
    /// were. Of every weight the lower byte is kept; the upper one, sign and seven bits of the
    /// exponent, becomes an index of four bits into a table of the sixteen most frequent ones of
    /// the matrix. The others, some in a million, are kept apart.
    Coded,
    /// Eight bits a weight and a power of two for every 32, as MXINT8 of the OCP Microscaling Formats
    /// Specification v1.0: the nearest of 255 steps up to the largest weight of its block.
    Int8,
}

impl<B: AsRef<[u8]> + Sync> Matrix<B> {
    /// The same weights in another form; `None` where there is nothing to win: for weights that are not
    /// in bf16 ([`Repack::Coded`]), that are packed already, or in which so many upper bytes occur
    /// that the form would be no smaller.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`](crate::Error::NotFinite) where weights for [`Repack::Int8`] are NaN or infinite.
    ///
    /// ```
    /// use lowfloat::DType;
    /// use moe_kernels::{Matrix, Repack, Strips};
    ///
    /// let bytes = [0x80, 0x3F, 0x00, 0xC0].repeat(128); // bf16 1, -2, 1, -2 …
    /// let weights = Matrix::dense(DType::BF16, 256, Strips::new(512, vec![bytes])?)?;
    /// let coded = weights.repacked(Repack::Coded)?.expect("two upper bytes fit a table of sixteen");
    /// assert_eq!(coded.byte_len(), 384 + 20); // the table, and where escapes end
    /// let mut row = [0.0; 256];
    /// coded.decode_row(0, &mut row)?;
    /// assert_eq!(row[..3], [1.0, -2.0, 1.0]);
    /// # Ok::<(), moe_kernels::Error>(())
    /// ```
    pub fn repacked(&self, repack: Repack) -> Result<Option<Matrix<Vec<u8>>>> {
        let packing = match (repack, &self.packing) {
            (Repack::Coded, Packing::Dense(lowfloat::DType::BF16, strips)) => {
                Coded::of(strips, self.cols()).map(Packing::Coded)
            }
            (Repack::Int8, Packing::Dense(..)) => {
                Int8::of(self.rows(), self.cols(), |row, to| self.decode_row(row, to))?
                    .map(Packing::Int8)
            }
            _ => None,
        };
        Ok(packing.map(|packing| Matrix::packed(self.rows(), self.cols(), packing)))
    }
}
