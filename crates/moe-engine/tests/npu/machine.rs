//! The simulator of this process, and models on it.

use std::env;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use ascend_acl::Ascend;
use moe_engine::backend::{Npu, NpuOptions};
use moe_engine::{Model, Options, Precision};

/// The libraries of the layout that this test program is for; laid out once. A child process is told where
/// they are by `ASCEND_ACL_PATH`.
pub(crate) fn ascend() -> Ascend {
    static LOADED: OnceLock<Ascend> = OnceLock::new();
    *LOADED.get_or_init(|| {
        if env::var_os("ASCEND_ACL_PATH").is_some() {
            return Ascend::load().unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let libraries = ascend_sim::layout::lay_out(folder.path(), crate::CANN).unwrap();
        Ascend::load_from(libraries).unwrap()
    })
}

static TURN: Mutex<()> = Mutex::new(());

/// Models are tested one after the other: streams have threads, memory is simulated in memory, and counters are those of the
/// process.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// At bf16, with chunks of so many tokens.
pub(crate) fn options(chunk: usize) -> Options {
    Options { precision: Precision::Bf16, chunk, ..Options::default() }
}

/// Room for a few sequences of a test.
pub(crate) fn small() -> NpuOptions {
    room(2048, 8)
}

/// Room for so many positions and sequences.
pub(crate) fn room(positions: usize, sequences: usize) -> NpuOptions {
    let mut options = NpuOptions::default();
    (options.kv_positions, options.sequences) = (Some(positions), sequences);
    options
}

/// The same without graphs.
pub(crate) fn eager(mut options: NpuOptions) -> NpuOptions {
    options.graphs = false;
    options
}

pub(crate) fn open(path: &Path, chunk: usize, npu: &NpuOptions) -> Model<Npu> {
    Model::open_npu(path, &ascend(), &options(chunk), npu, None).unwrap()
}
