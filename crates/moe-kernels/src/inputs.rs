//! Vectors in the form that a matrix multiplies best.

use std::ops::Range;

use rayon::prelude::*;

use crate::Rounding;
#[cfg(target_arch = "x86_64")]
use crate::arch::Tiled;
use crate::arch::{
    BLOCK, Fixed, Fixed8, Fixed16, GROUP, Level, Narrow, Order, Vectors, Wide, by_lane,
};

/// Vectors of equal length, made ready once for all tasks of a product.
#[derive(Debug)]
pub(crate) enum Inputs<'a> {
    /// As they came.
    Plain(Vec<&'a [f32]>),
    /// In the order of the weights, in `f32`; so many groups each.
    Wide(Vec<Wide>, usize),
    /// The same, and lane by lane as well.
    ByLane(Vec<Wide>, Vec<f32>, usize),
    /// In the order of the weights, in bf16; so many groups each.
    Narrow(Vec<Narrow>, usize),
    /// As integers; so many blocks each.
    Fixed16(Vec<Fixed16>, usize),
    Fixed8(Vec<Fixed8>, usize),
}

/// What a matrix takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    InOrder(Order),
    /// In order, but never in bf16.
    WideInOrder(Order),
    Fixed16,
    Fixed8,
}

/// Some of the vectors, any of them as often as wanted.
#[derive(Debug)]
pub(crate) enum Chosen<'a> {
    Plain(Vec<&'a [f32]>),
    Wide(Vec<&'a [Wide]>),
    ByLane(Vec<&'a [Wide]>, Vec<&'a [f32]>),
    Narrow(Vec<&'a [Narrow]>),
    Fixed16(Vec<&'a [Fixed16]>),
    Fixed8(Vec<&'a [Fixed8]>),
    #[cfg(target_arch = "x86_64")]
    Tiled(Tiled<'a>),
}

/// Consecutive ones of those.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    Plain(&'a [&'a [f32]]),
    Packed(Vectors<'a>),
    Fixed16(&'a [&'a [Fixed16]]),
    Fixed8(&'a [&'a [Fixed8]]),
}

impl<'a> Inputs<'a> {
    /// Vectors for a matrix that takes this form.
    pub(crate) fn new(form: Form, vectors: Vec<&'a [f32]>, rounding: Rounding) -> Self {
        let len = vectors.first().map_or(0, |vector| vector.len());
        let (groups, blocks) = (len.div_ceil(GROUP), len.div_ceil(BLOCK));
        let order = match form {
            Form::Fixed16 => {
                let all = packed(&vectors, blocks, Fixed16::ZERO, Fixed16::new);
                return Self::Fixed16(all, blocks);
            }
            Form::Fixed8 => {
                return Self::Fixed8(packed(&vectors, blocks, Fixed8::ZERO, Fixed8::new), blocks);
            }
            Form::InOrder(order) | Form::WideInOrder(order) => order,
        };
        let narrow = rounding == Rounding::Bf16 && Level::current().has_pairs();
        if narrow && matches!(form, Form::InOrder(_)) {
            let pack = |elements: &[f32; GROUP]| Narrow::new(order, elements);
            Self::Narrow(packed(&vectors, groups, Narrow::ZERO, pack), groups)
        } else {
            let pack = |elements: &[f32; GROUP]| Wide::new(order, elements);
            let wide = packed(&vectors, groups, Wide::ZERO, pack);
            if Level::current().goes_by_lane(vectors.len()) {
                let lanes = lane_by_lane(&wide, groups);
                Self::ByLane(wide, lanes, groups)
            } else {
                Self::Wide(wide, groups)
            }
        }
    }

    /// The vectors with these indexes.
    pub(crate) fn choose(&self, indexes: impl Iterator<Item = usize>) -> Chosen<'_> {
        match self {
            Self::Plain(vectors) => Chosen::Plain(indexes.map(|index| vectors[index]).collect()),
            Self::Wide(data, groups) => Chosen::Wide(cut(data, *groups, indexes)),
            Self::ByLane(data, lanes, groups) => {
                let indexes: Vec<_> = indexes.collect();
                let wide = cut(data, *groups, indexes.iter().copied());
                Chosen::ByLane(wide, cut(lanes, *groups * GROUP, indexes.into_iter()))
            }
            Self::Fixed16(data, blocks) => Chosen::Fixed16(cut(data, *blocks, indexes)),
            Self::Fixed8(data, blocks) => Chosen::Fixed8(cut(data, *blocks, indexes)),
            Self::Narrow(data, groups) => {
                let vectors = cut(data, *groups, indexes);
                #[cfg(target_arch = "x86_64")]
                if let Some(tiles) = Level::current().tiles() {
                    return Chosen::Tiled(Tiled::new(tiles, vectors));
                }
                Chosen::Narrow(vectors)
            }
        }
    }
}

impl Chosen<'_> {
    /// Those at these places.
    pub(crate) fn part(&self, places: Range<usize>) -> Part<'_> {
        match self {
            Self::Plain(vectors) => Part::Plain(&vectors[places]),
            Self::Wide(vectors) => Part::Packed(Vectors::Wide(&vectors[places])),
            Self::ByLane(wide, lanes) => {
                Part::Packed(Vectors::ByLane(&wide[places.clone()], &lanes[places]))
            }
            Self::Narrow(vectors) => Part::Packed(Vectors::Narrow(&vectors[places])),
            Self::Fixed16(vectors) => Part::Fixed16(&vectors[places]),
            Self::Fixed8(vectors) => Part::Fixed8(&vectors[places]),
            #[cfg(target_arch = "x86_64")]
            Self::Tiled(vectors) => Part::Packed(Vectors::Tiled(vectors.part(places))),
        }
    }
}

fn cut<T>(data: &[T], groups: usize, indexes: impl Iterator<Item = usize>) -> Vec<&[T]> {
    indexes.map(|index| &data[index * groups..][..groups]).collect()
}

fn lane_by_lane(vectors: &[Wide], groups: usize) -> Vec<f32> {
    let mut lanes = vec![0.0; vectors.len() * GROUP];
    if groups > 0 {
        let to = lanes.par_chunks_mut(groups * GROUP);
        to.zip(vectors.par_chunks(groups)).for_each(|(to, vector)| by_lane(vector, to));
    }
    lanes
}

fn packed<T: Copy + Send, const N: usize>(
    vectors: &[&[f32]],
    groups: usize,
    zero: T,
    pack: impl Fn(&[f32; N]) -> T + Sync,
) -> Vec<T> {
    let mut packed = vec![zero; vectors.len() * groups];
    let fill = |(to, vector): (&mut [T], &&[f32])| {
        let (whole, rest) = vector.as_chunks::<N>();
        for (to, elements) in to.iter_mut().zip(whole) {
            *to = pack(elements);
        }
        if let (Some(to), false) = (to.get_mut(whole.len()), rest.is_empty()) {
            let mut elements = [0.0; N];
            elements[..rest.len()].copy_from_slice(rest);
            *to = pack(&elements);
        }
    };
    if let [vector] = vectors {
        fill((&mut packed, vector));
    } else if groups > 0 {
        packed.par_chunks_mut(groups).zip(vectors).for_each(fill);
    }
    packed
}
