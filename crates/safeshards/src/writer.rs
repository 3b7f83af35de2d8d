//! A checkpoint written as a stream: headers from the plan, bodies as they come.

mod options;

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

pub use options::WriterOptions;

use crate::layout::check_names;
use crate::locate::Listing;
use crate::partial::{PartialFile, refuse_existing, sync_dir};
use crate::{
    Error, INDEX_FILE_NAME, Result, ShardIndex, ShardLayout, TensorSpec, plan_shards,
    shard_file_name,
};

/// How much [`ShardWriter::write_tensor`] holds of a body at a time.
const COPY_BUFFER: usize = 1024 * 1024;

/// What [`ShardWriter::finish`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The shards, in order.
    pub shards: Vec<PathBuf>,
    /// The index, where one was needed.
    pub index: Option<PathBuf>,
}

/// Writes a checkpoint of known tensors whose bytes come one after the other.
///
/// Memory does not grow with the checkpoint. Every file is written under a hidden temporary name in
/// the same directory; [`finish`](Self::finish) gives all of them their names, the index last.
/// Dropping an unfinished writer removes what it wrote.
///
/// Bodies come in the order of [`order`](Self::order): shard by shard, and within a shard in the
/// order of its [`ShardLayout`].
#[derive(Debug)]
pub struct ShardWriter {
    dir: PathBuf,
    /// The name of the only file, where the caller chose it.
    name: Option<OsString>,
    options: WriterOptions,
    specs: Vec<TensorSpec>,
    layouts: Vec<ShardLayout>,
    /// All bodies in the order of writing.
    bodies: Vec<Body>,
    /// How many of them have been begun; the last of these is open.
    begun: usize,
    /// Bytes of the open body that have been written.
    filled: u64,
    /// All files begun so far; the last is open.
    files: Vec<PartialFile>,
    failed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Body {
    spec: usize,
    shard: usize,
    len: u64,
}

impl ShardWriter {
    /// Plans the checkpoint in `dir`, which is created if need be.
    ///
    /// Shards take the tensors in the order of `specs`.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] and [`Error::LayoutTooLarge`] as [`ShardLayout::new`],
    /// [`Error::TargetExists`] when a file of the plan, or an index, is there and may not be
    /// overwritten, [`Error::Io`].
    pub fn create(
        dir: impl AsRef<Path>,
        specs: &[TensorSpec],
        options: WriterOptions,
    ) -> Result<Self> {
        Self::plan(dir.as_ref(), None, specs, options)
    }

    /// Plans one file of this name, in a directory that is created if need be. It is no checkpoint that has
    /// the directory for itself: other files there do not count, and no index is written.
    ///
    /// ```
    /// use safeshards::{Checkpoint, DType, ShardWriter, TensorSpec, WriterOptions};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("state.safetensors");
    /// let specs = [TensorSpec::new("x", DType::U8, [3])];
    /// let mut writer = ShardWriter::create_file(&path, &specs, WriterOptions::new())?;
    /// writer.write_tensor("x", &mut &[1, 2, 3][..])?;
    /// writer.finish()?;
    /// assert_eq!(Checkpoint::open(&path)?.tensor("x")?.bytes()?, [1, 2, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`create`](Self::create), and [`Error::NotAFile`] for a path without a file name.
    pub fn create_file(
        path: impl AsRef<Path>,
        specs: &[TensorSpec],
        options: WriterOptions,
    ) -> Result<Self> {
        let path = path.as_ref();
        let Some(name) = path.file_name() else {
            return Err(Error::NotAFile { path: path.to_owned() });
        };
        let dir = path.parent().unwrap_or(Path::new(""));
        Self::plan(dir, Some(name.to_owned()), specs, options.max_shard_size(None))
    }

    fn plan(
        dir: &Path,
        name: Option<OsString>,
        specs: &[TensorSpec],
        options: WriterOptions,
    ) -> Result<Self> {
        let dir = match dir {
            // As the parent of a bare file name; nothing can be listed or synced by this name.
            empty if empty.as_os_str().is_empty() => PathBuf::from("."),
            dir => dir.to_owned(),
        };
        check_names(specs)?;
        let lens = specs.iter().map(TensorSpec::byte_len).collect::<Result<Vec<_>>>()?;
        let ranges = plan_shards(&lens, options.max_shard_size);

        let (mut layouts, mut bodies) = (Vec::new(), Vec::with_capacity(specs.len()));
        for (shard, range) in ranges.into_iter().enumerate() {
            let first = range.start;
            let layout = ShardLayout::new(&specs[range], &options.metadata)?;
            bodies.extend(layout.entries().iter().map(|e| Body {
                spec: first + e.spec,
                shard,
                len: e.len,
            }));
            layouts.push(layout);
        }
        fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
        let writer = Self {
            dir,
            name,
            options,
            specs: specs.to_vec(),
            layouts,
            bodies,
            begun: 0,
            filled: 0,
            files: Vec::new(),
            failed: false,
        };
        if !writer.options.overwrite {
            // An old index would hide a new single file from every reader, so it counts, too.
            if writer.name.is_none() {
                refuse_existing(&writer.dir.join(INDEX_FILE_NAME))?;
            }
            (0..writer.layouts.len())
                .try_for_each(|shard| refuse_existing(&writer.target(shard)))?;
        }
        Ok(writer)
    }

    /// The tensors in the order in which their bodies must come.
    #[must_use]
    pub fn order(&self) -> impl ExactSizeIterator<Item = &TensorSpec> {
        self.bodies.iter().map(|body| &self.specs[body.spec])
    }

    /// The tensor whose turn it is to be begun; `None` when all have been.
    #[must_use]
    pub fn next_tensor(&self) -> Option<&TensorSpec> {
        self.bodies.get(self.begun).map(|body| &self.specs[body.spec])
    }

    /// The layouts of the shards, in order.
    #[must_use]
    pub fn layouts(&self) -> &[ShardLayout] {
        &self.layouts
    }

    /// Begins the body of the tensor whose turn it is.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] when it is another tensor's turn (nothing is lost then),
    /// [`Error::BodyLength`] when the body before it is not complete, [`Error::Io`].
    pub fn begin(&mut self, name: &str) -> Result<()> {
        self.guard(|writer| writer.body_is_complete())?;
        let Some(&body) =
            self.bodies.get(self.begun).filter(|body| self.specs[body.spec].name == name)
        else {
            return Err(Error::OutOfOrder {
                path: self.dir.clone(),
                tensor: name.to_owned(),
                expected: self.next_tensor().map(|spec| spec.name.clone()),
            });
        };
        self.guard(|writer| writer.open_shard(body.shard))?;
        self.begun += 1;
        self.filled = 0;
        Ok(())
    }

    /// Writes the next bytes of the begun body.
    ///
    /// # Errors
    /// [`Error::BodyLength`] when they are too many, [`Error::NotBegun`], [`Error::Io`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.guard(|writer| {
            let (Some(body), Some(file)) = (writer.open_body(), writer.files.last_mut()) else {
                return Err(Error::NotBegun { path: writer.dir.clone() });
            };
            let filled = writer.filled.saturating_add(bytes.len() as u64);
            if filled > body.len {
                return Err(writer.body_length(body, filled));
            }
            file.write(bytes)?;
            writer.filled = filled;
            Ok(())
        })
    }

    /// Writes the whole body of the tensor whose turn it is from a reader, which must end with it.
    ///
    /// # Errors
    /// Those of [`begin`](Self::begin) and [`write`](Self::write), [`Error::Body`] when the reader
    /// fails, [`Error::BodyLength`] when it gives too few or too many bytes.
    pub fn write_tensor(&mut self, name: &str, body: &mut impl Read) -> Result<()> {
        self.begin(name)?;
        let len = self.open_body().map_or(0, |body| body.len);
        // One byte more than there should be, so that a reader of too many is noticed.
        let mut buffer = vec![0; len.saturating_add(1).min(COPY_BUFFER as u64) as usize];
        loop {
            match body.read(&mut buffer) {
                Ok(0) => return self.guard(|writer| writer.body_is_complete()),
                // A reader that claims more than the buffer holds is broken; so is the body then.
                Ok(read) => self.write(&buffer[..read.min(buffer.len())])?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => {
                    self.failed = true;
                    let (tensor, offset) = (name.to_owned(), self.filled);
                    return Err(Error::Body { tensor, offset, source });
                }
            }
        }
    }

    /// Gives all files their names, the index last.
    ///
    /// An index is written for several shards, and for a single one when the directory holds other
    /// shards or an index, so that the directory opens as what was written. If one file cannot get
    /// its name, those before it lose theirs again, unless they may have replaced others.
    ///
    /// # Errors
    /// [`Error::BodyLength`] or [`Error::Unfinished`] when bodies are missing,
    /// [`Error::TargetExists`], [`Error::Io`]. Nothing has a final name then, except with
    /// `overwrite`, where some files may have been replaced and others not.
    pub fn finish(mut self) -> Result<Written> {
        self.guard(|writer| writer.body_is_complete())?;
        if let Some(missing) = self.next_tensor() {
            let (path, tensor) = (self.dir.clone(), missing.name.clone());
            return Err(Error::Unfinished { path, tensor });
        }
        self.open_shard(self.layouts.len().saturating_sub(1))?;
        self.close_last()?;
        if self.needs_index()? {
            let mut index = PartialFile::create(&self.dir.join(INDEX_FILE_NAME))?;
            index.write(self.index().to_json()?.as_bytes())?;
            index.close(self.options.sync)?;
            self.files.push(index);
        }
        self.publish()?;
        let mut paths: Vec<_> = self.files.iter().map(|file| file.target().to_owned()).collect();
        let index = paths.split_off(self.layouts.len()).pop();
        Ok(Written { shards: paths, index })
    }

    /// Runs one step; once a step has failed, no further one is tried.
    fn guard(&mut self, step: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.failed {
            return Err(Error::WriterFailed { path: self.dir.clone() });
        }
        self.failed = true;
        step(self)?;
        self.failed = false;
        Ok(())
    }

    fn open_body(&self) -> Option<Body> {
        self.begun.checked_sub(1).and_then(|last| self.bodies.get(last)).copied()
    }

    fn body_is_complete(&self) -> Result<()> {
        match self.open_body() {
            Some(body) if self.filled != body.len => Err(self.body_length(body, self.filled)),
            _ => Ok(()),
        }
    }

    fn body_length(&self, body: Body, actual: u64) -> Error {
        Error::BodyLength {
            path: self.target(body.shard),
            tensor: self.specs[body.spec].name.clone(),
            expected: body.len,
            actual,
        }
    }

    fn target(&self, shard: usize) -> PathBuf {
        match &self.name {
            Some(name) => self.dir.join(name),
            None => self.dir.join(shard_file_name(shard, self.layouts.len())),
        }
    }

    /// Opens all shards up to this one, closing those before it.
    fn open_shard(&mut self, shard: usize) -> Result<()> {
        while self.files.len() <= shard {
            self.close_last()?;
            let next = self.files.len();
            let mut file = PartialFile::create(&self.target(next))?;
            file.write(self.layouts[next].header())?;
            self.files.push(file);
        }
        Ok(())
    }

    fn close_last(&mut self) -> Result<()> {
        let sync = self.options.sync;
        self.files.last_mut().map_or(Ok(()), |file| file.close(sync))
    }

    fn needs_index(&self) -> Result<bool> {
        if self.name.is_some() {
            return Ok(false);
        }
        if self.layouts.len() > 1 {
            return Ok(true);
        }
        let listing = Listing::read(&self.dir)?;
        let target = self.target(0);
        Ok(!listing.indexes.is_empty() || listing.shards.iter().any(|shard| *shard != target))
    }

    fn index(&self) -> ShardIndex {
        let total: u64 = self.bodies.iter().map(|body| body.len).sum();
        let count = self.layouts.len();
        let file = |body: &Body| shard_file_name(body.shard, count);
        let entry = |body: &Body| (self.specs[body.spec].name.clone(), file(body));
        ShardIndex {
            metadata: [("total_size".to_owned(), total.into())].into_iter().collect(),
            weight_map: self.bodies.iter().map(entry).collect(),
        }
    }

    fn publish(&mut self) -> Result<()> {
        let WriterOptions { overwrite, sync, .. } = self.options;
        let published = self
            .files
            .iter_mut()
            .try_for_each(|file| file.publish(overwrite))
            .and_then(|()| if sync { sync_dir(&self.dir) } else { Ok(()) });
        // What replaced older files cannot be taken back without losing both.
        if published.is_err() && !overwrite {
            for file in &mut self.files {
                file.retract();
            }
        }
        published
    }
}
