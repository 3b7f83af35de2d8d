//! The form of the experts' weights.

use ascend_acl::op::Capabilities;

use super::{Facts, PlannedStep};
use crate::backend::npu::forms::ExpertForm;
use crate::{Error, Result};

/// The step that the form of the experts decides on.
pub(super) const PRODUCTS: &str = "experts, up and down";
const NATIVE: &str = "aclnnGroupedMatmulWeightNz";

/// The form of the experts' weights, and why.
pub(super) fn form(facts: &Facts<'_>) -> Result<(ExpertForm, String)> {
    let Facts { capabilities, config, mxfp4, options, .. } = facts;
    let is_950 = capabilities.soc().starts_with("Ascend950");
    let sizes = [config.hidden, config.intermediate, 2 * config.intermediate];
    let in_blocks = sizes.iter().all(|size| size % 64 == 0);
    let refuse = |reason: String| Err(Error::Plan { reason });
    match options.experts {
        None if is_950 && *mxfp4 && in_blocks => {
            Ok((ExpertForm::Mxfp4, "as the checkpoint has them, which this chip multiplies".into()))
        }
        None if is_950 && *mxfp4 => {
            let why =
                format!("sizes {sizes:?} are not all multiples of 64, which MXFP4 takes here");
            Ok((ExpertForm::Bf16, why))
        }
        None if *mxfp4 => Ok((ExpertForm::Bf16, "this chip does not multiply MXFP4".into())),
        None => Ok((ExpertForm::Bf16, "as the checkpoint has them".into())),
        Some(ExpertForm::Mxfp4) if !is_950 => refuse(format!(
            "{} does not multiply MXFP4; expected bf16, int8 or int4",
            capabilities.soc()
        )),
        Some(ExpertForm::Mxfp4) if !mxfp4 => {
            refuse("the checkpoint's experts are not in MXFP4; expected bf16".to_owned())
        }
        Some(ExpertForm::Mxfp4) if !in_blocks => {
            refuse(format!("sizes {sizes:?} are not all multiples of 64, which MXFP4 takes here"))
        }
        Some(form @ (ExpertForm::Int8 | ExpertForm::Int4)) if is_950 => refuse(format!(
            "{} takes no weights in {form}; expected bf16 or mxfp4",
            capabilities.soc()
        )),
        Some(ExpertForm::Int4) if config.hidden % 32 != 0 || config.intermediate % 32 != 0 => {
            refuse(format!("sizes {sizes:?} are not all multiples of 32, the groups of int4"))
        }
        Some(form) => Ok((form, "asked for".to_owned())),
    }
}

/// The products of experts in this form.
pub(super) fn products(capabilities: &Capabilities, form: ExpertForm) -> PlannedStep {
    let ways: &[&'static [&'static str]] = match form {
        ExpertForm::Mxfp4 => &[&[NATIVE]],
        _ => &[&["aclnnGroupedMatmulV5"], &["aclnnGroupedMatmulV4"]],
    };
    let used = ways.iter().position(|way| way.iter().all(|name| capabilities.has(name)));
    PlannedStep {
        name: PRODUCTS,
        operators: used.map_or(&[], |at| ways[at]),
        is_fallback: used.is_some_and(|at| at > 0),
        missing: if used == Some(0) { Vec::new() } else { ways[0].to_vec() },
    }
}
