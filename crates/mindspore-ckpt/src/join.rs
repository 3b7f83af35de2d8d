//! Records judged, and neighbours of the same name joined to tensors.

use std::collections::HashMap;
use std::collections::hash_map::Entry as MapSlot;

use crate::record::{RawPayload, RawRecord};
use crate::run::Run;
use crate::scan::Report;
use crate::spec::check_dim;
use crate::{
    Dtype, Entry, Error, Finding, FindingKind, MapEntry, Place, Result, Slice, TensorSpec,
};

/// The tensors of a file.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    pub(crate) entries: Vec<Entry>,
    pub(crate) maps: Vec<MapEntry>,
    pub(crate) names: HashMap<String, Seen>,
}

/// A name that was met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Where it came first.
    offset: u64,
    /// Its first records were too few bytes.
    short: bool,
    /// Its place among the entries, unless it is faulty or a map.
    pub(crate) entry: Option<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Joiner {
    run: Option<Run>,
    /// The name of the record before, if that one was no good and began a tensor: what follows
    /// under the same name is not judged again.
    broken: Option<String>,
    joined: Joined,
}

impl Joiner {
    /// Takes the next record of the file.
    pub(crate) fn push(
        &mut self,
        number: u64,
        record: RawRecord,
        report: &mut impl Report,
    ) -> Result<()> {
        let offset = record.offset;
        let place = Place {
            offset: Some(offset),
            record: Some(number),
            tensor: record.name.clone().filter(|name| !name.is_empty()),
        };
        let Some(name) = record.name else {
            report.fault(Error::MissingName { place })?;
            return self.close(report);
        };
        match record.payload {
            None => {
                report.fault(Error::MissingTensor { place })?;
                self.push_broken(RawRecord { offset, name: Some(name), payload: None }, report)
            }
            Some(RawPayload::Map) => self.push_map(name, &place, offset, report),
            Some(RawPayload::Tensor(tensor)) => {
                let dims = judge_dims(&tensor.dims, &place, report)?;
                let dtype = judge_type(tensor.dtype, &place, report)?;
                if tensor.content.is_none() {
                    report.fault(Error::MissingContent { place: place.clone() })?;
                }
                if let (Some(dims), Some(dtype), Some(slice)) = (dims, dtype, tensor.content) {
                    let spec = TensorSpec { name, dtype, dims };
                    return self.push_slice(spec, slice, place, offset, report);
                }
                self.push_broken(RawRecord { offset, name: Some(name), payload: None }, report)
            }
        }
    }

    /// Takes a record about which a fault was reported.
    pub(crate) fn push_broken(
        &mut self,
        record: RawRecord,
        report: &mut impl Report,
    ) -> Result<()> {
        match (&mut self.run, record.name) {
            (Some(run), Some(name)) if run.spec.name == name => run.faulty = true,
            (_, name) => {
                self.close(report)?;
                if let Some(name) = name {
                    self.broken = Some(name.clone());
                    let seen = Seen { offset: record.offset, short: false, entry: None };
                    self.joined.names.entry(name).or_insert(seen);
                }
            }
        }
        Ok(())
    }

    /// Ends the last tensor.
    pub(crate) fn finish(mut self, report: &mut impl Report) -> Result<Joined> {
        self.close(report)?;
        Ok(self.joined)
    }

    fn push_map(
        &mut self,
        name: String,
        place: &Place,
        offset: u64,
        report: &mut impl Report,
    ) -> Result<()> {
        self.close(report)?;
        if let Some(error) = self.repeated(&name, place) {
            return report.fault(error);
        }
        let message = format!("{place}: a map tensor, which is listed but not read");
        report.warn(Finding::warning(FindingKind::MapTensor, message).at(offset).of(&name));
        self.joined.names.insert(name.clone(), Seen { offset, short: false, entry: None });
        self.joined.maps.push(MapEntry { name, offset });
        Ok(())
    }

    fn push_slice(
        &mut self,
        spec: TensorSpec,
        slice: Slice,
        place: Place,
        offset: u64,
        report: &mut impl Report,
    ) -> Result<()> {
        if let Some(run) = self.run.as_mut().filter(|run| run.spec.name == spec.name) {
            return match run.push(&spec, slice, &place) {
                Some(what) => report.fault(Error::SliceMismatch { place, what }),
                None => Ok(()),
            };
        }
        if self.broken.as_deref() == Some(&spec.name) {
            return Ok(());
        }
        self.close(report)?;
        let repeated = self.repeated(&spec.name, &place);
        let faulty = repeated.is_some();
        let (slices, len) = (vec![slice], slice.len);
        self.run = Some(Run { spec, place, offset, slices, len, again: None, faulty });
        repeated.map_or(Ok(()), |error| report.fault(error))
    }

    /// The fault that a name is, if it was met before.
    fn repeated(&self, name: &str, place: &Place) -> Option<Error> {
        let first = self.joined.names.get(name)?;
        let place = place.clone();
        Some(if first.short {
            Error::Interleaved { place, first: first.offset }
        } else {
            Error::DuplicateName { place, first: Some(first.offset) }
        })
    }

    /// Ends the run at hand: its length is judged, and it becomes an entry.
    fn close(&mut self, report: &mut impl Report) -> Result<()> {
        self.broken = None;
        let Some(run) = self.run.take() else { return Ok(()) };
        let mut seen = Seen { offset: run.offset, short: false, entry: None };
        let name = run.spec.name.clone();
        if !run.faulty {
            match run.form() {
                Ok(form) => {
                    run.warn(form, report);
                    seen.entry = Some(self.joined.entries.len());
                    self.joined.entries.push(run.into_entry(form));
                }
                Err(error) => {
                    seen.short = matches!(
                        &error,
                        Error::LengthMismatch { found, expected, .. } if found < expected
                    );
                    report.fault(error)?;
                }
            }
        }
        // Of a name that comes twice the first one is kept, as the place to name.
        if let MapSlot::Vacant(slot) = self.joined.names.entry(name) {
            slot.insert(seen);
        }
        Ok(())
    }
}

fn judge_dims(dims: &[i64], place: &Place, report: &mut impl Report) -> Result<Option<Vec<u64>>> {
    let judged = dims.iter().enumerate().map(|(axis, &dim)| check_dim(axis, dim, || place.clone()));
    match judged.collect() {
        Ok(dims) => Ok(Some(dims)),
        Err(error) => report.fault(error).map(|()| None),
    }
}

fn judge_type(
    dtype: Option<Result<Dtype, String>>,
    place: &Place,
    report: &mut impl Report,
) -> Result<Option<Dtype>> {
    let place = place.clone();
    match dtype {
        Some(Ok(dtype)) => return Ok(Some(dtype)),
        Some(Err(found)) => report.fault(Error::UnknownType { place, found })?,
        None => report.fault(Error::MissingType { place })?,
    }
    Ok(None)
}
