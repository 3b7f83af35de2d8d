//! Sixteen lanes of `f32`.

/// Sixteen `f32` and what is done with them. A value of the type is proof that the CPU has the
/// instructions.
pub(super) trait Simd: Copy {
    /// Sixteen lanes.
    type Lanes: Copy;

    /// The same value in every lane.
    fn splat(self, value: f32) -> Self::Lanes;

    fn load(self, from: &[f32; 16]) -> Self::Lanes;

    fn store(self, lanes: Self::Lanes, to: &mut [f32; 16]);

    /// `a·b + c`, rounded once where the instruction set can.
    fn mul_add(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes;

    /// [`mul_add`](Self::mul_add) of one lane.
    fn mul_add_one(self, a: f32, b: f32, c: f32) -> f32;
}

/// The sum of all lanes: of those eight apart, then four, two, one.
#[inline(always)]
pub(super) fn sum(lanes: &[f32; 16]) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|i| lanes[i] + lanes[i + 8]);
    let four: [f32; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}
