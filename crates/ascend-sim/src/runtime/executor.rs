//! Executors: what the first phase makes and the second one uses up.

use std::ffi::c_void;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::config::machine;
use super::counters::counters;
use super::failure::Failure;
use super::handles::{dead, handles};
use super::registry::handle;
use super::{init, launch, thread};
use crate::kernel::{INVALID_PARAMETER, Kernel, NO_TILING, NULL_POINTER, Reject};
use crate::profile::Site;
use crate::sync::lock;
use crate::tensor::Tensor;

/// Makes the kernel for the arguments of phase one, after `visit` saw each of its tensors and perhaps moved it.
pub(crate) type Prepare =
    Box<dyn Fn(&Site, &mut dyn FnMut(Place, &mut Tensor)) -> Result<Kernel, Reject> + Send + Sync>;

/// Where a tensor stands among the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) parameter: &'static str,
    /// Its place in its list.
    pub(crate) index: usize,
    pub(crate) in_list: bool,
}

/// Which tensors an index counts, when an address is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Among {
    All,
    Inputs,
    Outputs,
}

impl Among {
    /// Whether a parameter counts; one that is updated in place is both input and output.
    fn counts(self, parameter: &str) -> bool {
        let in_place = parameter.ends_with("_ref");
        let output = parameter.ends_with("out")
            || parameter.ends_with("out_optional")
            || matches!(parameter, "y" | "rstd" | "softmax_lse");
        match self {
            Self::All => true,
            Self::Inputs => !output || in_place,
            Self::Outputs => output || in_place,
        }
    }
}

/// A live `aclOpExecutor`.
pub(crate) struct Executor {
    operator: &'static str,
    /// Bytes of workspace that phase two wants.
    workspace: u64,
    prepare: Prepare,
    repeatable: AtomicBool,
    /// The tensors, with the addresses that they have by now.
    tensors: Mutex<Vec<(Place, u64, bool)>>,
    kernel: Mutex<Kernel>,
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("operator", &self.operator).finish_non_exhaustive()
    }
}

/// Refuses a first phase where there is no device, or no `aclInit`.
pub(crate) fn may_prepare() -> Result<(), Failure> {
    if !init::is_initialised() {
        let message = "tiling function null: aclInit was not called in this process";
        return Err(Failure::new(NO_TILING, message));
    }
    thread::context().map(drop).map_err(|failure| inner(&failure))
}

/// A failure of the runtime inside an operator.
fn inner(failure: &Failure) -> Failure {
    Failure::new(361_001, failure.to_string())
}

impl Executor {
    /// Makes an executor, and says how much workspace it wants.
    pub(crate) fn make(operator: &'static str, prepare: Prepare) -> Result<(u64, u64), Failure> {
        let machine = machine();
        let mut tensors = Vec::new();
        let kernel = prepare(&machine.site(), &mut |place, tensor| {
            tensors.push((place, tensor.address, tensor.len() == 0));
        })?;
        let workspace = machine.workspace.of(operator);
        counters().preparations();
        let executor = handles().executors.insert(Self {
            operator,
            workspace,
            prepare,
            repeatable: AtomicBool::new(false),
            tensors: Mutex::new(tensors),
            kernel: Mutex::new(kernel),
        });
        Ok((executor, workspace))
    }

    /// Lets phase two run more than once.
    pub(crate) fn set_repeatable(&self) {
        self.repeatable.store(true, Ordering::Relaxed);
    }

    /// Moves a tensor: the `index`-th of those that count, or for a list its member `relative`.
    pub(crate) fn set_address(
        &self,
        among: Among,
        index: usize,
        relative: Option<usize>,
        address: u64,
    ) -> Result<(), Failure> {
        let mut tensors = lock(&self.tensors);
        let mut parameters: Vec<&str> = tensors
            .iter()
            .filter(|(place, ..)| {
                among.counts(place.parameter) && place.in_list == relative.is_some()
            })
            .map(|(place, ..)| place.parameter)
            .collect();
        parameters.dedup();
        let member = relative.unwrap_or(0);
        let place = parameters.get(index).and_then(|parameter| {
            tensors
                .iter()
                .position(|(place, ..)| place.parameter == *parameter && place.index == member)
        });
        let Some(place) = place else {
            return Err(Failure::new(
                INVALID_PARAMETER,
                format!(
                    "index {index}, member {member}: {} has {} such tensors: {parameters:?}",
                    self.operator,
                    parameters.len()
                ),
            ));
        };
        tensors[place].1 = address;
        let mut addresses = tensors.iter().map(|(_, address, _)| *address);
        let kernel = (self.prepare)(&machine().site(), &mut |_, tensor| {
            if let Some(address) = addresses.next() {
                tensor.address = address;
            }
        })?;
        *lock(&self.kernel) = kernel;
        Ok(())
    }

    fn check(&self, workspace: (u64, u64)) -> Result<(), Failure> {
        let (address, bytes) = workspace;
        let wanted = self.workspace;
        if wanted > 0 && address == 0 {
            let message = format!("workspace is null, expected {wanted} bytes of device memory");
            return Err(Failure::new(NULL_POINTER, message));
        }
        if bytes < wanted {
            let message = format!("workspaceSize is {bytes}, expected at least {wanted}");
            return Err(Failure::new(INVALID_PARAMETER, message));
        }
        let tensors = lock(&self.tensors);
        match tensors.iter().find(|(_, address, empty)| *address == 0 && !empty) {
            None => Ok(()),
            Some((place, ..)) => Err(Failure::new(
                561_103,
                format!("{} [{}] has no data address", place.parameter, place.index),
            )),
        }
    }
}

/// The live executor behind a pointer.
pub(crate) fn find(executor: *const c_void) -> Result<Arc<Executor>, Failure> {
    handles().executors.get(handle(executor)).ok_or_else(|| dead("executor", executor))
}

/// Puts the kernel on a stream. The executor is gone afterwards, launched or not, unless it is repeatable.
pub(crate) fn launch(
    operator: &'static str,
    workspace: (u64, u64),
    executor: *const c_void,
    stream: u64,
) -> Result<(), Failure> {
    let found = find(executor)?;
    if !found.repeatable.load(Ordering::Relaxed)
        && handles().executors.remove(handle(executor)).is_none()
    {
        return Err(dead("executor", executor));
    }
    if found.operator != operator {
        let message = format!("executor is of {}, not of {operator}", found.operator);
        return Err(Failure::new(561_000, message));
    }
    found.check(workspace)?;
    let kernel = lock(&found.kernel).clone();
    let workspace = (workspace.0, found.workspace);
    launch::kernel(operator, kernel, workspace, stream).map_err(|failure| inner(&failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_known_by_name() {
        assert!(Among::Outputs.counts("out"));
        assert!(Among::Outputs.counts("y_out"));
        assert!(Among::Outputs.counts("self_ref"));
        assert!(Among::Inputs.counts("self_ref"));
        assert!(!Among::Outputs.counts("gamma"));
        assert!(!Among::Inputs.counts("attention_out"));
    }
}
