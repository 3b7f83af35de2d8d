//! `aclnnMoeGatingTopKSoftmax` and its second version.

use super::rank::{largest, softmax};
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, NULL_POINTER, Reject};
use crate::memory::Memory;
use crate::ops::access::{floats, integers, write_floats, write_integers};
use crate::ops::check::{Check, FLOATS};
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

/// Softmax over the experts, then the `k` largest; `row_idx` counts them column by column, as
/// `aclnnMoeInitRouting` wants it.
pub(crate) fn gating_top_k_softmax(
    site: &Site,
    x: Tensor,
    finished: Option<Tensor>,
    k: i64,
    y: Tensor,
    expert_idx: Tensor,
    row_idx: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnMoeGatingTopKSoftmax");
    let gate = Gate::new(&check, x, finished, k, y, expert_idx)?;
    check.output("rowIdxOut", &row_idx)?;
    check.dtype("rowIdxOut", &row_idx, &[DataType::I32])?;
    let got = format_args!("of shape {:?}", row_idx.shape);
    check.tiling(row_idx.shape == gate.y.shape, "rowIdxOut", got, "the shape of yOut")?;
    Ok(Kernel::new(gate.cost(), move |mem| {
        gate.run(mem, Order::SoftmaxFirst, None)?;
        let (rows, k) = (gate.rows(), gate.k);
        let places = (0..rows * k).map(|at| (at % k * rows + at / k) as i64).collect::<Vec<_>>();
        write_integers(mem, &row_idx, &places)
    }))
}

/// With `renorm` 0 softmax, then the `k` largest; with 1 the `k` largest, then softmax over these.
pub(crate) fn gating_top_k_softmax_v2(
    site: &Site,
    x: Tensor,
    finished: Option<Tensor>,
    k: i64,
    renorm: i64,
    output_softmax: bool,
    y: Tensor,
    expert_idx: Tensor,
    softmax_out: Option<Tensor>,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnMoeGatingTopKSoftmaxV2");
    let gate = Gate::new(&check, x, finished, k, y, expert_idx)?;
    check.tiling((0..=1).contains(&renorm), "renorm", renorm, "0 or 1")?;
    // With renorm 1 no softmax over all experts is ever computed, and the flag is without effect.
    let order = if renorm == 0 { Order::SoftmaxFirst } else { Order::LargestFirst };
    let probabilities = if output_softmax && renorm == 0 {
        let Some(out) = softmax_out else {
            let flag = "given where outputSoftmaxResultFlag is true";
            return Err(check.reject_as(NULL_POINTER, "softmaxResultOutOptional", "null", flag));
        };
        check.output("softmaxResultOutOptional", &out)?;
        let got = format_args!("{:?} of shape {:?}", out.dtype, out.shape);
        let fits = out.dtype == DataType::F32 && out.shape == gate.x.shape;
        check.tiling(fits, "softmaxResultOutOptional", got, "F32 of the shape of x")?;
        Some(out)
    } else {
        None
    };
    Ok(Kernel::new(gate.cost(), move |mem| gate.run(mem, order, probabilities.as_ref())))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    SoftmaxFirst,
    LargestFirst,
}

struct Gate {
    x: Tensor,
    finished: Option<Tensor>,
    k: usize,
    y: Tensor,
    expert_idx: Tensor,
}

impl Gate {
    /// Limits of the documentation: at most 1,024 chosen, on the 950 at most 2,048 experts.
    fn new(
        check: &Check,
        x: Tensor,
        finished: Option<Tensor>,
        k: i64,
        y: Tensor,
        expert_idx: Tensor,
    ) -> Result<Self, Reject> {
        const MOST_CHOSEN: i64 = 1024;
        const MOST_EXPERTS: i64 = 2048;
        check.input("x", &x)?;
        check.output("yOut", &y)?;
        check.output("expertIdxOut", &expert_idx)?;
        check.dtype("x", &x, FLOATS)?;
        check.same_dtype("yOut", &y, "x", &x)?;
        check.dtype("expertIdxOut", &expert_idx, &[DataType::I32])?;
        let rank = x.shape.len();
        check.tiling(
            rank == 2 || rank == 3,
            "x",
            format_args!("of {rank} dimensions"),
            "2 or 3",
        )?;
        let experts = x.shape[rank - 1];
        let most = experts.min(MOST_CHOSEN);
        check.tiling((1..=most).contains(&k), "k", k, format_args!("1 to {most}"))?;
        if check.soc == Soc::Ascend950 {
            let expected = format_args!("at most {MOST_EXPERTS} experts on the 950");
            check.tiling(experts <= MOST_EXPERTS, "x", format_args!("of {experts}"), expected)?;
        }
        let mut chosen = x.shape.clone();
        chosen[rank - 1] = k;
        for (name, out) in [("yOut", &y), ("expertIdxOut", &expert_idx)] {
            let got = format_args!("of shape {:?}", out.shape);
            check.tiling(out.shape == chosen, name, got, format_args!("{chosen:?}"))?;
        }
        if let Some(finished) = &finished {
            check.input("finishedOptional", finished)?;
            check.dtype("finishedOptional", finished, &[DataType::Bool])?;
            let leading = &x.shape[..rank - 1];
            let got = format_args!("of shape {:?}", finished.shape);
            let expected = format_args!("{leading:?}");
            check.tiling(finished.shape == leading, "finishedOptional", got, expected)?;
        }
        Ok(Self { x, finished, k: k as usize, y, expert_idx })
    }

    fn experts(&self) -> usize {
        self.x.shape[self.x.shape.len() - 1] as usize
    }

    fn rows(&self) -> usize {
        self.x.len() / self.experts()
    }

    fn cost(&self) -> Cost {
        Cost::of(&[&self.x, &self.y, &self.expert_idx], 4 * self.x.len() as u64)
    }

    fn run(
        &self,
        mem: &dyn Memory,
        order: Order,
        softmax_out: Option<&Tensor>,
    ) -> Result<(), crate::kernel::Fault> {
        let mut logits = floats(mem, &self.x)?;
        let finished = match &self.finished {
            Some(finished) => integers(mem, finished)?,
            None => vec![0; self.rows()],
        };
        let (mut weights, mut chosen) = (Vec::new(), Vec::new());
        for (row, finished) in logits.chunks_exact_mut(self.experts()).zip(finished) {
            if order == Order::SoftmaxFirst {
                softmax(row);
            }
            let experts = largest(row, self.k);
            let mut row_weights = experts.iter().map(|&expert| row[expert]).collect::<Vec<_>>();
            if order == Order::LargestFirst {
                softmax(&mut row_weights);
            }
            weights.append(&mut row_weights);
            // A finished row goes to the expert that does not exist.
            let number = |expert: &usize| if finished == 0 { *expert } else { row.len() } as i64;
            chosen.extend(experts.iter().map(number));
        }
        if let Some(out) = softmax_out {
            write_floats(mem, out, &logits)?;
        }
        write_floats(mem, &self.y, &weights)?;
        write_integers(mem, &self.expert_idx, &chosen)
    }
}
