/// The quantile function of the standard normal distribution, for `0 < p < 1`.
///
/// P. J. Acklam's rational approximation (relative error below 1.15e-9), with a logarithm of its
/// own: it uses only operations that IEEE 754 defines to the last bit, so that tables made of it
/// are the same on every machine.
pub(super) fn quantile(p: f64) -> f64 {
    if p < TAIL {
        tail(p)
    } else if p > 1.0 - TAIL {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        horner(&A, r) * q / (horner(&B, r) * r + 1.0)
    }
}

const TAIL: f64 = 0.024_25;
const A: [f64; 6] = [
    -3.969_683_028_665_376e1,
    2.209_460_984_245_205e2,
    -2.759_285_104_469_687e2,
    1.383_577_518_672_69e2,
    -3.066_479_806_614_716e1,
    2.506_628_277_459_239,
];
const B: [f64; 5] = [
    -5.447_609_879_822_406e1,
    1.615_858_368_580_409e2,
    -1.556_989_798_598_866e2,
    6.680_131_188_771_972e1,
    -1.328_068_155_288_572e1,
];
const C: [f64; 6] = [
    -7.784_894_002_430_293e-3,
    -3.223_964_580_411_365e-1,
    -2.400_758_277_161_838,
    -2.549_732_539_343_734,
    4.374_664_141_464_968,
    2.938_163_982_698_783,
];
const D: [f64; 4] = [
    7.784_695_709_041_462e-3,
    3.224_671_290_700_398e-1,
    2.445_134_137_142_996,
    3.754_408_661_907_416,
];

fn tail(p: f64) -> f64 {
    let q = (-2.0 * ln(p)).sqrt();
    horner(&C, q) / (horner(&D, q) * q + 1.0)
}

fn horner(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// The natural logarithm of a normal positive number, by the series of the inverse hyperbolic
/// tangent on a mantissa between sqrt(1/2) and sqrt(2).
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = f64::from((bits >> 52) as i32 - 1023);
    let mut mantissa = f64::from_bits(bits & (u64::MAX >> 12) | 1023 << 52);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1.0;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    // |s| <= 0.172, so the first power left out, s^25, is below 1e-19.
    let series = (0..12).rev().fold(0.0, |sum, k| sum * s * s + 1.0 / f64::from(2 * k + 1));
    exponent * std::f64::consts::LN_2 + 2.0 * s * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles() {
        for (p, z) in [
            (0.5, 0.0),
            (0.6, 0.253_347_103_135_799_8),
            (0.75, 0.674_489_750_196_081_7),
            (0.975, 1.959_963_984_540_054),
            (0.99, 2.326_347_874_040_841),
            (0.999, 3.090_232_306_167_813),
            (0.0001, -3.719_016_485_455_709),
        ] {
            assert!((quantile(p) - z).abs() < 4e-9 * z.abs() + 1e-15, "{p}: {} {z}", quantile(p));
        }
    }

    #[test]
    fn the_logarithm_is_the_logarithm() {
        for i in 1..100_000 {
            let x = f64::from(i) * 1e-5;
            assert!((ln(x) - x.ln()).abs() <= 4e-16 * x.ln().abs() + 2e-16, "{x}");
        }
    }
}
