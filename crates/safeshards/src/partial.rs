//! A file that has its final name only once it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

const BUFFER: usize = 256 * 1024;

/// A file under a temporary name beside its final one; dropping it removes it.
#[derive(Debug)]
pub(crate) struct PartialFile {
    target: PathBuf,
    temporary: PathBuf,
    /// `None` once closed.
    file: Option<BufWriter<File>>,
    published: bool,
}

impl PartialFile {
    /// Creates the temporary file: hidden, so that a crash leaves nothing that looks like a shard.
    pub(crate) fn create(target: &Path) -> Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);

        let name = target.file_name().unwrap_or_default().to_string_lossy();
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let temporary =
                target.with_file_name(format!(".{name}.{}-{number}.partial", process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(file) => {
                    let file = Some(BufWriter::with_capacity(BUFFER, file));
                    let target = target.to_owned();
                    return Ok(Self { target, temporary, file, published: false });
                }
                // Left behind by a process that had the same number.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", temporary)(error)),
            }
        }
    }

    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.file {
            Some(file) => file.write_all(bytes).map_err(Error::io("write to", &self.temporary)),
            None => Ok(()),
        }
    }

    /// Writes out what is buffered and, with `sync`, waits until it is on the disk.
    pub(crate) fn close(&mut self, sync: bool) -> Result<()> {
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        file.flush().map_err(Error::io("write to", &self.temporary))?;
        if sync {
            file.get_ref().sync_all().map_err(Error::io("sync", &self.temporary))?;
        }
        Ok(())
    }

    /// Gives the closed file its final name.
    pub(crate) fn publish(&mut self, overwrite: bool) -> Result<()> {
        if overwrite || !self.link()? {
            fs::rename(&self.temporary, &self.target)
                .map_err(Error::io("rename to", &self.target))?;
        }
        self.published = true;
        Ok(())
    }

    /// Gives the file its final name unless something has it; `false` when a rename is to do that.
    ///
    /// A link fails where a rename would replace, also when the target appears in between. Not every
    /// file system has links; there, looking first is the best there is.
    fn link(&self) -> Result<bool> {
        match fs::hard_link(&self.temporary, &self.target) {
            Ok(()) => {
                // A second name that cannot be removed is hidden and takes no room.
                let _ = fs::remove_file(&self.temporary);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(Error::TargetExists { path: self.target.clone() })
            }
            Err(_) => refuse_existing(&self.target).map(|()| false),
        }
    }

    /// Takes the final name back, after a file that belongs with this one could not be published.
    pub(crate) fn retract(&mut self) {
        if self.published {
            // The first failure is what the caller reports; there is nothing better to do here.
            let _ = fs::remove_file(&self.target);
        }
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // Not flushed: the bytes are about to be removed.
            drop(file.into_parts());
        }
        if !self.published {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// An error when anything, also a dangling link, has the name `target`.
pub(crate) fn refuse_existing(target: &Path) -> Result<()> {
    match fs::symlink_metadata(target) {
        Ok(_) => Err(Error::TargetExists { path: target.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("look for", target)(error)),
    }
}

/// Makes the renames in `dir` durable, where the system has a way to.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", dir))?;
    }
    Ok(())
}
