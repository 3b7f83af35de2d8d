//! The norm before attention, before the experts and before the head.

use super::check;
use crate::Result;

/// `x · (mean(x²) + eps)^(−1/2) · weight`.
///
/// `x`, `weight` and the result are `[hidden]`; `eps` is inside the root.
///
/// ```
/// use moe_kernels::reference::rms_norm;
///
/// // The mean of the squares is 12.5, and 12.5 + 3.5 = 4².
/// assert_eq!(rms_norm(&[3.0, -4.0], &[1.0, 2.0], 3.5)?, [0.75, -2.0]);
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn rms_norm(x: &[f64], weight: &[f32], eps: f64) -> Result<Vec<f64>> {
    check("weight of the reference rms_norm", x.len(), weight.len())?;
    let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    let scale = 1.0 / (mean + eps).sqrt();
    Ok(x.iter().zip(weight).map(|(x, w)| x * scale * f64::from(*w)).collect())
}
