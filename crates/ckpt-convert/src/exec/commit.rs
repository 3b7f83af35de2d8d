//! Giving the files their names.

use std::fs;
use std::io::Write;

use super::{Run, SideFile, prepare};
use crate::folder::is_plain_name;
use crate::io::{anew, sync_folder};
use crate::journal::{Journal, Line, Progress};
use crate::manifest::{MANIFEST, Manifest};
use crate::{Error, Result};

/// Names and contents, in the order of their renaming.
type SmallFiles<'a> = Vec<(&'a str, Vec<u8>)>;

/// Writes the small files under temporary names, then renames everything: what points at other
/// files comes after them, the index last, so that whoever opens it finds everything.
///
/// Whatever can fail for want of space or for something in the way does so before the first
/// rename; after it, a resumed run goes on here.
pub(super) fn commit(
    run: &Run<'_>,
    manifest: &Manifest,
    side_files: &[SideFile],
    journal: &mut Journal,
    progress: Progress,
) -> Result<()> {
    let small = small_files(run, manifest, side_files);
    if !progress.overwrite && progress.commit.is_none() {
        check_vacant(run, &small)?;
    }
    for (name, bytes) in &small {
        write_small(run, name, bytes)?;
    }
    let stale = match progress.commit {
        Some(stale) => stale,
        None if progress.overwrite => stale(run, &small)?,
        None => Vec::new(),
    };
    journal.record(&[Line::Commit { stale: stale.clone() }])?;
    for index in 0..run.plan.files.len() {
        let (from, to) = (run.partial(index), run.complete(index));
        if from.exists() {
            fs::rename(&from, &to).map_err(Error::io("rename", &from))?;
            tracing::debug!(file = %to.display(), "complete");
        }
    }
    sync_folder(run.folder)?;
    for (name, _) in &small {
        let partial = prepare::partial(run.folder, name);
        let renamed = fs::rename(&partial, run.folder.join(name));
        renamed.map_err(Error::io("rename", &partial))?;
    }
    for name in &stale {
        let path = run.folder.join(name);
        if is_plain_name(name) && path.is_file() {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    sync_folder(run.folder)
}

fn small_files<'a>(
    run: &'a Run<'_>,
    manifest: &Manifest,
    side_files: &'a [SideFile],
) -> SmallFiles<'a> {
    let sides = side_files.iter().map(|file| (file.name.as_str(), file.bytes.clone()));
    let index = run.plan.index.as_deref().map(|index| (index, pretty(&index_of(manifest))));
    sides.chain([(MANIFEST, pretty(manifest))]).chain(index).collect()
}

fn index_of(manifest: &Manifest) -> serde_json::Value {
    let total: u64 = manifest.tensors.iter().map(|tensor| tensor.bytes).sum();
    let map: serde_json::Map<_, _> = manifest
        .tensors
        .iter()
        .map(|tensor| (tensor.name.clone(), tensor.file.clone().into()))
        .collect();
    serde_json::json!({ "metadata": { "total_size": total }, "weight_map": map })
}

fn pretty(value: &impl serde::Serialize) -> Vec<u8> {
    // Serialising a tree of strings and numbers into memory cannot fail.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Without leave to overwrite only files of the very same content may be there.
fn check_vacant(run: &Run<'_>, small: &SmallFiles<'_>) -> Result<()> {
    let there = |name: &str| {
        let path = run.folder.join(name);
        path.symlink_metadata().is_ok().then_some(path)
    };
    let mut weights = run.plan.files.iter().filter_map(|file| there(&file.name));
    let mut other = small.iter().filter_map(|(name, bytes)| {
        there(name).filter(|path| fs::read(path).ok().as_ref() != Some(bytes))
    });
    match weights.next().or_else(|| other.next()) {
        Some(path) => Err(Error::OutputExists { path }),
        None => Ok(()),
    }
}

fn write_small(run: &Run<'_>, name: &str, bytes: &[u8]) -> Result<()> {
    let partial = prepare::partial(run.folder, name);
    let write = anew(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    write.map_err(Error::io("write", &partial))
}

/// Files of the result that is replaced which nothing points at afterwards. The source is none of
/// them, even where it is that result.
fn stale(run: &Run<'_>, small: &SmallFiles<'_>) -> Result<Vec<String>> {
    let Ok(replaced) = Manifest::read(run.folder.join(MANIFEST)) else { return Ok(Vec::new()) };
    let inputs = prepare::input_files(run.source)?;
    let kept = |name: &str| {
        let path = run.folder.join(name);
        run.plan.files.iter().any(|file| file.name == name)
            || small.iter().any(|(small, _)| *small == name)
            || path.canonicalize().is_ok_and(|path| inputs.contains(&path))
    };
    let names = replaced.files.into_iter().map(|file| file.name).chain(replaced.index);
    Ok(names.filter(|name| is_plain_name(name) && !kept(name)).collect())
}
