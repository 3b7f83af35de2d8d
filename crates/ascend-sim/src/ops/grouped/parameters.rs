//! Biases, scales and offsets.

use super::request::Request;
use super::scheme::{Scheme, bias_types};
use crate::dtype::DataType::{self, Bf16, E8M0, F32, I4, I32};
use crate::kernel::{Fault, NULL_POINTER, Reject};
use crate::memory::Memory;
use crate::ops::access::{floats_at, integers_at};
use crate::ops::check::Check;
use crate::profile::Soc;
use crate::tensor::Tensor;

#[derive(Debug, Default)]
pub(super) struct Parameters {
    pub(super) bias: Option<ByExpert>,
    pub(super) scale: Option<ByExpert>,
    pub(super) per_token: Option<Tensor>,
    pub(super) antiquant_scale: Option<ByExpert>,
    pub(super) antiquant_offset: Option<ByExpert>,
}

/// Rows that one expert has of each: in one tensor, or a tensor each.
#[derive(Debug)]
pub(super) struct ByExpert {
    list: Vec<Tensor>,
    stacked: bool,
}

impl ByExpert {
    pub(super) fn floats(&self, mem: &dyn Memory, expert: usize) -> Result<Vec<f32>, Fault> {
        let (tensor, first, count) = self.place(expert);
        floats_at(mem, tensor, first, count)
    }

    pub(super) fn integers(&self, mem: &dyn Memory, expert: usize) -> Result<Vec<i64>, Fault> {
        let (tensor, first, count) = self.place(expert);
        integers_at(mem, tensor, first, count)
    }

    fn place(&self, expert: usize) -> (&Tensor, usize, usize) {
        if !self.stacked {
            return (&self.list[expert], 0, self.list[expert].len());
        }
        let tensor = &self.list[0];
        let each = tensor.len() / tensor.shape[0] as usize;
        (tensor, expert * each, each)
    }
}

/// MX formats have a scale for 32 elements (OCP Microscaling Formats 1.0).
const MX_GROUP: i64 = 32;

impl Parameters {
    /// Takes the lists of the request, checked.
    pub(super) fn of(
        request: &mut Request,
        scheme: Scheme,
        stacked: bool,
        experts: i64,
        depth: i64,
        width: i64,
    ) -> Result<Self, Reject> {
        let check = request.check;
        let biases = bias_types(request);
        let weight = request.weight[0].clone();
        let x_type = request.x[0].dtype;
        let shape = |inner: &[i64]| {
            let mut shape = if stacked { vec![experts] } else { Vec::new() };
            shape.extend_from_slice(inner);
            shape
        };
        let counts = request.weight.len();
        let take = |name: &str, list: Option<Vec<Tensor>>| {
            let Some(list) = list else { return Ok(None) };
            let got = format_args!("a list of {}", list.len());
            let expected = format_args!("{counts} tensors, as weight has");
            check.require(list.len() == counts, name, got, expected)?;
            list.iter().try_for_each(|tensor| check.input(name, tensor))?;
            Ok(Some(ByExpert { list, stacked }))
        };
        let columns = |at: usize| if stacked { width } else { request.weight[at].shape[1] };
        let bias = take("biasOptional", request.bias.take())?;
        let mut parameters = Self { bias, ..Self::default() };
        for (at, bias) in parameters.bias.iter().flat_map(|bias| bias.list.iter().enumerate()) {
            check.dtype("biasOptional", bias, biases)?;
            check.shape("biasOptional", bias, &shape(&[columns(at)]))?;
        }
        match scheme {
            Scheme::Plain => {}
            Scheme::Int8 => {
                check.require(stacked, "weight", "a list", "one tensor where types are int8")?;
                parameters.scale = take("scaleOptional", request.scale.take())?;
                parameters.per_token =
                    request.per_token_scale.take().and_then(|mut list| list.pop());
                let rows = request.x[0].shape[0];
                int8_scales(&check, &parameters, &request.out[0], &shape(&[width]), rows)?;
            }
            Scheme::Weight => {
                parameters.antiquant_scale =
                    take("antiquantScaleOptional", request.antiquant_scale.take())?;
                parameters.antiquant_offset =
                    take("antiquantOffsetOptional", request.antiquant_offset.take())?;
                let group = weight_scales(&check, &parameters, &weight, x_type, stacked, depth)?;
                for (at, scale) in parameters.scales().enumerate() {
                    let groups = depth / group;
                    let by_group = scale.shape.len() == 2 + usize::from(stacked);
                    let inner =
                        if by_group { vec![groups, columns(at)] } else { vec![columns(at)] };
                    check.shape("antiquantScaleOptional", scale, &shape(&inner))?;
                }
                let offsets = parameters.antiquant_offset.iter().flat_map(|offset| &offset.list);
                for (at, offset) in offsets.enumerate() {
                    check.dtype("antiquantOffsetOptional", offset, &[x_type])?;
                    check.shape("antiquantOffsetOptional", offset, &shape(&[columns(at)]))?;
                }
            }
            Scheme::Mx => {
                parameters.antiquant_scale =
                    take("antiquantScaleOptional", request.antiquant_scale.take())?;
                mx_scales(
                    &check,
                    &parameters,
                    request.quant_group,
                    &weight,
                    experts,
                    depth,
                    width,
                )?;
            }
        }
        Ok(parameters)
    }

    fn scales(&self) -> impl Iterator<Item = &Tensor> {
        self.antiquant_scale.iter().flat_map(|scale| &scale.list)
    }
}

fn int8_scales(
    check: &Check,
    parameters: &Parameters,
    out: &Tensor,
    columns: &[i64],
    rows: i64,
) -> Result<(), Reject> {
    if let Some(scale) = &parameters.scale {
        // The type of the result decides that of the scale.
        let types = if out.dtype == Bf16 { &[Bf16, F32][..] } else { &[F32][..] };
        let types = if check.soc == Soc::Ascend950 { types } else { &types[..1] };
        check.dtype("scaleOptional", &scale.list[0], types)?;
        check.shape("scaleOptional", &scale.list[0], columns)?;
    }
    let integer = out.dtype == I32;
    let expected = "given unless out is I32, and then null";
    let got = if parameters.scale.is_some() { "given" } else { "null" };
    check.require(parameters.scale.is_some() != integer, "scaleOptional", got, expected)?;
    let Some(per_token) = &parameters.per_token else { return Ok(()) };
    check.input("perTokenScaleOptional", per_token)?;
    check.require(!integer, "perTokenScaleOptional", "given", "null where out is I32")?;
    check.dtype("perTokenScaleOptional", per_token, &[F32])?;
    check.shape("perTokenScaleOptional", per_token, &[rows])
}

/// Checks everything but shapes; rows of a group.
fn weight_scales(
    check: &Check,
    parameters: &Parameters,
    weight: &Tensor,
    x_type: DataType,
    stacked: bool,
    depth: i64,
) -> Result<i64, Reject> {
    let Some(scale) = parameters.scales().next() else {
        let expected = "given where weights are integers";
        return Err(check.reject_as(NULL_POINTER, "antiquantScaleOptional", "null", expected));
    };
    check.dtype("antiquantScaleOptional", scale, &[x_type])?;
    let four_bits = weight.dtype == I4;
    if four_bits {
        let inner = weight.shape[weight.shape.len() - if weight.exchanged() { 2 } else { 1 }];
        let got = format_args!("of shape {:?}", weight.shape);
        check.require(inner % 2 == 0, "weight", got, "an even inner dimension of int4")?;
    }
    let by_group = four_bits && scale.shape.len() == 2 + usize::from(stacked);
    let has_offset = parameters.antiquant_offset.is_some();
    if !four_bits && check.soc != Soc::Ascend950 {
        // "Optional" is in its name only.
        let expected = "given beside int8 weights, zeros if nothing else";
        if !has_offset {
            return Err(check.reject_as(NULL_POINTER, "antiquantOffsetOptional", "null", expected));
        }
    }
    if four_bits {
        let fits = !(has_offset && (by_group || !stacked));
        let expected = "null, unless one int4 tensor has scales of columns";
        check.require(fits, "antiquantOffsetOptional", "given", expected)?;
    }
    if !by_group {
        return Ok(depth);
    }
    let groups = scale.shape[usize::from(stacked)];
    let got = format_args!("of shape {:?}", scale.shape);
    let fits = groups > 0 && depth % groups == 0;
    let expected = format_args!("a number of groups that divides {depth}");
    check.require(fits, "antiquantScaleOptional", got, expected)?;
    let size = depth / groups;
    let fits = !weight.exchanged() || size % 2 == 0;
    check.require(fits, "antiquantScaleOptional", got, "groups of even size where transposed")?;
    let fits = check.soc != Soc::Ascend950 || [32, 64, 128, 256].contains(&size);
    check.require(fits, "antiquantScaleOptional", got, "groups of 32, 64, 128 or 256")?;
    Ok(size)
}

fn mx_scales(
    check: &Check,
    parameters: &Parameters,
    quant_group: i64,
    weight: &Tensor,
    experts: i64,
    depth: i64,
    width: i64,
) -> Result<(), Reject> {
    /// 32 bytes of four bits.
    const ALIGNMENT: i64 = 64;
    check.require(quant_group == MX_GROUP, "quantGroupSize", quant_group, MX_GROUP)?;
    let got = format_args!("of shape {:?}", weight.shape);
    let fits = weight.shape.len() == 3 && !weight.exchanged();
    check.require(fits, "weight", got, "[experts, rows, columns], not transposed")?;
    let fits = depth % ALIGNMENT == 0 && width % ALIGNMENT == 0;
    let expected = format_args!("rows and columns in multiples of {ALIGNMENT}");
    check.require(fits, "weight", got, expected)?;
    let Some(scale) = parameters.scales().next() else {
        let expected = "given where weights are FP4";
        return Err(check.reject_as(NULL_POINTER, "antiquantScaleOptional", "null", expected));
    };
    check.dtype("antiquantScaleOptional", scale, &[E8M0])?;
    check.shape("antiquantScaleOptional", scale, &[experts, depth / MX_GROUP, width])
}
