//! A conversion to disturb, and what to look at afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use ckpt_convert::{
    CancelToken, CkptSink, Error, Event, ExecOptions, Executor, FloatTarget, JOURNAL, Observer,
    Plan, PlanOptions, Policy, Report, Sink, Source, side_files,
};
use lowfloat::DType;
use tempfile::TempDir;
use testkit::{Tensor, Tensors};

/// What to convert, and how.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) weights: PathBuf,
    pub(crate) policy: Policy,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) plan: PlanOptions,
    pub(crate) exec: ExecOptions,
}

impl Job {
    /// bf16 to f32 in one `.ckpt`, in blocks of 64 KiB, progress made durable as often as can be.
    pub(crate) fn new(weights: impl Into<PathBuf>) -> Self {
        Self {
            weights: weights.into(),
            policy: Policy { floats: FloatTarget::To(DType::F32), ..Policy::default() },
            sink: Box::new(CkptSink::default()),
            plan: PlanOptions { stem: Some("model".to_owned()), ..PlanOptions::default() },
            exec: ExecOptions {
                threads: NonZero::new(2).unwrap(),
                memory: 1,
                checkpoint_bytes: 1,
                ..ExecOptions::default()
            },
        }
    }

    /// The same in parts of at most `bytes`.
    pub(crate) fn in_parts(self, bytes: u64) -> Self {
        Self { plan: PlanOptions { max_file_size: Some(bytes), ..self.plan }, ..self }
    }

    pub(crate) fn with_sink(self, sink: impl Sink + 'static) -> Self {
        Self { sink: Box::new(sink), ..self }
    }

    pub(crate) fn run(&self, out: &Path) -> Result<Report, Error> {
        self.run_as(out, |_| {}, &())
    }

    pub(crate) fn resume(&self, out: &Path) -> Result<Report, Error> {
        self.run_as(out, |options| options.resume = true, &())
    }

    pub(crate) fn overwrite(&self, out: &Path) -> Result<Report, Error> {
        self.run_as(out, |options| options.overwrite = true, &())
    }

    /// With other options than the job's own, watched.
    pub(crate) fn run_as(
        &self,
        out: &Path,
        change: impl FnOnce(&mut ExecOptions),
        observer: &dyn Observer,
    ) -> Result<Report, Error> {
        let mut options = self.exec.clone();
        change(&mut options);
        let source = Source::open(&self.weights)?;
        let plan = Plan::new(&source, &self.policy, self.sink.as_ref(), &self.plan)?;
        let side = |manifest: &_| side_files(&source, &self.policy, manifest);
        Executor::new(options).run(&plan, &source, out, side, observer)
    }

    /// Runs until something `happens` for the `nth` time, from 0 on.
    pub(crate) fn stop_at(
        &self,
        out: &Path,
        nth: usize,
        happens: fn(&Event<'_>) -> bool,
    ) -> Result<Report, Error> {
        let cancel = CancelToken::default();
        let stop = cancel.clone();
        let observer = On::new(nth, happens, move || stop.cancel());
        self.run_as(out, |options| options.cancel = cancel, &observer)
    }

    /// The undisturbed result.
    pub(crate) fn reference(&self) -> Files {
        let out = scratch();
        self.run(out.path()).unwrap();
        files(out.path())
    }

    /// As [`Job::stop_at`], where it must come to that.
    #[track_caller]
    pub(crate) fn interrupt(&self, out: &Path, nth: usize, happens: fn(&Event<'_>) -> bool) {
        let error = self.stop_at(out, nth, happens).expect_err("a run that was stopped");
        assert!(matches!(error, Error::Cancelled), "{error}");
    }
}

/// A folder in memory where there is such a thing: waiting for a disk hundreds of times is no test.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn any(_: &Event<'_>) -> bool {
    true
}

pub(crate) fn a_tensor(event: &Event<'_>) -> bool {
    matches!(event, Event::Tensor { .. })
}

pub(crate) fn an_end(event: &Event<'_>) -> bool {
    matches!(event, Event::Finished { .. })
}

/// Does something once, when something else happens for the n-th time.
pub(crate) struct On<F> {
    left: AtomicUsize,
    happens: fn(&Event<'_>) -> bool,
    act: F,
}

impl<F: Fn() + Sync> On<F> {
    pub(crate) fn new(nth: usize, happens: fn(&Event<'_>) -> bool, act: F) -> Self {
        Self { left: AtomicUsize::new(nth + 1), happens, act }
    }
}

impl<F> std::fmt::Debug for On<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "On({})", self.left.load(SeqCst))
    }
}

impl<F: Fn() + Sync> Observer for On<F> {
    fn on(&self, event: &Event<'_>) {
        let counts = (self.happens)(event);
        let last = |left| if counts && left > 0 { Some(left - 1) } else { None };
        if self.left.fetch_update(SeqCst, SeqCst, last) == Ok(1) {
            (self.act)();
        }
    }
}

/// Files by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What a folder holds, temporary files and the journal apart.
pub(crate) fn files(folder: &Path) -> Files {
    let mut files = everything(folder);
    files.retain(|name, _| !is_temporary(name));
    files
}

/// All that a folder holds.
pub(crate) fn everything(folder: &Path) -> Files {
    let Ok(entries) = fs::read_dir(folder) else { return Files::new() };
    let files = entries.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_file());
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    files.map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect()
}

fn is_temporary(name: &str) -> bool {
    name == JOURNAL || name.ends_with(".partial")
}

/// Compares without printing megabytes.
#[track_caller]
pub(crate) fn assert_files(actual: &Files, expected: &Files, what: &str) {
    assert_eq!(
        actual.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>(),
        "{what}: the files"
    );
    for (name, bytes) in expected {
        testkit::assert_bytes(&format!("{what}: {name}"), &actual[name], bytes);
    }
}

/// The result is there, and nothing else.
#[track_caller]
pub(crate) fn assert_done(out: &Path, expected: &Files, what: &str) {
    assert_files(&everything(out), expected, what);
}

/// Nothing has its final name.
#[track_caller]
pub(crate) fn assert_nothing_final(out: &Path, what: &str) {
    assert_files(&files(out), &Files::new(), what);
}

/// Six tensors, some of no bytes, across several blocks of 64 KiB.
pub(crate) fn small_weights(folder: &Path) -> PathBuf {
    let mut tensors = Tensors::new();
    for (index, (name, len)) in
        [("a", 30_000), ("b", 0), ("c", 17_000), ("d", 3), ("e", 40_001), ("f", 0)]
            .into_iter()
            .enumerate()
    {
        let values = (0..len as u32).map(|at| (at.wrapping_mul(0x9E37) >> 3) as u16 & 0x3FFF);
        let bytes = values.flat_map(|value| (value + index as u16).to_le_bytes()).collect();
        let shape = vec![len, 1];
        tensors.insert(name.to_owned(), Tensor { dtype: DType::BF16, shape, bytes });
    }
    fs::create_dir_all(folder).unwrap();
    testkit::safetensors::write(&folder.join("model.safetensors"), &tensors, None);
    fs::write(folder.join("tokenizer.json"), "{\"made\": \"up\"}\n").unwrap();
    folder.to_owned()
}
