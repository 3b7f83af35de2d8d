//! Tables as Markdown.

use std::fmt::Write;

use crate::Report;
use crate::columns::{Table, tables};
use crate::table::facts;

pub(crate) fn render(report: &Report) -> String {
    let mut text = String::new();
    for line in facts(report) {
        let (name, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let _ = writeln!(text, "- **{name}**: {}", escaped(rest.trim()));
    }
    let _ = writeln!(text, "\n```console\n$ {}\n```", report.command.replace("```", "` ` `"));
    for one in tables(report) {
        text.push('\n');
        table(&mut text, &one);
    }
    text
}

fn table(text: &mut String, table: &Table<'_>) {
    let _ = writeln!(text, "| {} |", table.titles.join(" | "));
    let _ = writeln!(text, "|{}", "---:|".repeat(table.titles.len()));
    for (_, row) in &table.rows {
        let texts: Vec<_> = row.iter().map(|text| escaped(text)).collect();
        let _ = writeln!(text, "| {} |", texts.join(" | "));
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use crate::report::tests::report;

    #[test]
    fn every_row_has_every_column() {
        let text = report().to_markdown();
        let tables: Vec<Vec<_>> = text
            .split("\n\n")
            .map(|part| part.lines().filter(|line| line.starts_with('|')).collect())
            .filter(|rows: &Vec<_>| !rows.is_empty())
            .collect();
        assert_eq!(tables.len(), 2);
        for rows in tables {
            let count = |row: &str| row.matches('|').count();
            assert_eq!(rows.len(), 2 + report().cells.len());
            assert!(rows.iter().all(|row| count(row) == count(rows[0])));
        }
    }

    #[test]
    fn a_name_cannot_break_a_table() {
        let mut report = report();
        report.cells[0].precision = "a|b".to_owned();
        assert!(report.to_markdown().contains("a\\|b"));
    }
}
