//! How well values fitted their blocks.

/// What quantising lost; sums over blocks, to be [merged](Self::merge) over tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct QuantizeStats {
    /// Blocks written.
    pub blocks: u64,
    /// Blocks whose every value is kept exactly.
    pub exact_blocks: u64,
    /// The largest distance of a value from what was written for it.
    pub max_abs_error: f64,
    /// The squares of all such distances, summed.
    pub sum_squared_error: f64,
    /// The squares of all values, summed: what to compare `sum_squared_error` with.
    pub sum_squares: f64,
}

impl QuantizeStats {
    /// Adds what another part of the data lost.
    ///
    /// ```
    /// use lowfloat::mxfp4::{self, QuantizeStats};
    ///
    /// let mut total = QuantizeStats::default();
    /// for value in [0.5f32, 0.7] {
    ///     total.merge(&mxfp4::quantize(&[value; 32], &mut [0; 16], &mut [0])?);
    /// }
    /// assert_eq!((total.blocks, total.exact_blocks), (2, 1));
    /// # Ok::<(), lowfloat::Mxfp4Error>(())
    /// ```
    pub fn merge(&mut self, other: &Self) {
        self.blocks += other.blocks;
        self.exact_blocks += other.exact_blocks;
        self.max_abs_error = self.max_abs_error.max(other.max_abs_error);
        self.sum_squared_error += other.sum_squared_error;
        self.sum_squares += other.sum_squares;
    }

    /// Squared error in proportion to the squares of the values; 0 where all values are 0.
    #[must_use]
    pub fn relative_squared_error(&self) -> f64 {
        if self.sum_squares > 0.0 { self.sum_squared_error / self.sum_squares } else { 0.0 }
    }
}
