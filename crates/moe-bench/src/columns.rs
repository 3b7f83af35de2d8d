//! The columns of the tables, the same wherever they are shown.

mod devices;

use crate::{Cell, Report};
use devices::{DEVICE, SAMPLES};

/// A table: titles, and a text for each in every row.
pub(crate) struct Table<'a> {
    pub(crate) titles: Vec<&'static str>,
    /// Each with what it is about.
    pub(crate) rows: Vec<(&'a Cell, Vec<String>)>,
}

/// The tables of a report: the recipe's, the details, and what sensors said if there were any.
pub(crate) fn tables(report: &Report) -> Vec<Table<'_>> {
    let mut tables = vec![table(report, &RECIPE), table(report, &DETAIL)];
    tables.extend(devices(report));
    tables
}

/// A column: its title, and the text of a cell; `–` for what is unknown.
struct Column {
    title: &'static str,
    text: fn(&Cell) -> String,
}

/// A row a case.
fn table<'a>(report: &'a Report, columns: &[Column]) -> Table<'a> {
    let titles = CASE.iter().chain(columns).map(|column| column.title).collect();
    let row = |cell| CASE.iter().chain(columns).map(|column| (column.text)(cell)).collect();
    Table { titles, rows: report.cells.iter().map(|cell| (cell, row(cell))).collect() }
}

/// A row a case and device; `None` where no sensor was read.
fn devices(report: &Report) -> Option<Table<'_>> {
    let columns = || DEVICE.iter().chain([&SAMPLES]);
    let case = CASE.iter().map(|column| column.title);
    let titles = case.chain(columns().map(|column| column.title)).collect();
    let rows: Vec<_> = report
        .cells
        .iter()
        .flat_map(|cell| cell.sensed.iter().map(move |device| (cell, device)))
        .map(|(cell, device)| {
            let case = CASE.iter().map(|column| (column.text)(cell));
            let texts = columns().map(|column| (column.text)(cell, device));
            (cell, case.chain(texts).collect())
        })
        .collect();
    (!rows.is_empty()).then_some(Table { titles, rows })
}

const MEGABYTE: f64 = 1e6;

/// What a row is about.
const CASE: [Column; 3] = [
    Column { title: "Precision", text: |cell| cell.precision.clone() },
    Column { title: "Batch", text: |cell| cell.case.batch.to_string() },
    Column { title: "Seq Len", text: |cell| cell.case.prompt.to_string() },
];

/// The columns of the published recipe, by its names.
const RECIPE: [Column; 6] = [
    Column { title: "Throughput (tok/s)", text: |cell| number(cell.throughput().median) },
    Column { title: "Latency (s)", text: |cell| number(cell.latency().median) },
    Column { title: "CPU Mem (%)", text: |cell| maybe(cell.memory_percent()) },
    Column {
        title: "NPU Mem (MB)",
        text: |cell| maybe(cell.device_memory.map(|bytes| bytes as f64 / MEGABYTE)),
    },
    Column { title: "Token Time (s)", text: |cell| number(cell.token_time().median) },
    Column { title: "Throughput Std", text: |cell| number(cell.throughput().std) },
];

/// What an engineer asks for besides.
const DETAIL: [Column; 13] = [
    Column { title: "First token (ms)", text: |cell| number(1e3 * cell.first_token().median) },
    Column { title: "Prefill (tok/s)", text: |cell| number(cell.prefill_rate().median) },
    Column {
        title: "Decode (tok/s)",
        text: |cell| maybe(cell.decode_rate().map(|rate| rate.median)),
    },
    Column { title: "per user", text: |cell| maybe(cell.rate_per_user()) },
    Column { title: "p50 (ms)", text: |cell| between(cell, 0) },
    Column { title: "p95 (ms)", text: |cell| between(cell, 1) },
    Column { title: "p99 (ms)", text: |cell| between(cell, 2) },
    Column { title: "Prefill of limit", text: |cell| percent(cell.prefill_share) },
    Column { title: "Decode of limit", text: |cell| percent(cell.decode_share) },
    Column { title: "Peak RSS (MB)", text: |cell| megabytes(cell.memory.peak) },
    Column { title: "Anonymous (MB)", text: |cell| megabytes(cell.memory.anonymous) },
    Column { title: "CPU J/token", text: |cell| maybe(cell.joules_per_token()) },
    Column { title: "NPU J/token", text: |cell| maybe(cell.device_joules_per_token()) },
];

fn between(cell: &Cell, which: usize) -> String {
    maybe(cell.between_tokens().map(|seconds| 1e3 * seconds[which]))
}

fn megabytes(bytes: u64) -> String {
    maybe((bytes > 0).then_some(bytes as f64 / MEGABYTE))
}

pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(unknown, |share| format!("{:.0} %", 100.0 * share))
}

fn maybe(value: Option<f64>) -> String {
    value.map_or_else(unknown, number)
}

fn unknown() -> String {
    "–".to_owned()
}

/// Three digits that count, or all before the point.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 99.95 || size == 0.0 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        size if size >= 0.099_95 => 3,
        size if size >= 0.009_995 => 4,
        _ => 5,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
        let texts: Vec<_> = [1234.5, 123.45, 12.345, 1.2345, 0.12345, 0.012_345, 0.001_234_5, 0.0]
            .into_iter()
            .map(number)
            .collect();
        // 1234.5 and 12.345 are rounded as `format!` rounds.
        assert_eq!(texts, ["1234", "123", "12.3", "1.23", "0.123", "0.0123", "0.00123", "0"]);
    }

    #[test]
    fn a_number_does_not_grow_a_digit() {
        assert_eq!((number(9.9999), number(99.99)), ("10.0".to_owned(), "100".to_owned()));
    }
}
