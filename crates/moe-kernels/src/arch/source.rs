//! Rows of weights as they are stored, a group at a time.

use super::coded::{Escape, GROUP_BYTES, index_of, lower_of};
use super::mxfp4::all_plain;
use super::order::{GROUP, Wide};
use super::simd::Simd;

/// A row that yields pairs.
pub(super) trait Source: Copy {
    /// How many whole groups there are.
    fn groups(self) -> usize;

    /// The row with so many whole groups, of which there are at least as many: what the optimiser must
    /// see to leave out checks.
    fn cut(self, groups: usize) -> Self;

    /// Bytes from this row to the next where they lie in one piece.
    fn row_bytes(self) -> usize;

    /// Where the row begins.
    fn start(self) -> *const u8;

    /// A whole group.
    fn group<S: Simd>(self, simd: S, group: usize) -> [S::Pairs; 4];

    /// What is left, filled up with zeros; `None` where nothing is.
    fn tail<S: Simd>(self, simd: S) -> Option<[S::Pairs; 4]>;

    /// Whether [`group`](Self::group) and [`tail`](Self::tail) give the weights.
    fn has_pairs(self) -> bool;

    /// Any group, the last one too, in `f32`: slow, but right for every row.
    fn wide(self, group: usize) -> Wide;

    /// Asks for what stands `ahead` bytes after a group.
    fn prefetch<S: Simd>(self, simd: S, group: usize, ahead: usize);

    /// A whole group as it is stored, where that is MXFP4.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        allow(dead_code, reason = "groups are decoded as they are stored on x86-64 only")
    )]
    #[inline(always)]
    fn mxfp4(&self, _group: usize) -> Option<Mxfp4Group<'_>> {
        None
    }
}

/// Four blocks.
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "groups are decoded as they are stored on x86-64 only")
)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Mxfp4Group<'a> {
    pub(super) codes: &'a [u8; GROUP / 2],
    pub(super) scales: [u8; 4],
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
    fn cut(self, groups: usize) -> Self {
        Self { whole: &self.whole[..groups], ..self }
    }

    #[inline(always)]
    fn row_bytes(self) -> usize {
        size_of_val(self.whole) + self.rest.len()
    }

    #[inline(always)]
    fn start(self) -> *const u8 {
        self.whole.as_ptr().cast()
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
    fn prefetch<S: Simd>(self, simd: S, group: usize, ahead: usize) {
        let group = &self.whole[group];
        for line in 0..4 {
            simd.prefetch(group.as_ptr().wrapping_add(ahead + 64 * line));
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
    fn cut(self, groups: usize) -> Self {
        Self { codes: &self.codes[..groups], scales: &self.scales[..groups], ..self }
    }

    #[inline(always)]
    fn row_bytes(self) -> usize {
        size_of_val(self.codes) + self.rest.len()
    }

    #[inline(always)]
    fn start(self) -> *const u8 {
        self.codes.as_ptr().cast()
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
    fn prefetch<S: Simd>(self, simd: S, group: usize, ahead: usize) {
        simd.prefetch(self.codes[group].as_ptr().wrapping_add(ahead));
    }

    #[inline(always)]
    fn mxfp4(&self, group: usize) -> Option<Mxfp4Group<'_>> {
        Some(Mxfp4Group { codes: self.codes.get(group)?, scales: *self.scales.get(group)? })
    }
}

/// A row of bf16 in twelve bits; see [`coded`](super::coded).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CodedRow<'a> {
    whole: &'a [[u8; GROUP_BYTES]],
    rest: &'a [u8],
    table: [u8; 16],
    /// In the order of the row, four bytes each.
    escapes: &'a [[u8; 4]],
    /// In which groups they are; the last bit stands for all groups from there on.
    in_groups: u64,
}

impl<'a> CodedRow<'a> {
    /// A row of `cols` elements.
    pub(crate) fn new(
        bytes: &'a [u8],
        cols: usize,
        table: [u8; 16],
        escapes: &'a [[u8; 4]],
    ) -> Self {
        let split = usize::min(cols / GROUP * GROUP_BYTES, bytes.len());
        let (whole, rest) = bytes.split_at(split);
        let in_groups = escapes.iter().fold(0, |groups, escape| {
            let group = Escape::from_le_bytes(*escape).element() / GROUP;
            groups | 1 << group.min(63)
        });
        Self { whole: whole.as_chunks().0, rest, table, escapes, in_groups }
    }
}

impl CodedRow<'_> {
    /// One weight, slowly.
    pub(crate) fn weight(self, column: usize) -> Option<f32> {
        let bf16 = |upper: u8, lower: u8| f32::from_bits(u32::from_be_bytes([upper, lower, 0, 0]));
        let Some(group) = self.whole.get(column / GROUP) else {
            let place = 2 * (column - self.whole.len() * GROUP);
            return Some(bf16(*self.rest.get(place + 1)?, *self.rest.get(place)?));
        };
        let (byte, shift) = index_of(column % GROUP);
        let index = usize::from(group[byte] >> shift & 0xF);
        let lower = group[64 + lower_of(column % GROUP)];
        let mut escapes = self.escapes.iter().map(|bytes| Escape::from_le_bytes(*bytes));
        let escape = escapes.find(|escape| escape.element() == column);
        Some(bf16(escape.map_or(self.table[index], |escape| escape.upper() as u8), lower))
    }
}

impl Source for CodedRow<'_> {
    #[inline(always)]
    fn groups(self) -> usize {
        self.whole.len()
    }

    #[inline(always)]
    fn cut(self, groups: usize) -> Self {
        Self { whole: &self.whole[..groups], ..self }
    }

    #[inline(always)]
    fn row_bytes(self) -> usize {
        size_of_val(self.whole) + self.rest.len()
    }

    #[inline(always)]
    fn start(self) -> *const u8 {
        self.whole.as_ptr().cast()
    }

    #[inline(always)]
    fn group<S: Simd>(self, simd: S, group: usize) -> [S::Pairs; 4] {
        let (parts, _) = self.whole[group].as_chunks::<64>();
        let (lower, _) = parts[1..].as_flattened().as_chunks::<GROUP>();
        let pairs = simd.coded(&parts[0], &lower[0], &self.table);
        if self.in_groups >> group.min(63) & 1 == 0 {
            return pairs;
        }
        let mut stored = [[0; 16]; 4];
        let mut patched = pairs;
        for step in 0..4 {
            simd.store_pairs(pairs[step], &mut stored[step]);
        }
        patch(&mut stored, group, self.escapes);
        for step in 0..4 {
            patched[step] = simd.load_words(&stored[step]);
        }
        patched
    }

    #[inline(always)]
    fn tail<S: Simd>(self, simd: S) -> Option<[S::Pairs; 4]> {
        Bf16Row::new(self.rest).tail(simd)
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
    fn prefetch<S: Simd>(self, simd: S, group: usize, ahead: usize) {
        let group = &self.whole[group];
        for line in 0..3 {
            simd.prefetch(group.as_ptr().wrapping_add(ahead + 64 * line));
        }
    }
}

/// Puts the escapes that belong to a group into it.
#[cold]
#[inline(never)]
fn patch(pairs: &mut [[u32; 16]; 4], group: usize, escapes: &[[u8; 4]]) {
    for escape in escapes {
        let escape = Escape::from_le_bytes(*escape);
        if escape.element() / GROUP == group {
            let (step, word) = (escape.element() % GROUP / 32, escape.element() % 32);
            let shift = 16 * (word % 2) + 8;
            let pair = &mut pairs[step][word / 2];
            *pair = *pair & !(0xFF << shift) | escape.upper() << shift;
        }
    }
}

/// A row in MXINT8: of every 32 weights 32 signed bytes and a scale.
///
/// Of a block, first the bytes of elements 1, 3, …, then those of 0, 2, …
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Int8Row<'a> {
    codes: &'a [[u8; GROUP]],
    scales: &'a [[u8; 4]],
    rest: &'a [u8],
    rest_scales: &'a [u8],
}

impl<'a> Int8Row<'a> {
    /// There is a scale for every 32 bytes of codes, the exponent of an `f32`.
    pub(crate) fn new(codes: &'a [u8], scales: &'a [u8]) -> Self {
        let (codes, rest) = codes.as_chunks();
        let (scales, rest_scales) = scales.as_chunks();
        Self { codes, scales: &scales[..codes.len()], rest, rest_scales }
    }
}

impl Source for Int8Row<'_> {
    #[inline(always)]
    fn groups(self) -> usize {
        self.codes.len()
    }

    #[inline(always)]
    fn cut(self, groups: usize) -> Self {
        Self { codes: &self.codes[..groups], scales: &self.scales[..groups], ..self }
    }

    #[inline(always)]
    fn row_bytes(self) -> usize {
        size_of_val(self.codes) + self.rest.len()
    }

    #[inline(always)]
    fn start(self) -> *const u8 {
        self.codes.as_ptr().cast()
    }

    #[inline(always)]
    fn group<S: Simd>(self, simd: S, group: usize) -> [S::Pairs; 4] {
        scaled(simd, &self.codes[group], self.scales[group])
    }

    #[inline(always)]
    fn tail<S: Simd>(self, simd: S) -> Option<[S::Pairs; 4]> {
        let (mut codes, mut scales) = ([0; GROUP], [0; 4]);
        codes.iter_mut().zip(self.rest).for_each(|(to, from)| *to = *from);
        scales.iter_mut().zip(self.rest_scales).for_each(|(to, from)| *to = *from);
        (!self.rest.is_empty()).then(|| scaled(simd, &codes, scales))
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
    fn prefetch<S: Simd>(self, simd: S, group: usize, ahead: usize) {
        let group = &self.codes[group];
        for line in 0..2 {
            simd.prefetch(group.as_ptr().wrapping_add(ahead + 64 * line));
        }
    }
}

/// The products of codes and scales, which bf16 holds.
#[inline(always)]
fn scaled<S: Simd>(simd: S, codes: &[u8; GROUP], scales: [u8; 4]) -> [S::Pairs; 4] {
    let (parts, _) = codes.as_chunks::<16>();
    let zero = simd.splat(0.0);
    let mut pairs = [simd.join(zero, zero); 4];
    for step in 0..4 {
        let scale = simd.splat(f32::from_bits(u32::from(scales[step]) << 23));
        let seconds = simd.mul_add(simd.signed(&parts[2 * step]), scale, zero);
        let firsts = simd.mul_add(simd.signed(&parts[2 * step + 1]), scale, zero);
        pairs[step] = simd.join(firsts, seconds);
    }
    pairs
}
