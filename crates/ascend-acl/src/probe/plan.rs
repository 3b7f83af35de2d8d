//! Which operators each step of gpt-oss would use: first choices and what stands in for them.

use super::OperatorStatus;

/// A step of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Step {
    /// What is computed.
    pub name: &'static str,
    /// Ways to do it on this chip, the best first.
    pub choices: Vec<Choice>,
    /// The first of them whose operators are all there.
    pub uses: Option<usize>,
}

/// One way to do a step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Choice {
    /// The operators, all of which it takes.
    pub operators: &'static [&'static str],
    /// Those that are not there.
    pub missing: Vec<&'static str>,
}

/// Chips that a way is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    All,
    /// 910B and 910C.
    Up910,
    /// 950, which has another attention, and products with MXFP4 weights.
    Only950,
}

type Ways = &'static [(On, &'static [&'static str])];

const GROUPED: Ways = &[
    (On::Only950, &["aclnnGroupedMatmulWeightNz"]),
    (On::All, &["aclnnGroupedMatmulV5"]),
    (On::All, &["aclnnGroupedMatmulV4"]),
];
const LINEAR: Ways = &[(On::All, &["aclnnAddmm"]), (On::All, &["aclnnMm", "aclnnAdd"])];
const NORM: Ways = &[(On::All, &["aclnnAddRmsNorm"]), (On::All, &["aclnnAdd", "aclnnRmsNorm"])];

/// Steps in the order in which a token goes through them; the sink of attention has its own operators.
const STEPS: [(&str, Ways); 15] = [
    (
        "embedding",
        &[
            (On::All, &["aclnnEmbedding"]),
            (On::All, &["aclnnIndexSelect"]),
            (On::All, &["aclnnGatherV2"]),
        ],
    ),
    ("first norm", &[(On::All, &["aclnnRmsNorm"])]),
    ("norm with residual", NORM),
    ("query, key, value", LINEAR),
    (
        "rotary positions",
        &[(On::All, &["aclnnApplyRotaryPosEmb"]), (On::All, &["aclnnRotaryPositionEmbedding"])],
    ),
    ("cache write", &[(On::All, &["aclnnScatterPaKvCache"]), (On::All, &["aclnnScatterNdUpdate"])]),
    (
        "attention with sinks",
        &[
            (On::Up910, &["aclnnFusedInferAttentionScoreV4"]),
            (On::Only950, &["aclnnFusedInferAttentionScoreV5"]),
            (
                On::Up910,
                &["aclnnFusedInferAttentionScoreV3", "aclnnSub", "aclnnSigmoid", "aclnnMul"],
            ),
        ],
    ),
    ("attention output", LINEAR),
    ("router", LINEAR),
    (
        "expert choice",
        &[
            (On::All, &["aclnnMoeGatingTopKSoftmaxV2"]),
            (On::All, &["aclnnTopk", "aclnnSoftmax", "aclnnCast"]),
        ],
    ),
    (
        "routing",
        &[
            (On::All, &["aclnnMoeInitRoutingV3"]),
            (On::All, &["aclnnMoeInitRoutingV2", "aclnnCast"]),
        ],
    ),
    ("experts, up and down", GROUPED),
    (
        "expert activation",
        &[
            (On::All, &["aclnnClippedSwiglu"]),
            (On::All, &["aclnnClamp", "aclnnMuls", "aclnnSigmoid", "aclnnMul", "aclnnAdds"]),
        ],
    ),
    (
        "expert sum",
        &[
            (On::All, &["aclnnMoeFinalizeRoutingV2"]),
            (On::All, &["aclnnIndexSelect", "aclnnMul", "aclnnAdd"]),
        ],
    ),
    (
        "logits and choice of a token",
        &[
            (On::All, &["aclnnRmsNorm", "aclnnIndexSelect", "aclnnMm", "aclnnMaxDim"]),
            (On::All, &["aclnnRmsNorm", "aclnnIndexSelect", "aclnnMm", "aclnnTopk"]),
        ],
    ),
];

/// The steps with what is there of them.
pub(crate) fn steps(soc: Option<&str>, operators: &[OperatorStatus]) -> Vec<Step> {
    let chip =
        if soc.is_some_and(|soc| soc.starts_with("Ascend950")) { On::Only950 } else { On::Up910 };
    let there = |name: &str| operators.iter().any(|op| op.name == name && op.available);
    let step = |&(name, ways): &(&'static str, Ways)| {
        let ways = ways.iter().filter(|(on, _)| *on == On::All || *on == chip);
        let choices: Vec<_> = ways
            .map(|&(_, operators)| {
                let missing = operators.iter().copied().filter(|name| !there(name)).collect();
                Choice { operators, missing }
            })
            .collect();
        let uses = choices.iter().position(|choice| choice.missing.is_empty());
        Step { name, choices, uses }
    };
    STEPS.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Aclnn;

    fn all_but(missing: &[&str]) -> Vec<OperatorStatus> {
        let status = |[_, execute]: &'static [crate::sys::Signature; 2]| OperatorStatus {
            name: execute.name,
            library: execute.library,
            since: execute.since,
            available: !missing.contains(&execute.name),
        };
        Aclnn::signatures().map(status).collect()
    }

    fn used(steps: &[Step], name: &str) -> Option<&'static [&'static str]> {
        let step = steps.iter().find(|step| step.name == name)?;
        step.uses.map(|at| step.choices[at].operators)
    }

    #[test]
    fn every_named_operator_is_declared() {
        let all = all_but(&[]);
        for name in STEPS.iter().flat_map(|(_, ways)| *ways).flat_map(|(_, names)| *names) {
            assert!(all.iter().any(|op| op.name == *name), "{name}");
        }
        assert!(steps(Some("Ascend910B3"), &all).iter().all(|step| step.uses == Some(0)));
    }

    #[test]
    fn a_missing_operator_is_stood_in_for() {
        let without = all_but(&["aclnnClippedSwiglu", "aclnnMoeInitRoutingV3"]);
        let steps = steps(Some("Ascend910B4"), &without);
        assert_eq!(used(&steps, "routing"), Some(&["aclnnMoeInitRoutingV2", "aclnnCast"][..]));
        let step = steps.iter().find(|step| step.name == "expert activation").unwrap();
        assert_eq!(step.choices[0].missing, ["aclnnClippedSwiglu"]);
        assert_eq!(step.uses, Some(1));
    }

    #[test]
    fn the_950_has_an_attention_of_its_own() {
        let attention = |soc| {
            let steps = steps(Some(soc), &all_but(&[]));
            used(&steps, "attention with sinks").unwrap()[0]
        };
        assert_eq!(attention("Ascend910B3"), "aclnnFusedInferAttentionScoreV4");
        assert_eq!(attention("Ascend950PR_9599"), "aclnnFusedInferAttentionScoreV5");
        let none = steps(None, &[]);
        assert!(none.iter().all(|step| step.uses.is_none()));
    }
}
