//! A matrix whose rows lie at equal distances.

/// `count` rows of `cols` elements, `stride` elements from one to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    data: &'a [f32],
    stride: usize,
    cols: usize,
    count: usize,
}

impl<'a> Rows<'a> {
    /// As many rows as `data` holds; `stride` is at least `cols`.
    pub(crate) fn new(data: &'a [f32], stride: usize, cols: usize) -> Self {
        let count = match data.len().checked_sub(cols) {
            Some(rest) => rest / stride.max(1) + 1,
            None => 0,
        };
        Self { data, stride, cols, count }
    }

    /// The rows `start..end`, which there are.
    pub(crate) fn part(&self, start: usize, end: usize) -> Self {
        let first = usize::min(start * self.stride, self.data.len());
        Self {
            data: &self.data[first..],
            count: end.min(self.count).saturating_sub(start),
            ..*self
        }
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    pub(crate) const fn cols(&self) -> usize {
        self.cols
    }

    /// The row, or nothing where there is none.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> &'a [f32] {
        let start = row * self.stride;
        self.data.get(start..start + self.cols).unwrap_or(&[])
    }
}
