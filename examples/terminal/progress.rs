//! Progress of long work: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{bytes, complain, rate};

/// Shows how a conversion or a download goes, on standard error, so that standard output stays for results.
#[derive(Debug)]
pub struct Progress {
    quiet: bool,
    state: Mutex<Option<Shown>>,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines { phase: &'static str, total: u64, done: u64, started: Instant, said: Instant },
}

/// How often a line is printed where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

impl Progress {
    pub fn new(quiet: bool) -> Self {
        Self { quiet, state: Mutex::new(None) }
    }

    fn start(&self, phase: &'static str, total: u64) {
        if self.quiet {
            return;
        }
        let now = Instant::now();
        let shown = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(total);
            let style = "{prefix:>8} [{wide_bar}] {decimal_bytes}/{decimal_total_bytes} \
                         {decimal_bytes_per_sec} ETA {eta}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(phase);
            Shown::Bar(bar)
        } else {
            Shown::Lines { phase, total, done: 0, started: now, said: now }
        };
        self.show(|state| *state = Some(shown));
    }

    fn advance(&self, more: u64) {
        self.show(|state| match state {
            Some(Shown::Bar(bar)) => bar.inc(more),
            Some(Shown::Lines { phase, total, done, started, said }) => {
                *done += more;
                if said.elapsed() >= EVERY {
                    *said = Instant::now();
                    let percent = 100 * *done / (*total).max(1);
                    let speed = rate(*done, started.elapsed().as_secs_f64());
                    let total = bytes(*total);
                    complain(&format!("{phase:>8} {percent:3} % of {total} at {speed}"));
                }
            }
            None => {}
        });
    }

    fn retreat(&self, fewer: u64) {
        self.show(|state| match state {
            Some(Shown::Bar(bar)) => bar.set_position(bar.position().saturating_sub(fewer)),
            Some(Shown::Lines { done, .. }) => *done = done.saturating_sub(fewer),
            None => {}
        });
    }

    /// A line for which the bar makes room.
    fn note(&self, text: &str) {
        if self.quiet {
            return;
        }
        self.show(|state| match state {
            Some(Shown::Bar(bar)) => bar.suspend(|| complain(text)),
            _ => complain(text),
        });
    }

    fn finish(&self) {
        self.show(|state| {
            if let Some(Shown::Bar(bar)) = state.take() {
                bar.finish_and_clear();
            }
        });
    }

    fn show(&self, change: impl FnOnce(&mut Option<Shown>)) {
        if let Ok(mut state) = self.state.lock() {
            change(&mut state);
        }
    }
}

impl ckpt_convert::Observer for Progress {
    fn on(&self, event: &ckpt_convert::Event<'_>) {
        use ckpt_convert::{Event, Phase};
        match event {
            Event::Started { phase, bytes } => {
                let phase = match phase {
                    Phase::Verify => "verify",
                    Phase::Hash => "hash",
                    _ => "write",
                };
                self.start(phase, *bytes);
            }
            Event::Advanced { bytes } => self.advance(*bytes),
            Event::Finished { .. } => self.finish(),
            _ => {}
        }
    }
}

impl hub_fetch::Observer for Progress {
    fn on(&self, event: &hub_fetch::Event<'_>) {
        use hub_fetch::{Event, Phase};
        match event {
            Event::Started { phase, bytes } => {
                self.start(if *phase == Phase::Hash { "hash" } else { "download" }, *bytes);
            }
            Event::Advanced { bytes } => self.advance(*bytes),
            Event::Finished { .. } => self.finish(),
            Event::Lost { file, bytes, reason } => {
                self.retreat(*bytes);
                self.note(&format!("{file}: begins again: {reason}"));
            }
            Event::Retry { url, reason, wait, .. } => {
                self.note(&format!("{url}: {reason}; again in {:.1} s", wait.as_secs_f64()));
            }
            _ => {}
        }
    }
}
