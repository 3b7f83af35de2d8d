//! `aclnnMoeGatingTopK`: experts in groups, of which the best groups stay.

use super::rank::{largest, softmax};
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, NO_TILING, Reject};
use crate::ops::access::{floats, write_floats, write_integers};
use crate::ops::check::{Check, FLOATS};
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

/// Softmax or sigmoid, a bias that only chooses, groups, the `k` largest of the groups that stay, and their weights
/// normalised and scaled.
pub(crate) fn gating_top_k(
    site: &Site,
    x: Tensor,
    bias: Option<Tensor>,
    k: i64,
    k_group: i64,
    group_count: i64,
    group_select_mode: i64,
    renorm: i64,
    norm_type: i64,
    out_flag: bool,
    routed_scaling_factor: f64,
    eps: f64,
    y: Tensor,
    expert_idx: Tensor,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnMoeGatingTopK");
    check.input("x", &x)?;
    check.output("yOut", &y)?;
    check.output("expertIdxOut", &expert_idx)?;
    check.dtype("x", &x, FLOATS)?;
    check.same_dtype("yOut", &y, "x", &x)?;
    check.dtype("expertIdxOut", &expert_idx, &[DataType::I32])?;
    let shape = |tensor: &Tensor| format!("of shape {:?}", tensor.shape);
    let [rows, experts] = x.shape[..] else {
        return Err(check.reject_as(NO_TILING, "x", shape(&x), "2 dimensions, neither empty"));
    };
    check.tiling(rows > 0 && experts > 0, "x", shape(&x), "2 dimensions, neither empty")?;
    if let Some(bias) = &bias {
        check.input("biasOptional", bias)?;
        check.dtype("biasOptional", bias, FLOATS)?;
        let expected = format_args!("[{experts}]");
        check.tiling(bias.shape == [experts], "biasOptional", shape(bias), expected)?;
    }
    let groups = Groups { count: group_count, kept: k_group, by_sum: group_select_mode == 1 };
    check.tiling(
        (0..=1).contains(&group_select_mode),
        "groupSelectMode",
        group_select_mode,
        "0 or 1",
    )?;
    groups.check(&check, experts)?;
    let most = experts / group_count * k_group;
    check.tiling((1..=most).contains(&k), "k", k, format_args!("1 to {most}"))?;
    check.tiling((0..=1).contains(&renorm), "renorm", renorm, "0 or 1")?;
    let norm = match norm_type {
        0 => Norm::Softmax,
        1 => Norm::Sigmoid,
        2 if check.soc == Soc::Ascend950 => Norm::SquareRootOfSoftplus,
        _ => {
            let expected = "0 (softmax), 1 (sigmoid), on the 950 2 too";
            return Err(check.reject_as(NO_TILING, "normType", norm_type, expected));
        }
    };
    for (name, tensor) in [("yOut", &y), ("expertIdxOut", &expert_idx)] {
        check.tiling(
            tensor.shape == [rows, k],
            name,
            shape(tensor),
            format_args!("[{rows}, {k}]"),
        )?;
    }
    if out_flag {
        check.output("outOut", &out)?;
        check.dtype("outOut", &out, &[DataType::F32])?;
        check.tiling(out.shape == x.shape, "outOut", shape(&out), "the shape of x")?;
    }
    let renormalise = norm != Norm::Softmax || renorm == 1;
    let (k, experts) = (k as usize, experts as usize);
    let cost = Cost::of(&[&x, &y, &expert_idx], 8 * x.len() as u64);
    Ok(Kernel::new(cost, move |mem| {
        let mut normed = floats(mem, &x)?;
        let bias = match &bias {
            Some(bias) => floats(mem, bias)?,
            None => vec![0.0; experts],
        };
        let (mut weights, mut chosen) = (Vec::new(), Vec::new());
        for row in normed.chunks_exact_mut(experts) {
            norm.apply(row);
            let mut score = row.iter().zip(&bias).map(|(a, b)| a + b).collect::<Vec<_>>();
            groups.mask(&mut score);
            let picked = largest(&score, k);
            let sum = picked.iter().map(|&expert| row[expert]).sum::<f32>();
            for expert in picked {
                let whole = if renormalise { sum + eps as f32 } else { 1.0 };
                weights.push(row[expert] / whole * routed_scaling_factor as f32);
                chosen.push(expert as i64);
            }
        }
        if out_flag {
            write_floats(mem, &out, &normed)?;
        }
        write_floats(mem, &y, &weights)?;
        write_integers(mem, &expert_idx, &chosen)
    }))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Norm {
    Softmax,
    Sigmoid,
    SquareRootOfSoftplus,
}

impl Norm {
    fn apply(self, row: &mut [f32]) {
        match self {
            Self::Softmax => softmax(row),
            Self::Sigmoid => row.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp())),
            // The larger of 0 and x is taken out, so that nothing overflows.
            Self::SquareRootOfSoftplus => {
                for x in row {
                    *x = (x.max(0.0) + (-x.abs()).exp().ln_1p()).sqrt();
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Groups {
    count: i64,
    kept: i64,
    /// A group is worth its two best experts, otherwise its best.
    by_sum: bool,
}

impl Groups {
    /// A group takes multiples of 32 places of the kernel's 2,048.
    fn check(self, check: &Check, experts: i64) -> Result<(), Reject> {
        const PLACES: i64 = 2048;
        const ALIGNMENT: i64 = 32;
        let Self { count, kept, by_sum } = self;
        let expected = format_args!("a divisor of {experts}");
        check.tiling(count > 0 && experts % count == 0, "groupCount", count, expected)?;
        let each = experts / count;
        let padded = (each as u64).next_multiple_of(ALIGNMENT as u64) as i64 * count;
        let expected = format_args!(
            "groups of more than {} experts that take at most {PLACES} places in all",
            i64::from(by_sum)
        );
        let got = format_args!("{count}: groups of {each}");
        check.tiling(each > i64::from(by_sum) && padded <= PLACES, "groupCount", got, expected)?;
        check.tiling((1..=count).contains(&kept), "kGroup", kept, format_args!("1 to {count}"))
    }

    /// What is in no kept group can no more be chosen.
    fn mask(self, score: &mut [f32]) {
        if self.count == 1 {
            return;
        }
        let each = score.len() / self.count as usize;
        let worth = score
            .chunks_exact(each)
            .map(|group| {
                let best = largest(group, 1 + usize::from(self.by_sum));
                best.iter().map(|&expert| group[expert]).sum()
            })
            .collect::<Vec<f32>>();
        let kept = largest(&worth, self.kept as usize);
        for (number, group) in score.chunks_exact_mut(each).enumerate() {
            if !kept.contains(&number) {
                group.fill(f32::NEG_INFINITY);
            }
        }
    }
}
