//! Sixteen lanes of `f32`, and sixteen pairs of bf16.

/// Sixteen `f32` and what is done with them. A value of the type is proof that the CPU has the
/// instructions.
pub(super) trait Simd: Copy {
    /// Sixteen lanes.
    type Lanes: Copy;

    /// How many [`Lanes`](Self::Lanes) the registers hold.
    const REGISTERS: usize;

    /// The same value in every lane.
    fn splat(self, value: f32) -> Self::Lanes;

    fn load(self, from: &[f32; 16]) -> Self::Lanes;

    fn store(self, lanes: Self::Lanes, to: &mut [f32; 16]);

    /// Two where the halves of [`Lanes`](Self::Lanes) have registers of their own, else one: a kernel that computes one after the other
    /// has room for more sums.
    const HALVES: usize = 1;

    /// Stores one of the [`HALVES`](Self::HALVES) to its place among the sixteen: the optimiser leaves out what only
    /// others need.
    #[inline(always)]
    fn store_half<const HALF: usize>(self, lanes: Self::Lanes, to: &mut [f32; 16]) {
        self.store(lanes, to);
    }

    /// `a·b + c`, rounded once where the instruction set can.
    fn mul_add(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes;

    /// [`mul_add`](Self::mul_add) of one lane.
    fn mul_add_one(self, a: f32, b: f32, c: f32) -> f32;

    /// The sums of the lanes of each, as [`sum`] has them.
    fn sums(self, lanes: [Self::Lanes; 4]) -> [f32; 4];

    /// Sixteen pairs of bf16: of each, the first is the lower half of 32 bits.
    type Pairs: Copy;

    /// The pairs of 64 bytes, little-endian, at any alignment.
    fn load_pairs(self, from: &[u8; 64]) -> Self::Pairs;

    fn load_words(self, from: &[u32; 16]) -> Self::Pairs;

    /// The pairs of at most 64 bytes; what is missing is zero.
    #[inline(always)]
    fn load_part(self, from: &[u8]) -> Self::Pairs {
        let mut bytes = [0; 64];
        for (to, from) in bytes.iter_mut().zip(from) {
            *to = *from;
        }
        self.load_pairs(&bytes)
    }

    fn store_pairs(self, pairs: Self::Pairs, to: &mut [u32; 16]);

    /// Pair `c` of row `r` becomes pair `r` of row `c`.
    #[inline(always)]
    fn transpose(self, rows: [Self::Pairs; 16]) -> [Self::Pairs; 16] {
        let mut words = [[0; 16]; 16];
        for row in 0..16 {
            self.store_pairs(rows[row], &mut words[row]);
        }
        let mut columns = rows;
        for column in 0..16 {
            let mut of_rows = [0; 16];
            for row in 0..16 {
                of_rows[row] = words[row][column];
            }
            columns[column] = self.load_words(&of_rows);
        }
        columns
    }

    /// The first of every pair, exactly.
    fn firsts(self, pairs: Self::Pairs) -> Self::Lanes;

    /// The second of every pair, exactly.
    fn seconds(self, pairs: Self::Pairs) -> Self::Lanes;

    /// Adds the products of the seconds to `c`, then those of the firsts.
    #[inline(always)]
    fn dot(self, a: Self::Pairs, b: Self::Pairs, c: Self::Lanes) -> Self::Lanes {
        let c = self.mul_add(self.seconds(a), self.seconds(b), c);
        self.mul_add(self.firsts(a), self.firsts(b), c)
    }

    /// Four blocks of MXFP4, as pairs in the order that [`Order::Mxfp4`](super::Order::Mxfp4) states.
    /// Scales are in [`MXFP4_SCALES`](super::mxfp4::SCALES), so that all weights are normal bf16.
    fn mxfp4(self, codes: Self::Pairs, scales: [u8; 4]) -> [Self::Pairs; 4];

    /// 128 bf16 from their lower bytes and four-bit indexes of their upper bytes in `table`, in the
    /// layout that [`coded`](super::coded) states.
    fn coded(self, indexes: &[u8; 64], lower: &[u8; 128], table: &[u8; 16]) -> [Self::Pairs; 4];

    /// Sixteen signed bytes as `f32`.
    fn signed(self, from: &[u8; 16]) -> Self::Lanes;

    /// Pairs of values that bf16 holds.
    fn join(self, firsts: Self::Lanes, seconds: Self::Lanes) -> Self::Pairs;

    /// Asks for the cache line at `address`, which need not exist.
    #[inline(always)]
    fn prefetch(self, _address: *const u8) {}
}

/// A loop that can be compiled for every instruction set.
pub(super) trait Kernel {
    /// Implementations are `#[inline(always)]` and without closures, so that all of it is compiled
    /// with the features of the caller.
    fn run<S: Simd>(self, simd: S);
}

/// The sum of sixteen lanes: of those eight apart, then four, two, one.
#[inline(always)]
pub(super) fn sum(lanes: &[f32; 16]) -> f32 {
    let mut four = [0.0; 4];
    for i in 0..4 {
        four[i] = (lanes[i] + lanes[i + 8]) + (lanes[i + 4] + lanes[i + 12]);
    }
    (four[0] + four[2]) + (four[1] + four[3])
}
