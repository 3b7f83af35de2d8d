//! A model that can be run.

mod fingerprint;
mod forward;
mod observer;
mod workspace;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use moe_kernels::{Activations, Repack};

use crate::backend::{Backend, Cpu};
#[cfg(feature = "ascend")]
use crate::backend::{Npu, NpuOptions, Ranks};
use crate::weights::{LayerWeights, LinearWeights, Weights, repacked};
use crate::{Config, Error, LayerKind, Precision, Result};
use workspace::Workspace;

#[cfg(feature = "ascend")]
pub(crate) use forward::LOGITS_ROWS;
pub use forward::{Feed, Usage, Wanted};
pub use observer::{At, Observer};

/// How a model is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// How activations are rounded.
    pub precision: Precision,
    /// The form of the attention's projections and the head; as they are stored if `None`. Each is repacked
    /// when it is first used, into anonymous memory: for gpt-oss-20b 1.8 GB ([`Repack::Coded`], the same
    /// results to the bit) or 1.25 GB ([`Repack::Int8`]).
    pub dense: Option<Repack>,
    /// A file that keeps the weights in that form, for [`Model::open`]. If it is there, it is mapped, and its
    /// matrices take the place of the stored ones: nothing is repacked, and no anonymous memory is used. If it
    /// is not, all are repacked at once, one after the other, and written to it: for gpt-oss-20b 1.8 or 1.25 GB, in
    /// some ten seconds or more. It is never replaced: one that is damaged or of other weights is an error. Which weights
    /// it is of, a digest of sixteen rows of each matrix tells; its own weights are checked for their number only, as
    /// those of a model are. Results are the same to the bit with it and without.
    pub repack_file: Option<PathBuf>,
    /// How activations enter the experts' products where their weights are in MXFP4.
    /// [`Activations::Int8`] rounds them to eight bits, as other engines do: faster where the processor has
    /// no products of bf16, and less accurate.
    pub activations: Activations,
    /// Threads that compute; the number of cores if `None`.
    pub threads: Option<usize>,
    /// Tokens that go through the layers together; more of them need more memory (some 0.4 MB each for
    /// gpt-oss-20b) and read the weights less often. Results do not depend on it.
    pub chunk: usize,
    /// Reads every weight that can be one once (MXFP4 codes cannot, their scales can) and refuses NaN and
    /// infinities, by the tensor's name.
    pub check: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            precision: Precision::F32,
            dense: None,
            repack_file: None,
            activations: Activations::Exact,
            threads: None,
            chunk: 512,
            check: false,
        }
    }
}

/// A gpt-oss model on a backend.
///
/// ```
/// # let folder = testkit::Tiny::builder().build();
/// use moe_engine::{Model, Options};
///
/// let model = Model::open(folder.path(), &Options::default())?;
/// let mut session = model.session()?;
/// let logits = model.evaluate(&mut session, &[1, 2, 3])?;
/// assert_eq!(logits.len(), model.config().vocab);
/// # Ok::<(), moe_engine::Error>(())
/// ```
#[derive(Debug)]
pub struct Model<B: Backend = Cpu> {
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    pub(crate) backend: B,
    pub(crate) fingerprint: u64,
    precision: Precision,
    chunk: usize,
    embedding: B::Linear,
    layers: Vec<Layer<B>>,
    norm: B::Vector,
    head: B::Linear,
    /// Those that no call uses at the moment.
    workspaces: Mutex<Vec<Workspace<B>>>,
}

#[derive(Debug)]
struct Layer<B: Backend> {
    input_norm: B::Vector,
    qkv: B::Qkv,
    sinks: B::Vector,
    output: B::Linear,
    post_attention_norm: B::Vector,
    router: B::Linear,
    experts: B::Experts,
}

impl Model<Cpu> {
    /// Opens a checkpoint on the processor: a folder with its `config.json`, or a weights file or index
    /// beside one. See [`Weights::open`] for the forms. A folder that holds nothing but the release's
    /// `original/` is taken for that.
    ///
    /// Weights are mapped, not read: this takes milliseconds for small models and tenths of a second for
    /// gpt-oss-20b.
    ///
    /// # Errors
    /// [`Error::Config`] and [`Error::Tensors`] when it is no gpt-oss checkpoint, [`Error::WeightNotFinite`]
    /// if [`check`](Options::check) is set, [`Error::RepackFile`] for a
    /// [`repack_file`](Options::repack_file) that is not of this model or cannot be written, [`Error::Option`] for one
    /// without a [form](Options::dense), and what opening files can fail with.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let repack = match (options.dense, &options.repack_file) {
            (None, Some(_)) => {
                let reason = "is given without a form of dense weights to keep in it".to_owned();
                return Err(Error::Option { option: "repack_file", reason });
            }
            (form, file) => form.zip(file.as_deref()),
        };
        let (path, folder) = locate(path)?;
        let config = Config::open(&folder)?;
        let cpu = Cpu::new(&config, options.precision, options.threads)?;
        let cpu = cpu.with_dense(options.dense);
        let mut weights = cpu.run(|| Weights::open(&path, &config, options.check))?;
        // Sessions belong to the weights as they are stored.
        let fingerprint = fingerprint::fingerprint(&config, &weights, options, "")?;
        if let Some((form, file)) = repack {
            cpu.run(|| repacked::keep(&mut weights, form, file, &folder))?;
        }
        Self::assemble(path, config, weights, cpu, options, fingerprint)
    }
}

#[cfg(feature = "ascend")]
impl Model<Npu> {
    /// Opens a checkpoint on an Ascend NPU, in one of the forms that [`open`](Model::open) takes. Weights are streamed to the device
    /// through two pieces of pinned memory. With other ranks it gets a part of the experts.
    ///
    /// ```no_run
    /// use ascend_acl::Ascend;
    /// use moe_engine::backend::NpuOptions;
    /// use moe_engine::{Model, Options, Precision};
    ///
    /// let options = Options { precision: Precision::Bf16, ..Options::default() };
    /// let ascend = Ascend::load()?;
    /// let model = Model::open_npu("gpt-oss-20b", &ascend, &options, &NpuOptions::default(), None)?;
    /// println!("{}", model.backend().planned());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Npu::open`], of [`open`](Model::open), and what uploading fails with.
    pub fn open_npu(
        path: impl AsRef<Path>,
        ascend: &ascend_acl::Ascend,
        options: &Options,
        npu: &NpuOptions,
        ranks: Option<Ranks>,
    ) -> Result<Self> {
        let (path, folder) = locate(path)?;
        let config = Config::open(&folder)?;
        let weights = Weights::open(&path, &config, options.check)?;
        let backend = Npu::with_ranks(ascend, &config, &weights, options, npu, ranks)?;
        Self::with_backend(path, config, weights, backend, options)
    }
}

/// Where a checkpoint is that [`Model::open`] is given: the path itself, or its `original/` where all the rest was left out of the
/// download; and the folder of its `config.json`.
///
/// # Errors
/// [`Error::Io`] when there is nothing.
pub fn locate(path: impl AsRef<Path>) -> Result<(PathBuf, PathBuf)> {
    let path = path.as_ref();
    let original = path.join("original");
    let has = |folder: &Path| folder.join(crate::config::CONFIG).is_file();
    let path =
        if path.is_dir() && !has(path) && has(&original) { original } else { path.to_owned() };
    // Otherwise the first thing missed would be a file in it.
    path.metadata().map_err(Error::io("open", &path))?;
    let folder = if path.is_dir() { &*path } else { path.parent().unwrap_or(Path::new("")) };
    let folder = folder.to_owned();
    Ok((path, folder))
}

impl<B: Backend> Model<B> {
    /// A model of these weights on a backend; `path` is what errors call it.
    /// [`Options::repack_file`] has no part in it.
    ///
    /// # Errors
    /// When the device has no space, or [`Options::chunk`] is 0.
    pub fn with_backend(
        path: impl Into<PathBuf>,
        config: Config,
        weights: Weights,
        backend: B,
        options: &Options,
    ) -> Result<Self> {
        let form = backend.weight_form();
        let fingerprint = fingerprint::fingerprint(&config, &weights, options, form)?;
        Self::assemble(path.into(), config, weights, backend, options, fingerprint)
    }

    fn assemble(
        path: PathBuf,
        config: Config,
        weights: Weights,
        backend: B,
        options: &Options,
        fingerprint: u64,
    ) -> Result<Self> {
        if options.chunk == 0 {
            let reason = "is 0, expected at least one token".to_owned();
            return Err(Error::Option { option: "chunk", reason });
        }
        let device = backend.capabilities().device;
        tracing::info!(path = %path.display(), layers = weights.layers.len(), device, "opening");
        let bare = |weight| LinearWeights { weight, bias: None };
        let layers = weights.layers.into_iter().enumerate().map(|(index, mut layer)| {
            tracing::debug!(layer = index, "uploading");
            layer.experts = layer.experts.with_activations(options.activations);
            Layer::upload(&backend, layer)
        });
        Ok(Self {
            path,
            fingerprint,
            precision: options.precision,
            chunk: options.chunk,
            embedding: backend.upload_linear(bare(weights.embedding))?,
            layers: layers.collect::<Result<_>>()?,
            norm: backend.upload_vector(weights.norm)?,
            head: backend.upload_linear(weights.head)?,
            workspaces: Mutex::new(Vec::new()),
            config,
            backend,
        })
    }

    /// Where it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its sizes and constants.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where it is computed.
    #[must_use]
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// How activations are rounded.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Bytes that a session grows by with every token, once it is longer than the window: keys and values
    /// of the full layers. The sliding layers hold a fixed number of positions.
    #[must_use]
    pub fn kv_bytes_per_token(&self) -> u64 {
        let full = self.config.layers.iter().filter(|&&kind| kind == LayerKind::Full).count();
        self.kv_bytes_per_layer() * full as u64
    }

    /// Bytes of the keys and values of one token in one layer.
    pub(crate) fn kv_bytes_per_layer(&self) -> u64 {
        let dtype = self.precision.kv_dtype();
        2 * dtype.bytes_for(self.config.kv_width() as u64).unwrap_or_default()
    }

    /// Bytes that a session holds, those included that it shares with forks.
    #[must_use]
    pub fn kv_bytes(&self, session: &crate::Session<B>) -> u64 {
        self.backend.cache_bytes(&session.cache)
    }
}

impl<B: Backend> Layer<B> {
    fn upload(backend: &B, weights: LayerWeights) -> Result<Self> {
        Ok(Self {
            input_norm: backend.upload_vector(weights.input_norm)?,
            qkv: backend.upload_qkv([weights.query, weights.key, weights.value])?,
            sinks: backend.upload_sinks(weights.sinks)?,
            output: backend.upload_output(weights.output)?,
            post_attention_norm: backend.upload_vector(weights.post_attention_norm)?,
            router: backend.upload_linear(weights.router)?,
            experts: backend.upload_experts(weights.experts)?,
        })
    }
}
