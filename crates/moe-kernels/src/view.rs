//! Views of arrays as slices, their shapes checked.

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::{Error, Result};

/// The elements of `view`, row by row.
pub(crate) fn slice<'a, T>(argument: &'static str, view: ArrayView2<'a, T>) -> Result<&'a [T]> {
    let strides = [view.strides()[0], view.strides()[1]];
    view.to_slice().ok_or(Error::NotRowMajor { argument, strides })
}

/// As [`slice`], to be written.
pub(crate) fn slice_mut<'a, T>(
    argument: &'static str,
    view: ArrayViewMut2<'a, T>,
) -> Result<&'a mut [T]> {
    let strides = [view.strides()[0], view.strides()[1]];
    view.into_slice().ok_or(Error::NotRowMajor { argument, strides })
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
