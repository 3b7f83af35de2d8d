//! Progress of long work: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ckpt_convert::{Event, Observer, Phase};
use indicatif::{ProgressBar, ProgressStyle};

use super::{bytes, complain, rate};

/// Shows how a conversion goes, on standard error, so that standard output stays for results.
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

    fn start(phase: Phase, total: u64) -> Shown {
        let phase = match phase {
            Phase::Verify => "verify",
            Phase::Hash => "hash",
            _ => "write",
        };
        if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(total);
            let style = "{prefix:>8} [{wide_bar}] {decimal_bytes}/{decimal_total_bytes} \
                         {decimal_bytes_per_sec} ETA {eta}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(phase);
            return Shown::Bar(bar);
        }
        let now = Instant::now();
        Shown::Lines { phase, total, done: 0, started: now, said: now }
    }
}

impl Observer for Progress {
    fn on(&self, event: &Event<'_>) {
        let Ok(mut state) = self.state.lock() else { return };
        if self.quiet {
            return;
        }
        match (event, &mut *state) {
            (Event::Started { phase, bytes }, state) => *state = Some(Self::start(*phase, *bytes)),
            (Event::Advanced { bytes }, Some(Shown::Bar(bar))) => bar.inc(*bytes),
            (
                Event::Advanced { bytes: more },
                Some(Shown::Lines { phase, total, done, started, said }),
            ) => {
                *done += more;
                if said.elapsed() >= EVERY {
                    *said = Instant::now();
                    let percent = 100 * *done / (*total).max(1);
                    let speed = rate(*done, started.elapsed().as_secs_f64());
                    let total = bytes(*total);
                    complain(&format!("{phase:>8} {percent:3} % of {total} at {speed}"));
                }
            }
            (Event::Finished { .. }, state) => {
                if let Some(Shown::Bar(bar)) = state {
                    bar.finish_and_clear();
                }
                *state = None;
            }
            _ => {}
        }
    }
}
