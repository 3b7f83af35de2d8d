//! Weights on their way to the device, through two pieces of pinned memory.

use ascend_acl::rt::{Device, DeviceBuffer, HostBuffer, Stream, Transfer};
use rayon::prelude::*;

use crate::{Error, Result};

/// Bytes of a piece: a copy that long runs at the bus's full rate, and two are little memory.
const PIECE: usize = 32 << 20;

/// Fills one piece while the other one is copied.
#[derive(Debug)]
pub(super) struct Upload {
    device: Device,
    stream: Stream,
    pieces: [Option<Transfer<u8>>; 2],
    next: usize,
}

impl Upload {
    pub(super) fn new(device: &Device) -> ascend_acl::Result<Self> {
        Ok(Self {
            device: device.clone(),
            stream: Stream::new(device)?,
            pieces: [None, None],
            next: 0,
        })
    }

    /// Pinned memory of at least so many bytes that nothing is copied from any more.
    fn piece(&mut self, bytes: usize) -> ascend_acl::Result<HostBuffer<u8>> {
        let piece = self.pieces[self.next].take().map(Transfer::wait).transpose()?;
        match piece.filter(|piece| piece.len() >= bytes) {
            Some(piece) => Ok(piece),
            None => HostBuffer::new(&self.device, bytes),
        }
    }

    /// Memory of `rows` rows of `row_bytes` bytes, each of which `fill` writes. Rows are filled side by side.
    pub(super) fn rows(
        &mut self,
        rows: usize,
        row_bytes: usize,
        fill: impl Fn(usize, &mut [u8]) -> Result<()> + Sync,
    ) -> Result<DeviceBuffer<u8>> {
        let each = (PIECE / row_bytes.max(1)).clamp(1, rows.max(1));
        self.pieces(rows * row_bytes, each * row_bytes, |piece, bytes| {
            let first = piece * each;
            let rows = bytes.par_chunks_mut(row_bytes).enumerate();
            rows.try_for_each(|(row, bytes)| fill(first + row, bytes))
        })
    }

    /// Memory of so many bytes, in pieces that `fill` writes one after the other.
    pub(super) fn pieces(
        &mut self,
        bytes: usize,
        piece_bytes: usize,
        mut fill: impl FnMut(usize, &mut [u8]) -> Result<()>,
    ) -> Result<DeviceBuffer<u8>> {
        let failed = |source| Error::device("uploading weights")(source);
        let memory = DeviceBuffer::new(&self.device, bytes).map_err(failed)?;
        for (index, begin) in (0..bytes).step_by(piece_bytes.max(1)).enumerate() {
            let len = piece_bytes.min(bytes - begin);
            let mut piece = self.piece(piece_bytes.min(bytes)).map_err(failed)?;
            fill(index, &mut piece[..len])?;
            let to = memory.slice(begin..begin + len).map_err(failed)?;
            let transfer = self.stream.upload(piece, to).map_err(failed)?;
            self.pieces[self.next] = Some(transfer);
            self.next = 1 - self.next;
        }
        Ok(memory)
    }

    /// Waits for all copies.
    pub(super) fn finish(self) -> ascend_acl::Result<()> {
        self.stream.synchronise()
    }
}
