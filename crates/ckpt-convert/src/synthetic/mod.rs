mod dense;
mod mxfp4;
mod normal;
mod quantile;
mod stream;

use lowfloat::DType;

use crate::presets::gpt_oss::{ExpertFormat, Mxfp4Role, Shape, TensorDesc, mxfp4_partner, tensors};
use dense::Dense;
use mxfp4::{Blocks, Scales};
use normal::{Distribution, Normal, Table};
use stream::Stream;

/// A gpt-oss checkpoint made of random numbers, at any size, without storing it.
///
/// Shapes, names and element types are the released ones; the values keep a forward pass sane.
/// Every byte is a function of the seed, the tensor's name and the byte's place, so a checkpoint can
/// be written by many threads, in any order, and never lies in memory.
///
/// ```
/// use ckpt_convert::Synthetic;
/// use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape};
///
/// let model = Synthetic::new(Shape::tiny(), ExpertFormat::Mxfp4, 7);
/// let mut whole = vec![0; model.tensors()[0].bytes() as usize];
/// model.fill(0, 0, &mut whole);
/// let mut part = [0; 5];
/// model.fill(0, 3, &mut part);
/// assert_eq!(part, whole[3..8]);
/// ```
///
/// # The numbers
///
/// This recipe never changes: a seed names the same checkpoint for ever.
///
/// - A tensor's key is the first eight bytes, little-endian, of the SHA-256 of
///   `"synthetic checkpoint 1\0"`, the seed as eight little-endian bytes, and the tensor's name.
/// - Its stream of 64-bit words comes from wyrand: word `i` is `hi ^ lo` of the 128-bit product
///   `s * (s ^ 0xe7037ed1a0b428db)` with `s = key + (i + 1) * 0xa0761d6478bd642f`.
/// - **bf16**: element `n` takes 16-bit lane `n % 4` of word `n / 4`. The low twelve bits `k` choose
///   a magnitude of a half normal distribution, its quantile at `(k + 1/2) / 4096`; the top bit is
///   the sign. Norm weights take the quantile of a whole normal distribution and no sign. The value
///   is rounded to f32, then to bf16.
/// - **blocks**: byte `b` takes its low nibble from byte lane `b % 8` of word `2 * (b / 8)`, the
///   high one from the same lane of the next word. The low seven bits `k` of a lane choose the half
///   normal quantile at `(k + 1/2) / 128`; it is multiplied by `d / 2^floor(log2 d)`, where `d` is
///   `0.8 / sqrt(inputs)`, and rounded to e2m1. The top bit is the sign.
/// - **scales**: byte `b` takes byte lane `b % 8` of word `b / 8`. Below 64 it is one less than
///   `127 + floor(log2 d)`, from 192 on one more, else the same.
/// - **dense experts** hold exactly the values of the blocks and scales of the same seed,
///   transposed.
///
/// | tensor | mean | standard deviation |
/// |---|---|---|
/// | `embed_tokens` | 0 | 1 |
/// | `lm_head` | 0 | 2 / sqrt(inputs): logits of about 2 |
/// | other weights, experts among them | 0 | 1 / sqrt(inputs) |
/// | biases | 0 | 0.02 |
/// | sinks | 0 | 1 |
/// | norms | 1 | 0.1 |
///
/// With the released sizes the scales are 119, 120 and 121. No value is NaN, infinite or subnormal.
#[derive(Clone, Debug)]
pub struct Synthetic {
    shape: Shape,
    experts: ExpertFormat,
    seed: u64,
    tensors: Vec<TensorDesc>,
    sources: Vec<Source>,
    tables: Vec<Table>,
}

#[derive(Clone, Debug)]
enum Source {
    Normal { stream: Stream, table: usize },
    Blocks(Blocks),
    Scales(Scales),
    Dense(Box<Dense>),
}

impl Synthetic {
    /// A checkpoint of `shape` with the values that `seed` names.
    ///
    /// The same seed with the other [`ExpertFormat`] is the same model: the dense experts hold
    /// exactly what the MXFP4 ones mean.
    #[must_use]
    pub fn new(shape: Shape, experts: ExpertFormat, seed: u64) -> Self {
        let tensors = tensors(&shape, experts);
        let mut tables = Vec::new();
        let sources = tensors.iter().map(|tensor| source(seed, tensor, &mut tables)).collect();
        Self { shape, experts, seed, tensors, sources, tables }
    }

    /// The shape of the model.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// How the experts are stored.
    #[must_use]
    pub fn experts(&self) -> ExpertFormat {
        self.experts
    }

    /// The seed of the values.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Every tensor, in the order of [`tensors`].
    #[must_use]
    pub fn tensors(&self) -> &[TensorDesc] {
        &self.tensors
    }

    /// Writes the bytes of a tensor, from `byte_offset` on, over all of `dst`.
    ///
    /// `tensor` is an index into [`tensors`](Self::tensors); the bytes are those of the file
    /// (little-endian, row-major). Offset and length are free. What lies behind the end of the
    /// tensor, or belongs to no tensor, is filled with zeros.
    pub fn fill(&self, tensor: usize, byte_offset: u64, dst: &mut [u8]) {
        let (Some(source), Some(desc)) = (self.sources.get(tensor), self.tensors.get(tensor))
        else {
            dst.fill(0);
            return;
        };
        let left = desc.bytes().saturating_sub(byte_offset);
        let inside = usize::try_from(left).unwrap_or(usize::MAX).min(dst.len());
        let (dst, behind) = dst.split_at_mut(inside);
        behind.fill(0);
        match source {
            Source::Normal { stream, table } => {
                if let Some(table) = self.tables.get(*table) {
                    granular(&Normal { stream: *stream, table }, byte_offset, dst);
                }
            }
            Source::Blocks(blocks) => granular(blocks, byte_offset, dst),
            Source::Scales(scales) => granular(scales, byte_offset, dst),
            Source::Dense(dense) => granular(dense.as_ref(), byte_offset, dst),
        }
    }
}

/// Bytes that are made eight at a time.
trait Granules {
    /// The eight bytes from `8 * index` on.
    fn one(&self, index: u64) -> [u8; 8];

    /// Several granules in a row.
    fn many(&self, first: u64, dst: &mut [[u8; 8]]);
}

fn granular(source: &impl Granules, byte_offset: u64, dst: &mut [u8]) {
    let mut index = byte_offset / 8;
    let skip = (byte_offset % 8) as usize;
    let mut dst = dst;
    if skip > 0 {
        let (head, rest) = dst.split_at_mut(dst.len().min(8 - skip));
        head.copy_from_slice(&source.one(index)[skip..skip + head.len()]);
        dst = rest;
        index += 1;
    }
    let (body, tail) = dst.as_chunks_mut::<8>();
    source.many(index, body);
    if !tail.is_empty() {
        tail.copy_from_slice(&source.one(index + body.len() as u64)[..tail.len()]);
    }
}

fn source(seed: u64, tensor: &TensorDesc, tables: &mut Vec<Table>) -> Source {
    let name = tensor.name.as_str();
    let stream = Stream::of(seed, name);
    let groups = tensor.shape.get(2).copied().unwrap_or(0);
    match mxfp4_partner(name) {
        Some((Mxfp4Role::Blocks, _)) => Source::Blocks(Blocks::new(stream, inputs_of(groups))),
        Some((Mxfp4Role::Scales, _)) => Source::Scales(Scales::new(stream, inputs_of(groups))),
        None if tensor.dtype == DType::BF16 && name.ends_with("_proj") => {
            Source::Dense(Box::new(Dense::new(seed, name, &tensor.shape)))
        }
        None => {
            let distribution = Distribution::of(tensor);
            let known = tables.iter().position(|table| table.distribution == distribution);
            let index = known.unwrap_or_else(|| {
                tables.push(Table::new(distribution));
                tables.len() - 1
            });
            Source::Normal { stream, table: index }
        }
    }
}

fn inputs_of(groups: usize) -> usize {
    groups.saturating_mul(32)
}

#[cfg(test)]
mod tests;
