//! Bytes between disk and memory, past the page cache where the file system allows it.
//!
//! A conversion touches every byte once. Through the page cache that costs a copy, evicts what
//! other programs use, and leaves so little *free* memory that MindSpore 2.10 refuses to load the
//! result. Direct I/O avoids all three; where it is refused, buffered I/O with early write-back
//! takes its place.

mod aligned;
mod read;
mod write;

pub(crate) use aligned::{ALIGNMENT, AlignedBuf};
pub(crate) use read::{FileReader, ReadWindow};
pub(crate) use write::{FileWriter, anew, sync_folder};

use std::fs::{File, OpenOptions};
use std::io;

/// Adds `O_DIRECT` where there is such a thing.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn direct(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(rustix::fs::OFlags::DIRECT.bits().cast_signed())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn direct(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

const HAS_DIRECT: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Reads until `dst` is full or the file ends; returns the bytes read.
fn read_full_at(file: &File, mut dst: &mut [u8], mut offset: u64) -> io::Result<usize> {
    let mut total = 0;
    while !dst.is_empty() {
        match read_some_at(file, dst, offset) {
            Ok(0) => break,
            Ok(count) => {
                total += count;
                offset += count as u64;
                dst = &mut dst[count..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

fn write_full_at(file: &File, mut src: &[u8], mut offset: u64) -> io::Result<()> {
    while !src.is_empty() {
        match write_some_at(file, src, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                offset += count as u64;
                src = &src[count..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(unix)]
fn read_some_at(file: &File, dst: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, dst, offset)
}

#[cfg(unix)]
fn write_some_at(file: &File, src: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, src, offset)
}

#[cfg(windows)]
fn read_some_at(file: &File, dst: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, dst, offset)
}

#[cfg(windows)]
fn write_some_at(file: &File, src: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, src, offset)
}
