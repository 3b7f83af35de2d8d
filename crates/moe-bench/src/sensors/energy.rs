//! Energy from samples of power.

/// Joules from second 0 to second `end`, from watts at some seconds, ascending, by the trapezoidal rule: power goes in a straight line
/// from one sample to the next, and stays what it was before the first and after the last. `None` without a sample.
pub(super) fn joules(watts: &[(f64, f64)], end: f64) -> Option<f64> {
    let first = watts.first()?;
    let last = watts.last()?;
    let at = |second: f64| {
        let after = watts.partition_point(|&(time, _)| time <= second);
        let (Some(&(left, low)), Some(&(right, high))) =
            (watts.get(after.wrapping_sub(1)), watts.get(after))
        else {
            return if after == 0 { first.1 } else { last.1 };
        };
        low + (high - low) * (second - left) / (right - left)
    };
    let inner = watts.iter().copied().filter(|&(time, _)| time > 0.0 && time < end);
    let points: Vec<_> =
        [(0.0, at(0.0))].into_iter().chain(inner).chain([(end, at(end))]).collect();
    let pieces = points.windows(2).map(|pair| {
        let [(left, low), (right, high)] = [pair[0], pair[1]];
        (right - left) * (low + high) / 2.0
    });
    Some(pieces.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: Option<f64>, right: f64) -> bool {
        left.is_some_and(|left| (left - right).abs() < 1e-9)
    }

    #[test]
    fn steady_power_is_power_by_time() {
        assert!(near(joules(&[(-0.1, 200.0), (0.5, 200.0), (2.5, 200.0)], 2.0), 400.0));
    }

    #[test]
    fn between_samples_power_goes_straight() {
        // From 100 W to 300 W in two seconds, of which the middle one counts: from 150 W to 250 W.
        assert!(near(joules(&[(-0.5, 100.0), (1.5, 300.0)], 1.0), 200.0));
        // A peak in the middle: two trapezoids.
        assert!(near(joules(&[(0.0, 100.0), (1.0, 300.0), (2.0, 100.0)], 2.0), 400.0));
    }

    #[test]
    fn beyond_the_samples_power_stays() {
        assert!(near(joules(&[(0.5, 100.0)], 2.0), 200.0));
        assert!(near(joules(&[(0.5, 100.0), (1.0, 200.0)], 2.0), 50.0 + 75.0 + 200.0));
        assert_eq!(joules(&[], 2.0), None);
    }

    #[test]
    fn two_samples_of_one_moment() {
        assert!(near(joules(&[(0.0, 100.0), (0.0, 200.0), (1.0, 200.0)], 1.0), 200.0));
    }
}
