//! The four steps of a call: activations, their order, results, sums.

use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;

use super::groups::Groups;
use super::panels::{Panels, Task};
use super::scratch::{ExpertsScratch, prefix};
use super::{ExpertMatrix, Experts};
use crate::arch::bf16;
use crate::inputs::{Inputs, Part};
use crate::{Result, Rounding};

impl<B: AsRef<[u8]> + Sync> Experts<B> {
    /// `x` and `y` are `[tokens, hidden]`; the scratch's groups are those of the routing, which has
    /// `k` experts a token.
    pub(super) fn run(
        &self,
        x: &[f32],
        k: usize,
        weights: &Array2<f32>,
        rounding: Rounding,
        scratch: &mut ExpertsScratch,
        y: &mut [f32],
    ) -> Result<()> {
        let ExpertsScratch { groups, panels: buffer, activations, results } = scratch;
        let groups = &*groups;
        let (hidden, intermediate) = (self.hidden, self.intermediate);

        let inputs = self.gate_up.inputs(x.chunks_exact(hidden).collect(), rounding);
        let vectors = inputs.choose(groups.order().iter().map(|choice| choice / k));
        let panel = self.gate_up.panel(groups, 2 * intermediate) / 2;
        let panels = Panels { groups, outputs: intermediate, panel };
        let buffer = prefix(buffer, panels.len());
        panels.tasks(buffer).into_par_iter().try_for_each_init(Vec::new, |sums, task| {
            let vectors = vectors.part(task.group.places());
            self.activate(task, vectors, rounding, sums)
        })?;

        let activations = prefix(activations, panels.len());
        let rows = activations.par_chunks_mut(intermediate).zip(groups.order());
        rows.for_each(|(to, choice)| {
            for (to, from) in to.chunks_mut(panels.panel).zip(panels.of(*choice, buffer)) {
                to.copy_from_slice(from);
            }
        });

        let inputs = self.down.inputs(activations.chunks_exact(intermediate).collect(), rounding);
        let vectors = inputs.choose(0..groups.choices());
        let panels = Panels { groups, outputs: hidden, panel: self.down.panel(groups, hidden) };
        let results = prefix(results, panels.len());
        panels.tasks(results).into_par_iter().try_for_each(|task| {
            let vectors = vectors.part(task.group.places());
            self.project(task, vectors, rounding)
        })?;

        y.par_chunks_mut(hidden).enumerate().for_each(|(token, y)| {
            y.fill(0.0);
            for (slot, &weight) in weights.row(token).iter().enumerate() {
                let pieces = panels.of(token * k + slot, results);
                for (y, piece) in y.chunks_mut(panels.panel).zip(pieces) {
                    add_weighted(y, weight, piece, rounding);
                }
            }
        });
        Ok(())
    }

    /// The activations of a task.
    fn activate(
        &self,
        task: Task<'_>,
        vectors: Part<'_>,
        rounding: Rounding,
        sums: &mut Vec<f32>,
    ) -> Result<()> {
        let Task { group, first, width, out } = task;
        let (all, outputs) = (2 * self.intermediate, 2 * first..2 * (first + width));
        let sums = prefix(sums, 2 * out.len());
        self.gate_up.products(group.expert, outputs.clone(), all, vectors, sums)?;
        let bias = &self.gate_up_bias[group.expert * all..][outputs];
        for (out, sums) in out.chunks_exact_mut(width).zip(sums.chunks_exact_mut(2 * width)) {
            add_bias(sums, bias, rounding);
            self.swiglu.apply(sums, rounding, out)?;
        }
        Ok(())
    }

    /// The results of a task.
    fn project(&self, task: Task<'_>, vectors: Part<'_>, rounding: Rounding) -> Result<()> {
        let Task { group, first, width, out } = task;
        let (all, outputs) = (self.hidden, first..first + width);
        self.down.products(group.expert, outputs.clone(), all, vectors, out)?;
        let bias = &self.down_bias[group.expert * all..][outputs];
        for out in out.chunks_exact_mut(width) {
            add_bias(out, bias, rounding);
        }
        Ok(())
    }
}

impl<B: AsRef<[u8]>> ExpertMatrix<B> {
    /// How many outputs of an expert, which has `all`, a task computes; even, and whole blocks of MXFP4. Enough that the
    /// weights are worth a task.
    fn panel(&self, groups: &Groups, all: usize) -> usize {
        match self {
            Self::RowsOut(matrix) => {
                let rows = groups.all().len() * all;
                matrix.rows_per_task(rows, groups.largest())
            }
            // Stretches of 2 KiB.
            Self::RowsIn(_) => 1024,
        }
    }

    /// The products of some of the `all` outputs of an expert with every vector; `products` is
    /// `[vectors, outputs]`.
    fn products(
        &self,
        expert: usize,
        outputs: Range<usize>,
        all: usize,
        vectors: Part<'_>,
        products: &mut [f32],
    ) -> Result<()> {
        match (self, vectors) {
            (Self::RowsIn(matrix), Part::Plain(vectors)) => {
                let inputs = vectors.first().map_or(0, |vector| vector.len());
                let rows = expert * inputs..(expert + 1) * inputs;
                matrix.weighted_sums(rows, outputs, vectors, products)
            }
            (Self::RowsOut(matrix) | Self::RowsIn(matrix), vectors) => {
                let first = expert * all;
                let rows = first + outputs.start..first + outputs.end;
                matrix.products(rows, vectors, products)
            }
        }
    }

    /// Vectors that the experts' matrices are to be multiplied with.
    fn inputs<'a>(&self, vectors: Vec<&'a [f32]>, rounding: Rounding) -> Inputs<'a> {
        match self {
            Self::RowsOut(matrix) => matrix.inputs(vectors, rounding),
            Self::RowsIn(_) => Inputs::Plain(vectors),
        }
    }
}

/// What comes after a product, as transformers' experts have it: two roundings, unlike a linear layer.
fn add_bias(values: &mut [f32], bias: &[f32], rounding: Rounding) {
    rounding.of_sums().apply(values);
    for (value, bias) in values.iter_mut().zip(bias) {
        *value += bias;
    }
    rounding.of_sums().apply(values);
}

/// `y += weight · values`.
fn add_weighted(y: &mut [f32], weight: f32, values: &[f32], rounding: Rounding) {
    let pairs = y.iter_mut().zip(values);
    if rounding == Rounding::Bf16 {
        pairs.for_each(|(y, value)| *y = bf16(*y + bf16(weight * value)));
    } else {
        pairs.for_each(|(y, value)| *y += weight * value);
    }
}
