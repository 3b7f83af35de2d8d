//! Data for the tests, and ways to look at results.

use lowfloat::DType;
use moe_kernels::{Matrix, Strips};
use ndarray::Array2;
use rayon::ThreadPoolBuilder;

/// Numbers from -1 to 1 without a pattern.
pub(crate) fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Integers from -3 to 3: sums of some hundred products are exact in f32.
pub(crate) fn integers(count: usize, seed: u32) -> Vec<f32> {
    numbers(count, seed).into_iter().map(|number| (number * 3.49).round()).collect()
}

/// [`numbers`] as a matrix.
pub(crate) fn matrix(rows: usize, cols: usize, seed: u32) -> Array2<f32> {
    shaped(rows, cols, numbers(rows * cols, seed))
}

pub(crate) fn shaped(rows: usize, cols: usize, values: Vec<f32>) -> Array2<f32> {
    Array2::from_shape_vec((rows, cols), values).unwrap()
}

/// Values as they lie in a file.
pub(crate) fn to_bytes(dtype: DType, values: &[f32]) -> Vec<u8> {
    match dtype {
        DType::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        DType::BF16 => values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect(),
        DType::F16 => values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
        other => panic!("{other} is no type of dense weights"),
    }
}

/// Dense weights and what they are in f32.
pub(crate) fn dense(
    dtype: DType,
    rows: usize,
    cols: usize,
    values: &[f32],
) -> (Matrix<Vec<u8>>, Vec<f32>) {
    assert_eq!(values.len(), rows * cols);
    let bytes = to_bytes(dtype, values);
    let decoded = match dtype {
        DType::BF16 => values.iter().map(|v| half::bf16::from_f32(*v).to_f32()).collect(),
        DType::F16 => values.iter().map(|v| half::f16::from_f32(*v).to_f32()).collect(),
        _ => values.to_vec(),
    };
    let strips = Strips::new(bytes.len() / rows, vec![bytes]).unwrap();
    (Matrix::dense(dtype, cols, strips).unwrap(), decoded)
}

/// Blocks and scales, each as bytes, and what they are in f32.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    pub(crate) cols: usize,
    pub(crate) blocks: Vec<u8>,
    pub(crate) scales: Vec<u8>,
    pub(crate) decoded: Vec<f32>,
}

impl Packed {
    /// Any codes, with scales from 2^-5 to 2^-2.
    pub(crate) fn new(rows: usize, cols: usize, seed: u32) -> Self {
        const MAGNITUDES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
        let random: Vec<u32> =
            numbers(rows * cols, seed).iter().map(|v| v.to_bits() >> 3).collect();
        let blocks: Vec<u8> = random.iter().take(rows * cols / 2).map(|v| *v as u8).collect();
        let scales: Vec<u8> =
            random.iter().rev().take(rows * cols / 32).map(|v| 122 + (v % 4) as u8).collect();
        let value = |i: usize| {
            let code = blocks[i / 2] >> (i % 2 * 4) & 15;
            let sign = if code & 8 == 0 { 1.0 } else { -1.0 };
            let scale = 2f32.powi(i32::from(scales[i / 32]) - 127);
            sign * MAGNITUDES[usize::from(code & 7)] * scale
        };
        let decoded = (0..rows * cols).map(value).collect();
        Self { cols, blocks, scales, decoded }
    }

    pub(crate) fn matrix(&self) -> Matrix<Vec<u8>> {
        let blocks = Strips::new(self.cols / 2, vec![self.blocks.clone()]).unwrap();
        let scales = Strips::new(self.cols / 32, vec![self.scales.clone()]).unwrap();
        Matrix::mxfp4(self.cols, blocks, scales).unwrap()
    }
}

pub(crate) fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

pub(crate) fn bits<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u32> {
    values.into_iter().map(|value| value.to_bits()).collect()
}

/// What `work` gives, which must be the same on one thread, two, three, and more than there are cores.
pub(crate) fn on_any_threads(work: impl Fn() -> Array2<f32> + Sync) -> Array2<f32> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let on = |threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(&work)
    };
    let result = on(1);
    for threads in [2, 3, 2 * cores + 1, 8 * cores] {
        assert_eq!(bits(&result), bits(&on(threads)), "one thread and {threads}");
    }
    result
}

/// The rows of a matrix as views of one row, with their indices.
pub(crate) fn rows(x: &Array2<f32>) -> impl Iterator<Item = (usize, Array2<f32>)> {
    x.outer_iter().map(|row| row.to_owned().insert_axis(ndarray::Axis(0))).enumerate()
}
