//! Before the first byte: is there a place for the result, and what is there already?

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::Run;
use crate::folder::is_plain_name;
use crate::journal::{Progress, TensorDone};
use crate::manifest::MANIFEST;
use crate::source::SourceFile;
use crate::{Error, Result, Source};

/// The temporary name of an output file.
pub(super) fn partial(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.partial"))
}

/// Creates the output folder, unless a look at it says that the result cannot go there.
pub(super) fn check_output(run: &Run<'_>) -> Result<()> {
    let source = run.source;
    let output = resolve(run.folder)?;
    if let Some(input) = source.folder().filter(|_| source.root().is_dir()) {
        let input = input.canonicalize().map_err(Error::io("open", input))?;
        if output.starts_with(&input) {
            return Err(Error::OutputInsideInput { output, input });
        }
    }
    for input in input_files(source)? {
        let hits = |name: &str| output.join(name) == input || partial(&output, name) == input;
        let names = run.plan.files.iter().map(|file| &file.name).chain(&run.plan.index);
        if names.into_iter().any(|name| hits(name)) {
            return Err(Error::OutputInsideInput { output: input.clone(), input });
        }
    }
    fs::create_dir_all(run.folder).map_err(Error::io("create", run.folder))
}

/// The files that make up the source, an index that was named included: each where it lies, and
/// where it leads to if it is a link.
pub(super) fn input_files(source: &Source) -> Result<Vec<PathBuf>> {
    let index = Some(source.root()).filter(|root| root.is_file());
    let mut files = Vec::new();
    for path in source.files().iter().map(SourceFile::path).chain(index) {
        files.push(path.canonicalize().map_err(Error::io("open", path))?);
        if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            files.push(resolve(folder)?.join(name));
        }
    }
    Ok(files)
}

/// Is the place free, and is there space on the disk?
pub(super) fn check_room(run: &Run<'_>, progress: &Progress) -> Result<()> {
    let names = run.plan.files.iter().map(|file| file.name.as_str());
    let names = names.chain(run.plan.index.as_deref()).chain([MANIFEST]);
    if !progress.overwrite && progress.commit.is_none() {
        for name in names {
            let path = run.folder.join(name);
            if path.symlink_metadata().is_ok() {
                return Err(Error::OutputExists { path });
            }
        }
    }
    check_space(run, progress)
}

/// Removes what an interrupted run left that is not gone on with.
pub(super) fn remove_forgotten(run: &Run<'_>, files: &[String]) -> Result<()> {
    for name in files.iter().filter(|name| is_plain_name(name)) {
        let path = partial(run.folder, name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The path with links and `..` resolved; what does not exist yet is taken for folders to be made.
fn resolve(folder: &Path) -> Result<PathBuf> {
    let whole = std::path::absolute(folder).map_err(Error::io("resolve", folder))?;
    let mut resolved = PathBuf::new();
    for component in whole.components() {
        match component {
            Component::ParentDir => {
                resolved.pop();
            }
            other => {
                resolved.push(other);
                if let Ok(canonical) = resolved.canonicalize() {
                    resolved = canonical;
                }
            }
        }
    }
    Ok(resolved)
}

/// A full disk is better found now than after an hour.
#[cfg(unix)]
fn check_space(run: &Run<'_>, progress: &Progress) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let Ok(space) = rustix::fs::statvfs(run.folder) else { return Ok(()) };
    let available = space.f_bavail.saturating_mul(space.f_frsize);
    // An interrupted run has claimed its space; a file to be replaced keeps its own.
    let claimed = |path: PathBuf| fs::metadata(path).ok().map(|metadata| 512 * metadata.blocks());
    let needed: u64 = run
        .plan
        .files
        .iter()
        .enumerate()
        .map(|(index, file)| {
            let named = || progress.commit.as_ref().and_then(|_| claimed(run.complete(index)));
            file.bytes.saturating_sub(claimed(run.partial(index)).or_else(named).unwrap_or(0))
        })
        .sum();
    if needed > available {
        return Err(Error::NoSpace { path: run.folder.to_owned(), needed, available });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_space(_: &Run<'_>, _: &Progress) -> Result<()> {
    Ok(())
}

/// What an earlier run has done of a file: the tensors from its start on, and whether it is
/// complete.
pub(super) fn earlier(run: &Run<'_>, index: usize, progress: &Progress) -> (Vec<TensorDone>, bool) {
    let file = &run.plan.files[index];
    // Of several lines about a tensor the last one holds.
    let lines: HashMap<_, _> = progress.tensors.iter().map(|done| (done.tensor, done)).collect();
    let done: Vec<_> = file
        .tensors
        .clone()
        .map_while(|tensor| lines.get(&tensor).copied().cloned())
        .take_while(|done| {
            let last = file.layout.last_of(done.tensor);
            last.is_some_and(|(_, last)| last.end() == done.end)
        })
        .collect();
    let len = |path: PathBuf| fs::metadata(path).ok().map(|metadata| metadata.len());
    let whole = done.len() == file.tensors.len() && progress.files.contains(&index);
    if whole {
        // Before the commit a file of the final name is that of an older result.
        let named = || progress.commit.as_ref().and_then(|_| len(run.complete(index)));
        let there = len(run.partial(index)).or_else(named);
        if there == Some(file.bytes) {
            return (done, true);
        }
    }
    // What the journal speaks of must be in the file, or the file starts anew.
    let reaches = len(run.partial(index)).unwrap_or(0);
    let there = done.iter().all(|done| done.end <= reaches);
    (if there { done } else { Vec::new() }, false)
}
