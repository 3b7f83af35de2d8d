//! Making the file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use lowfloat::DType;
use moe_kernels::{CodedParts, Int8Parts, Matrix, Repack, Strips};
use safeshards::{Bytes, ShardWriter, TensorSpec, WriterOptions};

use super::{FORMAT, VERSION, chain};
use crate::{Error, Result};

/// Repacks every matrix that the form suits and writes all of them.
///
/// The header comes first and has sizes that only repacking tells, so everything is repacked twice, and no
/// more than one matrix is held at a time.
pub(super) fn write(
    matrices: &[(String, &mut Matrix<Bytes>)],
    form: Repack,
    source: &str,
    path: &Path,
) -> Result<()> {
    let wrong = |reason: String| Error::RepackFile { path: path.to_owned(), reason };
    let repacked = |name: &str, matrix: &Matrix<Bytes>| {
        let repacked = matrix.repacked(form);
        repacked.map_err(|error| wrong(format!("cannot be made: {name}: {error}")))
    };
    let mut specs = Vec::new();
    let mut small = BTreeMap::new();
    for (name, matrix) in matrices {
        let repacked = repacked(name, matrix)?;
        for Part { end, dtype, shape, content } in repacked.iter().flat_map(parts) {
            let name = format!("{name}.{end}");
            if let Content::Small(bytes) = content {
                small.insert(name.clone(), bytes.into_owned());
            }
            specs.push(TensorSpec::new(name, dtype, shape));
        }
    }
    let metadata = [("format", format!("{FORMAT}{VERSION}")), ("form", super::name(form).into())];
    let metadata = metadata.into_iter().chain([("source", source.to_owned())]);
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value)).collect();
    let options = WriterOptions::new().metadata(metadata);
    let failed = |error| match error {
        // Another process was quicker; what it made is checked as any file is.
        safeshards::Error::TargetExists { .. } if path.exists() => Ok(()),
        error => Err(wrong(format!("cannot be written: {}", chain(&error)))),
    };
    let mut writer = match ShardWriter::create_file(path, &specs, options) {
        Ok(writer) => writer,
        Err(error) => return failed(error),
    };
    // The last matrix, since all its parts come one after the other.
    let mut held: Option<(&str, Matrix<Vec<u8>>)> = None;
    while let Some(name) = writer.next_tensor().map(|spec| spec.name.clone()) {
        if let Some(bytes) = small.remove(&name) {
            if let Err(error) = writer.write_tensor(&name, &mut bytes.as_slice()) {
                return failed(error);
            }
            continue;
        }
        let Some((of, end)) = name.rsplit_once('.') else { continue };
        if held.as_ref().is_none_or(|(held, _)| *held != of) {
            held = None;
            let stored = matrices.iter().find(|(name, _)| name == of);
            if let Some((of, matrix)) = stored {
                held = repacked(of, matrix)?.map(|matrix| (of.as_str(), matrix));
            }
        }
        let matrix = held.iter().flat_map(|(_, matrix)| parts(matrix));
        let part = matrix.into_iter().find(|part| part.end == end);
        let written = writer.begin(&name).and_then(|()| match part.map(|part| part.content) {
            Some(Content::Rows(rows)) => {
                rows.pieces().iter().try_for_each(|piece| writer.write(piece))
            }
            // Its length is then wrong, which the writer says.
            _ => Ok(()),
        });
        if let Err(error) = written {
            return failed(error);
        }
    }
    writer.finish().map(drop).or_else(failed)
}

/// A tensor of the file.
struct Part<'a> {
    /// What its name has after that of the matrix.
    end: &'static str,
    dtype: DType,
    shape: Vec<usize>,
    content: Content<'a>,
}

enum Content<'a> {
    Rows(&'a Strips<Vec<u8>>),
    Small(Cow<'a, [u8]>),
}

fn parts(matrix: &Matrix<Vec<u8>>) -> Vec<Part<'_>> {
    let rows = |end, rows| {
        let shape = vec![Strips::rows(rows), rows.row_bytes()];
        Part { end, dtype: DType::U8, shape, content: Content::Rows(rows) }
    };
    let small =
        |end, dtype, shape, bytes| Part { end, dtype, shape, content: Content::Small(bytes) };
    if let Some(Int8Parts { codes, scales }) = matrix.int8_parts() {
        return vec![rows("codes", codes), rows("scales", scales)];
    }
    let Some(CodedParts { rows: coded, table, escapes, ends }) = matrix.coded_parts() else {
        return Vec::new();
    };
    let count = escapes.len() / 4;
    let end_bytes: Vec<u8> = ends.iter().flat_map(|end| end.to_le_bytes()).collect();
    vec![
        rows("rows", coded),
        small("table", DType::U8, vec![table.len()], table.as_slice().into()),
        small("escapes", DType::U8, vec![count, 4], escapes.as_slice().into()),
        small("ends", DType::U32, vec![ends.len()], end_bytes.into()),
    ]
}
