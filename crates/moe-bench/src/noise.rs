//! What else the machine did while something was measured.

use std::fs;

use serde::{Deserialize, Serialize};

/// What disturbed a measurement, as far as Linux tells; all `None` elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Noise {
    /// Time that the machine's host took from it, as a share of all cores' time.
    pub stolen: Option<f64>,
    /// Time of other processes, as a share of all cores' time.
    pub others: Option<f64>,
    /// How much the clock of the cores moved: the largest over the smallest, less 1.
    pub clock: Option<f64>,
}

/// More of the cores' time than this, taken by others, is worth to be said.
const MUCH: f64 = 0.02;
/// The same for the clock.
const CLOCK_MUCH: f64 = 0.1;

impl Noise {
    /// What is worth to be said, a sentence each; empty for a quiet machine.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut say = |share: Option<f64>, much: f64, text: &str| {
            if let Some(share) = share.filter(|&share| share > much) {
                warnings.push(text.replace("{}", &format!("{:.0} %", 100.0 * share)));
            }
        };
        say(self.stolen, MUCH, "the host took {} of the cores' time (steal)");
        say(self.others, MUCH, "other processes had {} of the cores' time");
        say(self.clock, CLOCK_MUCH, "the cores' clock moved by {}");
        warnings
    }
}

/// Watches the machine from when it is made.
#[derive(Debug)]
pub struct Watch {
    start: Option<Ticks>,
    clock: Option<(f64, f64)>,
}

impl Watch {
    /// From now on.
    #[must_use]
    pub fn start() -> Self {
        let mut watch = Self { start: Ticks::now(), clock: None };
        watch.look();
        watch
    }

    /// Looks at the clock; the more often, the more of its movements are seen.
    pub fn look(&mut self) {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        for megahertz in clocks(&cpuinfo) {
            let (low, high) = self.clock.unwrap_or((megahertz, megahertz));
            self.clock = Some((low.min(megahertz), high.max(megahertz)));
        }
    }

    /// What disturbed since the start.
    #[must_use]
    pub fn noise(mut self) -> Noise {
        self.look();
        let shares = self.start.and_then(|before| Ticks::now()?.since(&before));
        Noise {
            stolen: shares.map(|(stolen, _)| stolen),
            others: shares.map(|(_, others)| others),
            clock: self.clock.filter(|(low, _)| *low > 0.0).map(|(low, high)| high / low - 1.0),
        }
    }
}

fn clocks(cpuinfo: &str) -> impl Iterator<Item = f64> + '_ {
    let fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let clock = fields.filter(|(key, _)| key.trim() == "cpu MHz");
    clock.filter_map(|(_, value)| value.trim().parse().ok())
}

/// Ticks of all cores since the system started, and of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    all: u64,
    busy: u64,
    stolen: u64,
    own: u64,
}

impl Ticks {
    fn now() -> Option<Self> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        Self::parse(&stat, &own)
    }

    /// proc(5): of `cpu user nice system idle iowait irq softirq steal`, and the 14th and 15th field of a process,
    /// counted after its name in brackets.
    fn parse(stat: &str, own: &str) -> Option<Self> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let fields: Vec<u64> = line
            .split_whitespace()
            .take(8)
            .map(|field| field.parse().ok())
            .collect::<Option<_>>()?;
        let [user, nice, system, idle, iowait, irq, softirq, stolen] = fields[..] else {
            return None;
        };
        let busy = user + nice + system + irq + softirq;
        let after_name = own.rsplit_once(')')?.1;
        let mut times = after_name.split_whitespace().skip(11).map(str::parse::<u64>);
        let own = times.next()?.ok()? + times.next()?.ok()?;
        Some(Self { all: busy + idle + iowait + stolen, busy, stolen, own })
    }

    /// Shares of the time since `before`: stolen, and of other processes.
    fn since(&self, before: &Self) -> Option<(f64, f64)> {
        let all = self.all.checked_sub(before.all).filter(|&all| all > 0)? as f64;
        let others = (self.busy - before.busy).saturating_sub(self.own - before.own);
        Some(((self.stolen - before.stolen) as f64 / all, others as f64 / all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "12 (a (strange) name) R 1 1 1 0 -1 4194304 100 0 0 0 70 30 0 0 20 0 3 0 1 1";

    #[test]
    fn ticks_are_those_of_proc() {
        let stat = "cpu  100 5 50 800 20 3 2 20 0 0\ncpu0 1 2 3\n";
        let ticks = Ticks::parse(stat, OWN).expect("all fields");
        assert_eq!(ticks, Ticks { all: 1000, busy: 160, stolen: 20, own: 100 });
        assert_eq!(Ticks::parse("cpu 1 2 3", OWN), None);
        assert_eq!(Ticks::parse(stat, "12 (name) R"), None);
    }

    #[test]
    fn shares_of_a_time() {
        let before = Ticks { all: 1000, busy: 160, stolen: 20, own: 100 };
        let after = Ticks { all: 1200, busy: 300, stolen: 30, own: 220 };
        let (stolen, others) = after.since(&before).expect("time went by");
        assert!((stolen - 0.05).abs() < 1e-12 && (others - 0.1).abs() < 1e-12);
        assert_eq!(before.since(&before), None);
    }

    #[test]
    fn a_quiet_machine_is_not_talked_about() {
        assert!(Noise::default().warnings().is_empty());
        let noise = Noise { stolen: Some(0.3), others: Some(0.01), clock: None };
        assert_eq!(noise.warnings(), ["the host took 30 % of the cores' time (steal)"]);
    }

    #[test]
    fn clocks_of_all_cores() {
        let text = "cpu MHz\t\t: 2445.404\nbogomips: 3\ncpu MHz\t\t: 3000\n";
        assert_eq!(clocks(text).collect::<Vec<_>>(), [2445.404, 3000.0]);
    }
}
