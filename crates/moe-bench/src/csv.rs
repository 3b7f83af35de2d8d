//! Measurements as comma-separated values (RFC 4180).

use std::fmt::Write;

use crate::{Cell, Report, Sampled, Sensed};

/// A column: a name with its unit, and the value; empty for what is unknown.
type Column = (&'static str, fn(&Cell) -> Option<f64>);

const COLUMNS: [Column; 33] = [
    ("batch", |cell| Some(cell.case.batch as f64)),
    ("seq_len", |cell| Some(cell.case.prompt as f64)),
    ("generate", |cell| Some(cell.case.generate as f64)),
    ("runs", |cell| Some(cell.runs.len() as f64)),
    ("throughput_tok_s", |cell| Some(cell.throughput().median)),
    ("throughput_std", |cell| Some(cell.throughput().std)),
    ("latency_s", |cell| Some(cell.latency().median)),
    ("token_time_s", |cell| Some(cell.token_time().median)),
    ("cpu_mem_percent", Cell::memory_percent),
    ("npu_mem_bytes", |cell| cell.device_memory.map(|bytes| bytes as f64)),
    ("first_token_s", |cell| Some(cell.first_token().median)),
    ("prefill_tok_s", |cell| Some(cell.prefill_rate().median)),
    ("decode_tok_s", |cell| cell.decode_rate().map(|rate| rate.median)),
    ("decode_tok_s_user", Cell::rate_per_user),
    ("between_p50_s", |cell| cell.between_tokens().map(|[p50, _, _]| p50)),
    ("between_p95_s", |cell| cell.between_tokens().map(|[_, p95, _]| p95)),
    ("between_p99_s", |cell| cell.between_tokens().map(|[_, _, p99]| p99)),
    ("prefill_of_limit", |cell| cell.prefill_share),
    ("decode_of_limit", |cell| cell.decode_share),
    ("peak_rss_bytes", |cell| known(cell.memory.peak)),
    ("rss_bytes", |cell| known(cell.memory.resident)),
    ("anonymous_bytes", |cell| known(cell.memory.anonymous)),
    ("joules_per_token", Cell::joules_per_token),
    ("npu_joules", Cell::device_joules),
    ("npu_joules_per_token", Cell::device_joules_per_token),
    ("npu_power_w", |cell| sum(cell, |sensed| Some(sensed.power_w?.median))),
    ("npu_power_min_w", |cell| sum(cell, |sensed| Some(sensed.power_w?.min))),
    ("npu_power_max_w", |cell| sum(cell, |sensed| Some(sensed.power_w?.max))),
    ("npu_temperature_max_c", |cell| most(cell, |sensed| Some(sensed.temperature_c?.max))),
    ("npu_ai_core_percent", |cell| mean(cell, |sensed| Some(sensed.ai_core_percent?.median))),
    ("npu_hbm_used_bytes", |cell| sum(cell, |sensed| Some(sensed.hbm_used_bytes?.median))),
    ("npu_hbm_mhz", |cell| mean(cell, |sensed| Some(sensed.hbm_mhz?.median))),
    ("npu_samples", |cell| {
        cell.sensed.iter().map(|device| device.samples() as f64).min_by(f64::total_cmp)
    }),
];

/// A figure of one device.
type OfDevice = fn(&Sensed<Option<Sampled>>) -> Option<f64>;

/// A figure of all devices, if all have it and there are any.
fn all(cell: &Cell, of: OfDevice) -> Option<Vec<f64>> {
    let all: Option<Vec<_>> = cell.sensed.iter().map(|device| of(&device.sensed)).collect();
    all.filter(|all| !all.is_empty())
}

fn sum(cell: &Cell, of: OfDevice) -> Option<f64> {
    Some(all(cell, of)?.iter().sum())
}

fn mean(cell: &Cell, of: OfDevice) -> Option<f64> {
    let all = all(cell, of)?;
    Some(all.iter().sum::<f64>() / all.len() as f64)
}

fn most(cell: &Cell, of: OfDevice) -> Option<f64> {
    all(cell, of)?.into_iter().max_by(f64::total_cmp)
}

fn known(bytes: u64) -> Option<f64> {
    (bytes > 0).then_some(bytes as f64)
}

pub(crate) fn render(report: &Report) -> String {
    let names = COLUMNS.map(|(name, _)| name).join(",");
    let mut text = format!("precision,{names}\r\n");
    for cell in &report.cells {
        let values =
            COLUMNS.map(|(_, value)| value(cell).map_or_else(String::new, |v| v.to_string()));
        let _ = write!(text, "{},{}\r\n", quoted(&cell.precision), values.join(","));
    }
    text
}

fn quoted(text: &str) -> String {
    let plain = !text.contains([',', '"', '\r', '\n']);
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn a_row_a_measurement() {
        let text = report().to_csv();
        let lines: Vec<_> = text.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 1 + report().cells.len());
        assert!(lines[0].starts_with("precision,batch,seq_len,generate,runs,throughput_tok_s,"));
        assert!(lines.iter().all(|line| line.split(',').count() == 1 + COLUMNS.len()));
        assert!(lines[1].starts_with("bf16,2,8,4,3,"));
    }

    #[test]
    fn what_has_a_comma_is_quoted() {
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
