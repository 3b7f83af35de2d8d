//! The products.

use std::ops::{AddAssign, Mul};

use super::groups::{Groups, ListType, Span};
use super::parameters::Parameters;
use super::scheme::Scheme;
use crate::dtype::DataType;
use crate::kernel::{Cost, Fault, Kernel};
use crate::memory::Memory;
use crate::ops::access::{floats_at, integers_at, poison, write_floats_at, write_integers_at};
use crate::tensor::Tensor;

pub(super) struct Plan {
    pub(super) operator: &'static str,
    pub(super) scheme: Scheme,
    pub(super) rows: usize,
    pub(super) experts: usize,
    pub(super) stacked: bool,
    pub(super) list_type: ListType,
    pub(super) parameters: Parameters,
    pub(super) cost: Cost,
    pub(super) groups: Groups,
    pub(super) x: Vec<Tensor>,
    pub(super) weight: Vec<Tensor>,
    pub(super) out: Vec<Tensor>,
}

impl Plan {
    pub(super) fn kernel(self) -> Kernel {
        Kernel::new(self.cost, move |mem| self.run(mem))
    }

    /// Only matrices of groups with rows are read; rows of no group stay poisoned.
    fn run(&self, mem: &dyn Memory) -> Result<(), Fault> {
        let (rows, experts) = (self.rows, self.experts);
        let listed = self.groups.spans(mem, self.operator, experts, rows, self.list_type)?;
        for out in &self.out {
            poison(mem, out)?;
        }
        let spans = match listed {
            Some(spans) => {
                self.check_separate(&spans)?;
                spans
            }
            None => self.separate(),
        };
        for span in spans {
            self.group(mem, span)?;
        }
        Ok(())
    }

    /// Each `x` is a group.
    fn separate(&self) -> Vec<Span> {
        let mut start = 0;
        let spans = self.x.iter().enumerate().map(|(expert, x)| {
            let end = start + rows_of(x);
            let span = Span { expert, start, end };
            start = end;
            span
        });
        spans.collect()
    }

    /// A list beside several `x` says again how many rows each has.
    fn check_separate(&self, spans: &[Span]) -> Result<(), Fault> {
        if self.x.len() == 1 {
            return Ok(());
        }
        let wrong =
            spans.iter().find(|span| rows_of(&self.x[span.expert]) != span.end - span.start);
        let Some(span) = wrong else { return Ok(()) };
        let rows = rows_of(&self.x[span.expert]);
        let text = format!("group {} is {} rows", span.expert, span.end - span.start);
        Err(Fault::cube(format!("{}: groupList says {text}, expected {rows}", self.operator)))
    }

    fn group(&self, mem: &dyn Memory, span: Span) -> Result<(), Fault> {
        let weight = &self.weight[if self.stacked { 0 } else { span.expert }];
        let width = weight.shape[weight.shape.len() - 1] as usize;
        let (x, from) = match &self.x[..] {
            [x] => (x, span.start),
            list => (&list[span.expert], 0),
        };
        let depth = x.shape[x.shape.len() - 1] as usize;
        let (out, to) = match &self.out[..] {
            [out] => (out, span.start * width),
            list => (&list[span.expert], 0),
        };
        let matrix =
            Matrix { weight, expert: if self.stacked { span.expert } else { 0 }, depth, width };
        let count = (span.end - span.start) * depth;
        if self.scheme == Scheme::Int8 {
            let x = integers_at(mem, x, from * depth, count)?;
            return self.integers(mem, span, &matrix, &x, out, to);
        }
        let x = floats_at(mem, x, from * depth, count)?;
        let mut values = matrix.floats(mem)?;
        self.dequantise(mem, span.expert, &mut values, width)?;
        let mut sums = multiply(&x, &values, depth, width);
        if let Some(bias) = &self.parameters.bias {
            let bias = bias.floats(mem, span.expert)?;
            for row in sums.chunks_exact_mut(width) {
                row.iter_mut().zip(&bias).for_each(|(sum, bias)| *sum += bias);
            }
        }
        write_floats_at(mem, out, to, &sums)
    }

    /// `(weight + offset) · scale`, in f32.
    fn dequantise(
        &self,
        mem: &dyn Memory,
        expert: usize,
        values: &mut [f32],
        width: usize,
    ) -> Result<(), Fault> {
        let Some(scale) = &self.parameters.antiquant_scale else { return Ok(()) };
        let scale = scale.floats(mem, expert)?;
        let offset = match &self.parameters.antiquant_offset {
            Some(offset) => offset.floats(mem, expert)?,
            None => vec![0.0; width],
        };
        // Separate products have depths of their own, and as many groups as they have rows of scales.
        let depth = values.len() / width;
        let group = depth / (scale.len() / width);
        for (at, row) in values.chunks_exact_mut(width).enumerate() {
            let scale = &scale[at / group * width..][..width];
            for ((value, scale), offset) in row.iter_mut().zip(scale).zip(&offset) {
                *value = (*value + offset) * scale;
            }
        }
        Ok(())
    }

    fn integers(
        &self,
        mem: &dyn Memory,
        span: Span,
        matrix: &Matrix<'_>,
        x: &[i64],
        out: &Tensor,
        to: usize,
    ) -> Result<(), Fault> {
        let width = matrix.width;
        let mut sums = multiply(x, &matrix.integers(mem)?, matrix.depth, width);
        if let Some(bias) = &self.parameters.bias {
            let bias = bias.integers(mem, span.expert)?;
            for row in sums.chunks_exact_mut(width) {
                row.iter_mut().zip(&bias).for_each(|(sum, bias)| *sum += bias);
            }
        }
        if out.dtype == DataType::I32 {
            return write_integers_at(mem, out, to, &sums);
        }
        let scale = match &self.parameters.scale {
            Some(scale) => scale.floats(mem, span.expert)?,
            None => vec![1.0; width],
        };
        let per_token = match &self.parameters.per_token {
            Some(scales) => floats_at(mem, scales, span.start, span.end - span.start)?,
            None => vec![1.0; span.end - span.start],
        };
        let mut values = Vec::with_capacity(sums.len());
        for (row, per_token) in sums.chunks_exact(width).zip(per_token) {
            values
                .extend(row.iter().zip(&scale).map(|(&sum, scale)| sum as f32 * scale * per_token));
        }
        write_floats_at(mem, out, to, &values)
    }
}

/// One matrix of an expert.
struct Matrix<'a> {
    weight: &'a Tensor,
    expert: usize,
    depth: usize,
    width: usize,
}

impl Matrix<'_> {
    /// `[depth, width]`, read the way it lies in memory.
    fn floats(&self, mem: &dyn Memory) -> Result<Vec<f32>, Fault> {
        self.rows(|weight, first, count| floats_at(mem, weight, first, count))
    }

    fn integers(&self, mem: &dyn Memory) -> Result<Vec<i64>, Fault> {
        self.rows(|weight, first, count| integers_at(mem, weight, first, count))
    }

    fn rows<T: Copy + Default>(
        &self,
        read: impl Fn(&Tensor, usize, usize) -> Result<Vec<T>, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let count = self.depth * self.width;
        let first = self.expert * count;
        if !self.weight.exchanged() {
            return read(self.weight, first, count);
        }
        let columns = read(&self.weight.transposed(), first, count)?;
        let mut rows = vec![T::default(); count];
        for (column, values) in columns.chunks_exact(self.depth).enumerate() {
            for (row, &value) in values.iter().enumerate() {
                rows[row * self.width + column] = value;
            }
        }
        Ok(rows)
    }
}

/// `[rows, depth]` by `[depth, width]`: each element is summed from the first to the last of the inner dimension.
fn multiply<T: Copy + Default + Mul<Output = T> + AddAssign>(
    x: &[T],
    matrix: &[T],
    depth: usize,
    width: usize,
) -> Vec<T> {
    let mut sums = vec![T::default(); x.len() / depth * width];
    for (x, sums) in x.chunks_exact(depth).zip(sums.chunks_exact_mut(width)) {
        for (&x, row) in x.iter().zip(matrix.chunks_exact(width)) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += x * value;
            }
        }
    }
    sums
}

fn rows_of(x: &Tensor) -> usize {
    x.len() / x.shape[x.shape.len() - 1] as usize
}
