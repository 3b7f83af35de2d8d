//! In which order elements of rows and vectors meet.

/// Elements of a group.
pub(crate) const GROUP: usize = 128;

/// How a row is cut into pairs. A group is 128 elements, four steps of sixteen pairs; lane `l` sums
/// pair `l` of step after step, of each pair the second first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Elements in turn: pair `l` of step `s` is elements `32·s + 2·l` and the next.
    Natural,
    /// As four blocks of MXFP4 yield them when 32 bits of codes are shifted by four bits a step: pair
    /// `l` of step `s` is elements `8·l + s` and `8·l + 4 + s`.
    Mxfp4,
}

/// A group of a vector in `f32`: of every step the seconds, then the firsts.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Wide(pub(super) [[f32; 16]; 8]);

/// A group of a vector in bf16: of every step the pairs.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Narrow(pub(super) [[u32; 16]; 4]);

impl Wide {
    pub(crate) const ZERO: Self = Self([[0.0; 16]; 8]);

    /// A group in order.
    #[inline(always)]
    pub(crate) fn new(order: Order, elements: &[f32; GROUP]) -> Self {
        let mut group = [[0.0; 16]; 8];
        for step in 0..4 {
            for lane in 0..16 {
                let (first, second) = order.pair(step, lane);
                group[2 * step][lane] = elements[second];
                group[2 * step + 1][lane] = elements[first];
            }
        }
        Self(group)
    }
}

impl Narrow {
    pub(crate) const ZERO: Self = Self([[0; 16]; 4]);

    /// A group in order; the elements are rounded to bf16.
    #[inline(always)]
    pub(crate) fn new(order: Order, elements: &[f32; GROUP]) -> Self {
        let mut group = [[0; 16]; 4];
        for step in 0..4 {
            for lane in 0..16 {
                let (first, second) = order.pair(step, lane);
                let first = super::bf16(elements[first]).to_bits() >> 16;
                group[step][lane] = super::bf16(elements[second]).to_bits() | first;
            }
        }
        Self(group)
    }
}

impl Order {
    /// Where the elements of a pair stand in their group.
    #[inline(always)]
    const fn pair(self, step: usize, lane: usize) -> (usize, usize) {
        match self {
            Self::Natural => (32 * step + 2 * lane, 32 * step + 2 * lane + 1),
            Self::Mxfp4 => (8 * lane + step, 8 * lane + 4 + step),
        }
    }
}
