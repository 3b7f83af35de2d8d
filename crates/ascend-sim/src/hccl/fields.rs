//! How messages are written: a length, then fields in little endian.

use std::io::{self, Read, Write};

use super::problem::{Code, Problem};

/// A message that can be written and read.
pub(super) trait Message: Sized {
    fn put(&self, fields: &mut Fields);
    fn take(fields: &mut &[u8]) -> Option<Self>;

    /// Writes it whole.
    fn send(&self, to: &mut impl Write) -> io::Result<()> {
        let mut fields = Fields(vec![0; 8]);
        self.put(&mut fields);
        let length = fields.0.len() as u64 - 8;
        fields.0[..8].copy_from_slice(&length.to_le_bytes());
        to.write_all(&fields.0)
    }

    /// Reads one; the end of the stream is an error.
    fn receive(from: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; 8];
        from.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let mut bytes = Vec::new();
        // Not allocated at once: a length is believed as far as bytes follow.
        from.take(length).read_to_end(&mut bytes)?;
        let wrong =
            || io::Error::new(io::ErrorKind::InvalidData, "not a message of this communicator");
        if (bytes.len() as u64) < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Self::take(&mut bytes.as_slice()).ok_or_else(wrong)
    }
}

/// Fields, one after the other.
#[derive(Debug)]
pub(super) struct Fields(Vec<u8>);

impl Fields {
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn int(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn word(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn words(&mut self, values: &[u64]) {
        self.word(values.len() as u64);
        for value in values {
            self.word(*value);
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn problem(&mut self, problem: &Problem) {
        self.int(problem.code as u32);
        self.bytes(problem.message.as_bytes());
    }
}

pub(super) fn array<const N: usize>(fields: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = fields.split_first_chunk()?;
    *fields = rest;
    Some(*array)
}

pub(super) fn int(fields: &mut &[u8]) -> Option<u32> {
    array(fields).map(u32::from_le_bytes)
}

pub(super) fn word(fields: &mut &[u8]) -> Option<u64> {
    array(fields).map(u64::from_le_bytes)
}

pub(super) fn words(fields: &mut &[u8]) -> Option<Vec<u64>> {
    let count = word(fields)?;
    (0..count).map(|_| word(fields)).collect()
}

pub(super) fn bytes(fields: &mut &[u8]) -> Option<Vec<u8>> {
    let length = word(fields)? as usize;
    let (bytes, rest) = fields.split_at_checked(length)?;
    *fields = rest;
    Some(bytes.to_vec())
}

pub(super) fn problem(fields: &mut &[u8]) -> Option<Problem> {
    let code = Code::of(int(fields)?);
    Some(Problem::new(code, String::from_utf8_lossy(&bytes(fields)?)))
}
