//! Writing a checkpoint from beginning to end.

use std::collections::HashSet;
use std::io::{self, Read, Write};

use crate::crc::{looks_like_trailer, trailer};
use crate::layout::Slices;
use crate::tensor_writer::TensorWriter;
use crate::tracked::Tracked;
use crate::wire::record_header;
use crate::{Dtype, Error, LayoutOptions, Place, Result, TensorSpec};

/// Bytes that [`Writer::write_from`] moves at once.
const COPY_LEN: usize = 1 << 20;

/// Writes a checkpoint to anything that takes bytes, one tensor after the other, holding none.
///
/// The bytes are those of MindSpore's own `save_checkpoint` for the same tensors. There is no
/// buffer inside; wrap what is slow for small writes into a [`BufWriter`](io::BufWriter). Nothing
/// is renamed or synced: that is for whoever owns the file.
///
/// A tensor must get exactly its bytes. If one does not, or is dropped unfinished, the writer
/// refuses everything after it, [`finish`](Self::finish) included.
///
/// ```
/// use std::io::Write;
/// use mindspore_ckpt::{Dtype, TensorSpec, Writer};
///
/// let mut writer = Writer::new(Vec::new());
/// let mut tensor = writer.tensor(TensorSpec::new("a", Dtype::Float32, [2])?)?;
/// tensor.write_all(&1_f32.to_le_bytes())?;
/// tensor.write_all(&1_f32.to_le_bytes())?;
/// tensor.finish()?;
/// writer.write_tensor(TensorSpec::new("b", Dtype::Int8, [3])?, &[1, 1, 1])?;
/// let (file, summary) = writer.finish()?;
/// assert_eq!((file.len(), summary.tensors), (48, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer<W: Write> {
    pub(crate) out: Tracked<W>,
    options: LayoutOptions,
    names: HashSet<String>,
    pub(crate) last: Option<TensorSpec>,
    /// The tensor that spoilt the file.
    pub(crate) broken: Option<String>,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Bytes of the file, checksum included.
    pub bytes: u64,
    /// Tensors in it.
    pub tensors: usize,
    /// The checksum at its end, if it was asked for.
    pub crc: Option<u32>,
}

impl<W: Write> Writer<W> {
    /// Writes in slices of 512 MiB, without a checksum: the form that every MindSpore reads.
    pub fn new(out: W) -> Self {
        Self::with_options(out, LayoutOptions::default())
    }

    /// Writes with other slices or with a checksum.
    pub fn with_options(out: W, options: LayoutOptions) -> Self {
        Self {
            out: Tracked::new(out, options.crc),
            options,
            names: HashSet::new(),
            last: None,
            broken: None,
        }
    }

    /// Begins a tensor, whose content is then written to what this returns.
    ///
    /// # Errors
    ///
    /// An invalid spec or a name that was there before (the writer stays usable), a failed write,
    /// or an earlier tensor that was not finished.
    pub fn tensor(&mut self, spec: TensorSpec) -> Result<TensorWriter<'_, W>> {
        self.check_whole()?;
        let slices = Slices::new(&spec, self.options.slice_bytes)?;
        if self.names.contains(&spec.name) {
            return Err(Error::DuplicateName { place: Place::tensor(&spec.name), first: None });
        }
        self.names.insert(spec.name.clone());
        // Until `TensorWriter::finish` says otherwise.
        self.broken = Some(spec.name.clone());
        TensorWriter::begin(self, spec, slices)
    }

    /// Writes a tensor whose bytes are in memory, little-endian, in row-major order.
    ///
    /// # Errors
    ///
    /// As [`tensor`](Self::tensor), and a `content` that is not exactly as long as the spec says,
    /// which leaves the writer usable.
    pub fn write_tensor(&mut self, spec: TensorSpec, content: &[u8]) -> Result<()> {
        let (expected, given) = (spec.validate()?, content.len() as u64);
        if given > expected {
            return Err(Error::TooMuchContent { tensor: spec.name, expected, given });
        }
        if given < expected {
            return Err(Error::TooLittleContent { tensor: spec.name, expected, given });
        }
        let mut tensor = self.tensor(spec)?;
        tensor.put(content)?;
        tensor.finish()
    }

    /// Writes a tensor from the next bytes of `content`, 1 MiB at a time.
    ///
    /// Exactly the bytes of the tensor are taken; what follows them is left unread.
    ///
    /// # Errors
    ///
    /// As [`tensor`](Self::tensor), a failed read, and a `content` that ends too early.
    pub fn write_from(&mut self, spec: TensorSpec, content: &mut impl Read) -> Result<()> {
        let mut tensor = self.tensor(spec)?;
        let mut left = tensor.remaining();
        let mut buffer = vec![0; COPY_LEN.min(usize::try_from(left).unwrap_or(COPY_LEN))];
        while left > 0 {
            let take = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            match content.read(&mut buffer[..take]) {
                Ok(0) => break,
                Ok(read) => {
                    tensor.put(&buffer[..read])?;
                    left -= read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("read the content", tensor.written())(error)),
            }
        }
        tensor.finish()
    }

    /// Writes text as MindSpore's `append_dict` does: a [`Dtype::Str`] entry.
    ///
    /// MindSpore strips NULs from the end when it loads it.
    ///
    /// # Errors
    ///
    /// As [`tensor`](Self::tensor).
    pub fn write_text(&mut self, name: impl Into<String>, text: &str) -> Result<()> {
        let mut content: Vec<u8> =
            text.chars().flat_map(|char| u32::from(char).to_le_bytes()).collect();
        if content.is_empty() {
            // numpy, which makes these bytes in MindSpore, has no text of no characters.
            content.extend([0; 4]);
        }
        let spec = TensorSpec::new(name, Dtype::Str, [content.len() as u64 / 4])?;
        self.write_tensor(spec, &content)
    }

    /// Ends the file: writes the checksum if it was asked for, flushes, and gives back what was
    /// written to.
    ///
    /// If a file without a checksum happens to end like one, an empty slice of the last tensor
    /// follows ([`Layout::closing_record`](crate::Layout::closing_record)).
    ///
    /// # Errors
    ///
    /// No tensors, an unfinished one, or a failed write.
    pub fn finish(mut self) -> Result<(W, Summary)> {
        self.check_whole()?;
        let Some(last) = &self.last else { return Err(Error::Empty { bytes: 0 }) };
        let crc = self.out.crc();
        let end = match crc {
            Some(crc) => trailer(crc).to_vec(),
            None if looks_like_trailer(&self.out.tail) => record_header(last, 0),
            None => Vec::new(),
        };
        let offset = self.out.bytes;
        self.out.write_all(&end).map_err(Error::io("write", offset))?;
        self.out.flush().map_err(Error::io("flush", self.out.bytes))?;
        let summary = Summary { bytes: self.out.bytes, tensors: self.names.len(), crc };
        Ok((self.out.inner, summary))
    }

    /// Bytes written so far.
    pub fn bytes_written(&self) -> u64 {
        self.out.bytes
    }

    fn check_whole(&self) -> Result<()> {
        match &self.broken {
            Some(tensor) => Err(Error::Unfinished { tensor: tensor.clone() }),
            None => Ok(()),
        }
    }
}
