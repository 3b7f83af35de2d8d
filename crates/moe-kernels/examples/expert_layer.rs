//! Routes tokens to the experts of a layer of the sizes of gpt-oss-20b, of MXFP4 codes that are all alike, and takes the time.

use std::process::ExitCode;
use std::time::Instant;

use lowfloat::DType;
use moe_kernels::{
    ExpertMatrix, Experts, ExpertsScratch, Matrix, Result, Rounding, Strips, Swiglu, linear, route,
};
use ndarray::Array2;

const HIDDEN: usize = 2880;
const EXPERTS: usize = 32;
const PER_TOKEN: usize = 4;

/// ```sh
/// cargo run --release -p moe-kernels --example expert_layer -- 8
/// ```
fn main() -> ExitCode {
    let tokens = std::env::args().nth(1).map_or(Ok(1), |count| count.parse());
    let Some(tokens) = tokens.ok().filter(|tokens| (1..=4096).contains(tokens)) else {
        eprintln!("usage: expert_layer [TOKENS, 1 to 4096]");
        return ExitCode::from(2);
    };
    match run(tokens) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(tokens: usize) -> Result<()> {
    // Weights are bytes, of a mapped file or of a vector. Here every MXFP4 code is 0.5, times 2^-8.
    let packed = |rows: usize| -> Result<_> {
        let blocks = Strips::new(HIDDEN / 2, vec![vec![0x11_u8; rows * HIDDEN / 2]])?;
        let scales = Strips::new(HIDDEN / 32, vec![vec![127 - 8; rows * HIDDEN / 32]])?;
        Ok(ExpertMatrix::RowsOut(Matrix::mxfp4(HIDDEN, blocks, scales)?))
    };
    let experts = Experts::new(
        EXPERTS,
        packed(EXPERTS * 2 * HIDDEN)?,
        vec![0.0; EXPERTS * 2 * HIDDEN],
        packed(EXPERTS * HIDDEN)?,
        vec![0.0; EXPERTS * HIDDEN],
        Swiglu { alpha: 1.702, limit: 7.0 },
    )?;
    let router = Strips::new(2 * HIDDEN, vec![vec![0_u8; EXPERTS * 2 * HIDDEN]])?;
    let router = Matrix::dense(DType::BF16, HIDDEN, router)?;
    let bias: Vec<f32> = (0..EXPERTS).map(|expert| expert as f32).collect();

    let x = Array2::from_elem((tokens, HIDDEN), 0.01);
    let mut logits = Array2::zeros((tokens, EXPERTS));
    linear(x.view(), &router, Some(&bias), Rounding::None, logits.view_mut())?;
    let routing = route(logits.view(), PER_TOKEN, Rounding::None)?;
    println!("every token goes to the experts {}", routing.experts.row(0));

    let (mut y, mut scratch) = (Array2::zeros((tokens, HIDDEN)), ExpertsScratch::default());
    let begin = Instant::now();
    experts.forward(x.view(), &routing, Rounding::None, &mut scratch, y.view_mut())?;
    let milliseconds = 1e3 * begin.elapsed().as_secs_f64();
    println!("{tokens} tokens in {milliseconds:.1} ms, the first value is {}", y[[0, 0]]);
    Ok(())
}
