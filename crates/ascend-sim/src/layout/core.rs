//! Where Cargo put the core.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CORE, LayoutError};

/// Finds the `cdylib` of this crate: the file that `ASCEND_SIM_LIBRARY` names, else the newest of those in the folder of the running
/// program, in the one above, and in `deps` of both, which is where Cargo puts libraries beside programs, tests and examples.
///
/// A program that depends on this crate has it built with itself.
pub fn find_library() -> Result<PathBuf, LayoutError> {
    if let Some(path) = std::env::var_os("ASCEND_SIM_LIBRARY") {
        return Ok(PathBuf::from(path));
    }
    let program = std::env::current_exe().unwrap_or_default();
    let searched = folders(&program);
    let newest = searched
        .iter()
        .map(|folder| folder.join(CORE))
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .max();
    newest.map(|(_, path)| path).ok_or(LayoutError::NoCore { name: CORE, searched })
}

fn folders(program: &Path) -> Vec<PathBuf> {
    let own = program.parent();
    let above = own.and_then(Path::parent);
    let both = own.into_iter().chain(above);
    both.flat_map(|folder| [folder.to_path_buf(), folder.join("deps")]).collect()
}
