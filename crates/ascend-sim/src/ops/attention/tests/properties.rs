//! Random packed sequences against sums in f64.

use proptest::prelude::*;

use super::*;

const DEPTH: usize = 64;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn attention_is_a_weighted_mean(
        lengths in prop::collection::vec((0usize..5, 0usize..9), 1..4),
        (kv_heads, shared) in (1usize..3, 1usize..4),
        (mode, before, sinks) in (prop::sample::select(vec![0i64, 3, 4]), 0i64..6, any::<bool>()),
        seed in any::<u64>(),
    ) {
        let device = Device::default();
        let heads = kv_heads * shared;
        let number = |at: usize| {
            let bits = seed.wrapping_mul(at as u64 * 2 + 1).rotate_left(at as u32) >> 55;
            bits as f32 / 256.0 - 1.0
        };
        let values = |count: usize, from: usize| (from..from + count).map(number).collect::<Vec<_>>();
        let (queries, keys) = lengths.iter().fold((0, 0), |(q, k), of| (q + of.0, k + of.1));
        prop_assume!(queries > 0 && keys > 0);
        let (q, k, v) = (
            values(queries * heads * DEPTH, 0),
            values(keys * kv_heads * DEPTH, 100_000),
            values(keys * kv_heads * DEPTH, 200_000),
        );
        let tensor = |tokens: usize, heads: usize, values: &[f32]| {
            device.floats(F16, &[tokens as i64, heads as i64, DEPTH as i64], values)
        };
        let out = device.empty(F16, &[queries as i64, heads as i64, DEPTH as i64]);
        let mut call = Call::new(
            tensor(queries, heads, &q), tensor(keys, kv_heads, &k), tensor(keys, kv_heads, &v), "TND",
            heads as i64, out.clone(),
        );
        let ends = |of: fn(&(usize, usize)) -> usize| {
            let ends = lengths.iter().scan(0, |end, pair| {
                *end += of(pair) as i64;
                Some(*end)
            });
            Some(ends.collect::<Vec<_>>())
        };
        (call.queries, call.keys) = (ends(|pair| pair.0), ends(|pair| pair.1));
        (call.mode, call.before, call.after, call.kv_heads) = (mode, before, 0, kv_heads as i64);
        call.mask = (mode != 0).then(|| triangle(&device));
        let sink = values(heads, 300_000);
        call.sink = sinks.then(|| device.floats(F16, &[heads as i64], &sink));
        device.run(call.v4(&A2));
        let got = device.read_floats(&out);

        let (mut first_query, mut first_key) = (0, 0);
        for &(queries, keys) in &lengths {
            for (token, head) in (0..queries).flat_map(|token| (0..heads).map(move |head| (token, head))) {
                let row = (first_query + token) * heads + head;
                let last = token as i64 + keys as i64 - queries as i64;
                let seen = (0..keys as i64).filter(|&key| match mode {
                    0 => true,
                    3 => key <= last,
                    _ => key <= last && key >= last - before,
                });
                let weights = seen
                    .map(|key| {
                        let place = ((first_key + key as usize) * kv_heads + head / shared) * DEPTH;
                        let product = |at: usize| f64::from(q[row * DEPTH + at]) * f64::from(k[place + at]);
                        (place, ((0..DEPTH).map(product).sum::<f64>() * 0.125).exp())
                    })
                    .collect::<Vec<_>>();
                let extra = if sinks { f64::from(sink[head]).exp() } else { 0.0 };
                let total = weights.iter().map(|(_, weight)| weight).sum::<f64>() + extra;
                for at in 0..DEPTH {
                    let sum = weights.iter().map(|(place, weight)| weight * f64::from(v[place + at])).sum::<f64>();
                    let expected = if weights.is_empty() { 0.0 } else { sum / total };
                    let error = (f64::from(got[row * DEPTH + at]) - expected).abs();
                    prop_assert!(error < 6e-4, "{error} at row {row} of {:?}", lengths);
                }
            }
            first_query += queries;
            first_key += keys;
        }
    }
}
