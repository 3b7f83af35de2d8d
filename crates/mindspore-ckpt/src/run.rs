//! Neighbouring records of one tensor, and what their length says.

use crate::scan::Report;
use crate::spec::byte_len;
use crate::{
    DEFAULT_SLICE_BYTES, Dtype, Entry, Error, Finding, FindingKind, Place, Result, Slice,
    TensorSpec,
};

/// Neighbouring records of the same name.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) spec: TensorSpec,
    pub(crate) place: Place,
    pub(crate) offset: u64,
    pub(crate) slices: Vec<Slice>,
    pub(crate) len: u64,
    /// Where the second slice is.
    pub(crate) again: Option<Place>,
    /// Something about it was reported; it becomes no entry.
    pub(crate) faulty: bool,
}

/// What the length of a run says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    /// Four-byte floats of which the upper half counts.
    Legacy,
}

impl Run {
    /// Adds the next slice, and says what about it differs from the first one.
    pub(crate) fn push(
        &mut self,
        spec: &TensorSpec,
        slice: Slice,
        place: &Place,
    ) -> Option<&'static str> {
        self.again.get_or_insert_with(|| place.clone());
        self.slices.push(slice);
        self.len = self.len.saturating_add(slice.len);
        let what = match &self.spec {
            first if first.dtype != spec.dtype => "type",
            first if first.dims != spec.dims => "shape",
            _ => return None,
        };
        self.faulty = true;
        Some(what)
    }

    /// Judges the length.
    pub(crate) fn form(&self) -> Result<Form> {
        let TensorSpec { dtype, dims, .. } = &self.spec;
        if *dtype == Dtype::Str {
            return self.check_text();
        }
        let Some(expected) = byte_len(*dtype, dims) else {
            let (place, dtype, dims) = (self.place.clone(), *dtype, dims.clone());
            return Err(Error::ShapeTooLarge { place, dtype, dims });
        };
        // Shape [0] with one element is how MindSpore 2.0.0 writes a scalar.
        let item = dtype.item_size();
        let scalar = *dims == [0] && self.len > 0;
        let expected = if scalar { item } else { expected };
        if self.len == expected {
            Ok(Form::Plain)
        } else if *dtype == Dtype::BFloat16 && self.len == 2 * expected {
            Ok(Form::Legacy)
        } else if self.slices.len() > 1 && self.slices.iter().all(|slice| slice.len == expected) {
            Err(self.twice())
        } else {
            Err(self.mismatch(expected))
        }
    }

    /// Whole characters, and in one record: of several, MindSpore keeps one.
    fn check_text(&self) -> Result<Form> {
        if self.len == 0 || !self.len.is_multiple_of(4) {
            return Err(self.mismatch(self.len.next_multiple_of(4).max(4)));
        }
        if self.slices.len() > 1 && self.len <= DEFAULT_SLICE_BYTES {
            return Err(self.twice());
        }
        Ok(Form::Plain)
    }

    fn twice(&self) -> Error {
        let place = self.again.as_ref().unwrap_or(&self.place).clone();
        Error::DuplicateName { place, first: Some(self.offset) }
    }

    fn mismatch(&self, expected: u64) -> Error {
        Error::LengthMismatch {
            place: self.place.clone(),
            dtype: self.spec.dtype,
            dims: self.spec.dims.clone(),
            expected,
            found: self.len,
            records: self.slices.len(),
        }
    }

    /// Reports what is odd about a sound run.
    pub(crate) fn warn(&self, form: Form, report: &mut impl Report) {
        let mut warn = |kind, story: &str| {
            let message = format!("{}: {story}", self.place);
            report.warn(Finding::warning(kind, message).at(self.offset).of(&self.spec.name));
        };
        if self.len == 0 {
            if self.spec.dims == [0] {
                warn(
                    FindingKind::EmptyVector,
                    "shape [0] without content, which MindSpore 2.10.0 loads as a scalar of garbage",
                );
            } else {
                warn(FindingKind::ZeroElements, "no elements, which MindSpore 2.0.0 refuses");
            }
        }
        let item = if form == Form::Legacy { 4 } else { self.spec.dtype.item_size() };
        if self.slices.iter().any(|slice| !slice.len.is_multiple_of(item)) {
            warn(
                FindingKind::MisalignedSlice,
                "a slice ends inside an element, which MindSpore 2.0.0 refuses",
            );
        }
        if form == Form::Legacy && self.is_in_halves() {
            warn(
                FindingKind::AmbiguousBf16,
                "either four-byte floats in two slices (so MindSpore takes it) or one tensor twice",
            );
        }
    }

    /// Two equal slices, which no MindSpore cuts unless they are of the full size.
    fn is_in_halves(&self) -> bool {
        matches!(&self.slices[..], [first, second]
            if first.len == second.len && first.len != DEFAULT_SLICE_BYTES)
    }

    pub(crate) fn into_entry(self, form: Form) -> Entry {
        let mut spec = self.spec;
        if spec.dtype == Dtype::Str {
            spec.dims = vec![self.len / 4];
        } else if spec.dims == [0] && self.len > 0 {
            spec.dims.clear();
        }
        let ends = self.slices.iter().scan(0, |end, slice| {
            *end += slice.len;
            Some(*end)
        });
        Entry {
            spec,
            offset: self.offset,
            byte_len: self.len,
            ends: ends.collect(),
            slices: self.slices,
            legacy_bf16: form == Form::Legacy,
        }
    }
}
