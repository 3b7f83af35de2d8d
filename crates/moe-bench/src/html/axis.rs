//! Where numbers lie in a drawing.

/// Numbers of an axis and the pixels they lie at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    /// The numbers at both ends, or their logarithms.
    ends: (f64, f64),
    /// The pixels there.
    pixels: (f64, f64),
    /// Between marks; `None` if equal ratios are equally far apart.
    step: Option<f64>,
}

impl Axis {
    /// From 0 to what is a little more than `most`.
    pub(super) fn linear(most: f64, pixels: (f64, f64)) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let step = step(most);
        Self { ends: (0.0, (most / step).ceil() * step), pixels, step: Some(step) }
    }

    /// From `ends.0` to `ends.1`, equal ratios equally far apart.
    pub(super) fn log(ends: (f64, f64), pixels: (f64, f64)) -> Self {
        let (low, high) = (ends.0.max(1e-12), ends.1.max(1e-12));
        // A single number lies in the middle.
        let (low, high) = if high > low { (low, high) } else { (low / 2.0, low * 2.0) };
        Self { ends: (low.ln(), high.ln()), pixels, step: None }
    }

    /// The pixel of a number.
    pub(super) fn at(&self, number: f64) -> f64 {
        let number = if self.step.is_none() { number.max(1e-12).ln() } else { number };
        let share = (number - self.ends.0) / (self.ends.1 - self.ends.0);
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }

    /// Round numbers to be marked: multiples of a step, or powers of ten.
    pub(super) fn marks(&self) -> Vec<f64> {
        let Some(step) = self.step else {
            let power = |end: f64| end / std::f64::consts::LN_10;
            let (low, high) = (power(self.ends.0).ceil() as i32, power(self.ends.1).floor() as i32);
            return (low..=high).map(|power| 10f64.powi(power)).collect();
        };
        let count = (self.ends.1 / step).round() as usize;
        (0..=count).map(|index| index as f64 * step).collect()
    }
}

/// 1, 2 or 5 times a power of ten, so that there are four to nine steps.
fn step(most: f64) -> f64 {
    let power = 10f64.powf((most / 4.0).log10().floor());
    let fits = |factor: &f64| most / (factor * power) >= 4.0;
    power * [5.0, 2.0, 1.0].into_iter().find(fits).unwrap_or(1.0)
}

/// A number beside a mark.
pub(super) fn label(number: f64) -> String {
    if number >= 1e6 || (number > 0.0 && number < 1e-3) {
        return format!("{number:.0e}");
    }
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round() {
        let axis = Axis::linear(0.73, (100.0, 0.0));
        let marks: Vec<_> = axis.marks().into_iter().map(label).collect();
        assert_eq!(marks, ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8"]);
        assert!((axis.at(0.4) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn powers_of_ten() {
        let axis = Axis::log((0.5, 200.0), (0.0, 300.0));
        assert_eq!(axis.marks(), [1.0, 10.0, 100.0]);
        assert!((axis.at(10.0) - 150.0).abs() < 1e-9);
    }

    #[test]
    fn one_number_lies_in_the_middle() {
        assert!((Axis::log((64.0, 64.0), (0.0, 100.0)).at(64.0) - 50.0).abs() < 1e-9);
        assert!(Axis::linear(0.0, (0.0, 1.0)).at(0.0).is_finite());
    }
}
