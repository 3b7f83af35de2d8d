//! Elements to other places, unchanged: every one of these is a copy from a view to a view.

use super::access;
use super::check::{Check, MOVABLE};
use crate::kernel::{Cost, Kernel, Reject};
use crate::profile::Site;
use crate::tensor::Tensor;

/// Tensors side by side along `dim`.
pub(super) fn cat(
    site: &Site,
    tensors: Vec<Tensor>,
    dim: i64,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnCat");
    check.require(!tensors.is_empty(), "tensors", "empty", "at least one tensor")?;
    movable(&check, "out", &out)?;
    check.output("out", &out)?;
    check.rank("out", &out, 1..=8)?;
    let dim = check.dim("dim", dim, out.shape.len())?;
    let (mut copies, mut at) = (Vec::new(), 0);
    for (index, tensor) in tensors.into_iter().enumerate() {
        let name = format!("tensors[{index}]");
        check.input(&name, &tensor)?;
        check.same_dtype(&name, &tensor, "out", &out)?;
        let extent = tensor.shape.get(dim).copied().unwrap_or(0);
        let mut expected = out.shape.clone();
        expected[dim] = extent;
        check.shape(&name, &tensor, &expected)?;
        if at + extent <= out.shape[dim] {
            copies.push((tensor, out.narrowed(dim, at, extent, 1)));
        }
        at += extent;
    }
    let got = format_args!("of shape {:?}", out.shape);
    check.require(at == out.shape[dim], "out", got, format_args!("{at} in dim {dim}"))?;
    Ok(copy(copies))
}

/// Parts of these extents along `dim`, which they fill.
pub(super) fn split_with_size(
    site: &Site,
    self_: Tensor,
    split_size: Vec<i64>,
    dim: i64,
    out: Vec<Tensor>,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnSplitWithSize");
    movable(&check, "self", &self_)?;
    check.input("self", &self_)?;
    check.rank("self", &self_, 1..=8)?;
    let dim = check.dim("dim", dim, self_.shape.len())?;
    let got = format_args!("{split_size:?}");
    let valid = split_size.iter().all(|&extent| extent >= 0)
        && split_size.iter().try_fold(0i64, |sum, &extent| sum.checked_add(extent))
            == Some(self_.shape[dim]);
    let expected = format_args!("extents that make {}", self_.shape[dim]);
    check.require(valid, "splitSize", got, expected)?;
    let got = format_args!("{} tensors", out.len());
    let expected = format_args!("{}, as in splitSize", split_size.len());
    check.require(out.len() == split_size.len(), "out", got, expected)?;
    let (mut copies, mut at) = (Vec::new(), 0);
    for (index, (part, extent)) in out.into_iter().zip(split_size).enumerate() {
        let from = self_.narrowed(dim, at, extent, 1);
        like(&check, &format!("out[{index}]"), &part, &from)?;
        copies.push((from, part));
        at += extent;
    }
    Ok(copy(copies))
}

/// The dimensions in another order.
pub(super) fn permute(
    site: &Site,
    self_: Tensor,
    dims: Vec<i64>,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnPermute");
    movable(&check, "self", &self_)?;
    check.input("self", &self_)?;
    let rank = self_.shape.len();
    let order = dims.iter().map(|&dim| check.dim("dims", dim, rank));
    let order = order.collect::<Result<Vec<_>, _>>()?;
    let once = order.len() == rank && (0..rank).all(|dim| order.contains(&dim));
    let expected = format_args!("each of {rank} dimensions once");
    check.require(once, "dims", format_args!("{dims:?}"), expected)?;
    let from = self_.permuted(&order);
    like(&check, "out", &out, &from)?;
    Ok(copy(vec![(from, out)]))
}

/// Indices `start..end` of a dimension, every `step`th; both may count from the end, and are cut to what there is.
pub(super) fn slice(
    site: &Site,
    self_: Tensor,
    dim: i64,
    start: i64,
    end: i64,
    step: i64,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnSlice");
    movable(&check, "self", &self_)?;
    check.input("self", &self_)?;
    let from = sliced(&check, self_, dim, [start, end, step])?;
    like(&check, "out", &out, &from)?;
    Ok(copy(vec![(from, out)]))
}

/// [`slice`] of several dimensions, each once.
pub(super) fn slice_v2(
    site: &Site,
    self_: Tensor,
    starts: Vec<i64>,
    ends: Vec<i64>,
    axes: Vec<i64>,
    steps: Vec<i64>,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnSliceV2");
    movable(&check, "self", &self_)?;
    check.input("self", &self_)?;
    for (name, list) in [("starts", &starts), ("ends", &ends), ("steps", &steps)] {
        let got = format_args!("{} long", list.len());
        check.require(list.len() == axes.len(), name, got, format_args!("{}", axes.len()))?;
    }
    let mut seen = Vec::new();
    let mut from = self_;
    for (at, &axis) in axes.iter().enumerate() {
        let dim = check.dim("axes", axis, from.shape.len())?;
        check.require(!seen.contains(&dim), "axes", format_args!("{axes:?}"), "each once")?;
        seen.push(dim);
        from = sliced(&check, from, axis, [starts[at], ends[at], steps[at]])?;
    }
    like(&check, "out", &out, &from)?;
    Ok(copy(vec![(from, out)]))
}

fn sliced(
    check: &Check,
    from: Tensor,
    dim: i64,
    [start, end, step]: [i64; 3],
) -> Result<Tensor, Reject> {
    check.rank("self", &from, 1..=8)?;
    let dim = check.dim("dim", dim, from.shape.len())?;
    check.require(step > 0, "step", step, "at least 1")?;
    let extent = from.shape[dim];
    let inside = |at: i64| if at < 0 { at.saturating_add(extent) } else { at }.clamp(0, extent);
    let (start, end) = (inside(start), inside(end));
    let length = (end - start).max(0);
    let count = length / step + i64::from(length % step != 0);
    // A step as long as the dimension takes one index.
    Ok(from.narrowed(dim, start, count, step.min(extent.max(1))))
}

/// The tensor again and again; `repeats` may have more dimensions, in front. (A kernel of 8.5.0 writes beyond the output for
/// some shapes; this one does not.)
pub(super) fn repeat(
    site: &Site,
    self_: Tensor,
    repeats: Vec<i64>,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnRepeat");
    movable(&check, "self", &self_)?;
    check.input("self", &self_)?;
    let rank = self_.shape.len();
    let fits = (rank..=8).contains(&repeats.len()) && repeats.iter().all(|&times| times >= 0);
    let expected = format_args!("{rank} to 8 counts that are not negative");
    check.require(fits, "repeats", format_args!("{repeats:?}"), expected)?;
    let mut from = self_;
    for _ in rank..repeats.len() {
        from = from.unsqueezed(0);
    }
    let expected = from.shape.iter().zip(&repeats).map(|(extent, times)| extent * times);
    let expected = expected.collect::<Vec<_>>();
    movable(&check, "out", &out)?;
    check.output("out", &out)?;
    check.same_dtype("out", &out, "self", &from)?;
    check.shape("out", &out, &expected)?;
    // Each dimension in two, repetition and index: the same view of both.
    let (mut all, mut to) = (from.clone(), out);
    for (dim, &times) in repeats.iter().enumerate().rev() {
        let (extent, stride) = (from.shape[dim], to.strides[dim]);
        all.shape.insert(dim, times);
        all.strides.insert(dim, 0);
        to.shape[dim] = extent;
        to.shape.insert(dim, times);
        to.strides.insert(dim, extent * stride);
    }
    Ok(copy(vec![(all, to)]))
}

/// The tensor stretched to a larger shape; −1 keeps an extent.
pub(super) fn expand(
    site: &Site,
    self_: Tensor,
    extents: Vec<i64>,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnExpand");
    movable(&check, "self", &self_)?;
    check.input("self", &self_)?;
    let rank = self_.shape.len();
    let expected = format_args!("at least the {rank} dimensions of self");
    check.require(extents.len() >= rank, "size", format_args!("{extents:?}"), expected)?;
    let added = extents.len() - rank;
    let keep = |(dim, &extent): (usize, &i64)| match dim.checked_sub(added) {
        Some(own) if extent == -1 => self_.shape[own],
        _ => extent,
    };
    let shape = extents.iter().enumerate().map(keep).collect::<Vec<_>>();
    let from = check.stretch("self", &self_, &shape)?;
    like(&check, "out", &out, &from)?;
    Ok(copy(vec![(from, out)]))
}

fn movable(check: &Check, name: &str, tensor: &Tensor) -> Result<(), Reject> {
    check.dtype(name, tensor, MOVABLE)
}

/// An output for this view.
fn like(check: &Check, name: &str, out: &Tensor, from: &Tensor) -> Result<(), Reject> {
    check.output(name, out)?;
    check.same_dtype(name, out, "self", from)?;
    check.shape(name, out, &from.shape)
}

/// Everything is read before anything is written: views may overlap.
fn copy(copies: Vec<(Tensor, Tensor)>) -> Kernel {
    let tensors = copies.iter().flat_map(|(from, to)| [from, to]).collect::<Vec<_>>();
    let cost = Cost::of(&tensors, 0);
    Kernel::new(cost, move |mem| {
        let elements = copies.iter().map(|(from, _)| access::elements(mem, from));
        let elements = elements.collect::<Result<Vec<_>, _>>()?;
        let mut pairs = copies.iter().zip(elements);
        pairs.try_for_each(|((_, to), elements)| access::write_elements(mem, to, &elements))
    })
}

#[cfg(test)]
mod tests;
