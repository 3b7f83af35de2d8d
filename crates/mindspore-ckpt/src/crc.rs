//! The checksum that MindSpore 2.3.0 and later can keep at the end of a file.

use crate::{Error, Result, Source};

/// Bytes of a trailer.
pub const TRAILER_LEN: usize = 17;

/// What a trailer begins with.
pub(crate) const MAGIC: &[u8; 7] = b"crc_num";

/// Bytes read at once when a whole file is summed: large enough for the disk, small enough for
/// the second-level cache.
const READ_LEN: usize = 1 << 20;

/// The 17 bytes that end a file with a checksum: `crc_num` and the CRC-32 (the one of zlib) of all
/// bytes before it, as ten bytes, big-endian.
///
/// MindSpore before 2.3.0 cannot read a file that has one.
///
/// ```
/// assert_eq!(&mindspore_ckpt::trailer(0xdbf0_7481), b"crc_num\0\0\0\0\0\0\xdb\xf0\x74\x81");
/// ```
#[must_use]
pub fn trailer(crc: u32) -> [u8; TRAILER_LEN] {
    let mut trailer = [0; TRAILER_LEN];
    trailer[..7].copy_from_slice(MAGIC);
    trailer[13..].copy_from_slice(&crc.to_be_bytes());
    trailer
}

/// Whether MindSpore 2.3.0 and later would take the end of a file for a checksum.
///
/// `tail` is the last 17 bytes or more. A body that happens to end so loses its last 17 bytes
/// when it is loaded, so such a body must not be left as it is: [`Writer`](crate::Writer) appends
/// [`Layout::closing_record`](crate::Layout::closing_record), and so should whoever writes from a
/// [`Layout`](crate::Layout).
///
/// ```
/// use mindspore_ckpt::{looks_like_trailer, trailer};
///
/// assert!(looks_like_trailer(&trailer(7)));
/// assert!(!looks_like_trailer(b"crc_num"));
/// ```
#[must_use]
pub fn looks_like_trailer(tail: &[u8]) -> bool {
    tail.last_chunk::<TRAILER_LEN>().is_some_and(|tail| tail.starts_with(MAGIC))
}

/// A trailer as it stands in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trailer {
    /// Where it begins.
    pub(crate) offset: u64,
    /// The number; `None` where it has more than 32 bits.
    pub(crate) crc: Option<u32>,
}

impl Trailer {
    /// The trailer at the end of `size` bytes, if there is one.
    pub(crate) fn read<S: Source + ?Sized>(source: &S, size: u64) -> Result<Option<Self>> {
        let Some(offset) = size.checked_sub(TRAILER_LEN as u64) else { return Ok(None) };
        let mut tail = [0; TRAILER_LEN];
        source.read_exact_at(&mut tail, offset).map_err(Error::io("read", offset))?;
        if !looks_like_trailer(&tail) {
            return Ok(None);
        }
        let [.., a, b, c, d] = tail;
        let fits = tail[7..13].iter().all(|&byte| byte == 0);
        Ok(Some(Self { offset, crc: fits.then(|| u32::from_be_bytes([a, b, c, d])) }))
    }
}

/// The CRC-32 of the first `len` bytes, read in order.
pub(crate) fn checksum<S: Source + ?Sized>(source: &S, len: u64) -> Result<u32> {
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; READ_LEN.min(usize::try_from(len).unwrap_or(READ_LEN))];
    let mut offset = 0;
    while offset < len {
        let take = buffer.len().min(usize::try_from(len - offset).unwrap_or(usize::MAX));
        let part = &mut buffer[..take];
        source.read_exact_at(part, offset).map_err(Error::io("read", offset))?;
        hasher.update(part);
        offset += take as u64;
    }
    Ok(hasher.finalize())
}
