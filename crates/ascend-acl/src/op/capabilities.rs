//! What the installed release can do.

use crate::error::Result;
use crate::probe::{OperatorStatus, Step, operators, steps};
use crate::rt::Device;

/// Which operators the loaded libraries have, and which of them each step of a mixture-of-experts transformer would use on a chip.
///
/// The table of steps is that of [`probe`](crate::probe()); here it is for a program that has opened its device.
///
/// ```
/// use ascend_acl::op::Capabilities;
/// use ascend_acl::rt::Device;
///
/// fn print(device: &Device) -> ascend_acl::Result<()> {
///     let capabilities = Capabilities::of(device)?;
///     for step in capabilities.steps() {
///         match step.uses {
///             Some(0) => println!("{}: {:?}", step.name, step.choices[0].operators),
///             Some(at) => println!("{}: fallback {:?}", step.name, step.choices[at].operators),
///             None => println!("{}: nothing", step.name),
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Capabilities {
    soc: String,
    operators: Vec<OperatorStatus>,
    steps: Vec<Step>,
}

impl Capabilities {
    /// Those of the device's chip with the loaded libraries. Symbols are looked for; nothing is run.
    pub fn of(device: &Device) -> Result<Self> {
        let soc = device.soc_name()?.to_owned();
        let operators = operators(device.ascend());
        let steps = steps(Some(&soc), &operators);
        Ok(Self { soc, operators, steps })
    }

    /// The chip.
    #[must_use]
    pub fn soc(&self) -> &str {
        &self.soc
    }

    /// Whether both phases of an operator are there, by its name without suffix, such as `aclnnMm`.
    #[must_use]
    pub fn has(&self, operator: &str) -> bool {
        self.operators.iter().any(|status| status.name == operator && status.available)
    }

    /// Every operator that this crate knows.
    #[must_use]
    pub fn operators(&self) -> &[OperatorStatus] {
        &self.operators
    }

    /// The steps in the order in which a token goes through them, with what each would use.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The operators that a step uses, by the step's name; `None` if there are none, or no such step.
    #[must_use]
    pub fn used_by(&self, step: &str) -> Option<&'static [&'static str]> {
        let step = self.steps.iter().find(|other| other.name == step)?;
        step.uses.map(|at| step.choices[at].operators)
    }
}
