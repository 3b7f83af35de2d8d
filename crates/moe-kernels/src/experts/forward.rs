//! The four steps of a call: activations, their rows, results, sums.

use ndarray::Array2;
use rayon::prelude::*;

use super::Experts;
use super::groups::{Group, Groups};
use super::scratch::{ExpertsScratch, prefix};
use crate::arch::bf16;
use crate::{Result, Rounding};

/// Outputs of one expert for all of its tokens, `[tokens, outputs]`.
struct Task<'a> {
    group: Group,
    /// The first output.
    first: usize,
    out: &'a mut [f32],
}

impl<B: AsRef<[u8]> + Sync> Experts<B> {
    pub(super) fn run(
        &self,
        x: &[f32],
        k: usize,
        weights: &Array2<f32>,
        rounding: Rounding,
        scratch: &mut ExpertsScratch,
        y: &mut [f32],
    ) -> Result<()> {
        let ExpertsScratch { groups, panels, activations, results } = scratch;
        let (hidden, intermediate) = (self.hidden, self.intermediate);
        let choices = groups.choices();

        let panels = prefix(panels, choices * intermediate);
        let panel = self.gate_up.panel() / 2;
        let vectors: Vec<&[f32]> = groups
            .all()
            .iter()
            .flat_map(|group| groups.of(group))
            .map(|choice| {
                let token = choice / k;
                &x[token * hidden..(token + 1) * hidden]
            })
            .collect();
        tasks(groups, intermediate, panel, panels)
            .into_par_iter()
            .try_for_each_init(Buffers::default, |buffers, task| {
                self.activate(task, &vectors, rounding, buffers)
            })?;

        let activations = prefix(activations, choices * intermediate);
        activations.par_chunks_mut(intermediate).enumerate().for_each(|(row, to)| {
            let choice = groups.at(row);
            for (from, to) in
                pieces(groups, choice, intermediate, panel, panels).zip(to.chunks_mut(panel))
            {
                to.copy_from_slice(from);
            }
        });

        let results = prefix(results, choices * hidden);
        let panel = self.down.panel();
        let vectors: Vec<&[f32]> = activations.chunks_exact(intermediate).collect();
        tasks(groups, hidden, panel, results)
            .into_par_iter()
            .try_for_each_init(Vec::new, |buffer, task| {
                self.project(task, &vectors, rounding, buffer)
            })?;

        y.par_chunks_mut(hidden).enumerate().for_each(|(token, y)| {
            y.fill(0.0);
            for (slot, &weight) in weights.row(token).iter().enumerate() {
                let pieces = pieces(groups, token * k + slot, hidden, panel, results);
                for (y, piece) in y.chunks_mut(panel).zip(pieces) {
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
        vectors: &[&[f32]],
        rounding: Rounding,
        buffers: &mut Buffers,
    ) -> Result<()> {
        let Task { group: Group { expert, start, len }, first, out } = task;
        let width = out.len() / len;
        let outputs = 2 * first..2 * (first + width);
        let vectors = &vectors[start..start + len];
        let sums = prefix(&mut buffers.sums, 2 * out.len());
        let all = 2 * self.intermediate;
        self.gate_up.products(expert, outputs.clone(), all, vectors, sums, &mut buffers.decoded)?;
        let bias = &self.gate_up_bias[expert * all..][outputs];
        for (out, sums) in out.chunks_exact_mut(width).zip(sums.chunks_exact_mut(2 * width)) {
            add_bias(sums, bias, rounding);
            self.swiglu.apply(sums, rounding, out)?;
        }
        Ok(())
    }

    /// The results of a task.
    fn project(
        &self,
        task: Task<'_>,
        vectors: &[&[f32]],
        rounding: Rounding,
        decoded: &mut Vec<f32>,
    ) -> Result<()> {
        let Task { group: Group { expert, start, len }, first, out } = task;
        let width = out.len() / len;
        let outputs = first..first + width;
        let vectors = &vectors[start..start + len];
        self.down.products(expert, outputs.clone(), self.hidden, vectors, out, decoded)?;
        let bias = &self.down_bias[expert * self.hidden..][outputs];
        for out in out.chunks_exact_mut(width) {
            add_bias(out, bias, rounding);
        }
        Ok(())
    }
}

/// Buffers of a thread.
#[derive(Debug, Default)]
struct Buffers {
    sums: Vec<f32>,
    decoded: Vec<f32>,
}

/// Cuts a buffer: group after group, of each `panel` outputs after the other.
fn tasks<'a>(
    groups: &Groups,
    outputs: usize,
    panel: usize,
    mut buffer: &'a mut [f32],
) -> Vec<Task<'a>> {
    let mut tasks = Vec::new();
    for group in groups.all() {
        for first in (0..outputs).step_by(panel) {
            let len = usize::min(panel, outputs - first) * group.len;
            let (out, rest) = buffer.split_at_mut(len);
            tasks.push(Task { group: *group, first, out });
            buffer = rest;
        }
    }
    tasks
}

/// The outputs of a choice in a buffer that [`tasks`] cut.
fn pieces<'a>(
    groups: &Groups,
    choice: usize,
    outputs: usize,
    panel: usize,
    buffer: &'a [f32],
) -> impl Iterator<Item = &'a [f32]> {
    let (group, place) = groups.place(choice);
    let buffer = &buffer[group.start * outputs..];
    (0..outputs).step_by(panel).map(move |first| {
        let width = usize::min(panel, outputs - first);
        &buffer[first * group.len + place * width..][..width]
    })
}

/// Products to results of a linear layer of transformers' experts, which adds the bias afterwards.
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
