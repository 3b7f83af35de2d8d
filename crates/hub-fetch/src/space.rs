//! Room on the disk.

use std::path::Path;

/// Bytes that an unprivileged user can still write into the file system of a folder, where it tells.
pub(crate) fn available(folder: &Path) -> Option<u64> {
    // A folder that is not made yet will be made on the file system of the one above it.
    let there = folder.ancestors().find(|folder| folder.is_dir());
    free(there.unwrap_or_else(|| Path::new(".")))
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(folder).ok()?;
    // Some network file systems say that they have no blocks at all.
    (space.f_blocks > 0).then(|| space.f_bavail.saturating_mul(space.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}
