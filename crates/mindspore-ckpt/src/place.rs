//! Where in a file something is.

use std::fmt;

/// Where a fault was found: as much of byte, record and tensor as is known.
///
/// Shows as `tensor "model.norm.weight", record 4, byte 1234`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Place {
    /// Byte in the file, counted from 0; `None` where no file is read.
    pub offset: Option<u64>,
    /// Record in the file, counted from 0.
    pub record: Option<u64>,
    /// Name of the tensor, once it is known.
    pub tensor: Option<String>,
}

impl Place {
    /// A tensor that is not in a file yet.
    pub(crate) fn tensor(name: &str) -> Self {
        Self { offset: None, record: None, tensor: Some(name.to_owned()) }
    }

    /// A byte outside any record.
    pub(crate) fn byte(offset: u64) -> Self {
        Self { offset: Some(offset), record: None, tensor: None }
    }

    /// The same record and tensor, at another byte.
    pub(crate) fn at(&self, offset: u64) -> Self {
        Self { offset: Some(offset), ..self.clone() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(tensor) = &self.tensor {
            write!(f, "tensor {tensor:?}")?;
            separator = ", ";
        }
        if let Some(record) = self.record {
            write!(f, "{separator}record {record}")?;
            separator = ", ";
        }
        match self.offset {
            Some(offset) => write!(f, "{separator}byte {offset}"),
            None if separator.is_empty() => f.write_str("unknown place"),
            None => Ok(()),
        }
    }
}
