//! `aclnnScatterPaKvCache` and `aclnnScatterPaCache`: rows of tokens into the blocks of a paged cache.
//!
//! Simulated: one row for each token. Refused with 561003: compressed caches (any `compressLens`, `seqLens` or mode
//! beside "None" and "NHSD").

use super::outside;
use crate::dtype::DataType;
use crate::kernel::{Cost, Fault, Kernel, NO_KERNEL, Reject};
use crate::memory::Memory;
use crate::ops::access::{elements, integers, width, write_elements_at};
use crate::ops::check::{Check, INDICES, MOVABLE};
use crate::profile::{Site, Soc};
use crate::tensor::{FRACTAL_NZ, ND, Tensor};

/// Writes keys and values of tokens to slots; slot `s` is row `s % block_size` of block `s / block_size`. A slot below 0
/// belongs to no token and is passed over.
pub(crate) fn scatter_pa_kv_cache(
    site: &Site,
    key: Tensor,
    key_cache: Tensor,
    slot_mapping: Tensor,
    value: Tensor,
    value_cache: Tensor,
    compress_lens: Option<Tensor>,
    compress_seq_offset: Option<Tensor>,
    seq_lens: Option<Tensor>,
    cache_mode: Option<String>,
    scatter_mode: Option<String>,
    _strides: Option<Vec<i64>>,
    _offsets: Option<Vec<i64>>,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnScatterPaKvCache");
    let uncompressed =
        compress_lens.is_none() && compress_seq_offset.is_none() && seq_lens.is_none();
    simulated(&check, uncompressed, scatter_mode.as_deref(), &["", "None", "NHSD"])?;
    let heads_first = scatter_mode.as_deref() == Some("NHSD");
    let blocked = match cache_mode.as_deref() {
        None | Some("" | "Norm") => false,
        Some("PA_NZ") => true,
        Some(other) => {
            let got = format_args!("{other:?}");
            return Err(check.reject("cacheModeOptional", got, "null, \"Norm\" or \"PA_NZ\""));
        }
    };
    let before_950 = check.soc != Soc::Ascend950;
    let fits = !heads_first || before_950 && !blocked;
    let expected = "\"None\" beside \"PA_NZ\" and on the 950";
    check.require(fits, "scatterModeOptional", "\"NHSD\"", expected)?;
    let order = match (blocked, heads_first) {
        (true, _) => Order::Blocked,
        (false, true) => Order::HeadsFirst,
        (false, false) => Order::TokensFirst,
    };
    let types =
        if before_950 { &[DataType::F16, DataType::Bf16, DataType::I8][..] } else { MOVABLE };
    let slots = Slots::new(&check, slot_mapping)?;
    let mut targets =
        vec![Target::new(&check, ["key", "keyCacheRef"], key, key_cache, order, types, &slots)?];
    if value.shape.is_empty() {
        check.require(before_950, "value", "without dimensions", "3 on the 950")?;
    } else {
        let names = ["value", "valueCacheRef"];
        targets.push(Target::new(&check, names, value, value_cache, order, types, &slots)?);
        let (keys, values) = (&targets[0].rows, &targets[1].rows);
        let got = format_args!("of shape {:?}", values.shape);
        let fits = keys.shape[..2] == values.shape[..2];
        check.require(fits, "value", got, "as many tokens and heads as key")?;
        if !blocked {
            check.same_dtype("value", values, "key", keys)?;
        }
    }
    let tensors =
        targets.iter().flat_map(|target| [&target.rows, &target.rows]).collect::<Vec<_>>();
    let cost = Cost::of(&tensors, 0);
    Ok(Kernel::new(cost, move |mem| {
        let slots = integers(mem, &slots.0)?;
        targets.iter().try_for_each(|target| target.write(mem, check.operator, &slots))
    }))
}

/// Writes rows of tokens to the slots of one cache; exists on the 950 alone.
pub(crate) fn scatter_pa_cache(
    site: &Site,
    key: Tensor,
    key_cache: Tensor,
    slot_mapping: Tensor,
    compress_lens: Option<Tensor>,
    compress_seq_offset: Option<Tensor>,
    seq_lens: Option<Tensor>,
    _cache_mode: Option<String>,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnScatterPaCache");
    check.chip(&[Soc::Ascend950])?;
    let uncompressed =
        compress_lens.is_none() && compress_seq_offset.is_none() && seq_lens.is_none();
    simulated(&check, uncompressed, None, &[])?;
    let slots = Slots::new(&check, slot_mapping)?;
    let names = ["key", "keyCacheRef"];
    let target = Target::new(&check, names, key, key_cache, Order::TokensFirst, MOVABLE, &slots)?;
    let cost = Cost::of(&[&target.rows, &target.rows], 0);
    Ok(Kernel::new(cost, move |mem| target.write(mem, check.operator, &integers(mem, &slots.0)?)))
}

fn simulated(
    check: &Check,
    uncompressed: bool,
    mode: Option<&str>,
    modes: &[&str],
) -> Result<(), Reject> {
    if !uncompressed {
        let expected = "null: compressed caches are not simulated";
        return Err(check.reject_as(
            NO_KERNEL,
            "compressLensOptional or seqLensOptional",
            "given",
            expected,
        ));
    }
    match mode {
        Some(mode @ ("Alibi" | "Rope" | "Omni" | "Nct")) => {
            let expected = "null, \"None\" or \"NHSD\": others are not simulated";
            let got = format_args!("{mode:?}");
            Err(check.reject_as(NO_KERNEL, "scatterModeOptional", got, expected))
        }
        Some(mode) => {
            let got = format_args!("{mode:?}");
            check.require(modes.contains(&mode), "scatterModeOptional", got, "a known mode")
        }
        None => Ok(()),
    }
}

struct Slots(Tensor);

impl Slots {
    fn new(check: &Check, slots: Tensor) -> Result<Self, Reject> {
        check.input("slotMapping", &slots)?;
        check.dtype("slotMapping", &slots, INDICES)?;
        check.rank("slotMapping", &slots, 1..=1)?;
        Ok(Self(slots))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// `[blocks, block_size, heads, D]`.
    TokensFirst,
    /// `[blocks, heads, block_size, D]`.
    HeadsFirst,
    /// `[blocks, heads, D / C0, block_size, C0]`, C0 being 32 bytes; heads and `D / C0` may be one dimension.
    Blocked,
}

struct Target {
    /// `[tokens, heads, D]`.
    rows: Tensor,
    cache: Tensor,
    order: Order,
    blocks: i64,
    block_size: i64,
}

impl Target {
    fn new(
        check: &Check,
        [name, cache_name]: [&str; 2],
        rows: Tensor,
        mut cache: Tensor,
        order: Order,
        types: &[DataType],
        slots: &Slots,
    ) -> Result<Self, Reject> {
        if order == Order::Blocked && cache.format == FRACTAL_NZ {
            // The shape already spells the blocks out.
            cache.format = ND;
        }
        check.input(name, &rows)?;
        check.output(cache_name, &cache)?;
        check.dtype(name, &rows, types)?;
        check.same_dtype(cache_name, &cache, name, &rows)?;
        let got = format_args!("of shape {:?}", rows.shape);
        let [tokens, heads, depth] = rows.shape[..] else {
            let expected = "[tokens, heads, D]: compressed caches are not simulated";
            let status =
                if rows.shape.len() == 4 { NO_KERNEL } else { crate::kernel::INVALID_PARAMETER };
            return Err(check.reject_as(status, name, got, expected));
        };
        check.require(rows.len() > 0, name, got, "not empty")?;
        check.shape("slotMapping", &slots.0, &[tokens])?;
        let inner = 32 / width(rows.dtype) as i64;
        if order != Order::TokensFirst {
            check.require(depth % inner == 0, name, got, "rows of a multiple of 32 bytes")?;
        }
        let shape = &cache.shape;
        let (blocks, block_size) = match (order, &shape[..]) {
            (Order::TokensFirst, &[blocks, size, _, _])
            | (Order::HeadsFirst | Order::Blocked, &[blocks, _, size, _])
            | (Order::Blocked, &[blocks, _, _, size, _]) => (blocks, size),
            _ => (0, 0),
        };
        let expected = match order {
            Order::TokensFirst => vec![blocks, block_size, heads, depth],
            Order::HeadsFirst => vec![blocks, heads, block_size, depth],
            Order::Blocked if shape.len() == 4 => {
                vec![blocks, heads * depth / inner, block_size, inner]
            }
            Order::Blocked => vec![blocks, heads, depth / inner, block_size, inner],
        };
        check.require(
            blocks * block_size > 0,
            cache_name,
            format_args!("of shape {shape:?}"),
            "a paged cache",
        )?;
        check.shape(cache_name, &cache, &expected)?;
        Ok(Self { rows, cache, order, blocks, block_size })
    }

    fn write(&self, mem: &dyn Memory, operator: &str, slots: &[i64]) -> Result<(), Fault> {
        let element = width(self.rows.dtype);
        let (heads, depth) = (self.rows.shape[1] as usize, self.rows.shape[2] as usize);
        let size = self.block_size as usize;
        let bytes = elements(mem, &self.rows)?;
        for (row, &slot) in bytes.chunks_exact(heads * depth * element).zip(slots) {
            let Ok(place) = usize::try_from(slot) else { continue };
            if slot >= self.blocks * self.block_size {
                return Err(outside(operator, "slotMapping", slot, self.blocks * self.block_size));
            }
            let (block, at) = (place / size, place % size);
            // Elements that lie together, and where piece after piece goes.
            let (len, first, step) = match self.order {
                Order::TokensFirst => (heads * depth, place * heads * depth, 0),
                Order::HeadsFirst => (depth, (block * heads * size + at) * depth, size * depth),
                Order::Blocked => {
                    let inner = 32 / element;
                    (inner, block * size * heads * depth + at * inner, size * inner)
                }
            };
            for (piece, bytes) in row.chunks_exact(len * element).enumerate() {
                write_elements_at(mem, &self.cache, first + piece * step, bytes)?;
            }
        }
        Ok(())
    }
}
