//! Looking for weights that are no numbers.

use half::{bf16, f16};
use lowfloat::DType;
use rayon::prelude::*;

use super::container::{Container, Stored};
use super::pieces::whole_rows;
use crate::{Error, Result};

/// The E8M0 scale that makes a whole block NaN; OCP Microscaling Formats v1.0, section 5.4.1.
const SCALE_NAN: u8 = 255;

/// Bytes that one thread looks at in one go.
const CHUNK: usize = 1 << 20;

impl Container {
    /// Reads everything once, on all threads of the current pool.
    pub(super) fn check_finite(&self) -> Result<()> {
        for (name, stored) in &self.0 {
            let Some((size, wrong)) = rule(name, stored.dtype) else { continue };
            if let Some((element, value)) = first(stored, size, wrong) {
                let (path, tensor) = (stored.file.to_path_buf(), name.clone());
                return Err(Error::WeightNotFinite { path, tensor, element, value });
            }
        }
        Ok(())
    }
}

/// The size of an element, and what it is worth if that is not finite.
type Rule = (usize, fn(&[u8]) -> Option<f32>);

fn rule(name: &str, dtype: DType) -> Option<Rule> {
    match dtype {
        DType::BF16 => {
            Some((2, |bytes| not_finite(bf16::from_le_bytes(bytes.try_into().ok()?).to_f32())))
        }
        DType::F16 => {
            Some((2, |bytes| not_finite(f16::from_le_bytes(bytes.try_into().ok()?).to_f32())))
        }
        DType::F32 => Some((4, |bytes| not_finite(f32::from_le_bytes(bytes.try_into().ok()?)))),
        DType::U8 if name.ends_with("scales") => {
            Some((1, |bytes| (bytes == [SCALE_NAN]).then_some(f32::NAN)))
        }
        _ => None,
    }
}

fn not_finite(value: f32) -> Option<f32> {
    (!value.is_finite()).then_some(value)
}

/// The first element that `wrong` finds, by its index.
fn first(stored: &Stored, size: usize, wrong: fn(&[u8]) -> Option<f32>) -> Option<(u64, f32)> {
    let mut before = 0;
    for piece in whole_rows(&stored.pieces, size) {
        let found = piece.par_chunks(CHUNK).enumerate().find_map_first(|(chunk, bytes)| {
            let elements = bytes.chunks_exact(size).enumerate();
            let mut wrong = elements.filter_map(|(index, bytes)| Some((index, wrong(bytes)?)));
            wrong.next().map(|(index, value)| (chunk * (CHUNK / size) + index, value))
        });
        if let Some((element, value)) = found {
            return Some(((before + element) as u64, value));
        }
        before += piece.len() / size;
    }
    None
}
