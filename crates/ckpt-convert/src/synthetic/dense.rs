use lowfloat::bf16;

use super::Granules;
use super::mxfp4::Recipe;
use super::stream::Stream;

/// A dense bf16 expert weight `[E, inputs, outputs]`: what the blocks and scales of the same seed
/// mean, transposed.
#[derive(Clone, Debug)]
pub(super) struct Dense {
    blocks: Stream,
    scales: Stream,
    inputs: u64,
    outputs: u64,
    /// Blocks of a row.
    groups: u64,
    /// The value of a random byte under each of the three scales, 256 apiece.
    values: [u16; 768],
}

/// The magnitudes of e2m1, by code.
const MAGNITUDES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];

impl Dense {
    /// `name` and `shape` are those of the dense tensor.
    pub(super) fn new(seed: u64, name: &str, shape: &[usize]) -> Self {
        let dim = |axis: usize| shape.get(axis).copied().unwrap_or(0).max(1);
        let groups = dim(1).div_ceil(32);
        let recipe = Recipe::new(groups.saturating_mul(32));
        let mut values = [0; 768];
        for (step, values) in (0..).zip(values.chunks_exact_mut(256)) {
            // An E8M0 byte and the exponent field of an f32 count from the same bias.
            let scale = f32::from_bits((u32::from(recipe.low_scale) + step) << 23);
            for (lane, value) in (0..=255).zip(values) {
                let code = recipe.code(lane);
                let magnitude = MAGNITUDES[usize::from(code & 7)] * scale;
                let exact = if code < 8 { magnitude } else { -magnitude };
                *value = bf16::from_f32(exact).to_bits();
            }
        }
        Self {
            blocks: Stream::of(seed, &format!("{name}_blocks")),
            scales: Stream::of(seed, &format!("{name}_scales")),
            inputs: dim(1) as u64,
            outputs: dim(2) as u64,
            groups: groups as u64,
            values,
        }
    }

    /// The row of `outputs` elements that holds an element, and the element's place in it.
    fn row_of(&self, element: u64) -> (Row, u64) {
        let column = element / self.outputs;
        let (expert, input) = (column / self.inputs, column % self.inputs);
        let first_row = expert.wrapping_mul(self.outputs);
        // Byte `row * groups * 16 + input / 2` of the blocks, the low nibble for even inputs. As a
        // row has a multiple of eight bytes, the lane is the same in all of them.
        let byte = input / 2;
        let row = Row {
            first_word: first_row
                .wrapping_mul(self.groups * 4)
                .wrapping_add(byte / 8 * 2 + input % 2),
            shift: (byte % 8 * 8) as u32,
            first_scale: first_row.wrapping_mul(self.groups).wrapping_add(input / 32),
        };
        (row, element % self.outputs)
    }

    /// Where the values of output `output`'s scale begin in the table.
    #[inline]
    fn scale(&self, row: &Row, output: u64) -> u16 {
        let byte = row.first_scale.wrapping_add(output.wrapping_mul(self.groups));
        let lane = self.scales.word(byte / 8) >> (byte % 8 * 8);
        u16::from(Recipe::step(lane as u8)) * 256
    }

    #[inline]
    fn value(&self, row: &Row, output: u64, scale: u16) -> u16 {
        let word = row.first_word.wrapping_add(output.wrapping_mul(self.groups * 4));
        let lane = (self.blocks.word(word) >> row.shift) as u8;
        self.values[(usize::from(scale) + usize::from(lane)).min(767)]
    }
}

/// The elements of one expert and one input: one for each output.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// The word of the blocks that holds output 0's code.
    first_word: u64,
    /// Where in each word the code's lane stands.
    shift: u32,
    /// The byte of the scales that is output 0's.
    first_scale: u64,
}

impl Granules for Dense {
    fn one(&self, index: u64) -> [u8; 8] {
        let mut granule = [0; 8];
        for (element, bytes) in (index.wrapping_mul(4)..).zip(granule.as_chunks_mut::<2>().0) {
            let (row, output) = self.row_of(element);
            *bytes = self.value(&row, output, self.scale(&row, output)).to_le_bytes();
        }
        granule
    }

    fn many(&self, first: u64, dst: &mut [[u8; 8]]) {
        let (mut dst, _) = dst.as_flattened_mut().as_chunks_mut::<2>();
        let mut element = first.wrapping_mul(4);
        // Thirty-two rows in a run share their scales.
        let mut scales = Vec::new();
        let mut known = None;
        while !dst.is_empty() {
            let (row, output) = self.row_of(element);
            let length = usize::try_from(self.outputs - output).unwrap_or(usize::MAX);
            let (run, rest) = dst.split_at_mut(dst.len().min(length));
            if known != Some((row.first_scale, output)) || scales.len() < run.len() {
                scales.clear();
                scales.extend((output..).take(run.len()).map(|output| self.scale(&row, output)));
                known = Some((row.first_scale, output));
            }
            for ((output, bytes), &scale) in (output..).zip(run.iter_mut()).zip(&scales) {
                *bytes = self.value(&row, output, scale).to_le_bytes();
            }
            element += run.len() as u64;
            dst = rest;
        }
    }
}
