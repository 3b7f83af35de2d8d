//! Of which weights a file was made.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{VERSION, Weights, matrices};

/// Rows of a matrix that are read.
const ROWS: usize = 16;

/// A digest, in hexadecimal digits, that tells trainings apart without reading all of them: 10 MB for
/// gpt-oss-20b.
///
/// It is the SHA-256 of the version; of all norms and sinks; and of every matrix that a file may hold, its name,
/// its type, its shape and sixteen of its rows from the first to the last, as they are stored. Weights that
/// differ in other rows alone have the same.
pub(super) fn digest(weights: &mut Weights) -> String {
    let mut sha = Sha256::new();
    sha.update(VERSION);
    for layer in &weights.layers {
        for values in [&layer.input_norm, &layer.sinks, &layer.post_attention_norm] {
            floats(&mut sha, values);
        }
    }
    floats(&mut sha, &weights.norm);
    for (name, matrix) in matrices(weights) {
        let (rows, cols) = (matrix.rows(), matrix.cols());
        sha.update(&name);
        sha.update([0]);
        for size in [rows, cols] {
            sha.update((size as u64).to_le_bytes());
        }
        let last = rows.saturating_sub(1);
        let chosen = (0..ROWS).map(|index| index * last / (ROWS - 1));
        for (dtype, row) in chosen.filter_map(|row| matrix.dense_row(row)) {
            sha.update(dtype.name());
            sha.update(row);
        }
    }
    sha.finalize().iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

fn floats(sha: &mut Sha256, values: &[f32]) {
    sha.update((values.len() as u64).to_le_bytes());
    for value in values {
        sha.update(value.to_le_bytes());
    }
}
