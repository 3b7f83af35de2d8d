//! The report as a page.

mod axis;
mod flame;
mod lines;
mod roof;
mod runs;

use std::fmt::Write;

use crate::columns::{Table, tables};
use crate::table::facts;
use crate::{Cell, Report};
use lines::{Chart, Point, Series};

const STYLE: &str = include_str!("html/style.css");

pub(crate) fn render(report: &Report) -> String {
    let title = escape(&format!("{} on {}", report.model.name, report.model.device));
    let mut body = String::new();
    let _ = write!(body, "<header><h1>{title}</h1>{}</header>", lead(report));
    section(&mut body, "Throughput and latency", &curves(report));
    section(&mut body, "How near to the machine's limit", &roof::render(report));
    section(&mut body, "Where the time goes", &flame::render(report));
    section(&mut body, "From run to run", &runs::render(report));
    section(&mut body, "All figures", &tables(report).iter().map(table).collect::<String>());
    section(&mut body, "Machine, model, method", &about(report));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body><main>{body}</main></body></html>\n"
    )
}

fn section(body: &mut String, title: &str, content: &str) {
    if !content.is_empty() {
        let _ = write!(body, "\n<section><h2>{title}</h2>{content}</section>");
    }
}

/// The figures that a reader came for: the best of each.
fn lead(report: &Report) -> String {
    let best = |of: &dyn Fn(&Cell) -> Option<f64>, most: bool| {
        let values = report.cells.iter().filter_map(of);
        if most { values.max_by(f64::total_cmp) } else { values.min_by(f64::total_cmp) }
    };
    let figures = [
        ("tok/s generated", best(&|cell| cell.decode_rate().map(|rate| rate.median), true)),
        ("tok/s of prompts", best(&|cell| Some(cell.prefill_rate().median), true)),
        ("ms to the first token", best(&|cell| Some(1e3 * cell.first_token().median), false)),
        (
            "% of the limit in decode",
            best(&|cell| cell.decode_share.map(|share| 100.0 * share), true),
        ),
        ("J a token, NPU", best(&Cell::device_joules_per_token, false)),
    ];
    let mut text = "<div class=\"lead\">".to_owned();
    for (name, value) in figures {
        if let Some(value) = value {
            let value = crate::columns::number(value);
            let _ = write!(text, "<div><b>{value}</b><span>{name}</span></div>");
        }
    }
    text += "</div><p class=\"note\">The best case of each; all of them are below.</p>";
    for warning in report.noise.warnings() {
        let _ = write!(text, "<p class=\"warning\">Not a quiet machine: {}.</p>", escape(&warning));
    }
    text
}

/// Throughput and latency over the length of the prompt, a line a batch, a pair of charts a precision.
fn curves(report: &Report) -> String {
    let mut precisions: Vec<&str> = Vec::new();
    for cell in &report.cells {
        if !precisions.contains(&cell.precision.as_str()) {
            precisions.push(&cell.precision);
        }
    }
    let mut text = "<div class=\"charts\">".to_owned();
    for precision in precisions {
        let cells: Vec<_> =
            report.cells.iter().filter(|cell| cell.precision == precision).collect();
        let mut batches: Vec<_> = cells.iter().map(|cell| cell.case.batch).collect();
        batches.sort_unstable();
        batches.dedup();
        let series = |of: &dyn Fn(&Cell) -> crate::Spread| -> Vec<Series> {
            let line = |&batch: &usize| {
                let mut cells: Vec<_> =
                    cells.iter().filter(|cell| cell.case.batch == batch).collect();
                cells.sort_by_key(|cell| cell.case.prompt);
                let point = |cell: &&&Cell| Point { x: cell.case.prompt as f64, y: of(cell) };
                Series { name: format!("batch {batch}"), points: cells.iter().map(point).collect() }
            };
            batches.iter().map(line).collect()
        };
        for (what, unit, series) in [
            ("throughput", "tok/s", series(&Cell::throughput)),
            ("latency", "s", series(&Cell::latency)),
        ] {
            let title = format!("{precision}: {what} ({unit})");
            let chart = Chart { title, x: "prompt length (tokens)", unit, series };
            text += &chart.render();
        }
    }
    text + "</div>"
}

fn table(table: &Table<'_>) -> String {
    let row = |texts: &mut dyn Iterator<Item = &str>, tag: &str| {
        let cells = texts.map(|text| format!("<{tag}>{}</{tag}>", escape(text)));
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    let head = row(&mut table.titles.iter().copied(), "th");
    let rows = table.rows.iter().map(|(_, row)| row);
    let rows: String = rows.map(|texts| row(&mut texts.iter().map(String::as_str), "td")).collect();
    format!("<div class=\"scroll\"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>")
}

fn about(report: &Report) -> String {
    let mut text = "<dl>".to_owned();
    for line in facts(report) {
        let (name, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let _ = write!(text, "<dt>{name}</dt><dd>{}</dd>", escape(rest.trim()));
    }
    let _ = write!(
        text,
        "<dt>command</dt><dd><code>{}</code></dd></dl><p class=\"note\">The limit of a phase is the longer of two times: \
         that of reading its bytes at the rate at which this machine reads memory, and that of its arithmetic at the rate \
         of chains in registers. Throughput counts generated tokens over the whole run, prompts included.</p>",
        escape(&report.command)
    );
    text
}

/// Text in an element or an attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use crate::report::tests::report;

    #[test]
    fn nothing_comes_from_elsewhere() {
        let page = report().to_html();
        assert!(!page.contains("http") && !page.contains("<script") && !page.contains("url("));
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
    }

    #[test]
    fn every_element_is_closed() {
        let page = report().to_html();
        for tag in ["svg", "g", "section", "table", "tr", "td", "div", "text", "dl", "main"] {
            let opened = page.matches(&format!("<{tag}>")).count()
                + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
        assert!(!page.contains("NaN") && !page.contains("inf\""));
    }

    #[test]
    fn a_name_is_text() {
        let mut report = report();
        report.model.name = "<b>&\"".to_owned();
        assert!(report.to_html().contains("<h1>&lt;b&gt;&amp;&quot; on"));
    }

    #[test]
    fn an_empty_report_is_a_page() {
        let mut report = report();
        report.cells.clear();
        report.rates = None;
        let page = report.to_html();
        assert!(page.ends_with("</html>\n") && !page.contains("NaN"));
    }
}
