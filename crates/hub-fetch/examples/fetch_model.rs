//! Downloads what an engine needs of a repository of the hub; goes on where an earlier run ended.

use std::env::args;
use std::process::ExitCode;

use hub_fetch::{Download, Event, Filter, Hub, Observer, Options, Report, Result, Revision};

/// ```sh
/// cargo run --release -p hub-fetch --example fetch_model -- openai/gpt-oss-20b gpt-oss-20b
/// ```
fn main() -> ExitCode {
    let mut args = args().skip(1);
    let (Some(repo), Some(folder)) = (args.next(), args.next()) else {
        eprintln!("usage: fetch_model OWNER/NAME FOLDER");
        return ExitCode::from(2);
    };
    match fetch(&repo, &folder) {
        Ok(report) => {
            println!("{} bytes came, {} were there", report.received, report.resumed);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fetch(repo: &str, folder: &str) -> Result<Report> {
    let hub = Hub::from_env()?;
    let listing = hub.list(&repo.parse()?, &Revision::default(), &Retries)?;
    let selection = hub.select(&listing, &Filter::engine(), &Retries)?;
    println!("{} files, {} bytes", selection.files.len(), selection.bytes());
    Download::new(&hub, &selection, folder, Options::default()).run(&Retries)
}

/// Says when something has to be tried again.
#[derive(Debug)]
struct Retries;

impl Observer for Retries {
    fn on(&self, event: &Event<'_>) {
        if let Event::Retry { url, reason, wait, .. } = event {
            eprintln!("{url}: {reason}; again in {:.1} s", wait.as_secs_f64());
        }
    }
}
