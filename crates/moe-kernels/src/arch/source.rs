//! Rows of weights as they are stored, a group at a time.

use super::mxfp4::all_plain;
use super::order::{GROUP, Wide};
use super::simd::Simd;

/// A row that yields pairs.
pub(super) trait Source: Copy {
    /// How many whole groups there are.
    fn groups(self) -> usize;

    /// A whole group.
    fn group<S: Simd>(self, simd: S, group: usize) -> [S::Pairs; 4];

    /// What is left, filled up with zeros; `None` where nothing is.
    fn tail<S: Simd>(self, simd: S) -> Option<[S::Pairs; 4]>;

    /// Whether [`group`](Self::group) and [`tail`](Self::tail) give the weights.
    fn has_pairs(self) -> bool;

    /// Any group, the last one too, in `f32`: slow, but right for every row.
    fn wide(self, group: usize) -> Wide;

    /// Asks for what stands where a group would, `rows` rows of the same length further on.
    fn prefetch<S: Simd>(self, simd: S, group: usize, rows: usize);
}

/// A row in bf16.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bf16Row<'a> {
    whole: &'a [[u8; 2 * GROUP]],
    rest: &'a [u8],
}

impl<'a> Bf16Row<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let (whole, rest) = bytes.as_chunks();
        Self { whole, rest }
    }
}

impl Source for Bf16Row<'_> {
    #[inline(always)]
    fn groups(self) -> usize {
        self.whole.len()
    }

    #[inline(always)]
    fn group<S: Simd>(self, simd: S, group: usize) -> [S::Pairs; 4] {
        let (steps, _) = self.whole[group].as_chunks::<64>();
        let mut pairs = [simd.load_pairs(&steps[0]); 4];
        for step in 1..4 {
            pairs[step] = simd.load_pairs(&steps[step]);
        }
        pairs
    }

    #[inline(always)]
    fn tail<S: Simd>(self, simd: S) -> Option<[S::Pairs; 4]> {
        if self.rest.is_empty() {
            return None;
        }
        let mut pairs = [simd.load_part(self.rest); 4];
        for step in 1..4 {
            pairs[step] = simd.load_part(self.rest.get(64 * step..).unwrap_or_default());
        }
        Some(pairs)
    }

    #[inline(always)]
    fn has_pairs(self) -> bool {
        true
    }

    #[inline(always)]
    fn wide(self, _: usize) -> Wide {
        Wide::ZERO
    }

    #[inline(always)]
    fn prefetch<S: Simd>(self, simd: S, group: usize, rows: usize) {
        let group = &self.whole[group];
        let row = size_of_val(self.whole) + self.rest.len();
        for line in 0..4 {
            simd.prefetch(group.as_ptr().wrapping_add(rows * row + 64 * line));
        }
    }
}

/// A row in MXFP4.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mxfp4Row<'a> {
    codes: &'a [[u8; GROUP / 2]],
    scales: &'a [[u8; 4]],
    rest: &'a [u8],
    rest_scales: &'a [u8],
}

impl<'a> Mxfp4Row<'a> {
    /// There is a scale for every sixteen bytes of codes.
    pub(crate) fn new(codes: &'a [u8], scales: &'a [u8]) -> Self {
        let (codes, rest) = codes.as_chunks();
        let (scales, rest_scales) = scales.as_chunks();
        Self { codes, scales: &scales[..codes.len()], rest, rest_scales }
    }
}

impl Source for Mxfp4Row<'_> {
    #[inline(always)]
    fn groups(self) -> usize {
        self.codes.len()
    }

    #[inline(always)]
    fn group<S: Simd>(self, simd: S, group: usize) -> [S::Pairs; 4] {
        simd.mxfp4(simd.load_pairs(&self.codes[group]), self.scales[group])
    }

    #[inline(always)]
    fn tail<S: Simd>(self, simd: S) -> Option<[S::Pairs; 4]> {
        let mut scales = [0; 4];
        for (to, from) in scales.iter_mut().zip(self.rest_scales) {
            *to = *from;
        }
        (!self.rest.is_empty()).then(|| simd.mxfp4(simd.load_part(self.rest), scales))
    }

    #[inline(always)]
    fn has_pairs(self) -> bool {
        all_plain(self.scales.as_flattened()) && all_plain(self.rest_scales)
    }

    #[inline(always)]
    fn wide(self, group: usize) -> Wide {
        const VALUES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
        let codes = self.codes.get(group).map_or(self.rest, |codes| codes);
        let scales = self.scales.get(group).map_or(self.rest_scales, |scales| scales);
        let mut elements = [0.0; GROUP];
        for (i, element) in elements.iter_mut().enumerate().take(2 * codes.len()) {
            let code = codes[i / 2] >> (4 * (i % 2));
            let value = VALUES[usize::from(code & 7)];
            let scale = match scales[i / 32] {
                0 => f32::from_bits(0x0040_0000), // 2⁻¹²⁷
                u8::MAX => f32::NAN,
                exponent => f32::from_bits(u32::from(exponent) << 23),
            };
            *element = scale * if code & 8 == 0 { value } else { -value };
        }
        Wide::new(super::Order::Mxfp4, &elements)
    }

    #[inline(always)]
    fn prefetch<S: Simd>(self, simd: S, group: usize, rows: usize) {
        let row = size_of_val(self.codes) + self.rest.len();
        simd.prefetch(self.codes[group].as_ptr().wrapping_add(rows * row));
    }
}
