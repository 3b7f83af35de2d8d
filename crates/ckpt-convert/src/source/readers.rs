//! The files that are open for reading: some of them, however many parts a checkpoint has.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Result;
use crate::io::FileReader;

/// Readers kept open. Each has up to two descriptors, of which a process gets 1,024 by default,
/// 256 on macOS; a thread reads few files at a time.
const KEPT: usize = 32;

/// A file of any source, told from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId(u64);

impl FileId {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Relaxed))
    }
}

/// The files read last, open for the next read. Several sources can share them.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    /// The one used last is at the end.
    open: Mutex<Vec<(FileId, Arc<FileReader>)>>,
}

impl Readers {
    /// A reader of this file; whoever has been unused for longest is closed for it.
    pub(crate) fn get(&self, id: FileId, path: &Path) -> Result<Arc<FileReader>> {
        if let Some(reader) = take(&mut self.lock(), id) {
            return Ok(reader);
        }
        // Not under the lock: on a network this takes its time.
        let reader = Arc::new(FileReader::open(path)?);
        let mut open = self.lock();
        if let Some(earlier) = take(&mut open, id) {
            return Ok(earlier);
        }
        if open.len() >= KEPT {
            open.remove(0);
        }
        open.push((id, Arc::clone(&reader)));
        Ok(reader)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(FileId, Arc<FileReader>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reader of this file, moved to the end.
fn take(open: &mut [(FileId, Arc<FileReader>)], id: FileId) -> Option<Arc<FileReader>> {
    let at = open.iter().rposition(|(other, _)| *other == id)?;
    open[at..].rotate_left(1);
    open.last().map(|(_, reader)| Arc::clone(reader))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_used_last_stay_open() {
        let folder = tempfile::tempdir().unwrap();
        let readers = Readers::default();
        let files: Vec<_> = (0..=KEPT)
            .map(|part| {
                let path = folder.path().join(part.to_string());
                std::fs::write(&path, [0]).unwrap();
                (FileId::new(), path)
            })
            .collect();
        let get = |at: usize| readers.get(files[at].0, &files[at].1).unwrap();
        let first = get(0);
        for at in 1..KEPT {
            get(at);
        }
        assert!(Arc::ptr_eq(&first, &get(0)));
        let second = get(1);
        // The next one takes the place of file 2.
        get(KEPT);
        assert_eq!(readers.lock().len(), KEPT);
        assert!(Arc::ptr_eq(&first, &get(0)) && Arc::ptr_eq(&second, &get(1)));
        assert!(readers.lock().iter().all(|(id, _)| *id != files[2].0));
    }
}
