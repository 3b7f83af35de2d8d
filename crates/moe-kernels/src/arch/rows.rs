//! A matrix of `f32`.

/// `count` rows of `cols` elements, one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    data: &'a [f32],
    cols: usize,
}

impl<'a> Rows<'a> {
    /// As many rows as `data` holds whole.
    pub(crate) fn new(data: &'a [f32], cols: usize) -> Self {
        let whole = data.len() - data.len().checked_rem(cols).unwrap_or(data.len());
        Self { data: &data[..whole], cols }
    }

    /// The rows `start..end`, which there are.
    pub(crate) fn part(&self, start: usize, end: usize) -> Self {
        let data = self.data.get(start * self.cols..end * self.cols).unwrap_or_default();
        Self { data, ..*self }
    }

    pub(crate) fn count(&self) -> usize {
        self.data.len().checked_div(self.cols).unwrap_or(0)
    }

    pub(crate) const fn cols(&self) -> usize {
        self.cols
    }

    /// All elements, row after row.
    pub(crate) const fn data(&self) -> &'a [f32] {
        self.data
    }

    /// The row, or nothing where there is none.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> &'a [f32] {
        let start = row * self.cols;
        self.data.get(start..start + self.cols).unwrap_or(&[])
    }
}
