//! Reading sensors at an interval.

use std::fmt;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use super::energy;
use super::{Reading, SensorFacts, Sensors};

/// Reads the sensors of some devices at an interval, on a thread of its own, while something runs.
///
/// ```
/// use moe_bench::{Reading, Sampler, Sensors};
///
/// struct Steady;
///
/// impl Sensors for Steady {
///     fn device(&self) -> String {
///         "npu:0".to_owned()
///     }
///
///     fn read(&self) -> Reading {
///         Reading { power_w: Some(200.0), ..Reading::default() }
///     }
/// }
///
/// let sampler = Sampler::new("an example", vec![Box::new(Steady)]);
/// assert_eq!(sampler.facts().devices, ["npu:0"]);
/// ```
pub struct Sampler {
    source: String,
    missing: Vec<String>,
    interval: Duration,
    sensors: Vec<Box<dyn Sensors>>,
}

/// What was read before, during and after a run.
pub(crate) struct Samples {
    /// Of each device, the second of the run and what was read then.
    devices: Vec<Vec<(f64, Reading)>>,
    /// Seconds of the run.
    seconds: f64,
}

/// Ten readings a second see every run that is long enough to be measured, and are no load for the driver.
const INTERVAL: Duration = Duration::from_millis(100);

impl Sampler {
    /// Reads these sensors ten times a second; `source` says for people who tells.
    #[must_use]
    pub fn new(source: impl Into<String>, sensors: Vec<Box<dyn Sensors>>) -> Self {
        Self { source: source.into(), missing: Vec::new(), interval: INTERVAL, sensors }
    }

    /// At another interval.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Notes what cannot be read and why, a sentence each, to be said in the report.
    #[must_use]
    pub fn missing(mut self, sentences: impl IntoIterator<Item = String>) -> Self {
        for sentence in sentences {
            if !self.missing.contains(&sentence) {
                self.missing.push(sentence);
            }
        }
        self
    }

    /// What a report says of them.
    #[must_use]
    pub fn facts(&self) -> SensorFacts {
        SensorFacts {
            source: self.source.clone(),
            interval_ms: self.interval.as_millis() as u64,
            devices: self.devices(),
            missing: self.missing.clone(),
        }
    }

    pub(super) fn devices(&self) -> Vec<String> {
        self.sensors.iter().map(|sensors| sensors.device()).collect()
    }

    /// Does some work, and reads once before it, at every interval while it goes on, and once after it. Nothing is read where
    /// the system gives no thread.
    pub(crate) fn during<R>(&self, work: impl FnOnce() -> R) -> (R, Samples) {
        let (ready, is_ready) = channel();
        let (stop, stopped) = channel::<()>();
        thread::scope(|scope| {
            let read = move || {
                let mut readings = vec![self.read()];
                // Whoever waits for it may be gone, with a panic.
                let _ = ready.send(());
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(self.interval) {
                    readings.push(self.read());
                }
                readings.push(self.read());
                readings
            };
            let thread = Builder::new().name("sensors".to_owned()).spawn_scoped(scope, read);
            // Without a thread, or if it is gone, there is nothing to wait for.
            let _ = is_ready.recv();
            let begin = Instant::now();
            let done = work();
            let seconds = begin.elapsed().as_secs_f64();
            drop(stop);
            let readings = thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_default();
            let of = |index| {
                let readings = readings.iter().filter_map(move |all: &Vec<_>| all.get(index));
                readings.map(|&(time, reading)| (since(begin, time), reading)).collect()
            };
            (done, Samples { devices: (0..self.sensors.len()).map(of).collect(), seconds })
        })
    }

    /// Each device, one after the other.
    fn read(&self) -> Vec<(Instant, Reading)> {
        self.sensors.iter().map(|sensors| (Instant::now(), sensors.read())).collect()
    }
}

/// Seconds from one to the other, negative if the other came first.
fn since(begin: Instant, time: Instant) -> f64 {
    match time.checked_duration_since(begin) {
        Some(later) => later.as_secs_f64(),
        None => -begin.duration_since(time).as_secs_f64(),
    }
}

impl Samples {
    /// The readings of a device that tell of the run. Loads are those of the time before a reading, so the one before the
    /// run is left out.
    pub(super) fn within(&self, device: usize) -> impl Iterator<Item = &Reading> {
        let readings = self.devices.get(device).into_iter().flatten();
        readings.filter(|(second, _)| *second >= 0.0).map(|(_, reading)| reading)
    }

    /// Joules that a device took in the run, if its power is known.
    pub(super) fn joules(&self, device: usize) -> Option<f64> {
        let readings = self.devices.get(device)?.iter();
        let watts: Vec<_> =
            readings.filter_map(|(second, reading)| Some((*second, reading.power_w?))).collect();
        energy::joules(&watts, self.seconds)
    }

    /// Joules that all devices took, if the power of all is known and there are any.
    pub(crate) fn all_joules(&self) -> Option<f64> {
        let joules: Option<Vec<_>> = (0..self.devices.len()).map(|one| self.joules(one)).collect();
        joules.filter(|joules| !joules.is_empty()).map(|joules| joules.iter().sum())
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// 100 W at the first reading, and 100 W more at each.
    struct Rising(AtomicU32);

    impl Sensors for Rising {
        fn device(&self) -> String {
            "npu:7".to_owned()
        }

        fn read(&self) -> Reading {
            let before = self.0.fetch_add(1, Ordering::Relaxed);
            Reading { power_w: Some(100.0 * f64::from(before + 1)), ..Reading::default() }
        }
    }

    struct Broken;

    impl Sensors for Broken {
        fn device(&self) -> String {
            "npu:8".to_owned()
        }

        fn read(&self) -> Reading {
            panic!("a sensor that panics")
        }
    }

    #[test]
    fn before_during_and_after() {
        let sampler = Sampler::new("a test", vec![Box::new(Rising(AtomicU32::new(0)))])
            .every(Duration::from_millis(1));
        let (done, read) = sampler.during(|| {
            thread::sleep(Duration::from_millis(50));
            3
        });
        assert_eq!(done, 3);
        let all = &read.devices[0];
        assert!(all.len() > 3, "{all:?}");
        assert!(all[0].0 < 0.0 && all[1].0 > 0.0, "{all:?}");
        assert!(all.last().is_some_and(|(second, _)| *second >= read.seconds), "{all:?}");
        assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(read.within(0).count(), all.len() - 1);
        let last = 100.0 * all.len() as f64;
        let joules = read.all_joules().expect("power is known");
        assert!(joules > 100.0 * read.seconds && joules < last * read.seconds, "{joules}");
        assert_eq!(read.joules(1), None);
    }

    #[test]
    fn a_short_run_has_two_readings() {
        let sampler = Sampler::new("a test", vec![Box::new(Rising(AtomicU32::new(0)))]);
        let ((), read) = sampler.during(|| {});
        assert_eq!(read.devices[0].len(), 2);
        assert_eq!(read.within(0).count(), 1);
    }

    #[test]
    fn work_is_done_whatever_sensors_do() {
        let (done, read) = Sampler::new("a test", vec![Box::new(Broken)]).during(|| 5);
        assert_eq!((done, read.all_joules()), (5, None));
        let (done, read) = Sampler::new("nothing", Vec::new()).during(|| 6);
        assert_eq!((done, read.all_joules()), (6, None));
    }

    #[test]
    fn what_is_missing_is_said_once() {
        let no_power = || ["no power".to_owned()];
        let sampler = Sampler::new("a test", Vec::new()).missing(no_power()).missing(no_power());
        assert_eq!(sampler.facts().missing, ["no power"]);
        assert_eq!(sampler.facts().interval_ms, 100);
    }
}
