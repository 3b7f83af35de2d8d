//! Trying again, later and later.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ureq::http::HeaderMap;

use crate::url::shown;
use crate::{Error, Event, Observer, Result};

/// How often and how long to try.
///
/// Waits double from `first` to `longest`, and each is shortened by a random part of up to a half, so that many
/// who were turned away together do not come back together. A server that says when to come back is obeyed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Retry {
    /// How many tries may fail in a row. One after which something came begins a new row.
    pub tries: u32,
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait of our own.
    pub longest: Duration,
    /// The longest wait that a server may ask for; beyond it the download gives up at once.
    pub patience: Duration,
}

impl Default for Retry {
    /// 6 tries, waits from half a second to 30 seconds, patience of 10 minutes.
    fn default() -> Self {
        Self {
            tries: 6,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            patience: Duration::from_secs(600),
        }
    }
}

impl Retry {
    /// So many tries.
    #[must_use]
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    /// Waits from `first` to `longest`.
    #[must_use]
    pub fn waits(mut self, first: Duration, longest: Duration) -> Self {
        (self.first, self.longest) = (first, longest);
        self
    }

    /// The wait after so many failures in a row; `random` is any number.
    fn wait(&self, failures: u32, random: u64) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let wait = self.first.saturating_mul(doubled).min(self.longest);
        let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
        wait.mul_f64(1.0 - share / 2.0)
    }
}

/// Why a request did not give what it should.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// May be better the next time.
    Passing { url: String, reason: String, wait: Option<Duration> },
    /// Will not be better.
    Lasting(Error),
}

impl Trouble {
    pub(crate) fn passing(url: &str, reason: impl Into<String>) -> Self {
        Self::Passing { url: shown(url), reason: reason.into(), wait: None }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Lasting(error)
    }
}

/// The tries of one request, or of one range of a file.
pub(crate) struct Tries<'a> {
    pub(crate) retry: &'a Retry,
    pub(crate) observer: &'a dyn Observer,
    /// Whether to stop waiting, and with which error.
    pub(crate) stopped: &'a dyn Fn() -> Result<()>,
    pub(crate) file: &'a str,
    failures: u32,
}

/// How long a wait goes on without looking whether it should end.
const SLICE: Duration = Duration::from_millis(50);

impl<'a> Tries<'a> {
    pub(crate) fn new(
        retry: &'a Retry,
        observer: &'a dyn Observer,
        stopped: &'a dyn Fn() -> Result<()>,
        file: &'a str,
    ) -> Self {
        Self { retry, observer, stopped, file, failures: 0 }
    }

    /// Something came: the next failure is a first one.
    pub(crate) fn progressed(&mut self) {
        self.failures = 0;
    }

    /// Waits before the next try, or gives the error when there is none. `at` is the byte that was needed, and
    /// the size.
    pub(crate) fn again(&mut self, trouble: Trouble, at: Option<(u64, u64)>) -> Result<()> {
        // A connection that was closed on purpose fails too.
        (self.stopped)()?;
        let (url, reason, asked) = match trouble {
            Trouble::Lasting(error) => return Err(error),
            Trouble::Passing { url, reason, wait } => (url, reason, wait),
        };
        self.failures += 1;
        let random = RandomState::new().build_hasher().finish();
        let wait = asked.unwrap_or_else(|| self.retry.wait(self.failures, random));
        let file = self.file.to_owned();
        if wait > self.retry.patience.max(self.retry.longest) {
            let reason = format!("{reason}; the server asks to wait {} s", wait.as_secs());
            return Err(Error::GaveUp { url, file, at, tries: self.failures, reason });
        }
        if self.failures >= self.retry.tries {
            return Err(Error::GaveUp { url, file, at, tries: self.failures, reason });
        }
        self.observer.on(&Event::Retry { url: &url, file: &file, reason: &reason, wait });
        let until = Instant::now() + wait;
        loop {
            (self.stopped)()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(SLICE));
        }
    }
}

/// What `Retry-After` (RFC 9110, section 10.2.3), else an exhausted `RateLimit` (the field that the hub sends,
/// draft-ietf-httpapi-ratelimit-headers), says to wait.
pub(crate) fn asked_wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(text) = text("retry-after") {
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = httpdate::parse_http_date(text).ok()?;
        return Some(date.duration_since(now).unwrap_or_default());
    }
    let mut remaining = None;
    let mut reset = None;
    for part in text("ratelimit")?.split(';') {
        match part.trim().split_once('=') {
            Some(("r", value)) => remaining = value.trim().parse::<u64>().ok(),
            Some(("t", value)) => reset = value.trim().parse().ok(),
            _ => {}
        }
    }
    reset.filter(|_| remaining == Some(0)).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        // 1994-11-06 08:49:37 UTC, the example of RFC 9110.
        asked_wait(&headers, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn servers_say_when_to_come_back() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(asked("retry-after", " 120 "), seconds(120));
        assert_eq!(asked("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), seconds(30));
        assert_eq!(asked("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT"), seconds(0));
        assert_eq!(asked("retry-after", "soon"), None);
        assert_eq!(asked("retry-after", "-1"), None);
        assert_eq!(asked("ratelimit", "\"api\";r=0;t=55"), seconds(55));
        assert_eq!(asked("ratelimit", "\"api\";r=3;t=55"), None);
        assert_eq!(asked("ratelimit", "\"api\";t=55"), None);
    }

    proptest! {
        #[test]
        fn waits_grow_to_the_longest(failures in 0_u32..100, random: u64) {
            let retry = Retry::default();
            let wait = retry.wait(failures, random);
            prop_assert!(wait <= retry.longest);
            prop_assert!(wait >= retry.first / 2);
            if failures > 10 {
                prop_assert!(wait >= retry.longest / 2);
            }
        }

        #[test]
        fn any_header(value in "[ -~]*") {
            let _ = asked("retry-after", &value);
            let _ = asked("ratelimit", &value);
        }
    }
}
