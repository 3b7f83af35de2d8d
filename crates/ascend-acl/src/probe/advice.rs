//! What to do about what is missing.

use super::Probe;
use crate::error::{Error, Part};
use crate::library::PATH_VARIABLE;

const INSTALL: &str = "install CANN: the toolkit, and from 8.5 on the operator packages for your \
    chip (https://www.hiascend.com/software/cann); then `source \
    /usr/local/Ascend/cann/set_env.sh` (up to 8.3: /usr/local/Ascend/ascend-toolkit/set_env.sh)";
const DRIVER: &str = "no device files /dev/davinci*: there is no Ascend NPU here, or its driver is \
    not installed, or the container was started without --device=/dev/davinci0 \
    --device=/dev/davinci_manager --device=/dev/devmm_svm --device=/dev/hisi_hdc";
const SIMULATOR: &str = "without an NPU: `cargo run -p ascend-sim -- DIR` lays out a simulated \
    device, to be chosen by ASCEND_ACL_PATH=DIR/8.5";

pub(super) fn for_error(error: &Error, probe: &Probe) -> Vec<String> {
    let named = |name: &str| probe.variables.iter().any(|variable| variable.name == name);
    let mut advice = Vec::new();
    match error {
        Error::NotFound { part, attempts } => {
            let needs_driver =
                attempts.iter().any(|attempt| attempt.problem.starts_with("libascend_hal.so"));
            if needs_driver {
                advice.push(
                    "CANN is there, but not the driver's libascend_hal.so: install the driver \
                    and add /usr/local/Ascend/driver/lib64/driver to LD_LIBRARY_PATH"
                        .to_owned(),
                );
            } else if named(PATH_VARIABLE) {
                advice.push(format!("{PATH_VARIABLE} must name a folder with {part}"));
            } else if *part == Part::Runtime && !named("ASCEND_HOME_PATH") {
                advice.push(INSTALL.to_owned());
            } else {
                advice.push(format!("the installation is incomplete; {INSTALL}"));
            }
        }
        Error::NotAFolder { .. } => {
            advice.push(format!("let {PATH_VARIABLE} name a folder, or unset it"));
        }
        Error::Stub { .. } => {
            advice.push(
                "take the folder `devlib` out of LD_LIBRARY_PATH; it is only for linking"
                    .to_owned(),
            );
            advice.push(INSTALL.to_owned());
        }
        _ => {}
    }
    if probe.device_files.is_empty() && !named(PATH_VARIABLE) {
        advice.push(DRIVER.to_owned());
        advice.push(SIMULATOR.to_owned());
    }
    advice
}

pub(super) fn for_probe(probe: &Probe) -> Vec<String> {
    let mut advice = Vec::new();
    if probe.devices.is_empty() {
        if probe.device_files.is_empty() {
            advice.push(DRIVER.to_owned());
        } else {
            advice.push(
                "the libraries find no device: look at `npu-smi info`, at \
                ASCEND_RT_VISIBLE_DEVICES, and whether you are in the group HwHiAiUser"
                    .to_owned(),
            );
        }
    }
    let unset = |name| probe.variables.iter().all(|variable| variable.name != name);
    // Operators look their kernels up there, and fail with 561107 or 561112 otherwise.
    let simulated = probe.variables.iter().any(|variable| variable.name == PATH_VARIABLE);
    if !simulated && (unset("ASCEND_HOME_PATH") || unset("ASCEND_OPP_PATH")) {
        advice.push(
            "ASCEND_HOME_PATH or ASCEND_OPP_PATH is not set, and operators will not find \
            their kernels: source CANN's set_env.sh"
                .to_owned(),
        );
    }
    if let Some(step) = probe.steps.iter().find(|step| step.uses.is_none()) {
        advice.push(format!(
            "no operators for {:?}: install a newer CANN, or its operator packages",
            step.name
        ));
    }
    advice
}
