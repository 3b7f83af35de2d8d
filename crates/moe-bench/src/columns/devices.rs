//! The columns of what the sensors of accelerators said.

use super::{maybe, number};
use crate::{Cell, DeviceSensed, Sampled, Spread};

/// A column: its title, and the text of a device in a cell.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) text: fn(&Cell, &DeviceSensed) -> String,
}

pub(super) const DEVICE: [Column; 10] = [
    Column { title: "Device", text: |_, device| device.device.clone() },
    Column { title: "Power (W)", text: |_, device| range(device.sensed.power_w, 1.0) },
    Column { title: "Temp (°C)", text: |_, device| range(device.sensed.temperature_c, 1.0) },
    Column { title: "AI core (%)", text: |_, device| range(device.sensed.ai_core_percent, 1.0) },
    Column { title: "AI core (MHz)", text: |_, device| range(device.sensed.ai_core_mhz, 1.0) },
    Column {
        title: "HBM used (MB)",
        text: |_, device| range(device.sensed.hbm_used_bytes, super::MEGABYTE),
    },
    Column { title: "HBM (MHz)", text: |_, device| range(device.sensed.hbm_mhz, 1.0) },
    Column {
        title: "HBM bandwidth (%)",
        text: |_, device| range(device.sensed.hbm_bandwidth_percent, 1.0),
    },
    Column { title: "Energy (J)", text: |_, device| maybe(joules(device)) },
    Column {
        title: "J/token",
        text: |cell, device| maybe(joules(device).map(|joules| joules / cell.tokens())),
    },
];

/// The number of readings, which says what the others are worth.
pub(super) const SAMPLES: Column =
    Column { title: "Samples", text: |_, device| device.samples().to_string() };

fn joules(device: &DeviceSensed) -> Option<f64> {
    (!device.joules.is_empty()).then(|| Spread::of(&device.joules).median)
}

/// The median, with the smallest and the largest where they differ.
fn range(sampled: Option<Sampled>, unit: f64) -> String {
    let Some(Sampled { min, median, max, .. }) = sampled else { return maybe(None) };
    let [min, median, max] = [min, median, max].map(|value| number(value / unit));
    if min == max { median } else { format!("{median} ({min}–{max})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_only_where_there_is_one() {
        let sampled = |values: &[f64]| Sampled::of(values);
        assert_eq!(range(sampled(&[120.0, 300.0, 250.0]), 1.0), "250 (120–300)");
        assert_eq!(range(sampled(&[250.0, 250.1]), 1.0), "250");
        assert_eq!(range(sampled(&[2.5e9]), 1e6), "2500");
        assert_eq!(range(None, 1.0), "–");
    }
}
