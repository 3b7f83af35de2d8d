//! Faults that the environment asks for.

use std::sync::atomic::{AtomicU64, Ordering};

/// What `ASCEND_SIM_FAULTS` asks for, and how far the counts are.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    plan: Plan,
    allocations: AtomicU64,
    launches: AtomicU64,
}

/// The items of `ASCEND_SIM_FAULTS`; counts begin at 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// `malloc:N`: the N-th device allocation finds no memory.
    pub(crate) malloc: Option<u64>,
    /// `kernel:N` or `kernel:N=CODE`: the N-th launch faults on the device, with 507015 or this code.
    pub(crate) kernel: Option<(u64, i32)>,
    /// `lost:N`: the device is lost (507010) when the N-th launch runs.
    pub(crate) lost: Option<u64>,
    /// `hang:N`: the N-th launch runs until its stream is aborted.
    pub(crate) hang: Option<u64>,
    /// `slow:N=MS`: the N-th launch takes this many milliseconds more.
    pub(crate) slow: Option<(u64, u64)>,
    /// `missing:SYM+SYM`: symbols that the front libraries leave out.
    pub(crate) missing: Vec<String>,
    /// `forgive`: device faults are reported once and do not poison the context.
    pub(crate) forgive: bool,
}

/// What happens to a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Injected {
    /// It faults with this code.
    Fault(i32),
    /// The device is lost.
    Lost,
    /// It does not end by itself.
    Hang,
    /// It takes this many milliseconds more.
    Slow(u64),
}

/// `ACL_ERROR_RT_AICORE_EXCEPTION`.
pub(crate) const CORE_EXCEPTION: i32 = 507_015;
/// `ACL_ERROR_RT_LOST_HEARTBEAT`.
pub(crate) const LOST_HEARTBEAT: i32 = 507_010;

impl Plan {
    /// Reads a list such as `malloc:3,kernel:10=507035,missing:aclnnMm+aclrtMemset`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut plan = Self::default();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (name, value) = item.split_once(':').unwrap_or((item, ""));
            let number = |text: &str| {
                text.parse::<u64>().map_err(|_| {
                    format!("{item}: expected a number in place of {text:?}, as in {name}:3")
                })
            };
            match name {
                "malloc" => plan.malloc = Some(number(value)?),
                "lost" => plan.lost = Some(number(value)?),
                "hang" => plan.hang = Some(number(value)?),
                "kernel" => {
                    let (nth, code) = match value.split_once('=') {
                        Some((nth, code)) => (nth, number(code)? as i32),
                        None => (value, CORE_EXCEPTION),
                    };
                    plan.kernel = Some((number(nth)?, code));
                }
                "slow" => {
                    let (nth, milliseconds) = value
                        .split_once('=')
                        .ok_or_else(|| format!("{item}: expected slow:LAUNCH=MILLISECONDS"))?;
                    plan.slow = Some((number(nth)?, number(milliseconds)?));
                }
                "missing" => {
                    plan.missing.extend(value.split('+').filter(|s| !s.is_empty()).map(Into::into));
                }
                "forgive" => plan.forgive = true,
                _ => {
                    return Err(format!(
                        "{item}: expected malloc:N, kernel:N[=CODE], lost:N, hang:N, slow:N=MS, \
                         missing:SYM+SYM or forgive"
                    ));
                }
            }
        }
        Ok(plan)
    }
}

impl Faults {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan, ..Self::default() }
    }

    /// Counts an allocation; whether it is the one that fails.
    pub(crate) fn allocation_fails(&self) -> bool {
        let nth = self.allocations.fetch_add(1, Ordering::Relaxed) + 1;
        self.plan.malloc == Some(nth)
    }

    /// Counts a launch; what happens to it.
    pub(crate) fn launch(&self) -> Option<Injected> {
        let nth = self.launches.fetch_add(1, Ordering::Relaxed) + 1;
        let plan = &self.plan;
        if plan.lost == Some(nth) {
            return Some(Injected::Lost);
        }
        if plan.hang == Some(nth) {
            return Some(Injected::Hang);
        }
        if let Some((_, code)) = plan.kernel.filter(|(at, _)| *at == nth) {
            return Some(Injected::Fault(code));
        }
        plan.slow.filter(|(at, _)| *at == nth).map(|(_, milliseconds)| Injected::Slow(milliseconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_item_by_item() {
        let plan = Plan::parse("malloc:3, kernel:10=507035,missing:a+b,slow:2=40,forgive").unwrap();
        assert_eq!(plan.malloc, Some(3));
        assert_eq!(plan.kernel, Some((10, 507_035)));
        assert_eq!(plan.missing, ["a", "b"]);
        assert_eq!(plan.slow, Some((2, 40)));
        assert!(plan.forgive);
        assert_eq!(Plan::parse("kernel:1").unwrap().kernel, Some((1, CORE_EXCEPTION)));
        assert_eq!(Plan::parse("").unwrap(), Plan::default());
    }

    #[test]
    fn a_wrong_item_is_named() {
        assert!(Plan::parse("malloc:x").unwrap_err().contains("malloc:x"));
        assert!(Plan::parse("slow:2").unwrap_err().contains("slow"));
        assert!(Plan::parse("kernel:1,bang").unwrap_err().contains("bang"));
    }

    #[test]
    fn launches_are_counted_from_one() {
        let faults = Faults::new(Plan::parse("kernel:2,slow:3=5,hang:4,lost:5,malloc:1").unwrap());
        let seen: Vec<_> = (0..6).map(|_| faults.launch()).collect();
        assert_eq!(
            seen,
            [
                None,
                Some(Injected::Fault(CORE_EXCEPTION)),
                Some(Injected::Slow(5)),
                Some(Injected::Hang),
                Some(Injected::Lost),
                None
            ]
        );
        assert!(faults.allocation_fails());
        assert!(!faults.allocation_fails());
    }
}
