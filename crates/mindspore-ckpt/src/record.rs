//! One record, as its bytes have it.

use crate::cursor::{Body, Cursor, Field};
use crate::scan::Report;
use crate::spec::{check_name, check_rank};
use crate::wire::{DIMS, MAP_TENSOR, TAG, TENSOR, TENSOR_CONTENT, TENSOR_TYPE};
use crate::{Dtype, Error, Finding, FindingKind, MAX_NAME_CHARS, Result, Slice, Source};

/// A name longer than this many bytes is too long whatever its characters are.
const MAX_NAME_BYTES: u64 = 4 * MAX_NAME_CHARS as u64;

/// As much of a type's name as an error shows; the longest real one has 12 bytes.
const MAX_TYPE_BYTES: u64 = 64;

/// The fields that a record has, unjudged apart from their own form.
#[derive(Debug, Default)]
pub(crate) struct RawRecord {
    pub(crate) offset: u64,
    pub(crate) name: Option<String>,
    pub(crate) payload: Option<RawPayload>,
}

#[derive(Debug)]
pub(crate) enum RawPayload {
    Tensor(RawTensor),
    Map,
}

#[derive(Debug, Default)]
pub(crate) struct RawTensor {
    pub(crate) dims: Vec<i64>,
    /// The type, or the unknown name.
    pub(crate) dtype: Option<Result<Dtype, String>>,
    pub(crate) content: Option<Slice>,
}

/// Reads the record that begins at `offset` with its key and ends before `limit`.
///
/// What protobuf merges is merged: of a name, type or content given twice the last one counts,
/// dimensions add up.
pub(crate) fn read_record<S: Source + ?Sized>(
    cursor: &mut Cursor<'_, S>,
    offset: u64,
    limit: u64,
    report: &mut impl Report,
) -> Result<RawRecord> {
    let mut record = RawRecord { offset, ..RawRecord::default() };
    while let Some(field) = cursor.field(limit)? {
        let Body::Len(len) = field.body else {
            report.warn(unknown_field(cursor, field));
            continue;
        };
        let end = cursor.position().saturating_add(len);
        match field.number {
            TAG => {
                warn_repeated(cursor, field, "name", record.name.is_some(), report);
                let name = read_name(cursor, field, len)?;
                cursor.place.tensor = Some(name.clone());
                record.name = Some(name);
            }
            TENSOR => {
                let mut tensor = match record.payload.take() {
                    Some(RawPayload::Tensor(tensor)) => {
                        warn_repeated(cursor, field, "tensor", true, report);
                        tensor
                    }
                    other => {
                        warn_repeated(cursor, field, "payload", other.is_some(), report);
                        RawTensor::default()
                    }
                };
                read_tensor(cursor, end, &mut tensor, report)?;
                record.payload = Some(RawPayload::Tensor(tensor));
            }
            MAP_TENSOR => {
                warn_repeated(cursor, field, "payload", record.payload.is_some(), report);
                cursor.check_file(len, "a map tensor")?;
                record.payload = Some(RawPayload::Map);
            }
            _ => report.warn(unknown_field(cursor, field)),
        }
        cursor.jump(end);
    }
    Ok(record)
}

fn read_name<S: Source + ?Sized>(
    cursor: &mut Cursor<'_, S>,
    field: Field,
    len: u64,
) -> Result<String> {
    if len > MAX_NAME_BYTES {
        return Err(Error::NameTooLong { place: cursor.at(field.offset), chars: len });
    }
    let mut name = vec![0; len as usize];
    cursor.read(&mut name, "a tensor's name")?;
    let name = String::from_utf8(name).map_err(|error| Error::NameNotUtf8 {
        place: cursor.at(field.offset),
        valid_up_to: error.utf8_error().valid_up_to(),
    })?;
    check_name(&name, || cursor.at(field.offset))?;
    Ok(name)
}

fn read_tensor<S: Source + ?Sized>(
    cursor: &mut Cursor<'_, S>,
    limit: u64,
    tensor: &mut RawTensor,
    report: &mut impl Report,
) -> Result<()> {
    while let Some(field) = cursor.field(limit)? {
        match (field.number, field.body) {
            (DIMS, Body::Varint(dim)) => push_dim(cursor, field, tensor, dim)?,
            (DIMS, Body::Len(len)) => {
                let end = cursor.position().saturating_add(len);
                while cursor.position() < end {
                    let dim = cursor.varint(end, "a dimension")?;
                    push_dim(cursor, field, tensor, dim)?;
                }
            }
            (TENSOR_TYPE, Body::Len(len)) => {
                warn_repeated(cursor, field, "type", tensor.dtype.is_some(), report);
                tensor.dtype = Some(read_type(cursor, len)?);
            }
            (TENSOR_CONTENT, Body::Len(len)) => {
                warn_repeated(cursor, field, "content", tensor.content.is_some(), report);
                cursor.check_file(len, "the tensor's content")?;
                let offset = cursor.position();
                tensor.content = Some(Slice { offset, len });
                cursor.jump(offset + len);
            }
            (_, body) => {
                report.warn(unknown_field(cursor, field));
                if let Body::Len(len) = body {
                    cursor.jump(cursor.position().saturating_add(len));
                }
            }
        }
    }
    Ok(())
}

fn push_dim<S: Source + ?Sized>(
    cursor: &Cursor<'_, S>,
    field: Field,
    tensor: &mut RawTensor,
    dim: u64,
) -> Result<()> {
    check_rank(tensor.dims.len() + 1, || cursor.at(field.offset))?;
    tensor.dims.push(dim.cast_signed());
    Ok(())
}

fn read_type<S: Source + ?Sized>(
    cursor: &mut Cursor<'_, S>,
    len: u64,
) -> Result<Result<Dtype, String>> {
    let end = cursor.position().saturating_add(len);
    let mut name = vec![0; len.min(MAX_TYPE_BYTES) as usize];
    cursor.read(&mut name, "the tensor's type")?;
    cursor.jump(end);
    let mut name = String::from_utf8_lossy(&name).into_owned();
    if len > MAX_TYPE_BYTES {
        name.push('…');
    }
    Ok(name.parse().map_err(|_| name))
}

fn unknown_field<S: Source + ?Sized>(cursor: &Cursor<'_, S>, field: Field) -> Finding {
    let place = cursor.at(field.offset);
    let message = format!("{place}: unknown field {}, ignored", field.number);
    with_place(Finding::warning(FindingKind::UnknownField, message), cursor, field)
}

fn warn_repeated<S: Source + ?Sized>(
    cursor: &Cursor<'_, S>,
    field: Field,
    what: &str,
    repeated: bool,
    report: &mut impl Report,
) {
    if repeated {
        let place = cursor.at(field.offset);
        let message = format!("{place}: the {what} is given again; the last one counts");
        let finding = Finding::warning(FindingKind::RepeatedField, message);
        report.warn(with_place(finding, cursor, field));
    }
}

fn with_place<S: ?Sized>(finding: Finding, cursor: &Cursor<'_, S>, field: Field) -> Finding {
    Finding { tensor: cursor.place.tensor.clone(), ..finding.at(field.offset) }
}
