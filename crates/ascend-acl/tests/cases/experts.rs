//! Experts.

use ascend_acl::op::{
    self, Experts, FinalizeRouting, GateOrder, GroupList, GroupedMatmul, Routing,
};
use ascend_acl::sys::aclDataType;
use half::bf16;

use super::Cases;
use super::bench::{Bench, Failure, close, same};
use super::products::multiply;
use super::quantised::nibbles;

pub(super) const CASES: Cases = &[
    ("choice of experts, softmax last", |bench| gating(bench, GateOrder::TopKThenSoftmax)),
    ("choice of experts, softmax first", |bench| gating(bench, GateOrder::SoftmaxThenTopK)),
    ("routing, counts", |bench| routing(bench, GroupList::Counts, None)),
    ("routing, ends", |bench| routing(bench, GroupList::Ends, None)),
    ("routing, a range of experts", |bench| routing(bench, GroupList::Counts, Some(1..3))),
    ("routing, second version", routing_v2),
    ("ends of experts", ends),
    ("grouped product, bf16 with f32 bias", grouped),
    ("grouped product, int8", |bench| grouped_narrow(bench, false)),
    ("grouped product, int4 by groups", |bench| grouped_narrow(bench, true)),
    ("grouped product, MXFP4", grouped_mx),
    ("sum of experts", finalize),
    ("permuted and back", permuted),
];

const EXPERTS: usize = 4;

fn gating(bench: &Bench, order: GateOrder) -> Result<(), Failure> {
    let (tokens, k) = (3, 2);
    // No two scores of a row are alike, whatever the rounding.
    let score = |at: usize| ((at * 7 + at / 8) % 8) as f32 / 2.0 - 1.0;
    let scores = bench.both::<bf16>(&[tokens, 8], (0..tokens * 8).map(score).collect())?;
    let (weights, experts) = (bench.out::<bf16>(tokens * k)?, bench.out::<i32>(tokens * k)?);
    let (w, e) = (weights.tensor(&[tokens, k])?, experts.tensor(&[tokens, k])?);
    op::gating_top_k(bench.stream, &scores.tensor()?, None, order, &w, &e)?;
    let (mut want, mut want_experts) = (Vec::new(), Vec::new());
    for row in scores.host.chunks(8) {
        let mut order_of: Vec<usize> = (0..8).collect();
        order_of.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
        let chosen = &order_of[..k];
        let all: Vec<usize> = match order {
            GateOrder::TopKThenSoftmax => chosen.to_vec(),
            GateOrder::SoftmaxThenTopK => order_of.clone(),
        };
        let sum: f32 = all.iter().map(|at| row[*at].exp()).sum();
        want.extend(chosen.iter().map(|at| row[*at].exp() / sum));
        want_experts.extend(chosen.iter().map(|at| *at as i32));
    }
    same("experts", &experts, &want_experts)?;
    close("weights", &weights, &want)
}

/// Experts of three tokens, two each.
const CHOSEN: [i32; 6] = [2, 0, 1, 2, 3, 2];

/// Where each row goes, and how many rows each expert has.
fn placed() -> ([i32; 6], [i64; EXPERTS]) {
    let mut order: Vec<usize> = (0..6).collect();
    order.sort_by_key(|at| CHOSEN[*at]);
    let mut places = [0; 6];
    order.iter().enumerate().for_each(|(place, at)| places[*at] = place as i32);
    let mut counts = [0; EXPERTS];
    for expert in CHOSEN {
        counts[expert.cast_unsigned() as usize] += 1;
    }
    (places, counts)
}

fn routing(
    bench: &Bench,
    list: GroupList,
    range: Option<std::ops::Range<usize>>,
) -> Result<(), Failure> {
    let x = bench.floats::<bf16>(&[3, 16], 1.0)?;
    let chosen = bench.put(&CHOSEN)?;
    let here = range.unwrap_or(0..EXPERTS);
    let (rows, places) = (bench.both::<bf16>(&[6, 16], vec![0.0; 96])?, bench.out::<i32>(6)?);
    let counts = bench.out::<i64>(here.len())?;
    let out = Routing {
        rows: &rows.tensor()?,
        places: &places.tensor(&[6])?,
        counts: &counts.tensor(&[here.len()])?,
    };
    let scales = bench.out::<f32>(6)?;
    let (chosen, scales) = (chosen.tensor(&[3, 2])?, scales.tensor(&[6])?);
    let experts = Experts { count: EXPERTS, here: here.clone() };
    op::init_routing(bench.stream, &x.tensor()?, &chosen, &experts, list, out, &scales)?;
    let (want_places, want_counts) = placed();
    let mut want = want_counts[here.clone()].to_vec();
    if list == GroupList::Ends {
        (1..want.len()).for_each(|at| want[at] += want[at - 1]);
    }
    same("counts", &counts, &want)?;
    // Rows of other experts are not written.
    let before: i64 = want_counts[..here.start].iter().sum();
    let got: Vec<f32> = rows.there.to_vec()?.into_iter().map(bf16::to_f32).collect();
    let got_places = places.to_vec()?;
    for (at, place) in want_places.into_iter().enumerate() {
        if !here.contains(&(CHOSEN[at].cast_unsigned() as usize)) {
            continue;
        }
        let place = (i64::from(place) - before).cast_unsigned() as usize;
        let (row, token) = (&got[place * 16..][..16], at / 2);
        if row != &x.host[token * 16..][..16] || got_places[at] as usize != place {
            let got = got_places[at];
            return Err(Failure::Wrong(format!("row {at} went to {got}, expected {place}")));
        }
    }
    Ok(())
}

fn routing_v2(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<bf16>(&[3, 16], 1.0)?;
    let chosen = bench.put(&CHOSEN)?;
    let (rows, places) = (bench.out::<bf16>(96)?, bench.out::<i32>(6)?);
    let (counts, wide) = (bench.out::<i32>(EXPERTS)?, bench.out::<i64>(EXPERTS)?);
    let counts_there = counts.tensor(&[EXPERTS])?;
    let out = Routing {
        rows: &rows.tensor(&[6, 16])?,
        places: &places.tensor(&[6])?,
        counts: &counts_there,
    };
    let experts = chosen.tensor(&[3, 2])?;
    let list = GroupList::Counts;
    op::init_routing_v2(bench.stream, &x.tensor()?, &experts, EXPERTS, list, out)?;
    op::cast(bench.stream, &counts_there, &wide.tensor(&[EXPERTS])?)?;
    let (want_places, want_counts) = placed();
    same("places", &places, &want_places)?;
    same("counts", &wide, &want_counts)?;
    let mut want = vec![0.0; 96];
    for (at, place) in want_places.into_iter().enumerate() {
        want[place.cast_unsigned() as usize * 16..][..16]
            .copy_from_slice(&x.host[at / 2 * 16..][..16]);
    }
    close("rows", &rows, &want)
}

fn ends(bench: &Bench) -> Result<(), Failure> {
    let sorted = bench.put(&[0_i32, 0, 1, 3])?;
    let out = bench.out::<i32>(EXPERTS)?;
    op::expert_ends(bench.stream, &sorted.tensor(&[4])?, &out.tensor(&[EXPERTS])?)?;
    same("ends", &out, &[2, 3, 3, 4])
}

/// Seven rows for four experts, of which the third has none.
const COUNTS: [i64; EXPERTS] = [2, 1, 0, 4];
const M: usize = 7;

fn by_expert(x: &[f32], weights: &[f32], (k, n): (usize, usize)) -> Vec<f32> {
    let mut want = Vec::new();
    let mut first = 0;
    for (expert, count) in COUNTS.iter().enumerate() {
        let count = count.cast_unsigned() as usize;
        let (rows, weight) = (&x[first * k..][..count * k], &weights[expert * k * n..][..k * n]);
        want.extend(multiply(rows, weight, (count, k, n)));
        first += count;
    }
    want
}

fn grouped(bench: &Bench) -> Result<(), Failure> {
    let (k, n) = (32, 48);
    let rows = bench.floats::<bf16>(&[M, k], 1.0)?;
    let weights = bench.floats::<bf16>(&[EXPERTS, k, n], 1.0)?;
    let bias = bench.floats::<f32>(&[EXPERTS, n], 1.0)?;
    let groups = bench.put(&COUNTS)?;
    let out = bench.out::<bf16>(M * n)?;
    let call = GroupedMatmul {
        rows: &rows.tensor()?,
        weights: &weights.tensor()?,
        groups: &groups.tensor(&[EXPERTS])?,
        list: GroupList::Counts,
        bias: Some(&bias.tensor()?),
        scale: None,
        offset: None,
    };
    call.launch(bench.stream, &out.tensor(&[M, n])?)?;
    let expert_of = |row: usize| [0, 0, 1, 3, 3, 3, 3][row];
    let mut want = by_expert(&rows.host, &weights.host, (k, n));
    let biased = want.iter_mut().enumerate();
    biased.for_each(|(at, want)| *want += bias.host[expert_of(at / n) * n + at % n]);
    close("products", &out, &want)
}

fn grouped_narrow(bench: &Bench, is_int4: bool) -> Result<(), Failure> {
    let (k, n, group) = (64, 64, 32);
    let rows = bench.floats::<bf16>(&[M, k], 1.0)?;
    let weights = bench.small(EXPERTS * k * n, if is_int4 { 8 } else { 128 });
    let (groups, out) = (bench.put(&COUNTS)?, bench.out::<bf16>(M * n)?);
    let factor = if is_int4 { 0.1 } else { 0.01 };
    let by_group = bench.floats::<bf16>(&[EXPERTS, k / group, n], factor)?;
    let by_column = bench.floats::<bf16>(&[EXPERTS, n], factor)?;
    let zeros = bench.both::<bf16>(&[EXPERTS, n], vec![0.0; EXPERTS * n])?;
    let (scale, zeros) = (if is_int4 { &by_group } else { &by_column }, zeros.tensor()?);
    let (whole, packed) = (bench.put(&weights)?, bench.put(&nibbles(&weights))?);
    let shape = [EXPERTS, k, n];
    let weights_there = if is_int4 {
        packed.tensor_of(aclDataType::INT4, &shape)?
    } else {
        whole.tensor(&shape)?
    };
    let call = GroupedMatmul {
        rows: &rows.tensor()?,
        weights: &weights_there,
        groups: &groups.tensor(&[EXPERTS])?,
        list: GroupList::Counts,
        bias: None,
        scale: Some(&scale.tensor()?),
        offset: (!is_int4).then_some(&zeros),
    };
    call.launch(bench.stream, &out.tensor(&[M, n])?)?;
    let scale_of = |at: usize| {
        let (expert, row, column) = (at / (k * n), at / n % k, at % n);
        let groups = if is_int4 { k / group } else { 1 };
        let group = if is_int4 { row / group } else { 0 };
        scale.host[(expert * groups + group) * n + column]
    };
    let real: Vec<f32> =
        weights.iter().enumerate().map(|(at, q)| f32::from(*q) * scale_of(at)).collect();
    close("products", &out, &by_expert(&rows.host, &real, (k, n)))
}

/// E2M1 (OCP Microscaling Formats 1.0): the values of the eight patterns without a sign.
const FP4: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];

fn grouped_mx(bench: &Bench) -> Result<(), Failure> {
    if !bench.is_950()? {
        return Err(Failure::NotHere("only the 950 has it".to_owned()));
    }
    let (k, n) = (64, 64);
    let rows = bench.floats::<bf16>(&[M, k], 1.0)?;
    let codes: Vec<u8> = (0..EXPERTS * k * n).map(|_| (bench.draw() % 16) as u8).collect();
    let scales: Vec<u8> =
        (0..EXPERTS * k / 32 * n).map(|_| 124 + (bench.draw() % 4) as u8).collect();
    // Blocks of 16 rows by 64 elements; a matrix of 64 columns is one column of blocks, row after row.
    let packed: Vec<u8> = codes.chunks(2).map(|pair| pair[0] | pair[1] << 4).collect();
    let (weights, scales_there) = (bench.put(&packed)?, bench.put(&scales)?);
    let (groups, out) = (bench.put(&COUNTS)?, bench.out::<bf16>(M * n)?);
    let call = GroupedMatmul {
        rows: &rows.tensor()?,
        weights: &weights.tensor_of(aclDataType::FLOAT4_E2M1, &[EXPERTS, k, n])?.as_nz()?,
        groups: &groups.tensor(&[EXPERTS])?,
        list: GroupList::Counts,
        bias: None,
        scale: Some(&scales_there.tensor_of(aclDataType::FLOAT8_E8M0, &[EXPERTS, k / 32, n])?),
        offset: None,
    };
    call.launch(bench.stream, &out.tensor(&[M, n])?)?;
    let real: Vec<f32> = (0..codes.len())
        .map(|at| {
            let (expert, row, column) = (at / (k * n), at / n % k, at % n);
            let scale = scales[(expert * k / 32 + row / 32) * n + column];
            let sign = if codes[at] & 8 == 0 { 1.0 } else { -1.0 };
            sign * FP4[usize::from(codes[at] & 7)] * f32::powi(2.0, i32::from(scale) - 127)
        })
        .collect();
    close("products", &out, &by_expert(&rows.host, &real, (k, n)))
}

fn finalize(bench: &Bench) -> Result<(), Failure> {
    let width = 32;
    let rows = bench.floats::<bf16>(&[6, width], 1.0)?;
    let (places, _) = placed();
    let places_there = bench.put(&places)?;
    let weights = bench.floats::<bf16>(&[3, 2], 1.0)?;
    let residual = bench.floats::<bf16>(&[3, width], 1.0)?;
    let bias = bench.floats::<bf16>(&[EXPERTS, width], 1.0)?;
    let chosen = bench.put(&CHOSEN)?;
    let out = bench.out::<bf16>(3 * width)?;
    let call = FinalizeRouting {
        rows: &rows.tensor()?,
        places: &places_there.tensor(&[6])?,
        weights: Some(&weights.tensor()?),
        residual: Some(&residual.tensor()?),
        bias: Some((&bias.tensor()?, &chosen.tensor(&[3, 2])?)),
    };
    call.launch(bench.stream, &out.tensor(&[3, width])?)?;
    let want: Vec<f32> = (0..3 * width)
        .map(|at| {
            let (token, column) = (at / width, at % width);
            let answer = |i: usize| {
                let choice = token * 2 + i;
                let row = places[choice].cast_unsigned() as usize;
                let expert = CHOSEN[choice].cast_unsigned() as usize;
                weights.host[choice]
                    * (rows.host[row * width + column] + bias.host[expert * width + column])
            };
            residual.host[at] + answer(0) + answer(1)
        })
        .collect();
    close("sums", &out, &want)
}

fn permuted(bench: &Bench) -> Result<(), Failure> {
    let width = 32;
    let tokens = bench.floats::<bf16>(&[3, width], 1.0)?;
    let chosen = bench.put(&CHOSEN)?;
    let weights = bench.both::<bf16>(&[3, 2], vec![0.25, 0.75, 0.5, 0.5, 1.0, 0.0])?;
    let (rows, places) = (bench.out::<bf16>(6 * width)?, bench.out::<i32>(6)?);
    let out = bench.out::<bf16>(3 * width)?;
    let (rows_there, places_there) = (rows.tensor(&[6, width])?, places.tensor(&[6])?);
    let experts = chosen.tensor(&[3, 2])?;
    op::permute_tokens(bench.stream, &tokens.tensor()?, &experts, &rows_there, &places_there)?;
    let (w, result) = (weights.tensor()?, out.tensor(&[3, width])?);
    op::unpermute(bench.stream, &rows_there, &places_there, Some(&w), &result)?;
    // The weights of a token sum to 1.
    close("tokens", &out, &tokens.host)
}
