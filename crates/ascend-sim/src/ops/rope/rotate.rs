//! The rotations.

/// Which two elements of a row turn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// `i` and `i + D/2`.
    Half,
    /// `2i` and `2i + 1`.
    Interleave,
    /// As `Half`, in each half of the row.
    Quarter,
    /// The even elements, then the odd ones, and that as `Half`.
    InterleaveHalf,
}

impl Mode {
    /// Rows are multiples of this.
    pub(super) fn divisor(self) -> i64 {
        if self == Self::Quarter { 4 } else { 2 }
    }

    /// `x · cos + rotated(x) · sin`, products and sum in f32.
    pub(super) fn rotate(self, x: &[f32], cos: &[f32], sin: &[f32]) -> Vec<f32> {
        if self == Self::InterleaveHalf {
            let (even, odd) = (x.iter().step_by(2), x.iter().skip(1).step_by(2));
            let sorted = even.chain(odd).copied().collect::<Vec<_>>();
            return Self::Half.rotate(&sorted, cos, sin);
        }
        let len = x.len();
        let turned = |at: usize| match self {
            Self::Interleave if at.is_multiple_of(2) => -x[at + 1],
            Self::Interleave => x[at - 1],
            Self::Quarter => {
                let quarter = len / 4;
                if (at / quarter).is_multiple_of(2) { -x[at + quarter] } else { x[at - quarter] }
            }
            Self::Half | Self::InterleaveHalf => {
                let half = len / 2;
                if at < half { -x[at + half] } else { x[at - half] }
            }
        };
        (0..len).map(|at| x[at] * cos[at] + turned(at) * sin[at]).collect()
    }
}
