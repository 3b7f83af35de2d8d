//! How each step is done.

use ascend_acl::op::Capabilities;

/// How the steps are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::npu) struct Ways {
    pub(in crate::backend::npu) embed: Embed,
    pub(in crate::backend::npu) add_norm: InOne,
    pub(in crate::backend::npu) product: InOne,
    pub(in crate::backend::npu) rotate: Rotate,
    pub(in crate::backend::npu) write_cache: WriteCache,
    pub(in crate::backend::npu) sinks: Sinks,
    pub(in crate::backend::npu) choose: Choose,
    pub(in crate::backend::npu) route: Route,
    pub(in crate::backend::npu) activation: Activation,
    pub(in crate::backend::npu) sum: Sum,
    pub(in crate::backend::npu) pick: Pick,
}

/// Which operator looks rows up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::npu) enum Embed {
    Embedding,
    /// Always there: the head takes rows with it too.
    IndexSelect,
}

/// Whether one operator does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::npu) enum InOne {
    Yes,
    No,
}

/// Queries and keys together, or one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::npu) enum Rotate {
    Pair,
    Each,
}

/// Keys and values together, or one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::npu) enum WriteCache {
    Both,
    OneByOne,
}

/// Where sinks enter attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::npu) enum Sinks {
    Within,
    Afterwards,
}

/// How experts are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::npu) enum Choose {
    AtOnce,
    InParts,
}

/// The integers in which rows of experts are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::npu) enum Route {
    Counts64,
    Counts32,
}

/// How the gated unit is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::npu) enum Activation {
    AtOnce,
    InParts,
}

/// How answers of experts are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::npu) enum Sum {
    AtOnce,
    InParts,
}

/// How the greatest logit is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::npu) enum Pick {
    Max,
    TopK,
}

impl Ways {
    pub(super) fn of(capabilities: &Capabilities) -> Self {
        // The first way, where the step uses this operator.
        fn way<T>(capabilities: &Capabilities, step: &str, operator: &str, [yes, no]: [T; 2]) -> T {
            let used = capabilities.used_by(step);
            if used.is_some_and(|used| used.contains(&operator)) { yes } else { no }
        }
        let c = capabilities;
        let in_one = [InOne::Yes, InOne::No];
        Self {
            embed: way(c, "embedding", "aclnnEmbedding", [Embed::Embedding, Embed::IndexSelect]),
            add_norm: way(c, "norm with residual", "aclnnAddRmsNorm", in_one),
            product: way(c, "router", "aclnnAddmm", in_one),
            rotate: way(
                c,
                "rotary positions",
                "aclnnApplyRotaryPosEmb",
                [Rotate::Pair, Rotate::Each],
            ),
            write_cache: way(
                c,
                "cache write",
                "aclnnScatterPaKvCache",
                [WriteCache::Both, WriteCache::OneByOne],
            ),
            sinks: way(
                c,
                "attention with sinks",
                "aclnnFusedInferAttentionScoreV3",
                [Sinks::Afterwards, Sinks::Within],
            ),
            choose: way(
                c,
                "expert choice",
                "aclnnMoeGatingTopKSoftmaxV2",
                [Choose::AtOnce, Choose::InParts],
            ),
            route: way(c, "routing", "aclnnMoeInitRoutingV3", [Route::Counts64, Route::Counts32]),
            activation: way(
                c,
                "expert activation",
                "aclnnClippedSwiglu",
                [Activation::AtOnce, Activation::InParts],
            ),
            sum: way(c, "expert sum", "aclnnMoeFinalizeRoutingV2", [Sum::AtOnce, Sum::InParts]),
            pick: way(c, "logits and choice of a token", "aclnnMaxDim", [Pick::Max, Pick::TopK]),
        }
    }

    /// Operators of a batch.
    pub(super) fn launches(
        self,
        layers: usize,
        chosen: usize,
        devices: usize,
        shared: bool,
    ) -> usize {
        let one_or = |one: bool, other: usize| if one { 1 } else { other };
        let norm = one_or(self.add_norm == InOne::Yes, 2);
        let product = one_or(self.product == InOne::Yes, 2);
        let experts = [
            one_or(self.choose == Choose::AtOnce, 3),
            one_or(self.route == Route::Counts64, 2),
            // Up and down.
            2,
            one_or(self.activation == Activation::AtOnce, 7),
            one_or(self.sum == Sum::AtOnce, 2 + chosen),
            // The part of a device, and the sum over all.
            if devices > 1 { 4 } else { 0 },
            usize::from(devices > 1 && shared),
        ];
        let layer = 2 * norm
            // Queries, keys and values, which are split; output; router.
            + 3 * product
            + 1
            + one_or(self.rotate == Rotate::Pair, 2)
            + one_or(self.write_cache == WriteCache::Both, 2)
            + one_or(self.sinks == Sinks::Within, 5)
            + experts.iter().sum::<usize>();
        // Embedding and angles; the first norm has nothing to add; the last sum; rows, norm, head and choice.
        3 + layers * layer + 1 - norm + 1 + 4
    }
}
