//! The feed-forward half of a layer.

mod forward;
mod groups;
mod panels;
mod scratch;
mod swiglu;

pub use scratch::ExpertsScratch;
pub use swiglu::Swiglu;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::view::{check_len, check_shape, slice, slice_mut};
use crate::{Activations, Error, Matrix, Result, Rounding, Routing};

/// One projection of all experts.
#[derive(Clone, Debug)]
pub enum ExpertMatrix<B> {
    /// `[experts · out, in]`: a row is what one output needs. The layout of MXFP4 checkpoints.
    RowsOut(Matrix<B>),
    /// `[experts · in, out]`: a row is what one input adds. The layout of dense checkpoints that
    /// transformers writes.
    RowsIn(Matrix<B>),
}

impl<B: AsRef<[u8]>> ExpertMatrix<B> {
    /// The weights.
    #[must_use]
    pub const fn matrix(&self) -> &Matrix<B> {
        match self {
            Self::RowsOut(matrix) | Self::RowsIn(matrix) => matrix,
        }
    }

    fn with_activations(self, activations: Activations) -> Self {
        match self {
            Self::RowsOut(matrix) => Self::RowsOut(matrix.with_activations(activations)),
            Self::RowsIn(matrix) => Self::RowsIn(matrix.with_activations(activations)),
        }
    }

    fn check(
        &self,
        argument: &'static str,
        count: usize,
        inputs: usize,
        outputs: usize,
    ) -> Result<()> {
        let (each, cols) = match self {
            Self::RowsOut(_) => (outputs, inputs),
            Self::RowsIn(_) => (inputs, outputs),
        };
        let matrix = self.matrix();
        let expected = [count.saturating_mul(each), cols];
        check_shape(argument, expected, (matrix.rows(), matrix.cols()))
    }
}

/// The experts of a layer.
///
/// ```
/// use lowfloat::DType;
/// use moe_kernels::{
///     ExpertMatrix, Experts, ExpertsScratch, Matrix, Rounding, Routing, Strips, Swiglu,
/// };
/// use ndarray::{Array2, array};
///
/// // Two experts, hidden size 1, intermediate size 1: gate = x, up = x, then times 2 and times 4.
/// let f32s = |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
/// let column = |values: &[f32]| {
///     Matrix::dense(DType::F32, 1, Strips::new(4, vec![f32s(values)])?).map(ExpertMatrix::RowsOut)
/// };
/// let experts = Experts::new(
///     2,
///     column(&[1.0, 1.0, 1.0, 1.0])?,
///     vec![0.0; 4],
///     column(&[2.0, 4.0])?,
///     vec![0.0, 10.0],
///     Swiglu { alpha: 0.0, limit: 7.0 }, // sigmoid(0) = ½
/// )?;
/// let routing = Routing { experts: array![[1, 0]], weights: array![[0.75, 0.25]] };
/// let mut y = Array2::zeros((1, 1));
/// let mut scratch = ExpertsScratch::default();
/// let x = array![[3.0]]; // activation: 3 · ½ · (3 + 1) = 6
/// experts.forward(x.view(), &routing, Rounding::None, &mut scratch, y.view_mut())?;
/// assert_eq!(y, array![[0.75 * 34.0 + 0.25 * 12.0]]);
/// # Ok::<(), moe_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Experts<B> {
    count: usize,
    hidden: usize,
    intermediate: usize,
    gate_up: ExpertMatrix<B>,
    gate_up_bias: Vec<f32>,
    down: ExpertMatrix<B>,
    down_bias: Vec<f32>,
    swiglu: Swiglu,
}

impl<B: AsRef<[u8]> + Sync> Experts<B> {
    /// `count` experts of hidden size `H` and intermediate size `I`.
    ///
    /// `gate_up` has `H` inputs and `2·I` outputs, gates at even and ups at odd places, and so
    /// has its bias, `[count, 2·I]`. `down` has `I` inputs and `H` outputs; `down_bias` is
    /// `[count, H]`. `H` and `I` follow from the biases.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] where a bias is not made of whole rows or there is nothing,
    /// [`Error::Shape`] where a matrix does not fit.
    pub fn new(
        count: usize,
        gate_up: ExpertMatrix<B>,
        gate_up_bias: Vec<f32>,
        down: ExpertMatrix<B>,
        down_bias: Vec<f32>,
        swiglu: Swiglu,
    ) -> Result<Self> {
        let each = |argument, expected, of: usize, len: usize| match len.checked_div(of) {
            Some(each) if each > 0 && each * of == len => Ok(each),
            _ => Err(Error::Count { argument, expected, found: len }),
        };
        let expected = "a pair or more for every expert";
        let pairs = count.saturating_mul(2);
        let intermediate = each("bias of gate_up", expected, pairs, gate_up_bias.len())?;
        let expected = "one or more for every expert";
        let hidden = each("bias of down", expected, count, down_bias.len())?;
        gate_up.check("weights of gate_up", count, hidden, 2 * intermediate)?;
        down.check("weights of down", count, intermediate, hidden)?;
        Ok(Self { count, hidden, intermediate, gate_up, gate_up_bias, down, down_bias, swiglu })
    }

    /// How activations enter the products of weights in MXFP4; dense ones take them as they are.
    #[must_use]
    pub fn with_activations(mut self, activations: Activations) -> Self {
        self.gate_up = self.gate_up.with_activations(activations);
        self.down = self.down.with_activations(activations);
        self
    }

    /// The number of experts.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The hidden size.
    #[must_use]
    pub const fn hidden(&self) -> usize {
        self.hidden
    }

    /// The intermediate size.
    #[must_use]
    pub const fn intermediate(&self) -> usize {
        self.intermediate
    }

    /// The projection to gates and ups.
    #[must_use]
    pub const fn gate_up(&self) -> &ExpertMatrix<B> {
        &self.gate_up
    }

    /// Its bias, `[experts, 2 · intermediate]`.
    #[must_use]
    pub fn gate_up_bias(&self) -> &[f32] {
        &self.gate_up_bias
    }

    /// The projection back.
    #[must_use]
    pub const fn down(&self) -> &ExpertMatrix<B> {
        &self.down
    }

    /// Its bias, `[experts, hidden]`.
    #[must_use]
    pub fn down_bias(&self) -> &[f32] {
        &self.down_bias
    }

    /// The constants of the activation.
    #[must_use]
    pub const fn swiglu(&self) -> Swiglu {
        self.swiglu
    }

    /// Bytes of all weights and biases.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        let weights = [&self.gate_up, &self.down].map(|matrix| match matrix {
            ExpertMatrix::RowsOut(matrix) | ExpertMatrix::RowsIn(matrix) => matrix.byte_len(),
        });
        let biases =
            size_of_val(self.gate_up_bias.as_slice()) + size_of_val(self.down_bias.as_slice());
        weights.into_iter().sum::<usize>() + biases
    }

    /// `y[t] = Σ weight · expert(x[t])` over the experts of `t`, in the order of its routing.
    ///
    /// `x` and `y` are `[T, H]`, the routing is `[T, k]`. The weights of an expert are read once,
    /// whatever `T`. [`Rounding::Bf16`] rounds products, sums with the bias, the steps of
    /// the activation, weighted results and sums of them; [`Rounding::F16`] only activations.
    /// `scratch` keeps buffers from one call to the next; what it holds does not matter.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`], [`Error::NotRowMajor`] with the argument's name; [`Error::NoSuchExpert`].
    pub fn forward(
        &self,
        x: ArrayView2<'_, f32>,
        routing: &Routing,
        rounding: Rounding,
        scratch: &mut ExpertsScratch,
        y: ArrayViewMut2<'_, f32>,
    ) -> Result<()> {
        let tokens = x.nrows();
        check_shape("x of experts", [tokens, self.hidden], x.dim())?;
        check_shape("y of experts", [tokens, self.hidden], y.dim())?;
        let k = routing.experts.ncols();
        check_shape("experts of the routing", [tokens, k], routing.experts.dim())?;
        check_shape("weights of the routing", [tokens, k], routing.weights.dim())?;
        let x = slice("x of experts", x)?;
        let y = slice_mut("y of experts", y)?;
        self.check_lens()?;
        scratch.groups.fill(routing, self.count)?;
        self.run(x, k, &routing.weights, rounding, scratch, y)
    }

    fn check_lens(&self) -> Result<()> {
        check_len("bias of gate_up", 2 * self.count * self.intermediate, self.gate_up_bias.len())?;
        check_len("bias of down", self.count * self.hidden, self.down_bias.len())
    }
}
