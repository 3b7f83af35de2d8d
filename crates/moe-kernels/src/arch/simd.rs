//! Sixteen lanes of `f32`.

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

    /// `a·b + c`, rounded once where the instruction set can.
    fn mul_add(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes;

    /// [`mul_add`](Self::mul_add) of one lane.
    fn mul_add_one(self, a: f32, b: f32, c: f32) -> f32;

    /// The sums of the lanes of each, as [`sum`] has them.
    fn sums(self, lanes: [Self::Lanes; 4]) -> [f32; 4];
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
