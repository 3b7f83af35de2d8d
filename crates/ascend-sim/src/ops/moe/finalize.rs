//! `aclnnMoeFinalizeRouting` and its second version: weighted sums of what the experts of a token answered.

use super::finalize_kinds::Kinds;
use super::init::outside;
use crate::dtype::DataType;
use crate::kernel::{Cost, Fault, INNER_NULL, INVALID_PARAMETER, Kernel, NULL_POINTER, Reject};
use crate::memory::Memory;
use crate::ops::access::{floats, integers, write_floats};
use crate::ops::check::{Check, FLOATS};
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

/// `out = x1 + x2 + Σ scales · (expanded_x + bias)`; indices column by column, as `aclnnMoeInitRouting` gives them.
pub(crate) fn finalize_routing(
    site: &Site,
    expanded_x: Tensor,
    x1: Tensor,
    x2: Option<Tensor>,
    bias: Tensor,
    scales: Tensor,
    expanded_row_idx: Tensor,
    expert_idx: Tensor,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnMoeFinalizeRouting");
    check.chip(&[Soc::Ascend910B3, Soc::Ascend910B4, Soc::Ascend910_93])?;
    check.same_dtype("scales", &scales, "expandedX", &expanded_x)?;
    let combine = Combine {
        expanded_x,
        expanded_row_idx,
        x1: Some(x1),
        x2,
        bias: Some(bias),
        scales: Some(scales),
        expert_idx: Some(expert_idx),
        mode: 0,
        out,
    };
    combine.prepare(check, INVALID_PARAMETER, None)
}

/// As the first version, with most inputs optional; `drop_pad_mode` 0 and 1 have indices column by column, 2 and 3 row
/// by row as `aclnnMoeInitRoutingV2` and V3 give them; with 1 and 3 an index of -1 is a row that was dropped.
pub(crate) fn finalize_routing_v2(
    site: &Site,
    expanded_x: Tensor,
    expanded_row_idx: Tensor,
    x1: Option<Tensor>,
    x2: Option<Tensor>,
    bias: Option<Tensor>,
    scales: Option<Tensor>,
    expert_idx: Option<Tensor>,
    drop_pad_mode: i64,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let combine = Combine {
        expanded_x,
        expanded_row_idx,
        x1,
        x2,
        bias,
        scales,
        expert_idx,
        mode: drop_pad_mode,
        out,
    };
    combine.prepare(Check::new(site, "aclnnMoeFinalizeRoutingV2"), INNER_NULL, None)
}

pub(super) struct Combine {
    pub(super) expanded_x: Tensor,
    pub(super) expanded_row_idx: Tensor,
    pub(super) x1: Option<Tensor>,
    pub(super) x2: Option<Tensor>,
    pub(super) bias: Option<Tensor>,
    pub(super) scales: Option<Tensor>,
    pub(super) expert_idx: Option<Tensor>,
    /// `dropPadMode`.
    pub(super) mode: i64,
    pub(super) out: Tensor,
}

impl Combine {
    /// Shapes that do not fit are refused with this status.
    pub(super) fn prepare(
        self,
        check: Check,
        status: i32,
        kinds: Option<Kinds>,
    ) -> Result<Kernel, Reject> {
        self.types(&check)?;
        self.shapes(&check, status)?;
        let tensors = [&self.expanded_x, &self.out];
        let cost = Cost::of(&tensors, 3 * self.expanded_x.len() as u64);
        Ok(Kernel::new(cost, move |mem| self.run(mem, check.operator, kinds.as_ref())))
    }

    fn types(&self, check: &Check) -> Result<(), Reject> {
        check.input("expandedX", &self.expanded_x)?;
        check.dtype("expandedX", &self.expanded_x, FLOATS)?;
        check.output("out", &self.out)?;
        check.same_dtype("out", &self.out, "expandedX", &self.expanded_x)?;
        for (name, tensor) in [("x1", &self.x1), ("x2", &self.x2), ("bias", &self.bias)] {
            let Some(tensor) = tensor else { continue };
            check.input(name, tensor)?;
            check.same_dtype(name, tensor, "expandedX", &self.expanded_x)?;
        }
        if let Some(scales) = &self.scales {
            check.input("scales", scales)?;
            check.dtype("scales", scales, FLOATS)?;
            // Beside their own type, f32 scales go with bf16 rows, and on the 950 any goes with any.
            let mixed = self.expanded_x.dtype == DataType::Bf16 && scales.dtype == DataType::F32;
            if !mixed && check.soc != Soc::Ascend950 {
                check.same_dtype("scales", scales, "expandedX", &self.expanded_x)?;
            }
        }
        check.input("expandedRowIdx", &self.expanded_row_idx)?;
        check.dtype("expandedRowIdx", &self.expanded_row_idx, &[DataType::I32])?;
        if let Some(expert_idx) = &self.expert_idx {
            check.input("expertIdx", expert_idx)?;
            check.dtype("expertIdx", expert_idx, &[DataType::I32])?;
        }
        Ok(())
    }

    fn shapes(&self, check: &Check, status: i32) -> Result<(), Reject> {
        let require = |holds: bool, name: &str, got: String, expected: String| {
            if holds { Ok(()) } else { Err(check.reject_as(status, name, got, expected)) }
        };
        let shape = |tensor: &Tensor| format!("of shape {:?}", tensor.shape);
        require(
            (0..=3).contains(&self.mode),
            "dropPadMode",
            self.mode.to_string(),
            "0 to 3".to_owned(),
        )?;
        let fits = self.out.shape.len() == 2 && self.out.len() > 0;
        require(fits, "out", shape(&self.out), "2 dimensions, not empty".to_owned())?;
        let (rows, width) = (self.out.shape[0], self.out.shape[1]);
        let k = self.scales.as_ref().map_or(1, |scales| scales.shape.get(1).copied().unwrap_or(0));
        let padded = self.padded();
        let fits = if padded {
            self.expanded_x.shape.len() == 3 && self.expanded_x.shape[2] == width
        } else {
            self.expanded_x.shape == [rows * k, width]
        };
        let expected = if padded {
            format!("[experts, capacity, {width}]")
        } else {
            format!("[{}, {width}]", rows * k)
        };
        require(fits, "expandedX", shape(&self.expanded_x), expected)?;
        let fits = self.expanded_row_idx.shape == [rows * k];
        require(fits, "expandedRowIdx", shape(&self.expanded_row_idx), format!("[{}]", rows * k))?;
        for (name, tensor, expected) in [
            ("x1", &self.x1, [rows, width]),
            ("x2", &self.x2, [rows, width]),
            ("scales", &self.scales, [rows, k]),
            ("expertIdx", &self.expert_idx, [rows, k]),
        ] {
            let Some(tensor) = tensor else { continue };
            require(tensor.shape == expected, name, shape(tensor), format!("{expected:?}"))?;
        }
        let fits = self.x2.is_none() || self.x1.is_some();
        require(fits, "x2", "given".to_owned(), "null where x1 is null".to_owned())?;
        let Some(bias) = &self.bias else { return Ok(()) };
        let fits = bias.shape.len() == 2 && bias.shape[1] == width && bias.shape[0] >= k;
        require(fits, "bias", shape(bias), format!("[experts, {width}], at least {k} experts"))?;
        if self.expert_idx.is_none() {
            let expected = "given where bias is given";
            return Err(check.reject_as(NULL_POINTER, "expertIdx", "null", expected));
        }
        Ok(())
    }

    /// Rows lie in places of fixed size, and some were dropped.
    fn padded(&self) -> bool {
        self.mode % 2 == 1
    }

    fn run(&self, mem: &dyn Memory, operator: &str, kinds: Option<&Kinds>) -> Result<(), Fault> {
        let (rows, width) = (self.out.shape[0] as usize, self.out.shape[1] as usize);
        let places = integers(mem, &self.expanded_row_idx)?;
        let k = places.len() / rows;
        let optional =
            |tensor: &Option<Tensor>| tensor.as_ref().map(|tensor| floats(mem, tensor)).transpose();
        let expanded = floats(mem, &self.expanded_x)?;
        let (bias, scales) = (optional(&self.bias)?, optional(&self.scales)?);
        let experts = self.expert_idx.as_ref().map(|tensor| integers(mem, tensor)).transpose()?;
        let kinds = kinds.map(|kinds| kinds.read(mem)).transpose()?;
        let mut sums = optional(&self.x1)?.unwrap_or_else(|| vec![0.0; rows * width]);
        if let Some(x2) = optional(&self.x2)? {
            sums.iter_mut().zip(x2).for_each(|(sum, x)| *sum += x);
        }
        let zeros = vec![0.0; width];
        for (row, sum) in sums.chunks_exact_mut(width).enumerate() {
            for choice in 0..k {
                let at = if self.mode < 2 { choice * rows + row } else { row * k + choice };
                let expert = experts.as_ref().map(|experts| experts[row * k + choice]);
                let answer = match kinds.as_ref().zip(expert) {
                    Some((kinds, expert)) => kinds.answer(expert, row, width),
                    None => None,
                };
                let answer = match answer {
                    Some(None) => continue,
                    Some(Some(answer)) => answer,
                    None if places[at] == -1 && self.padded() => zeros.clone(),
                    None => {
                        let last = expanded.len() / width;
                        let place = usize::try_from(places[at]).ok().filter(|&place| place < last);
                        let place = place
                            .ok_or_else(|| outside(operator, "expandedRowIdx", places[at], last))?;
                        expanded[place * width..][..width].to_vec()
                    }
                };
                let bias = match bias.as_ref().zip(expert) {
                    Some((bias, expert)) => {
                        let last = bias.len() / width;
                        let expert_at = usize::try_from(expert).ok().filter(|&at| at < last);
                        let expert_at = expert_at
                            .ok_or_else(|| outside(operator, "expertIdx", expert, last))?;
                        &bias[expert_at * width..][..width]
                    }
                    None => &zeros,
                };
                let scale = scales.as_ref().map_or(1.0, |scales| scales[row * k + choice]);
                for ((sum, answer), bias) in sum.iter_mut().zip(answer).zip(bias) {
                    *sum += scale * (answer + bias);
                }
            }
        }
        write_floats(mem, &self.out, &sums)
    }
}
