//! Views of arrays as slices, their shapes checked.

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::{Error, Result};

/// The elements of `view`, row by row.
pub(crate) fn slice<'a, T>(argument: &'static str, view: &ArrayView2<'a, T>) -> Result<&'a [T]> {
    view.to_slice().ok_or_else(|| not_row_major(argument, view.strides()))
}

/// As [`slice`], to be written.
pub(crate) fn slice_mut<'a, T>(
    argument: &'static str,
    view: ArrayViewMut2<'a, T>,
) -> Result<&'a mut [T]> {
    let strides = [view.strides()[0], view.strides()[1]];
    view.into_slice().ok_or_else(|| not_row_major(argument, &strides))
}

/// Refuses another shape than the expected one.
pub(crate) fn check_shape(
    argument: &'static str,
    expected: [usize; 2],
    found: (usize, usize),
) -> Result<()> {
    let found = [found.0, found.1];
    if expected == found { Ok(()) } else { Err(Error::Shape { argument, expected, found }) }
}

/// Refuses another length than the expected one.
pub(crate) fn check_len(argument: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::Length { argument, expected, found }) }
}

fn not_row_major(argument: &'static str, strides: &[isize]) -> Error {
    Error::NotRowMajor { argument, strides: [strides[0], strides[1]] }
}
