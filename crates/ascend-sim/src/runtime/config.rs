//! What the environment says about the simulated machine; read once.

use std::env;
use std::sync::OnceLock;

use super::faults::Plan;
use crate::profile::{Cann, Site, Soc};

/// The simulated machine.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) soc: Soc,
    /// The name that `aclrtGetSocName` gives.
    pub(crate) soc_name: &'static std::ffi::CStr,
    pub(crate) cann: Cann,
    /// Devices visible to the process.
    pub(crate) devices: u32,
    /// Bytes of device memory that a program may have, in place of what the chip has.
    pub(crate) hbm: Option<u64>,
    pub(crate) faults: Plan,
    /// Seed of the delays that reorder streams.
    pub(crate) delay: Option<u64>,
    /// Seed of the noise in the last bit of results.
    pub(crate) jitter: Option<u64>,
    /// Whether events carry modelled times.
    pub(crate) time: bool,
    pub(crate) workspace: Workspace,
    /// Whether memory may be allocated while a capture in global mode goes on.
    pub(crate) capture_malloc: bool,
}

/// How large the workspaces are that operators ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workspace {
    /// The same for every operator.
    Bytes(u64),
    /// By operator and seed, 32 bytes to 48 MiB.
    Seed(u64),
}

impl Workspace {
    /// The bytes that an operator asks for.
    pub(crate) fn of(self, operator: &str) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Seed(seed) => {
                let mixed = operator.bytes().fold(seed, |state, byte| mix(state ^ u64::from(byte)));
                (mixed % (48 << 20)).next_multiple_of(32).max(32)
            }
        }
    }
}

/// What `RoPE` V2 and many others ask for on A2, as measured by a third party.
const WORKSPACE: u64 = 16 << 20;

/// A number that looks random; the finaliser of `SplitMix64` (Steele, Lea, Flood 2014).
pub(crate) fn mix(seed: u64) -> u64 {
    let mut state = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

/// The machine, or what is wrong with the variables that describe it.
pub(crate) fn config() -> Result<&'static Config, &'static str> {
    static CONFIG: OnceLock<Result<Config, String>> = OnceLock::new();
    CONFIG.get_or_init(|| read(|name| env::var(name).ok())).as_ref().map_err(String::as_str)
}

/// The machine; the default one where the variables are wrong, which `aclInit` and `aclrtSetDevice` refuse.
pub(crate) fn machine() -> &'static Config {
    static DEFAULT: OnceLock<Config> = OnceLock::new();
    config().unwrap_or_else(|_| DEFAULT.get_or_init(Config::default))
}

impl Default for Config {
    fn default() -> Self {
        Self {
            soc: Soc::Ascend910B3,
            soc_name: c"Ascend910B3",
            // What the front libraries of a layout say that they are.
            cann: crate::layout::attached().unwrap_or(Cann::V8_5),
            devices: 1,
            hbm: None,
            faults: Plan::default(),
            delay: None,
            jitter: None,
            time: false,
            workspace: Workspace::Bytes(WORKSPACE),
            capture_malloc: false,
        }
    }
}

impl Config {
    /// Where operators are prepared.
    pub(crate) fn site(&self) -> Site {
        Site { soc: self.soc, cann: self.cann }
    }
}

fn read(get: impl Fn(&str) -> Option<String>) -> Result<Config, String> {
    let mut config = Config::default();
    let number = |name: &str| {
        get(name)
            .map(|text| text.parse::<u64>().map_err(|_| expected(name, &text, "a number")))
            .transpose()
    };
    if let Some(name) = get("ASCEND_SIM_SOC") {
        (config.soc, config.soc_name) = match name.as_str() {
            "Ascend910B3" => (Soc::Ascend910B3, c"Ascend910B3"),
            "Ascend910B4" => (Soc::Ascend910B4, c"Ascend910B4"),
            "Ascend910_9392" => (Soc::Ascend910_93, c"Ascend910_9392"),
            "Ascend950PR" => (Soc::Ascend950, c"Ascend950PR"),
            _ => {
                let names = "Ascend910B3, Ascend910B4, Ascend910_9392 or Ascend950PR";
                return Err(expected("ASCEND_SIM_SOC", &name, names));
            }
        };
    }
    if let Some(release) = get("ASCEND_SIM_CANN") {
        config.cann = match release.as_str() {
            "8.3" => Cann::V8_3,
            "8.5" => Cann::V8_5,
            _ => return Err(expected("ASCEND_SIM_CANN", &release, "8.3 or 8.5")),
        };
    }
    if let Some(devices) = number("ASCEND_SIM_DEVICES")? {
        if devices > MOST_DEVICES {
            let range = format!("0 to {MOST_DEVICES}");
            return Err(expected("ASCEND_SIM_DEVICES", &devices.to_string(), &range));
        }
        config.devices = devices as u32;
    }
    config.hbm = number("ASCEND_SIM_HBM")?;
    config.delay = number("ASCEND_SIM_DELAY")?;
    config.jitter = number("ASCEND_SIM_JITTER")?;
    config.time = number("ASCEND_SIM_TIME")?.is_some_and(|on| on != 0);
    config.capture_malloc = number("ASCEND_SIM_CAPTURE_MALLOC")?.is_some_and(|on| on != 0);
    if let Some(text) = get("ASCEND_SIM_WORKSPACE") {
        let wrong = || expected("ASCEND_SIM_WORKSPACE", &text, "bytes, or seed:N");
        config.workspace = match text.strip_prefix("seed:") {
            Some(seed) => Workspace::Seed(seed.parse().map_err(|_| wrong())?),
            None => Workspace::Bytes(text.parse().map_err(|_| wrong())?),
        };
    }
    if let Some(text) = get("ASCEND_SIM_FAULTS") {
        config.faults = Plan::parse(&text).map_err(|why| format!("ASCEND_SIM_FAULTS: {why}"))?;
    }
    Ok(config)
}

/// A server of A3 has 16 dies.
const MOST_DEVICES: u64 = 16;

fn expected(name: &str, value: &str, expected: &str) -> String {
    format!("{name} is {value:?}, expected {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Config, String> {
        read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into()))
    }

    #[test]
    fn without_variables_there_is_one_910b3() {
        let config = of(&[]).unwrap();
        assert_eq!((config.soc, config.devices), (Soc::Ascend910B3, 1));
        assert_eq!(config.workspace.of("aclnnAdd"), 16 << 20);
        assert_eq!(config.cann, Cann::V8_5);
    }

    #[test]
    fn variables_describe_the_machine() {
        let config = of(&[
            ("ASCEND_SIM_SOC", "Ascend950PR"),
            ("ASCEND_SIM_DEVICES", "4"),
            ("ASCEND_SIM_CANN", "8.3"),
            ("ASCEND_SIM_WORKSPACE", "seed:5"),
            ("ASCEND_SIM_TIME", "1"),
        ])
        .unwrap();
        assert_eq!((config.soc, config.devices, config.cann), (Soc::Ascend950, 4, Cann::V8_3));
        assert!(config.time);
        let bytes = config.workspace.of("aclnnAdd");
        assert!((32..=48 << 20).contains(&bytes));
        assert_ne!(bytes, config.workspace.of("aclnnMm"));
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for (name, value) in [
            ("ASCEND_SIM_SOC", "Ascend310"),
            ("ASCEND_SIM_DEVICES", "many"),
            ("ASCEND_SIM_DEVICES", "17"),
            ("ASCEND_SIM_CANN", "7"),
            ("ASCEND_SIM_WORKSPACE", "seed:"),
            ("ASCEND_SIM_FAULTS", "kernel"),
        ] {
            let error = of(&[(name, value)]).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }
}
