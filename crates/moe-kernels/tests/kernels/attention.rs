use half::{bf16, f16};
use moe_kernels::{Attention, Error, Heads, KvView, Rounding, Span, reference};
use ndarray::{Array2, ArrayView2, s};
use proptest::prelude::*;

use crate::made::{bits, matrix, numbers, on_any_threads, rows, shaped, to_f64};

/// Keys and values of all positions, and what a layer is.
#[derive(Clone, Debug)]
struct Case {
    heads: Heads,
    window: Option<usize>,
    keys: Array2<f32>,
    values: Array2<f32>,
    sinks: Vec<f32>,
}

/// A scale that is no power of two.
const SCALE: f32 = 0.3;

/// Keys and values as a cache has them, in pieces: each with its number of positions.
struct Cache(Vec<(Vec<f32>, Vec<f32>, usize)>);

impl Cache {
    fn spans(&self) -> Vec<Span<'_>> {
        let mut spans = Vec::new();
        for (keys, values, len) in &self.0 {
            spans.push(Span { keys: KvView::F32(keys), values: KvView::F32(values), len: *len });
        }
        spans
    }
}

/// What one head has after what another has, with room for some positions more, in which there is
/// nothing that could be computed with.
fn by_heads(rows: &ArrayView2<'_, f32>, heads: Heads, room: usize) -> Vec<f32> {
    let mut all = Vec::new();
    for head in 0..heads.kv {
        let columns = head * heads.dim..(head + 1) * heads.dim;
        all.extend(rows.slice(s![.., columns]).iter().copied());
        all.extend(vec![f32::NAN; room * heads.dim]);
    }
    all
}

impl Case {
    fn new(heads: Heads, window: Option<usize>, positions: usize) -> Self {
        let width = heads.kv * heads.dim;
        let keys = matrix(positions, width, 1) * 3.0;
        Self {
            heads,
            window,
            keys,
            values: matrix(positions, width, 2),
            sinks: numbers(heads.query, 3),
        }
    }

    fn queries(&self, tokens: usize) -> Array2<f32> {
        matrix(tokens, self.heads.query * self.heads.dim, 4) * 3.0
    }

    /// The positions from `first` on, cut before each of `cuts`.
    fn cache(&self, first: usize, cuts: &[usize]) -> Cache {
        let ends = cuts.iter().copied().chain([self.keys.nrows()]);
        let starts = [first].into_iter().chain(cuts.iter().copied());
        let piece = |(room, (start, end)): (usize, (usize, usize))| {
            let by_heads = |rows: &Array2<f32>| {
                by_heads(&rows.slice(s![start..end, ..]), self.heads, room % 3)
            };
            (by_heads(&self.keys), by_heads(&self.values), end - start)
        };
        Cache(starts.zip(ends).enumerate().map(piece).collect())
    }

    fn attention(&self, rounding: Rounding) -> Attention<'_> {
        let Self { heads, window, ref sinks, .. } = *self;
        Attention { heads, scale: SCALE, sinks, window, rounding }
    }

    fn run(&self, q: &Array2<f32>, first_query: usize) -> Array2<f32> {
        self.run_spans(q, first_query, &self.cache(0, &[]).spans(), 0, Rounding::None)
    }

    fn run_spans(
        &self,
        q: &Array2<f32>,
        first_query: usize,
        spans: &[Span<'_>],
        first_key: usize,
        rounding: Rounding,
    ) -> Array2<f32> {
        let mut out = Array2::from_elem(q.dim(), f32::NAN);
        let attention = self.attention(rounding);
        attention.attend(q.view(), first_query, spans, first_key, out.view_mut()).unwrap();
        out
    }

    fn reference(&self, q: &Array2<f32>, first_query: usize, t: usize) -> Vec<f64> {
        let seen = s![..=first_query + t, ..];
        reference::attend(
            &to_f64(q.row(t).as_slice().unwrap()),
            &to_f64(self.keys.slice(seen).as_slice().unwrap()),
            &to_f64(self.values.slice(seen).as_slice().unwrap()),
            &self.sinks,
            self.heads.kv,
            f64::from(SCALE),
            self.window,
        )
        .unwrap()
    }
}

/// The heads of gpt-oss in small, then shapes that fit no vector.
const HEADS: [Heads; 5] = [
    Heads { query: 16, kv: 2, dim: 64 },
    Heads { query: 8, kv: 2, dim: 16 },
    Heads { query: 3, kv: 1, dim: 5 },
    Heads { query: 3, kv: 3, dim: 17 },
    Heads { query: 1, kv: 1, dim: 1 },
];

#[test]
fn it_is_the_reference_at_every_position() {
    for heads in HEADS {
        for window in [None, Some(1), Some(2), Some(16), Some(128), Some(1000)] {
            let case = Case::new(heads, window, 150);
            let q = case.queries(150);
            let out = case.run(&q, 0);
            for t in 0..150 {
                for (found, expected) in out.row(t).iter().zip(case.reference(&q, 0, t)) {
                    let distance = (f64::from(*found) - expected).abs();
                    let what = format!("{heads:?}, {window:?}, position {t}");
                    assert!(distance < 4e-6, "{what}: {found}, not {expected}");
                }
            }
        }
    }
}

#[test]
fn a_query_does_not_depend_on_its_chunk_or_the_threads() {
    for heads in HEADS {
        for window in [None, Some(16), Some(100)] {
            let case = Case::new(heads, window, 140);
            let q = case.queries(140);
            let all = on_any_threads(|| case.run(&q, 0));
            for (t, row) in rows(&q) {
                assert_eq!(bits(&case.run(&row, t)), bits(all.row(t)), "{heads:?} {window:?} {t}");
            }
            for (start, end) in [(0, 70), (70, 140), (3, 97), (139, 140)] {
                let some = case.run(&q.slice(s![start..end, ..]).to_owned(), start);
                assert_eq!(bits(&some), bits(all.slice(s![start..end, ..])), "{start}..{end}");
            }
        }
    }
}

proptest! {
    #[test]
    fn keys_may_be_cut_and_dropped_anywhere(
        heads in prop::sample::select(HEADS.to_vec()),
        window in prop::option::of(1..80usize),
        mut cuts in proptest::collection::vec(0..100usize, 0..6),
        first_query in 0..99usize,
        dropped in 0..100usize,
    ) {
        let case = Case::new(heads, window, 100);
        let q = case.queries(100 - first_query);
        let whole = case.run(&q, first_query);
        // Keys before the window of the first query need not be there.
        let needed = window.map_or(0, |window| (first_query + 1).saturating_sub(window));
        let first_key = dropped.min(needed);
        for cut in &mut cuts {
            *cut = (*cut).max(first_key);
        }
        cuts.sort_unstable();
        let cache = case.cache(first_key, &cuts);
        let cut = case.run_spans(&q, first_query, &cache.spans(), first_key, Rounding::None);
        prop_assert_eq!(bits(&cut), bits(&whole));
    }
}

#[test]
fn what_a_query_does_not_see_is_not_touched() {
    for heads in HEADS {
        let case = Case::new(heads, Some(16), 90);
        let q = case.queries(50);
        let expected = case.run(&q, 20);
        let mut poisoned = case.clone();
        for unseen in [s![..5, ..], s![70.., ..]] {
            poisoned.keys.slice_mut(unseen).fill(f32::NAN);
            poisoned.values.slice_mut(unseen).fill(f32::NAN);
        }
        assert_eq!(
            bits(&poisoned.run(&q, 20)),
            bits(&expected),
            "before the first, after the last"
        );
        // A neighbour in the same chunk sees it.
        poisoned = case.clone();
        poisoned.keys.row_mut(50).fill(f32::NAN);
        poisoned.values.row_mut(50).fill(f32::INFINITY);
        let found = poisoned.run(&q, 20);
        for t in (0..30).chain(46..50) {
            assert_eq!(bits(found.row(t)), bits(expected.row(t)), "{heads:?} {t}");
        }
        assert!(found.row(30).iter().all(|value| value.is_nan()));
    }
}

#[test]
fn keys_in_16_bits_are_those_of_their_values() {
    for heads in HEADS {
        let case = Case::new(heads, Some(70), 100);
        let q = case.queries(40);
        let keys = &by_heads(&case.keys.view(), heads, 7);
        let values = &by_heads(&case.values.view(), heads, 7);
        let len = 100;
        let half_of = |values: &[f32]| values.iter().map(|v| f16::from_f32(*v)).collect::<Vec<_>>();
        let brain_of =
            |values: &[f32]| values.iter().map(|v| bf16::from_f32(*v)).collect::<Vec<_>>();
        let (f16s, bf16s) = ([half_of(keys), half_of(values)], [brain_of(keys), brain_of(values)]);
        let f16_span = Span { keys: KvView::F16(&f16s[0]), values: KvView::F16(&f16s[1]), len };
        let bf16_span =
            Span { keys: KvView::Bf16(&bf16s[0]), values: KvView::Bf16(&bf16s[1]), len };
        for (rounding, span) in [(Rounding::F16, f16_span), (Rounding::Bf16, bf16_span)] {
            let mut widened = case.clone();
            widened.keys.mapv_inplace(|value| rounding.round(value));
            widened.values.mapv_inplace(|value| rounding.round(value));
            let found = case.run_spans(&q, 60, &[span], 0, Rounding::None);
            assert_eq!(bits(&found), bits(&widened.run(&q, 60)), "{heads:?} {rounding:?}");
        }
    }
}

/// One head as transformers computes it in bf16, sums and exponentials in f64.
fn in_bf16(q: &[f32], keys: &[&[f32]], values: &[&[f32]], sink: f32) -> Vec<f32> {
    let round = |value: f64| bf16::from_f64(value).to_f64();
    let product = |key: &&[f32]| -> f64 {
        q.iter().zip(*key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum()
    };
    let scaled = keys.iter().map(|key| round(round(product(key)) * f64::from(SCALE)));
    let scaled: Vec<f64> = scaled.collect();
    let sink = f64::from(sink);
    let largest = scaled.iter().copied().fold(sink, f64::max);
    let exps: Vec<f64> = scaled.iter().map(|score| round(score - largest).exp()).collect();
    let total = exps.iter().sum::<f64>() + round(sink - largest).exp();
    let mut out = vec![0.0; q.len()];
    for (exp, value) in exps.iter().zip(values) {
        for (out, value) in out.iter_mut().zip(*value) {
            *out += round(exp / total) * f64::from(*value);
        }
    }
    out.into_iter().map(|value| round(value) as f32).collect()
}

#[test]
fn bf16_rounds_where_transformers_does() {
    let heads = Heads { query: 4, kv: 2, dim: 32 };
    let mut case = Case::new(heads, Some(20), 60);
    let round = |value: f32| Rounding::Bf16.round(value);
    case.keys.mapv_inplace(round);
    case.values.mapv_inplace(round);
    // So large that often one is the largest logit.
    case.sinks = case.sinks.iter().map(|sink| round(*sink * 20.0)).collect();
    let q = case.queries(60).mapv(round);
    let found = case.run_spans(&q, 0, &case.cache(0, &[]).spans(), 0, Rounding::Bf16);
    let mut others = 0;
    for t in 0..60usize {
        for head in 0..4 {
            let column = head / 2 * 32..head / 2 * 32 + 32;
            let seen = (t + 1).saturating_sub(20)..=t;
            let of = |from: &'_ Array2<f32>| -> Vec<Vec<f32>> {
                seen.clone().map(|j| from.row(j).to_vec()[column.clone()].to_vec()).collect()
            };
            let (keys, values) = (of(&case.keys), of(&case.values));
            let keys: Vec<&[f32]> = keys.iter().map(Vec::as_slice).collect();
            let values: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
            let q = &q.row(t).to_vec()[head * 32..(head + 1) * 32];
            let expected = in_bf16(q, &keys, &values, case.sinks[head]);
            let found = found.slice(s![t, head * 32..(head + 1) * 32]);
            others += found.iter().zip(expected).filter(|(found, e)| *found != e).count();
        }
    }
    // Where a sum in f32 is on the other side of a tie; every rounding left out changes thousands.
    assert!(others < 20, "{others} of {} differ", 60 * 128);
}

#[test]
fn f16_rounds_results_only() {
    let case = Case::new(HEADS[1], None, 50);
    let q = case.queries(50);
    let found = case.run_spans(&q, 0, &case.cache(0, &[]).spans(), 0, Rounding::F16);
    assert_eq!(found, case.run(&q, 0).mapv(|value| Rounding::F16.round(value)));
}

#[test]
fn a_sink_of_minus_infinity_is_none_and_a_large_one_takes_all() {
    let mut case = Case::new(Heads { query: 1, kv: 1, dim: 2 }, None, 1);
    case.sinks = vec![f32::NEG_INFINITY];
    assert_eq!(case.run(&case.queries(1), 0), case.values);
    case.sinks = vec![1e30];
    assert_eq!(case.run(&case.queries(1), 0), shaped(1, 2, vec![0.0; 2]));
}

#[test]
fn missing_keys_are_refused() {
    let case = Case::new(HEADS[1], Some(4), 10);
    let attend = |first_query, first_key, tokens| {
        let cache = case.cache(0, &[3]);
        let mut out = case.queries(tokens);
        let q = case.queries(tokens);
        let attention = case.attention(Rounding::None);
        attention.attend(q.view(), first_query, &cache.spans(), first_key, out.view_mut())
    };
    assert_eq!(attend(9, 0, 1), Ok(()));
    assert_eq!(attend(9, 6, 1), Ok(()));
    let missing = |first_needed, last_needed, first| {
        Err(Error::Keys { first_needed, last_needed, first, count: 10 })
    };
    assert_eq!(attend(10, 0, 1), missing(7, 10, 0));
    assert_eq!(attend(8, 0, 3), missing(5, 10, 0));
    assert_eq!(attend(9, 7, 1), missing(6, 9, 7));
    assert!(matches!(attend(usize::MAX, 0, 1), Err(Error::Keys { .. })));
    assert!(matches!(attend(usize::MAX - 1, 0, 1), Err(Error::Keys { .. })));
    assert_eq!(attend(usize::MAX, 0, 0), Ok(()));
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let case = Case::new(HEADS[1], None, 3);
    let attend = |attention: Attention<'_>, q: (usize, usize), out: (usize, usize)| {
        let (q, mut out) = (Array2::zeros(q), Array2::zeros(out));
        attention.attend(q.view(), 0, &case.cache(0, &[]).spans(), 0, out.view_mut()).unwrap_err()
    };
    let good = case.attention(Rounding::None);
    let shape = |argument, expected, found| Error::Shape { argument, expected, found };
    assert_eq!(attend(good, (1, 127), (1, 128)), shape("q of attend", [1, 128], [1, 127]));
    assert_eq!(attend(good, (2, 128), (1, 128)), shape("out of attend", [2, 128], [1, 128]));
    assert_eq!(
        attend(Attention { sinks: &[0.0; 7], ..good }, (1, 128), (1, 128)),
        Error::Length { argument: "sinks of attention", expected: 8, found: 7 }
    );
    for (bad, name) in [
        (Attention { window: Some(0), ..good }, "window of attention"),
        (Attention { heads: Heads { kv: 3, ..good.heads }, ..good }, "query heads"),
        (Attention { heads: Heads { query: 0, ..good.heads }, ..good }, "query heads"),
        (Attention { heads: Heads { kv: 0, ..good.heads }, ..good }, "key heads"),
        (Attention { heads: Heads { dim: 0, ..good.heads }, ..good }, "elements of a head"),
        (
            Attention { heads: Heads { dim: usize::MAX, ..good.heads }, ..good },
            "elements of a head",
        ),
    ] {
        match attend(bad, (1, 128), (1, 128)) {
            Error::Count { argument, .. } => assert_eq!(argument, name),
            other => panic!("{other}"),
        }
    }
    let bad_span = |keys: usize, values: usize, len: usize| {
        let (keys, values) = (vec![0.0; keys], vec![0.0; values]);
        let span = Span { keys: KvView::F32(&keys), values: KvView::F32(&values), len };
        let (q, mut out) = (case.queries(1), case.queries(1));
        good.attend(q.view(), 0, &[span], 0, out.view_mut()).unwrap_err()
    };
    assert!(matches!(bad_span(31, 31, 0), Error::Count { argument: "keys of a span", .. }));
    let values = Error::Length { argument: "values of a span", expected: 32, found: 64 };
    assert_eq!(bad_span(32, 64, 1), values);
    let positions = "positions of a span";
    let expected = "at most its capacity";
    assert_eq!(bad_span(64, 64, 3), Error::Count { argument: positions, expected, found: 3 });
}
